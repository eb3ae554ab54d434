//! How often a client may do something.

use std::hint::black_box;

use tickwire_protocol::Time;

/// A burst, and a rate at which it comes back: the generic cell rate algorithm,
/// which keeps one point in time and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    /// Microseconds that one use costs.
    cost: u64,
    /// Microseconds that may be borrowed: the burst but for one.
    loan: u64,
    /// Until when all that was granted is paid for.
    paid: Time,
}

impl Limiter {
    /// `burst` at once, and `per_second` over time; both at least 1.
    pub(crate) fn new(burst: u32, per_second: u32) -> Limiter {
        let cost = 1_000_000 / u64::from(per_second.max(1));
        Limiter { cost, loan: cost * u64::from(burst.max(1) - 1), paid: Time(0) }
    }

    /// Whether it may happen once more. A clock that steps back grants nothing.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        if self.paid.0 > now.0.saturating_add(self.loan) {
            return false;
        }
        self.paid = Time(self.paid.max(now).0.saturating_add(self.cost));
        true
    }

    /// Brings it into the processor's cache.
    pub(crate) fn warm(&self) {
        black_box(self.paid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_granted_then_the_rate() {
        let mut limiter = Limiter::new(3, 2);
        let at = Time::from_millis(10_000);
        assert_eq!((0..9).filter(|_| limiter.take(at)).count(), 3);
        assert!(!limiter.take(Time::from_millis(10_499)));
        assert!(limiter.take(Time::from_millis(10_500)));
        assert!(!limiter.take(Time::from_millis(9_000)), "time steps back");
        assert_eq!((0..9).filter(|_| limiter.take(Time::from_millis(60_000))).count(), 3);
    }
}
