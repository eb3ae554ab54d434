//! The course of a run, second by second, put together from all threads.

use std::collections::BTreeMap;

use crate::swarm::Beat;
use crate::tally::{Counts, Failure, Gauges, Second, add_failures};

/// What is known of a second once all threads have told of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Point {
    pub(crate) counts: Counts,
    pub(crate) gauges: Gauges,
    /// In milliseconds: the median, the 99th percentile, the longest; none without a frame.
    pub(crate) frame_interval: Option<[f64; 3]>,
    pub(crate) staleness: Option<[f64; 3]>,
    /// The busiest thread's share of a core.
    pub(crate) busy: f64,
}

/// The seconds so far.
#[derive(Debug)]
pub(crate) struct Course {
    threads: usize,
    /// Seconds that not all threads have told of: which, how many have, the busiest.
    pending: BTreeMap<usize, (usize, Second, f64)>,
    pub(crate) points: Vec<Point>,
    pub(crate) total: Counts,
    /// What went wrong, by kind.
    pub(crate) failures: BTreeMap<Failure, u64>,
}

impl Course {
    pub(crate) fn new(threads: usize) -> Course {
        Course {
            threads,
            pending: BTreeMap::new(),
            points: Vec::new(),
            total: Counts::default(),
            failures: BTreeMap::new(),
        }
    }

    /// Takes in a second of a thread; whether one is complete with it.
    pub(crate) fn add(&mut self, beat: &Beat) -> bool {
        self.total += beat.second.counts;
        add_failures(&mut self.failures, &beat.second.failures);
        let fresh = || (0, Second::new(), 0.0);
        let (told, second, busiest) = self.pending.entry(beat.index).or_insert_with(fresh);
        second.add(&beat.second);
        *told += 1;
        *busiest = busiest.max(beat.second.cpu.as_secs_f64());
        let complete = *told == self.threads;
        if complete {
            self.close(beat.index);
        }
        complete
    }

    /// The run is over: what is there of the last seconds is all.
    pub(crate) fn finish(&mut self) {
        while let Some((&index, _)) = self.pending.first_key_value() {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        let Some((_, second, busy)) = self.pending.remove(&index) else { return };
        let summary = |times: &hdrhistogram::Histogram<u32>| {
            let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
            (!times.is_empty()).then(|| [at(0.5), at(0.99), times.max() as f64 / 1e3])
        };
        let point = Point {
            counts: second.counts,
            gauges: second.gauges,
            frame_interval: summary(&second.frame_interval),
            staleness: summary(&second.staleness),
            busy,
        };
        // Threads tell of seconds in order, so they close in order, unless one is far behind.
        if self.points.len() <= index {
            self.points.resize(index + 1, Point::default());
        }
        self.points[index] = point;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn beat(index: usize, frames: u64, busy_ms: u64) -> Beat {
        let mut second = Second::new();
        second.counts.frames = frames;
        second.cpu = Duration::from_millis(busy_ms);
        second.gauges.connected = 2;
        second.staleness.record(frames).unwrap();
        Beat { index, second }
    }

    #[test]
    fn a_second_is_complete_when_all_threads_have_told_of_it() {
        let mut course = Course::new(2);
        assert!(!course.add(&beat(0, 10_000, 100)));
        assert!(!course.add(&beat(1, 5, 100)));
        assert!(course.add(&beat(0, 20_000, 300)));
        assert_eq!(course.points.len(), 1);
        let point = course.points[0];
        assert_eq!((point.counts.frames, point.gauges.connected), (30_000, 4));
        assert_eq!(point.busy, 0.3);
        assert!((point.staleness.unwrap()[2] - 20.0).abs() < 0.2);
        assert!(point.frame_interval.is_none());
        course.finish();
        assert_eq!((course.points.len(), course.total.frames), (2, 30_005));
    }
}
