//! What waits for one client, and the connection that it waits for.
//!
//! ```text
//!   control    Welcome, replies, chat    FIFO, at most 256 messages   ┐
//!   pong       the newest ping's answer  one                          ├─► link, one message at a time
//!   state      "a frame is due"          one flag, never a delta      ┘
//!   reliable   events of the game        FIFO, bounded; they ride in frames
//! ```
//!
//! A frame is made at the moment when the link takes it, so nothing that waits
//! grows with the time that a client is behind.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ServerClock, ServerMessage};
use tickwire_protocol::{Tick, Time};

use super::credit::{CREDIT_MIN, Trail};
use super::rate::Limiter;
use super::replicate::View;
use super::{Link, Sent};

/// Control messages that wait for one client. At the limit the connection ends
/// as too slow.
pub(super) const CONTROL_MESSAGES_MAX: usize = 256;
/// Their bytes. At the limit the connection ends as too slow; the first message
/// always fits.
pub(super) const CONTROL_BYTES_MAX: usize = 256 * 1024;
/// Reliable events of one seat that are not known to have arrived; their bytes
/// are limited by [`RoomConfig`](super::RoomConfig). At the limit the connection
/// ends as too slow, and the events go.
pub(super) const RELIABLE_EVENTS_MAX: usize = 1024;

/// Why a connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    /// The link said so.
    Gone,
    /// The room decides so.
    Because(CloseReason),
}

/// One connection of a seat.
pub(super) struct Client {
    link: Box<dyn Link>,
    /// Since when the link holds the rest of a message, if it does.
    busy_since: Option<Time>,
    control: VecDeque<Bytes>,
    control_bytes: usize,
    /// The stamp of the newest ping that has no answer.
    pong: Option<u64>,
    /// The state slot: whether a frame is due that was not sent.
    pub(super) owed: bool,
    /// Whether the next frame has to bring everything.
    pub(super) whole: bool,
    /// A frame every so many of the room's.
    pub(super) pace: u8,
    /// The shortest round trip of this connection, or zero as long as it is not
    /// known. Not a window's: in a window a queue of the client's own making
    /// would pass for distance, and be granted more.
    min_rtt: Option<Duration>,
    /// What the frames of this connection have shown.
    pub(super) view: View,
    /// The tick of this connection's last frame.
    pub(super) frame: Option<Tick>,
    /// Whether anything came after Hello.
    pub(super) heard: bool,
    pub(super) refreshed: Option<Time>,
    pub(super) limits: Limits,
}

/// How often one connection may say anything.
pub(super) struct Limits {
    pub(super) messages: Limiter,
    /// What is taken from once `messages` is exhausted: then the connection ends.
    pub(super) patience: Limiter,
}

impl Client {
    pub(super) fn new(link: Box<dyn Link>, view: View, limits: Limits) -> Client {
        Client {
            link,
            busy_since: None,
            control: VecDeque::new(),
            control_bytes: 0,
            pong: None,
            owed: false,
            whole: false,
            pace: 1,
            min_rtt: None,
            view,
            frame: None,
            heard: false,
            refreshed: None,
            limits,
        }
    }

    /// Queues a control message.
    pub(super) fn tell(&mut self, message: Bytes) -> Result<(), Over> {
        let full = self.control.len() >= CONTROL_MESSAGES_MAX
            || self.control_bytes + message.len() > CONTROL_BYTES_MAX;
        if full && !self.control.is_empty() {
            return Err(Over::Because(CloseReason::TooSlow));
        }
        self.control_bytes += message.len();
        self.control.push_back(message);
        Ok(())
    }

    /// Answers a ping when the link can take it; a later ping takes its place.
    pub(super) fn pong(&mut self, stamp: u64) {
        self.pong = Some(stamp);
    }

    /// Sends what waits before a frame, as far as the link takes it.
    pub(super) fn flush(
        &mut self,
        clock: ServerClock,
        now: Time,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Over> {
        while self.says() && self.busy_since.is_none() {
            if let Some(message) = self.control.pop_front() {
                self.control_bytes -= message.len();
                self.send(&[], std::slice::from_ref(&message), now)?;
            } else if let Some(stamp) = self.pong.take() {
                scratch.clear();
                ServerMessage::Pong { stamp, clock }.write(scratch);
                self.send(scratch, &[], now)?;
            }
        }
        Ok(())
    }

    /// Whether it is due a frame, by now or with a tick that is one of the room's `sends`.
    pub(super) fn owes(&mut self, sends: Option<u32>) -> bool {
        // A new client need not wait for the room's next send, but for a step:
        // its ticks must be later than those of the connection before.
        self.owed |= self.frame.is_none()
            || sends.is_some_and(|sends| sends.is_multiple_of(self.pace.into()));
        self.owed
    }

    /// Whether anything is to go, as soon as that is possible.
    pub(super) fn waits(&self) -> bool {
        self.owed || self.says()
    }

    /// Whether anything is to go before a frame.
    fn says(&self) -> bool {
        self.pong.is_some() || !self.control.is_empty()
    }

    /// Whether nothing is to go before a frame.
    pub(super) fn is_clear(&self) -> bool {
        self.busy_since.is_none() && self.control.is_empty()
    }

    /// Whether the client has so few frames on the way that it may get another. The
    /// room's are `interval` apart.
    pub(super) fn has_credit(&self, trail: &Trail, interval: Duration) -> bool {
        trail.unacked() < CREDIT_MIN
            || trail.has_credit(self.min_rtt.unwrap_or_default(), interval * u32::from(self.pace))
    }

    /// A round trip took `rtt`.
    pub(super) fn measured(&mut self, rtt: Duration) {
        self.min_rtt = Some(self.min_rtt.map_or(rtt, |least| least.min(rtt)));
    }

    /// Hands a message to the link, which is clear.
    pub(super) fn send(&mut self, own: &[u8], shared: &[Bytes], now: Time) -> Result<(), Over> {
        match self.link.send(own, shared) {
            Sent::All => Ok(()),
            Sent::Waits => {
                self.busy_since = Some(now);
                Ok(())
            }
            Sent::Gone => Err(Over::Gone),
        }
    }

    /// The next frame comes soon.
    pub(super) fn warm(&self, trail: &Trail) {
        self.link.warm();
        self.view.warm();
        black_box(trail.oldest_unacked());
    }

    /// The link has taken the rest.
    pub(super) fn writable(&mut self) {
        self.busy_since = None;
    }

    /// Whether nothing has gone forward since before `moved_since`: the link does not
    /// move, or the oldest frame on the way is that old.
    pub(super) fn is_stale(&self, trail: &Trail, moved_since: Time) -> bool {
        let waits = [self.busy_since, trail.oldest_unacked()];
        waits.into_iter().flatten().any(|since| since < moved_since)
    }

    /// Ends the connection. The reason goes in a Bye where the link can take it,
    /// and in any case with the close.
    pub(super) fn close(&mut self, reason: CloseReason, retry_after: Duration) {
        if self.busy_since.is_none() {
            let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
            let mut bye = Vec::new();
            ServerMessage::Bye { reason, text: reason.text(), retry_after_ms }.write(&mut bye);
            self.link.send(&bye, &[]);
        }
        self.link.close(reason, reason.text());
    }
}

/// Reliable events of a seat, oldest first, until the client is known to have them.
///
/// They ride in frames. What rode in a frame that was applied has arrived; when a
/// new connection goes on from an applied tick, all that rode later goes again.
/// So each arrives once, as long as connections go on. One that starts from the
/// whole state starts without events.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    events: VecDeque<Held>,
    /// How many of them are in a frame that is on the way.
    sent: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    bytes: Bytes,
    /// The tick of the frame that it went with.
    carrier: Tick,
}

impl Reliable {
    /// Adds an event; `false` if there is no place.
    pub(super) fn push(&mut self, bytes: Bytes, bytes_max: usize) -> bool {
        if self.events.len() >= RELIABLE_EVENTS_MAX || self.bytes + bytes.len() > bytes_max {
            return false;
        }
        self.bytes += bytes.len();
        self.events.push_back(Held { bytes, carrier: Tick(0) });
        true
    }

    /// Those that are in no frame.
    pub(super) fn unsent(&self) -> impl Iterator<Item = &Bytes> {
        self.events.range(self.sent..).map(|held| &held.bytes)
    }

    /// The next `count` of them went with the frame of `carrier`.
    pub(super) fn commit(&mut self, count: usize, carrier: Tick) {
        if count == 0 {
            return;
        }
        for held in self.events.range_mut(self.sent..self.sent + count) {
            held.carrier = carrier;
        }
        self.sent += count;
    }

    /// The client has applied the frame of `tick`.
    pub(super) fn applied(&mut self, tick: Tick) {
        while self.sent > 0 && self.events.front().is_some_and(|held| held.carrier <= tick) {
            self.sent -= 1;
            self.bytes -= self.events.pop_front().map_or(0, |held| held.bytes.len());
        }
    }

    /// A connection goes on from `tick`.
    pub(super) fn resume(&mut self, tick: Tick) {
        self.applied(tick);
        self.sent = 0;
    }

    /// A connection starts from the whole state.
    pub(super) fn clear(&mut self) {
        *self = Reliable::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u8) -> Bytes {
        Bytes::copy_from_slice(&[n; 10])
    }

    fn unsent(reliable: &Reliable) -> Vec<u8> {
        reliable.unsent().map(|bytes| bytes[0]).collect()
    }

    #[test]
    fn an_event_stays_until_its_frame_is_applied() {
        let mut reliable = Reliable::default();
        (0..5).for_each(|n| assert!(reliable.push(event(n), 100)));
        reliable.commit(2, Tick(7));
        reliable.commit(1, Tick(8));
        assert_eq!(unsent(&reliable), [3, 4]);
        reliable.applied(Tick(7));
        assert_eq!((reliable.events.len(), reliable.bytes), (3, 30));
        reliable.resume(Tick(7));
        assert_eq!(unsent(&reliable), [2, 3, 4], "what the lost frame carried goes again");
        reliable.applied(Tick(100));
        assert_eq!(unsent(&reliable), [2, 3, 4], "what was not sent cannot have arrived");
    }

    #[test]
    fn bytes_and_events_are_bounded() {
        let mut reliable = Reliable::default();
        assert_eq!((0..99).filter(|&n| reliable.push(event(n), 45)).count(), 4);
        reliable.clear();
        let none = || Bytes::from_static(&[0]);
        let count = (0..9999).filter(|_| reliable.push(none(), usize::MAX)).count();
        assert_eq!(count, RELIABLE_EVENTS_MAX);
    }
}
