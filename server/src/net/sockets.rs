//! The sockets of one worker, in one set of their own.
//!
//! Tokio would wake the thread, and a task, for each input that arrives. A room
//! needs them once: right before its step. So on Linux a worker keeps its sockets
//! in an epoll set that it looks at when a step is due, and hands each that has
//! something to its owner, without a task in between. While nothing is due, a
//! *bell* tells that something has come; it rings at most once between two looks.
//!
//! Sockets of one room may have a set of their own within that one, a [`Group`]. It can be left
//! out of the look and be read right before something is written to the same sockets:
//! what the kernel knows of a socket is more than 2 KiB, and is then in the processor's cache for
//! both.
//!
//! Streams that are no plain sockets (TLS, simulations) stay with Tokio.

#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
mod set;

#[cfg(target_os = "linux")]
pub use direct::{Direct, DirectRead, DirectWrite};
#[cfg(target_os = "linux")]
pub use set::{Group, Sockets};

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::rc::Rc;

use tickwire_protocol::Time;

/// A socket's place in its set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketKey {
    index: u32,
    /// Places are used again.
    generation: u32,
}

/// Who is told that a socket has something to read, or takes again what waits.
pub(crate) trait Ready {
    /// It will be told soon: brings what it needs into the processor's cache.
    fn warm(&self);

    /// Reads and writes it.
    fn ready(self: Rc<Self>, now: Time);
}

/// No set: every stream stays with Tokio.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug, Default)]
pub struct Sockets;

#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub struct Group;

#[cfg(not(target_os = "linux"))]
impl Sockets {
    pub(crate) fn group(&self) -> std::io::Result<Rc<Group>> {
        Ok(Rc::new(Group))
    }

    pub(crate) fn own(&self, _: SocketKey, _: Rc<dyn Ready>, _: Option<Rc<Group>>) {}

    pub(crate) fn look(&self, _: impl Fn() -> Time) -> bool {
        false
    }

    pub(crate) fn read(&self, _: &Group, _: impl Fn() -> Time) {}

    pub(crate) fn look_at_groups(&self, _: bool) {}

    pub(crate) fn ring_always(&self) {}

    pub(crate) fn busy(&self) -> bool {
        false
    }

    pub(crate) async fn listen(&self, _: impl Fn() -> Time) {
        std::future::pending().await
    }
}
