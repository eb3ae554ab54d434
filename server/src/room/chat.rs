//! Chat: what was said last, and how much a room may say.

use std::collections::VecDeque;

use bytes::Bytes;
use tickwire_protocol::Time;
use tickwire_protocol::limits::{CHAT_BYTES_MAX, PLAYER_NAME_BYTES_MAX};
use tickwire_protocol::message::{Chat, ServerMessage};

use super::outbox::{CONTROL_BYTES_MAX, CONTROL_MESSAGES_MAX};
use super::rate::Limiter;

/// Lines that a room remembers, whatever its configuration asks for.
pub(super) const CHAT_LINES_MAX: usize = 128;

/// Lines that a room may say at once, however many say them. Over it they are dropped:
/// otherwise a crowd could fill the outboxes of all within a tick, and end their
/// connections.
const ROOM_LINES_BURST: u32 = 64;
/// Lines that a room may say each second, over time: more than anybody reads.
const ROOM_LINES_PER_SECOND: u32 = 16;
/// Bytes of the longest line as a message, and some.
const LINE_BYTES_MAX: usize = CHAT_BYTES_MAX + PLAYER_NAME_BYTES_MAX + 32;

const _: () = {
    let lines = CHAT_LINES_MAX + ROOM_LINES_BURST as usize;
    assert!(lines < CONTROL_MESSAGES_MAX, "a newcomer's outbox holds a room's loudest tick");
    assert!(lines * LINE_BYTES_MAX < CONTROL_BYTES_MAX);
};

/// The last lines, encoded. At the limit the oldest goes.
#[derive(Debug)]
pub(super) struct ChatLog {
    lines: VecDeque<Bytes>,
    lines_max: usize,
    rate: Limiter,
}

impl ChatLog {
    pub(super) fn new(lines_max: usize) -> ChatLog {
        ChatLog {
            lines: VecDeque::new(),
            lines_max: lines_max.min(CHAT_LINES_MAX),
            rate: Limiter::new(ROOM_LINES_BURST, ROOM_LINES_PER_SECOND),
        }
    }

    /// Whether the room may say one more line.
    pub(super) fn grant(&mut self, now: Time) -> bool {
        self.rate.take(now)
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
