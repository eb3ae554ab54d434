//! The memory of a process in huge pages.
//!
//! A server touches a little of each client on every tick, so with thousands of
//! clients almost each touch is of a page whose address the processor has
//! forgotten; where the machine is a virtual one, finding it anew takes two tables
//! of pages. One huge page, of 2 MiB on most machines, holds what five hundred small
//! ones do and is remembered once.
//!
//! An allocator gets its memory in pieces that are smaller than that, and the kernel gives
//! huge pages by itself only for what is larger; what it collects later takes minutes. So
//! a thread looks at the memory four times a second and asks the kernel to collect what is mostly
//! in use: nothing moves as the program sees it. It works with any allocator, and
//! costs nothing in a process that does not grow.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Collector, Outcome, Range};

use std::io;
#[cfg(target_os = "linux")]
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Puts memory into huge pages while it, or a clone of it, lives.
#[derive(Clone, Debug)]
pub struct Keeper {
    #[cfg(target_os = "linux")]
    _thread: Arc<linux::Thread>,
}

/// Begins to put the memory of this process into huge pages: however many ask for it,
/// one thread does it. Nothing where the system has none, or its administrator wants none
/// to be used.
///
/// # Errors
/// If the system has no thread to give.
pub fn keep() -> io::Result<Option<Keeper>> {
    #[cfg(target_os = "linux")]
    {
        static THREAD: Mutex<Weak<linux::Thread>> = Mutex::new(Weak::new());
        let mut known = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = known.upgrade() {
            return Ok(Some(Keeper { _thread: thread }));
        }
        let Some(collector) = Collector::new() else { return Ok(None) };
        let thread = Arc::new(linux::Thread::start(collector)?);
        *known = Arc::downgrade(&thread);
        Ok(Some(Keeper { _thread: thread }))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(None)
}
