//! When a room's next step is due, and waiting for it.
//!
//! Deadlines are absolute: a late step does not move the ones after it. A room
//! that is late takes at most [`CATCH_UP_MAX`] steps while the one after them can begin already;
//! then it goes on with the last one that can begin, and the time between is lost.
//!
//! Rooms that follow each other without a sleep between them cost less than rooms that each
//! have a wake-up of their own (docs/PERFORMANCE.md), so they are made up into trains: see [`Raster`].

use std::cell::Cell;
use std::io;
use std::time::Duration;

use tickwire_protocol::Time;
use tokio::time::Instant;

/// Steps in a row that a room may take while the one after them can begin already.
const CATCH_UP_MAX: u32 = 2;

const SECOND_NS: u64 = 1_000_000_000;

/// A monotonic clock: nanoseconds since its origin, which all workers share.
/// It follows Tokio's, so that a simulation can turn it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Nanos {
        // 584 years fit.
        Nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn time(&self) -> Time {
        self.now().time()
    }

    fn instant(&self, at: Nanos) -> Instant {
        self.origin + Duration::from_nanos(at.0)
    }
}

/// Nanoseconds since the origin of a [`Clock`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Nanos(pub(crate) u64);

impl Nanos {
    pub(crate) fn time(self) -> Time {
        Time(self.0 / 1000)
    }

    pub(crate) fn after(self, time: Duration) -> Nanos {
        Nanos(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn before(self, time: Duration) -> Nanos {
        Nanos(self.0.saturating_sub(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn since(self, earlier: Nanos) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Gives each room that comes a phase of its own.
#[derive(Debug, Default)]
pub(crate) struct Phases(Cell<u32>);

impl Phases {
    /// A multiple of this (the golden section of 2^32) spreads any number of rooms.
    const STEP: u32 = 2_654_435_769;

    /// The phase of the next room, a part of 2^32.
    pub(crate) fn next(&self) -> u32 {
        self.0.set(self.0.get().wrapping_add(Self::STEP));
        self.0.get()
    }
}

/// Where in a period the deadlines of rooms lie: in trains, each behind a point.
///
/// ```text
///   point                            point
///     │ a   b    c   d                 │ e   f    g
///     ├─┴───┴────┴───┴─┬───────────────┼─┴───┴────┴─ …
///     └──── train ─────┘   nothing     │
/// ```
///
/// A train is about as long as the work in it takes, so that each room's deadline is when its
/// turn comes. The worker goes through a whole train once it is at its point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Raster {
    /// How often the longest way from a point to the next is halved.
    halved: u8,
    /// How long a train is, in parts of that way: of [`Raster::WHOLE`].
    train: u8,
}

impl Default for Raster {
    /// As long as nothing is known of the load, rooms are spread as evenly as can be.
    fn default() -> Self {
        Raster { halved: Raster::HALVED_MAX, train: Raster::WHOLE }
    }
}

impl Raster {
    /// Points are at least so far apart before that is halved, unless a period is shorter. It
    /// is what 60 Hz has room for twice, and nearly what 20 and 30 Hz have room for six
    /// and four times.
    const APART_NS: u64 = 8_000_000;
    const HALVED_MAX: u8 = 3;
    /// A train is at most so much work, times the share of time that is left: what holds one
    /// room up holds up those behind it, and a busy worker takes longer to make up for that.
    const WORK_MAX_NS: f64 = 3_500_000.0;
    /// Points are only farther apart if that is good for this much more work than there is.
    const FARTHER_FOR: f64 = 1.25;
    const WHOLE: u8 = 16;
    /// A train is longer than the work by this much at least, and by less than the other.
    const SPARE: f64 = 0.5;
    const SPARE_MAX: u8 = 3;

    /// What suits a worker which was busy for a share of a second; this one if there is
    /// nothing to go by, or if it is good enough.
    pub(crate) fn suited(self, busy: f64) -> Raster {
        if busy <= 0.0 {
            return self;
        }
        let fits = |&halved: &u8| {
            let busy = if halved < self.halved { busy * Self::FARTHER_FOR } else { busy };
            Self::work_ns(halved, busy) <= Self::WORK_MAX_NS * (1.0 - busy)
        };
        let halved = (0..Self::HALVED_MAX).find(fits).unwrap_or(Self::HALVED_MAX);
        let least = (busy * f64::from(Self::WHOLE) + Self::SPARE).ceil() as u8;
        let least = least.min(Self::WHOLE);
        let train = match (least..least + Self::SPARE_MAX).contains(&self.train) {
            true => self.train,
            false => (least + 1).min(Self::WHOLE),
        };
        Raster { halved, train }
    }

    /// How much work a train is.
    fn work_ns(halved: u8, busy: f64) -> f64 {
        Self::APART_NS as f64 / f64::from(1 << halved) * busy
    }

    /// How many points a period has.
    fn points(self, period_ns: u64) -> u64 {
        (period_ns / Self::APART_NS).max(1) << self.halved
    }

    /// Where a phase is, a part of 2^32 of a period: its point, and how far behind it.
    fn place(self, period_ns: u64, phase: u32) -> (u64, u64) {
        let points = self.points(period_ns);
        let place = points * u64::from(phase);
        let (point, behind) = (place >> 32, place & u64::from(u32::MAX));
        let train_ns = period_ns / points * u64::from(self.train) / u64::from(Self::WHOLE);
        let behind_ns = (u128::from(train_ns) * u128::from(behind)) >> 32;
        (period_ns * point / points, behind_ns as u64)
    }
}

/// The deadlines of one room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    tick_hz: u64,
    /// Which part of a period is the room's, of 2^32.
    phase: u32,
    /// Where that is on the raster: all of it, and how much of it is behind a point.
    offset_ns: u64,
    behind_ns: u64,
    /// Whole periods from the origin to the next deadline, which is so much later.
    count: u64,
    /// Steps in a row that were [behind](Begun::behind).
    behind: u32,
}

/// A step that begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    /// The deadline that the step stands for.
    pub(crate) deadline: Nanos,
    /// How long after its deadline the step begins.
    pub(crate) late: Duration,
    /// The step after it can begin already, so that a frame of this one would be replaced at once.
    pub(crate) behind: bool,
    /// Time that was given up, with the steps that it had room for.
    pub(crate) lost: Duration,
}

impl Timeline {
    /// Deadlines from now on. `phase`, a part of 2^32, spreads rooms over a period.
    pub(crate) fn new(now: Nanos, tick_hz: u32, phase: u32, raster: Raster) -> Timeline {
        let tick_hz = u64::from(tick_hz.max(1));
        let (offset_ns, behind_ns) = (0, 0);
        let mut timeline = Timeline { tick_hz, phase, offset_ns, behind_ns, count: 0, behind: 0 };
        timeline.keep_to(raster);
        timeline.count =
            now.0.checked_sub(timeline.offset_ns).map_or(0, |since| timeline.periods(since) + 1);
        timeline
    }

    /// Moves the deadlines to a raster, by less than the way from a point to the next.
    pub(crate) fn keep_to(&mut self, raster: Raster) {
        let (point_ns, behind_ns) = raster.place(self.period_ns(), self.phase);
        (self.offset_ns, self.behind_ns) = (point_ns + behind_ns, behind_ns);
    }

    fn period_ns(&self) -> u64 {
        SECOND_NS / self.tick_hz
    }

    /// Whole periods in a time.
    fn periods(&self, ns: u64) -> u64 {
        let periods = u128::from(ns) * u128::from(self.tick_hz) / u128::from(SECOND_NS);
        u64::try_from(periods).unwrap_or(u64::MAX)
    }

    /// When the next step is due.
    pub(crate) fn next(&self) -> Nanos {
        // Counted from the origin each time: no error adds up, and rooms of one rate stay
        // on the same points, whenever they began.
        let since = u128::from(self.count) * u128::from(SECOND_NS) / u128::from(self.tick_hz);
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        Nanos(since.saturating_add(self.offset_ns))
    }

    /// When the worker is at the point before: the step may begin if those of the train that
    /// come before it have had their turn.
    pub(crate) fn point(&self) -> Nanos {
        Nanos(self.next().0.saturating_sub(self.behind_ns))
    }

    /// The due step begins.
    pub(crate) fn begin(&mut self, now: Nanos) -> Begun {
        let due = self.next();
        let late = now.since(due);
        if self.behind == CATCH_UP_MAX {
            // The room keeps its phase, so that rooms which were held up together do not
            // stay together.
            self.count += self.periods(now.0.saturating_sub(self.point().0));
        }
        let deadline = self.next();
        self.count += 1;
        let behind = self.point() <= now && self.behind < CATCH_UP_MAX;
        self.behind = if behind { self.behind + 1 } else { 0 };
        Begun { deadline, late, behind, lost: deadline.since(due) }
    }
}

/// Waits for deadlines.
pub(crate) enum Alarm {
    /// A timer of the kernel's, which is exact to the microsecond.
    #[cfg(target_os = "linux")]
    Kernel(kernel::KernelAlarm),
    /// Tokio's, which counts milliseconds, and which a simulation can turn.
    Tokio,
}

impl Alarm {
    /// The most precise alarm that there is.
    ///
    /// # Errors
    /// If the operating system has no timer to give.
    pub(crate) fn precise() -> io::Result<Alarm> {
        #[cfg(target_os = "linux")]
        return Ok(Alarm::Kernel(kernel::KernelAlarm::new()?));
        #[cfg(not(target_os = "linux"))]
        return Ok(Alarm::Tokio);
    }

    /// Whether it follows the time of the world.
    pub(crate) fn is_precise(&self) -> bool {
        !matches!(self, Alarm::Tokio)
    }

    /// Waits until a point of `clock`; may be dropped at any time. A timer that
    /// fails is replaced by Tokio's.
    pub(crate) async fn until(&mut self, clock: &Clock, deadline: Nanos) {
        #[cfg(target_os = "linux")]
        if let Alarm::Kernel(kernel) = self {
            if kernel.until(clock, deadline).await.is_ok() {
                return;
            }
            tracing::error!("the timer failed; deadlines are only met to the millisecond");
            *self = Alarm::Tokio;
        }
        tokio::time::sleep_until(clock.instant(deadline)).await;
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    //! A `timerfd` in the runtime's own event loop.

    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{Clock, Nanos};

    pub(crate) struct KernelAlarm {
        timer: AsyncFd<OwnedFd>,
        /// What it is set to, if it has not gone off.
        set: Option<Nanos>,
    }

    impl KernelAlarm {
        pub(super) fn new() -> io::Result<KernelAlarm> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe, for descriptors that change or close; an \
                          `OwnedFd` does neither, and this workspace has no unsafe code"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            Ok(KernelAlarm { timer, set: None })
        }

        pub(super) async fn until(&mut self, clock: &Clock, deadline: Nanos) -> io::Result<()> {
            loop {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return Ok(());
                }
                if self.set != Some(deadline) {
                    let value = Timespec::try_from(left).map_err(io::Error::other)?;
                    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                    let spec = Itimerspec { it_interval: zero, it_value: value };
                    timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
                    self.set = Some(deadline);
                }
                self.timer.readable().await?.clear_ready();
                // It went off; if that was for an earlier deadline, it is set again,
                // which also forgets how often it went off: nothing needs to be read.
                self.set = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u32 = 50;
    const PERIOD: u64 = 20_000_000;

    fn begin(timeline: &mut Timeline, now: u64) -> (u64, u64, u64) {
        let begun = timeline.begin(Nanos(now));
        let ns = |span: Duration| u64::try_from(span.as_nanos()).unwrap();
        (begun.deadline.0, ns(begun.late), ns(begun.lost))
    }

    #[test]
    fn deadlines_do_not_drift_when_steps_are_late() {
        let mut timeline = Timeline::new(Nanos(5), HZ, 0, Raster::default());
        for step in 1..100 {
            assert_eq!(timeline.next(), Nanos(step * PERIOD));
            assert_eq!(begin(&mut timeline, step * PERIOD + 7), (step * PERIOD, 7, 0));
        }
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_keeps_it() {
        let mut timeline = Timeline::new(Nanos(0), 30, 0, Raster::default());
        let first = timeline.next();
        for _ in 0..30 * 3600 {
            timeline.begin(timeline.next());
        }
        assert_eq!(timeline.next().since(first), Duration::from_secs(3600));
    }

    #[test]
    fn a_stalled_room_catches_up_two_steps_and_loses_the_rest() {
        let mut timeline = Timeline::new(Nanos(0), HZ, 0, Raster::default());
        let now = 11 * PERIOD;
        assert_eq!(begin(&mut timeline, now), (PERIOD, 10 * PERIOD, 0));
        assert_eq!(begin(&mut timeline, now), (2 * PERIOD, 9 * PERIOD, 0));
        assert_eq!(begin(&mut timeline, now), (now, 8 * PERIOD, 8 * PERIOD));
        assert_eq!(timeline.next(), Nanos(now + PERIOD));
        assert_eq!(begin(&mut timeline, now + PERIOD), (now + PERIOD, 0, 0));
    }

    #[test]
    fn a_stalled_room_keeps_its_phase() {
        let mut timeline = Timeline::new(Nanos(0), HZ, 1 << 31, Raster::default());
        let (half, now) = (PERIOD / 2, 11 * PERIOD);
        assert_eq!(begin(&mut timeline, now), (half, 10 * PERIOD + half, 0));
        assert_eq!(begin(&mut timeline, now), (half + PERIOD, 9 * PERIOD + half, 0));
        let lost = 8 * PERIOD;
        assert_eq!(begin(&mut timeline, now), (half + 10 * PERIOD, 8 * PERIOD + half, lost));
        assert_eq!(timeline.next(), Nanos(half + now));
    }

    #[test]
    fn rooms_of_one_rate_share_points_whenever_they_began() {
        for (tick_hz, began) in [(60, 1), (60, 3_600_000_000_007), (30, 77_777_777_777)] {
            let first = Timeline::new(Nanos(0), tick_hz, 1 << 30, Raster::default());
            let second = Timeline::new(Nanos(began), tick_hz, 1 << 30, Raster::default());
            let mut first = Timeline { count: second.count, ..first };
            assert_eq!(first.begin(second.next()).late, Duration::ZERO);
        }
    }

    /// All that there are.
    fn rasters() -> impl Iterator<Item = Raster> + Clone {
        let trains = |halved| (1..=Raster::WHOLE).map(move |train| Raster { halved, train });
        (0..=Raster::HALVED_MAX).flat_map(trains)
    }

    /// How busy a worker can be.
    fn loads() -> impl Iterator<Item = f64> {
        (1..=1000).map(|thousandths| f64::from(thousandths) / 1000.0)
    }

    #[test]
    fn another_raster_moves_a_deadline_by_less_than_points_are_apart() {
        let phases = (0..=u32::MAX).step_by(1 << 26);
        for (phase, tick_hz) in phases.zip([1, 20, 60, 128].into_iter().cycle()) {
            let pairs = rasters().flat_map(|from| rasters().map(move |to| (from, to)));
            for (from, to) in pairs {
                let mut timeline = Timeline::new(Nanos(1_234_567_890), tick_hz, phase, from);
                let (period, before) = (timeline.period_ns(), timeline);
                timeline.keep_to(to);
                let apart = |raster: Raster| period / raster.points(period);
                let moved = before.next().0.abs_diff(timeline.next().0);
                assert!(moved < apart(from).max(apart(to)), "{from:?} {to:?} {phase}");
                let behind = timeline.next().0 - timeline.point().0;
                let train = apart(to) * u64::from(to.train) / u64::from(Raster::WHOLE);
                assert!(behind < train, "{to:?} {phase}");
            }
        }
    }

    #[test]
    fn trains_are_a_little_longer_than_their_work() {
        for (busy, before) in loads().flat_map(|busy| rasters().map(move |from| (busy, from))) {
            let raster = before.suited(busy);
            let train = f64::from(raster.train) / 16.0;
            assert!(train >= (busy + 0.5 / 16.0).min(1.0), "{busy} {before:?}");
            assert!(train <= busy + 3.5 / 16.0, "{busy} {before:?}");
            let work = Raster::work_ns(raster.halved, busy);
            let finest = raster.halved == Raster::HALVED_MAX;
            assert!(finest || work <= Raster::WORK_MAX_NS * (1.0 - busy), "{busy} {before:?}");
        }
        let coarsest = Raster { halved: 0, train: 2 };
        let halved = [0.30, 0.45, 0.60, 0.75].map(|busy| coarsest.suited(busy).halved);
        assert_eq!(halved, [0, 1, 2, 3]);
    }

    #[test]
    fn rooms_are_spread_evenly_before_anything_is_known_of_the_load() {
        for phase in (0..=u32::MAX).step_by(1 << 20) {
            let (point, behind) = Raster::default().place(PERIOD, phase);
            let even = PERIOD as f64 * f64::from(phase) / 2.0_f64.powi(32);
            assert!(((point + behind) as f64 - even).abs() < 2.0, "{phase}");
        }
    }

    #[test]
    fn nothing_to_go_by_changes_no_raster() {
        assert!(rasters().all(|raster| raster.suited(0.0) == raster));
    }

    #[test]
    fn a_load_that_stays_is_met_by_a_raster_that_stays() {
        for (busy, before) in loads().flat_map(|busy| rasters().map(move |from| (busy, from))) {
            let settled = before.suited(busy);
            assert_eq!(settled.suited(busy), settled, "{busy} {before:?}");
            // Points do not go to and fro with a load that does a little.
            let less = busy * 0.9;
            let settled = settled.suited(less).suited(busy);
            assert_eq!(settled.suited(less).halved, settled.halved, "{busy} {before:?}");
            let chosen = before.suited(busy);
            if chosen.train != before.train {
                let near = [busy - 0.9 / 16.0, busy + 0.9 / 16.0];
                assert!(near.iter().all(|&near| chosen.suited(near).train == chosen.train));
            }
        }
    }

    #[test]
    fn a_turn_makes_up_for_what_was_missed_and_takes_three_steps_at_most() {
        for (phase, late) in (0..=u32::MAX).step_by(1 << 27).flat_map(|phase| {
            let lates = (0..10 * PERIOD).step_by(1_234_567);
            lates.map(move |late| (phase, late))
        }) {
            let mut timeline = Timeline::new(Nanos(0), HZ, phase, Raster { halved: 0, train: 9 });
            let (due, now) = (timeline.next(), timeline.point().after(Duration::from_nanos(late)));
            let (mut steps, mut lost) = (1, Duration::ZERO);
            loop {
                let begun = timeline.begin(now);
                lost += begun.lost;
                if !begun.behind {
                    break;
                }
                steps += 1;
            }
            let missed = late / PERIOD;
            assert_eq!(steps, (1 + missed).min(3), "{phase} {late}");
            let expected = PERIOD * missed.saturating_sub(2);
            assert_eq!(lost, Duration::from_nanos(expected), "{phase} {late}");
            assert!(timeline.point() > now, "{phase} {late}");
            assert_eq!(timeline.next().since(due), Duration::from_nanos((1 + missed) * PERIOD));
        }
    }

    #[test]
    fn a_room_that_is_two_steps_late_loses_nothing() {
        let mut timeline = Timeline::new(Nanos(0), HZ, 0, Raster::default());
        let now = 3 * PERIOD;
        for step in 1..=3 {
            assert_eq!(begin(&mut timeline, now).2, 0, "{step}");
        }
        assert_eq!(timeline.next(), Nanos(4 * PERIOD));
    }

    #[test]
    fn rooms_of_one_rate_are_spread_over_its_period() {
        let now = Nanos(1_234_567_890);
        let phases = [0, 1 << 30, 1 << 31, 3 << 30];
        let busy = Raster { halved: 0, train: Raster::WHOLE };
        for phase in phases {
            let next = Timeline::new(now, HZ, phase, busy).next();
            assert!(next > now && next.since(now) <= Duration::from_nanos(PERIOD));
            assert_eq!(next.0 % PERIOD, PERIOD / 4 * u64::from(phase >> 30));
        }
    }

    #[test]
    fn any_number_of_rooms_is_spread_evenly() {
        let rooms = Phases::default();
        let mut phases = vec![rooms.next()];
        for count in 2..=500 {
            phases.push(rooms.next());
            phases.sort_unstable();
            let after = phases.iter().cycle().skip(1);
            let gaps = phases.iter().zip(after).map(|(one, next)| next.wrapping_sub(*one));
            let (narrowest, widest) = (gaps.clone().min().unwrap(), gaps.max().unwrap());
            assert!(f64::from(widest) < 2.7 * f64::from(narrowest), "{count} rooms");
        }
    }

    #[tokio::test]
    async fn the_alarm_never_goes_off_early_and_can_be_set_anew() {
        let clock = Clock::new();
        let mut alarm = Alarm::precise().unwrap();
        let far = Nanos(clock.now().0 + 3600 * SECOND_NS);
        {
            // Given up before it went off.
            let waiting = std::pin::pin!(alarm.until(&clock, far));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.poll(&mut cx).is_pending());
        }
        for _ in 0..5 {
            let deadline = Nanos(clock.now().0 + 1_000_000);
            alarm.until(&clock, deadline).await;
            assert!(clock.now() >= deadline);
        }
    }
}
