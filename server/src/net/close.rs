//! Why a WebSocket ends, as values.
//!
//! A [`Violation`] is what a peer did against the rules, and the peer is told so; any
//! other reason to close is the protocol's. [`Ended`] is what the owner of a
//! connection learns. All close codes of this layer are in this file.

use std::fmt;
use std::io;

use tickwire_protocol::close::CloseReason;

/// Bytes of a control frame's payload at most, by the WebSocket standard.
pub const CONTROL_BYTES_MAX: usize = 125;
/// Bytes of the text in a close frame at most: the code takes two.
pub const CLOSE_TEXT_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// What a peer did against the rules. Each ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A frame without a mask, which every client must apply.
    Unmasked,
    /// A reserved bit is set, though no extension was negotiated.
    ReservedBits,
    /// An opcode that the standard does not define.
    ReservedOpcode,
    /// A ping, pong or close frame without the final bit.
    ControlFragmented,
    /// A ping, pong or close frame of more than 125 bytes.
    ControlTooLong,
    /// A length that is not written in the shortest form.
    LengthNotMinimal,
    /// A continuation frame while no message is open.
    ContinuationWithoutStart,
    /// A new message while a fragmented one is open.
    MessageInsideMessage,
    /// A close frame of one byte.
    CloseBodyShort,
    /// A close code that must not appear on the wire.
    CloseCodeInvalid,
    /// The reader behind the gate refused a frame that the gate had let through.
    Malformed,
    /// A text message where only binary ones are understood.
    TextUnsupported,
    /// A fragment where only whole messages are understood.
    FragmentUnsupported,
    /// Text, or the reason in a close frame, that is not UTF-8.
    TextInvalid,
    /// A message longer than the cap.
    MessageTooLong,
    /// Pings and pongs faster than the limit.
    ControlFlood,
    /// Data frames without data faster than the limit.
    EmptyFlood,
    /// A frame that began and was not complete at the deadline.
    FrameDeadline,
}

impl Violation {
    /// The close code that the peer reads.
    pub const fn code(self) -> u16 {
        match self {
            Self::Unmasked
            | Self::ReservedBits
            | Self::ReservedOpcode
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::LengthNotMinimal
            | Self::ContinuationWithoutStart
            | Self::MessageInsideMessage
            | Self::CloseBodyShort
            | Self::CloseCodeInvalid
            | Self::Malformed => 1002,
            Self::TextUnsupported | Self::FragmentUnsupported => 1003,
            Self::TextInvalid => 1007,
            Self::ControlFlood | Self::EmptyFlood | Self::FrameDeadline => 1008,
            Self::MessageTooLong => 1009,
        }
    }

    /// The text that the peer reads.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unmasked => "frame is not masked",
            Self::ReservedBits => "reserved bits are set",
            Self::ReservedOpcode => "reserved opcode",
            Self::ControlFragmented => "control frame is fragmented",
            Self::ControlTooLong => "control frame is too long",
            Self::LengthNotMinimal => "length is not minimal",
            Self::ContinuationWithoutStart => "continuation without a start",
            Self::MessageInsideMessage => "message inside a fragmented message",
            Self::CloseBodyShort => "close frame of one byte",
            Self::CloseCodeInvalid => "invalid close code",
            Self::Malformed => "malformed frame",
            Self::TextUnsupported => "text is not supported",
            Self::FragmentUnsupported => "fragments are not supported",
            Self::TextInvalid => "text is not UTF-8",
            Self::ControlFlood => "too many pings",
            Self::EmptyFlood => "too many empty frames",
            Self::FrameDeadline => "frame took too long",
            Self::MessageTooLong => "message is too long",
        }
    }

    /// The label of the case in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unmasked => "unmasked",
            Self::ReservedBits => "reserved_bits",
            Self::ReservedOpcode => "reserved_opcode",
            Self::ControlFragmented => "control_fragmented",
            Self::ControlTooLong => "control_too_long",
            Self::LengthNotMinimal => "length_not_minimal",
            Self::ContinuationWithoutStart => "continuation_without_start",
            Self::MessageInsideMessage => "message_inside_message",
            Self::CloseBodyShort => "close_body_short",
            Self::CloseCodeInvalid => "close_code_invalid",
            Self::Malformed => "malformed",
            Self::TextUnsupported => "text_unsupported",
            Self::FragmentUnsupported => "fragment_unsupported",
            Self::TextInvalid => "text_invalid",
            Self::ControlFlood => "control_flood",
            Self::EmptyFlood => "empty_flood",
            Self::FrameDeadline => "frame_deadline",
            Self::MessageTooLong => "message_too_long",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Violation {}

/// The payload of a close frame, without an allocation.
pub(super) struct CloseBody {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: usize,
}

impl CloseBody {
    /// What the server says of its own accord.
    pub(super) fn of(reason: CloseReason, text: &str) -> Self {
        Self::new(reason.code(), text)
    }

    /// What a peer reads that broke the rules.
    pub(super) fn violation(violation: Violation) -> Self {
        Self::new(violation.code(), violation.text())
    }

    /// Of the text, what is over [`CLOSE_TEXT_BYTES_MAX`] is cut off.
    fn new(code: u16, text: &str) -> Self {
        let text = &text.as_bytes()[..text.floor_char_boundary(CLOSE_TEXT_BYTES_MAX)];
        let mut bytes = [0; CONTROL_BYTES_MAX];
        bytes[..2].copy_from_slice(&code.to_be_bytes());
        bytes[2..2 + text.len()].copy_from_slice(text);
        Self { bytes, len: 2 + text.len() }
    }

    /// The answer to a peer's close frame: its code, or no body when it had none.
    pub(super) fn echo(code: Option<u16>) -> Self {
        code.map_or(Self { bytes: [0; CONTROL_BYTES_MAX], len: 0 }, |code| Self::new(code, ""))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Reads the payload of a peer's close frame: its code, if it has one.
pub(super) fn parse_close(body: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, text) = match body {
        [] => return Ok(None),
        [_] => return Err(Violation::CloseBodyShort),
        [high, low, text @ ..] => (u16::from_be_bytes([*high, *low]), text),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCodeInvalid);
    }
    if std::str::from_utf8(text).is_err() {
        return Err(Violation::TextInvalid);
    }
    Ok(Some(code))
}

/// How a connection ended, as its owner learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer broke the rules and was told so.
    Violation(Violation),
    /// The peer closed, with this code if it gave one.
    ByPeer(Option<u16>),
    /// The server closed, with this code.
    ByServer(u16),
    /// The peer's stream ended without a close frame.
    Eof {
        /// Whether a frame had begun.
        mid_frame: bool,
    },
    /// The stream failed.
    Failed(io::ErrorKind),
}

impl Ended {
    /// The label of the case in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Violation(violation) => violation.label(),
            Self::ByPeer(_) => "by_peer",
            Self::ByServer(_) => "by_server",
            Self::Eof { .. } => "eof",
            Self::Failed(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_that_must_not_be_sent_are_refused() {
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            let body = u16::to_be_bytes(code);
            assert_eq!(parse_close(&body), Err(Violation::CloseCodeInvalid), "{code}");
        }
        for code in [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(parse_close(&u16::to_be_bytes(code)), Ok(Some(code)), "{code}");
        }
    }

    #[test]
    fn close_bodies_are_empty_or_hold_a_code_and_text() {
        assert_eq!(parse_close(&[]), Ok(None));
        assert_eq!(parse_close(&[3]), Err(Violation::CloseBodyShort));
        assert_eq!(parse_close(&[3, 232, b'o', b'k']), Ok(Some(1000)));
        assert_eq!(parse_close(&[3, 232, 0xff]), Err(Violation::TextInvalid));
    }

    #[test]
    fn long_reasons_are_cut_at_a_character() {
        let body = CloseBody::of(CloseReason::Refused, &"é".repeat(100));
        assert_eq!(body.as_bytes().len(), 124);
        assert_eq!(body.as_bytes()[..2], [0x11, 0x33]);
        assert!(std::str::from_utf8(&body.as_bytes()[2..]).is_ok());
    }
}
