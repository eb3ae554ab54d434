//! Quantities with units: how they are read and written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longest time that a setting can name.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);

/// A share of the bots: 0 to 100 percent.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub(crate) struct Share(f64);

impl Share {
    pub(crate) const ALL: Share = Share(1.0);

    pub(crate) fn fraction(self) -> f64 {
        self.0
    }

    /// So many of `count`, to the nearest; at least one if it is a share at all.
    pub(crate) fn of(self, count: usize) -> usize {
        let exact = (self.0 * count as f64).round() as usize;
        if self.0 > 0.0 { exact.clamp(1.min(count), count) } else { 0 }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Share(percent / 100.0)),
            _ => Err(format!("`{text}` is not a share from 0% to 100%, such as 10%")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded: 7 % is not 7.000000000000001 %.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

/// A time with its unit, above zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("`{text}` is not a time, such as 100ms, 5s or 2m");
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let seconds = match unit {
            "ms" => number / 1e3,
            "s" => number,
            "m" | "min" => number * 60.0,
            _ => return Err(wrong()),
        };
        let span = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        if span < Duration::from_micros(1) || span > DURATION_MAX {
            return Err(format!("`{text}` is not above zero and at most 24 hours"));
        }
        Ok(Span(span))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_secs_f64() * 1e3;
        if ms >= 1000.0 { write!(f, "{}s", ms / 1e3) } else { write!(f, "{ms}ms") }
    }
}

/// Bytes a second, at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ByteRate(pub(crate) u64);

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteRate, String> {
        let wrong = || format!("`{text}` is not a rate, such as 20kB/s, 500B/s or 1MB/s");
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let factor = match unit {
            "B/s" => 1.0,
            "kB/s" => 1e3,
            "KiB/s" => 1024.0,
            "MB/s" => 1e6,
            "kbit/s" => 125.0,
            "Mbit/s" => 125e3,
            _ => return Err(wrong()),
        };
        let rate = number * factor;
        if (1.0..=1e12).contains(&rate) { Ok(ByteRate(rate as u64)) } else { Err(wrong()) }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rate if rate % 1000 == 0 => write!(f, "{}kB/s", rate / 1000),
            rate => write!(f, "{rate}B/s"),
        }
    }
}

/// Something so often a second, above zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PerSecond(pub(crate) f64);

impl FromStr for PerSecond {
    type Err = String;

    fn from_str(text: &str) -> Result<PerSecond, String> {
        let number = text.strip_suffix("/s").unwrap_or(text).trim().parse().ok();
        match number {
            Some(number) if (0.01..=1e6).contains(&number) => Ok(PerSecond(number)),
            _ => Err(format!("`{text}` is not a number a second from 0.01/s to 1000000/s")),
        }
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A finite number that is not negative, and what follows it.
pub(crate) fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_and_some_is_at_least_one() {
        let share: Share = "10%".parse().unwrap();
        assert_eq!((share.of(500), share.of(3), share.of(0)), (50, 1, 0));
        assert_eq!("0%".parse::<Share>().unwrap().of(500), 0);
        assert_eq!("100%".parse::<Share>().unwrap().of(7), 7);
        for wrong in ["10", "-1%", "101%", "%", "ten%", "NaN%", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_and_rates_have_units() {
        assert_eq!("1.5s".parse(), Ok(Span(Duration::from_millis(1500))));
        assert_eq!("250 ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("20kB/s".parse(), Ok(ByteRate(20_000)));
        assert_eq!("8kbit/s".parse(), Ok(ByteRate(1000)));
        for wrong in ["5", "s", "0s", "-1s", "1h30", "infs", "99999999999s", "1e3s", "…"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        for wrong in ["20", "20kB", "0B/s", "B/s"] {
            assert!(wrong.parse::<ByteRate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for text in ["7%", "0.5%", "33.33%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["5s", "1.5s", "250ms", "0.5ms", "120s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["20kB/s", "1500B/s"] {
            assert_eq!(text.parse::<ByteRate>().unwrap().to_string(), text);
        }
        assert_eq!("200/s".parse::<PerSecond>().unwrap().to_string(), "200/s");
    }
}
