//! Lines of progress, for logs and for terminals that show no more.

use super::Scene;
use crate::course::Point;

/// Longer runs tell less often.
const OFTEN_SECONDS: usize = 60;
const SELDOM_SECONDS: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// Seconds that were told of.
    told: usize,
}

impl Plain {
    pub(super) fn show(&mut self, scene: &Scene<'_>) {
        let points = &scene.course.points;
        for (index, point) in points.iter().enumerate().skip(self.told) {
            let second = index + 1;
            let long = scene.settings.seconds.as_secs() as usize > OFTEN_SECONDS;
            if !long || second.is_multiple_of(SELDOM_SECONDS) {
                println!("{}", line(second, point));
            }
        }
        self.told = points.len();
    }
}

/// A second in a line.
pub(crate) fn line(second: usize, point: &Point) -> String {
    let pair = |times: Option<[f64; 3]>| match times {
        Some([p50, p99, _]) => format!("{p50:6.1}/{p99:6.1} ms"),
        None => format!("{:>16}", "-"),
    };
    let counts = &point.counts;
    let coalesced = counts.coalesced as f64 * 100.0 / counts.frames.max(1) as f64;
    format!(
        "{second:4} s  {:6} in rooms  {:7} frames/s  {:8.1} kB/s  interval {}  age {}  \
         coalesced {coalesced:4.1}%  errors {}",
        point.gauges.connected,
        counts.frames,
        counts.wire_bytes as f64 / 1e3,
        pair(point.frame_interval),
        pair(point.staleness),
        counts.errors,
    )
}
