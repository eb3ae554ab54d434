//! Whether clients that keep up can tell that others do not.
//!
//! `cargo bench --bench slow` plays a room game with 200 clients over real sockets,
//! in turns without and with one in ten of them reading nothing for eight seconds,
//! and prints the distribution of the time between two frames of those who read.
//! The target is a ratio of at most 1.1 at the 99th percentile. `-- --quick` takes
//! one short turn of each. Server and clients share the machine's cores.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/slow/client.rs"]
mod client;
#[path = "../tests/slow/game.rs"]
mod game;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use client::Client;
use game::{SEATS, Weather};
use tickwire::config::Config;
use tickwire::game::Game;
use tickwire::server::{Handle, Place, Server, Wish};
use tokio::runtime::Builder;
use tokio::sync::{Barrier, oneshot};
use tokio::task::LocalSet;

const CLIENTS: usize = 200;
/// One in ten stops.
const STALLED_EVERY: usize = 10;

/// How long, and how often.
struct Plan {
    turns: usize,
    warm: Duration,
    stall: Duration,
}

const FULL: Plan = Plan { turns: 4, warm: Duration::from_secs(1), stall: Duration::from_secs(8) };
const QUICK: Plan =
    Plan { turns: 1, warm: Duration::from_millis(500), stall: Duration::from_secs(2) };

/// What the clients who read have seen in some turns.
#[derive(Default)]
struct Seen {
    /// Microseconds between two frames.
    intervals: Vec<u64>,
    /// Ticks that were left out of them.
    coalesced: u64,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.intervals.extend(other.intervals);
        self.coalesced += other.coalesced;
    }

    /// The interval that this share of them does not exceed, in milliseconds.
    fn quantile(&self, share: f64) -> f64 {
        let at = ((self.intervals.len() - 1) as f64 * share).round() as usize;
        self.intervals[at] as f64 / 1000.0
    }
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let plan = if quick { QUICK } else { FULL };
    let (mut without, mut with) = (Seen::default(), Seen::default());
    for _ in 0..plan.turns {
        without.add(turn(&plan, false));
        with.add(turn(&plan, true));
    }
    without.intervals.sort_unstable();
    with.intervals.sort_unstable();
    report(&plan, &without, &with);
}

fn report(plan: &Plan, without: &Seen, with: &Seen) {
    println!(
        "Time between two frames at {} Hz, ms; {CLIENTS} clients, {} turns of {:?} each",
        Weather::TICK_HZ,
        plan.turns,
        plan.stall
    );
    println!(
        "{:<16}{:>10}{:>10}{:>10}{:>12}{:>12}",
        "", "p50", "p99", "p99.9", "intervals", "missed"
    );
    for (name, seen) in [("all read", without), ("1 in 10 stalls", with)] {
        println!(
            "{name:<16}{:>10.2}{:>10.2}{:>10.2}{:>12}{:>12}",
            seen.quantile(0.5),
            seen.quantile(0.99),
            seen.quantile(0.999),
            seen.intervals.len(),
            seen.coalesced
        );
    }
    let ratio = |share| with.quantile(share) / without.quantile(share);
    let (p50, p99, p999) = (ratio(0.5), ratio(0.99), ratio(0.999));
    println!("{:<16}{p50:>10.3}{p99:>10.3}{p999:>10.3}    target: p99 at most 1.1", "ratio");
}

/// A server of its own, and a crowd that plays on it.
fn turn(plan: &Plan, stalls: bool) -> Seen {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config { listen, workers: 1, drain: Duration::ZERO, ..Config::default() };
        let server = Server::builder().game::<Weather>().config(config).bind().await.unwrap();
        let (address, handle) = (server.addr(), server.handle());
        let (shutdown, stop) = oneshot::channel::<()>();
        let running = tokio::task::spawn_local(server.run_until(async { drop(stop.await) }));
        let begin = Rc::new(Barrier::new(CLIENTS));
        let mut players = Vec::new();
        for (at, token) in tokens(&handle).await.into_iter().enumerate() {
            let stalled = at % STALLED_EVERY == 0;
            let client = Client::join(address, &token, stalled).await.unwrap();
            let (begin, warm, stall) = (Rc::clone(&begin), plan.warm, plan.stall);
            players.push(tokio::task::spawn_local(async move {
                play(client, &begin, warm, stall, stalled, stalls).await
            }));
        }
        let mut seen = Seen::default();
        for player in players {
            seen.add(player.await.unwrap());
        }
        let _ = shutdown.send(());
        running.await.unwrap();
        seen
    })
}

/// A seat for each client.
async fn tokens(handle: &Handle) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..CLIENTS / SEATS {
        let room = handle.create_room(Weather::NAME, ().into(), false).await.unwrap();
        for _ in 0..SEATS {
            let wish = Wish { place: Place::Room(room), name: String::new() };
            tokens.push(handle.join(wish).await.unwrap().token);
        }
    }
    tokens
}

/// Plays until the stall is over. Who is of the tenth that may stall is not measured,
/// in either kind of turn.
async fn play(
    mut client: Client,
    begin: &Barrier,
    warm: Duration,
    stall: Duration,
    of_the_tenth: bool,
    stalls: bool,
) -> Seen {
    client.frame().await.unwrap();
    client.ack().await.unwrap();
    begin.wait().await;
    let mut seen = Seen::default();
    let begun = Instant::now();
    while begun.elapsed() < warm {
        client.frame().await.unwrap();
        client.ack().await.unwrap();
    }
    if of_the_tenth && stalls {
        tokio::time::sleep(stall).await;
        return seen;
    }
    let mut last = Instant::now();
    while begun.elapsed() < warm + stall {
        let by = client.frame().await.unwrap();
        client.ack().await.unwrap();
        let now = Instant::now();
        if !of_the_tenth {
            seen.intervals.push((now - last).as_micros() as u64);
            seen.coalesced += u64::from(by.unwrap_or(1).saturating_sub(1));
        }
        last = now;
    }
    seen
}
