//! Why a connection ends: values, with a WebSocket close code and a text.

use core::fmt;

/// The reason that a server gives when it ends a connection, in its `Bye` and
/// in the WebSocket close frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseReason {
    /// The client left, or the room is over.
    Normal,
    /// The client broke the rules of WebSocket.
    Protocol,
    /// A text message, or a fragmented one.
    Unsupported,
    /// Text that is not UTF-8.
    BadText,
    /// Too many messages.
    Policy,
    /// A message over the limit.
    TooBig,
    /// The room failed.
    Failed,
    /// The server restarts; the seat is kept if it comes back in time.
    Restart,
    /// The server has no place now.
    TryLater,
    /// A message that is not one of this protocol's.
    BadMessage,
    /// No token, or one that is not valid (any more).
    NotAuthenticated,
    /// The game does not let this player in.
    Refused,
    /// No such room.
    NoSuchRoom,
    /// The same player connected again.
    Replaced,
    /// The client does not keep up; its seat waits.
    TooSlow,
    /// The seat token was used before.
    SeatUsed,
    /// The room is on another node.
    WrongNode,
    /// A code that this version does not know.
    Other(u16),
}

/// What a client does after a close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// Connect again with the resume token, after a delay.
    Resume,
    /// Ask for a new seat, after a delay.
    Join,
    /// Nothing: the same would happen again.
    Stop,
}

/// Reason, code, text, advice: the one table.
const REASONS: [(CloseReason, u16, &str, Advice); 17] = [
    (CloseReason::Normal, 1000, "bye", Advice::Stop),
    (CloseReason::Protocol, 1002, "WebSocket protocol error", Advice::Stop),
    (CloseReason::Unsupported, 1003, "binary messages in one frame only", Advice::Stop),
    (CloseReason::BadText, 1007, "text is not UTF-8", Advice::Stop),
    (CloseReason::Policy, 1008, "too many messages", Advice::Join),
    (CloseReason::TooBig, 1009, "message too big", Advice::Stop),
    (CloseReason::Failed, 1011, "the room failed", Advice::Join),
    (CloseReason::Restart, 1012, "the server restarts", Advice::Resume),
    (CloseReason::TryLater, 1013, "no place now, try later", Advice::Join),
    (CloseReason::BadMessage, 4400, "not a message of this protocol", Advice::Stop),
    (CloseReason::NotAuthenticated, 4401, "not authenticated", Advice::Join),
    (CloseReason::Refused, 4403, "refused", Advice::Stop),
    (CloseReason::NoSuchRoom, 4404, "no such room", Advice::Join),
    (CloseReason::TooSlow, 4408, "too slow", Advice::Resume),
    (CloseReason::Replaced, 4408, "replaced by a newer connection", Advice::Stop),
    (CloseReason::SeatUsed, 4409, "the seat is already used", Advice::Join),
    (CloseReason::WrongNode, 4421, "the room is on another node", Advice::Join),
];

impl CloseReason {
    fn row(self) -> Option<&'static (CloseReason, u16, &'static str, Advice)> {
        REASONS.iter().find(|row| row.0 == self)
    }

    /// The WebSocket close code.
    pub fn code(self) -> u16 {
        match self {
            CloseReason::Other(code) => code,
            known => known.row().map_or(1011, |row| row.1),
        }
    }

    /// A short text; it fits a close frame.
    pub fn text(self) -> &'static str {
        self.row().map_or("", |row| row.2)
    }

    /// What a client does after it.
    pub fn advice(self) -> Advice {
        match self {
            // Lost without a close frame, or for a reason of the network's.
            CloseReason::Other(1001 | 1006 | 1014 | 1015) => Advice::Resume,
            CloseReason::Other(4000..) => Advice::Stop,
            CloseReason::Other(_) => Advice::Resume,
            known => known.row().map_or(Advice::Stop, |row| row.3),
        }
    }

    /// The reason that a code and a text stand for. Only where two reasons share a
    /// code does the text decide; a text that is neither's is the first one's, which
    /// lets the client come back.
    pub fn from_code(code: u16, text: &str) -> CloseReason {
        let exact = REASONS.iter().find(|row| row.1 == code && row.2 == text);
        exact
            .or_else(|| REASONS.iter().find(|row| row.1 == code))
            .map_or(CloseReason::Other(code), |row| row.0)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Other(code) => write!(f, "close code {code}"),
            known => write!(f, "{} ({})", known.text(), known.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REASON_BYTES_MAX;

    #[test]
    fn every_reason_returns_from_its_code_and_text() {
        for (reason, code, text, _) in REASONS {
            assert_eq!((reason.code(), reason.text()), (code, text));
            assert_eq!(CloseReason::from_code(code, text), reason);
            assert!(text.len() <= REASON_BYTES_MAX);
        }
        assert_eq!(CloseReason::from_code(4777, "?"), CloseReason::Other(4777));
        assert_eq!(CloseReason::from_code(4408, ""), CloseReason::TooSlow);
    }

    #[test]
    fn a_lost_connection_resumes_and_a_replaced_one_does_not() {
        assert_eq!(CloseReason::from_code(1006, "").advice(), Advice::Resume);
        assert_eq!(CloseReason::Replaced.advice(), Advice::Stop);
        assert_eq!(CloseReason::TooSlow.advice(), Advice::Resume);
    }
}
