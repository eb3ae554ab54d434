//! When to ask the server for the time, and whether it is still there.
//!
//! A burst after the welcome gives the clock a good sample soon, a ping now and
//! then keeps it. A connection from which nothing comes is asked once more
//! before it is given up: an application that was not run for a while (a hidden
//! tab, a closed lid) finds the deadline passed and the messages unread.

use core::time::Duration;

use crate::time::Time;

/// How many pings the burst after the welcome has.
pub const PING_BURST: u32 = 4;
/// How far apart they are.
pub const PING_BURST_INTERVAL: Duration = Duration::from_millis(250);
/// How far apart pings are after it.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);
/// A connection from which nothing came for so long is doubted …
pub const SILENCE_MAX: Duration = Duration::from_secs(8);
/// … and given up if nothing comes for so long after it was asked once more.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// Pings whose answer is waited for. At the limit the oldest is given up.
const UNANSWERED_MAX: usize = 8;

/// The pings of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Pings {
    /// When the next ping is due.
    next: Time,
    ready: bool,
    sent: u32,
    /// When each was sent that has no answer; the time is the stamp.
    unanswered: [Option<Time>; UNANSWERED_MAX],
    /// When something last came from the server.
    heard: Time,
    /// When the connection is given up, if it is in doubt.
    give_up: Option<Time>,
}

impl Pings {
    /// The connection was welcomed at `now`.
    pub(super) fn start(now: Time) -> Pings {
        Pings { next: now, ready: true, heard: now, ..Pings::default() }
    }

    /// Something came from the server.
    pub(super) fn heard(&mut self, now: Time) {
        (self.heard, self.give_up) = (now, None);
    }

    /// Time has passed; `false` if the connection is dead.
    pub(super) fn check(&mut self, now: Time) -> bool {
        self.ready |= self.next <= now;
        match self.give_up {
            Some(give_up) => now < give_up,
            None => {
                if self.heard + SILENCE_MAX <= now {
                    self.give_up = Some(now + PROBE_TIMEOUT);
                    self.ready = true;
                }
                true
            }
        }
    }

    /// Whether a ping is to be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// When [`Pings::check`] has something to do.
    pub(super) fn deadline(&self) -> Time {
        let silence = self.give_up.unwrap_or(self.heard + SILENCE_MAX);
        if self.ready { silence } else { silence.min(self.next) }
    }

    /// A ping is sent at `now`; gives its stamp.
    pub(super) fn send(&mut self, now: Time) -> u64 {
        self.ready = false;
        self.sent = self.sent.saturating_add(1);
        let burst = self.sent < PING_BURST;
        self.next = now + if burst { PING_BURST_INTERVAL } else { PING_INTERVAL };
        // None sorts first: a free place before the oldest ping.
        if let Some(place) = self.unanswered.iter_mut().min() {
            *place = Some(now);
        }
        now.0
    }

    /// A pong came; when its ping was sent, if it was and has no other answer.
    pub(super) fn answered(&mut self, stamp: u64) -> Option<Time> {
        let asked = Some(Time(stamp));
        self.unanswered.iter_mut().find(|sent| **sent == asked)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_burst_comes_first_and_then_a_ping_now_and_then() {
        let mut pings = Pings::start(at(1000));
        let mut sent = Vec::new();
        for ms in (1000..8000).step_by(10) {
            pings.heard(at(ms));
            assert!(pings.check(at(ms)));
            if pings.is_ready() {
                sent.push(pings.send(at(ms)) / 1000);
            }
        }
        assert_eq!(sent, [1000, 1250, 1500, 1750, 3750, 5750, 7750]);
    }

    #[test]
    fn a_pong_counts_once_and_only_if_it_was_asked_for() {
        let mut pings = Pings::start(at(0));
        let stamp = pings.send(at(5));
        assert_eq!(pings.answered(stamp + 1), None);
        assert_eq!(pings.answered(stamp), Some(at(5)));
        assert_eq!(pings.answered(stamp), None);
        let first = pings.send(at(10));
        for ms in 11..11 + UNANSWERED_MAX as u64 {
            pings.send(at(ms));
        }
        assert_eq!(pings.answered(first), None, "too long ago");
        assert_eq!(pings.answered(at(18).0), Some(at(18)));
    }

    #[test]
    fn silence_is_asked_about_before_it_is_believed() {
        let mut pings = Pings::start(at(0));
        pings.send(at(0));
        // Nobody ran the application for a minute.
        assert!(pings.check(at(60_000)) && pings.is_ready());
        pings.send(at(60_000));
        assert!(pings.check(at(63_999)));
        pings.heard(at(63_999));
        assert!(pings.check(at(64_000)));
        assert!(pings.check(at(72_000)));
        pings.send(at(72_000));
        assert!(!pings.check(at(76_000)));
    }
}
