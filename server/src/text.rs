//! Texts that others will read: names, lines of chat, and what a game says.

use tickwire_protocol::limits::{PLAYER_NAME_BYTES_MAX, REASON_BYTES_MAX};

/// A text without what moves a cursor, breaks a line or turns the direction of
/// writing, and without space at its ends.
pub(crate) fn clean(text: &str) -> String {
    let kept: String = text.chars().filter(|&char| !is_control(char)).collect();
    let trimmed = kept.trim();
    if trimmed.len() == kept.len() { kept } else { trimmed.to_owned() }
}

/// A clean name of a length that fits.
pub(crate) fn clean_name(name: &str) -> String {
    clean_within(name, PLAYER_NAME_BYTES_MAX)
}

/// A clean text of a length that fits a goodbye.
pub(crate) fn clean_reason(text: &str) -> String {
    clean_within(text, REASON_BYTES_MAX)
}

/// A clean text of at most so many bytes.
pub(crate) fn clean_within(text: &str, bytes_max: usize) -> String {
    let mut text = clean(text);
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(char, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_steer_a_terminal() {
        assert_eq!(clean(" hi\r\n\x1b[31mred\u{202E}live\u{9b}2J\u{2028} "), "hi[31mredlive2J");
        assert_eq!(clean("\n\t"), "");
        assert_eq!(clean("Žofie says <b>hi</b> 𝄞"), "Žofie says <b>hi</b> 𝄞");
        let name = clean_name(&"Ž".repeat(100));
        assert_eq!(name, "Ž".repeat(32));
    }
}
