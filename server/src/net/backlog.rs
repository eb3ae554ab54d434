//! What is on its way to a peer: frames around shared bytes, written with as few
//! system calls as possible.
//!
//! Server frames carry no mask, so the same bytes serve every client: a message
//! is a header and the sender's own bytes, which are copied, and chunks, which
//! are shared by reference. A partial write leaves the rest in place. Nothing is
//! allocated once the buffers have grown to their usual size.
//!
//! ```text
//!  [header|own bytes] [shared chunk] [shared chunk] … [header|own bytes] …
//!   2, 4 or 10 bytes
//! ```

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::close::CONTROL_BYTES_MAX;
use super::gate::Opcode;
use super::limits::WRITE_SLICES_MAX;

/// Bytes of a server frame's header at most.
pub const SERVER_HEADER_BYTES_MAX: usize = 10;

/// Appends the header of a whole, unmasked message of `payload_bytes` to `out`.
pub fn put_server_header(out: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize) {
    const FINAL: u8 = 0x80;
    out.push(FINAL | opcode as u8);
    match payload_bytes {
        0..126 => out.push(payload_bytes as u8),
        126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// The backlog has no room for a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A run of bytes in the order of the wire.
#[derive(Debug)]
enum Segment {
    /// So many of the next bytes in `Backlog::own`; never zero.
    Own(usize),
    /// Bytes that other clients get as well; never empty.
    Shared(Bytes),
}

/// Whole frames that the kernel has not taken, the first perhaps in part.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Backlog {
    /// Unwritten bytes of all segments; first, since mostly it is all that is looked at.
    bytes: usize,
    segments: VecDeque<Segment>,
    /// Headers and own bytes of all segments, in order, from `own_start` on.
    own: Vec<u8>,
    /// Where the first unwritten own byte is.
    own_start: usize,
    /// Data beyond this is refused; control frames are few and always fit.
    bytes_max: usize,
}

impl Backlog {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { segments: VecDeque::new(), own: Vec::new(), own_start: 0, bytes: 0, bytes_max }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Unwritten bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends one message made of `own` and `shared` bytes, or nothing of it.
    pub(super) fn push_message(
        &mut self,
        opcode: Opcode,
        own: &[u8],
        shared: &[Bytes],
    ) -> Result<(), Full> {
        let payload_bytes = own.len() + shared.iter().map(Bytes::len).sum::<usize>();
        let frame_bytes_max = payload_bytes.saturating_add(SERVER_HEADER_BYTES_MAX);
        if frame_bytes_max > self.bytes_max.saturating_sub(self.bytes) {
            return Err(Full);
        }
        self.push_own(opcode, payload_bytes, own);
        for chunk in shared.iter().filter(|chunk| !chunk.is_empty()) {
            self.bytes += chunk.len();
            self.segments.push_back(Segment::Shared(chunk.clone()));
        }
        Ok(())
    }

    /// Appends a control frame; what is over 125 bytes of it is cut off.
    pub(super) fn push_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
        self.push_own(opcode, payload.len(), payload);
    }

    /// Appends what is left of a message of which the rest is written, or nothing.
    pub(super) fn push_rest(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.reclaim();
            self.own.extend_from_slice(rest);
            self.added(rest.len());
        }
    }

    fn push_own(&mut self, opcode: Opcode, payload_bytes: usize, own: &[u8]) {
        self.reclaim();
        let before = self.own.len();
        put_server_header(&mut self.own, opcode, payload_bytes);
        self.own.extend_from_slice(own);
        self.added(self.own.len() - before);
    }

    /// So many own bytes were appended.
    fn added(&mut self, added: usize) {
        self.bytes += added;
        match self.segments.back_mut() {
            Some(Segment::Own(len)) => *len += added,
            Some(Segment::Shared(_)) | None => self.segments.push_back(Segment::Own(added)),
        }
    }

    /// Drops written own bytes once they are the larger part, so that `own` stays
    /// within twice the bytes that wait, also when the backlog is never empty.
    fn reclaim(&mut self) {
        if self.own_start * 2 >= self.own.len() {
            self.own.drain(..self.own_start);
            self.own_start = 0;
        }
    }

    /// The first unwritten bytes as slices for one write, and how many slices.
    pub(super) fn gather(&self) -> ([IoSlice<'_>; WRITE_SLICES_MAX], usize) {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
        let mut own = &self.own[self.own_start..];
        let mut count = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(match segment {
                Segment::Own(len) => {
                    let (run, rest) = own.split_at(*len);
                    own = rest;
                    run
                }
                Segment::Shared(bytes) => bytes,
            });
            count += 1;
        }
        (slices, count)
    }

    /// Drops the first `written` bytes: they are in the kernel.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while written > 0 {
            let Some(segment) = self.segments.front_mut() else {
                return;
            };
            let (taken, rest) = match segment {
                Segment::Own(len) => {
                    let taken = written.min(*len);
                    self.own_start += taken;
                    *len -= taken;
                    (taken, *len)
                }
                Segment::Shared(bytes) => {
                    let taken = written.min(bytes.len());
                    bytes.advance(taken);
                    (taken, bytes.len())
                }
            };
            written -= taken;
            if rest == 0 {
                self.segments.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(backlog: &mut Backlog, own: &'static [u8], shared: &[&'static [u8]]) -> Vec<u8> {
        let shared: Vec<_> = shared.iter().copied().map(Bytes::from_static).collect();
        backlog.push_message(Opcode::Binary, own, &shared).unwrap();
        let mut wire = vec![0x82, (own.len() + shared.iter().map(Bytes::len).sum::<usize>()) as u8];
        wire.extend_from_slice(own);
        wire.extend_from_slice(&shared.concat());
        wire
    }

    fn waiting(backlog: &Backlog) -> Vec<u8> {
        let (slices, count) = backlog.gather();
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn headers_are_two_four_or_ten_bytes() {
        let header = |bytes| {
            let mut out = Vec::new();
            put_server_header(&mut out, Opcode::Binary, bytes);
            out
        };
        assert_eq!(header(0), [0x82, 0]);
        assert_eq!(header(125), [0x82, 125]);
        assert_eq!(header(126), [0x82, 126, 0, 126]);
        assert_eq!(header(65535), [0x82, 126, 255, 255]);
        assert_eq!(header(65536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(header(65536).len(), SERVER_HEADER_BYTES_MAX);
    }

    #[test]
    fn twenty_frames_are_one_write() {
        let mut backlog = Backlog::new(10_000);
        let mut wire = Vec::new();
        for _ in 0..20 {
            wire.extend(pushed(&mut backlog, b"own", &[b"first", b"", b"second"]));
        }
        assert_eq!(waiting(&backlog), wire);
    }

    #[test]
    fn every_partial_write_leaves_exactly_the_rest() {
        for step in 1..40 {
            let mut backlog = Backlog::new(10_000);
            let mut wire = pushed(&mut backlog, b"one", &[b"shared", b"chunks"]);
            wire.extend(pushed(&mut backlog, b"", &[b"no own bytes"]));
            let mut written = 0;
            while !backlog.is_empty() {
                assert_eq!(waiting(&backlog), wire[written..]);
                assert_eq!(backlog.bytes(), wire.len() - written);
                let taken = step.min(backlog.bytes());
                backlog.advance(taken);
                written += taken;
                if written / 10 != (written - taken) / 10 && wire.len() < 300 {
                    wire.extend(pushed(&mut backlog, b"later", &[b"frame"]));
                }
            }
            assert!(backlog.segments.is_empty());
        }
    }

    #[test]
    fn a_message_over_the_bound_is_refused_whole() {
        let mut backlog = Backlog::new(100);
        let chunk = [Bytes::from_static(&[0; 50])];
        assert_eq!(backlog.push_message(Opcode::Binary, b"", &chunk), Ok(()));
        let before = waiting(&backlog);
        assert_eq!(backlog.push_message(Opcode::Binary, b"", &chunk), Err(Full));
        assert_eq!(waiting(&backlog), before);
        backlog.push_control(Opcode::Close, &[0; 200]);
        assert_eq!(backlog.bytes(), before.len() + 2 + 125);
    }

    #[test]
    fn own_bytes_do_not_pile_up_while_the_backlog_is_never_empty() {
        let mut backlog = Backlog::new(1000);
        for _ in 0..10_000 {
            let added = pushed(&mut backlog, b"own bytes", &[b"shared"]).len();
            if backlog.bytes() > 500 {
                backlog.advance(added);
            }
        }
        assert!(backlog.own.len() <= 1000, "{}", backlog.own.len());
    }
}
