//! Integers of 128 bits.
//!
//! A cell has 64 bits, so a wide integer is a struct of two halves, `high` and
//! `low`, which is flattened like any other: a change of one half reaches that
//! half only. Where the bounds fit 64 bits it is an integer of 64 bits, with
//! the same codes, and may be motion.

use super::{Attr, Bound, Value, accepts};
use crate::codec::{Error, Reader, Writer};
use crate::heap::Heap;
use crate::schema::{Field, Kind};

/// How a wide integer travels, by its bounds.
enum Form {
    /// As a `u64`.
    Unsigned,
    /// As an `i64`.
    Signed,
    /// As two halves; the high one has this attribute.
    Halves(Attr),
}

impl Form {
    /// The form where the high half is from `min` to `max`.
    const fn halves(min: i128, max: i128) -> Form {
        if min == max {
            // A range of one value is none.
            return Form::Halves(Attr::PLAIN);
        }
        Form::Halves(Attr { min: Some(Bound::Int(min)), max: Some(Bound::Int(max)), ..Attr::PLAIN })
    }
}

/// The struct of two halves.
fn halves(high: Kind, low: Kind) -> Kind {
    let field = |name: &str, kind| Field { name: name.to_owned(), kind };
    Kind::Struct(vec![field("high", high), field("low", low)])
}

macro_rules! wide {
    ($ty:ident, $high:ident, $accepts:ident) => {
        const _: () = {
            /// The smallest and the largest value of a field.
            #[inline]
            const fn range(attr: &Attr) -> ($ty, $ty) {
                let min = if let Some(Bound::Int(min)) = attr.min { min as $ty } else { $ty::MIN };
                let max = if let Some(Bound::Int(max)) = attr.max { max as $ty } else { $ty::MAX };
                (min, max)
            }

            #[inline]
            const fn form(attr: &Attr) -> Form {
                let (min, max) = range(attr);
                let signed = $ty::MIN != 0;
                if min >> 64 == 0 && max >> 64 == 0 {
                    Form::Unsigned
                } else if signed && min == min as i64 as $ty && max == max as i64 as $ty {
                    Form::Signed
                } else {
                    Form::halves((min >> 64) as i128, (max >> 64) as i128)
                }
            }

            #[inline]
            fn clamped(value: $ty, attr: &Attr) -> $ty {
                let (min, max) = range(attr);
                value.clamp(min, max)
            }

            /// Halves that are together out of the range mean the nearest bound.
            #[inline]
            fn joined(high: $high, low: u64, attr: &Attr) -> $ty {
                clamped($ty::from(high) << 64 | $ty::from(low), attr)
            }

            #[allow(clippy::cast_lossless, reason = "the same text serves both types")]
            impl Value for $ty {
                const ACCEPTS: u32 = accepts::$accepts | accepts::INT_RANGE | accepts::MOTION;
                fn kind(attr: &Attr) -> Kind {
                    match form(attr) {
                        Form::Unsigned => u64::kind(attr),
                        Form::Signed => i64::kind(attr),
                        Form::Halves(high) => halves($high::kind(&high), u64::kind(&Attr::PLAIN)),
                    }
                }
                #[inline]
                fn cells(attr: &Attr) -> usize {
                    Self::leaves(attr) as usize
                }
                #[inline]
                fn leaves(attr: &Attr) -> u32 {
                    if let Form::Halves(_) = form(attr) { 2 } else { 1 }
                }
                #[inline]
                fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
                    let value = clamped(*self, attr);
                    match form(attr) {
                        Form::Unsigned => (value as u64).store(attr, cells, heap),
                        Form::Signed => (value as i64).store(attr, cells, heap),
                        Form::Halves(high) => {
                            ((value >> 64) as $high).store(&high, &mut cells[..1], heap);
                            (value as u64).store(&Attr::PLAIN, &mut cells[1..], heap);
                        }
                    }
                }
                #[inline]
                fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
                    match form(attr) {
                        Form::Unsigned => u64::load(attr, cells, heap) as $ty,
                        Form::Signed => i64::load(attr, cells, heap) as $ty,
                        Form::Halves(high) => {
                            let high = $high::load(&high, cells, heap);
                            joined(high, u64::load(&Attr::PLAIN, &cells[1..], heap), attr)
                        }
                    }
                }
                #[inline]
                fn reload(&mut self, attr: &Attr, mask: u64, cells: &[i64], heap: &Heap) {
                    if mask & 0b11 != 0 {
                        *self = Self::load(attr, cells, heap);
                    }
                }
                fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
                    let value = clamped(*self, attr);
                    match form(attr) {
                        Form::Unsigned => (value as u64).write(attr, w),
                        Form::Signed => (value as i64).write(attr, w),
                        Form::Halves(high) => {
                            ((value >> 64) as $high).write(&high, w);
                            (value as u64).write(&Attr::PLAIN, w);
                        }
                    }
                }
                fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
                    Ok(match form(attr) {
                        Form::Unsigned => u64::read(attr, r)? as $ty,
                        Form::Signed => i64::read(attr, r)? as $ty,
                        Form::Halves(high) => {
                            let high = $high::read(&high, r)?;
                            joined(high, u64::read(&Attr::PLAIN, r)?, attr)
                        }
                    })
                }
            }
        };
    };
}
wide!(u128, u64, WIDE_UNSIGNED);
wide!(i128, i64, WIDE_SIGNED);
