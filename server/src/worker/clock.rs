//! When a room's next step is due, and waiting for it.
//!
//! Deadlines are absolute: a late step does not move the ones after it. A room
//! that is late takes at most [`CATCH_UP_MAX`] steps in a row without a pause;
//! then it goes on with the last deadline that has passed, and the time between is lost.
//!
//! Waking up for a step takes as long as sending one frame, so rooms share deadlines:
//! those that would be close to each other are on the same point of a [`Raster`].

use std::cell::Cell;
use std::io;
use std::time::Duration;

use tickwire_protocol::Time;
use tokio::time::Instant;

/// Steps that a late room may take without a pause.
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

/// How far the points are apart on which deadlines of rooms lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Raster {
    apart_ns: u64,
}

impl Default for Raster {
    fn default() -> Self {
        Raster { apart_ns: 500_000 }
    }
}

impl Raster {
    /// From the coarsest, with 500 wake-ups a second, to the finest.
    const ALL_NS: [u64; 5] = [2_000_000, 1_000_000, 500_000, 250_000, 125_000];
    /// The work of a point takes at most so long: the last of the rooms that share it
    /// waits for the others.
    const WORK_MAX_NS: f64 = 400_000.0;
    /// As many steps as this fit between two points, or each room has its own: where two
    /// would have to share what one alone nearly fills, they wait for each other and the
    /// next point has nothing to do.
    const STEPS_MIN: f64 = 4.0;
    /// A period has at least so many points.
    const POINTS_MIN: u64 = 4;
    /// A coarser grid has to be good for this much more work than there is.
    const COARSER_FOR: f64 = 1.25;

    /// The grid that suits a worker which was busy for a share of a second with so many
    /// steps; this one if there is nothing to go by.
    pub(crate) fn suited(self, busy: f64, steps: u32) -> Raster {
        if busy <= 0.0 || steps == 0 {
            return self;
        }
        let step_ns = busy * SECOND_NS as f64 / f64::from(steps);
        let fits = |&apart_ns: &u64| {
            let work = if apart_ns > self.apart_ns { Self::COARSER_FOR } else { 1.0 };
            let apart = apart_ns as f64;
            apart * busy * work <= Self::WORK_MAX_NS && step_ns * work * Self::STEPS_MIN <= apart
        };
        let finest = Self::ALL_NS[Self::ALL_NS.len() - 1];
        Raster { apart_ns: Self::ALL_NS.into_iter().find(fits).unwrap_or(finest) }
    }

    /// Where on the grid a phase is, a part of 2^32 of a period.
    fn point(self, period_ns: u64, phase: u32) -> u64 {
        let points = (period_ns / self.apart_ns).max(Self::POINTS_MIN);
        let point = (points * u64::from(phase)) >> 32;
        period_ns * point / points
    }
}

/// The deadlines of one room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    tick_hz: u64,
    /// Which part of a period is the room's, of 2^32.
    phase: u32,
    /// The same on the grid.
    offset_ns: u64,
    /// Whole periods from the origin to the next deadline, which is so much later.
    count: u64,
    /// Steps in a row that began when the one after them was due already.
    behind: u32,
}

/// A step that begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    /// The deadline that the step stands for.
    pub(crate) deadline: Nanos,
    /// How long after its deadline the step begins.
    pub(crate) late: Duration,
    /// The step after it is due already.
    pub(crate) behind: bool,
    /// Time that was given up, with the steps that it had room for.
    pub(crate) lost: Duration,
}

impl Timeline {
    /// Deadlines from now on. `phase`, a part of 2^32, spreads rooms over a period.
    pub(crate) fn new(now: Nanos, tick_hz: u32, phase: u32, grid: Raster) -> Timeline {
        let tick_hz = u64::from(tick_hz.max(1));
        let mut timeline = Timeline { tick_hz, phase, offset_ns: 0, count: 0, behind: 0 };
        timeline.keep_to(grid);
        timeline.count =
            now.0.checked_sub(timeline.offset_ns).map_or(0, |since| timeline.periods(since) + 1);
        timeline
    }

    /// Moves the deadlines to a grid, by less than it is apart.
    pub(crate) fn keep_to(&mut self, grid: Raster) {
        self.offset_ns = grid.point(self.period_ns(), self.phase);
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

    /// The due step begins.
    pub(crate) fn begin(&mut self, now: Nanos) -> Begun {
        let due = self.next();
        let late = now.since(due);
        let behind = late >= Duration::from_nanos(self.period_ns());
        self.behind = if behind { self.behind + 1 } else { 0 };
        if self.behind > CATCH_UP_MAX {
            // The room keeps its phase, so that rooms which were held up together do not
            // stay together.
            self.count += self.periods(now.0.saturating_sub(due.0));
            self.behind = 0;
        }
        let deadline = self.next();
        self.count += 1;
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

    #[test]
    fn deadlines_move_by_less_than_the_grid_is_apart() {
        let all = Raster::ALL_NS.map(|apart_ns| Raster { apart_ns });
        for phase in (0..=u32::MAX).step_by(1 << 24) {
            for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to))) {
                let mut timeline = Timeline::new(Nanos(1_234_567_890), HZ, phase, from);
                let before = timeline.next();
                timeline.keep_to(to);
                let most = PERIOD / Raster::POINTS_MIN.max(PERIOD / from.apart_ns.max(to.apart_ns));
                assert!(before.0.abs_diff(timeline.next().0) < most, "{from:?} {to:?} {phase}");
            }
        }
    }

    #[test]
    fn cheap_rooms_share_points_and_dear_ones_have_their_own() {
        let suited = |busy, steps| Raster::default().suited(busy, steps).apart_ns;
        // Rooms of 8 at 60 Hz, and the same when there is much more to do.
        assert_eq!(suited(0.1, 3_750), 2_000_000);
        assert_eq!(suited(0.3, 3_750), 1_000_000);
        assert_eq!(suited(0.7, 15_000), 500_000);
        // Rooms of 50 at 20 Hz.
        assert_eq!(suited(0.7, 1_600), 125_000);
    }

    #[test]
    fn nothing_to_go_by_changes_no_grid() {
        for apart_ns in Raster::ALL_NS {
            let grid = Raster { apart_ns };
            assert_eq!((grid.suited(0.0, 100), grid.suited(0.5, 0)), (grid, grid));
        }
    }

    #[test]
    fn a_load_that_stays_is_met_by_a_grid_that_stays() {
        for (thousandths, steps) in (1..1000).flat_map(|it| [(it, 200), (it, 2_000), (it, 9_000)]) {
            let busy = f64::from(thousandths) / 1000.0;
            let settled = Raster::default().suited(busy * 0.9, steps).suited(busy, steps);
            assert_eq!(settled.suited(busy * 0.9, steps), settled, "{busy} {steps}");
            assert_eq!(settled.suited(busy, steps), settled, "{busy} {steps}");
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
        for phase in phases {
            let next = Timeline::new(now, HZ, phase, Raster::default()).next();
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
