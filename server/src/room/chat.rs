//! Chat: what may be said, and what was said last.

use std::collections::VecDeque;

use bytes::Bytes;
use tickwire_protocol::limits::PLAYER_NAME_BYTES_MAX;
use tickwire_protocol::message::{Chat, ServerMessage};

/// Lines that a room remembers, whatever its configuration asks for.
pub(super) const CHAT_LINES_MAX: usize = 128;

const _: () = assert!(CHAT_LINES_MAX <= super::outbox::CONTROL_MESSAGES_MAX / 2);

/// The last lines, encoded. At the limit the oldest goes.
#[derive(Debug)]
pub(super) struct ChatLog {
    lines: VecDeque<Bytes>,
    lines_max: usize,
}

impl ChatLog {
    pub(super) fn new(lines_max: usize) -> ChatLog {
        ChatLog { lines: VecDeque::new(), lines_max: lines_max.min(CHAT_LINES_MAX) }
    }

    /// Remembers a line; gives it as a message.
    pub(super) fn say(&mut self, chat: Chat<'_>) -> Bytes {
        let mut line = Vec::new();
        ServerMessage::Chat(chat).write(&mut line);
        let line = Bytes::from(line);
        if self.lines_max > 0 {
            if self.lines.len() == self.lines_max {
                self.lines.pop_front();
            }
            self.lines.push_back(line.clone());
        }
        line
    }

    /// The lines, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Bytes> {
        self.lines.iter()
    }
}

/// A text without what moves a cursor, breaks a line or turns the direction of
/// writing, and without space at its ends.
pub(super) fn clean(text: &str) -> String {
    let kept: String = text.chars().filter(|&char| !is_control(char)).collect();
    let trimmed = kept.trim();
    if trimmed.len() == kept.len() { kept } else { trimmed.to_owned() }
}

/// A clean name of a length that fits.
pub(super) fn clean_name(name: &str) -> String {
    let mut name = clean(name);
    name.truncate(name.floor_char_boundary(PLAYER_NAME_BYTES_MAX));
    name
}

fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(char, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use tickwire_protocol::Tick;

    use super::*;

    #[test]
    fn what_is_said_cannot_steer_a_terminal() {
        assert_eq!(clean(" hi\r\n\x1b[31mred\u{202E}live\u{9b}2J\u{2028} "), "hi[31mredlive2J");
        assert_eq!(clean("\n\t"), "");
        assert_eq!(clean("Žofie says <b>hi</b> 𝄞"), "Žofie says <b>hi</b> 𝄞");
        let name = clean_name(&"Ž".repeat(100));
        assert_eq!(name, "Ž".repeat(32));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut log = ChatLog::new(3);
        for tick in 0..9 {
            log.say(Chat { player: 1, name: "Ada", tick: Tick(tick), text: "x" });
        }
        let ticks = log.lines().map(|line| match ServerMessage::read(line) {
            Ok(ServerMessage::Chat(chat)) => chat.tick.0,
            other => panic!("{other:?}"),
        });
        assert_eq!(ticks.collect::<Vec<_>>(), [6, 7, 8]);
        let mut none = ChatLog::new(0);
        none.say(Chat { player: 1, name: "Ada", tick: Tick(0), text: "x" });
        assert_eq!(none.lines().count(), 0);
    }
}
