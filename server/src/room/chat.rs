//! Chat: what was said last.

use std::collections::VecDeque;

use bytes::Bytes;
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

#[cfg(test)]
mod tests {
    use tickwire_protocol::Tick;

    use super::*;

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
