//! WebSocket frames on a client's side: judged, and taken apart without a copy.
//!
//! fastwebsockets keeps a buffer of 8 KiB for each connection, and its `read_frame`
//! must not be dropped half way, so each bot would hold a future as well. Thousands
//! of bots read into one buffer here, and keep only the rest of a frame that has not
//! arrived whole. Servers of this protocol send unmasked frames that are never
//! fragmented, which makes a reader of few lines.
//!
//! ```text
//!  byte 0     byte 1     0, 2 or 8 bytes   length bytes
//! +----------+----------+-----------------+-------------
//! |F RRR opco|M length  | longer length   | payload …
//! +----------+----------+-----------------+-------------
//! ```

use std::fmt;

use tickwire_protocol::limits::SERVER_MESSAGE_BYTES_MAX;

use crate::dice::Dice;

pub(crate) use fastwebsockets::OpCode as Opcode;

/// A partial frame keeps no more memory than this once it is whole.
const KEPT_BYTES: usize = 1024;
const CONTROL_BYTES_MAX: usize = 125;

/// What a server must not send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Breach {
    Reserved,
    Masked,
    Fragmented,
    Text,
    TooLong,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Breach::Reserved => "a frame with reserved bits or a reserved opcode",
            Breach::Masked => "a masked frame",
            Breach::Fragmented => "a fragmented message",
            Breach::Text => "a text message",
            Breach::TooLong => "a frame over its limit",
        })
    }
}

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Came<'a> {
    /// A message.
    Message(&'a [u8]),
    /// A ping, which wants its payload back.
    Ping(&'a [u8]),
    /// The end, with its code and text.
    Close(u16, &'a str),
}

/// The rest of a frame that has not arrived whole.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    partial: Vec<u8>,
}

impl FrameReader {
    /// Takes the bytes that follow, and hands over what is whole in them, until
    /// `each` says that it is enough; what is left then is dropped.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Came<'_>) -> bool,
    ) -> Result<(), Breach> {
        if self.partial.is_empty() {
            let used = walk(bytes, &mut each)?;
            self.partial.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.partial.extend_from_slice(bytes);
        let used = walk(&self.partial, &mut each)?;
        self.partial.drain(..used);
        if self.partial.is_empty() && self.partial.capacity() > KEPT_BYTES {
            self.partial = Vec::new();
        }
        Ok(())
    }
}

/// Hands over whole frames; gives how many bytes they were.
fn walk(bytes: &[u8], each: &mut impl FnMut(Came<'_>) -> bool) -> Result<usize, Breach> {
    let mut used = 0;
    while let Some(Whole { opcode, payload, bytes: whole }) = frame(&bytes[used..])? {
        used += whole;
        let came = match opcode {
            Opcode::Binary => Came::Message(payload),
            Opcode::Ping => Came::Ping(payload),
            Opcode::Close => close(payload),
            // Nobody asked for it.
            _ => continue,
        };
        if !each(came) {
            return Ok(bytes.len());
        }
    }
    Ok(used)
}

fn close(payload: &[u8]) -> Came<'_> {
    match payload {
        [high, low, text @ ..] => Came::Close(
            u16::from_be_bytes([*high, *low]),
            std::str::from_utf8(text).unwrap_or_default(),
        ),
        // No code was given: what the standard calls that.
        _ => Came::Close(1005, ""),
    }
}

/// A frame that has arrived whole.
struct Whole<'a> {
    opcode: Opcode,
    payload: &'a [u8],
    /// Bytes of all of it.
    bytes: usize,
}

/// The first frame; nothing while it is not whole.
fn frame(bytes: &[u8]) -> Result<Option<Whole<'_>>, Breach> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = match first & 0x7f {
        0x0 => return Err(Breach::Fragmented),
        0x1 => return Err(Breach::Text),
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(Breach::Reserved),
    };
    if first & 0x80 == 0 {
        return Err(Breach::Fragmented);
    }
    if second & 0x80 != 0 {
        return Err(Breach::Masked);
    }
    let (length, rest) = match (second, rest) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
        }
        (126 | 127, _) => return Ok(None),
        (short, rest) => (u64::from(*short), rest),
    };
    let limit = if opcode == Opcode::Binary { SERVER_MESSAGE_BYTES_MAX } else { CONTROL_BYTES_MAX };
    let length = usize::try_from(length).ok().filter(|length| *length <= limit);
    let length = length.ok_or(Breach::TooLong)?;
    let header = bytes.len() - rest.len();
    Ok(rest.get(..length).map(|payload| Whole { opcode, payload, bytes: header + length }))
}

/// Appends a frame as clients send it: masked.
pub(crate) fn write_frame(opcode: Opcode, payload: &[u8], dice: &mut Dice, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(long as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask = (dice.next() as u32).to_be_bytes();
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    fastwebsockets::unmask(&mut out[start..], mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(short as u8),
            long @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend((long as u16).to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(payload);
        bytes
    }

    fn read(pieces: &[&[u8]]) -> (Vec<String>, Result<(), Breach>) {
        let (mut reader, mut seen) = (FrameReader::default(), Vec::new());
        for piece in pieces {
            let read = reader.feed(piece, |came| {
                seen.push(match came {
                    Came::Message(bytes) => format!("message {}", bytes.len()),
                    Came::Ping(bytes) => format!("ping {}", bytes.len()),
                    Came::Close(code, text) => format!("close {code} {text}"),
                });
                true
            });
            if read.is_err() {
                return (seen, read);
            }
        }
        (seen, Ok(()))
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let mut bytes = Vec::new();
        for (first, length) in
            [(0x82, 0), (0x82, 125), (0x89, 4), (0x82, 126), (0x8a, 3), (0x82, 70_000)]
        {
            bytes.extend(server_frame(first, &vec![7; length]));
        }
        bytes.extend(server_frame(0x88, b"\x0f\xa0bye"));
        let (whole, ok) = read(&[&bytes]);
        assert_eq!(ok, Ok(()));
        assert_eq!(
            whole,
            [
                "message 0",
                "message 125",
                "ping 4",
                "message 126",
                "message 70000",
                "close 4000 bye"
            ]
        );
        for cut in [1, 2, 3, 131, 300, 301, 302, 9999] {
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            assert_eq!(read(&pieces), (whole.clone(), Ok(())), "pieces of {cut}");
        }
    }

    #[test]
    fn a_server_that_breaks_the_rules_is_found_out_at_the_header() {
        let cases: [(&[u8], Breach); 8] = [
            (&[0xc2, 0], Breach::Reserved),
            (&[0x83, 0], Breach::Reserved),
            (&[0x02, 0], Breach::Fragmented),
            (&[0x80, 0], Breach::Fragmented),
            (&[0x81, 0], Breach::Text),
            (&[0x82, 0x80], Breach::Masked),
            (&[0x89, 126, 0, 126], Breach::TooLong),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Breach::TooLong),
        ];
        for (bytes, breach) in cases {
            assert_eq!(read(&[bytes]), (Vec::new(), Err(breach)), "{bytes:x?}");
        }
    }

    #[test]
    fn a_written_frame_is_masked_and_reads_back() {
        let mut out = Vec::new();
        write_frame(Opcode::Binary, b"hello", &mut Dice::new(1), &mut out);
        assert_eq!((out[0], out[1], out.len()), (0x82, 0x85, 11));
        let mask = [out[2], out[3], out[4], out[5]];
        fastwebsockets::unmask(&mut out[6..], mask);
        assert_eq!(&out[6..], b"hello");
    }
}
