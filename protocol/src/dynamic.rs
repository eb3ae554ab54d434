//! Values whose type is known at run time only: what a client without compiled
//! types reads and writes, and the bridge between two versions of a schema.
//!
//! Reading needs the [`Kind`] that wrote. Writing goes by name: a field that the
//! target kind does not have is left out, one that the value does not have gets
//! the kind's default, a number is clamped to the target's range.

use crate::codec::{Error, Reader, Writer};
use crate::grid::Grid;
use crate::heap::Heap;
use crate::limits::SLOTS_MAX;
use crate::schema::layout::cells_of;
use crate::schema::{Field, FloatRepr, IntRepr, Kind, Variant};
use crate::value::{int_origin, ref_cell, ref_parts};

/// A value of any kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// An integer of any width.
    Int(i128),
    /// A float, an angle, a quantised float.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An entity, or nobody if the generation is 0.
    Ref {
        /// Its row.
        slot: u32,
        /// Which of the row's entities.
        generation: u32,
    },
    /// A value or nothing.
    Option(Option<Box<Value>>),
    /// Named values.
    Struct(Vec<(String, Value)>),
    /// The name of a variant and what it carries.
    Enum(String, Vec<(String, Value)>),
    /// The elements of a list or an array.
    List(Vec<Value>),
}

impl Value {
    /// The field `name` of a struct or of an enum's payload.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(fields) | Value::Enum(_, fields) => find(fields, name),
            _ => None,
        }
    }

    /// The value that all-zero cells have.
    pub fn default_of(kind: &Kind) -> Value {
        Value::from_cells(kind, &vec![0; cells_of(kind)], &Heap::default())
    }

    /// The value of a kind's cells in a row.
    pub fn from_cells(kind: &Kind, cells: &[i64], heap: &Heap) -> Value {
        match kind {
            Kind::Bool => Value::Bool(cells[0] != 0),
            Kind::Int { repr, min, max, .. } => {
                let value = cells[0].wrapping_add(int_origin(*min, *max) as i64);
                Value::Int(match repr {
                    IntRepr::U64 => i128::from(value as u64),
                    _ => i128::from(value),
                })
            }
            Kind::Float(FloatRepr::F32) => Value::Float(f32::from_bits(cells[0] as u32).into()),
            Kind::Float(FloatRepr::F64) => Value::Float(f64::from_bits(cells[0] as u64)),
            Kind::Quantised { repr, .. } | Kind::Angle { repr, .. } => {
                Value::Float(narrowed(*repr, grid(kind).value(cells[0])))
            }
            Kind::Text { .. } => {
                Value::Text(String::from_utf8_lossy(heap.get(cells[0])).into_owned())
            }
            Kind::Bytes { .. } => Value::Bytes(heap.get(cells[0]).to_vec()),
            Kind::Ref { .. } => {
                let (slot, generation) = ref_parts(cells[0]);
                Value::Ref { slot, generation }
            }
            Kind::Option(of) => Value::Option(
                (cells[0] != 0).then(|| Box::new(Value::from_cells(of, &cells[1..], heap))),
            ),
            Kind::Struct(fields) => Value::Struct(fields_from_cells(fields, cells, heap)),
            Kind::Enum(variants) => {
                let variant = &variants[cells[0] as usize];
                let fields = fields_from_cells(&variant.fields, &cells[1..], heap);
                Value::Enum(variant.name.clone(), fields)
            }
            Kind::List { of, .. } => {
                let places = cells[1..].chunks_exact(cells_of(of)).take(cells[0] as usize);
                Value::List(places.map(|place| Value::from_cells(of, place, heap)).collect())
            }
            Kind::Array { of, .. } => {
                let places = cells.chunks_exact(cells_of(of));
                Value::List(places.map(|place| Value::from_cells(of, place, heap)).collect())
            }
        }
    }

    /// Writes the value to cells of a kind, which are all zero.
    pub fn to_cells(&self, kind: &Kind, cells: &mut [i64], heap: &mut Heap) {
        match (kind, self) {
            (Kind::Bool, Value::Bool(value)) => cells[0] = i64::from(*value),
            (Kind::Int { min, max, .. }, Value::Int(value)) => {
                let value = (*value).clamp(*min, *max);
                cells[0] = (value as i64).wrapping_sub(int_origin(*min, *max) as i64);
            }
            (Kind::Float(FloatRepr::F32), Value::Float(value)) => {
                cells[0] = i64::from(finite(*value as f32).to_bits());
            }
            (Kind::Float(FloatRepr::F64), Value::Float(value)) => {
                cells[0] = if value.is_finite() { value.to_bits() as i64 } else { 0 };
            }
            (Kind::Quantised { .. } | Kind::Angle { .. }, Value::Float(value)) => {
                cells[0] = grid(kind).cell(*value);
            }
            (Kind::Text { max }, Value::Text(text)) => {
                let end = text.floor_char_boundary(*max as usize);
                heap.set(&mut cells[0], &text.as_bytes()[..end]);
            }
            (Kind::Bytes { max }, Value::Bytes(bytes)) => {
                heap.set(&mut cells[0], &bytes[..bytes.len().min(*max as usize)]);
            }
            (Kind::Ref { .. }, Value::Ref { slot, generation }) => {
                cells[0] = ref_cell(*slot, *generation);
            }
            (Kind::Option(of), Value::Option(Some(value))) => {
                cells[0] = 1;
                value.to_cells(of, &mut cells[1..], heap);
            }
            (Kind::Struct(fields), Value::Struct(values)) => {
                fields_to_cells(fields, values, cells, heap);
            }
            (Kind::Enum(variants), Value::Enum(name, values)) => {
                if let Some((index, variant)) = variant(variants, name) {
                    cells[0] = index as i64;
                    fields_to_cells(&variant.fields, values, &mut cells[1..], heap);
                }
            }
            (Kind::List { of, max }, Value::List(values)) => {
                cells[0] = values.len().min(*max as usize) as i64;
                let places = cells[1..].chunks_exact_mut(cells_of(of));
                places.zip(values).for_each(|(place, value)| value.to_cells(of, place, heap));
            }
            (Kind::Array { of, .. }, Value::List(values)) => {
                let places = cells.chunks_exact_mut(cells_of(of));
                places.zip(values).for_each(|(place, value)| value.to_cells(of, place, heap));
            }
            // Nothing, or not convertible: the default, which is zero.
            _ => {}
        }
    }

    /// Takes a value of a kind from a message. Nothing is allocated before it is
    /// known that all of it is well-formed.
    pub fn read(kind: &Kind, r: &mut Reader<'_>) -> Result<Value, Error> {
        look(kind, &mut r.clone())?;
        Value::take(kind, r)
    }

    fn take(kind: &Kind, r: &mut Reader<'_>) -> Result<Value, Error> {
        Ok(match kind {
            Kind::Bool => Value::Bool(r.bool()?),
            Kind::Int { repr, min, max, .. } => {
                let value = match repr {
                    IntRepr::U8 => r.u8()?.into(),
                    IntRepr::U16 => r.u16()?.into(),
                    IntRepr::U32 => r.u32()?.into(),
                    IntRepr::U64 => r.u64()?.into(),
                    IntRepr::I8 => r.i8()?.into(),
                    IntRepr::I16 => r.i16()?.into(),
                    IntRepr::I32 => r.i32()?.into(),
                    IntRepr::I64 => i128::from(r.i64()?),
                };
                Value::Int(value.clamp(*min, *max))
            }
            Kind::Float(FloatRepr::F32) => Value::Float(r.f32()?.into()),
            Kind::Float(FloatRepr::F64) => Value::Float(r.f64()?),
            Kind::Quantised { repr, .. } | Kind::Angle { repr, .. } => {
                let grid = grid(kind);
                let points = (grid.highest() - grid.lowest()) as u64;
                let cell = grid.lowest() + r.u64()?.min(points) as i64;
                Value::Float(narrowed(*repr, grid.value(cell)))
            }
            Kind::Text { max } => Value::Text(r.str(*max as usize)?.to_owned()),
            Kind::Bytes { max } => Value::Bytes(r.bytes(*max as usize)?.to_vec()),
            Kind::Ref { .. } => {
                let (slot, generation) = (r.u32()?, r.u32()?);
                let valid = if generation == 0 { slot == 0 } else { slot < SLOTS_MAX };
                if !valid {
                    return Err(Error::Invalid);
                }
                Value::Ref { slot, generation }
            }
            Kind::Option(of) => Value::Option(match r.bool()? {
                true => Some(Box::new(Value::take(of, r)?)),
                false => None,
            }),
            Kind::Struct(fields) => Value::Struct(read_fields(fields, r)?),
            Kind::Enum(variants) => {
                let variant = variants.get(r.u32()? as usize).ok_or(Error::BadTag)?;
                Value::Enum(variant.name.clone(), read_fields(&variant.fields, r)?)
            }
            Kind::List { of, max } => {
                let len = r.count(*max as usize)?;
                Value::List(read_elements(of, len, r)?)
            }
            Kind::Array { of, len } => Value::List(read_elements(of, *len as usize, r)?),
        })
    }

    /// Appends the value to a message, as a kind.
    pub fn write(&self, kind: &Kind, w: &mut Writer<'_>) {
        match (kind, self) {
            (Kind::Bool, value) => w.bool(*value == Value::Bool(true)),
            (Kind::Int { repr, min, max, .. }, value) => {
                let value = match value {
                    Value::Int(value) => (*value).clamp(*min, *max),
                    _ => int_origin(*min, *max),
                };
                match repr {
                    IntRepr::U8 => w.u8(value as u8),
                    IntRepr::U16 => w.u16(value as u16),
                    IntRepr::U32 => w.u32(value as u32),
                    IntRepr::U64 => w.u64(value as u64),
                    IntRepr::I8 => w.i8(value as i8),
                    IntRepr::I16 => w.i16(value as i16),
                    IntRepr::I32 => w.i32(value as i32),
                    IntRepr::I64 => w.i64(value as i64),
                }
            }
            (Kind::Float(repr), value) => {
                let value = if let Value::Float(value) = value { *value } else { 0.0 };
                match repr {
                    FloatRepr::F32 => w.f32(value as f32),
                    FloatRepr::F64 => w.f64(value),
                }
            }
            (Kind::Quantised { .. } | Kind::Angle { .. }, value) => {
                let grid = grid(kind);
                let cell = if let Value::Float(value) = value { grid.cell(*value) } else { 0 };
                w.u64((cell - grid.lowest()) as u64);
            }
            (Kind::Text { max }, Value::Text(text)) => {
                w.str(&text[..text.floor_char_boundary(*max as usize)]);
            }
            (Kind::Bytes { max }, Value::Bytes(bytes)) => {
                w.bytes(&bytes[..bytes.len().min(*max as usize)]);
            }
            (Kind::Text { .. } | Kind::Bytes { .. }, _) => w.bytes(&[]),
            (Kind::Ref { .. }, value) => {
                let (slot, generation) = match value {
                    Value::Ref { slot, generation } if *generation != 0 => (*slot, *generation),
                    _ => (0, 0),
                };
                w.u32(slot);
                w.u32(generation);
            }
            (Kind::Option(of), Value::Option(Some(value))) => {
                w.bool(true);
                value.write(of, w);
            }
            (Kind::Option(_), _) => w.bool(false),
            (Kind::Struct(fields), value) => {
                let values =
                    if let Value::Struct(values) = value { values.as_slice() } else { &[] };
                write_fields(fields, values, w);
            }
            (Kind::Enum(variants), value) => {
                let (name, values) = match value {
                    Value::Enum(name, values) => (name.as_str(), values.as_slice()),
                    _ => ("", [].as_slice()),
                };
                // A checked enum has a first variant.
                let (index, variant) = variant(variants, name).unwrap_or((0, &variants[0]));
                w.u32(index as u32);
                write_fields(&variant.fields, values, w);
            }
            (Kind::List { of, max }, Value::List(values)) => {
                let len = values.len().min(*max as usize);
                w.usize(len);
                values[..len].iter().for_each(|value| value.write(of, w));
            }
            (Kind::List { .. }, _) => w.usize(0),
            (Kind::Array { of, len }, value) => {
                let values = if let Value::List(values) = value { values.as_slice() } else { &[] };
                for index in 0..*len as usize {
                    match values.get(index) {
                        Some(value) => value.write(of, w),
                        None => Value::default_of(of).write(of, w),
                    }
                }
            }
        }
    }
}

/// The grid of a quantised kind.
fn grid(kind: &Kind) -> Grid {
    match kind {
        Kind::Quantised { min, max, step, ring, .. } => Grid::new(*min, *max, *step, *ring),
        Kind::Angle { bits, .. } => Grid::angle(*bits),
        _ => unreachable!("only called for the two kinds that have a grid"),
    }
}

/// The value as its machine type has it.
fn narrowed(repr: FloatRepr, value: f64) -> f64 {
    match repr {
        FloatRepr::F32 => f64::from(value as f32),
        FloatRepr::F64 => value,
    }
}

fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

fn find<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

fn variant<'a>(variants: &'a [Variant], name: &str) -> Option<(usize, &'a Variant)> {
    variants.iter().enumerate().find(|(_, variant)| variant.name == name)
}

fn fields_from_cells(fields: &[Field], cells: &[i64], heap: &Heap) -> Vec<(String, Value)> {
    let mut at = 0;
    let each = fields.iter().map(|field| {
        let size = cells_of(&field.kind);
        let value = Value::from_cells(&field.kind, &cells[at..at + size], heap);
        at += size;
        (field.name.clone(), value)
    });
    each.collect()
}

fn fields_to_cells(
    fields: &[Field],
    values: &[(String, Value)],
    cells: &mut [i64],
    heap: &mut Heap,
) {
    let mut at = 0;
    for field in fields {
        let size = cells_of(&field.kind);
        if let Some(value) = find(values, &field.name) {
            value.to_cells(&field.kind, &mut cells[at..at + size], heap);
        }
        at += size;
    }
}

/// Goes over a value without keeping anything of it.
fn look(kind: &Kind, r: &mut Reader<'_>) -> Result<(), Error> {
    let look_all = |fields: &[Field], r: &mut Reader<'_>| {
        fields.iter().try_for_each(|field| look(&field.kind, r))
    };
    match kind {
        Kind::Text { max } => r.str(*max as usize).map(drop),
        Kind::Bytes { max } => r.bytes(*max as usize).map(drop),
        Kind::Option(of) => {
            if r.bool()? {
                look(of, r)
            } else {
                Ok(())
            }
        }
        Kind::Struct(fields) => look_all(fields, r),
        Kind::Enum(variants) => {
            let variant = variants.get(r.u32()? as usize).ok_or(Error::BadTag)?;
            look_all(&variant.fields, r)
        }
        Kind::List { of, max } => {
            let len = r.count(*max as usize)?;
            (0..len).try_for_each(|_| look(of, r))
        }
        Kind::Array { of, len } => (0..*len).try_for_each(|_| look(of, r)),
        // What is left is a number, which owns nothing.
        _ => Value::take(kind, r).map(drop),
    }
}

fn read_fields(fields: &[Field], r: &mut Reader<'_>) -> Result<Vec<(String, Value)>, Error> {
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        values.push((field.name.clone(), Value::take(&field.kind, r)?));
    }
    Ok(values)
}

fn read_elements(of: &Kind, len: usize, r: &mut Reader<'_>) -> Result<Vec<Value>, Error> {
    // That many are there: they were looked at.
    let mut values = Vec::with_capacity(len);
    for _ in 0..len {
        values.push(Value::take(of, r)?);
    }
    Ok(values)
}

fn write_fields(fields: &[Field], values: &[(String, Value)], w: &mut Writer<'_>) {
    for field in fields {
        match find(values, &field.name) {
            Some(value) => value.write(&field.kind, w),
            None => Value::default_of(&field.kind).write(&field.kind, w),
        }
    }
}
