//! The gate: judges each frame of a client before the reader behind it sees a
//! byte. Pure: bytes in, verdicts out.
//!
//! Invariants: a frame is judged as soon as its header is there, so that nothing
//! is stored for a length that is only announced; text is judged as its bytes
//! arrive; a frame is let through whole. What is absent: unmasking of stored
//! bytes, and putting fragments together.
//!
//! ```text
//!  byte 0     byte 1     0, 2 or 8 bytes   4 bytes   length bytes
//! +----------+----------+-----------------+---------+-------------
//! |F RRR opco|M length  | longer length   | mask    | payload …
//! +----------+----------+-----------------+---------+-------------
//!  F final    M masked   length 126: u16, 127: u64, big endian
//! ```

use super::close::{CONTROL_BYTES_MAX, Violation};
use super::limits::{Limits, Mode};
use super::utf8::Utf8Check;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// The first byte of a binary message in one piece.
const PLAIN: u8 = FINAL | Opcode::Binary as u8;
/// A payload whose length stands in the second byte.
const SHORT_BYTES_MAX: usize = 125;
/// The header of a frame with such a payload.
pub(super) const SHORT_HEADER_BYTES: usize = 6;
/// Text is unmasked through a buffer of this size to be judged; a multiple of
/// the mask's length.
const TEXT_STEP_BYTES: usize = 512;

const _: () = assert!(TEXT_STEP_BYTES.is_multiple_of(4));

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that is open.
    Continuation = 0x0,
    /// A text message, or the first fragment of one.
    Text = 0x1,
    /// A binary message, or the first fragment of one.
    Binary = 0x2,
    /// The close handshake.
    Close = 0x8,
    /// A question for a pong.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xa,
}

impl Opcode {
    fn parse(byte: u8) -> Result<Self, Violation> {
        Ok(match byte & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return Err(Violation::ReservedOpcode),
        })
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A header that follows the rules of a frame by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    /// Bytes of the header.
    bytes: usize,
    payload_bytes: u64,
}

impl Header {
    /// Reads a header; nothing while bytes are missing. What is wrong in the
    /// first two bytes is wrong whatever follows.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = Opcode::parse(*first)?;
        let fin = first & FINAL != 0;
        let short = second & !MASKED;
        if opcode.is_control() && !fin {
            return Err(Violation::ControlFragmented);
        }
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(Violation::ControlTooLong);
        }
        if second & MASKED == 0 {
            return Err(Violation::Unmasked);
        }
        let (payload_bytes, minimum, rest) = match (short, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 126, rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 1 << 16, rest)
            }
            (126 | 127, _) => return Ok(None),
            (short, rest) => (u64::from(short), 0, rest),
        };
        if payload_bytes < minimum {
            return Err(Violation::LengthNotMinimal);
        }
        let [a, b, c, d, payload @ ..] = rest else {
            return Ok(None);
        };
        let header_bytes = bytes.len() - payload.len();
        Ok(Some(Self { opcode, fin, mask: [*a, *b, *c, *d], bytes: header_bytes, payload_bytes }))
    }
}

/// A frame that is complete and follows every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    /// What it carries.
    pub(super) opcode: Opcode,
    /// Whether its message is complete with it.
    pub(super) fin: bool,
    /// Bytes of the whole frame.
    pub(super) bytes: usize,
    /// Bytes of its payload.
    pub(super) payload_bytes: usize,
    /// Whether its message is text; false for control frames.
    pub(super) text: bool,
    /// What its payload is masked with.
    pub(super) mask: [u8; 4],
}

/// A message that [`Gate::pass_short`] lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Bytes of its payload, behind [`SHORT_HEADER_BYTES`] of its header.
    pub(super) payload_bytes: usize,
    /// What its payload is masked with.
    pub(super) mask: [u8; 4],
}

/// A fragmented message that has begun and not ended.
#[derive(Debug, Clone, Copy)]
struct Open {
    text: bool,
    /// Bytes of its fragments so far: at most the cap.
    bytes: usize,
}

/// The frame whose bytes are arriving.
#[derive(Debug, Clone, Copy)]
struct Arriving {
    /// Bytes of its header.
    header_bytes: usize,
    /// What it will be when it is complete.
    frame: Admitted,
    /// Bytes of its payload that were judged as text.
    judged: usize,
}

/// The state of the judge between two reads.
#[derive(Debug)]
pub(super) struct Gate {
    mode: Mode,
    message_bytes_max: usize,
    open: Option<Open>,
    arriving: Option<Arriving>,
    utf8: Utf8Check,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            mode: limits.mode,
            message_bytes_max: limits.message_bytes_max,
            open: None,
            arriving: None,
            utf8: Utf8Check::default(),
        }
    }

    /// Whether a fragmented message is open.
    pub(super) fn mid_message(&self) -> bool {
        self.open.is_some()
    }

    /// Lets the frame through that `bytes` begin with, if it is what nearly all are on a
    /// game socket: a short binary message in one piece that is all there. What it says no
    /// to is for [`judge`](Self::judge).
    pub(super) fn pass_short(&self, bytes: &[u8]) -> Option<Short> {
        let [PLAIN, second, a, b, c, d, payload @ ..] = bytes else { return None };
        let payload_bytes = usize::from(second & !MASKED);
        let fits = (1..=SHORT_BYTES_MAX.min(self.message_bytes_max)).contains(&payload_bytes);
        let whole = second & MASKED != 0 && payload_bytes <= payload.len();
        let next = self.open.is_none() && self.arriving.is_none();
        (fits && whole && next).then_some(Short { payload_bytes, mask: [*a, *b, *c, *d] })
    }

    /// Judges the frame that `bytes` begin with; they must begin with the same
    /// frame, and hold no less of it, until it is let through. Nothing while
    /// the frame is not complete.
    pub(super) fn judge(&mut self, bytes: &[u8]) -> Result<Option<Admitted>, Violation> {
        let mut arriving = match self.arriving {
            Some(arriving) => arriving,
            None => match Header::parse(bytes)? {
                Some(header) => self.admit(header)?,
                None => return Ok(None),
            },
        };
        let frame = arriving.frame;
        if frame.text {
            let end = bytes.len().min(frame.bytes);
            let new = &bytes[arriving.header_bytes + arriving.judged..end];
            judge_text(&mut self.utf8, new, frame.mask, arriving.judged)?;
            arriving.judged += new.len();
        }
        if bytes.len() < frame.bytes {
            self.arriving = Some(arriving);
            return Ok(None);
        }
        if frame.text && frame.fin {
            self.utf8.finish().map_err(|_| Violation::TextInvalid)?;
        }
        self.arriving = None;
        self.pass(frame);
        Ok(Some(frame))
    }

    /// Judges a header by the messages before it and the limits of the socket.
    fn admit(&self, header: Header) -> Result<Arriving, Violation> {
        let (text, before) = match (header.opcode, self.open) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => (false, 0),
            (Opcode::Continuation, None) => return Err(Violation::ContinuationWithoutStart),
            (Opcode::Continuation, Some(open)) => (open.text, open.bytes),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::MessageInsideMessage);
            }
            (opcode, None) => (opcode == Opcode::Text, 0),
        };
        if text && self.mode == Mode::Game {
            return Err(Violation::TextUnsupported);
        }
        if !header.fin && self.mode == Mode::Game {
            return Err(Violation::FragmentUnsupported);
        }
        let room = if header.opcode.is_control() {
            CONTROL_BYTES_MAX
        } else {
            self.message_bytes_max - before
        };
        let payload_bytes = usize::try_from(header.payload_bytes)
            .ok()
            .filter(|bytes| *bytes <= room)
            .ok_or(Violation::MessageTooLong)?;
        let frame = Admitted {
            opcode: header.opcode,
            fin: header.fin,
            bytes: header.bytes + payload_bytes,
            payload_bytes,
            text,
            mask: header.mask,
        };
        Ok(Arriving { header_bytes: header.bytes, frame, judged: 0 })
    }

    /// Remembers what a complete frame means for the next one.
    fn pass(&mut self, frame: Admitted) {
        if frame.opcode.is_control() {
            return;
        }
        let before = self.open.map_or(0, |open| open.bytes);
        self.open =
            (!frame.fin).then_some(Open { text: frame.text, bytes: before + frame.payload_bytes });
    }
}

/// Judges `masked` bytes of a text, which begin at `offset` of their frame's payload.
fn judge_text(
    utf8: &mut Utf8Check,
    masked: &[u8],
    mut mask: [u8; 4],
    offset: usize,
) -> Result<(), Violation> {
    mask.rotate_left(offset % 4);
    let mut buffer = [0; TEXT_STEP_BYTES];
    for step in masked.chunks(TEXT_STEP_BYTES) {
        let text = &mut buffer[..step.len()];
        text.copy_from_slice(step);
        fastwebsockets::unmask(text, mask);
        utf8.push(text).map_err(|_| Violation::TextInvalid)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game() -> Gate {
        Gate::new(&Limits::game(1000, 0))
    }

    fn general() -> Gate {
        Gate::new(&Limits::general(1000, 0))
    }

    /// A whole masked frame with a length in its shortest form.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0xfe);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        let mask = [7, 77, 177, 227];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// The verdict of a gate that sees the bytes one by one, and how many it saw.
    fn trickled(mut gate: Gate, bytes: &[u8]) -> (Result<Option<Admitted>, Violation>, usize) {
        for seen in 0..=bytes.len() {
            let verdict = gate.judge(&bytes[..seen]);
            if verdict != Ok(None) {
                return (verdict, seen);
            }
        }
        (Ok(None), bytes.len())
    }

    #[test]
    fn a_short_message_that_passes_at_once_would_be_judged_the_same() {
        let mut passed = 0;
        for (first, len) in (0..=255).flat_map(|first| [0, 1, 125, 126].map(|len| (first, len))) {
            let bytes = [frame(first, &vec![5; len]), vec![0x82]].concat();
            for (end, gate) in (0..=bytes.len()).flat_map(|end| [(end, game()), (end, general())]) {
                let Some(short) = gate.pass_short(&bytes[..end]) else { continue };
                let mut judge = gate;
                let frame = judge.judge(&bytes[..end]).unwrap().unwrap();
                assert_eq!((frame.opcode, frame.fin), (Opcode::Binary, true));
                assert_eq!((frame.payload_bytes, frame.mask), (short.payload_bytes, short.mask));
                assert_eq!(frame.bytes, SHORT_HEADER_BYTES + short.payload_bytes);
                passed += 1;
            }
        }
        assert_eq!(passed, 8, "two lengths, with the next frame and without, by two gates");
    }

    #[test]
    fn nothing_passes_at_once_that_goes_on_or_is_too_long() {
        let whole = frame(0x82, b"whole");
        let mut open = general();
        assert!(open.pass_short(&whole).is_some());
        assert!(open.judge(&frame(0x02, b"fragment")).unwrap().is_some());
        assert_eq!(open.pass_short(&whole), None);
        let mut arriving = game();
        assert_eq!(arriving.judge(&whole[..7]), Ok(None));
        assert_eq!(arriving.pass_short(&whole), None);
        assert_eq!(Gate::new(&Limits::game(4, 0)).pass_short(&whole), None);
    }

    #[test]
    fn two_bytes_are_enough_for_what_they_break() {
        let cases = [
            ([0xc2, 0x80], Violation::ReservedBits),
            ([0xa2, 0x80], Violation::ReservedBits),
            ([0x92, 0x80], Violation::ReservedBits),
            ([0x83, 0x80], Violation::ReservedOpcode),
            ([0x8f, 0x80], Violation::ReservedOpcode),
            ([0x82, 0x00], Violation::Unmasked),
            ([0x09, 0x80], Violation::ControlFragmented),
            ([0x8a, 0xfe], Violation::ControlTooLong),
            ([0x88, 0xff], Violation::ControlTooLong),
        ];
        for (bytes, violation) in cases {
            assert_eq!(trickled(game(), &bytes), (Err(violation), 2), "{bytes:x?}");
            assert_eq!(trickled(general(), &bytes), (Err(violation), 2), "{bytes:x?}");
        }
    }

    #[test]
    fn lengths_must_be_minimal_and_within_the_cap() {
        let announce = |length: u64| {
            let mut bytes = vec![0x82, 0xff];
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes
        };
        for length in [0, 65535] {
            assert_eq!(game().judge(&announce(length)), Err(Violation::LengthNotMinimal));
        }
        for length in [65536, 1 << 32, 1 << 63, u64::MAX] {
            assert_eq!(game().judge(&announce(length)), Err(Violation::MessageTooLong));
        }
        assert_eq!(game().judge(&[0x82, 0xfe, 0, 125]), Err(Violation::LengthNotMinimal));
        assert!(game().judge(&frame(0x82, &[0; 1000])).unwrap().is_some());
        assert_eq!(game().judge(&frame(0x82, &[0; 1001])), Err(Violation::MessageTooLong));
    }

    #[test]
    fn a_game_socket_refuses_text_and_fragments_at_the_header() {
        let text = frame(0x81, b"text");
        assert_eq!(trickled(game(), &text), (Err(Violation::TextUnsupported), 6));
        let fragment = frame(0x02, b"fragment");
        assert_eq!(trickled(game(), &fragment), (Err(Violation::FragmentUnsupported), 6));
        let continuation = frame(0x80, b"rest");
        assert_eq!(game().judge(&continuation), Err(Violation::ContinuationWithoutStart));
    }

    #[test]
    fn fragments_share_one_cap_and_let_control_frames_between() {
        let mut gate = general();
        assert!(gate.judge(&frame(0x02, &[0; 600])).unwrap().is_some());
        assert!(gate.judge(&frame(0x89, &[0; 125])).unwrap().is_some());
        assert_eq!(gate.judge(&frame(0x82, b"new")), Err(Violation::MessageInsideMessage));
        assert_eq!(gate.judge(&frame(0x81, b"new")), Err(Violation::MessageInsideMessage));
        assert_eq!(gate.judge(&frame(0x80, &[0; 401])), Err(Violation::MessageTooLong));
        assert!(gate.judge(&frame(0x00, &[0; 400])).unwrap().is_some());
        assert!(gate.judge(&frame(0x80, &[])).unwrap().is_some());
        assert!(gate.judge(&frame(0x82, &[0; 1000])).unwrap().is_some());
    }

    #[test]
    fn text_is_refused_at_its_first_bad_byte() {
        let mut text = "κόσμε".repeat(90).into_bytes();
        let whole = frame(0x81, &text);
        assert_eq!(trickled(general(), &whole).1, whole.len());
        text[601] = 0xff;
        let (verdict, seen) = trickled(general(), &frame(0x81, &text));
        assert_eq!((verdict, seen), (Err(Violation::TextInvalid), 8 + 602));
    }

    #[test]
    fn a_character_may_span_fragments_but_not_messages() {
        let mut gate = general();
        assert!(gate.judge(&frame(0x01, b"\xe2\x82")).unwrap().is_some());
        assert!(gate.judge(&frame(0x80, b"\xac")).unwrap().is_some());
        assert_eq!(gate.judge(&frame(0x81, b"\xe2\x82")), Err(Violation::TextInvalid));
    }

    #[test]
    fn a_frame_is_judged_alike_whole_and_in_bytes() {
        for payload in [0, 1, 125, 126, 999] {
            let bytes = frame(0x82, &vec![9; payload]);
            let whole = game().judge(&bytes);
            assert_eq!(trickled(game(), &bytes), (whole, bytes.len()));
            assert_eq!(whole.unwrap().unwrap().payload_bytes, payload);
        }
    }
}
