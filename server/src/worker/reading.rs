//! How many peers are read by a worker that has hardly time for all.
//!
//! Who plays sends for every tick, and to read that takes nearly as long as to answer it. A worker
//! that is nearly always busy reads each peer less often than it answers, down to every second tick:
//! then one read finds two inputs. The older of them is late by a tick, which a client whose inputs
//! come late makes up for; nobody gets a frame less. Peers are read in the order in
//! which something of theirs came, so nobody is passed over.

use std::cell::Cell;

/// From this share of time on that a worker is busy, it reads less often.
const LESS_FROM: f64 = 0.92;
/// Below this one, it reads more often again: with half of the reads, a worker that was always
/// busy is still busier than this.
const MORE_BELOW: f64 = 0.75;
/// Reads for each frame, at the least.
const SHARE_MIN: f64 = 0.5;
/// Changes of a second: there is no time to lose before frames are late, and none to gain after.
const LESS: f64 = 0.25;
const MORE: f64 = 0.125;
/// Peers that any look may read: there are those who get no frames.
const ALWAYS: usize = 4;

const _: () = {
    assert!(MORE_BELOW < LESS_FROM);
    // Reading is less than half of the work.
    assert!(MORE_BELOW < LESS_FROM * (1.0 - SHARE_MIN / 3.0));
    assert!(LESS + SHARE_MIN < 1.0 && MORE <= LESS);
};

/// Follows how busy the worker is, and what it has answered. Pure.
#[derive(Debug)]
pub(super) struct Reading {
    /// Reads for each frame; 1 and more is all that there is to read.
    share: Cell<f64>,
    /// Reads that were earned by frames and not made.
    earned: Cell<f64>,
}

impl Default for Reading {
    fn default() -> Self {
        Reading { share: Cell::new(1.0), earned: Cell::new(0.0) }
    }
}

impl Reading {
    /// A second is over, of which the worker was busy for a share; whether it
    /// reads at another pace from now on.
    pub(super) fn second(&self, busy: f64) -> bool {
        let before = self.share.get();
        let now = match busy {
            busy if busy >= LESS_FROM => (before - LESS).max(SHARE_MIN),
            busy if busy < MORE_BELOW => (before + MORE).min(1.0),
            _ => before,
        };
        self.share.set(now);
        now != before
    }

    /// Reads for each frame, at the most.
    pub(super) fn share(&self) -> f64 {
        self.share.get()
    }

    /// So many clients got a frame.
    pub(super) fn answered(&self, clients: usize) {
        self.earned.set(self.earned.get() + self.share.get() * clients as f64);
    }

    /// Peers that may be read now.
    pub(super) fn most(&self) -> usize {
        if self.share.get() >= 1.0 { usize::MAX } else { ALWAYS.max(self.earned.get() as usize) }
    }

    /// So many peers were read, of so many that might have been.
    pub(super) fn read(&self, peers: usize, most: usize) {
        // Who has nothing left to read has earned nothing for later: all would be read at once.
        let left = if peers < most { 0.0 } else { self.earned.get() - peers as f64 };
        self.earned.set(left.max(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of so many clients in each of so many ticks, when each sends for each tick.
    fn course(reading: &Reading, clients: usize, ticks: usize) -> Vec<usize> {
        let mut waiting = 0;
        let tick = |_| {
            // An input of who is still waiting comes with the one before.
            waiting = clients;
            let mut read = 0;
            for room in 0..clients / 50 {
                let most = reading.most();
                let found = waiting.min(most);
                waiting -= found;
                read += found;
                reading.read(found, most);
                reading.answered(if room == 0 { 50 + clients % 50 } else { 50 });
            }
            read
        };
        (0..ticks).map(tick).collect()
    }

    #[test]
    fn all_are_read_while_there_is_time() {
        let reading = Reading::default();
        for busy in [0.0, 0.5, 0.9, LESS_FROM - 0.001] {
            assert!(!reading.second(busy));
            assert_eq!(reading.most(), usize::MAX);
        }
    }

    #[test]
    fn who_is_always_busy_reads_half_within_two_seconds() {
        let reading = Reading::default();
        assert!(reading.second(1.0));
        let read: usize = course(&reading, 5000, 20).iter().sum();
        assert!((74_000..=76_000).contains(&read), "{read}");
        assert!(reading.second(1.0));
        let read: usize = course(&reading, 5000, 20).iter().sum();
        assert!((49_000..=51_000).contains(&read), "{read}");
        assert!(!reading.second(1.0), "and not less than half");
    }

    #[test]
    fn it_stays_while_time_is_short_and_ends_when_it_is_not() {
        let reading = Reading::default();
        reading.second(1.0);
        assert!((0..100).all(|_| !reading.second(0.8)));
        assert!(reading.share() < 1.0);
        for _ in 0..4 {
            reading.second(0.5);
        }
        assert_eq!(reading.most(), usize::MAX);
    }

    #[test]
    fn what_was_not_needed_is_not_kept() {
        let reading = Reading::default();
        reading.second(1.0);
        reading.answered(1_000_000);
        reading.read(10, reading.most());
        assert_eq!(reading.most(), ALWAYS);
    }

    #[test]
    fn somebody_is_always_read() {
        let reading = Reading::default();
        reading.second(1.0);
        for _ in 0..10 {
            assert!(reading.most() >= ALWAYS);
            reading.read(reading.most(), reading.most());
        }
    }
}
