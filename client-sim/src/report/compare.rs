//! Two runs in a table.

use std::fmt::Write;

use serde_json::Value;

use super::Report;
use super::keys::{Key, Unit, keys, value};

/// The keys that two runs are compared by, in this order; the rest only where they differ
/// is in the files.
const ROWS: [&str; 24] = [
    "bots.connected",
    "bots.failed",
    "bots.resumed",
    "frame_interval.p50",
    "frame_interval.p99",
    "frame_interval.max",
    "staleness.p50",
    "staleness.p99",
    "staleness.max",
    "input_ack.p99",
    "input_effect.p99",
    "connect.p99",
    "resume.p99",
    "faulty.frame_interval.p99",
    "faulty.staleness.p99",
    "frames.received",
    "frames.coalesced_share",
    "frames.bytes_per_frame",
    "frames.wire_bytes_per_bot_s",
    "hash.checked",
    "hash.mismatched",
    "errors.total",
    "generator.cpu_seconds",
    "generator.late_ms_p99",
];

/// The table.
pub(crate) fn table(a: &Report, b: &Report) -> String {
    let known = keys();
    // Plain data with text keys always has a form in JSON.
    let json = |report: &Report| serde_json::to_value(report).unwrap_or(Value::Null);
    let (one, other) = (json(a), json(b));
    let mut text = format!("{:<30} {:>14} {:>14} {:>10}\n", "", "a", "b", "change");
    for name in ROWS {
        let Some(key) = known.iter().find(|key| key.name == name) else { continue };
        let (a, b) = (value(&one, &key.path), value(&other, &key.path));
        if a.is_none() && b.is_none() {
            continue;
        }
        let (shown_a, shown_b) = (shown(a, key), shown(b, key));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<30} {shown_a:>14} {shown_b:>14} {:>10}", change(a, b));
    }
    for (name, report) in [("a", a), ("b", b)] {
        for line in &report.verdict {
            let _ = writeln!(text, "{name}: {line}");
        }
    }
    if a.config != b.config {
        let _ = writeln!(text, "a: {}\nb: {}", a.config.command, b.config.command);
    }
    text
}

fn shown(value: Option<f64>, key: &Key) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match key.unit {
        Unit::Milliseconds => format!("{value:.2} ms"),
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Bytes => format!("{value:.1} B"),
        Unit::Plain => format!("{value}"),
    }
}

fn change(a: Option<f64>, b: Option<f64>) -> String {
    match (a, b) {
        (Some(a), Some(b)) if a == b => "=".to_owned(),
        (Some(a), Some(b)) if a != 0.0 => format!("{:+.1} %", (b - a) / a * 100.0),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_key() {
        let known = keys();
        for row in ROWS {
            assert!(known.iter().any(|key| key.name == row), "{row}");
        }
    }

    #[test]
    fn changes_are_in_percent_of_the_first() {
        let (mut a, mut b) = (Report::default(), Report::default());
        a.healthy.frame_interval_ms.p99 = Some(40.0);
        b.healthy.frame_interval_ms.p99 = Some(50.0);
        a.frames.coalesced_share = 0.25;
        b.verdict.push("Something.".to_owned());
        let table = table(&a, &b);
        let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap();
        let words = |name| line(name).split_whitespace().collect::<Vec<_>>();
        assert_eq!(words("frame_interval.p99")[1..], ["40.00", "ms", "50.00", "ms", "+25.0", "%"]);
        assert_eq!(
            words("frames.coalesced_share")[1..],
            ["25.00", "%", "0.00", "%", "-100.0", "%"]
        );
        assert_eq!(words("hash.checked")[1..], ["0", "0", "="]);
        assert!(!table.contains("resume.p99"), "not measured in either");
        assert!(table.contains("b: Something."));
    }
}
