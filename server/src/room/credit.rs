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

/// How long deliveries are counted before they say how fast the way is.
const DELIVERY_WINDOW: Duration = Duration::from_secs(1);

/// So many frames may always be on the way.
pub(super) const CREDIT_MIN: usize = 2;

/// Whether there may be another frame beside those on a way that takes so long to
/// acknowledge them: permitted are those of that time, and one.
fn permits(unacked: usize, wait: Duration, interval: Duration) -> bool {
    let before = Duration::saturating_mul(interval, unacked.saturating_sub(1) as u32);
    unacked < CREDIT_MIN || unacked < CREDIT_MAX as usize && before < wait
}

/// How far apart frames arrive.
#[derive(Debug, Default)]
struct Delivery {
    since: Option<Time>,
    /// Frames that were acknowledged since then.
    frames: u32,
    /// The mean of the window before.
    interval: Option<Duration>,
}

impl Delivery {
    fn acked(&mut self, frames: u32, now: Time) {
        let since = *self.since.get_or_insert(now);
        self.frames += frames;
        if now >= since + DELIVERY_WINDOW {
            self.interval = Some(now.since(since) / self.frames.max(1));
            (self.since, self.frames) = (Some(now), 0);
        }
    }

    /// The interval at which frames get through, if that is clearly more than the one
    /// at which they are made.
    fn slow(&self, send_interval: Duration) -> Option<Duration> {
        self.interval.filter(|it| *it > send_interval * 5 / 4)
    }
}

/// The frames of a seat: the last one that was acknowledged, and those after it.
///
/// At most [`CREDIT_MAX`] and one: nobody sends a frame without a permit (but see
/// `RoomConfig::credit`). It
/// outlives the connection: a client that resumes names one of these ticks, and
/// the trail says which scopes it watched then.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Ticks ascend.
    frames: VecDeque<Sent>,
    /// The scopes that the client watches with the last frame, ascending.
    watched: Option<Rc<[Scope]>>,
    /// Those that it watched with frames before a tick: nearly always none.
    watched_before: VecDeque<(Tick, Rc<[Scope]>)>,
    /// Whether the first one is acknowledged.
    acked: bool,
    delivery: Delivery,
}

#[derive(Debug)]
struct Sent {
    tick: Tick,
    at: Time,
    /// It stands for several, or for everything: the client acknowledges it, and all
    /// before it, as soon as it comes.
    merged: bool,
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
        let frames = VecDeque::with_capacity(CREDIT_MAX as usize + 1);
        Trail { frames, ..Trail::default() }
    }

    /// Frames that are not acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.frames.len() - usize::from(self.acked)
    }

    /// Whether the client may get another frame. A way that is slower than the frames
    /// needs fewer on it to be full, the more so as who gets merged frames does not wait
    /// with an acknowledgement: what is over that would only queue, and grow old.
    pub(super) fn has_credit(&self, min_rtt: Duration, send_interval: Duration) -> bool {
        let unacked = self.unacked();
        let Some(interval) = self.delivery.slow(send_interval) else {
            return permits(unacked, min_rtt.saturating_add(ACK_INTERVAL), send_interval);
        };
        let mut frames = self.frames.range(usize::from(self.acked)..);
        let patience = if frames.any(|sent| sent.merged) { Duration::ZERO } else { ACK_INTERVAL };
        permits(unacked, min_rtt.saturating_add(patience), interval)
    }

    /// When the oldest of them was sent.
    pub(super) fn oldest_unacked(&self) -> Option<Time> {
        self.frames.get(usize::from(self.acked)).map(|sent| sent.at)
    }

    /// A frame goes out.
    pub(super) fn send(&mut self, tick: Tick, at: Time, watched: &Rc<[Scope]>, merged: bool) {
        if self.watched.as_ref().is_none_or(|before| !Rc::ptr_eq(before, watched)) {
            let before = self.watched.replace(watched.clone());
            self.watched_before.extend(before.map(|before| (tick, before)));
        }
        self.frames.push_back(Sent { tick, at, merged });
    }

    /// The client says that it has applied `tick`.
    pub(super) fn ack(&mut self, tick: Tick, now: Time) -> Ack {
        if self.frames.back().is_none_or(|last| tick > last.tick) {
            return Ack::Absurd;
        }
        let first = self.frames.get(usize::from(self.acked));
        if first.is_none_or(|first| first.tick > tick) {
            return Ack::Known;
        }
        let before = self.frames.len();
        while self.frames.get(1).is_some_and(|sent| sent.tick <= tick) {
            self.frames.pop_front();
        }
        self.forget_watched();
        let newly = before - self.frames.len() + usize::from(!self.acked);
        self.delivery.acked(newly as u32, now);
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
        self.delivery = Delivery::default();
        self.forget_watched();
        if let Some((_, watched)) = self.watched_before.drain(..).next() {
            self.watched = Some(watched);
        }
        self.watched = self.watched.take().filter(|_| self.acked);
        self.watched.clone()
    }

    /// Forgets what was watched before the first frame.
    fn forget_watched(&mut self) {
        while let Some(((until, _), first)) = self.watched_before.front().zip(self.frames.front())
            && *until <= first.tick
        {
            self.watched_before.pop_front();
        }
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
            let watched = [Scope(tick)].into();
            trail.send(Tick(tick), Time::from_millis(tick.into()), &watched, false);
        }
        trail
    }

    #[test]
    fn permits_cover_the_round_trip_and_stay_in_bounds() {
        let most = |wait, interval| (0..).find(|&unacked| !permits(unacked, wait, interval));
        assert_eq!(most(ms(100), ms(33)), Some(5));
        assert_eq!(most(ms(100), ms(1000)), Some(2));
        assert_eq!(most(ms(300), ms(50)), Some(7));
        assert_eq!(most(ms(60_000), ms(16)), Some(16));
        assert_eq!(most(Duration::MAX, Duration::ZERO), Some(16));
    }

    /// How many frames may be on the way at a round trip, when they arrive so far apart.
    fn granted(rtt: u64, arrive_every: u64, merged: bool) -> usize {
        let mut trail = Trail::new();
        let mut at = 0;
        let scopes: Rc<[Scope]> = [Scope::ROOM].into();
        for tick in 1..100 {
            at += arrive_every;
            trail.send(Tick(tick), Time::from_millis(at), &scopes, merged);
            trail.ack(Tick(tick), Time::from_millis(at + rtt));
        }
        let mut count = 0;
        while trail.has_credit(ms(rtt), ms(33)) {
            count += 1;
            trail.send(Tick(100 + count), Time::from_millis(at), &scopes, merged);
        }
        count as usize
    }

    #[test]
    fn a_slow_way_is_kept_full_and_no_fuller() {
        assert_eq!(granted(0, 33, false), 5, "the client may wait with its acknowledgement");
        assert_eq!(granted(200, 33, false), 11);
        assert_eq!(granted(200, 33, true), 11);
        assert_eq!(granted(80, 82, true), 2, "a way that takes a frame each 82 ms");
        assert_eq!(granted(80, 40, true), 7, "a little late is not slow");
        // With these few, more get through than before as soon as the way is free.
        assert_eq!(granted(0, 82, false), 3);
        assert_eq!(granted(200, 82, true), 4);
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

    #[test]
    fn what_was_watched_is_known_of_each_frame_that_can_be_resumed() {
        for (resumed, scope) in [(20, 20), (30, 20), (40, 40)] {
            let mut trail = trail(&[10, 20]);
            let same = trail.watched.clone().unwrap();
            trail.send(Tick(30), Time(0), &same, false);
            trail.send(Tick(40), Time(0), &[Scope(40)].into(), false);
            trail.ack(Tick(20), Time(0));
            let watched = trail.resume(Some(Tick(resumed)));
            assert_eq!(watched.as_deref(), Some(&[Scope(scope)][..]), "{resumed}");
            assert!(trail.watched_before.is_empty());
        }
    }
}
