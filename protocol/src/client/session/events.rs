//! What a session has to tell its application.

use std::collections::VecDeque;

use super::{Cause, CommandId, SessionError, Then};
use crate::limits::{EVENTS_PER_FRAME_MAX, SERVER_MESSAGE_BYTES_MAX};
use crate::message::{Chat, Refusal};
use crate::time::Tick;

/// Events that wait to be polled. Beyond it (or beyond [`EVENTS_BYTES_MAX`])
/// chat and transient events of the game are dropped and counted, and anything
/// else ends the session: see [`SessionError::Backlog`](super::SessionError::Backlog).
/// One message never brings that many, so who polls after each never meets the limit.
pub const EVENTS_MAX: usize = 4096;
/// Bytes of the bodies of events that wait to be polled.
pub const EVENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = {
    assert!(EVENTS_MAX >= EVENTS_PER_FRAME_MAX + super::COMMANDS_MAX + 8);
    assert!(EVENTS_BYTES_MAX >= 2 * SERVER_MESSAGE_BYTES_MAX);
};

/// What happened. `E` and `R` are the bodies of events and replies: bytes in
/// the server's schema, or the user's types from a [`TypedSession`](super::TypedSession).
#[derive(Clone, PartialEq, Debug)]
pub enum SessionEvent<'a, E = &'a [u8], R = &'a [u8]> {
    /// Open a WebSocket to this address. When it is open, call
    /// [`Session::handle_open`](super::Session::handle_open), if it cannot be opened,
    /// [`Session::handle_lost`](super::Session::handle_lost).
    Connect {
        /// The one that the session was made for, or where the server sent it: who
        /// does not trust the server's word on that checks it here.
        address: &'a str,
    },
    /// The server let this client into the room.
    Joined {
        /// The number of its seat, known to all in the room.
        player: u32,
        /// Whether the state goes on from where it was. If not, the next frame
        /// brings all of it.
        resumed: bool,
    },
    /// The state is now that of another tick.
    Frame {
        /// Which.
        tick: Tick,
        /// How many frames were applied since the last such event was polled. If
        /// more than one, [`Mirror::changes`](crate::client::mirror::Mirror::changes)
        /// tells of the last only.
        merged: u32,
    },
    /// A one-off message of the game. It follows the event of the frame that
    /// brought it, so the state is already that of its tick, or later.
    Event {
        /// The tick that it happened in.
        tick: Tick,
        /// Whether it would have waited for a client that fell behind.
        reliable: bool,
        /// The event itself.
        body: E,
    },
    /// What became of a command: exactly one for each.
    Reply {
        /// Which command.
        id: CommandId,
        /// The reply, or why there is none.
        outcome: Result<R, NoReply<'a>>,
    },
    /// A line of chat.
    Chat(Chat<'a>),
    /// The connection is over: close the socket, if it is still open, with
    /// [`Cause::close_code`], and hand over nothing more of it.
    Closed {
        /// Why.
        cause: Cause,
        /// What follows.
        then: Then,
    },
}

/// Why a command has no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoReply<'a> {
    /// It was not carried out, and this is why.
    Refused(Refusal<'a>),
    /// No answer came in time; it may have been carried out all the same.
    TimedOut,
    /// The connection ended first; it may have been carried out all the same.
    ConnectionLost,
    /// It was carried out; the reply is one that this version of the client does not know.
    Unknown,
}

/// Where a body is in [`EventQueue::bytes`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Counted from the first byte that the queue ever held.
    start: u64,
    len: usize,
}

/// An event whose bodies are in the queue's bytes.
#[derive(Clone, Debug)]
pub(super) enum Queued {
    Connect { address: Span },
    Joined { player: u32, resumed: bool },
    Frame { tick: Tick, merged: u32 },
    Event { tick: Tick, reliable: bool, body: Span },
    Reply { id: CommandId, body: Span },
    Refused { id: CommandId, code: u16, text: Span },
    TimedOut { id: CommandId },
    ConnectionLost { id: CommandId },
    Chat { player: u32, name: Span, tick: Tick, text: Span },
    Closed { cause: Cause, then: Then },
}

/// A bounded queue of events. Their bodies lie in one buffer, which is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    queue: VecDeque<Queued>,
    /// Events ever polled: the number of the first in `queue`.
    polled: u64,
    /// The number of the frame event that is not polled yet, if there is one.
    frame: Option<u64>,
    bytes: Vec<u8>,
    /// The position of the first of `bytes`, as spans count.
    origin: u64,
    /// Where the bodies of polled events end.
    used: u64,
    /// Whether an event that must not be dropped had no place: then the last
    /// event says so, and none follows it.
    overflowed: bool,
}

impl EventQueue {
    /// Whether another event fits.
    pub(super) fn has_place(&self, bytes: usize) -> bool {
        self.queue.len() < EVENTS_MAX && self.bytes.len() + bytes <= EVENTS_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Keeps a body.
    pub(super) fn keep(&mut self, body: &[u8]) -> Span {
        let start = self.origin + self.bytes.len() as u64;
        self.bytes.extend_from_slice(body);
        Span { start, len: body.len() }
    }

    /// Adds an event that must not be dropped; `false` if the session is over,
    /// because there is no place for it.
    pub(super) fn push(&mut self, event: Queued) -> bool {
        if self.overflowed {
            return false;
        }
        self.overflowed = !self.has_place(0);
        self.queue.push_back(match self.overflowed {
            false => event,
            true => Queued::Closed { cause: Cause::Error(SessionError::Backlog), then: Then::End },
        });
        !self.overflowed
    }

    /// Whether an event that must not be dropped had no place.
    pub(super) fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// A session that is over begins anew; `false` while its last events are unread.
    pub(super) fn reopen(&mut self) -> bool {
        self.overflowed &= !self.queue.is_empty();
        !self.overflowed
    }

    /// A frame was applied: one event stands for all that are not polled yet.
    pub(super) fn frame(&mut self, tick: Tick) -> bool {
        let place = self.frame.map(|number| (number - self.polled) as usize);
        match place.and_then(|place| self.queue.get_mut(place)) {
            Some(Queued::Frame { tick: latest, merged }) => {
                *latest = tick;
                *merged = merged.saturating_add(1);
                true
            }
            _ => {
                self.frame = Some(self.polled + self.queue.len() as u64);
                self.push(Queued::Frame { tick, merged: 1 })
            }
        }
    }

    /// A new connection's frames have an event of their own.
    pub(super) fn new_connection(&mut self) {
        self.frame = None;
    }

    /// Makes room: what belongs to polled events goes once it is the larger part.
    pub(super) fn tidy(&mut self) {
        if self.queue.is_empty() {
            self.used = self.origin + self.bytes.len() as u64;
        }
        let used = (self.used - self.origin) as usize;
        if used > self.bytes.len() / 2 {
            self.bytes.drain(..used);
            self.origin = self.used;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let event = self.queue.pop_front()?;
        if self.frame == Some(self.polled) {
            self.frame = None;
        }
        self.polled += 1;
        if let Some(last) = event.last_span() {
            self.used = last.start + last.len as u64;
        }
        Some(event)
    }

    /// The body of an event that was polled last.
    pub(super) fn body(&self, span: Span) -> &[u8] {
        // A span of the event that was polled last is there until the next message.
        let start = span.start.wrapping_sub(self.origin) as usize;
        self.bytes.get(start..start.wrapping_add(span.len)).unwrap_or_default()
    }

    fn text(&self, span: Span) -> &str {
        // Only text is kept under such a span.
        core::str::from_utf8(self.body(span)).unwrap_or_default()
    }

    /// The event as an application gets it. `event` and `reply` are asked for
    /// the bodies of those two.
    pub(super) fn show<'a, E, R>(
        &'a self,
        queued: Queued,
        event: impl FnOnce(&'a [u8]) -> E,
        reply: impl FnOnce(&'a [u8]) -> Result<R, NoReply<'a>>,
    ) -> SessionEvent<'a, E, R> {
        let refused = |code, text| NoReply::Refused(Refusal { code, text: self.text(text) });
        match queued {
            Queued::Connect { address } => SessionEvent::Connect { address: self.text(address) },
            Queued::Joined { player, resumed } => SessionEvent::Joined { player, resumed },
            Queued::Frame { tick, merged } => SessionEvent::Frame { tick, merged },
            Queued::Event { tick, reliable, body } => {
                SessionEvent::Event { tick, reliable, body: event(self.body(body)) }
            }
            Queued::Reply { id, body } => {
                SessionEvent::Reply { id, outcome: reply(self.body(body)) }
            }
            Queued::Refused { id, code, text } => {
                SessionEvent::Reply { id, outcome: Err(refused(code, text)) }
            }
            Queued::TimedOut { id } => SessionEvent::Reply { id, outcome: Err(NoReply::TimedOut) },
            Queued::ConnectionLost { id } => {
                SessionEvent::Reply { id, outcome: Err(NoReply::ConnectionLost) }
            }
            Queued::Chat { player, name, tick, text } => {
                let (name, text) = (self.text(name), self.text(text));
                SessionEvent::Chat(Chat { player, name, tick, text })
            }
            Queued::Closed { cause, then } => SessionEvent::Closed { cause, then },
        }
    }
}

impl Queued {
    /// The last body that the event has; spans ascend in the queue.
    fn last_span(&self) -> Option<Span> {
        match *self {
            Queued::Connect { address: last }
            | Queued::Event { body: last, .. }
            | Queued::Reply { body: last, .. }
            | Queued::Refused { text: last, .. }
            | Queued::Chat { text: last, .. } => Some(last),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(queue: &mut EventQueue, text: &str) {
        queue.tidy();
        let (name, text) = (queue.keep(b"Ada"), queue.keep(text.as_bytes()));
        assert!(queue.push(Queued::Chat { player: 1, name, tick: Tick(0), text }));
    }

    fn poll(queue: &mut EventQueue) -> Option<String> {
        let queued = queue.pop()?;
        match queue.show(queued, |body| body, Ok) {
            SessionEvent::Chat(chat) => Some(format!("{}: {}", chat.name, chat.text)),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn bodies_stay_right_and_memory_bounded_while_the_queue_never_runs_empty() {
        let mut queue = EventQueue::default();
        chat(&mut queue, "0");
        for n in 1..10_000 {
            chat(&mut queue, &n.to_string());
            assert_eq!(poll(&mut queue), Some(format!("Ada: {}", n - 1)));
        }
        assert!(queue.bytes.len() < 100);
        assert_eq!(poll(&mut queue), Some("Ada: 9999".into()));
        assert_eq!(poll(&mut queue), None);
    }

    #[test]
    fn an_event_too_many_is_the_last() {
        let mut queue = EventQueue::default();
        let event = || Queued::TimedOut { id: CommandId(1) };
        (0..EVENTS_MAX).for_each(|_| assert!(queue.push(event())));
        assert!(!queue.push(event()) && !queue.push(event()) && !queue.reopen());
        (0..EVENTS_MAX).for_each(|_| assert!(matches!(queue.pop(), Some(Queued::TimedOut { .. }))));
        assert!(matches!(queue.pop(), Some(Queued::Closed { then: Then::End, .. })));
        assert!(queue.pop().is_none() && !queue.push(event()));
        assert!(queue.reopen() && queue.push(event()));
    }

    #[test]
    fn frames_that_nobody_polled_share_an_event() {
        let mut queue = EventQueue::default();
        chat(&mut queue, "a");
        assert!(queue.frame(Tick(4)));
        chat(&mut queue, "b");
        assert!(queue.frame(Tick(5)));
        assert!(queue.frame(Tick(6)));
        poll(&mut queue);
        assert!(matches!(queue.pop(), Some(Queued::Frame { tick: Tick(6), merged: 3 })));
        assert!(queue.frame(Tick(7)));
        poll(&mut queue);
        assert!(matches!(queue.pop(), Some(Queued::Frame { tick: Tick(7), merged: 1 })));
        assert!(queue.frame(Tick(8)));
        queue.new_connection();
        assert!(queue.frame(Tick(1)));
        assert!(matches!(queue.pop(), Some(Queued::Frame { tick: Tick(8), merged: 1 })));
        assert!(matches!(queue.pop(), Some(Queued::Frame { tick: Tick(1), merged: 1 })));
    }
}
