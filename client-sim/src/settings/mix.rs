//! How bots play, and which of them look at what they get.

use std::fmt;
use std::str::FromStr;

use super::quantity::Share;

/// How a bot plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    /// Flies about, and fires now and then.
    Wander,
    /// Turns towards the nearest other ship, and fires when it is ahead.
    Hunt,
    /// Joins, and touches nothing.
    Idle,
    /// Any controls that the game's schema allows.
    Random,
}

impl Behaviour {
    const ALL: [(Behaviour, &'static str); 4] = [
        (Behaviour::Wander, "wander"),
        (Behaviour::Hunt, "hunt"),
        (Behaviour::Idle, "idle"),
        (Behaviour::Random, "random"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Behaviour::ALL.iter().find(|(behaviour, _)| *behaviour == self).map_or("", |it| it.1)
    }

    /// Whether it knows the arena's controls.
    pub(crate) fn is_arena(self) -> bool {
        matches!(self, Behaviour::Wander | Behaviour::Hunt)
    }
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Behaviour, String> {
        let found = Behaviour::ALL.iter().find(|(_, name)| *name == text);
        found.map(|it| it.0).ok_or_else(|| {
            format!("`{text}` is not one of wander, hunt, idle (for the arena) and random")
        })
    }
}

/// Behaviours and their shares, which are everybody.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Mix(pub(crate) Vec<(Behaviour, Share)>);

impl Mix {
    /// What suits a game.
    pub(crate) fn for_game(game: &str) -> Mix {
        let text = if game == "arena" { "wander:50%,hunt:40%,idle:10%" } else { "random" };
        text.parse().unwrap_or_else(|_| Mix(vec![(Behaviour::Random, Share::ALL)]))
    }
}

impl FromStr for Mix {
    type Err = String;

    /// `hunt`, or `wander:50%,hunt:50%`.
    fn from_str(text: &str) -> Result<Mix, String> {
        if let Ok(one) = text.parse() {
            return Ok(Mix(vec![(one, Share::ALL)]));
        }
        let parts = text.split(',').map(|part| {
            let (name, share) = part.trim().split_once(':').ok_or_else(|| {
                format!("`{text}` is not a behaviour, or several such as wander:50%,hunt:50%")
            })?;
            Ok((name.parse()?, share.parse()?))
        });
        let parts: Vec<(Behaviour, Share)> = parts.collect::<Result<_, String>>()?;
        let total: f64 = parts.iter().map(|(_, share)| share.fraction()).sum();
        if (total - 1.0).abs() > 1e-6 {
            return Err(format!("the shares in `{text}` are not 100% together"));
        }
        Ok(Mix(parts))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(one, Share::ALL)] = self.0[..] {
            return f.write_str(one.name());
        }
        for (index, (behaviour, share)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}:{share}", behaviour.name())?;
        }
        Ok(())
    }
}

/// Which bots decode the state; the others follow the ticks and count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Decode(pub(crate) Share);

impl FromStr for Decode {
    type Err = String;

    fn from_str(text: &str) -> Result<Decode, String> {
        match text {
            "all" => Ok(Decode(Share::ALL)),
            "none" => Ok(Decode(Share::default())),
            other => match other.strip_prefix("sample:") {
                Some(share) => Ok(Decode(share.parse()?)),
                None => Err(format!("`{text}` is not one of all, none and sample:10%")),
            },
        }
    }
}

impl fmt::Display for Decode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            share if share == Share::ALL => f.write_str("all"),
            share if share == Share::default() => f.write_str("none"),
            share => write!(f, "sample:{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_and_decoding_read_and_write() {
        for text in ["hunt", "random", "wander:50%,hunt:40%,idle:10%"] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), text);
        }
        for text in ["all", "none", "sample:10%"] {
            assert_eq!(text.parse::<Decode>().unwrap().to_string(), text);
        }
        assert!("wander:50%".parse::<Mix>().unwrap_err().contains("100%"));
        assert!("swim".parse::<Mix>().is_err() && "sample".parse::<Decode>().is_err());
        assert_eq!(Mix::for_game("chess").to_string(), "random");
        assert_eq!(Mix::for_game("arena").0.len(), 3);
    }
}
