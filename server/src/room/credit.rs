//! How much may be on the way to a client, and what it had seen by when.
//!
//! A write that is done only means that the kernel has the bytes. What bounds
//! the age of what a client sees is the number of frames that it has not said it
//! applied.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tickwire_protocol::client::session::ACK_INTERVAL;
use tickwire_protocol::limits::CREDIT_MAX;
use tickwire_protocol::{Scope, Tick, Time};

/// How many frames a client may have unacknowledged: those that a round trip
/// and the client's patience take, and one.
pub(super) fn permits(min_rtt: Duration, send_interval: Duration) -> usize {
    let frames = (min_rtt + ACK_INTERVAL).as_micros().div_ceil(send_interval.as_micros().max(1));
    (1 + frames).clamp(2, CREDIT_MAX.into()) as usize
}

/// The frames of a seat: the last one that was acknowledged, and those after it.
///
/// At most [`CREDIT_MAX`] and one: nobody sends a frame without a permit. It
/// outlives the connection: a client that resumes names one of these ticks, and
/// the trail says which scopes it watched then.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Ticks ascend.
    frames: VecDeque<Sent>,
    /// Whether the first one is acknowledged.
    acked: bool,
}

#[derive(Debug)]
struct Sent {
    tick: Tick,
    at: Time,
    /// The scopes that the client watches with this frame, ascending.
    watched: Rc<[Scope]>,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ack {
    /// Nothing new.
    Known,
    /// The client has applied this tick now; the round trip, if it is of a frame.
    Applied(Tick, Option<Duration>),
    /// It names a tick that was not sent.
    Absurd,
}

impl Trail {
    pub(super) fn new() -> Trail {
        Trail { frames: VecDeque::with_capacity(CREDIT_MAX as usize + 1), acked: false }
    }

    /// Frames that are not acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.frames.len() - usize::from(self.acked)
    }

    /// When the oldest of them was sent.
    pub(super) fn oldest_unacked(&self) -> Option<Time> {
        self.frames.get(usize::from(self.acked)).map(|sent| sent.at)
    }

    /// A frame goes out.
    pub(super) fn send(&mut self, tick: Tick, at: Time, watched: Rc<[Scope]>) {
        debug_assert!(self.frames.len() <= CREDIT_MAX as usize, "a frame needs a permit");
        self.frames.push_back(Sent { tick, at, watched });
    }

    /// The client says that it has applied `tick`.
    pub(super) fn ack(&mut self, tick: Tick, now: Time) -> Ack {
        if self.frames.back().is_none_or(|last| tick > last.tick) {
            return Ack::Absurd;
        }
        let newer = self.frames.iter().take_while(|sent| sent.tick <= tick).count();
        if newer <= usize::from(self.acked) {
            return Ack::Known;
        }
        self.frames.drain(..newer - 1);
        self.acked = true;
        let last = &self.frames[0];
        let exact = last.tick == tick;
        Ack::Applied(last.tick, exact.then(|| now.since(last.at)))
    }

    /// Starts a connection that goes on from `tick`, with what was watched then;
    /// `None`, and nothing is known, if that frame is not known.
    pub(super) fn resume(&mut self, tick: Option<Tick>) -> Option<Rc<[Scope]>> {
        self.frames.retain(|sent| Some(sent.tick) == tick);
        self.acked = !self.frames.is_empty();
        self.frames.front().map(|sent| sent.watched.clone())
    }

    /// Whether there is nothing to go on from.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether a connection can go on from `tick`.
    pub(super) fn knows(&self, tick: Tick) -> bool {
        self.frames.iter().any(|sent| sent.tick == tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn trail(ticks: &[u32]) -> Trail {
        let mut trail = Trail::new();
        for &tick in ticks {
            trail.send(Tick(tick), Time::from_millis(tick.into()), [Scope(tick)].into());
        }
        trail
    }

    #[test]
    fn permits_cover_the_round_trip_and_stay_in_bounds() {
        assert_eq!(permits(ms(0), ms(33)), 5);
        assert_eq!(permits(ms(0), ms(1000)), 2);
        assert_eq!(permits(ms(200), ms(50)), 7);
        assert_eq!(permits(ms(60_000), ms(16)), 16);
        assert_eq!(permits(Duration::MAX - ms(1000), Duration::ZERO), 16);
    }

    #[test]
    fn an_acknowledgement_speaks_for_all_before_it() {
        let mut trail = trail(&[10, 20, 30]);
        assert_eq!(trail.unacked(), 3);
        assert_eq!(
            trail.ack(Tick(20), Time::from_millis(120)),
            Ack::Applied(Tick(20), Some(ms(100)))
        );
        assert_eq!((trail.unacked(), trail.oldest_unacked()), (1, Some(Time::from_millis(30))));
        assert_eq!(trail.ack(Tick(20), Time(0)), Ack::Known);
        assert_eq!(trail.ack(Tick(3), Time(0)), Ack::Known);
        assert_eq!(trail.ack(Tick(31), Time(0)), Ack::Absurd);
        assert_eq!(trail.ack(Tick(30), Time(0)), Ack::Applied(Tick(30), Some(ms(0))));
        assert_eq!((trail.unacked(), trail.oldest_unacked()), (0, None));
    }

    #[test]
    fn a_tick_between_two_frames_counts_as_the_earlier_and_times_nothing() {
        let mut trail = trail(&[10, 20]);
        assert_eq!(trail.ack(Tick(15), Time(0)), Ack::Applied(Tick(10), None));
        assert_eq!(trail.unacked(), 1);
    }

    #[test]
    fn only_the_last_applied_frame_and_later_ones_can_be_resumed() {
        let mut trail = trail(&[10, 20, 30]);
        trail.ack(Tick(20), Time(0));
        assert!(!trail.knows(Tick(10)) && trail.knows(Tick(20)) && trail.knows(Tick(30)));
        assert_eq!(trail.resume(Some(Tick(30))).as_deref(), Some(&[Scope(30)][..]));
        assert_eq!((trail.unacked(), trail.knows(Tick(20))), (0, false));
        assert_eq!(trail.resume(Some(Tick(7))), None);
        assert_eq!(trail.unacked(), 0);
    }
}
