//! Ticks and points in time.
//!
//! This crate never reads a clock: the caller says what time it is. A [`Time`]
//! counts microseconds from any origin that the caller keeps to.

use core::ops::{Add, Sub};
use core::time::Duration;

/// The number of a room's step, counted from 0 and never skipped.
///
/// 32 bits last 828 days at 60 Hz; a room ends before that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tick(pub u32);

impl Tick {
    /// The tick `ticks` later.
    pub fn after(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_add(ticks))
    }

    /// How many ticks `self` lies behind `later`; 0 if it does not.
    pub fn until(self, later: Tick) -> u32 {
        later.0.saturating_sub(self.0)
    }

    /// Signed distance from `other` to `self`.
    pub fn since(self, other: Tick) -> i64 {
        i64::from(self.0) - i64::from(other.0)
    }
}

impl core::fmt::Display for Tick {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A point in time: microseconds since the caller's origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

impl Time {
    /// A point `ms` milliseconds after the origin.
    pub const fn from_millis(ms: u64) -> Time {
        Time(ms.saturating_mul(1000))
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}
