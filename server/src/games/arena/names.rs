//! The names that players go by: short, visible, and each only once.

use super::{SEATS_MAX, Space};
use crate::game::{PlayerId, Refusal};

/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 16;

/// A name has no characters, or some that cannot be shown.
pub const NAME_EMPTY: u16 = 102;
/// A name has more than [`NAME_CHARS_MAX`] characters.
pub const NAME_TOO_LONG: u16 = 103;
/// Somebody else has that name, in large or small letters.
pub const NAME_TAKEN: u16 = 104;

/// A name that the player may have, without spaces around it.
pub(super) fn check<'a>(
    world: &Space,
    player: PlayerId,
    name: &'a str,
) -> Result<&'a str, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.contains(is_hidden) {
        return Err(Refusal::new(NAME_EMPTY, "a name needs characters that can be seen"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        let text = format!("a name has at most {NAME_CHARS_MAX} characters");
        return Err(Refusal::new(NAME_TOO_LONG, text));
    }
    let folded = name.to_lowercase();
    let mut others = world.scores.iter().filter(|(_, score)| score.player != player);
    if others.any(|(_, score)| score.name.to_lowercase() == folded) {
        return Err(Refusal::new(NAME_TAKEN, "somebody else has that name"));
    }
    Ok(name)
}

/// The name that a new player wishes for, or one like it that is free.
pub(super) fn free(world: &Space, player: PlayerId, wish: &str) -> String {
    let shown: String = wish.chars().filter(|&c| !is_hidden(c)).collect();
    let start = |chars| shown.trim().chars().take(chars).collect::<String>();
    let stem = Some(start(NAME_CHARS_MAX - 4)).filter(|stem| !stem.is_empty());
    let stem = stem.unwrap_or_else(|| "Pilot".to_owned());
    // One of these is free, as all the others have fewer names than there are seats.
    let numbered = (1..=SEATS_MAX).map(|number| format!("{} {number}", stem.trim_end()));
    let names = std::iter::once(start(NAME_CHARS_MAX)).chain(numbered);
    let mut free = names.filter(|name| check(world, player, name).is_ok());
    free.next().map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

/// Whether a character shows nothing, or changes how others are shown: two names
/// that differ only in such would look the same.
fn is_hidden(c: char) -> bool {
    let joins_or_turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{61c}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}');
    let is_blank = matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{2800}')
        || matches!(
            c,
            '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}'
        );
    let varies_or_tags = matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}');
    c.is_control() || joins_or_turns || is_blank || varies_or_tags
}
