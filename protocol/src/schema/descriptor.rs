//! The schema as bytes, for the handshake.
//!
//! ```text
//! schema   := count { str name, str entity, fields } kind kind kind kind
//!             (the tables; then input, command, reply, event)
//! fields   := count { str name, kind }
//! kind     := u8 tag, then by tag:
//!  0 bool        -
//!  1 int         u8 repr, u8 flags, min, max    (i64 if repr is signed, u64 if not)
//!  2 float       u8 repr
//!  3 quantised   u8 repr, u8 flags, f64 min, f64 max, f64 step
//!  4 angle       u8 repr, u8 flags, u8 bits
//!  5 text        u32 max
//!  6 bytes       u32 max
//!  7 ref         str entity
//!  8 option      kind
//!  9 struct      fields
//! 10 enum        count { str name, fields }
//! 11 list        u32 max, kind
//! 12 array       u32 len, kind
//! repr     := int: 0 u8, 1 u16, 2 u32, 3 u64, 4 i8, 5 i16, 6 i32, 7 i64; float: 0 f32, 1 f64
//! flags    := 1 motion, 2 ring
//! ```
//!
//! All in the encoding of [`crate::codec`]. Equal schemas have equal bytes.

use super::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema, Variant};
use crate::codec::{Error, Reader, Writer};
use crate::limits::{
    DESCRIPTOR_BYTES_MAX, KIND_DEPTH_MAX, KINDS_MAX, LEAVES_MAX, NAME_BYTES_MAX, TABLES_MAX,
    VARIANTS_MAX,
};

const MOTION: u8 = 1;
const RING: u8 = 2;

const FLOAT_REPRS: [FloatRepr; 2] = [FloatRepr::F32, FloatRepr::F64];

impl Schema {
    /// Appends the descriptor.
    pub fn write_descriptor(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        w.usize(self.tables.len());
        for table in &self.tables {
            w.str(&table.name);
            w.str(&table.entity);
            write_fields(&mut w, &table.fields);
        }
        for kind in [&self.input, &self.command, &self.reply, &self.event] {
            write_kind(&mut w, kind);
        }
    }

    /// The schema that a server described; within all limits.
    pub fn from_descriptor(bytes: &[u8]) -> Result<Schema, Error> {
        if bytes.len() > DESCRIPTOR_BYTES_MAX {
            return Err(Error::TooLong);
        }
        // Nothing is allocated before it is known that the bytes are well-formed.
        Parse::<false>::schema(bytes)?;
        let schema = Parse::<true>::schema(bytes)?;
        schema.check().map_err(|_| Error::Invalid)?;
        Ok(schema)
    }
}

fn write_fields(w: &mut Writer<'_>, fields: &[Field]) {
    w.usize(fields.len());
    for field in fields {
        w.str(&field.name);
        write_kind(w, &field.kind);
    }
}

fn write_kind(w: &mut Writer<'_>, kind: &Kind) {
    match kind {
        Kind::Bool => w.u8(0),
        Kind::Int { repr, min, max, motion } => {
            w.raw(&[1, *repr as u8, flags(*motion, false)]);
            for bound in [*min, *max] {
                // A checked schema keeps both within the machine type.
                if repr.range().0 < 0 { w.i64(bound as i64) } else { w.u64(bound as u64) }
            }
        }
        Kind::Float(repr) => w.raw(&[2, *repr as u8]),
        Kind::Quantised { repr, min, max, step, ring, motion } => {
            w.raw(&[3, *repr as u8, flags(*motion, *ring)]);
            [*min, *max, *step].into_iter().for_each(|bound| w.f64(bound));
        }
        Kind::Angle { repr, bits, motion } => {
            w.raw(&[4, *repr as u8, flags(*motion, false), *bits]);
        }
        Kind::Text { max } => {
            w.u8(5);
            w.u32(*max);
        }
        Kind::Bytes { max } => {
            w.u8(6);
            w.u32(*max);
        }
        Kind::Ref { entity } => {
            w.u8(7);
            w.str(entity);
        }
        Kind::Option(of) => {
            w.u8(8);
            write_kind(w, of);
        }
        Kind::Struct(fields) => {
            w.u8(9);
            write_fields(w, fields);
        }
        Kind::Enum(variants) => {
            w.u8(10);
            w.usize(variants.len());
            for variant in variants {
                w.str(&variant.name);
                write_fields(w, &variant.fields);
            }
        }
        Kind::List { of, max: count } | Kind::Array { of, len: count } => {
            w.u8(if matches!(kind, Kind::List { .. }) { 11 } else { 12 });
            w.u32(*count);
            write_kind(w, of);
        }
    }
}

fn flags(motion: bool, ring: bool) -> u8 {
    (if motion { MOTION } else { 0 }) | (if ring { RING } else { 0 })
}

/// The way from bytes to a schema: bounded in depth and in kinds, so that a
/// hostile server costs a client a known amount of memory and no stack. Unless
/// it is to `KEEP` what it reads, it only looks: what it gives then is empty.
struct Parse<'a, const KEEP: bool> {
    r: Reader<'a>,
    kinds: usize,
}

impl<'a, const KEEP: bool> Parse<'a, KEEP> {
    fn schema(bytes: &'a [u8]) -> Result<Schema, Error> {
        let mut parse = Parse::<'a, KEEP> { r: Reader::new(bytes), kinds: 0 };
        let tables = parse.many(TABLES_MAX, |parse| {
            let (name, entity) = (parse.name()?, parse.name()?);
            Ok(TableSchema { name, entity, fields: parse.fields(0)? })
        })?;
        let [input, command, reply, event] =
            [parse.kind(0)?, parse.kind(0)?, parse.kind(0)?, parse.kind(0)?];
        parse.r.finish()?;
        Ok(Schema { tables, input, command, reply, event })
    }

    /// A count, and as many things; memory for exactly these.
    fn many<T>(
        &mut self,
        max: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.r.count(max)?;
        let mut all = Vec::with_capacity(if KEEP { count } else { 0 });
        for _ in 0..count {
            let thing = one(self)?;
            if KEEP {
                all.push(thing);
            }
        }
        Ok(all)
    }

    fn name(&mut self) -> Result<String, Error> {
        let name = self.r.str(NAME_BYTES_MAX)?;
        Ok(if KEEP { name.to_owned() } else { String::new() })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, Error> {
        self.many(LEAVES_MAX, |parse| Ok(Field { name: parse.name()?, kind: parse.kind(depth)? }))
    }

    /// The kind that another holds.
    fn inner(&mut self, depth: usize, wrap: impl FnOnce(Box<Kind>) -> Kind) -> Result<Kind, Error> {
        let of = self.kind(depth + 1)?;
        Ok(if KEEP { wrap(Box::new(of)) } else { of })
    }

    fn flags(&mut self, allowed: u8) -> Result<(bool, bool), Error> {
        let flags = self.r.u8()?;
        if flags & !allowed != 0 {
            return Err(Error::BadTag);
        }
        Ok((flags & MOTION != 0, flags & RING != 0))
    }

    fn float(&mut self) -> Result<FloatRepr, Error> {
        FLOAT_REPRS.get(usize::from(self.r.u8()?)).copied().ok_or(Error::BadTag)
    }

    fn bound(&mut self, repr: IntRepr) -> Result<i128, Error> {
        Ok(if repr.range().0 < 0 { self.r.i64()?.into() } else { self.r.u64()?.into() })
    }

    fn kind(&mut self, depth: usize) -> Result<Kind, Error> {
        self.kinds += 1;
        if depth > KIND_DEPTH_MAX || self.kinds > KINDS_MAX {
            return Err(Error::TooLong);
        }
        Ok(match self.r.u8()? {
            0 => Kind::Bool,
            1 => {
                let repr = *IntRepr::ALL.get(usize::from(self.r.u8()?)).ok_or(Error::BadTag)?;
                let (motion, _) = self.flags(MOTION)?;
                Kind::Int { repr, min: self.bound(repr)?, max: self.bound(repr)?, motion }
            }
            2 => Kind::Float(self.float()?),
            3 => {
                let repr = self.float()?;
                let (motion, ring) = self.flags(MOTION | RING)?;
                let (min, max, step) = (self.r.f64()?, self.r.f64()?, self.r.f64()?);
                Kind::Quantised { repr, min, max, step, ring, motion }
            }
            4 => {
                let repr = self.float()?;
                let (motion, _) = self.flags(MOTION)?;
                Kind::Angle { repr, bits: self.r.u8()?, motion }
            }
            5 => Kind::Text { max: self.r.u32()? },
            6 => Kind::Bytes { max: self.r.u32()? },
            7 => Kind::Ref { entity: self.name()? },
            8 => self.inner(depth, Kind::Option)?,
            9 => Kind::Struct(self.fields(depth + 1)?),
            10 => {
                Kind::Enum(self.many(VARIANTS_MAX, |parse| {
                    // A variant counts as a kind: many empty ones cost memory too.
                    parse.kinds += 1;
                    Ok(Variant { name: parse.name()?, fields: parse.fields(depth + 1)? })
                })?)
            }
            11 => {
                let max = self.r.u32()?;
                self.inner(depth, |of| Kind::List { max, of })?
            }
            12 => {
                let len = self.r.u32()?;
                self.inner(depth, |of| Kind::Array { len, of })?
            }
            _ => return Err(Error::BadTag),
        })
    }
}
