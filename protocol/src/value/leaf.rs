//! Values of one cell: numbers, texts, references.

use super::{Attr, Bound, Value, accepts};
use crate::codec::{Error, Reader, Writer};
use crate::grid::Grid;
use crate::heap::Heap;
use crate::limits::SLOTS_MAX;
use crate::schema::{FloatRepr, IntRepr, Kind};
use crate::table::{Entity, Id};

/// The longest text where a field does not say.
const TEXT_BYTES_DEFAULT: u32 = 64;

impl Value for bool {
    const ACCEPTS: u32 = 0;
    fn kind(_: &Attr) -> Kind {
        Kind::Bool
    }
    fn cells(_: &Attr) -> usize {
        1
    }
    #[inline]
    fn numbers(_: &Attr) -> u64 {
        1
    }
    fn store(&self, _: &Attr, cells: &mut [i64], _: &mut Heap) {
        cells[0] = i64::from(*self);
    }
    fn load(_: &Attr, cells: &[i64], _: &Heap) -> Self {
        cells[0] != 0
    }
    fn write(&self, _: &Attr, w: &mut Writer<'_>) {
        w.bool(*self);
    }
    fn read(_: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        r.bool()
    }
}

/// The range of an integer field.
#[inline]
const fn int_range(attr: &Attr, repr: IntRepr) -> (i128, i128) {
    let (lowest, highest) = repr.range();
    let min = if let Some(Bound::Int(min)) = attr.min { min } else { lowest };
    let max = if let Some(Bound::Int(max)) = attr.max { max } else { highest };
    (min, max)
}

/// The value of a zero cell: the one nearest to 0.
pub(crate) const fn int_origin(min: i128, max: i128) -> i128 {
    if min > 0 {
        min
    } else if max < 0 {
        max
    } else {
        0
    }
}

macro_rules! int {
    ($($ty:ident $repr:ident;)*) => {$(
        impl Value for $ty {
            const ACCEPTS: u32 = accepts::int(IntRepr::$repr) | accepts::MOTION;
            fn kind(attr: &Attr) -> Kind {
                let (min, max) = int_range(attr, IntRepr::$repr);
                Kind::Int { repr: IntRepr::$repr, min, max, motion: attr.motion }
            }
            fn cells(_: &Attr) -> usize {
                1
            }
            #[inline]
            fn numbers(_: &Attr) -> u64 {
                1
            }
            #[inline]
            #[allow(clippy::cast_lossless, reason = "the same text serves all widths")]
            fn store(&self, attr: &Attr, cells: &mut [i64], _: &mut Heap) {
                let (min, max) = int_range(attr, IntRepr::$repr);
                let value = (*self).clamp(min as $ty, max as $ty);
                cells[0] = (value as i64).wrapping_sub(int_origin(min, max) as i64);
            }
            #[inline]
            fn load(attr: &Attr, cells: &[i64], _: &Heap) -> Self {
                let (min, max) = int_range(attr, IntRepr::$repr);
                cells[0].wrapping_add(int_origin(min, max) as i64) as $ty
            }
            fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
                let (min, max) = int_range(attr, IntRepr::$repr);
                w.$ty((*self).clamp(min as $ty, max as $ty));
            }
            fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
                let (min, max) = int_range(attr, IntRepr::$repr);
                Ok(r.$ty()?.clamp(min as $ty, max as $ty))
            }
        }
    )*};
}
int! { u8 U8; u16 U16; u32 U32; u64 U64; i8 I8; i16 I16; i32 I32; i64 I64; }

/// The grid of a float field, if it has one.
#[inline]
const fn float_grid(attr: &Attr) -> Option<Grid> {
    if attr.angle {
        return Some(Grid::angle(attr.bits));
    }
    match (attr.min, attr.max, attr.step) {
        (Some(min), Some(max), Some(step)) => {
            Some(Grid::new(min.as_float(), max.as_float(), step, attr.ring))
        }
        _ => None,
    }
}

fn float_kind(attr: &Attr, repr: FloatRepr) -> Kind {
    let Attr { ring, motion, bits, .. } = *attr;
    if attr.angle {
        return Kind::Angle { repr, bits, motion };
    }
    match (attr.min, attr.max, attr.step) {
        (Some(min), Some(max), Some(step)) => {
            let (min, max) = (min.as_float(), max.as_float());
            Kind::Quantised { repr, min, max, step, ring, motion }
        }
        _ => Kind::Float(repr),
    }
}

macro_rules! float {
    ($($ty:ident $repr:ident;)*) => {$(
        impl Value for $ty {
            const ACCEPTS: u32 = accepts::GRID | accepts::ANGLE | accepts::MOTION;
            fn kind(attr: &Attr) -> Kind {
                float_kind(attr, FloatRepr::$repr)
            }
            fn cells(_: &Attr) -> usize {
                1
            }
            #[inline]
            fn numbers(_: &Attr) -> u64 {
                1
            }
            // For the compiler to fold the attribute, whatever it thinks of the size.
            #[inline(always)]
            #[allow(clippy::cast_lossless, reason = "the same text serves both widths")]
            fn store(&self, attr: &Attr, cells: &mut [i64], _: &mut Heap) {
                cells[0] = match float_grid(attr) {
                    Some(grid) => grid.cell(*self as f64),
                    None if self.is_finite() => self.to_bits() as i64,
                    None => 0,
                };
            }
            #[inline]
            fn load(attr: &Attr, cells: &[i64], _: &Heap) -> Self {
                match float_grid(attr) {
                    Some(grid) => grid.value(cells[0]) as $ty,
                    None => $ty::from_bits(cells[0] as _),
                }
            }
            #[allow(clippy::cast_lossless, reason = "the same text serves both widths")]
            fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
                match float_grid(attr) {
                    Some(grid) => w.u64((grid.cell(*self as f64) - grid.lowest()) as u64),
                    None => w.$ty(*self),
                }
            }
            fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
                match float_grid(attr) {
                    Some(grid) => {
                        let points = (grid.highest() - grid.lowest()) as u64;
                        Ok(grid.value(grid.lowest() + r.u64()?.min(points) as i64) as $ty)
                    }
                    None => r.$ty(),
                }
            }
        }
    )*};
}
float! { f32 F32; f64 F64; }

/// The longest text of a field, in bytes.
#[inline]
const fn max_bytes(attr: &Attr) -> u32 {
    if attr.max_bytes == 0 { TEXT_BYTES_DEFAULT } else { attr.max_bytes }
}

/// The longest start of `text` that fits, cut between characters.
#[inline]
fn fitting<'a>(attr: &Attr, text: &'a str) -> &'a str {
    let max = max_bytes(attr) as usize;
    if text.len() <= max { text } else { &text[..text.floor_char_boundary(max)] }
}

impl Value for String {
    const ACCEPTS: u32 = accepts::MAX_BYTES;
    fn kind(attr: &Attr) -> Kind {
        Kind::Text { max: max_bytes(attr) }
    }
    fn cells(_: &Attr) -> usize {
        1
    }
    #[inline]
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        heap.set(&mut cells[0], fitting(attr, self).as_bytes());
    }
    fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self {
        let mut text = String::new();
        text.reload(attr, 1, cells, heap);
        text
    }
    fn reload(&mut self, _: &Attr, mask: u64, cells: &[i64], heap: &Heap) {
        if mask & 1 != 0 {
            self.clear();
            // Decoders let only UTF-8 into the cells of a text.
            self.push_str(core::str::from_utf8(heap.get(cells[0])).unwrap_or_default());
        }
    }
    fn wipe(_: &Attr, cells: &mut [i64], heap: &mut Heap) {
        heap.clear(&mut cells[0]);
    }
    fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
        w.str(fitting(attr, self));
    }
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(r.str(max_bytes(attr) as usize)?.to_owned())
    }
}

/// Bytes without a meaning on the wire, as one field.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Blob(pub Vec<u8>);

impl Value for Blob {
    const ACCEPTS: u32 = accepts::MAX_BYTES;
    fn kind(attr: &Attr) -> Kind {
        Kind::Bytes { max: max_bytes(attr) }
    }
    fn cells(_: &Attr) -> usize {
        1
    }
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap) {
        heap.set(&mut cells[0], &self.0[..self.0.len().min(max_bytes(attr) as usize)]);
    }
    fn load(_: &Attr, cells: &[i64], heap: &Heap) -> Self {
        Blob(heap.get(cells[0]).to_vec())
    }
    fn wipe(_: &Attr, cells: &mut [i64], heap: &mut Heap) {
        heap.clear(&mut cells[0]);
    }
    fn write(&self, attr: &Attr, w: &mut Writer<'_>) {
        w.bytes(&self.0[..self.0.len().min(max_bytes(attr) as usize)]);
    }
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Blob(r.bytes(max_bytes(attr) as usize)?.to_vec()))
    }
}

impl<T: Entity> Value for Id<T> {
    const ACCEPTS: u32 = 0;
    fn kind(_: &Attr) -> Kind {
        Kind::Ref { entity: T::NAME.into() }
    }
    fn cells(_: &Attr) -> usize {
        1
    }
    fn store(&self, _: &Attr, cells: &mut [i64], _: &mut Heap) {
        cells[0] = ref_cell(self.slot(), self.generation());
    }
    fn load(_: &Attr, cells: &[i64], _: &Heap) -> Self {
        let (slot, generation) = ref_parts(cells[0]);
        Id::new(slot, generation)
    }
    fn write(&self, _: &Attr, w: &mut Writer<'_>) {
        w.u32(self.slot());
        w.u32(self.generation());
    }
    fn read(_: &Attr, r: &mut Reader<'_>) -> Result<Self, Error> {
        let (slot, generation) = (r.u32()?, r.u32()?);
        let valid = if generation == 0 { slot == 0 } else { slot < SLOTS_MAX };
        if valid { Ok(Id::new(slot, generation)) } else { Err(Error::Invalid) }
    }
}

/// A reference as a cell.
pub(crate) const fn ref_cell(slot: u32, generation: u32) -> i64 {
    ((generation as i64) << 32) | slot as i64
}

/// Slot and generation of a reference's cell.
pub(crate) const fn ref_parts(cell: i64) -> (u32, u32) {
    (cell as u32, (cell >> 32) as u32)
}
