//! How late ticks begin.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Lateness above this counts as this much.
const LATE_MAX: Duration = Duration::from_secs(60);
/// Decimal digits that are kept.
const DIGITS: u8 = 3;

/// The distribution of the time between a tick's deadline and its beginning, of
/// one worker or of several, and what was given up.
#[derive(Clone, Debug)]
pub struct Lateness {
    /// Microseconds.
    late: Histogram<u64>,
    /// Time that was lost where rooms could not catch up.
    lost: Duration,
    /// How often that was.
    reanchored: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        let max_us = u64::try_from(LATE_MAX.as_micros()).unwrap_or(u64::MAX);
        let late = Histogram::new_with_max(max_us, DIGITS)
            .expect("the maximum is at least 2, and the digits at most 5");
        Lateness { late, lost: Duration::ZERO, reanchored: 0 }
    }
}

impl Lateness {
    /// A tick began; nothing is allocated.
    pub(super) fn record(&mut self, late: Duration, lost: Duration) {
        self.late.saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
        if !lost.is_zero() {
            self.lost += lost;
            self.reanchored += 1;
        }
    }

    /// Adds those of another worker.
    pub fn add(&mut self, other: &Lateness) {
        // Both have the same range.
        let _ = self.late.add(&other.late);
        self.lost += other.lost;
        self.reanchored += other.reanchored;
    }

    /// What came after `earlier`, a state that this distribution has been in.
    pub fn since(&self, earlier: &Lateness) -> Lateness {
        let mut late = self.late.clone();
        // Counts only grow, so an earlier state can be taken away.
        let _ = late.subtract(&earlier.late);
        Lateness {
            late,
            lost: self.lost.saturating_sub(earlier.lost),
            reanchored: self.reanchored.saturating_sub(earlier.reanchored),
        }
    }

    /// The lateness that this share of the ticks (0 to 1) does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.late.value_at_quantile(share))
    }

    /// Ticks that began.
    pub fn ticks(&self) -> u64 {
        self.late.len()
    }

    /// Time that was lost where rooms could not catch up.
    pub fn lost(&self) -> Duration {
        self.lost
    }

    /// How often rooms could not catch up.
    pub fn reanchored(&self) -> u64 {
        self.reanchored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_workers_saw_adds_up() {
        let mut all = Lateness::default();
        for late_us in [100, 200, 300_000_000] {
            let mut one = Lateness::default();
            one.record(Duration::from_micros(late_us), Duration::from_micros(late_us / 200));
            all.add(&one);
        }
        assert_eq!((all.ticks(), all.reanchored()), (3, 2));
        assert_eq!(all.quantile(0.3), Duration::from_micros(100));
        assert!(all.quantile(1.0) >= LATE_MAX);
        assert_eq!(all.lost(), Duration::from_micros(1_500_001));
    }

    #[test]
    fn what_came_later_is_told_apart() {
        let mut late = Lateness::default();
        late.record(Duration::from_millis(50), Duration::from_millis(20));
        let joined = late.clone();
        late.record(Duration::from_micros(100), Duration::ZERO);
        let played = late.since(&joined);
        assert_eq!((played.ticks(), played.reanchored(), played.lost()), (1, 0, Duration::ZERO));
        assert_eq!(played.quantile(1.0), Duration::from_micros(100));
        assert_eq!(late.since(&late).ticks(), 0);
    }
}
