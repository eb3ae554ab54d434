//! Small differences, looked up.
//!
//! Most differences are small, and their means as well. For those, a table holds
//! what the code in [`crate::bits`] would compute, with all that a writer needs.

use super::escape;
use crate::bits::{Gather, Mean, PEEKED, SHORT_ORDERS};
use crate::limits::LEAVES_MAX;
use crate::schema::layout::Motion;

/// Orders of codes in the table are below this.
const ORDERS: usize = SHORT_ORDERS as usize;
/// Differences to be written are from minus this to just below it.
const NEAR: i64 = 16;
/// How many these are, with the 0 that does not occur.
const PLACES: usize = 2 * NEAR as usize;

/// The code of a value that is below 2^8: its bits and their number.
#[inline]
const fn golomb(value: u32, order: u32) -> (u32, u32) {
    let sum = value + (1 << order);
    let (low, q) = (sum.ilog2(), sum.ilog2() - order);
    (((sum ^ 1 << low) << 1 | 1) << q, q + 1 + low)
}

/// The value of a difference that is not 0: zigzag, without the zero.
#[inline(always)]
pub(super) const fn value_of(difference: i64) -> u64 {
    (((difference << 1) ^ (difference >> 63)) as u64).wrapping_sub(1)
}

/// How a small difference is written.
#[derive(Clone, Copy)]
pub(super) struct Code(u32);

impl Code {
    const fn new(value: u32, order: u32) -> Code {
        let (bits, length) = golomb(value, order);
        assert!(bits <= 0xFFFF && length <= Code::LENGTH_MAX);
        Code(bits << 16 | value << 8 | length)
    }

    /// The most bits of a code.
    pub(super) const LENGTH_MAX: u32 = 11;
    /// There is none in the table. No sum of a few lengths is as much.
    const FAR: Code = Code(64);

    #[inline(always)]
    fn is_far(self) -> bool {
        self.length() >= Code::FAR.0
    }

    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 & 0xFF
    }

    /// What the mean counts.
    #[inline(always)]
    pub(super) fn value(self) -> u64 {
        u64::from(self.0 >> 8 & 0xFF)
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        u64::from(self.0 >> 16)
    }
}

/// By the highest bit of a mean, the codes of differences from `-NEAR` on. That of no
/// difference has no bits.
static CODES: [[Code; PLACES]; u32::BITS as usize] = {
    let mut codes = [[Code::FAR; PLACES]; u32::BITS as usize];
    let mut order = 0;
    while order < ORDERS {
        let mut difference = -NEAR;
        while difference < NEAR {
            let code = match difference {
                0 => Code(0),
                _ => Code::new(value_of(difference) as u32, order as u32),
            };
            codes[Mean::HIGHEST_OF_ORDER_0 + order][(difference + NEAR) as usize] = code;
            difference += 1;
        }
        order += 1;
    }
    codes
};

/// The code of a difference from minus [`limit`] of its scalar to just below it; none if
/// it is not, or if its mean is too large for the table.
#[inline(always)]
pub(super) fn code(difference: i64, limit: u8, mean: Mean) -> Option<Code> {
    code_within(difference, limit, mean).filter(|code| !code.is_far())
}

/// The same, but that it may be one that says that the mean is too large.
#[inline(always)]
fn code_within(difference: i64, limit: u8, mean: Mean) -> Option<Code> {
    // One comparison for both ends.
    if difference.wrapping_add(limit.into()) as u64 >= 2 * u64::from(limit) {
        return None;
    }
    Some(CODES[mean.highest()][(difference + NEAR) as usize % PLACES])
}

/// The codes of motion leaves that are side by side, one after the other, and the mask of
/// those that have one; none if one of them is not in the table, and then nothing is counted.
///
/// Which leaves differ is hard to foresee for a processor: the code of one that does not
/// has no bits.
#[inline(always)]
pub(super) fn codes<const N: usize>(
    differences: [i64; N],
    leaves: &[Motion; N],
    means: &mut [Mean; LEAVES_MAX],
) -> Option<(u64, Gather)> {
    const { assert!((N as u32 + 1) * Code::FAR.0 <= 256, "a sum of lengths is a byte") };
    let bit = leaves[0].bit;
    let (from, to) = (bit as usize, bit as usize + N);
    let means: &mut [Mean; N] = means.get_mut(from..to)?.first_chunk_mut()?;
    let (mut found, mut sum) = ([Code(0); N], 0u32);
    for i in 0..N {
        found[i] = code_within(differences[i], leaves[i].scalar.near, means[i])?;
        sum = sum.wrapping_add(found[i].0);
    }
    if Code(sum).is_far() {
        return None;
    }
    let (mut mask, mut codes) = (0, Gather::default());
    for i in 0..N {
        let differs = differences[i] != 0;
        means[i].count_small_if(differs, found[i].value());
        codes.push(found[i].bits(), found[i].length());
        mask |= u64::from(differs) << i;
    }
    Some((mask << bit, codes))
}

/// The same codes by value.
static VALUES: [[Code; PLACES]; u32::BITS as usize] = {
    let mut codes = [[Code::FAR; PLACES]; u32::BITS as usize];
    let mut order = 0;
    while order < ORDERS {
        let mut value = 0;
        while value < PLACES - 1 {
            codes[Mean::HIGHEST_OF_ORDER_0 + order][value] = Code::new(value as u32, order as u32);
            value += 1;
        }
        order += 1;
    }
    codes
};

/// The code of a value, if it and its mean are small enough for the table. There is
/// no escape from it.
#[inline(always)]
pub(super) fn code_of(value: u32, mean: Mean) -> Option<Code> {
    let code = VALUES[mean.highest()].get(value as usize)?;
    (!code.is_far()).then_some(*code)
}

/// For which differences the table of codes holds for a scalar of some width; 0
/// where none does. An escape must not be possible in so few bits, of any order.
pub(crate) const fn limit(width: u32) -> u8 {
    let mut limit = 0;
    while limit < NEAR && fits(value_of(-limit - 1) as u32, width) {
        limit += 1;
    }
    limit as u8
}

/// Whether neither a value nor anything that is read at once reaches an escape.
const fn fits(value: u32, width: u32) -> bool {
    let mut order = 0;
    while order < ORDERS as u32 {
        if order > width {
            return false;
        }
        let (q, read) = ((value + (1 << order)).ilog2() - order, (PEEKED - 1 - order) / 2);
        if q >= escape(width, order) || read >= escape(width, order) {
            return false;
        }
        order += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{BitReader, BitWriter};

    #[test]
    fn a_small_value_has_the_code_of_its_difference() {
        for value in (0..64).chain([u32::MAX - 1, u32::MAX, 1 << 31]) {
            let code = code_of(value, Mean::new(0));
            assert_eq!(code.is_some(), value < 2 * NEAR as u32 - 1);
            assert!(code.is_none_or(|code| code.value() == u64::from(value)));
        }
    }

    #[test]
    fn the_table_holds_what_the_code_computes() {
        for width in 0..=64 {
            for order in 0..ORDERS as u32 {
                let mean = Mean::new(1 << order);
                assert_eq!(mean.order(), order);
                let limit = limit(width);
                let all = -i64::from(limit)..i64::from(limit);
                let none = code(0, limit, mean).map(|code| (code.bits(), code.length()));
                assert_eq!(none, (limit > 0).then_some((0, 0)));
                for difference in all.filter(|&difference| difference != 0) {
                    let code = code(difference, limit, mean).expect("a small order");
                    assert_eq!(code.value(), value_of(difference));
                    let (mut w, mut bytes) = (BitWriter::default(), Vec::new());
                    assert!(w.golomb(code.value(), order, escape(width, order)));
                    assert_eq!(w.bits(), code.length() as usize);
                    w.finish(&mut bytes);
                    bytes.resize(8, 0);
                    assert_eq!(BitReader::new(&bytes).take(code.length()), code.bits());
                }
            }
        }
    }
}
