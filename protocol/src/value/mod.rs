//! Types whose values travel: how a Rust type becomes a [`Kind`], cells of a
//! row, and bytes of a message.
//!
//! [`Value`] is implemented here for the built-in types and by the derives for
//! the user's own. What `#[net(...)]` says of a field reaches the type as a
//! constant [`Attr`], and passes through containers to what they hold; so the
//! compiler folds a field's whole quantisation into constants.

mod leaf;
mod nest;
mod number;
mod wide;

use crate::codec::{Error, Reader, Writer};
use crate::heap::Heap;
use crate::limits::{ELEMENTS_MAX, TEXT_BYTES_MAX};
use crate::schema::{IntRepr, Kind, QUANTA_MAX};

pub use leaf::Blob;
pub(crate) use leaf::{int_origin, ref_cell, ref_parts};

/// A bound given in an attribute.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    /// As in `min = -5`.
    Int(i128),
    /// As in `min = -5.0`.
    Float(f64),
}

impl Bound {
    /// The bound of a float.
    pub(crate) const fn as_float(self) -> f64 {
        match self {
            Bound::Int(value) => value as f64,
            Bound::Float(value) => value,
        }
    }
}

/// What `#[net(...)]` says of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attr {
    /// `min = …`: the smallest value.
    pub min: Option<Bound>,
    /// `max = …`: the largest value.
    pub max: Option<Bound>,
    /// `step = …`: the grid of a float.
    pub step: Option<f64>,
    /// `ring`: the range of a float closes to a ring.
    pub ring: bool,
    /// `angle`: the float is an angle in radians.
    pub angle: bool,
    /// `bits = …`: the resolution of an angle.
    pub bits: u8,
    /// `motion`: the value moves steadily; chunks may predict it.
    pub motion: bool,
    /// `max_bytes = …`: the longest text.
    pub max_bytes: u32,
    /// `max_len = …`: the most elements of a list.
    pub max_len: u32,
}

/// Which attributes a type understands, as bits.
pub mod accepts {
    /// `min`, `max` as integers.
    pub const INT_RANGE: u32 = 1;
    /// `min`, `max`, `step`, `ring`.
    pub const GRID: u32 = 2;
    /// `angle`, `bits`.
    pub const ANGLE: u32 = 4;
    /// `motion`.
    pub const MOTION: u32 = 8;
    /// `max_bytes`.
    pub const MAX_BYTES: u32 = 16;
    /// `max_len`, which must be there.
    pub const MAX_LEN: u32 = 32;
    /// Beside [`INT_RANGE`]: the integer is a `u128`.
    pub const WIDE_UNSIGNED: u32 = 64;
    /// Beside [`INT_RANGE`]: the integer is an `i128`.
    pub const WIDE_SIGNED: u32 = 128;

    /// The integer type that `min` and `max` must fit, as a part of the bits.
    pub const fn int(repr: crate::schema::IntRepr) -> u32 {
        INT_RANGE | (repr as u32) << REPR_SHIFT
    }

    /// Where the number of the integer type stands.
    pub(super) const REPR_SHIFT: u32 = 8;
}

impl Attr {
    /// No attribute at all.
    pub const PLAIN: Attr = Attr {
        min: None,
        max: None,
        step: None,
        ring: false,
        angle: false,
        bits: 0,
        motion: false,
        max_bytes: 0,
        max_len: 0,
    };

    /// Panics, in a constant, with what is wrong with the attribute for a type.
    ///
    /// # Panics
    /// That is its purpose: the derives call it at compile time.
    #[track_caller]
    pub const fn check(&self, accepts: u32) {
        let bounds = self.min.is_some() || self.max.is_some();
        assert!(
            !bounds || accepts & (accepts::INT_RANGE | accepts::GRID) != 0,
            "`min` and `max` need a number"
        );
        assert!(self.step.is_none() || accepts & accepts::GRID != 0, "`step` needs a float");
        assert!(!self.ring || accepts & accepts::GRID != 0, "`ring` needs a float");
        assert!(!self.angle || accepts & accepts::ANGLE != 0, "`angle` needs a float");
        assert!(self.bits == 0 || accepts & accepts::ANGLE != 0, "`bits` needs a float");
        assert!(!self.motion || accepts & accepts::MOTION != 0, "`motion` needs a number");
        assert!(
            self.max_bytes == 0 || accepts & accepts::MAX_BYTES != 0,
            "`max_bytes` needs a `String` or a `Blob`"
        );
        assert!(self.max_bytes as usize <= TEXT_BYTES_MAX, "`max_bytes` is at most 4096");
        assert!(self.max_len == 0 || accepts & accepts::MAX_LEN != 0, "`max_len` needs a `Vec`");
        assert!(self.max_len as usize <= ELEMENTS_MAX, "`max_len` is at most 1024");
        assert!(
            self.max_len != 0 || accepts & accepts::MAX_LEN == 0,
            "a `Vec` needs `#[net(max_len = ...)]`"
        );
        if accepts & accepts::GRID != 0 {
            self.check_float();
        }
        if accepts & accepts::INT_RANGE != 0 {
            assert!(
                !matches!(self.min, Some(Bound::Float(_)))
                    && !matches!(self.max, Some(Bound::Float(_))),
                "the `min` and `max` of an integer are integers"
            );
            let (lowest, highest) = int_type(accepts);
            let min = if let Some(Bound::Int(min)) = self.min { min } else { lowest };
            let max = if let Some(Bound::Int(max)) = self.max { max } else { highest };
            assert!(lowest <= min && max <= highest, "`min` and `max` must fit the integer's type");
            assert!(min < max, "`min` must be below `max`");
            let near = matches!(max.checked_sub(min), Some(span) if span <= u32::MAX as i128);
            assert!(
                !self.motion || near,
                "`motion` needs `min` and `max` of at most 2^32 - 1 apart"
            );
        }
    }

    #[track_caller]
    const fn check_float(&self) {
        let bounds = self.min.is_some() && self.max.is_some();
        if self.angle {
            assert!(
                self.min.is_none() && self.max.is_none() && self.step.is_none() && !self.ring,
                "an angle has `bits` only"
            );
            assert!(self.bits >= 1 && self.bits <= 24, "an angle needs `bits` from 1 to 24");
            return;
        }
        assert!(self.bits == 0, "`bits` needs `angle`");
        if let Some(step) = self.step {
            assert!(bounds, "a `step` needs `min` and `max`");
            let (Some(min), Some(max)) = (self.min, self.max) else { return };
            let count = (max.as_float() - min.as_float()) / step;
            let least = if self.ring { 2.0 } else { 1.0 };
            assert!(
                step > 0.0 && count >= least && count <= QUANTA_MAX,
                "the range must be 1 (a ring: 2) to 2^32 - 1 steps"
            );
        } else {
            assert!(
                self.min.is_none() && self.max.is_none(),
                "`min` and `max` of a float need `step`"
            );
            assert!(
                !self.ring && !self.motion,
                "`ring` and `motion` of a float need `min`, `max` and `step`, or `angle`"
            );
        }
    }
}

/// The range of an integer type, as far as an attribute can say it.
const fn int_type(accepts: u32) -> (i128, i128) {
    if accepts & accepts::WIDE_SIGNED != 0 {
        (i128::MIN, i128::MAX)
    } else if accepts & accepts::WIDE_UNSIGNED != 0 {
        (0, i128::MAX)
    } else {
        IntRepr::ALL[(accepts >> accepts::REPR_SHIFT) as usize & 7].range()
    }
}

/// A type whose values travel.
///
/// Implemented by `#[derive(Value)]` (and by `#[derive(Entity)]` and
/// `#[derive(Message)]`, which include it). Cells that are all zero hold the
/// type's default: 0, false, an empty text, nobody, nothing, the first variant.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to clients",
    label = "this type has no form on the wire",
    note = "supported: bool, u8 to u128, i8 to i128, f32, f64, String, Blob, Id<T>, Option<T>, Vec<T>, [T; N], and your own types with `#[derive(Value)]`",
    note = "usize and isize have another width on another machine: choose one"
)]
pub trait Value: Sized {
    /// The attributes that the type understands, as bits of [`accepts`].
    const ACCEPTS: u32;

    /// The schema of a field of this type.
    fn kind(attr: &Attr) -> Kind;
    /// How many cells a value takes in a row.
    fn cells(attr: &Attr) -> usize;
    /// How many leaves it has in its record: 1, but for nested structs.
    fn leaves(_attr: &Attr) -> u32 {
        1
    }

    /// Which of these leaves are plain numbers, as a mask: one of them is loaded again
    /// in less time than it takes to ask whether it is to be.
    fn numbers(_attr: &Attr) -> u64 {
        0
    }

    /// Writes the value to its cells, which hold an earlier one.
    fn store(&self, attr: &Attr, cells: &mut [i64], heap: &mut Heap);
    /// The value of the cells.
    fn load(attr: &Attr, cells: &[i64], heap: &Heap) -> Self;
    /// Loads the leaves of `mask` again.
    fn reload(&mut self, attr: &Attr, mask: u64, cells: &[i64], heap: &Heap) {
        if mask & 1 != 0 {
            *self = Self::load(attr, cells, heap);
        }
    }
    /// Zeroes the cells and gives their texts back.
    fn wipe(_attr: &Attr, cells: &mut [i64], _heap: &mut Heap) {
        cells.fill(0);
    }

    /// Writes the value to a message.
    fn write(&self, attr: &Attr, w: &mut Writer<'_>);
    /// Takes a value from a message: within its range, or an error.
    fn read(attr: &Attr, r: &mut Reader<'_>) -> Result<Self, Error>;
}

/// Something that is sent as a whole: implemented by `#[derive(Message)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    note = "add `#[derive(Message)]` to it"
)]
pub trait Message: Value + 'static {
    /// Its schema.
    fn schema() -> Kind {
        Self::kind(&Attr::PLAIN)
    }
    /// Appends it to `out`.
    fn encode(&self, out: &mut Vec<u8>) {
        self.write(&Attr::PLAIN, &mut Writer::new(out));
    }
    /// The message that `bytes` are, all of them.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::new(bytes);
        let message = Self::read(&Attr::PLAIN, &mut r)?;
        r.finish()?;
        Ok(message)
    }
}

/// The message of a game that has none of a sort.
impl Value for () {
    const ACCEPTS: u32 = 0;
    fn kind(_: &Attr) -> Kind {
        Kind::default()
    }
    fn cells(_: &Attr) -> usize {
        0
    }
    fn leaves(_: &Attr) -> u32 {
        0
    }
    fn store(&self, _: &Attr, _: &mut [i64], _: &mut Heap) {}
    fn load(_: &Attr, _: &[i64], _: &Heap) {}
    fn reload(&mut self, _: &Attr, _: u64, _: &[i64], _: &Heap) {}
    fn write(&self, _: &Attr, _: &mut Writer<'_>) {}
    fn read(_: &Attr, _: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(())
    }
}

impl Message for () {}
