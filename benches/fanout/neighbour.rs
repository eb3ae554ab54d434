//! A process beside the server, on its core, that has something to do once in a while: most
//! machines have some.

use std::fs;
use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::machine::{LOAD_CORE, SERVER_CORE, pin};

/// What it is busy for in each second, as a process that watches others may be.
pub(crate) const BUSY: Duration = Duration::from_millis(7);

/// It lives until this is dropped.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    pub(crate) fn start() -> io::Result<Neighbour> {
        let mut command = Command::new(std::env::current_exe()?);
        // A process begins where its parent is.
        pin(&[SERVER_CORE])?;
        let child = command.arg("neighbour").stdin(Stdio::piped()).spawn();
        pin(&[LOAD_CORE])?;
        Ok(Neighbour(child?))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it does until its parent ends.
pub(crate) fn live() -> io::Result<()> {
    thread::spawn(|| -> io::Result<()> {
        io::stdin().read_to_end(&mut Vec::new())?;
        std::process::exit(0);
    });
    loop {
        let before = used();
        while used() - before < BUSY {
            fs::read("/proc/self/smaps")?;
        }
        thread::sleep(Duration::from_secs(1) - BUSY);
    }
}

/// Processor time of this thread.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}
