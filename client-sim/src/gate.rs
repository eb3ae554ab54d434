//! The gate: conditions that a report has to meet.
//!
//! ```text
//! conditions := condition { "," condition }
//! condition  := key op number [unit]
//! op         := "<" | "<=" | ">" | ">=" | "==" | "!="
//! unit       := us | ms | s | min | B | kB | KiB | MB | MiB | %
//! ```
//!
//! A time has to have its unit; a count has none. Everything is checked before the run.

use std::fmt;

use crate::report::{Assertion, Key, Report, Unit, keys, value};
use crate::settings::split;

/// A condition that can be decided.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Condition {
    /// As it was written.
    text: String,
    path: String,
    op: Op,
    /// In the unit of the report.
    bound: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Op {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Equal,
    NotEqual,
}

/// The longer ones first.
const OPS: [(&str, Op); 6] = [
    ("<=", Op::LessOrEqual),
    (">=", Op::MoreOrEqual),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    ("<", Op::Less),
    (">", Op::More),
];

impl Op {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Op::Less => value < bound,
            Op::LessOrEqual => value <= bound,
            Op::More => value > bound,
            Op::MoreOrEqual => value >= bound,
            Op::Equal => value == bound,
            Op::NotEqual => value != bound,
        }
    }
}

/// Reads conditions; the error is a sentence.
pub(crate) fn conditions(texts: &[String]) -> Result<Vec<Condition>, String> {
    let known = keys();
    let parts = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(|part| condition(part, &known)).collect()
}

fn condition(text: &str, known: &[Key]) -> Result<Condition, String> {
    let place = text.find(['<', '>', '=', '!']);
    let split_at = place.map(|place| text.split_at(place));
    let found = split_at.and_then(|(name, rest)| {
        let (sign, op) = OPS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        Some((name.trim(), *op, rest[sign.len()..].trim()))
    });
    let (name, op, bound) = found.ok_or_else(|| {
        format!("`{text}` compares nothing; a condition is such as frame_interval.p99 < 60ms")
    })?;
    let key = known.iter().find(|key| key.name == name || key.path == name);
    let key = key.ok_or_else(|| unknown(name, known))?;
    let bound = number(bound, key.unit).ok_or_else(|| {
        let example = match key.unit {
            Unit::Milliseconds => "a time with its unit, such as 60ms or 1.5s",
            Unit::Seconds => "a time with its unit, such as 5s",
            Unit::Bytes => "bytes, such as 4096, 40KiB or 2MB",
            Unit::Share => "a share, such as 5% or 0.05",
            Unit::Plain => "a number without a unit",
        };
        format!("`{bound}` in `{text}` is not {example}")
    })?;
    Ok(Condition { text: text.to_owned(), path: key.path.clone(), op, bound })
}

/// A number in the unit of the report.
fn number(text: &str, unit: Unit) -> Option<f64> {
    let (number, suffix) = split(text)?;
    let factor = match (unit, suffix) {
        (Unit::Milliseconds, "us") => 1e-3,
        (Unit::Milliseconds, "ms") | (Unit::Seconds, "s") => 1.0,
        (Unit::Milliseconds, "s") => 1e3,
        (Unit::Milliseconds, "min") => 60e3,
        (Unit::Seconds, "ms") => 1e-3,
        (Unit::Seconds, "min") => 60.0,
        (Unit::Bytes, "" | "B") | (Unit::Share | Unit::Plain, "") => 1.0,
        (Unit::Bytes, "kB") => 1e3,
        (Unit::Bytes, "KiB") => 1024.0,
        (Unit::Bytes, "MB") => 1e6,
        (Unit::Bytes, "MiB") => 1024.0 * 1024.0,
        (Unit::Share, "%") => 0.01,
        _ => return None,
    };
    Some(number * factor)
}

/// Names the key, those that are near, and all.
fn unknown(name: &str, known: &[Key]) -> String {
    let (first, last) = name.split_once('.').unwrap_or((name, name));
    let names = || known.iter().map(|key| key.name.as_str());
    let near: Vec<&str> = names()
        .filter(|it| !it.starts_with("faulty."))
        .filter_map(|it| it.split_once('.').map(|parts| (it, parts)))
        .filter(|(_, (one, other))| *one == first || *other == last)
        .map(|(it, _)| it)
        .take(6)
        .collect();
    let hint = if near.is_empty() {
        String::new()
    } else {
        format!(" Perhaps one of: {}.", near.join(", "))
    };
    format!("there is no key `{name}`.{hint}\nAll keys: {}", listed(names()))
}

/// Keys, where those that differ in their last part only are one entry.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (place, last) = name.rsplit_once('.').unwrap_or(("", name));
        match groups.last_mut() {
            Some((before, lasts)) if *before == place => lasts.push(last),
            _ => groups.push((place, vec![last])),
        }
    }
    let groups = groups.iter().map(|(place, lasts)| match lasts[..] {
        [one] => format!("{place}.{one}"),
        _ => format!("{place}.{{{}}}", lasts.join(",")),
    });
    groups.collect::<Vec<_>>().join(", ")
}

impl Condition {
    /// Decides it. What was not measured meets no condition.
    pub(crate) fn judge(&self, report: &serde_json::Value) -> Assertion {
        let value = value(report, &self.path);
        let holds = value.is_some_and(|value| self.op.holds(value, self.bound));
        Assertion { text: self.text.clone(), value, holds }
    }
}

/// Decides all of them, and notes that in the report; whether all hold.
pub(crate) fn judge(conditions: &[Condition], report: &mut Report) -> bool {
    // Plain data with text keys always has a form in JSON.
    let json = serde_json::to_value(&*report).unwrap_or_default();
    report.assertions = conditions.iter().map(|condition| condition.judge(&json)).collect();
    report.assertions.iter().all(|assertion| assertion.holds)
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Assertion { text, value, holds } = self;
        let verb = if *holds { "holds" } else { "does not hold" };
        match value {
            Some(value) => write!(f, "{text} {verb}: it is {value}"),
            None => write!(f, "{text} {verb}: nothing was measured"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Condition>, String> {
        conditions(&[text.to_owned()])
    }

    #[test]
    fn the_example_is_read_and_decided() {
        let conditions = read("frame_interval.p99 < 60ms, hash.mismatched == 0").unwrap();
        let mut report = Report::default();
        report.healthy.frame_interval_ms.p99 = Some(59.9);
        assert!(judge(&conditions, &mut report));
        report.healthy.frame_interval_ms.p99 = Some(60.0);
        report.hash.mismatched = 1;
        assert!(!judge(&conditions, &mut report));
        let said: Vec<_> = report.assertions.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "frame_interval.p99 < 60ms does not hold: it is 60",
                "hash.mismatched == 0 does not hold: it is 1"
            ]
        );
    }

    #[test]
    fn what_was_not_measured_meets_no_condition() {
        let conditions = read("resume.p99 < 1s").unwrap();
        let mut report = Report::default();
        assert!(!judge(&conditions, &mut report));
        assert!(report.assertions[0].to_string().ends_with("nothing was measured"));
    }

    #[test]
    fn every_operator_and_unit_is_known() {
        let bound = |text: &str| read(text).unwrap()[0].bound;
        assert_eq!(bound("faulty.resume.max<=1.5s"), 1500.0);
        assert_eq!(bound("healthy.connect_ms.p50 > 500us"), 0.5);
        assert_eq!(bound("frames.coalesced_share < 5%"), 0.05);
        assert_eq!(bound("generator.memory_bytes_per_bot <= 40KiB"), 40960.0);
        assert_eq!(bound("generator.cpu_seconds < 2min"), 120.0);
        for (op, holds) in
            [("<", false), ("<=", true), (">", false), (">=", true), ("==", true), ("!=", false)]
        {
            let mut report = Report {
                hash: crate::report::Hash { checked: 5, mismatched: 0 },
                ..Report::default()
            };
            let conditions = read(&format!("hash.checked {op} 5")).unwrap();
            assert_eq!(judge(&conditions, &mut report), holds, "{op}");
        }
    }

    #[test]
    fn errors_name_the_key_and_those_that_there_are() {
        let error = read("frame_interval.p98 < 60ms").unwrap_err();
        assert!(error.contains("no key `frame_interval.p98`"));
        assert!(error.contains("Perhaps one of: frame_interval.count, "), "{error}");
        assert!(error.contains("staleness.{count,max,p50,p90,p99,p999}"), "{error}");
        assert!(read("frame_interval.p99 < 60").unwrap_err().contains("with its unit"));
        assert!(read("hash.checked > 5ms").unwrap_err().contains("without a unit"));
        assert!(read("hash.checked").unwrap_err().contains("compares nothing"));
        assert!(read("hash.checked = 5").unwrap_err().contains("compares nothing"));
        assert_eq!(read(" , "), Ok(Vec::new()));
    }
}
