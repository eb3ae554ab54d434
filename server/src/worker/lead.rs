//! How long before a deadline a worker wakes up: what has come is read before a step, and
//! the step is to begin on time.

use std::cell::Cell;
use std::time::Duration;

/// Follows how long reading takes.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    /// Nanoseconds, a mean in which a reading counts the less the longer ago it was.
    usual: Cell<u64>,
}

impl Lead {
    /// A reading counts for one part of so many.
    const PARTS: u64 = 16;
    /// What takes longer was not the usual reading; steps do not begin earlier than this.
    const MOST_NS: u64 = 500_000;

    /// The sockets were read, which took so long.
    pub(crate) fn took(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(Self::MOST_NS);
        let usual = self.usual.get();
        self.usual.set(usual - usual / Self::PARTS + ns / Self::PARTS);
    }

    /// How long before a deadline reading begins.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.usual.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_reading_takes_within_bounds() {
        let lead = Lead::default();
        assert_eq!(lead.time(), Duration::ZERO);
        let after = |us, times| {
            (0..times).for_each(|_| lead.took(Duration::from_micros(us)));
            lead.time().as_micros()
        };
        assert!((95..=100).contains(&after(100, 100)));
        // One long reading says little.
        assert!((100..=130).contains(&after(50_000, 1)));
        assert!((480..=500).contains(&after(50_000, 100)));
        assert!(after(0, 200) < 5);
    }
}
