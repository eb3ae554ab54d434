//! Short codes, looked up: nearly all that a reader of chunks comes across.

use super::{Loaded, Mean};

/// Orders of short codes are below this.
pub(crate) const SHORT_ORDERS: u32 = 7;
/// Bits that are looked at to read a short code.
pub(crate) const PEEKED: u32 = 8;

/// What a short code says: its length, the value, and the difference that the value
/// stands for, a byte each but for the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short(u32);

impl Short {
    /// No code at all.
    const NONE: Short = Short(0);
    /// More bits must be seen. Nothing is shifted by it, and no sum of a few lengths is as
    /// much.
    const LONG: Short = Short(64);

    const fn new(value: u32, length: u32) -> Short {
        let zigzag = value + 1;
        let difference = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
        Short((difference as u32) << 16 | value << 8 | length)
    }

    /// One of some difference, or of none.
    #[cfg(test)]
    pub(crate) fn by(difference: i64) -> Short {
        Short((difference as u32) << 16)
    }

    #[inline(always)]
    fn is_long(self) -> bool {
        self.0 & 0xFF >= Short::LONG.0
    }

    #[inline(always)]
    fn length(self) -> u32 {
        self.0 & 63
    }

    /// No difference is farther from 0.
    pub(crate) const DIFFERENCE_MAX: i64 = 48;

    /// The value itself.
    #[inline(always)]
    pub(crate) fn value(self) -> u64 {
        u64::from(self.0 >> 8 & 0xFF)
    }

    /// The value as a difference that is not 0: zigzag, without the zero.
    #[inline(always)]
    pub(crate) fn difference(self) -> i64 {
        i64::from(self.0 as i32 >> 16)
    }
}

/// Whether a value is written, as a mask: all ones or none. Processors guess badly here,
/// and compilers do not see a condition in it.
#[derive(Clone, Copy)]
struct Written(u32);

impl Written {
    /// What a mask of leaves says of one below 32.
    #[inline(always)]
    fn of(mask: u32, leaf: usize) -> Written {
        Written(((mask << (31 - leaf)) as i32 >> 31) as u32)
    }
}

/// Short codes of one order, by what the next bits begin with.
type Shorts = [Short; 1 << PEEKED];

/// By the highest bit of a small mean, of which the lowest three do not count; and those of
/// no mean, which are none.
static SHORTS: [Shorts; u16::BITS as usize] = {
    let mut shorts = [[Short::LONG; 1 << PEEKED]; u16::BITS as usize];
    shorts[0] = [Short::NONE; 1 << PEEKED];
    let mut index = 0;
    while index < SHORT_ORDERS << PEEKED {
        let (k, bits) = (index >> PEEKED, index & ((1 << PEEKED) - 1));
        let q = bits.trailing_zeros();
        let length = 2 * q + 1 + k;
        if length <= PEEKED {
            let tail = bits >> (q + 1) & ((1 << (k + q)) - 1);
            let value = tail + (1 << (k + q)) - (1 << k);
            shorts[k as usize + 3][bits as usize] = Short::new(value, length);
        }
        index += 1;
    }
    shorts
};

/// What code comes next, if a value is written.
#[inline(always)]
fn next(word: u64, mean: Mean, written: Written) -> Short {
    let row = (mean.0 & u32::from(u16::MAX) | 8).ilog2() & written.0;
    SHORTS[row as usize % SHORTS.len()][word as usize & ((1 << PEEKED) - 1)]
}

impl Loaded {
    /// Whether a short code may be more than what is loaded.
    #[inline(always)]
    pub(crate) fn is_low(self) -> bool {
        self.have < PEEKED
    }

    /// What short code comes next, unless another one does. An escape must not be possible
    /// in so few bits.
    #[inline(always)]
    pub(crate) fn short(self, mean: Mean) -> Option<Short> {
        if !mean.is_small() {
            return None;
        }
        Some(next(self.word, mean, Written(u32::MAX))).filter(|short| !short.is_long())
    }

    /// Takes a short code.
    #[inline(always)]
    pub(crate) fn take(&mut self, short: Short) {
        self.skip(short.length());
    }

    /// Takes the codes of several values, if all that are written are short, and counts
    /// them. Otherwise takes nothing. So many bits must be loaded.
    ///
    /// Which are written is hard to foresee for a processor: one that is not has a code
    /// without bits.
    #[inline(always)]
    pub(crate) fn take_all<const N: usize>(
        &mut self,
        written: u32,
        means: [&mut Mean; N],
    ) -> Option<[Short; N]> {
        const { assert!((N as u32 + 1) * Short::LONG.0 <= 256, "a sum of them is a byte") };
        let (mut word, mut shorts, mut sum) = (self.word, [Short::NONE; N], 0u32);
        for i in 0..N {
            shorts[i] = next(word, *means[i], Written::of(written, i));
            // The length is in those bits that count when something is shifted.
            word = word.wrapping_shr(shorts[i].0);
            sum = sum.wrapping_add(shorts[i].0);
        }
        if Short(sum).is_long() {
            return None;
        }
        self.word = word;
        self.have -= Short(sum).length();
        for (i, mean) in means.into_iter().enumerate() {
            mean.count_written(Written::of(written, i), shorts[i].value());
        }
        Some(shorts)
    }
}

impl Mean {
    /// A mean that is too large for short codes. Those of them that are short are less than
    /// an eighth of it, so that no mean becomes large by counting them.
    pub(crate) const LARGE: Mean = Mean(8 << SHORT_ORDERS);

    /// Whether it has short codes.
    #[inline(always)]
    pub(crate) fn is_small(self) -> bool {
        self.0 < Mean::LARGE.0
    }

    /// Counts a value that is below the cap, and 0 if it is not written.
    #[inline(always)]
    fn count_written(&mut self, written: Written, value: u64) {
        self.0 = self.0 - (self.0 >> 3 & written.0) + value as u32;
    }
}

const _: () = {
    let (mut place, mut largest) = (0, 0);
    while place < SHORTS.len() << PEEKED {
        let value = SHORTS[place >> PEEKED][place & ((1 << PEEKED) - 1)].0 >> 8 & 0xFF;
        largest = if value > largest { value } else { largest };
        place += 1;
    }
    assert!(8 * largest < Mean::LARGE.0 && largest < 2 * Short::DIFFERENCE_MAX as u32);
};

#[cfg(test)]
mod tests {
    use super::super::BitReader;
    use super::*;

    #[test]
    fn short_codes_are_what_the_code_says() {
        for order in 0..SHORT_ORDERS {
            let mean = Mean(8 << order);
            assert_eq!(mean.order(), order);
            for byte in 0..=255u8 {
                let bytes = [byte, 0x55, 0xAA, 0, 0, 0, 0, 0];
                let mut r = BitReader::new(&bytes);
                r.refill();
                let (mut general, loaded) = (r, r.loaded);
                let value = general.golomb(order, 32);
                let long = general.left() < 64 - PEEKED as usize;
                let Some(short) = loaded.short(mean) else {
                    assert!(long, "{byte:08b} of order {order} is short");
                    continue;
                };
                r.loaded.take(short);
                assert_eq!((r.left(), Some(short.value())), (general.left(), value));
                let zigzag = short.value() as i64 + 1;
                let difference = if zigzag % 2 == 0 { zigzag / 2 } else { -(zigzag + 1) / 2 };
                assert_eq!(short.difference(), difference);
            }
        }
        for mean in [Mean::LARGE, Mean(u32::MAX)] {
            assert!(Loaded { word: 1, have: 56 }.short(mean).is_none());
        }
    }
}
