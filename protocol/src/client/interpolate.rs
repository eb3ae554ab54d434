//! Rendering between frames: where to render, and what an entity's fields were there.
//!
//! ```text
//!             oldest kept ........ render position ........ newest frame . . +2 ticks
//!   Track:      sample    hold     sample        sample │
//!                                ╰── lerp ──╯   cut: no lerp into this one
//! ```
//!
//! A [`Playhead`] (one per session) turns frame arrivals into a render position that lies a *delay*
//! behind the server: as much as frames are apart, plus as much as they come late. A [`Track`] (one
//! per entity that is rendered smoothly) keeps its recent values and blends two of them.
//!
//! Invariants: the render position never goes backwards, and never runs more than
//! [`EXTRAPOLATION_TICKS_MAX`] past the newest frame; the delay stays within [`DELAY_MIN`] and
//! [`DELAY_MAX`]; an unchanged entity costs nothing per frame; blends of finite values are finite.
//!
//! Absent: decoding, and which fields of an entity are worth blending.

use core::time::Duration;

use super::clock::{TickLength, TickTime, micros, span_micros};
use crate::time::{Tick, Time};

/// The render position lies at least this far behind the server.
pub const DELAY_MIN: Duration = Duration::from_millis(50);
/// And at most this far: beyond it, a stutter is better than more lag.
pub const DELAY_MAX: Duration = Duration::from_millis(250);
/// How far past the newest frame a motion is continued when frames stop.
pub const EXTRAPOLATION_TICKS_MAX: u32 = 2;
/// How many samples a track keeps: [`DELAY_MAX`] at 60 frames per second. Beyond it the oldest goes.
pub const TRACK_SAMPLES_MAX: usize = 16;

/// How many frames compete for the fastest transit.
const TRANSITS: usize = 64;
/// To build up delay, playing slows down by at most one part in this many …
const SLOWDOWN_DIVISOR: i64 = 4;
/// … and to give it back, it speeds up by at most one part in this many.
const SPEEDUP_DIVISOR: i64 = 10;
/// Measured lateness is forgotten at 1 µs in this many: 20 ms per second.
const FORGET_DIVISOR: i64 = 50;

/// Turns the arrivals of frames into the position to render at.
#[derive(Clone, Debug)]
pub struct Playhead {
    length: TickLength,
    send_interval: i64,
    /// Arrival less tick start, of the last frames: local time less server time, plus the way.
    transits: [i64; TRANSITS],
    /// How many of `transits` are valid; they fill from the front.
    count: usize,
    /// Where the next transit goes.
    next: usize,
    /// The least of `transits`: what an undisturbed frame takes.
    fastest: i64,
    /// How far frames are apart, and how much later than the fastest they come. Both jump halfway
    /// to a larger measurement and creep back to smaller ones.
    spacing: i64,
    lateness: i64,
    arrived: i64,
    newest: Option<Tick>,
    previous: Option<Tick>,
    /// The last position given out, and for what time.
    played: Option<(i64, i64)>,
}

impl Playhead {
    /// A playhead for a room that steps each `tick_interval` and sends each `send_interval`.
    pub fn new(tick_interval: Duration, send_interval: Duration) -> Playhead {
        let send_interval = span_micros(send_interval.min(DELAY_MAX));
        Playhead {
            length: TickLength::new(tick_interval),
            send_interval,
            transits: [0; TRANSITS],
            count: 0,
            next: 0,
            fastest: 0,
            spacing: send_interval,
            lateness: 0,
            arrived: 0,
            newest: None,
            previous: None,
            played: None,
        }
    }

    /// Takes in that the frame of `tick` was applied, having arrived at `arrival`. A frame that is
    /// not newer than the newest is ignored.
    pub fn frame_applied(&mut self, tick: Tick, arrival: Time) {
        if self.newest.is_some_and(|newest| tick <= newest) {
            return;
        }
        let arrival = micros(arrival);
        let transit = arrival - self.length.start(tick);
        let late = if self.count == 0 { 0 } else { transit - self.fastest };
        if late > 2 * span_micros(DELAY_MAX) {
            // More than a slow frame: the server lost time, or the link did. Start from here; if
            // it was the link, the next fast frame says so.
            (self.count, self.next) = (0, 0);
        }
        self.transits[self.next] = transit;
        self.next = (self.next + 1) % TRANSITS;
        self.count = (self.count + 1).min(TRANSITS);
        self.fastest = self.transits[..self.count].iter().copied().min().unwrap_or(transit);

        let gap =
            self.newest.map_or(0, |newest| self.length.start(tick) - self.length.start(newest));
        let forget = (arrival - self.arrived).max(0) / FORGET_DIVISOR;
        self.spacing = follow(self.spacing, gap.max(self.send_interval), forget);
        self.lateness = follow(self.lateness, late.max(0), forget);
        self.arrived = self.arrived.max(arrival);
        self.previous = self.newest;
        self.newest = Some(tick);
    }

    /// The position to render at `now`; `None` before the first frame.
    pub fn position(&mut self, now: Time) -> Option<TickTime> {
        let end = self.length.start(self.newest?)
            + i64::from(EXTRAPOLATION_TICKS_MAX) * self.length.micros();
        let now = micros(now);
        let target = now - self.fastest - self.delay_micros();
        let (position, now) = match self.played {
            None => (target.min(end), now),
            Some((played, at)) => {
                let step = (now - at).max(0);
                let behind = target - (played + step);
                let next = if behind > span_micros(DELAY_MAX) {
                    target
                } else {
                    played + step + behind.clamp(-step / SLOWDOWN_DIVISOR, step / SPEEDUP_DIVISOR)
                };
                (next.min(end), now.max(at))
            }
        };
        self.played = Some((position, now));
        Some(self.length.at(position))
    }

    /// How far behind the server the position aims to be.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros() as u64)
    }

    /// The tick of the newest applied frame.
    pub fn newest(&self) -> Option<Tick> {
        self.newest
    }

    /// The tick of the frame applied before the newest: what a [`Track`] must be told along with a
    /// value out of the newest.
    pub fn previous(&self) -> Option<Tick> {
        self.previous
    }

    fn delay_micros(&self) -> i64 {
        (self.spacing + self.lateness).clamp(span_micros(DELAY_MIN), span_micros(DELAY_MAX))
    }
}

/// A running measure that grows fast and shrinks slowly, no larger than the largest delay.
fn follow(measure: i64, seen: i64, forget: i64) -> i64 {
    let seen = seen.min(span_micros(DELAY_MAX));
    if seen > measure { measure + (seen - measure + 1) / 2 } else { (measure - forget).max(seen) }
}

#[derive(Clone, Copy, Debug)]
struct Sample<T> {
    tick: Tick,
    value: T,
    /// The value did not move here from the one before: it appeared.
    cut: bool,
}

/// The recent values of one entity's smoothly rendered fields.
///
/// An entity that did not change is not sent, so its last value holds. Nothing is written for that
/// while it lasts: when the next value comes, the caller says which frame came before it, and the
/// track then knows that the old value held until there. At [`TRACK_SAMPLES_MAX`] the oldest sample
/// makes room.
#[derive(Clone, Debug)]
pub struct Track<T> {
    samples: [Sample<T>; TRACK_SAMPLES_MAX],
    /// How many of `samples` are valid, at least 1, and where the newest stands. Ticks rise strictly
    /// from the oldest to the newest.
    count: usize,
    head: usize,
}

impl<T: Lerp> Track<T> {
    /// The track of an entity that appeared at `tick`.
    pub fn new(tick: Tick, value: T) -> Track<T> {
        let first = Sample { tick, value, cut: true };
        Track { samples: [first; TRACK_SAMPLES_MAX], count: 1, head: 0 }
    }

    /// The entity moved to `value` in the frame of `tick`; `previous` is the frame applied before
    /// that one ([`Playhead::previous`]), in which the last value still held. Two values for one
    /// tick: the later counts. An older tick is ignored.
    pub fn push(&mut self, tick: Tick, value: T, previous: Option<Tick>) {
        let newest = self.samples[self.head];
        if let Some(held) = previous.filter(|held| newest.tick < *held && *held < tick) {
            self.add(Sample { tick: held, cut: false, ..newest });
        }
        self.add(Sample { tick, value, cut: false });
    }

    /// The entity appears at `value` in the frame of `tick` without having moved there: nothing is
    /// blended across.
    pub fn cut(&mut self, tick: Tick, value: T) {
        self.add(Sample { tick, value, cut: true });
    }

    /// The value at `position`; `newest` is the tick of the newest applied frame.
    ///
    /// Before the oldest sample it is the oldest value. After the newest it is the newest value,
    /// unless the entity was moving in the newest frame: then the motion goes on for at most
    /// [`EXTRAPOLATION_TICKS_MAX`].
    pub fn sample(&self, position: TickTime, newest: Tick) -> T {
        let mut later = self.samples[self.head];
        if position >= TickTime::start_of(later.tick) {
            return self.after_newest(position, newest);
        }
        for age in 1..self.count {
            let sample = self.samples[self.index(age)];
            if position >= TickTime::start_of(sample.tick) {
                if later.cut {
                    return sample.value;
                }
                let whole = later.tick.since(sample.tick) as f64;
                return sample.value.lerp(later.value, position.since(sample.tick) / whole);
            }
            later = sample;
        }
        later.value
    }

    /// The tick of the oldest kept sample. Until the position passes it, a new entity is not there.
    pub fn oldest(&self) -> Tick {
        self.samples[self.index(self.count - 1)].tick
    }

    fn after_newest(&self, position: TickTime, newest: Tick) -> T {
        let last = self.samples[self.head];
        if last.cut || self.count < 2 || last.tick < newest {
            return last.value;
        }
        let before = self.samples[self.index(1)];
        let past = position.since(last.tick).min(f64::from(EXTRAPOLATION_TICKS_MAX));
        before.value.lerp(last.value, 1.0 + past / last.tick.since(before.tick) as f64)
    }

    fn add(&mut self, sample: Sample<T>) {
        let newest = self.samples[self.head];
        if sample.tick > newest.tick {
            self.head = (self.head + 1) % TRACK_SAMPLES_MAX;
            self.count = (self.count + 1).min(TRACK_SAMPLES_MAX);
            self.samples[self.head] = sample;
        } else if sample.tick == newest.tick {
            self.samples[self.head] = Sample { cut: sample.cut || newest.cut, ..sample };
        }
    }

    /// Where the sample stands that is `age` samples older than the newest.
    fn index(&self, age: usize) -> usize {
        (self.head + TRACK_SAMPLES_MAX - age) % TRACK_SAMPLES_MAX
    }
}

/// A value that can be blended.
pub trait Lerp: Copy {
    /// The value `part` of the way from `self` to `to`: 0 gives `self`, 1 gives `to`, and a little
    /// more than 1 continues the motion.
    fn lerp(self, to: Self, part: f64) -> Self;
}

/// A value on a circle, blended the shorter way round: a heading, or a coordinate of a space whose
/// edges meet. A circle without a positive, finite length is taken for a line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cyclic<F> {
    /// The value itself.
    pub value: F,
    low: F,
    span: F,
}

macro_rules! lerp_float {
    ($($float:ty),*) => {$(
        impl Lerp for $float {
            fn lerp(self, to: $float, part: f64) -> $float {
                let blended = line(f64::from(self), f64::from(to), part) as $float;
                if blended.is_finite() { blended } else { to }
            }
        }

        impl Cyclic<$float> {
            /// An angle from 0, of which `turn` is the full turn (τ, 360, 256, …).
            pub fn angle(value: $float, turn: $float) -> Self {
                Cyclic { value, low: 0.0, span: turn }
            }

            /// A coordinate that comes back to `low` after `span`.
            pub fn wrapped(value: $float, low: $float, span: $float) -> Self {
                Cyclic { value, low, span }
            }
        }

        impl Lerp for Cyclic<$float> {
            fn lerp(self, to: Self, part: f64) -> Self {
                let (low, span) = (f64::from(to.low), f64::from(to.span));
                if !(span > 0.0 && span.is_finite() && low.is_finite()) {
                    return Cyclic { value: self.value.lerp(to.value, part), ..to };
                }
                let value = arc(f64::from(self.value), f64::from(to.value), part, low, span);
                let value = value as $float;
                // Narrowing can round up to the far edge, which is the near one.
                let value = if value >= to.low + to.span { to.low } else { value };
                Cyclic { value: if value.is_finite() { value } else { to.value }, ..to }
            }
        }
    )*};
}

lerp_float!(f32, f64);

impl<T: Lerp, const N: usize> Lerp for [T; N] {
    fn lerp(self, to: [T; N], part: f64) -> [T; N] {
        core::array::from_fn(|i| self[i].lerp(to[i], part))
    }
}

macro_rules! lerp_tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Lerp),*> Lerp for ($($name,)*) {
            fn lerp(self, to: Self, part: f64) -> Self {
                ($(self.$index.lerp(to.$index, part),)*)
            }
        }
    };
}

lerp_tuple!(A 0, B 1);
lerp_tuple!(A 0, B 1, C 2);
lerp_tuple!(A 0, B 1, C 2, D 3);

/// A blend that is exact at both ends and for a value that rests.
fn line(from: f64, to: f64, part: f64) -> f64 {
    if from == to { to } else { from * (1.0 - part) + to * part }
}

fn arc(from: f64, to: f64, part: f64, low: f64, span: f64) -> f64 {
    let forward = (to - from).rem_euclid(span);
    let way = if forward > span / 2.0 { forward - span } else { forward };
    low + (from - low + way * part).rem_euclid(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    fn at(ticks: f64) -> TickTime {
        TickLength::new(Duration::from_secs(1)).at((ticks * 1e6) as i64)
    }

    fn xorshift(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// One session: a frame per tick, sent at `tick * 50 ms`, arriving as `transit_ms` says, and a
    /// rendering every 8 ms.
    struct Session {
        playhead: Playhead,
        tick: u32,
        now: u64,
        rendered: TickTime,
        starved: u32,
    }

    impl Session {
        fn new() -> Session {
            let playhead = Playhead::new(TICK, TICK);
            Session { playhead, tick: 0, now: 0, rendered: TickTime::default(), starved: 0 }
        }

        fn run(&mut self, frames: u32, mut transit_ms: impl FnMut() -> u64) {
            let mut arrival = 0;
            for _ in 0..frames {
                self.tick += 1;
                // In order, as a stream delivers.
                arrival = (u64::from(self.tick) * 50 + transit_ms()).max(arrival);
                while self.now < arrival {
                    self.render();
                    self.now += 8;
                }
                self.playhead.frame_applied(Tick(self.tick), Time::from_millis(arrival));
            }
        }

        fn render(&mut self) {
            let Some(position) = self.playhead.position(Time::from_millis(self.now)) else {
                return;
            };
            assert!(position >= self.rendered, "backwards at {} ms", self.now);
            let newest = self.playhead.newest().unwrap();
            let past = position.since(newest);
            assert!(past <= f64::from(EXTRAPOLATION_TICKS_MAX));
            self.starved += u32::from(past > 0.0);
            self.rendered = position;
        }

        fn delay_ms(&self) -> u128 {
            self.playhead.delay().as_millis()
        }
    }

    #[test]
    fn a_steady_link_is_played_one_send_interval_behind_and_never_starves() {
        let mut session = Session::new();
        session.run(400, || 40);
        assert_eq!(session.delay_ms(), 50);
        assert_eq!(session.starved, 0);
        let behind = session.rendered.since(Tick(session.tick));
        assert!((-2.1..=0.0).contains(&behind), "{behind}");
    }

    #[test]
    fn the_delay_grows_fast_in_a_burst_and_shrinks_slowly_after_it() {
        let (mut session, mut seed) = (Session::new(), 42);
        session.run(100, || 40);
        session.run(10, || 40 + xorshift(&mut seed) % 180);
        let burst = session.delay_ms();
        assert!((140..=250).contains(&burst), "half a second of jitter: {burst}");
        session.run(20, || 40);
        let second_later = session.delay_ms();
        assert!(second_later >= burst - 25 && second_later < burst, "{burst} to {second_later}");
        session.run(300, || 40);
        assert_eq!(session.delay_ms(), 50);
    }

    #[test]
    fn rendering_never_goes_backwards_and_rarely_starves_under_lasting_jitter() {
        for mut seed in 1..20 {
            let mut session = Session::new();
            session.run(60, || 30 + xorshift(&mut seed) % 120);
            session.starved = 0;
            session.run(1000, || 30 + xorshift(&mut seed) % 120);
            assert!((50..=250).contains(&session.delay_ms()));
            // 1000 frames are 6250 renderings; 4 % of them may run a little past the newest frame.
            assert!(session.starved < 250, "starved {} times", session.starved);
        }
    }

    #[test]
    fn a_stalled_stream_is_extrapolated_two_ticks_and_then_held() {
        let mut session = Session::new();
        session.run(50, || 40);
        for _ in 0..500 {
            session.render();
            session.now += 8;
        }
        assert_eq!(session.rendered, TickTime::start_of(Tick(52)));
        // The server lost those four seconds: its ticks go on from where they were.
        session.run(40, || 4100);
        assert!(session.rendered > TickTime::start_of(Tick(84)), "{:?}", session.rendered);
        assert!(session.rendered < TickTime::start_of(Tick(90)), "{:?}", session.rendered);
    }

    #[test]
    fn after_a_stall_of_the_link_rendering_jumps_to_the_present() {
        let mut session = Session::new();
        session.run(50, || 40);
        session.tick += 40;
        session.run(1, || 40);
        session.now += 8;
        session.render();
        assert!(session.rendered > TickTime::start_of(Tick(85)), "{:?}", session.rendered);
        assert_eq!(session.playhead.previous(), Some(Tick(50)));
    }

    #[test]
    fn fewer_frames_per_second_mean_a_longer_delay() {
        let mut playhead = Playhead::new(TICK, TICK);
        for step in 0..20 {
            playhead.frame_applied(Tick(step * 3), Time::from_millis(u64::from(step) * 150));
        }
        assert!(playhead.delay() > Duration::from_millis(149));
        playhead.frame_applied(Tick(1), Time::from_millis(9000));
        assert_eq!(playhead.newest(), Some(Tick(57)), "an old frame is ignored");
    }

    #[test]
    fn extreme_arrivals_are_bounded() {
        for interval in [Duration::ZERO, TICK, Duration::MAX] {
            let mut playhead = Playhead::new(interval, interval);
            assert_eq!(playhead.position(Time(u64::MAX)), None);
            let mut last = TickTime::default();
            for tick in [0, 1, 2, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
                for time in [0, u64::MAX, 1, u64::MAX / 2] {
                    playhead.frame_applied(Tick(tick), Time(time));
                    for now in [u64::MAX, 0, 1 << 40] {
                        let position = playhead.position(Time(now)).unwrap();
                        assert!(position >= last);
                        last = position;
                    }
                    let delay = playhead.delay();
                    assert!((DELAY_MIN..=DELAY_MAX).contains(&delay));
                }
            }
        }
    }

    #[test]
    fn values_are_blended_between_samples_and_clamped_before_them() {
        let mut track = Track::new(Tick(10), (0.0f32, [1.0f64, 5.0]));
        track.push(Tick(12), (4.0, [3.0, 5.0]), Some(Tick(10)));
        assert_eq!(track.sample(at(11.0), Tick(12)), (2.0, [2.0, 5.0]));
        assert_eq!(track.sample(at(3.0), Tick(12)), (0.0, [1.0, 5.0]));
        assert_eq!(track.sample(at(12.0), Tick(12)), (4.0, [3.0, 5.0]));
        assert_eq!(track.oldest(), Tick(10));
    }

    #[test]
    fn an_unchanged_entity_holds_until_the_frame_before_it_moves() {
        let mut track = Track::new(Tick(0), 7.0f32);
        track.push(Tick(10), 8.0, Some(Tick(9)));
        assert_eq!(track.sample(at(8.9), Tick(10)), 7.0);
        assert_eq!(track.sample(at(9.5), Tick(10)), 7.5);
        assert_eq!(track.sample(at(11.0), Tick(12)), 8.0, "resting in the newest frame");
        assert_eq!(track.sample(at(11.0), Tick(10)), 9.0, "moving in the newest frame");
        assert_eq!(track.sample(at(50.0), Tick(10)), 10.0, "two ticks of it at most");
    }

    #[test]
    fn nothing_is_blended_across_a_cut() {
        let mut track = Track::new(Tick(0), 0.0f64);
        track.push(Tick(1), 1.0, Some(Tick(0)));
        track.cut(Tick(2), 500.0);
        assert_eq!(track.sample(at(1.99), Tick(2)), 1.0);
        assert_eq!(track.sample(at(2.0), Tick(2)), 500.0);
        assert_eq!(track.sample(at(3.5), Tick(2)), 500.0, "a cut is no motion");
        track.push(Tick(3), 501.0, Some(Tick(2)));
        assert_eq!(track.sample(at(2.5), Tick(3)), 500.5);
    }

    #[test]
    fn a_full_track_forgets_its_oldest_sample_and_ignores_the_past() {
        let mut track = Track::new(Tick(0), 0.0f32);
        for tick in 1..100u8 {
            track.push(Tick(tick.into()), tick.into(), Some(Tick(u32::from(tick) - 1)));
        }
        assert_eq!(track.oldest(), Tick(84));
        assert_eq!(track.sample(at(2.0), Tick(99)), 84.0);
        track.push(Tick(50), -1.0, None);
        track.push(Tick(99), 98.5, Some(Tick(98)));
        assert_eq!(track.sample(at(98.5), Tick(99)), 98.25);
    }

    #[test]
    fn an_angle_takes_the_shorter_arc() {
        let blend = |from, to, part| {
            Cyclic::<f32>::angle(from, 360.0).lerp(Cyclic::<f32>::angle(to, 360.0), part).value
        };
        assert_eq!(blend(350.0, 20.0, 0.5), 5.0);
        assert_eq!(blend(20.0, 350.0, 0.5), 5.0);
        assert_eq!(blend(10.0, 100.0, 0.5), 55.0);
        assert_eq!(blend(-370.0, 350.0, 1.0), 350.0);
    }

    #[test]
    fn a_wrapped_coordinate_crosses_the_edge_and_not_the_screen() {
        let x = |value| Cyclic::<f64>::wrapped(value, -2048.0, 4096.0);
        assert_eq!(x(2040.0).lerp(x(-2040.0), 0.25).value, 2044.0);
        assert_eq!(x(2040.0).lerp(x(-2040.0), 0.5).value, -2048.0);
        assert_eq!(x(2040.0).lerp(x(-2040.0), 1.5).value, -2032.0, "extrapolated");
        assert_eq!(x(0.0).lerp(x(100.0), 0.5).value, 50.0);
    }

    #[test]
    fn blends_of_extreme_values_are_finite_and_in_range() {
        for part in [0.0, 0.3, 1.0, 3.0] {
            assert!(f32::MIN.lerp(f32::MAX, part).is_finite());
            assert!(f64::MIN.lerp(f64::MAX, part).is_finite());
            for span in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE] {
                let from = Cyclic::<f64>::wrapped(f64::MIN, 0.0, span);
                let to = Cyclic::<f64>::wrapped(f64::MAX, 0.0, span);
                assert!(from.lerp(to, part).value.is_finite(), "{part} {span}");
            }
            let tiny =
                Cyclic::<f32>::angle(-1e-12, 1.0).lerp(Cyclic::<f32>::angle(-1e-12, 1.0), part);
            assert!((0.0..1.0).contains(&tiny.value));
        }
        let mut track = Track::new(Tick(0), f64::MIN);
        track.push(Tick(u32::MAX), f64::MAX, Some(Tick(u32::MAX)));
        assert!(track.sample(TickTime::start_of(Tick(u32::MAX)), Tick(0)).is_finite());
        assert!(track.sample(TickTime::start_of(Tick(1 << 31)), Tick(u32::MAX)).is_finite());
    }
}
