//! When what comes from the clients of a room is read.
//!
//! ```text
//!              busy ≥ 0.10           busy ≥ 0.92
//!   AtOnce ───────────────→ EachStep ───────────────→ EverySecond
//!          ←───────────────          ←───────────────
//!              busy < 0.06           busy < 0.70
//! ```
//!
//! A worker with little to do reads at once: a ping or a command is answered without delay. With more
//! to do it reads a room's clients right before the room's step. Inputs are needed no sooner, and
//! the kernel's part of a read and a write gets cheaper by an eighth if they follow each other.
//! If hardly any time is left it reads before every second step: then one read finds two
//! inputs. The older of them is late by a tick, which a client whose inputs come late makes up for;
//! nobody gets a frame less.
//!
//! A room that is late takes several steps in one turn: its clients are read before the turn, not between its steps.

use std::cell::Cell;

/// When what comes is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Reading {
    /// Whenever somebody's step is due, or a few milliseconds after the last time.
    #[default]
    AtOnce,
    /// Right before each step of the room.
    EachStep,
    /// Right before every second step of the room.
    EverySecond,
}

/// Rooms that step less often than this are always read at once: nobody is to wait for longer.
pub(super) const HZ_MIN: u32 = 15;

/// What makes it change: the share of a second that the worker was busy.
const EACH_STEP_FROM: f64 = 0.10;
const AT_ONCE_BELOW: f64 = 0.06;
const EVERY_SECOND_FROM: f64 = 0.92;
const EACH_STEP_BELOW: f64 = 0.70;

const _: () = {
    // What a change saves does not change it back: an eighth, and half of the reads, which are
    // less than half of the work.
    assert!(AT_ONCE_BELOW < EACH_STEP_FROM * 0.8);
    assert!(EACH_STEP_BELOW < EVERY_SECOND_FROM * 0.78);
};

impl Reading {
    const ALL: [Reading; 3] = [Reading::AtOnce, Reading::EachStep, Reading::EverySecond];

    /// By its number, as metrics tell it.
    pub(super) fn of(number: u8) -> Reading {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// A second is over, of which the worker was busy for a share.
    #[must_use]
    pub(super) fn after(self, busy: f64) -> Reading {
        let most = if busy >= EACH_STEP_BELOW {
            Reading::EverySecond
        } else if busy >= AT_ONCE_BELOW {
            Reading::EachStep
        } else {
            Reading::AtOnce
        };
        let least = if busy >= EVERY_SECOND_FROM {
            Reading::EverySecond
        } else if busy >= EACH_STEP_FROM {
            Reading::EachStep
        } else {
            Reading::AtOnce
        };
        self.clamp(least, most)
    }

    /// A room's clients are read before one of so many steps; none if it is not steps that
    /// they are read with.
    pub(super) fn steps(self) -> u32 {
        self as u32
    }

    /// Whether a room's clients are read before a step; `passed` is the room's memory.
    pub(super) fn is_due(self, passed: &Cell<bool>) -> bool {
        let passes = self == Reading::EverySecond && !passed.get();
        passed.set(passes);
        !passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_little_to_do_reads_at_once_and_who_has_too_much_reads_half() {
        use Reading::{AtOnce, EachStep, EverySecond};
        let mut seen = Vec::new();
        for percent in (0..=100).chain((0..100).rev()) {
            let before = seen.last().map_or(AtOnce, |&(_, reading)| reading);
            let reading = before.after(f64::from(percent) / 100.0);
            if seen.last().is_none_or(|&(_, last)| last != reading) {
                seen.push((percent, reading));
            }
        }
        let expected =
            [(0, AtOnce), (10, EachStep), (92, EverySecond), (69, EachStep), (5, AtOnce)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_sudden_load_is_met_within_a_second() {
        assert_eq!(Reading::AtOnce.after(1.0), Reading::EverySecond);
        assert_eq!(Reading::EverySecond.after(0.0), Reading::AtOnce);
    }

    #[test]
    fn every_second_step_is_passed_over_only_when_time_is_short() {
        let passed = Cell::new(false);
        let due = |reading: Reading| [0; 6].map(|_| reading.is_due(&passed));
        assert_eq!(due(Reading::EachStep), [true; 6]);
        assert_eq!(due(Reading::EverySecond), [false, true, false, true, false, true]);
        assert!(!Reading::EverySecond.is_due(&passed));
        // Nothing that was passed over waits for longer than a step.
        assert_eq!(due(Reading::AtOnce), [true; 6]);
        assert!(!Reading::EverySecond.is_due(&passed));
        assert_eq!(due(Reading::EachStep), [true; 6]);
    }

    #[test]
    fn a_number_is_one_of_them() {
        for reading in Reading::ALL {
            assert_eq!(Reading::of(reading as u8), reading);
        }
    }
}
