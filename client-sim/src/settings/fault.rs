//! Faults: which share of the bots has which.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::quantity::{ByteRate, Share, Span};

/// `10%:5s`: a share, and a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Timed {
    pub(crate) share: Share,
    pub(crate) span: Span,
}

/// `5%:20kB/s`: a share, and what it reads at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Slowed {
    pub(crate) share: Share,
    pub(crate) rate: ByteRate,
}

/// `10%:100ms±30ms`: a share, and the delay each way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Lagged {
    pub(crate) share: Share,
    pub(crate) delay: Delay,
}

/// A delay, drawn evenly from `base - jitter` to `base + jitter`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delay {
    pub(crate) base: Duration,
    /// At most `base`.
    pub(crate) jitter: Duration,
}

/// The share before the colon, and the rest.
fn shared<'a>(text: &'a str, example: &str) -> Result<(Share, &'a str), String> {
    let (share, rest) =
        text.split_once(':').ok_or_else(|| format!("`{text}` has no colon; such as {example}"))?;
    Ok((share.parse()?, rest))
}

impl FromStr for Timed {
    type Err = String;

    fn from_str(text: &str) -> Result<Timed, String> {
        let (share, span) = shared(text, "10%:5s")?;
        Ok(Timed { share, span: span.parse()? })
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.span)
    }
}

impl FromStr for Slowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Slowed, String> {
        let (share, rate) = shared(text, "5%:20kB/s")?;
        Ok(Slowed { share, rate: rate.parse()? })
    }
}

impl fmt::Display for Slowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.rate)
    }
}

impl FromStr for Lagged {
    type Err = String;

    fn from_str(text: &str) -> Result<Lagged, String> {
        let (share, delay) = shared(text, "10%:100ms±30ms")?;
        let (base, jitter) = match delay.split_once('±').or_else(|| delay.split_once("+-")) {
            Some((base, jitter)) => (base, jitter.parse::<Span>()?.0),
            None => (delay, Duration::ZERO),
        };
        let base = base.parse::<Span>()?.0;
        if jitter > base {
            return Err(format!("the jitter in `{text}` is more than the delay"));
        }
        Ok(Lagged { share, delay: Delay { base, jitter } })
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, Span(self.delay.base))?;
        if self.delay.jitter.is_zero() {
            return Ok(());
        }
        // Plain letters: the text is for a shell.
        write!(f, "+-{}", Span(self.delay.jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_read_and_write() {
        for text in ["10%:5s", "5%:10s"] {
            assert_eq!(text.parse::<Timed>().unwrap().to_string(), text);
        }
        assert_eq!("5%:20kB/s".parse::<Slowed>().unwrap().to_string(), "5%:20kB/s");
        let lagged = |text: &str| text.parse::<Lagged>();
        assert_eq!(lagged("10%:100ms±30ms"), lagged("10%:100ms+-30ms"));
        let both = lagged("10%:100ms±30ms").unwrap();
        assert_eq!(both.delay.jitter, Duration::from_millis(30));
        assert_eq!(both.to_string(), "10%:100ms+-30ms");
        assert_eq!(lagged("10%:100ms").unwrap().to_string(), "10%:100ms");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| text.parse::<Lagged>().unwrap_err();
        assert!(error("10%").contains("no colon"));
        assert!(error("ten:100ms").contains("`ten` is not a share"));
        assert!(error("10%:100").contains("`100` is not a time"));
        assert!(error("10%:10ms±30ms").contains("more than the delay"));
        assert!("5%:20".parse::<Slowed>().unwrap_err().contains("not a rate"));
        assert!("5%:".parse::<Timed>().is_err());
    }
}
