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
//! Most codes are of small values with small orders: those are looked up, here to
//! be read, and in [`crate::chunk`] to be written.
//!
//! Nothing here allocates beyond the writer's own buffer, and the reader
//! answers zeros past its end: callers ask [`BitReader::overrun`] once a record.

mod short;

use core::hint::select_unpredictable;

pub(crate) use short::{PEEKED, SHORT_ORDERS, Short};

/// Writes bits to a growing buffer that it keeps between uses.
#[derive(Debug, Default)]
pub struct BitWriter {
    /// What is written, and room for one word more.
    bytes: Vec<u8>,
    /// How many of `bytes` are done.
    done: usize,
    /// The bits that do not fill a byte yet.
    rest: Gather,
}

impl BitWriter {
    /// Forgets the contents, keeps the memory.
    pub fn clear(&mut self) {
        self.done = 0;
        self.rest = Gather::default();
    }

    /// How many bits were written.
    pub fn bits(&self) -> usize {
        self.done * 8 + self.rest.used as usize
    }

    /// Writes the low `bits` of `value`, which has no other bits set.
    #[inline]
    pub fn put(&mut self, value: u64, bits: u32) {
        let mut gather = self.open();
        if bits > ROOM {
            gather.put(self, value & 0xFFFF_FFFF, 32);
            gather.put(self, value >> 32, bits - 32);
        } else {
            gather.put(self, value, bits);
        }
        self.close(gather);
    }

    /// Writes one bit.
    #[inline]
    pub fn flag(&mut self, set: bool) {
        self.put(u64::from(set), 1);
    }

    /// Writes `value` with order `k`, or nothing: `false` says that it would
    /// take `escape` or more zeros, and those zeros were written. `escape` is at
    /// most 40 and `k` at most 24, so a value from 2^63 on always escapes.
    pub fn golomb(&mut self, value: u64, k: u32, escape: u32) -> bool {
        let sum = value.saturating_add(1 << k);
        let q = 63 - sum.leading_zeros() - k;
        if q >= escape {
            self.put(0, escape);
            return false;
        }
        let low = k + q;
        self.put(1 << q, q + 1);
        self.put(sum ^ (1 << low), low);
        true
    }

    /// The same after bits that are gathered, which come back flushed.
    #[inline(never)]
    pub(crate) fn long(&mut self, gather: Gather, value: u64, k: u32) -> Gather {
        self.close(gather);
        self.golomb(value, k, u32::MAX);
        self.open()
    }

    /// Writes whole bytes, at whatever bit the writer stands.
    pub fn slice(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(4);
        for word in &mut words {
            let mut raw = [0; 4];
            raw.copy_from_slice(word);
            self.put(u32::from_le_bytes(raw).into(), 32);
        }
        for &byte in words.remainder() {
            self.put(u64::from(byte), 8);
        }
    }

    /// Appends all that `other` holds.
    pub fn append(&mut self, other: &BitWriter) {
        let end = self.done + other.done + 16;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let Gather { mut word, used } = self.rest;
        let (words, rest) = other.bytes[..other.done].as_chunks();
        let places = self.bytes[self.done..].as_chunks_mut().0;
        for (place, bytes) in places.iter_mut().zip(words) {
            let more = u64::from_le_bytes(*bytes);
            *place = (word | more << used).to_le_bytes();
            // What did not fit; shifted twice, as by 64 is not allowed.
            word = more >> 1 >> (63 - used);
        }
        self.done += words.len() * 8;
        self.rest = Gather { word, used };
        self.slice(rest);
        self.put(other.rest.word, other.rest.used);
    }

    /// Pads with zeros to a whole byte and appends everything to `out`.
    pub fn finish(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.done]);
        if self.rest.used > 0 {
            out.push(self.rest.word as u8);
        }
    }

    /// Lends the bits that do not fill a byte yet, to go on with them in
    /// registers. [`BitWriter::close`] takes them back.
    #[inline(always)]
    pub(crate) fn open(&self) -> Gather {
        self.rest
    }

    /// Takes gathered bits back.
    #[inline(always)]
    pub(crate) fn close(&mut self, mut gather: Gather) {
        gather.flush(self);
        self.rest = gather;
    }

    #[cold]
    fn grow(&mut self) {
        self.bytes.resize((self.bytes.len() * 2).max(64), 0);
    }
}

/// Bits on their way to a writer, in registers: a row is mostly less than a word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gather {
    /// Bits at `used` and above are zero.
    word: u64,
    /// Below 8 after a flush, and below 64 always.
    used: u32,
}

/// Bits that always find room after a flush.
const ROOM: u32 = 56;

impl Gather {
    /// The bits and their number.
    #[inline(always)]
    pub(crate) fn bits(self) -> (u64, u32) {
        (self.word, self.used)
    }

    /// Hands all whole bytes to the writer.
    ///
    /// Nothing that is not inlined may take the bits by reference: they would
    /// be kept in memory everywhere else too.
    #[inline(always)]
    pub(crate) fn flush(&mut self, w: &mut BitWriter) {
        loop {
            if let Some(place) = w.bytes.get_mut(w.done..).and_then(|rest| rest.first_chunk_mut()) {
                *place = self.word.to_le_bytes();
                break;
            }
            w.grow();
        }
        w.done += (self.used >> 3) as usize;
        self.word >>= self.used & 56;
        self.used &= 7;
    }

    /// Like [`BitWriter::put`], of at most [`ROOM`] bits.
    #[inline(always)]
    pub(crate) fn put(&mut self, w: &mut BitWriter, value: u64, bits: u32) {
        debug_assert!(bits <= ROOM && value >> bits == 0, "{value} in {bits} bits");
        if self.used + bits > 63 {
            self.flush(w);
        }
        self.push(value, bits);
    }

    /// The same where there is room for the bits.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: u64, bits: u32) {
        debug_assert!(self.used + bits < 64 && value >> bits == 0, "{value} in {bits} bits");
        self.word |= value << self.used;
        self.used += bits;
    }
}

/// Reads bits from a slice.
///
/// In loops, the rare paths take the reader by value and give it back: were it borrowed
/// there, the compiler would keep it in memory everywhere else too, and each code would
/// wait for the one before to be stored.
#[derive(Clone, Copy, Debug)]
pub struct BitReader<'a> {
    /// What is not loaded yet.
    rest: &'a [u8],
    loaded: Loaded,
    /// The last eight bytes of all; if there are less, they are the highest.
    last: u64,
    /// How many bytes were loaded that are not there.
    beyond: usize,
}

/// Bits that were loaded and not taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// The next bit is the lowest. Above `have` there are zeros, or bits that will be
    /// loaded again.
    word: u64,
    /// How many bits of `word` count; below 64, so that all can be shifted out.
    have: u32,
}

impl Loaded {
    /// So many bits count at least when a reader has loaded.
    pub(crate) const BITS: u32 = 56;

    /// The next bits, of which as many count as were loaded.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.word
    }

    /// Takes bits that are loaded, at most 63.
    #[inline(always)]
    pub(crate) fn skip(&mut self, bits: u32) {
        self.word >>= bits;
        self.have -= bits;
    }

    /// Takes `bits`, or `others`: which of them is hard to foresee for a processor.
    #[inline(always)]
    pub(crate) fn skip_either(&mut self, first: bool, bits: u32, others: u32) {
        self.word = select_unpredictable(first, self.word >> bits, self.word >> others);
        self.have -= select_unpredictable(first, bits, others);
    }

    /// All of it as two numbers, with `more` above the second, which is below 2^32.
    #[inline(always)]
    pub(crate) fn pack(self, more: u64) -> (u64, u64) {
        (self.word, u64::from(self.have) | more << 32)
    }

    /// The way back.
    #[inline(always)]
    pub(crate) fn unpack((word, rest): (u64, u64)) -> (Loaded, u64) {
        (Loaded { word, have: rest as u32 }, rest >> 32)
    }
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        let last = match bytes.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => bytes.iter().fold(0, |last, &byte| last >> 8 | u64::from(byte) << 56),
        };
        Self { rest: bytes, loaded: Loaded { word: 0, have: 0 }, last, beyond: 0 }
    }

    /// Loads until at least [`Loaded::BITS`] count; zeros past the end.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        let Loaded { word, have } = self.loaded;
        // As many bytes as find room below 64 bits.
        let count = (!have >> 3 & 7) as usize;
        let raw = match self.rest.first_chunk() {
            Some(raw) => {
                self.rest = &self.rest[count..];
                u64::from_le_bytes(*raw)
            }
            None => {
                let left = self.rest.len();
                self.rest = self.rest.get(count..).unwrap_or_default();
                self.beyond += count.saturating_sub(left);
                self.last >> 8 >> (8 * (7 - left))
            }
        };
        self.loaded = Loaded { word: word | raw << have, have: have | 56 };
    }

    /// What is loaded, to go on with it in registers.
    #[inline(always)]
    pub(crate) fn loaded(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// The next `bits` (at most 64); zeros past the end.
    #[inline(always)]
    pub fn take(&mut self, bits: u32) -> u64 {
        if bits > Loaded::BITS {
            let (rest, value) = self.taken_wide(bits);
            *self = rest;
            return value;
        }
        if bits > self.loaded.have {
            self.refill();
        }
        let value = self.loaded.word & ((1 << bits) - 1);
        self.loaded.skip(bits);
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
        let q = self.loaded.word.trailing_zeros();
        let length = 2 * q + 1 + k;
        if length > self.loaded.have || q >= escape {
            let (rest, value) = self.golomb_wide(k, escape);
            *self = rest;
            return value;
        }
        let top = 1u64 << (k + q);
        let tail = (self.loaded.word >> (q + 1)) & (top - 1);
        self.loaded.skip(length);
        Some(tail + top - (1 << k))
    }

    /// The same where the code is long, an escape, or not loaded yet.
    #[inline(never)]
    fn golomb_wide(mut self, k: u32, escape: u32) -> (Self, Option<u64>) {
        if self.loaded.have < Loaded::BITS {
            self.refill();
        }
        let q = self.loaded.word.trailing_zeros();
        if q >= escape {
            self.loaded.skip(escape);
            return (self, None);
        }
        self.loaded.skip(q + 1);
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

    /// Bits that are left, and bits that were loaded without being there.
    #[inline(always)]
    fn balance(&self) -> (usize, usize) {
        (self.rest.len() * 8 + self.loaded.have as usize, self.beyond * 8)
    }

    /// Bits left; 0 past the end.
    pub fn left(&self) -> usize {
        let (loaded, beyond) = self.balance();
        loaded.saturating_sub(beyond)
    }

    /// Whether more was read than there is.
    #[inline(always)]
    pub fn overrun(&self) -> bool {
        let (loaded, beyond) = self.balance();
        beyond > loaded
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

    /// The place of the highest bit, of which the lowest three do not count: for means with
    /// short codes, that of order 0 and one more for each order.
    #[inline(always)]
    pub(crate) fn highest(self) -> usize {
        (self.0 | 8).ilog2() as usize
    }

    /// [`Mean::highest`] of order 0.
    pub(crate) const HIGHEST_OF_ORDER_0: usize = 3;

    /// Whether it stays as it is when a 0 is counted, with an order of 0.
    #[inline(always)]
    pub(crate) fn rests(self) -> bool {
        self.0 < 8
    }

    /// Counts a value that is below the cap.
    #[inline(always)]
    pub(crate) fn count_small(&mut self, value: u64) {
        self.0 = self.0 - (self.0 >> 3) + value as u32;
    }

    /// Counts a value that is below the cap, or nothing.
    #[inline(always)]
    pub(crate) fn count_small_if(&mut self, counts: bool, value: u64) {
        let counted = self.0 - (self.0 >> 3) + value as u32;
        self.0 = if counts { counted } else { self.0 };
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
