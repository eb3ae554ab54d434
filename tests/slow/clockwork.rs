//! A server on a thread of its own, whose clock is turned by hand.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use tickwire::config::Config;
use tickwire::game::Game;
use tickwire::net;
use tickwire::server::{Handle, Place, Server, Wish};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

/// What the clients' thread asks of the server's.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Wanted {
    /// Steps since the beginning.
    steps: u32,
    /// Parts of the test that are over.
    parts: usize,
}

/// A server on its own thread, whose clock is turned by hand.
pub(crate) struct Clockwork {
    wanted: watch::Sender<Wanted>,
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Vec<String>,
    /// Ends with what the thread allocated in each part.
    pub(crate) thread: JoinHandle<Vec<AllocationInfo>>,
}

impl Clockwork {
    /// A server of a game, with seats in some rooms.
    pub(crate) fn start<G: Game>(parts: usize, rooms: usize, seats: usize) -> Clockwork {
        let (wanted, turn) = watch::channel(Wanted::default());
        let (ready, started) = mpsc::channel();
        let thread = thread::spawn(move || serve::<G>(parts, rooms, seats, turn, &ready));
        let (address, tokens) = started.recv().unwrap();
        Clockwork { wanted, address, tokens, thread }
    }

    pub(crate) fn step(&self) {
        self.wanted.send_modify(|wanted| wanted.steps += 1);
    }

    pub(crate) fn part_is_over(&self) {
        self.wanted.send_modify(|wanted| wanted.parts += 1);
    }
}

/// The server's thread.
fn serve<G: Game>(
    parts: usize,
    rooms: usize,
    seats: usize,
    mut turn: watch::Receiver<Wanted>,
    ready: &mpsc::Sender<(SocketAddr, Vec<String>)>,
) -> Vec<AllocationInfo> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let set = LocalSet::new();
    // As long as it waits, the clock does not go by itself.
    let (release, held) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || held.recv());
    runtime.block_on(set.run_until(async {
        let config = Config { workers: 1, ..Config::default() };
        let local = Server::builder().game::<G>().config(config).local().unwrap();
        let handle = local.handle();
        spawn_local(local.run_until(std::future::pending()));
        let listener = net::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let tokens = tokens::<G>(&handle, rooms, seats).await;
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                net::accepted(&stream).unwrap();
                let handle = handle.clone();
                tokio::spawn(async move { handle.serve(stream).await });
            }
        });
        ready.send((address, tokens)).unwrap();
    }));
    let mut done = 0;
    let measured = (1..=parts)
        .map(|part| measure(|| conduct(&runtime, G::TICK_HZ, &set, &mut turn, &mut done, part)))
        .collect();
    drop(release);
    measured
}

/// A seat for each client.
async fn tokens<G: Game>(handle: &Handle, rooms: usize, seats: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..rooms {
        let room = handle.create_room(G::NAME, serde_json::Value::Null, false).await.unwrap();
        for _ in 0..seats {
            let wish = Wish { place: Place::Room(room), name: String::new() };
            tokens.push(handle.join(wish).await.unwrap().token);
        }
    }
    tokens
}

/// Turns the clock as far as it is wanted, until a part is over.
fn conduct(
    runtime: &Runtime,
    tick_hz: u32,
    set: &LocalSet,
    turn: &mut watch::Receiver<Wanted>,
    done: &mut u32,
    part: usize,
) {
    runtime.block_on(set.run_until(async {
        loop {
            let wanted = *turn.borrow_and_update();
            while *done < wanted.steps {
                *done += 1;
                // In quarters: rooms are due at different times, and none is late.
                for _ in 0..4 {
                    tokio::time::advance(Duration::from_secs(1) / tick_hz / 4).await;
                }
            }
            if wanted.parts >= part || turn.changed().await.is_err() {
                return;
            }
        }
    }));
}
