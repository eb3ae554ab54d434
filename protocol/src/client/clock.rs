//! The client's estimate of the server's tick clock, and the tick that an input is for.
//!
//! Each pong is one [`sample`](Clock::sample). Of the last [`SAMPLES`] the one with the shortest
//! round trip decides, since the error of a sample is at most half of its round trip. The estimate
//! does not jump to what that sample says: it runs up to 5 % faster or slower until it agrees
//! ([`SLEW_DIVISOR`]), which nobody sees and which works off half a tick within ten. Only when it
//! is off by more than [`SNAP_TICKS`] (or at the first sample) it is set at once.
//!
//! Invariants: between snaps [`Clock::server_tick`] never goes backwards, whatever the times that
//! it is given; an input stamp never goes backwards at all. Every value is bounded: times count up
//! to 2^60 µs, ticks last from 100 µs to 10 s, so no sum of them leaves an `i64`.
//!
//! Absent: when to send a ping, and how one looks on the wire.

use core::time::Duration;

use crate::time::{Tick, Time};

/// How many samples compete for the shortest round trip.
pub const SAMPLES: usize = 16;
/// The estimate runs at most one part in this many faster or slower than the local clock.
pub const SLEW_DIVISOR: i64 = 20;
/// An estimate that is off by more ticks than this is set, not slewed.
pub const SNAP_TICKS: i64 = 10;
/// A pong that took longer is ignored: it says less about the clock than a guess would.
pub const RTT_MAX: Duration = Duration::from_secs(10);

/// The largest time that counts, in microseconds; later times are taken for this one.
const TIME_MAX: u64 = 1 << 60;
const TICK_LENGTH_MIN: Duration = Duration::from_micros(100);
const TICK_LENGTH_MAX: Duration = Duration::from_secs(10);

/// A point between ticks: 32 bits of tick, 32 bits of fraction, so that it compares exactly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TickTime(u64);

impl TickTime {
    /// The moment when `tick` begins.
    pub fn start_of(tick: Tick) -> TickTime {
        TickTime(u64::from(tick.0) << 32)
    }

    /// The tick that this point lies in.
    pub fn tick(self) -> Tick {
        Tick((self.0 >> 32) as u32)
    }

    /// How far into that tick, from 0 to less than 1.
    pub fn fraction(self) -> f64 {
        (self.0 & u64::from(u32::MAX)) as f64 / 4_294_967_296.0
    }

    /// Signed distance in ticks from the start of `tick` to this point.
    pub fn since(self, tick: Tick) -> f64 {
        self.tick().since(tick) as f64 + self.fraction()
    }
}

/// How long a tick lasts, in microseconds, and the tick axis that follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickLength(i64);

impl TickLength {
    pub(super) fn new(interval: Duration) -> TickLength {
        TickLength(interval.clamp(TICK_LENGTH_MIN, TICK_LENGTH_MAX).as_micros() as i64)
    }

    pub(super) fn micros(self) -> i64 {
        self.0
    }

    /// When `tick` begins, in microseconds since the start of tick 0.
    pub(super) fn start(self, tick: Tick) -> i64 {
        i64::from(tick.0) * self.0
    }

    /// The point `micros` after the start of tick 0; the ends of the axis if it lies outside.
    pub(super) fn at(self, micros: i64) -> TickTime {
        let (micros, length) = (micros.max(0) as u64, self.0 as u64);
        match u32::try_from(micros / length) {
            Ok(tick) => TickTime((u64::from(tick) << 32) | (((micros % length) << 32) / length)),
            Err(_) => TickTime::start_of(Tick(u32::MAX)),
        }
    }
}

/// A local time as a number that can be subtracted.
pub(super) fn micros(time: Time) -> i64 {
    time.0.min(TIME_MAX) as i64
}

/// A span as a number, no longer than the longest time.
pub(super) fn span_micros(span: Duration) -> i64 {
    span.as_micros().min(u128::from(TIME_MAX)) as i64
}

/// What a sample did to the estimate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adjustment {
    /// The sample was impossible or useless (received before it was sent, or over [`RTT_MAX`]).
    Ignored,
    /// The estimate now runs towards what the best sample says.
    Slewed,
    /// The estimate was set, and may have gone backwards.
    Snapped,
}

/// Round trip times as the samples showed them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rtt {
    /// The shortest of the last [`SAMPLES`].
    pub min: Duration,
    /// The running mean, in which a new sample counts for an eighth.
    pub smoothed: Duration,
    /// The running mean of the distance from the smoothed value; a new sample counts for a quarter.
    pub jitter: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    rtt: i64,
    /// Server time less local time, in microseconds.
    offset: i64,
}

/// The estimate of the server's tick clock.
#[derive(Clone, Debug)]
pub struct Clock {
    length: TickLength,
    samples: [Sample; SAMPLES],
    /// How many of `samples` are valid; they fill from the front.
    count: usize,
    /// Where the next sample goes: over the oldest once all are valid.
    next: usize,
    smoothed: i64,
    jitter: i64,
    /// The offset that applied at the local time `anchored`; from there it slews to `target`.
    anchor: i64,
    anchored: i64,
    target: i64,
    /// The latest point given out since the last snap.
    floor: TickTime,
}

impl Clock {
    /// A clock that knows nothing yet. The interval is taken to be from 100 µs to 10 s.
    pub fn new(tick_interval: Duration) -> Clock {
        Clock {
            length: TickLength::new(tick_interval),
            samples: [Sample::default(); SAMPLES],
            count: 0,
            next: 0,
            smoothed: 0,
            jitter: 0,
            anchor: 0,
            anchored: 0,
            target: 0,
            floor: TickTime::default(),
        }
    }

    /// Takes in a pong: when its ping was `sent`, when the pong was `received`, and that the server
    /// was `tick_micros` into `tick` when it answered.
    pub fn sample(
        &mut self,
        sent: Time,
        received: Time,
        tick: Tick,
        tick_micros: u32,
    ) -> Adjustment {
        let now = micros(received);
        let rtt = now - micros(sent);
        if rtt < 0 || rtt > span_micros(RTT_MAX) {
            return Adjustment::Ignored;
        }
        self.measure(rtt);
        let stamp = self.length.start(tick) + i64::from(tick_micros);
        let sample = Sample { rtt, offset: stamp + rtt / 2 - now };
        let first = self.count == 0;
        if self.best().is_some_and(|best| self.disagree(sample, best)) {
            // Both cannot be true of one clock, so the server's has jumped: the past is void.
            (self.count, self.next) = (0, 0);
        }
        self.samples[self.next] = sample;
        self.next = (self.next + 1) % SAMPLES;
        self.count = (self.count + 1).min(SAMPLES);

        self.anchor = self.offset(now);
        self.anchored = self.anchored.max(now);
        self.target = self.best().unwrap_or(sample).offset;
        if first || (self.target - self.anchor).abs() > SNAP_TICKS * self.length.micros() {
            self.anchor = self.target;
            self.floor = TickTime::default();
            return Adjustment::Snapped;
        }
        Adjustment::Slewed
    }

    /// Where the server's clock stands at `now`; `None` before the first sample.
    pub fn server_tick(&mut self, now: Time) -> Option<TickTime> {
        let estimate = self.length.at(self.server_micros(now)?);
        self.floor = self.floor.max(estimate);
        Some(self.floor)
    }

    /// Whether there is an estimate at all. From the first sample on it is good to half of that
    /// sample's round trip.
    pub fn is_synced(&self) -> bool {
        self.count > 0
    }

    /// The round trip as measured; `None` before the first sample.
    pub fn rtt(&self) -> Option<Rtt> {
        let span = |micros: i64| Duration::from_micros(micros as u64);
        let min = span(self.best()?.rtt);
        Some(Rtt { min, smoothed: span(self.smoothed), jitter: span(self.jitter) })
    }

    fn measure(&mut self, rtt: i64) {
        if self.count == 0 {
            self.smoothed = rtt;
        }
        let error = rtt - self.smoothed;
        self.smoothed += error / 8;
        self.jitter += (error.abs() - self.jitter) / 4;
    }

    fn best(&self) -> Option<Sample> {
        self.samples[..self.count].iter().copied().min_by_key(|sample| sample.rtt)
    }

    /// Whether two samples contradict each other. Each is right to half of its round trip; one
    /// tick more is for a server that stamps late.
    fn disagree(&self, a: Sample, b: Sample) -> bool {
        (a.offset - b.offset).abs() > (a.rtt + b.rtt) / 2 + self.length.micros()
    }

    fn offset(&self, now: i64) -> i64 {
        let reach = (now - self.anchored).max(0) / SLEW_DIVISOR;
        self.anchor + (self.target - self.anchor).clamp(-reach, reach)
    }

    fn server_micros(&self, now: Time) -> Option<i64> {
        let now = micros(now);
        self.is_synced().then(|| now + self.offset(now))
    }
}

/// The reported depth should stay at or above this at its shallowest.
pub const DEPTH_LOW: i32 = 1;
/// A depth that stays above this is shrunk: each tick of it is a tick of input lag.
pub const DEPTH_HIGH: i32 = 2;
/// The margin never exceeds this many ticks.
pub const MARGIN_TICKS_MAX: i64 = 16;

/// The most that one late report adds, in ticks.
const GROWTH_TICKS_MAX: i64 = 4;
const MARGIN_TICKS_INITIAL: i64 = 2;
/// The margin shrinks only after this long, and this many reports, without a shallow one.
const SHRINK_AFTER: i64 = 1_000_000;
const SHRINK_REPORTS: u32 = 8;

/// Says which tick an input made now is for: late enough to arrive in time, and no later.
///
/// That is the server's tick when the input arrives (now plus half a round trip) plus a margin for
/// jitter. The margin follows the *inbox depth* that the server reports.
#[derive(Clone, Debug)]
pub struct InputLead {
    length: TickLength,
    /// In microseconds, within 0 and [`MARGIN_TICKS_MAX`] ticks.
    margin: i64,
    /// Reports before this time speak of inputs stamped with the margin before its last change.
    settled: i64,
    /// The shallowest report since `calm_since`, and how many there were.
    shallowest: i32,
    reports: u32,
    calm_since: i64,
    newest: Tick,
}

impl InputLead {
    /// A lead for the tick interval that the [`Clock`] was given.
    pub fn new(tick_interval: Duration) -> InputLead {
        let length = TickLength::new(tick_interval);
        InputLead {
            length,
            margin: MARGIN_TICKS_INITIAL * length.micros(),
            settled: 0,
            shallowest: i32::MAX,
            reports: 0,
            calm_since: 0,
            newest: Tick(0),
        }
    }

    /// The tick for an input made at `now`; `None` while the clock is not synced.
    ///
    /// It never goes backwards, even when the clock snaps back: it then stands still until the
    /// clock has caught up.
    pub fn stamp(&mut self, clock: &Clock, now: Time) -> Option<Tick> {
        let arrival = clock.server_micros(now)? + clock.smoothed / 2;
        self.newest = self.newest.max(self.length.at(arrival + self.margin).tick());
        Some(self.newest)
    }

    /// Takes in the depth that a frame reported at `now`: how many ticks the newest input lay ahead
    /// of the tick that the server had processed; negative if it came too late.
    ///
    /// Only for frames that speak of a newly arrived input. While an input is held there is nothing
    /// new to be late, and such frames must be left out.
    pub fn depth_reported(&mut self, clock: &Clock, depth: i32, now: Time) {
        let now = micros(now);
        if now < self.settled {
            return;
        }
        if depth < DEPTH_LOW {
            let missing = i64::from(DEPTH_LOW) - i64::from(depth);
            // Depth 0 was in time, if barely; it asks for a little, lateness for all of it.
            let growth = if depth < 0 {
                missing.min(GROWTH_TICKS_MAX) * self.length.micros()
            } else {
                self.length.micros() / 4
            };
            self.change(growth, clock, now);
            return;
        }
        self.shallowest = self.shallowest.min(depth);
        self.reports = self.reports.saturating_add(1);
        if self.reports >= SHRINK_REPORTS && now - self.calm_since >= SHRINK_AFTER {
            let excess = i64::from(self.shallowest.saturating_sub(DEPTH_HIGH));
            let shrink = if excess > 0 { excess.min(4) * self.length.micros() / 4 } else { 0 };
            self.change(-shrink, clock, now);
        }
    }

    /// The margin as it stands.
    pub fn margin(&self) -> Duration {
        Duration::from_micros(self.margin as u64)
    }

    /// Changes the margin and starts to observe anew; after growth, only once inputs stamped with
    /// it can have been reported on.
    fn change(&mut self, by: i64, clock: &Clock, now: i64) {
        let margin_max = MARGIN_TICKS_MAX * self.length.micros();
        self.margin = (self.margin + by).clamp(0, margin_max);
        if by != 0 {
            self.settled = now + clock.smoothed + 2 * self.length.micros();
        }
        self.calm_since = now;
        self.shallowest = i32::MAX;
        self.reports = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const TICK: Duration = Duration::from_micros(33_333);
    const TICK_MICROS: u64 = 33_333;

    /// splitmix64
    struct Rng(u64);

    impl Rng {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }

        fn within(&mut self, low: u64, high: u64) -> u64 {
            low + self.next() % (high - low)
        }
    }

    /// The server's clock at the local time `now`: 100 ppm fast, and 7 s ahead.
    fn server(now: u64) -> u64 {
        7_000_000 + now + now / 10_000
    }

    fn pong(clock: &mut Clock, sent: u64, up: u64, down: u64, jump: u64) -> Adjustment {
        let stamp = server(sent + up) + jump;
        let (tick, rest) = ((stamp / TICK_MICROS) as u32, (stamp % TICK_MICROS) as u32);
        clock.sample(Time(sent), Time(sent + up + down), Tick(tick), rest)
    }

    fn ticks(at: TickTime) -> f64 {
        at.since(Tick(0))
    }

    #[test]
    fn converges_within_a_tick_under_jitter_and_drift() {
        for seed in 0..20 {
            let mut rng = Rng(seed);
            let mut clock = Clock::new(TICK);
            let (mut last, mut snaps) = (TickTime::default(), 0);
            for round in 0..400 {
                let sent = round * 500_000;
                let (up, down) = (rng.within(35_000, 65_000), rng.within(35_000, 65_000));
                let adjusted = pong(&mut clock, sent, up, down, 0);
                snaps += u32::from(adjusted == Adjustment::Snapped);
                for frame in 0..20 {
                    let now = sent + up + down + frame * 16_667;
                    let at = clock.server_tick(Time(now)).unwrap();
                    assert!(at >= last, "went backwards at {now}");
                    last = at;
                    let truth = server(now) as f64 / TICK_MICROS as f64;
                    assert!((ticks(at) - truth).abs() < 1.0, "seed {seed} at {now}");
                }
            }
            assert_eq!(snaps, 1, "only the first sample snaps");
            let rtt = clock.rtt().unwrap();
            assert!(rtt.min >= Duration::from_millis(70) && rtt.min < Duration::from_millis(95));
            assert!(rtt.smoothed > rtt.min && rtt.smoothed < Duration::from_millis(130));
            assert!(rtt.jitter > Duration::ZERO && rtt.jitter < Duration::from_millis(30));
        }
    }

    #[test]
    fn snaps_at_once_when_the_server_clock_jumps_three_seconds() {
        let mut clock = Clock::new(TICK);
        for round in 0..30 {
            pong(&mut clock, round * 500_000, 20_000, 20_000, 3_000_000);
        }
        assert_eq!(pong(&mut clock, 15_000_000, 50_000, 50_000, 0), Adjustment::Snapped);
        let truth = server(15_200_000) as f64 / TICK_MICROS as f64;
        assert!((ticks(clock.server_tick(Time(15_200_000)).unwrap()) - truth).abs() < 0.1);
        assert_eq!(pong(&mut clock, 15_500_000, 50_000, 50_000, 0), Adjustment::Slewed);
    }

    #[test]
    fn slews_a_small_error_by_five_percent_and_no_faster() {
        let mut clock = Clock::new(TICK);
        // A lopsided first sample is 40 ms off; a short round trip then shows the truth.
        clock.sample(Time(0), Time(100_000), Tick(0), 90_000);
        assert_eq!(
            clock.sample(Time(100_000), Time(102_000), Tick(0), 101_000),
            Adjustment::Slewed
        );
        let mut at = |now| ticks(clock.server_tick(Time(now)).unwrap()) * TICK_MICROS as f64;
        assert!((at(102_000) - 142_000.0).abs() < 2.0);
        assert!((at(502_000) - 522_000.0).abs() < 2.0, "20 of 40 ms after 400 ms");
        assert!((at(902_000) - 902_000.0).abs() < 2.0, "all after 800 ms");
        assert!((at(5_000_000) - 5_000_000.0).abs() < 2.0);
    }

    #[test]
    fn never_goes_backwards_when_the_caller_does() {
        let mut clock = Clock::new(TICK);
        assert_eq!(clock.server_tick(Time(5)), None);
        assert!(!clock.is_synced() && clock.rtt().is_none());
        clock.sample(Time(0), Time(10_000), Tick(100), 0);
        let ahead = clock.server_tick(Time(900_000)).unwrap();
        assert_eq!(clock.server_tick(Time(100)).unwrap(), ahead);
        clock.sample(Time(10_000), Time(20_000), Tick(100), 9_000);
        assert_eq!(clock.server_tick(Time(20_000)).unwrap(), ahead);
    }

    #[test]
    fn ignores_impossible_and_useless_pongs() {
        let mut clock = Clock::new(TICK);
        assert_eq!(clock.sample(Time(2), Time(1), Tick(5), 0), Adjustment::Ignored);
        assert_eq!(clock.sample(Time(0), Time(11_000_000), Tick(5), 0), Adjustment::Ignored);
        assert!(!clock.is_synced());
    }

    /// Runs inputs over a link for a while; gives how many came late in the second half.
    fn drive(lead: &mut InputLead, clock: &mut Clock, from: u64, up: (u64, u64)) -> u32 {
        let (mut rng, mut reports, mut late) = (Rng(from), VecDeque::new(), 0);
        let mut last = Tick(0);
        for step in 0..1200 {
            let now = from + step * TICK_MICROS;
            if step % 8 == 0 {
                pong(clock, now - 60_000, 30_000, 30_000, 0);
            }
            let stamp = lead.stamp(clock, Time(now)).unwrap();
            assert!(stamp >= last);
            last = stamp;
            let arrives = now + rng.within(up.0, up.1);
            let processed = server(arrives) / TICK_MICROS + 1;
            let depth = i32::try_from(i64::from(stamp.0) - processed as i64).unwrap();
            late += u32::from(depth < 0 && step > 600);
            reports.push_back((arrives + 30_000, depth));
            while reports.front().is_some_and(|(at, _)| *at <= now) {
                let (_, depth) = reports.pop_front().unwrap();
                lead.depth_reported(clock, depth, Time(now));
            }
        }
        late
    }

    #[test]
    fn the_input_margin_grows_until_nothing_is_late_and_shrinks_when_the_link_calms() {
        let (mut clock, mut lead) = (Clock::new(TICK), InputLead::new(TICK));
        let late = drive(&mut lead, &mut clock, 1_000_000, (30_000, 150_000));
        assert!(late <= 3, "{late} of 600 late");
        let burst = lead.margin();
        assert!(burst >= TICK * 4 && burst <= TICK * 8, "{burst:?}");
        assert_eq!(drive(&mut lead, &mut clock, 60_000_000, (30_000, 31_000)), 0);
        assert!(lead.margin() >= TICK && lead.margin() <= TICK * 4, "{:?}", lead.margin());
    }

    #[test]
    fn one_late_input_grows_the_margin_once() {
        let (mut clock, mut lead) = (Clock::new(TICK), InputLead::new(TICK));
        clock.sample(Time(0), Time(100_000), Tick(9), 0);
        let before = lead.margin();
        for _ in 0..5 {
            lead.depth_reported(&clock, -1, Time(200_000));
        }
        assert_eq!(lead.margin(), before + 2 * TICK);
    }

    #[test]
    fn stamps_stand_still_when_the_clock_snaps_back() {
        let (mut clock, mut lead) = (Clock::new(TICK), InputLead::new(TICK));
        clock.sample(Time(0), Time(1000), Tick(1000), 0);
        let before = lead.stamp(&clock, Time(1000)).unwrap();
        assert_eq!(clock.sample(Time(2000), Time(3000), Tick(10), 0), Adjustment::Snapped);
        assert_eq!(lead.stamp(&clock, Time(4000)), Some(before));
    }

    #[test]
    fn extreme_values_are_bounded() {
        let extremes = [0, 1, u64::from(u32::MAX), TIME_MAX, u64::MAX - 1, u64::MAX];
        for interval in [Duration::ZERO, TICK, Duration::MAX] {
            let (mut clock, mut lead) = (Clock::new(interval), InputLead::new(interval));
            for sent in extremes {
                for received in extremes {
                    for tick in [Tick(0), Tick(u32::MAX)] {
                        clock.sample(Time(sent), Time(received), tick, u32::MAX);
                        clock.sample(Time(received), Time(received), tick, u32::MAX);
                        for now in extremes {
                            let at = clock.server_tick(Time(now)).unwrap();
                            assert!(at.fraction() < 1.0 && ticks(at).is_finite());
                            lead.depth_reported(&clock, i32::MIN, Time(now));
                            lead.depth_reported(&clock, i32::MAX, Time(now));
                            lead.stamp(&clock, Time(now)).unwrap();
                        }
                    }
                }
            }
            assert!(lead.margin() <= lead.length.micros() as u32 * Duration::from_micros(16));
        }
    }

    #[test]
    fn a_hostile_depth_fills_the_margin_and_no_more() {
        let (mut clock, mut lead) = (Clock::new(TICK), InputLead::new(TICK));
        clock.sample(Time(0), Time(0), Tick(0), 0);
        for round in 0..100 {
            lead.depth_reported(&clock, i32::MIN, Time(round * 1_000_000));
        }
        assert_eq!(lead.margin(), 16 * TICK);
    }
}
