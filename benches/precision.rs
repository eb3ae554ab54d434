//! How late ticks begin on a worker that has much to do.
//!
//! `cargo bench --bench precision`, on a machine that is idle otherwise: one worker runs
//! rooms that keep its thread busy for 70 % of the time, and the server's own histogram
//! tells how long after its deadline each step began. The target is a 99th percentile
//! under 1 ms. Then the same with Tokio's timer, which counts milliseconds, in place of
//! the kernel's. `-- --quick` looks for 4 seconds instead of 15.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tickwire::config::Config;
use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire::metrics::Metrics;
use tickwire::server::{Local, Place, Server, Wish};
use tickwire_protocol::message::{ClientMessage, Hello, VERSION};
use tickwire_protocol::{Entity, Message, Table, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::{LocalSet, spawn_local};

const ROOMS: u32 = 14;
const HZ: u32 = 50;
/// The share of its time that the worker is to be busy.
const LOAD: f64 = 0.7;
/// What a step takes: all rooms together come to the load.
const STEP: Duration = Duration::from_nanos((1e9 * LOAD / (ROOMS * HZ) as f64) as u64);
const TARGET_US: u128 = 1000;

#[derive(World)]
struct Desk {
    papers: Table<Paper>,
}

#[derive(Entity)]
struct Paper {
    steps: u32,
}

#[derive(Message, Clone, PartialEq, Default)]
struct Nothing {}

/// Works for a fixed time in each step.
struct Clerk;

impl Game for Clerk {
    const NAME: &'static str = "clerk";
    const TICK_HZ: u32 = HZ;
    type World = Desk;
    type Input = Nothing;
    type Command = ();
    type Reply = ();
    type Event = ();
    type Options = ();

    fn create((): (), cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        cx.world.papers.spawn(Paper { steps: 0 });
        Ok(Clerk)
    }

    fn join(&mut self, _: &mut Cx<Self>, _: PlayerId) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, _: &Inputs<Nothing>) {
        let begun = Instant::now();
        cx.world.papers.iter_mut().for_each(|(_, paper)| paper.steps += 1);
        while begun.elapsed() < STEP {
            std::hint::spin_loop();
        }
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let time = Duration::from_secs(if quick { 4 } else { 15 });
    println!(
        "Lateness of ticks, µs: {ROOMS} rooms at {HZ} Hz, {} µs a step, {} s each",
        STEP.as_micros(),
        time.as_secs()
    );
    println!(
        "{:<14}{:>8}{:>8}{:>8}{:>8}{:>9}{:>9}{:>7}",
        "timer", "p50", "p99", "p99.9", "most", "ticks", "lost", "load"
    );
    report("timerfd", &run(time, true));
    report("Tokio's", &run(time, false));
}

fn report(timer: &str, metrics: &Metrics) {
    let lateness = metrics.lateness();
    let us = |share| lateness.quantile(share).as_micros();
    let busy: f64 = metrics.workers.iter().map(|worker| worker.busy).sum();
    let note = match timer {
        "timerfd" => format!("    target: p99 under {TARGET_US}"),
        _ => String::new(),
    };
    println!(
        "{timer:<14}{:>8}{:>8}{:>8}{:>8}{:>9}{:>7}ms{:>7.2}{note}",
        us(0.5),
        us(0.99),
        us(0.999),
        us(1.0),
        lateness.ticks(),
        lateness.lost().as_millis(),
        busy
    );
}

/// A worker on this thread, with somebody in each of its rooms.
fn run(time: Duration, precise: bool) -> Metrics {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config { listen, stale_after: time * 10, ..Config::default() };
        let local = Server::builder().game::<Clerk>().config(config).local().unwrap();
        let local = if precise { local.precise().unwrap() } else { local };
        play(local, time).await
    })
}

async fn play(local: Local, time: Duration) -> Metrics {
    let handle = local.handle();
    let (shutdown, stop) = tokio::sync::oneshot::channel::<()>();
    let worker = spawn_local(local.run_until(async { drop(stop.await) }));
    let mut clients = Vec::new();
    for _ in 0..ROOMS {
        let name = Clerk::NAME.to_owned();
        let place = Place::Game { name, options: ().into(), private: true };
        let ticket = handle.join(Wish { place, name: String::new() }).await.unwrap();
        let (client, server) = tokio::io::duplex(64 * 1024);
        let serving = handle.clone();
        tokio::spawn(async move { serving.serve(tickwire::net::Stays(server)).await });
        clients.push(join(client, &ticket.token).await);
    }
    tokio::time::sleep(time).await;
    let metrics = handle.metrics().await;
    drop((shutdown, clients));
    worker.await.unwrap();
    metrics
}

/// A client that comes, and then says nothing: its room steps all the same.
async fn join(mut stream: DuplexStream, token: &str) -> DuplexStream {
    let handshake = "GET /ws HTTP/1.1\r\nHost: play.test\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tickwire.1\r\n\r\n";
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut hello = Vec::new();
    ClientMessage::Hello(Hello { version: VERSION, schema: None, token, applied: None })
        .write(&mut hello);
    let length = u16::try_from(hello.len()).unwrap().to_be_bytes();
    // A mask of zeros is a mask.
    let frame = [&[0x82, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], &hello[..]].concat();
    stream.write_all(&frame).await.unwrap();
    stream
}
