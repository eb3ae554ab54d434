//! The thread that looks.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Collector, Outcome, Range};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Ranges of a process that grows slowly wait for others, for so long: collecting them
/// disturbs it, and it is to be disturbed seldom. As many as this wait no longer.
const PATIENCE: Duration = Duration::from_secs(10);
const TOGETHER: usize = 4;

/// Between two ranges: a thread that touches one while it is collected waits, and is to have its
/// turn after that.
const BETWEEN: Duration = Duration::from_millis(20);

/// After the kernel had no huge page.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How much it stands back.
const NICER: i32 = 10;

/// A thread that collects until it is dropped.
#[derive(Debug)]
pub(crate) struct Thread {
    /// Both are taken when it ends.
    lives: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    pub(crate) fn start(collector: Collector) -> io::Result<Thread> {
        let (lives, ended) = mpsc::channel();
        let body = move || run(collector, &ended);
        let thread = thread::Builder::new().name("memory".to_owned()).spawn(body)?;
        Ok(Thread { lives: Some(lives), thread: Some(thread) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.lives.take();
        let ended = self.thread.take().map(JoinHandle::join);
        debug_assert!(!matches!(ended, Some(Err(_))), "the thread does not panic");
    }
}

fn run(mut collector: Collector, ended: &Receiver<()>) {
    // On Linux a thread has a niceness of its own. If there is no other core, whoever uses the
    // memory comes first.
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "the thread keeps its priority");
    }
    let mut since = None;
    let mut pause = LOOK_EVERY;
    while goes_on(ended, pause) {
        let waiting = match collector.waiting() {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::warn!(%error, "memory stays in small pages");
                return;
            }
        };
        pause = LOOK_EVERY;
        if waiting.is_empty() {
            since = None;
            continue;
        }
        let since_then = *since.get_or_insert_with(Instant::now);
        if waiting.len() >= TOGETHER || since_then.elapsed() >= PATIENCE {
            since = None;
            pause = collect(&mut collector, &waiting, ended);
        }
    }
}

/// Collects ranges, one after the other; how long to wait after that.
fn collect(collector: &mut Collector, ranges: &[Range], ended: &Receiver<()>) -> Duration {
    for range in ranges {
        match collector.collapse(range) {
            Ok(Outcome::NoneFree) => {
                tracing::debug!("no huge page is free");
                return RETRY_AFTER;
            }
            Ok(outcome) => tracing::trace!(start = range.start, ?outcome, "a range in use"),
            // The program may have given it back.
            Err(error) => tracing::debug!(start = range.start, %error, "a range is left"),
        }
        if !goes_on(ended, BETWEEN) {
            break;
        }
    }
    LOOK_EVERY
}

/// Waits; whether there is to be more.
fn goes_on(ended: &Receiver<()>, pause: Duration) -> bool {
    ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
}
