//! The numbers of a report by name: what a gate can speak of.

use serde_json::Value;

use super::Report;

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Milliseconds,
    Bytes,
    /// A share, as a fraction of one.
    Share,
    /// Seconds of CPU time or of the clock.
    Seconds,
    Plain,
}

/// A number of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    /// As a gate has it: without the unit, and without `healthy`.
    pub(crate) name: String,
    /// As the report has it.
    pub(crate) path: String,
    pub(crate) unit: Unit,
}

/// Parts of a report that are no single numbers of a result.
const APART: [&str; 6] = ["config", "run", "server", "series", "histograms", "assertions"];

/// All keys that there are, in the order of the report.
pub(crate) fn keys() -> Vec<Key> {
    let mut report = Report::default();
    for (_, name) in crate::tally::Failure::ALL {
        report.errors.insert(name.to_owned(), 0);
    }
    let mut paths = Vec::new();
    if let Ok(Value::Object(parts)) = serde_json::to_value(report) {
        for (name, part) in parts {
            if !APART.contains(&name.as_str()) {
                walk(&name, &part, &mut paths);
            }
        }
    }
    paths.push("errors.total".to_owned());
    paths.into_iter().map(key).collect()
}

/// The numbers below a place. Null is a number that was not measured.
fn walk(place: &str, value: &Value, paths: &mut Vec<String>) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                walk(&format!("{place}.{name}"), part, paths);
            }
        }
        Value::Number(_) | Value::Null | Value::Bool(_) if place.contains('.') => {
            paths.push(place.to_owned());
        }
        _ => {}
    }
}

fn key(path: String) -> Key {
    let last = path.rsplit('.').next().unwrap_or_default();
    let unit = if path.contains("_ms") && last != "count" {
        Unit::Milliseconds
    } else if path.contains("bytes") {
        Unit::Bytes
    } else if last.ends_with("_share") || last == "busy_max" {
        Unit::Share
    } else if last.ends_with("_seconds") {
        Unit::Seconds
    } else {
        Unit::Plain
    };
    // A measure; other keys that speak of times have their unit at the end.
    let name = match path.split_once("_ms.") {
        Some((measure, at)) => {
            format!("{}.{at}", measure.strip_prefix("healthy.").unwrap_or(measure))
        }
        None => path.clone(),
    };
    Key { name, path, unit }
}

/// The number at a path; none if it was not measured.
pub(crate) fn value(report: &Value, path: &str) -> Option<f64> {
    if path == "errors.total" {
        let errors = report["errors"].as_object()?;
        return Some(errors.values().filter_map(Value::as_f64).sum());
    }
    let found = path.split('.').try_fold(report, |place, name| place.get(name))?;
    match found {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        other => other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that the documentation explains, with braces expanded.
    fn documented() -> Vec<String> {
        let page = include_str!("../../../docs/SWARM.md");
        let table = page.split("| key | what |").nth(1).unwrap();
        let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        lines.flat_map(|line| expand(line.split('`').nth(1).unwrap())).collect()
    }

    /// `a.{b,c}` is `a.b` and `a.c`.
    fn expand(text: &str) -> Vec<String> {
        let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
        let (choices, after) = rest.split_once('}').unwrap();
        let all = choices.split(',').map(|choice| format!("{before}{choice}{after}"));
        all.flat_map(|one| expand(&one)).collect()
    }

    /// The places of a report: maps whose keys are not ours are one place.
    fn places(place: &str, value: &Value, all: &mut Vec<String>) {
        let open = ["error_texts", "hostile.closed_by_code", "config.room_options"];
        match value {
            Value::Object(parts) if !open.contains(&place) => {
                for (name, part) in parts {
                    let dot = if place.is_empty() { "" } else { "." };
                    places(&format!("{place}{dot}{name}"), part, all);
                }
            }
            _ => all.push(place.to_owned()),
        }
    }

    #[test]
    fn the_documentation_has_every_key_and_no_other() {
        let mut report = Report::default();
        for (_, name) in crate::tally::Failure::ALL {
            report.errors.insert(name.to_owned(), 0);
        }
        let mut all = Vec::new();
        places("", &serde_json::to_value(report).unwrap(), &mut all);
        let mut documented = documented();
        all.sort();
        documented.sort();
        assert_eq!(documented, all);
    }

    fn find(name: &str) -> Key {
        keys().into_iter().find(|key| key.name == name).unwrap()
    }

    #[test]
    fn names_are_short_and_lead_to_places() {
        let key = find("frame_interval.p99");
        assert_eq!(
            (key.path.as_str(), key.unit),
            ("healthy.frame_interval_ms.p99", Unit::Milliseconds)
        );
        assert_eq!(find("faulty.staleness.max").path, "faulty.staleness_ms.max");
        assert_eq!(find("hash.mismatched").unit, Unit::Plain);
        assert_eq!(find("frame_interval.count").unit, Unit::Plain);
        assert_eq!(find("frames.coalesced_share").unit, Unit::Share);
        assert_eq!(find("generator.late_ms_p99").unit, Unit::Milliseconds);
        assert_eq!(find("errors.lost").path, "errors.lost");
    }

    #[test]
    fn names_are_unique_and_all_lead_to_something() {
        let all = keys();
        let mut names: Vec<_> = all.iter().map(|key| &key.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
        let mut report = Report::default();
        report.errors.insert("lost".to_owned(), 3);
        let report = serde_json::to_value(report).unwrap();
        assert_eq!(value(&report, "errors.total"), Some(3.0));
        assert_eq!(value(&report, "healthy.frame_interval_ms.p99"), None);
        assert_eq!(value(&report, "generator.bottleneck"), Some(0.0));
        assert_eq!(value(&report, "no.such"), None);
    }
}
