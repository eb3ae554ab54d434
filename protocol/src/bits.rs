//! Bits: a writer, a reader, and the one variable-length code of chunks.
//!
//! Bits fill bytes from the least significant up, and a multi-bit value is
//! written from its least significant bit up. So `put(0b101, 3)` followed by
//! `put(0b11, 2)` gives the byte `0b000_11_101`.
//!
//! The variable-length code is exponential Golomb of order `k` with an escape:
//!
//! ```text
//! v < escape range     q zeros, a one, then the low k+q bits of v + 2^k
//!                      (q is such that v + 2^k has k+q+1 bits)
//! escape               `escape` zeros, and whatever the caller puts next
//! ```
//!
//! Nothing here allocates beyond the writer's own buffer, and the reader
//! answers zeros past its end: callers ask [`BitReader::overrun`] once a record.

/// Writes bits to a growing buffer that it keeps between uses.
#[derive(Debug, Default)]
pub struct BitWriter {
    /// Whole words that are done.
    bytes: Vec<u8>,
    /// The word under way; bits at `used` and above are zero.
    word: u64,
    /// Bits of `word` in use, below 64.
    used: u32,
}

impl BitWriter {
    /// Forgets the contents, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.word = 0;
        self.used = 0;
    }

    /// How many bits were written.
    pub fn bits(&self) -> usize {
        self.bytes.len() * 8 + self.used as usize
    }

    /// Writes the low `bits` of `value`, which has no other bits set.
    #[inline]
    pub fn put(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= 64 && (bits == 64 || value >> bits == 0), "{value} in {bits} bits");
        self.word |= value << self.used;
        let used = self.used + bits;
        if used < 64 {
            self.used = used;
        } else {
            self.bytes.extend_from_slice(&self.word.to_le_bytes());
            self.word = if self.used == 0 { 0 } else { value >> (64 - self.used) };
            self.used = used - 64;
        }
    }

    /// Writes one bit.
    #[inline]
    pub fn flag(&mut self, set: bool) {
        self.put(u64::from(set), 1);
    }

    /// Writes `value` with order `k`, or nothing: `false` says that it would
    /// take `escape` or more zeros, and those zeros were written.
    #[inline]
    pub fn golomb(&mut self, value: u64, k: u32, escape: u32) -> bool {
        let mut gather = Gather::default();
        let fits = gather.golomb(self, value, k, escape);
        gather.end(self);
        fits
    }

    /// Writes whole bytes, at whatever bit the writer stands.
    pub fn slice(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut raw = [0; 8];
            raw.copy_from_slice(word);
            self.put(u64::from_le_bytes(raw), 64);
        }
        for &byte in words.remainder() {
            self.put(u64::from(byte), 8);
        }
    }

    /// Appends all that `other` holds.
    pub fn append(&mut self, other: &BitWriter) {
        self.slice(&other.bytes);
        self.put(other.word, other.used);
    }

    /// Pads with zeros to a whole byte and appends everything to `out`.
    pub fn finish(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        let tail = self.used.div_ceil(8) as usize;
        out.extend_from_slice(&self.word.to_le_bytes()[..tail]);
    }
}

/// Gathers short codes in a register on their way to a writer: a row is mostly
/// less than one word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gather {
    word: u64,
    used: u32,
}

impl Gather {
    /// Like [`BitWriter::put`].
    #[inline(always)]
    pub fn put(&mut self, w: &mut BitWriter, value: u64, bits: u32) {
        if self.used + bits > 64 {
            w.put(self.word, self.used);
            *self = Gather::default();
        }
        self.word |= value << self.used;
        self.used += bits;
    }

    /// Like [`BitWriter::golomb`]. `escape` is at most 40 and `k` at most 24, so
    /// a value from 2^63 on always escapes.
    #[inline(always)]
    pub fn golomb(&mut self, w: &mut BitWriter, value: u64, k: u32, escape: u32) -> bool {
        let sum = value.saturating_add(1 << k);
        let q = 63 - sum.leading_zeros() - k;
        if q >= escape {
            self.put(w, 0, escape);
            return false;
        }
        // The highest bit of the sum is the one after the zeros, moved to the end.
        let low = k + q;
        let tail = sum ^ (1 << low);
        if q + low < 63 {
            self.put(w, (tail << 1 | 1) << q, q + 1 + low);
        } else {
            self.put(w, 1 << q, q + 1);
            self.put(w, tail, low);
        }
        true
    }

    /// Hands what was gathered to the writer.
    #[inline(always)]
    pub fn end(self, w: &mut BitWriter) {
        w.put(self.word, self.used);
    }
}

/// Reads bits from a slice.
///
/// The rare paths take the reader by value and give it back: were it borrowed
/// there, the compiler would keep it in memory everywhere else too, and each
/// code would wait for the one before to be stored.
#[derive(Clone, Copy, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// The first byte that is not in `word` yet; may pass the end.
    next: usize,
    /// Bits that were loaded and not taken, the next one lowest. Above `have`
    /// there are zeros, or bits that will be loaded again.
    word: u64,
    /// How many bits of `word` count; below 64, so that all can be shifted out.
    have: u32,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, word: 0, have: 0 }
    }

    /// Loads until at least 56 bits count; zeros past the end.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(raw) = self.bytes.get(self.next..self.next + 8) {
            let raw = [raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7]];
            self.word |= u64::from_le_bytes(raw) << self.have;
            let loaded = (63 - self.have) >> 3;
            self.next += loaded as usize;
            self.have += loaded * 8;
        } else {
            *self = self.refilled_at_the_end();
        }
    }

    #[cold]
    fn refilled_at_the_end(mut self) -> Self {
        while self.have <= 55 {
            let byte = self.bytes.get(self.next).copied().unwrap_or(0);
            self.word |= u64::from(byte) << self.have;
            self.next += 1;
            self.have += 8;
        }
        self
    }

    /// Loads ahead, where many short codes are about to come: the way that loads
    /// in the middle of a code is a long one.
    #[inline(always)]
    pub fn fill(&mut self) {
        if self.have < 32 {
            self.refill();
        }
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.word >>= bits;
        self.have -= bits;
    }

    /// The next `bits` (at most 64); zeros past the end.
    #[inline(always)]
    pub fn take(&mut self, bits: u32) -> u64 {
        if bits > 56 {
            let (rest, value) = self.taken_wide(bits);
            *self = rest;
            return value;
        }
        if bits > self.have {
            self.refill();
        }
        let value = self.word & ((1 << bits) - 1);
        self.skip(bits);
        value
    }

    #[cold]
    fn taken_wide(mut self, bits: u32) -> (Self, u64) {
        let low = self.take(32);
        let high = self.take(bits - 32);
        (self, low | high << 32)
    }

    /// The next bit.
    #[inline(always)]
    pub fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    /// A value of order `k`; `None` for an escape. `escape` is at most 40.
    #[inline(always)]
    pub fn golomb(&mut self, k: u32, escape: u32) -> Option<u64> {
        let q = self.word.trailing_zeros();
        let length = 2 * q + 1 + k;
        if length > self.have || q >= escape {
            let (rest, value) = self.golomb_wide(k, escape);
            *self = rest;
            return value;
        }
        let top = 1u64 << (k + q);
        let tail = (self.word >> (q + 1)) & (top - 1);
        self.skip(length);
        Some(tail + top - (1 << k))
    }

    /// The same where the code is long, an escape, or not loaded yet.
    #[inline(never)]
    fn golomb_wide(mut self, k: u32, escape: u32) -> (Self, Option<u64>) {
        if self.have < 56 {
            self.refill();
        }
        let q = self.word.trailing_zeros();
        if q >= escape {
            self.skip(escape);
            return (self, None);
        }
        self.skip(q + 1);
        let low = k + q;
        let tail = self.take(low.min(64));
        let top = if low < 64 { 1u64 << low } else { 0 };
        (self, Some((tail | top).wrapping_sub(1 << k)))
    }

    /// Appends `count` whole bytes to `out`; the caller has checked that they are there.
    pub fn slice(&mut self, count: usize, out: &mut Vec<u8>) {
        for _ in 0..count {
            out.push(self.take(8) as u8);
        }
    }

    /// Bits that were taken; more than there are after an overrun.
    #[inline(always)]
    fn at(&self) -> usize {
        self.next * 8 - self.have as usize
    }

    /// Bits left; 0 past the end.
    pub fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at())
    }

    /// Whether more was read than there is.
    #[inline(always)]
    pub fn overrun(&self) -> bool {
        self.at() > self.bytes.len() * 8
    }

    /// Whether only the zero bits that fill the last byte are left.
    pub fn at_padding(&self) -> bool {
        let left = self.left();
        !self.overrun() && left < 8 && { *self }.take(left as u32) == 0
    }
}

/// The running mean of the values of one field within one section: it picks
/// the order of the next value's code, the same way on both sides.
///
/// Eight times the mean, as an integer: `m' = m - m/8 + min(v, CAP)`.
#[derive(Clone, Copy, Debug)]
pub struct Mean(u32);

impl Mean {
    /// Where a value counts as no larger than this.
    const CAP: u64 = 1 << 24;

    /// Starts at `mean`.
    pub const fn new(mean: u8) -> Mean {
        Mean(mean as u32 * 8)
    }

    /// The order of the code: the position of the mean's highest bit.
    #[inline(always)]
    pub fn order(self) -> u32 {
        (self.0 >> 3 | 1).ilog2()
    }

    /// Counts `value`.
    #[inline(always)]
    pub fn count(&mut self, value: u64) {
        self.0 = self.0 - (self.0 >> 3) + value.min(Self::CAP) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The low `bits` set; `bits` is at most 64.
    fn mask(bits: u32) -> u64 {
        if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
    }

    #[test]
    fn bits_fill_bytes_from_the_low_end() {
        let mut w = BitWriter::default();
        w.put(0b101, 3);
        w.put(0b11, 2);
        let mut out = Vec::new();
        w.finish(&mut out);
        assert_eq!(out, [0b0001_1101], "11 above 101");
    }

    #[test]
    fn every_width_returns_at_every_offset() {
        for offset in 0..65 {
            for bits in 0..=64 {
                let value = 0xDEAD_BEEF_0BAD_F00D & mask(bits);
                let mut w = BitWriter::default();
                w.put(mask(offset), offset);
                w.put(value, bits);
                w.put(1, 1);
                let mut out = Vec::new();
                w.finish(&mut out);
                let mut r = BitReader::new(&out);
                assert_eq!(r.take(offset), mask(offset));
                assert_eq!(r.take(bits), value);
                assert!(r.flag());
                assert!(!r.overrun() && r.at_padding());
            }
        }
    }

    #[test]
    fn golomb_returns_what_fits_and_escapes_what_does_not() {
        let values = (0..70u32).map(|i| if i < 64 { 1u64 << i } else { u64::from(i) });
        for value in values.flat_map(|v| [v - 1, v, v.saturating_add(1), u64::MAX - v]) {
            for k in [0, 1, 3, 8, 24] {
                for escape in [1, 7, 24, 32] {
                    let mut w = BitWriter::default();
                    w.put(1, 3);
                    let fits = w.golomb(value, k, escape);
                    w.put(0b1011, 4);
                    let mut out = Vec::new();
                    w.finish(&mut out);
                    let mut r = BitReader::new(&out);
                    r.take(3);
                    assert_eq!(r.golomb(k, escape), fits.then_some(value), "{value} {k} {escape}");
                    assert_eq!(r.take(4), 0b1011);
                }
            }
        }
    }

    #[test]
    fn reading_past_the_end_gives_zeros_and_says_so() {
        let mut r = BitReader::new(&[0xFF]);
        assert_eq!(r.take(12), 0xFF);
        assert!(r.overrun());
        assert_eq!(r.take(64), 0);
        assert_eq!(r.golomb(0, 20), None);
    }

    #[test]
    fn appending_is_the_same_as_writing_in_place() {
        for offset in 0..64 {
            let (mut whole, mut head, mut tail) =
                (BitWriter::default(), BitWriter::default(), BitWriter::default());
            head.put(mask(offset), offset);
            whole.put(mask(offset), offset);
            for i in 0..100u64 {
                tail.put(i % 7, 3);
                whole.put(i % 7, 3);
            }
            head.append(&tail);
            let (mut a, mut b) = (Vec::new(), Vec::new());
            head.finish(&mut a);
            whole.finish(&mut b);
            assert_eq!(a, b);
        }
    }
}
