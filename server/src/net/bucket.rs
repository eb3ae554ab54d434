//! A token bucket. Pure: the time is an argument, as the age of the connection.

use std::time::Duration;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// How many come back each second.
    pub per_second: u32,
}

/// The tokens that are left of a [`Rate`].
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    /// Billionths of a token, so that no fraction is lost; at most the burst.
    nanotokens: u64,
    /// The age at which `nanotokens` was right.
    filled_at: Duration,
}

const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, nanotokens: u64::from(rate.burst) * TOKEN, filled_at: Duration::ZERO }
    }

    /// Takes one token, or says that there is none. A clock that steps back adds nothing.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.filled_at).as_nanos();
        let gained = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let gained = gained.saturating_mul(u64::from(self.rate.per_second));
        let full = u64::from(self.rate.burst) * TOKEN;
        self.nanotokens = self.nanotokens.saturating_add(gained).min(full);
        self.filled_at = self.filled_at.max(now);
        match self.nanotokens.checked_sub(TOKEN) {
            Some(rest) => {
                self.nanotokens = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_granted_then_the_rate() {
        let mut bucket = Bucket::new(Rate { burst: 3, per_second: 2 });
        assert_eq!((0..4).filter(|_| bucket.take(millis(0))).count(), 3);
        assert!(!bucket.take(millis(499)));
        assert!(bucket.take(millis(500)));
        assert!(!bucket.take(millis(500)));
    }

    #[test]
    fn tokens_do_not_pile_up_beyond_the_burst() {
        let mut bucket = Bucket::new(Rate { burst: 3, per_second: 1000 });
        assert_eq!((0..10).filter(|_| bucket.take(millis(1_000_000))).count(), 3);
        assert!(Bucket::new(Rate { burst: u32::MAX, per_second: u32::MAX }).take(Duration::MAX));
    }

    #[test]
    fn a_clock_that_steps_back_adds_nothing() {
        let mut bucket = Bucket::new(Rate { burst: 1, per_second: 1 });
        assert!(bucket.take(millis(5000)));
        assert!(!bucket.take(millis(0)));
        assert!(!bucket.take(millis(5999)));
        assert!(bucket.take(millis(6000)));
    }
}
