//! The thread that looks.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Collector, Step};

/// How often it looks while there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
        let thread = thread::Builder::new().name("heap".to_owned()).spawn(body)?;
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
    let mut pause = LOOK_EVERY;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        pause = match collector.step() {
            Ok(Step::Collapsed(range) | Step::Asked(range)) => {
                tracing::trace!(start = range.start, bytes = range.len(), "a huge page");
                BETWEEN
            }
            Ok(Step::Done) => LOOK_EVERY,
            Ok(Step::NoneFree) => {
                tracing::debug!("no huge page is free");
                RETRY_AFTER
            }
            Err(error) => {
                tracing::warn!(%error, "memory stays in small pages");
                return;
            }
        };
    }
}
