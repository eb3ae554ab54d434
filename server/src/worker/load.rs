//! How busy a worker is, and what it gives up when that is too much.
//!
//! In this order: frames are sent less often, which coalescing makes free; new
//! rooms are refused; players are refused. What was granted is not taken away.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// From this load on, clients get every second frame.
const SEND_LESS_FROM: f64 = 0.90;
/// From this load on, clients get every fourth frame, and no room is made.
const NO_ROOMS_FROM: f64 = 0.95;
/// From this load on, nobody is let in.
const NO_JOINS_FROM: f64 = 0.98;
/// How much the newest measurement counts.
const NEWEST: f64 = 0.5;
/// The runtime's clock and the world's differ by more if somebody turns the runtime's.
const CLOCKS_APART_MAX: Duration = Duration::from_millis(1);

const _: () = {
    assert!(SEND_LESS_FROM < NO_ROOMS_FROM && NO_ROOMS_FROM < NO_JOINS_FROM);
    assert!(NO_JOINS_FROM <= 1.0, "a thread is not busier than always");
};

/// What a worker gives up at its load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Shedding {
    /// Nothing.
    Nothing,
    /// Frames are sent half as often.
    Frames,
    /// Also, no room is made.
    Rooms,
    /// Also, nobody is let in.
    Joins,
}

impl Shedding {
    fn at(load: f64) -> Shedding {
        match load {
            load if load >= NO_JOINS_FROM => Shedding::Joins,
            load if load >= NO_ROOMS_FROM => Shedding::Rooms,
            load if load >= SEND_LESS_FROM => Shedding::Frames,
            _ => Shedding::Nothing,
        }
    }

    /// Clients get every so many of a room's frames.
    pub(crate) fn send_every(self) -> u32 {
        match self {
            Shedding::Nothing => 1,
            Shedding::Frames => 2,
            Shedding::Rooms | Shedding::Joins => 4,
        }
    }
}

/// Smooths the share of time that a worker is busy. Pure.
#[derive(Debug, Default)]
struct Meter {
    load: f64,
}

impl Meter {
    /// The worker was busy for so long of so much time.
    fn measured(&mut self, busy: Duration, of: Duration) -> f64 {
        if !of.is_zero() {
            let newest = (busy.as_secs_f64() / of.as_secs_f64()).min(1.0);
            self.load += (newest - self.load) * NEWEST;
        }
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

impl BusyMeter {
    pub(super) fn new() -> BusyMeter {
        BusyMeter {
            meter: Meter::default(),
            since: Instant::now(),
            since_in_world: std::time::Instant::now(),
            busy: busy(),
        }
    }

    pub(super) fn measure(&mut self) -> f64 {
        let (now, in_world, busy) = (Instant::now(), std::time::Instant::now(), busy());
        let (of, newest) = (now - self.since, busy.saturating_sub(self.busy));
        let apart = of.abs_diff(in_world - self.since_in_world);
        (self.since, self.since_in_world, self.busy) = (now, in_world, busy);
        if apart > CLOCKS_APART_MAX {
            // Tasks are busy in the world's time: a simulation's clock says nothing of it.
            return self.meter.load;
        }
        self.meter.measured(newest, of)
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

    /// What the worker gives up now.
    pub fn shedding(&self) -> Shedding {
        Shedding::at(self.busy())
    }

    pub(super) fn set_busy(&self, load: f64) {
        self.busy.store((load * 1000.0) as u32, Ordering::Relaxed);
    }

    pub(super) fn set_rooms(&self, rooms: usize) {
        self.rooms.store(rooms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_given_up_before_rooms_and_rooms_before_players() {
        let load = Load::default();
        let mut seen = Vec::new();
        for thousandths in 0..=1000 {
            load.set_busy(f64::from(thousandths) / 1000.0);
            if seen.last() != Some(&load.shedding()) {
                seen.push(load.shedding());
            }
        }
        use Shedding::*;
        assert_eq!(seen, [Nothing, Frames, Rooms, Joins]);
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
            assert_eq!(meter.measure(), 0.0);
        }
    }

    #[test]
    fn one_busy_second_is_no_overload_but_several_are() {
        let mut meter = Meter::default();
        let second = Duration::from_secs(1);
        assert_eq!(Shedding::at(meter.measured(second, second)), Shedding::Nothing);
        for _ in 0..5 {
            meter.measured(second, second);
        }
        assert_eq!(Shedding::at(meter.load), Shedding::Joins);
        for _ in 0..2 {
            meter.measured(Duration::ZERO, second);
        }
        assert_eq!(Shedding::at(meter.load), Shedding::Nothing);
    }
}
