//! When to tell the server which tick was applied.
//!
//! The server keeps only a few frames on the way to a client ([`CREDIT_MAX`](crate::limits::CREDIT_MAX)),
//! and an acknowledgement is what lets the next one go. Any Input message
//! carries one, so a client that plays sends none of its own.

use core::time::Duration;

use crate::time::Time;

/// An applied frame is acknowledged at the latest this much later.
pub const ACK_INTERVAL: Duration = Duration::from_millis(100);

/// Whoever holds an input says something at the latest this long after they did last,
/// also where few frames come: the server takes the hands of a silent player off the
/// controls.
pub const HELD_INTERVAL: Duration = Duration::from_millis(200);

/// What is applied and not acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks {
    /// When the oldest unacknowledged frame must be acknowledged; none if there is none.
    due: Option<Time>,
    /// Whether that time has come: only sending helps now.
    ready: bool,
    /// When the last frame of this connection came.
    arrived: Option<Time>,
}

/// How a frame came, compared to what the room announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// How many ticks it goes ahead; none for a whole state.
    pub(super) ahead: Option<u32>,
    /// How many it would if it came alone.
    pub(super) ahead_expected: u32,
    /// How long after the one before it would come.
    pub(super) gap_expected: Duration,
}

impl Acks {
    /// A frame was applied at `now`.
    ///
    /// One that came late, or for several, or brought everything, shows that
    /// the way is full: then the server waits for nothing but this.
    pub(super) fn applied(&mut self, now: Time, arrival: Arrival) {
        let merged = arrival.ahead.is_none_or(|ahead| ahead > arrival.ahead_expected);
        let gap = self.arrived.map(|before| now.since(before));
        let late = gap.is_some_and(|gap| gap > arrival.gap_expected * 3 / 2);
        self.arrived = Some(now);
        let due = if merged || late { now } else { now + ACK_INTERVAL };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.check(now);
    }

    /// Time has passed.
    pub(super) fn check(&mut self, now: Time) {
        self.ready |= self.due.is_some_and(|due| due <= now);
    }

    /// Whether an acknowledgement is to be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// When there will be one to send.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.filter(|_| !self.ready)
    }

    /// All that was applied is acknowledged at `now`; whether an input is held.
    pub(super) fn sent(&mut self, holds: bool, now: Time) {
        (self.due, self.ready) = (holds.then_some(now + HELD_INTERVAL), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Arrival =
        Arrival { ahead: Some(2), ahead_expected: 2, gap_expected: Duration::from_millis(40) };

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_frame_in_time_is_acknowledged_within_the_interval_of_the_oldest() {
        let mut acks = Acks::default();
        for ms in [0, 40, 80] {
            acks.applied(at(ms), SOON);
            assert_eq!(acks.deadline(), Some(at(100)));
        }
        acks.check(at(99));
        assert!(!acks.is_ready());
        acks.check(at(100));
        assert!(acks.is_ready() && acks.deadline().is_none());
        acks.sent(false, at(100));
        acks.applied(at(120), SOON);
        assert_eq!((acks.is_ready(), acks.deadline()), (false, Some(at(220))));
    }

    #[test]
    fn a_late_a_merged_and_a_whole_frame_are_acknowledged_at_once() {
        let mut acks = Acks::default();
        acks.applied(at(0), SOON);
        acks.applied(at(60), SOON);
        assert!(!acks.is_ready(), "one and a half intervals are in time");
        acks.applied(at(121), SOON);
        assert!(acks.is_ready(), "late");
        acks.sent(false, at(121));
        acks.applied(at(160), Arrival { ahead: Some(3), ..SOON });
        assert!(acks.is_ready(), "merged");
        acks.sent(false, at(160));
        acks.applied(at(200), Arrival { ahead: None, ..SOON });
        assert!(acks.is_ready(), "whole");
    }
}
