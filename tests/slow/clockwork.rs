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
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Turns that tasks get after the clock was turned: the worker takes its step in the
/// first, and what follows from it in those after it.
const TURNS_AFTER_STEPS: usize = 4;

/// What the clients' thread asks of the server's.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Wanted {
    /// Steps since the beginning.
    steps: u32,
    /// The clock stands still for as long as the newest of them take, and then goes on at once.
    late: bool,
    /// Parts of the test that are over.
    parts: usize,
    /// Nothing is done between two steps.
    in_lock_step: bool,
}

/// A server on its own thread, whose clock is turned by hand.
pub(crate) struct Clockwork {
    wanted: watch::Sender<Wanted>,
    /// Tells that what was wanted is done: the end of a part, and in lock step all.
    done: mpsc::Receiver<()>,
    in_lock_step: bool,
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
        // With a place for what it tells, so that telling allocates nothing.
        let (tell, done) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || serve::<G>(parts, rooms, seats, turn, &ready, &tell));
        let (address, tokens) = started.recv().unwrap();
        Clockwork { wanted, done, in_lock_step: false, address, tokens, thread }
    }

    pub(crate) fn step(&self) {
        self.want(
            |wanted| (wanted.steps, wanted.late) = (wanted.steps + 1, false),
            self.in_lock_step,
        );
    }

    /// The worker gets to its steps when so many are due.
    #[allow(dead_code, reason = "elsewhere it is on time")]
    pub(crate) fn step_late(&self, due: u32) {
        self.want(
            |wanted| (wanted.steps, wanted.late) = (wanted.steps + due, true),
            self.in_lock_step,
        );
    }

    /// Ends a part, with the steps that were wanted in it.
    pub(crate) fn part_is_over(&self) {
        self.want(|wanted| wanted.parts += 1, true);
    }

    /// From now on the server sleeps between two steps, whatever comes: it finds all that
    /// was sent before a step at once, so that what it does is the same in each run.
    #[allow(dead_code, reason = "where clients stop reading, others are read at any time")]
    pub(crate) fn in_lock_step(&mut self) {
        self.in_lock_step = true;
        self.want(|wanted| wanted.in_lock_step = true, true);
    }

    fn want(&self, change: impl FnOnce(&mut Wanted), wait: bool) {
        self.wanted.send_modify(change);
        self.thread.thread().unpark();
        if wait {
            self.done.recv().unwrap();
        }
    }
}

/// The server's thread.
fn serve<G: Game>(
    parts: usize,
    rooms: usize,
    seats: usize,
    mut turn: watch::Receiver<Wanted>,
    ready: &mpsc::Sender<(SocketAddr, Vec<String>)>,
    tell: &mpsc::SyncSender<()>,
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
        .map(|part| {
            name_thread(&format!("part-{part}"));
            let conductor =
                Conductor { runtime: &runtime, set: &set, tick_hz: G::TICK_HZ, tell, part };
            let info = measure(|| conduct(&conductor, &mut turn, &mut done));
            name_thread("between");
            info
        })
        .collect();
    // Nobody waits where the test has failed.
    let _ = tell.send(());
    drop(release);
    measured
}

/// Who traces the thread's system calls sees by its name which part is under way.
fn name_thread(name: &str) {
    #[cfg(target_os = "linux")]
    rustix::thread::set_name(&std::ffi::CString::new(name).unwrap()).unwrap();
    #[cfg(not(target_os = "linux"))]
    let _ = name;
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

/// What it takes to turn the clock in one part.
struct Conductor<'a> {
    runtime: &'a Runtime,
    set: &'a LocalSet,
    tick_hz: u32,
    tell: &'a mpsc::SyncSender<()>,
    part: usize,
}

/// Turns the clock as far as it is wanted, until the part is over. Profilers find the
/// parts by this function.
#[inline(never)]
fn conduct(it: &Conductor<'_>, turn: &mut watch::Receiver<Wanted>, done: &mut u32) {
    it.runtime.block_on(it.set.run_until(async {
        // That the part before is over.
        let mut tells = it.part > 1;
        loop {
            let wanted = *turn.borrow_and_update();
            let period = Duration::from_secs(1) / it.tick_hz;
            if wanted.late {
                tokio::time::advance(period * (wanted.steps - *done)).await;
                *done = wanted.steps;
            }
            while *done < wanted.steps {
                *done += 1;
                // In quarters: rooms are due at different times, and none is late.
                for _ in 0..4 {
                    tokio::time::advance(period / 4).await;
                }
            }
            for _ in 0..TURNS_AFTER_STEPS {
                yield_now().await;
            }
            if wanted.parts >= it.part || tells && it.tell.send(()).is_err() {
                return;
            }
            let more = match wanted.in_lock_step {
                true => parked_until_changed(turn),
                false => turn.changed().await.is_ok(),
            };
            if !more {
                return;
            }
            tells = turn.borrow().in_lock_step;
        }
    }));
}

/// Holds the whole thread up until something is wanted; whether anything ever will be.
fn parked_until_changed(turn: &watch::Receiver<Wanted>) -> bool {
    loop {
        match turn.has_changed() {
            Ok(false) => thread::park(),
            changed => return changed.is_ok(),
        }
    }
}
