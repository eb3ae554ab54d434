//! The schema as text: what a person reads, a tool prints and a diff shows.
//!
//! ```text
//! table ships Ship
//!   x f32 -2048..2048 step 0.0625 motion
//!   heading f32 angle 8 bits
//!   cargo list 8 of text 32
//! input
//!   turn i8 -1..1
//! ```
//!
//! Equal schemas have equal texts. Nothing on the wire depends on it.

use core::fmt::{self, Display, Formatter};

use super::{Field, FloatRepr, IntRepr, Kind, Schema};

impl Display for Schema {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "table {} {}", table.name, table.entity)?;
            fields(f, &table.fields, 1)?;
        }
        let messages = [
            ("input", &self.input),
            ("command", &self.command),
            ("reply", &self.reply),
            ("event", &self.event),
        ];
        for (name, message) in messages {
            match message {
                Kind::Struct(inner) => {
                    writeln!(f, "{name}")?;
                    fields(f, inner, 1)?;
                }
                other => {
                    write!(f, "{name} ")?;
                    kind(f, other, 1)?;
                }
            }
        }
        Ok(())
    }
}

fn indent(f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    write!(f, "{:1$}", "", depth * 2)
}

fn fields(f: &mut Formatter<'_>, fields: &[Field], depth: usize) -> fmt::Result {
    for field in fields {
        indent(f, depth)?;
        write!(f, "{} ", field.name)?;
        kind(f, &field.kind, depth + 1)?;
    }
    Ok(())
}

/// One kind, up to the end of its line, and what it holds below it.
fn kind(f: &mut Formatter<'_>, kind: &Kind, depth: usize) -> fmt::Result {
    match kind {
        Kind::Bool => writeln!(f, "bool"),
        Kind::Int { repr, min, max, motion } if (*min, *max) == repr.range() => {
            writeln!(f, "{repr}{}", motion_word(*motion))
        }
        Kind::Int { repr, min, max, motion } => {
            writeln!(f, "{repr} {min}..{max}{}", motion_word(*motion))
        }
        Kind::Float(repr) => writeln!(f, "{repr}"),
        Kind::Quantised { repr, min, max, step, ring, motion } => {
            let ring = if *ring { " ring" } else { "" };
            writeln!(f, "{repr} {min}..{max} step {step}{ring}{}", motion_word(*motion))
        }
        Kind::Angle { repr, bits, motion } => {
            writeln!(f, "{repr} angle {bits} bits{}", motion_word(*motion))
        }
        Kind::Text { max } => writeln!(f, "text {max}"),
        Kind::Bytes { max } => writeln!(f, "bytes {max}"),
        Kind::Ref { entity } => writeln!(f, "ref {entity}"),
        Kind::Option(of) => {
            write!(f, "option ")?;
            self::kind(f, of, depth)
        }
        Kind::Struct(inner) => {
            writeln!(f, "struct")?;
            fields(f, inner, depth)
        }
        Kind::Enum(variants) => {
            writeln!(f, "enum")?;
            for variant in variants {
                indent(f, depth)?;
                writeln!(f, "{}", variant.name)?;
                fields(f, &variant.fields, depth + 1)?;
            }
            Ok(())
        }
        Kind::List { of, max } => {
            write!(f, "list {max} of ")?;
            self::kind(f, of, depth)
        }
        Kind::Array { of, len } => {
            write!(f, "array {len} of ")?;
            self::kind(f, of, depth)
        }
    }
}

fn motion_word(motion: bool) -> &'static str {
    if motion { " motion" } else { "" }
}

impl Display for IntRepr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntRepr::U8 => "u8",
            IntRepr::U16 => "u16",
            IntRepr::U32 => "u32",
            IntRepr::U64 => "u64",
            IntRepr::I8 => "i8",
            IntRepr::I16 => "i16",
            IntRepr::I32 => "i32",
            IntRepr::I64 => "i64",
        })
    }
}

impl Display for FloatRepr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FloatRepr::F32 => "f32",
            FloatRepr::F64 => "f64",
        })
    }
}
