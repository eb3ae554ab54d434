//! How busy a worker is, how far it is behind, and what it gives up when that is
//! too much.
//!
//! In this order: frames are sent less often, which coalescing makes free; new
//! rooms are refused; players are refused. What was granted is not taken away.
//!
//! To be busy is no harm: a worker that has much to do reads several inputs at
//! once ([`Reading`]), and a frame gets cheaper. To be late is. So
//! frames are given up by lateness alone; who comes and would add to the load is also
//! refused by the load.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::reading::Reading;

/// From this load on, no room is made.
const NO_ROOMS_FROM: f64 = 0.95;
/// From this load on, nobody is let in.
const NO_JOINS_FROM: f64 = 0.98;
/// How much the newest measurement counts.
const NEWEST: f64 = 0.5;
/// The runtime's clock and the world's differ by more if somebody turns the runtime's.
const CLOCKS_APART_MAX: Duration = Duration::from_millis(1);

/// A second is bad if one in so many steps began when the one after it was due already, so that
/// its frame was merged into the next. Merging alone evens out what is a little too much, and clients
/// get more by it than with every second frame given up, as long as it is less than half.
const BAD_FROM_ONE_IN: u32 = 3;
/// Bad seconds in a row after which more is given up; one alone is a hiccup.
const BAD_MAX: u32 = 2;
/// Seconds without a bad one after which less is given up.
const REST: u32 = 5;
/// The same after it was too early several times: it doubles each time.
const REST_MAX: u32 = 80;
/// It was too early if more is given up again within so many seconds.
const TOO_EARLY: u32 = 20;

const _: () = {
    assert!(NO_ROOMS_FROM < NO_JOINS_FROM);
    assert!(NO_JOINS_FROM <= 1.0, "a thread is not busier than always");
    assert!(BAD_MAX < REST && REST < REST_MAX);
};

/// What a worker gives up, because steps begin too late.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Shedding {
    /// Nothing.
    #[default]
    Nothing,
    /// Frames are sent half as often.
    Frames,
    /// They are sent a quarter as often, and no room is made.
    Rooms,
    /// Also, nobody is let in.
    Joins,
}

impl Shedding {
    const ALL: [Shedding; 4] =
        [Shedding::Nothing, Shedding::Frames, Shedding::Rooms, Shedding::Joins];

    /// Clients get every so many of a room's frames.
    pub(crate) fn send_every(self) -> u32 {
        match self {
            Shedding::Nothing => 1,
            Shedding::Frames => 2,
            Shedding::Rooms | Shedding::Joins => 4,
        }
    }

    fn more(self) -> Shedding {
        Self::ALL[(self as usize + 1).min(Self::ALL.len() - 1)]
    }

    fn less(self) -> Shedding {
        Self::ALL[(self as usize).saturating_sub(1)]
    }
}

/// The steps of a second.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Steps {
    pub(super) all: u32,
    /// Those that began when the one after them was due already: no frame was made of them.
    pub(super) behind: u32,
}

impl Steps {
    pub(super) fn count(&mut self, behind: bool) {
        self.all += 1;
        self.behind += u32::from(behind);
    }

    fn bad(self) -> bool {
        self.behind > 0 && self.behind.saturating_mul(BAD_FROM_ONE_IN) >= self.all
    }
}

/// Decides what is given up, a second at a time. Pure.
///
/// What is given up makes the worker be on time again, which says nothing of how it would be
/// without: that is found by trying, and less and less often if it goes wrong.
#[derive(Debug)]
pub(super) struct Ladder {
    sheds: Shedding,
    /// Seconds in a row, the newest last, that were bad, or were not.
    bad: u32,
    good: u32,
    /// Seconds without a bad one after which less is given up.
    rest: u32,
    /// Seconds since less was given up last.
    tried: u32,
}

impl Default for Ladder {
    fn default() -> Self {
        Ladder { sheds: Shedding::Nothing, bad: 0, good: 0, rest: REST, tried: TOO_EARLY }
    }
}

impl Ladder {
    /// A second is over; what is given up from now on.
    pub(super) fn second(&mut self, steps: Steps) -> Shedding {
        self.tried = self.tried.saturating_add(1);
        if steps.bad() {
            (self.bad, self.good) = (self.bad + 1, 0);
        } else {
            (self.bad, self.good) = (0, self.good.saturating_add(1));
        }
        if self.bad >= BAD_MAX {
            self.bad = 0;
            if self.tried <= TOO_EARLY {
                self.rest = (2 * self.rest).min(REST_MAX);
            }
            // What comes next is no answer to what was tried.
            self.tried = TOO_EARLY;
            self.sheds = self.sheds.more();
        } else if self.good >= self.rest && self.sheds > Shedding::Nothing {
            (self.good, self.tried) = (0, 0);
            self.sheds = self.sheds.less();
        } else if self.good >= REST_MAX {
            self.rest = REST;
        }
        self.sheds
    }
}

/// Smooths the share of time that a worker is busy. Pure.
#[derive(Debug, Default)]
struct Meter {
    load: f64,
}

impl Meter {
    /// The worker was busy for a share of the newest time.
    fn measured(&mut self, newest: f64) -> f64 {
        self.load += (newest - self.load) * NEWEST;
        self.load
    }
}

/// Measures how busy the thread is.
pub(super) struct BusyMeter {
    meter: Meter,
    since: Instant,
    since_in_world: std::time::Instant,
    busy: Duration,
}

/// How busy a worker is: shares of time, 0 to 1.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Busy {
    /// Since it was measured last; 0 if that cannot be told.
    pub(super) newest: f64,
    /// Over the last seconds.
    pub(super) load: f64,
}

impl BusyMeter {
    pub(super) fn new() -> BusyMeter {
        BusyMeter {
            meter: Meter::default(),
            since: Instant::now(),
            since_in_world: std::time::Instant::now(),
            busy: busy(),
        }
    }

    pub(super) fn measure(&mut self) -> Busy {
        let (now, in_world, busy) = (Instant::now(), std::time::Instant::now(), busy());
        let (of, newest) = (now - self.since, busy.saturating_sub(self.busy));
        let apart = of.abs_diff(in_world - self.since_in_world);
        (self.since, self.since_in_world, self.busy) = (now, in_world, busy);
        if apart > CLOCKS_APART_MAX || of.is_zero() {
            // Tasks are busy in the world's time: a simulation's clock says nothing of it.
            return Busy { newest: 0.0, load: self.meter.load };
        }
        let newest = (newest.as_secs_f64() / of.as_secs_f64()).min(1.0);
        Busy { newest, load: self.meter.measured(newest) }
    }
}

/// Time that this runtime has spent in tasks rather than in waiting.
fn busy() -> Duration {
    tokio::runtime::Handle::current().metrics().worker_total_busy_duration(0)
}

/// What others may know of a worker's load: written by it once a second and when
/// a room comes or goes, read by who looks for a worker. No tick touches it.
#[derive(Debug, Default)]
pub struct Load {
    /// Thousandths.
    busy: AtomicU32,
    /// Which of [`Shedding::ALL`].
    sheds: AtomicU8,
    /// The number of a [`Reading`].
    reading: AtomicU8,
    rooms: AtomicUsize,
}

impl Load {
    /// The share of time that the worker is busy, 0 to 1, over the last seconds.
    pub fn busy(&self) -> f64 {
        f64::from(self.busy.load(Ordering::Relaxed)) / 1000.0
    }

    /// Rooms of the worker.
    pub fn rooms(&self) -> usize {
        self.rooms.load(Ordering::Relaxed)
    }

    /// What the worker gives up now, because it is late.
    pub fn shedding(&self) -> Shedding {
        let sheds = usize::from(self.sheds.load(Ordering::Relaxed));
        Shedding::ALL.get(sheds).copied().unwrap_or_default()
    }

    /// When the worker reads what comes.
    pub fn reading(&self) -> Reading {
        Reading::of(self.reading.load(Ordering::Relaxed))
    }

    /// Whether a room may be made.
    pub fn takes_rooms(&self) -> bool {
        self.shedding() < Shedding::Rooms && self.busy() < NO_ROOMS_FROM
    }

    /// Whether somebody may be let in.
    pub fn takes_joins(&self) -> bool {
        self.shedding() < Shedding::Joins && self.busy() < NO_JOINS_FROM
    }

    pub(super) fn set_busy(&self, load: f64) {
        self.busy.store((load * 1000.0) as u32, Ordering::Relaxed);
    }

    pub(super) fn set_shedding(&self, sheds: Shedding) {
        self.sheds.store(sheds as u8, Ordering::Relaxed);
    }

    pub(super) fn set_reading(&self, reading: Reading) {
        self.reading.store(reading as u8, Ordering::Relaxed);
    }

    pub(super) fn set_rooms(&self, rooms: usize) {
        self.rooms.store(rooms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Steps = Steps { all: 900, behind: 299 };
    const BAD: Steps = Steps { all: 900, behind: 300 };

    /// What is given up after each of so many seconds of a worker whose work, less what is
    /// given up, takes more or less than the time that there is.
    fn course(work: f64, seconds: usize) -> Vec<Shedding> {
        let mut ladder = Ladder::default();
        let second = |_| {
            // Half of the work is sending, and what is merged is not sent.
            let sending = work * 0.5 / f64::from(ladder.sheds.send_every());
            let too_much = work * 0.5 + sending - 1.0;
            let merged = (too_much / sending).clamp(0.0, 2.0 / 3.0);
            ladder.second(Steps { all: 900, behind: (900.0 * merged) as u32 })
        };
        (0..seconds).map(second).collect()
    }

    fn changes(course: &[Shedding]) -> usize {
        course.windows(2).filter(|two| two[0] != two[1]).count()
    }

    #[test]
    fn frames_are_given_up_before_rooms_and_rooms_before_players() {
        let mut ladder = Ladder::default();
        let mut seen: Vec<_> = (0..20).map(|_| ladder.second(BAD)).collect();
        seen.dedup();
        assert_eq!(seen, Shedding::ALL);
    }

    #[test]
    fn who_is_on_time_or_makes_up_for_it_gives_up_nothing() {
        for work in [0.5, 0.999, 1.05, 1.15] {
            assert!(course(work, 600).iter().all(|sheds| *sheds == Shedding::Nothing), "{work}");
        }
        let mut ladder = Ladder::default();
        assert!((0..600).all(|_| ladder.second(GOOD) == Shedding::Nothing));
    }

    #[test]
    fn a_hiccup_gives_up_nothing() {
        let mut ladder = Ladder::default();
        for second in 0..600 {
            let steps = if second % 3 == 0 { BAD } else { GOOD };
            assert_eq!(ladder.second(steps), Shedding::Nothing);
        }
    }

    #[test]
    fn too_much_work_is_met_within_seconds() {
        for work in [1.21, 1.3, 1.4] {
            let course = course(work, 5);
            assert_eq!(course.last(), Some(&Shedding::Frames), "{work}: {course:?}");
        }
    }

    #[test]
    fn too_much_work_that_stays_is_tried_less_and_less_often() {
        for work in [1.21, 1.4, 1.6] {
            let (first, later) = (course(work, 60), course(work, 660));
            // Each trial is a step down and a step up.
            assert!(changes(&first) <= 11, "{work}: {}", changes(&first));
            assert!(changes(&later[60..]) <= 2 * 600 / REST_MAX as usize + 4, "{work}");
            assert!(later[60..].iter().all(|sheds| *sheds < Shedding::Joins), "{work}");
        }
    }

    #[test]
    fn when_the_load_has_gone_everything_is_given_again_in_bounded_time() {
        for bad in 0..200 {
            let mut ladder = Ladder::default();
            // Bad seconds with good ones between them, in many mixtures.
            for second in 0..bad {
                ladder.second(if second % 17 < 9 + bad % 8 { BAD } else { GOOD });
            }
            let last = (0..3 * REST_MAX).map(|_| ladder.second(GOOD)).last();
            assert_eq!(last, Some(Shedding::Nothing));
            for _ in 0..REST_MAX {
                ladder.second(GOOD);
            }
            assert_eq!(ladder.rest, REST, "and the next time is like the first");
        }
    }

    #[test]
    fn it_goes_a_step_at_a_time_and_never_without_a_reason() {
        // All courses of 18 seconds, good or bad.
        for course in 0..1_u32 << 18 {
            let mut ladder = Ladder::default();
            let mut before = Shedding::Nothing;
            for second in 0..18 {
                let now = ladder.second(if course >> second & 1 == 1 { BAD } else { GOOD });
                let up = now == before.more() && course << 1 >> second & 0b11 == 0b11;
                let down = now == before.less() && course >> second & 1 == 0;
                assert!(now == before || up || down, "{course:b} at {second}");
                before = now;
            }
        }
    }

    #[test]
    fn who_adds_to_the_load_is_refused_by_load_as_well() {
        let load = Load::default();
        let mut seen = Vec::new();
        for thousandths in 0..=1000 {
            load.set_busy(f64::from(thousandths) / 1000.0);
            let takes = (load.shedding(), load.takes_rooms(), load.takes_joins());
            if seen.last() != Some(&takes) {
                seen.push(takes);
            }
        }
        let nothing = Shedding::Nothing;
        assert_eq!(seen, [(nothing, true, true), (nothing, false, true), (nothing, false, false)]);
        load.set_busy(0.5);
        let takes = Shedding::ALL.map(|sheds| {
            load.set_shedding(sheds);
            (load.takes_rooms(), load.takes_joins())
        });
        assert_eq!(takes, [(true, true), (true, true), (false, true), (false, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_turned_by_hand_says_nothing_of_the_load() {
        let mut meter = BusyMeter::new();
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            tokio::time::advance(Duration::from_millis(5)).await;
            assert_eq!(meter.measure(), Busy::default());
        }
    }

    #[test]
    fn one_busy_second_is_no_overload_but_several_are() {
        let (mut meter, load) = (Meter::default(), Load::default());
        load.set_busy(meter.measured(1.0));
        assert!(load.takes_rooms());
        for _ in 0..5 {
            meter.measured(1.0);
        }
        load.set_busy(meter.load);
        assert!(!load.takes_joins());
        for _ in 0..2 {
            meter.measured(0.0);
        }
        load.set_busy(meter.load);
        assert!(load.takes_rooms());
    }
}
