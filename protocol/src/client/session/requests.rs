//! Commands and chat: reliable, in order, and sent at most once.
//!
//! A command ends in exactly one outcome: its reply, its time-out, or the loss
//! of the connection. It is never sent again by itself, since nobody can tell
//! whether a lost command was carried out.

use core::time::Duration;
use std::collections::VecDeque;

use super::SendError;
use crate::limits::{CHAT_BYTES_MAX, COMMAND_BYTES_MAX};
use crate::message::ClientMessage;
use crate::time::Time;

/// Commands without an outcome. At the limit a further one is refused.
pub const COMMANDS_MAX: usize = 64;
/// Commands and chat lines that wait to be sent. At the limit a further one is refused.
pub const REQUESTS_WAITING_MAX: usize = 64;

/// Names a command until its outcome is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(pub u32);

#[derive(Clone, Debug)]
enum Request {
    Command { id: CommandId, body: Vec<u8> },
    Chat { text: String },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    next: u32,
    /// Commands without an outcome, oldest first, and when each times out.
    open: Vec<(CommandId, Time)>,
    /// What is not sent yet.
    waiting: VecDeque<Request>,
}

impl Requests {
    pub(super) fn command(
        &mut self,
        body: &[u8],
        timeout: Duration,
        now: Time,
    ) -> Result<CommandId, SendError> {
        if body.len() > COMMAND_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        if self.open.len() >= COMMANDS_MAX || self.waiting.len() >= REQUESTS_WAITING_MAX {
            return Err(SendError::Busy);
        }
        let id = CommandId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push((id, now + timeout));
        self.waiting.push_back(Request::Command { id, body: body.to_vec() });
        Ok(id)
    }

    pub(super) fn chat(&mut self, text: &str) -> Result<(), SendError> {
        if text.len() > CHAT_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        if self.waiting.len() >= REQUESTS_WAITING_MAX {
            return Err(SendError::Busy);
        }
        self.waiting.push_back(Request::Chat { text: text.to_owned() });
        Ok(())
    }

    /// Writes the next message, if there is one.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> bool {
        match self.waiting.pop_front() {
            None => return false,
            Some(Request::Command { id, body }) => {
                ClientMessage::Command { id: id.0, body: &body }.write(out);
            }
            Some(Request::Chat { text }) => ClientMessage::Chat { text: &text }.write(out),
        }
        true
    }

    /// A reply came; whether anybody waits for it.
    pub(super) fn replied(&mut self, id: CommandId) -> bool {
        let place = self.open.iter().position(|(open, _)| *open == id);
        place.map(|place| self.open.remove(place)).is_some()
    }

    /// A command that has waited too long by `now`; to be asked until there is none.
    pub(super) fn expired(&mut self, now: Time) -> Option<CommandId> {
        let place = self.open.iter().position(|(_, timeout)| *timeout <= now)?;
        let (id, _) = self.open.remove(place);
        // What is reported as failed must not be carried out after that.
        self.waiting
            .retain(|request| !matches!(request, Request::Command { id: it, .. } if *it == id));
        Some(id)
    }

    /// A command that was lost with the connection; to be asked until there is none.
    pub(super) fn lost(&mut self) -> Option<CommandId> {
        self.waiting.clear();
        (!self.open.is_empty()).then(|| self.open.remove(0).0)
    }

    /// When the next command times out.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.open.iter().map(|(_, timeout)| *timeout).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_command_has_one_outcome() {
        let mut requests = Requests::default();
        let ids: Vec<_> = (0..3)
            .map(|n| requests.command(&[n], SECOND * (3 - u32::from(n)), Time(0)).unwrap())
            .collect();
        assert_eq!(requests.deadline(), Some(Time::from_millis(1000)));
        assert!(requests.replied(ids[1]) && !requests.replied(ids[1]));
        assert_eq!(requests.expired(Time::from_millis(1000)), Some(ids[2]));
        assert_eq!(requests.expired(Time::from_millis(1000)), None);
        assert!(!requests.replied(ids[2]), "a reply after the time-out");
        assert_eq!((requests.lost(), requests.lost()), (Some(ids[0]), None));
    }

    #[test]
    fn a_command_that_timed_out_is_not_sent_any_more() {
        let mut requests = Requests::default();
        requests.chat("first").unwrap();
        let id = requests.command(b"x", SECOND, Time(0)).unwrap();
        requests.chat("last").unwrap();
        assert_eq!(requests.expired(Time::from_millis(1000)), Some(id));
        let mut sent = Vec::new();
        let mut out = Vec::new();
        while requests.send(&mut out) {
            sent.push(core::mem::take(&mut out));
        }
        let read: Vec<_> = sent.iter().map(|bytes| ClientMessage::read(bytes).unwrap()).collect();
        let chat = |text| ClientMessage::Chat { text };
        assert_eq!(read, [chat("first"), chat("last")]);
    }

    #[test]
    fn too_much_is_refused_and_nothing_of_it_is_kept() {
        let mut requests = Requests::default();
        let long = vec![0; COMMAND_BYTES_MAX + 1];
        assert_eq!(requests.command(&long, SECOND, Time(0)), Err(SendError::TooLong));
        for _ in 0..COMMANDS_MAX {
            requests.command(&[], SECOND, Time(0)).unwrap();
        }
        assert_eq!(requests.command(&[], SECOND, Time(0)), Err(SendError::Busy));
        assert_eq!(requests.chat("x"), Err(SendError::Busy));
        let mut out = Vec::new();
        assert!(requests.send(&mut out));
        assert_eq!(requests.chat("x"), Ok(()));
        assert_eq!(requests.command(&[], SECOND, Time(0)), Err(SendError::Busy));
    }
}
