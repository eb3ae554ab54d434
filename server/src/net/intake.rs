//! Where sockets of one thread are read into, one after the other: bytes that
//! have come, until the messages in them are taken. What is left of a frame moves
//! to its own socket, so between two reads this holds nothing.

use std::ops::Range;

use tokio::io::ReadBuf;

/// A buffer, and which part of it is not taken.
#[derive(Debug)]
pub(crate) struct Intake {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Intake {
    /// With room for `capacity` bytes of one read, and what was left before it.
    pub(crate) fn new(capacity: usize) -> Intake {
        Intake { bytes: vec![0; capacity], start: 0, end: 0 }
    }

    /// Starts with what is left of an earlier read.
    pub(super) fn begin(&mut self, rest: &[u8]) {
        let half = self.bytes.len() / 2;
        if rest.len() > half {
            // A socket with longer messages than usual.
            self.bytes.resize(2 * rest.len(), 0);
        }
        self.bytes[..rest.len()].copy_from_slice(rest);
        (self.start, self.end) = (0, rest.len());
    }

    /// The place for what is read next.
    pub(super) fn room(&mut self) -> ReadBuf<'_> {
        ReadBuf::new(&mut self.bytes[self.end..])
    }

    /// So many bytes were read.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// What is not taken.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Takes a frame; where its payload is.
    pub(super) fn advance(&mut self, frame_bytes: usize, payload_bytes: usize) -> Range<usize> {
        self.start += frame_bytes;
        self.start - payload_bytes..self.start
    }

    /// Bytes that were taken.
    pub(crate) fn at(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The same, to be unmasked.
    pub(super) fn at_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.room().put_slice(bytes);
        self.filled(bytes.len());
    }
}
