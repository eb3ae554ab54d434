//! A connection in memory: delay, a bounded number of bytes on the way, a rest
//! that waits, loss.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use tickwire::room::{Link, Sent};
use tickwire_protocol::close::CloseReason;

/// Both ways of one connection. Times are in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) now: u64,
    pub(crate) delay: u64,
    /// How many bytes may be on the way to the client.
    pub(crate) window: usize,
    pub(crate) down: VecDeque<(u64, Vec<u8>)>,
    pub(crate) up: VecDeque<(u64, Vec<u8>)>,
    /// The message that the way has no place for yet.
    pub(crate) rest: Option<Vec<u8>>,
    /// How the server ended it.
    pub(crate) closed: Option<CloseReason>,
    /// Whether it is lost, for the server.
    pub(crate) cut: bool,
    pub(crate) frames_waiting_most: usize,
}

impl Wire {
    fn room_for(&self, bytes: usize) -> bool {
        let waiting: usize = self.down.iter().map(|(_, message)| message.len()).sum();
        self.down.is_empty() || waiting + bytes <= self.window
    }

    fn put(&mut self, message: Vec<u8>) {
        self.down.push_back((self.now + self.delay, message));
        let frames = self.down.iter().filter(|(_, message)| message[0] == 0).count();
        self.frames_waiting_most = self.frames_waiting_most.max(frames);
    }

    /// The next message that has arrived at the client.
    pub(crate) fn arrived(&mut self) -> Option<Vec<u8>> {
        let due = self.down.front().is_some_and(|(at, _)| *at <= self.now);
        due.then(|| self.down.pop_front().map(|(_, message)| message)).flatten()
    }

    /// Whether a rest has gone on its way now.
    pub(crate) fn drained(&mut self) -> bool {
        match self.rest.take() {
            Some(rest) if self.room_for(rest.len()) => {
                self.put(rest);
                true
            }
            other => {
                self.rest = other;
                false
            }
        }
    }

    /// Whether everything that the server sent has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.down.is_empty() && self.rest.is_none()
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct End(pub(crate) Rc<RefCell<Wire>>);

impl Link for End {
    fn send(&mut self, own: &[u8], shared: &[Bytes]) -> Sent {
        let mut wire = self.0.borrow_mut();
        assert!(wire.closed.is_none(), "nothing is sent after the close");
        assert!(wire.rest.is_none(), "one message at a time");
        if wire.cut {
            return Sent::Gone;
        }
        let mut message = own.to_vec();
        shared.iter().for_each(|part| message.extend_from_slice(part));
        if wire.room_for(message.len()) {
            wire.put(message);
            Sent::All
        } else {
            wire.rest = Some(message);
            Sent::Waits
        }
    }

    fn close(&mut self, reason: CloseReason, _: &str) {
        let mut wire = self.0.borrow_mut();
        assert!(wire.closed.is_none(), "closed once");
        wire.closed = Some(reason);
    }
}
