//! When to try again after a connection was lost, and when to stop.
//!
//! The delay is drawn evenly from zero to a bound that doubles with each attempt, so that the
//! clients of a server that went down do not come back in step. A minimum that the server asked for
//! comes first, and the draw goes on top of it, for the same reason.
//!
//! Invariants: a connection counts as a success only once it has held for a while, so a server that
//! accepts and drops is not hammered; no delay exceeds [`Policy::delay_cap`] plus
//! [`RETRY_AFTER_MAX`]; no attempt is made after [`Policy::outage_max`].
//!
//! Absent: the connection itself, and whether a close reason allows a retry at all. A client that
//! was refused for good does not ask here.

use core::time::Duration;

use crate::time::Time;

/// The longest minimum delay that a server can impose; it cannot banish a client for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// How patient a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The bound of the first delay.
    pub delay_base: Duration,
    /// The bound stops doubling here.
    pub delay_cap: Duration,
    /// How many attempts an outage gets.
    pub attempts_max: u32,
    /// How long an outage may last, from the first loss on.
    pub outage_max: Duration,
    /// How long a connection must hold for the outage to be over.
    pub stable_after: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            delay_base: Duration::from_millis(250),
            delay_cap: Duration::from_secs(15),
            attempts_max: 20,
            outage_max: Duration::from_secs(180),
            stable_after: Duration::from_secs(10),
        }
    }
}

/// What to do after a loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Connect at this time.
    At(Time),
    /// Stop: every attempt was used.
    OutOfAttempts,
    /// Stop: the outage has lasted too long, or would before the server lets anyone back.
    OutOfTime,
}

/// The state of one client's connection over its losses.
#[derive(Clone, Debug)]
pub struct Reconnect {
    policy: Policy,
    /// When the present outage began; `None` while none is known.
    outage_since: Option<Time>,
    /// Attempts granted in the present outage.
    attempts: u32,
    /// When the present connection was made; `None` while there is none.
    connected_at: Option<Time>,
}

impl Reconnect {
    /// Before the first connection.
    pub fn new(policy: Policy) -> Reconnect {
        Reconnect { policy, outage_since: None, attempts: 0, connected_at: None }
    }

    /// The handshake succeeded at `now`.
    pub fn connected(&mut self, now: Time) {
        self.connected_at = Some(now);
    }

    /// The connection was lost at `now`, or an attempt failed. `retry_after` is the minimum that
    /// the server gave with its close reason; `random` must be evenly distributed over all values.
    pub fn lost(&mut self, now: Time, retry_after: Option<Duration>, random: u64) -> Next {
        let held = self.connected_at.take().map(|since| now.since(since));
        if held.is_some_and(|held| held >= self.policy.stable_after) {
            self.outage_since = None;
            self.attempts = 0;
        }
        let outage_since = *self.outage_since.get_or_insert(now);
        if self.attempts >= self.policy.attempts_max {
            return Next::OutOfAttempts;
        }
        let minimum = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let outage = now.since(outage_since);
        let Some(remaining) =
            self.policy.outage_max.checked_sub(outage).filter(|left| *left >= minimum)
        else {
            return Next::OutOfTime;
        };
        let delay = minimum.saturating_add(draw(self.bound(), random)).min(remaining);
        self.attempts = self.attempts.saturating_add(1);
        Next::At(now + delay)
    }

    /// Attempts granted since the last connection that held.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    fn bound(&self) -> Duration {
        let doubled = self.policy.delay_base.saturating_mul(2u32.saturating_pow(self.attempts));
        doubled.min(self.policy.delay_cap)
    }
}

/// A span from zero to `bound` inclusive, as `random` has it.
fn draw(bound: Duration, random: u64) -> Duration {
    let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    let scaled = (u128::from(random) * (u128::from(bound) + 1)) >> 64;
    Duration::from_micros(scaled as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        delay_base: Duration::from_millis(100),
        delay_cap: Duration::from_secs(2),
        attempts_max: 8,
        outage_max: Duration::from_secs(60),
        stable_after: Duration::from_secs(5),
    };

    fn delay(next: Next, now: Time) -> Duration {
        match next {
            Next::At(at) => at.since(now),
            stop => panic!("stopped: {stop:?}"),
        }
    }

    fn xorshift(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let mut reconnect = Reconnect::new(POLICY);
        let bounds: Vec<u128> = (0..8)
            .map(|_| delay(reconnect.lost(Time(0), None, u64::MAX), Time(0)).as_millis())
            .collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    }

    #[test]
    fn the_delay_is_spread_evenly_from_zero() {
        let (mut state, mut quarters) = (88_172_645_463_325_252, [0; 4]);
        for _ in 0..4000 {
            let mut reconnect = Reconnect::new(POLICY);
            let delay = delay(reconnect.lost(Time(7), None, xorshift(&mut state)), Time(7));
            quarters[(delay.as_micros() as usize / 25_000).min(3)] += 1;
        }
        assert!(quarters.iter().all(|n| (900..1100).contains(n)), "{quarters:?}");
        assert_eq!(Reconnect::new(POLICY).lost(Time(7), None, 0), Next::At(Time(7)));
    }

    #[test]
    fn gives_up_after_the_last_attempt() {
        let mut reconnect = Reconnect::new(POLICY);
        for _ in 0..8 {
            assert!(matches!(reconnect.lost(Time(0), None, 1), Next::At(_)));
        }
        assert_eq!(reconnect.lost(Time(0), None, 1), Next::OutOfAttempts);
        assert_eq!(reconnect.lost(Time(0), None, 1), Next::OutOfAttempts);
        assert_eq!(reconnect.attempts(), 8);
    }

    #[test]
    fn gives_up_when_the_outage_has_lasted_too_long_and_never_tries_later() {
        let mut reconnect = Reconnect::new(POLICY);
        reconnect.lost(Time(0), None, 0);
        let late = Time(59_990_000);
        assert_eq!(reconnect.lost(late, None, u64::MAX), Next::At(Time(60_000_000)));
        assert_eq!(reconnect.lost(Time(60_000_001), None, 0), Next::OutOfTime);
    }

    #[test]
    fn a_connection_that_held_ends_the_outage() {
        let mut reconnect = Reconnect::new(POLICY);
        for _ in 0..6 {
            reconnect.lost(Time(0), None, 0);
        }
        reconnect.connected(Time::from_millis(1000));
        let now = Time::from_millis(6000);
        assert_eq!(delay(reconnect.lost(now, None, u64::MAX), now), POLICY.delay_base);
        assert_eq!(reconnect.attempts(), 1);
    }

    #[test]
    fn a_server_that_accepts_and_drops_is_not_hammered() {
        let mut reconnect = Reconnect::new(POLICY);
        let (mut now, mut tries) = (Time(0), 0);
        while let Next::At(at) = reconnect.lost(now, None, u64::MAX) {
            reconnect.connected(at);
            now = at + Duration::from_secs(1);
            tries += 1;
        }
        assert_eq!(tries, 8, "a flap does not refill the attempts");
        assert!(now > Time::from_millis(16_000));
    }

    #[test]
    fn a_minimum_from_the_server_is_honoured_with_jitter_on_top() {
        let minimum = Duration::from_secs(3);
        let delay_for =
            |random| delay(Reconnect::new(POLICY).lost(Time(0), Some(minimum), random), Time(0));
        assert_eq!(delay_for(0), minimum);
        assert_eq!(delay_for(u64::MAX), minimum + POLICY.delay_base);
    }

    #[test]
    fn a_minimum_beyond_the_outage_limit_gives_up_at_once() {
        let mut reconnect = Reconnect::new(POLICY);
        assert_eq!(reconnect.lost(Time(0), Some(Duration::MAX), 0), Next::OutOfTime);
        assert_eq!(reconnect.attempts(), 0);
        assert!(matches!(reconnect.lost(Time(0), None, 0), Next::At(_)));
    }

    #[test]
    fn extreme_values_are_bounded() {
        let endless = Policy {
            delay_base: Duration::MAX,
            delay_cap: Duration::MAX,
            attempts_max: u32::MAX,
            outage_max: Duration::MAX,
            stable_after: Duration::MAX,
        };
        let nothing = Policy {
            delay_base: Duration::ZERO,
            delay_cap: Duration::ZERO,
            attempts_max: 0,
            outage_max: Duration::ZERO,
            stable_after: Duration::ZERO,
        };
        for policy in [endless, nothing, Policy::default()] {
            let mut reconnect = Reconnect::new(policy);
            for now in [Time(u64::MAX), Time(0), Time(u64::MAX)].into_iter().cycle().take(200) {
                reconnect.connected(Time(u64::MAX - now.0));
                reconnect.lost(now, Some(Duration::MAX), u64::MAX);
                reconnect.lost(now, None, u64::MAX);
            }
        }
    }
}
