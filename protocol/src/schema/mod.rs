//! What is replicated and how: tables, fields, kinds.
//!
//! One description drives the typed codec, the dynamic mirror, foreign clients
//! and tools. It is built from the derives, or read from a descriptor that came
//! in a handshake; from then on nobody can tell the difference.
//!
//! Invariant: a [`Schema`] that came through [`Schema::new`] or
//! [`Schema::from_descriptor`] is within every limit of [`crate::limits`].

mod descriptor;
pub mod layout;
mod text;

use crate::grid::Grid;
use crate::limits::{
    CELLS_MAX, ELEMENTS_MAX, KIND_DEPTH_MAX, KINDS_MAX, LEAVES_MAX, NAME_BYTES_MAX, TABLES_MAX,
    TEXT_BYTES_MAX, VARIANTS_MAX,
};

/// Everything that a client and a server must agree on for one game.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Schema {
    /// The world's tables, in the order of their index on the wire.
    pub tables: Vec<TableSchema>,
    /// A player's controls.
    pub input: Kind,
    /// Requests of a client.
    pub command: Kind,
    /// Answers to them.
    pub reply: Kind,
    /// One-off messages of the server.
    pub event: Kind,
}

/// All the entities of one type.
#[derive(Clone, PartialEq, Debug)]
pub struct TableSchema {
    /// The table's name in the world, for example `ships`.
    pub name: String,
    /// The type of its entities, for example `Ship`; what [`Kind::Ref`] names.
    pub entity: String,
    /// The entity's fields.
    pub fields: Vec<Field>,
}

/// A named value.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// The field's name; a tuple's fields are `0`, `1`, …
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// One of an enum's alternatives.
#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    /// The alternative's name.
    pub name: String,
    /// What it carries; empty for a plain name.
    pub fields: Vec<Field>,
}

/// The machine type of an integer: how messages write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum IntRepr {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
}

/// The machine type of a float.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FloatRepr {
    F32,
    F64,
}

/// What a field holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// True or false.
    Bool,
    /// An integer from `min` to `max`.
    Int {
        /// Machine type.
        repr: IntRepr,
        /// Smallest value.
        min: i128,
        /// Largest value.
        max: i128,
        /// Whether it moves steadily, so that chunks may predict it. Only a leaf of
        /// an entity is predicted; inside a list and the like this says nothing.
        motion: bool,
    },
    /// A float sent bit by bit.
    Float(FloatRepr),
    /// A float on a grid: `min + q * step` for `q` from 0 on.
    Quantised {
        /// Machine type.
        repr: FloatRepr,
        /// The value of `q = 0`.
        min: f64,
        /// The largest value; with `ring`, the one that is `min` again.
        max: f64,
        /// The distance of two neighbours.
        step: f64,
        /// Whether the range closes to a ring.
        ring: bool,
        /// Whether it moves steadily, so that chunks may predict it.
        motion: bool,
    },
    /// An angle in radians: `q * 2π / 2^bits`.
    Angle {
        /// Machine type.
        repr: FloatRepr,
        /// Resolution, 1 to 24.
        bits: u8,
        /// Whether it moves steadily, so that chunks may predict it.
        motion: bool,
    },
    /// UTF-8 text.
    Text {
        /// Longest, in bytes.
        max: u32,
    },
    /// Bytes.
    Bytes {
        /// Longest.
        max: u32,
    },
    /// A reference to an entity, or to nobody.
    Ref {
        /// The entity's type.
        entity: String,
    },
    /// A value or nothing.
    Option(Box<Kind>),
    /// Fields side by side.
    Struct(Vec<Field>),
    /// One of several alternatives.
    Enum(Vec<Variant>),
    /// A number of values up to `max`.
    List {
        /// What each element holds.
        of: Box<Kind>,
        /// Most elements.
        max: u32,
    },
    /// Exactly `len` values.
    Array {
        /// What each element holds.
        of: Box<Kind>,
        /// How many there are.
        len: u32,
    },
}

impl Default for Kind {
    /// Nothing: a struct without fields.
    fn default() -> Self {
        Kind::Struct(Vec::new())
    }
}

/// Why a schema cannot be used. The text names the place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaError {
    /// Where, as `ships.pos.x`.
    pub place: String,
    /// What is wrong there.
    pub problem: &'static str,
}

impl core::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl core::error::Error for SchemaError {}

impl Schema {
    /// A schema that is within the limits.
    pub fn new(
        tables: Vec<TableSchema>,
        input: Kind,
        command: Kind,
        reply: Kind,
        event: Kind,
    ) -> Result<Schema, SchemaError> {
        let schema = Schema { tables, input, command, reply, event };
        schema.check()?;
        Ok(schema)
    }

    /// The 64-bit FNV-1a hash of the descriptor: two schemas with the same
    /// hash have the same wire.
    pub fn hash(&self) -> u64 {
        let mut bytes = Vec::new();
        self.write_descriptor(&mut bytes);
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// The index of the table called `name`.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }

    fn check(&self) -> Result<(), SchemaError> {
        let mut check = Check { place: Vec::new(), kinds: 0 };
        if self.tables.len() > TABLES_MAX {
            return Err(check.error("too many tables"));
        }
        for (index, table) in self.tables.iter().enumerate() {
            check.name(&table.name, |name| self.tables[..index].iter().any(|t| t.name == name))?;
            check.name(&table.entity, |_| false)?;
            check.place.push(table.name.clone());
            check.record(&table.fields, 0)?;
            check.place.pop();
        }
        let messages = [
            ("input", &self.input),
            ("command", &self.command),
            ("reply", &self.reply),
            ("event", &self.event),
        ];
        for (name, kind) in messages {
            check.place.push(name.into());
            check.kind(kind, 0)?;
            check.place.pop();
        }
        Ok(())
    }
}

/// The walk over a schema that proves its limits.
struct Check {
    /// Names from the root to here.
    place: Vec<String>,
    /// Kinds met so far.
    kinds: usize,
}

impl Check {
    fn error(&self, problem: &'static str) -> SchemaError {
        SchemaError { place: self.place.join("."), problem }
    }

    fn name(&self, name: &str, taken: impl Fn(&str) -> bool) -> Result<(), SchemaError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(self.error("a name must have 1 to 64 bytes"));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.error("a name must be of letters, digits and _"));
        }
        if taken(name) { Err(self.error("two parts have the same name")) } else { Ok(()) }
    }

    /// Fields side by side; gives their leaves and cells.
    fn record(&mut self, fields: &[Field], depth: usize) -> Result<(usize, usize), SchemaError> {
        let (mut leaves, mut cells) = (0usize, 0usize);
        for (index, field) in fields.iter().enumerate() {
            self.name(&field.name, |name| fields[..index].iter().any(|f| f.name == name))?;
            self.place.push(field.name.clone());
            let (more_leaves, more_cells) = match &field.kind {
                Kind::Struct(inner) => {
                    self.deeper(depth)?;
                    let (leaves, cells) = self.record(inner, depth + 1)?;
                    // An empty one costs nothing on the wire, and memory in a
                    // client: for the limit it counts.
                    (leaves.max(1), cells)
                }
                kind => (1, self.kind(kind, depth)?),
            };
            leaves += more_leaves;
            cells = cells.saturating_add(more_cells);
            if leaves > LEAVES_MAX {
                return Err(self.error("a record has more than 64 leaves"));
            }
            if cells > CELLS_MAX {
                return Err(self.error("a row has more than 1024 cells"));
            }
            self.place.pop();
        }
        Ok((leaves, cells))
    }

    fn deeper(&mut self, depth: usize) -> Result<(), SchemaError> {
        self.kinds += 1;
        if self.kinds > KINDS_MAX {
            return Err(self.error("the schema has too many kinds"));
        }
        if depth >= KIND_DEPTH_MAX { Err(self.error("kinds are nested too deep")) } else { Ok(()) }
    }

    /// One kind; gives its cells.
    fn kind(&mut self, kind: &Kind, depth: usize) -> Result<usize, SchemaError> {
        self.deeper(depth)?;
        let cells = match kind {
            Kind::Bool => 1,
            Kind::Int { repr, min, max, motion } => {
                let (lowest, highest) = repr.range();
                if !(lowest <= *min && min < max && *max <= highest) {
                    return Err(self.error("min must be below max, and both in the type's range"));
                }
                self.motion(*motion, (max - min) as u128)?;
                1
            }
            Kind::Float(_) => 1,
            Kind::Quantised { repr, min, max, step, ring, motion } => {
                let sane = min.is_finite() && max.is_finite() && step.is_finite() && *step > 0.0;
                if !sane || min >= max {
                    return Err(self.error("min must be below max, and step above 0"));
                }
                let count = (max - min) / step;
                let least = if *ring { 2.0 } else { 1.0 };
                if !(least..=QUANTA_MAX).contains(&count) {
                    return Err(self.error("the range must be 1 (a ring: 2) to 2^32 - 1 steps"));
                }
                let grid = Grid::new(*min, *max, *step, *ring);
                if !repr.holds(*min) || !repr.holds(grid.value(grid.highest())) {
                    return Err(self.error("the range must be within the type's"));
                }
                self.motion(*motion, count as u128)?;
                1
            }
            Kind::Angle { bits, motion, .. } => {
                if !(1..=24).contains(bits) {
                    return Err(self.error("an angle has 1 to 24 bits"));
                }
                self.motion(*motion, 1)?;
                1
            }
            Kind::Text { max } | Kind::Bytes { max } => {
                if *max == 0 || *max as usize > TEXT_BYTES_MAX {
                    return Err(self.error("a text has a maximum of 1 to 4096 bytes"));
                }
                1
            }
            Kind::Ref { entity } => {
                self.name(entity, |_| false)?;
                1
            }
            Kind::Option(of) => 1 + self.kind(of, depth + 1)?,
            Kind::Struct(fields) => self.record(fields, depth + 1)?.1,
            Kind::Enum(variants) => {
                if variants.is_empty() || variants.len() > VARIANTS_MAX {
                    return Err(self.error("an enum has 1 to 256 variants"));
                }
                let mut most = 0;
                for (index, variant) in variants.iter().enumerate() {
                    self.name(&variant.name, |n| variants[..index].iter().any(|v| v.name == n))?;
                    self.place.push(variant.name.clone());
                    self.deeper(depth + 1)?;
                    most = most.max(self.record(&variant.fields, depth + 1)?.1);
                    self.place.pop();
                }
                1 + most
            }
            Kind::List { of, max } => 1 + self.elements(of, *max, depth)?,
            Kind::Array { of, len } => self.elements(of, *len, depth)?,
        };
        if cells > CELLS_MAX {
            Err(self.error("a row has more than 1024 cells"))
        } else {
            Ok(cells)
        }
    }

    fn elements(&mut self, of: &Kind, count: u32, depth: usize) -> Result<usize, SchemaError> {
        if count == 0 || count as usize > ELEMENTS_MAX {
            return Err(self.error("a list or array has 1 to 1024 elements"));
        }
        match self.kind(of, depth + 1)? {
            0 => Err(self.error("an element must hold something")),
            cells => Ok(cells.saturating_mul(count as usize)),
        }
    }

    /// Motion is extrapolated in 64 bits: the range must leave room for that.
    fn motion(&self, motion: bool, span: u128) -> Result<(), SchemaError> {
        if motion && span > u128::from(u32::MAX) {
            return Err(self.error("a field that is motion has at most 2^32 values"));
        }
        Ok(())
    }
}

/// Most steps of a grid.
pub(crate) const QUANTA_MAX: f64 = 4_294_967_295.0;

impl FloatRepr {
    /// Whether a value of the machine type is near.
    fn holds(self, value: f64) -> bool {
        match self {
            FloatRepr::F32 => (value as f32).is_finite(),
            FloatRepr::F64 => value.is_finite(),
        }
    }
}

impl IntRepr {
    /// All of them, each at its number on the wire.
    pub(crate) const ALL: [IntRepr; 8] = [
        IntRepr::U8,
        IntRepr::U16,
        IntRepr::U32,
        IntRepr::U64,
        IntRepr::I8,
        IntRepr::I16,
        IntRepr::I32,
        IntRepr::I64,
    ];

    /// The smallest and the largest value of the machine type.
    pub const fn range(self) -> (i128, i128) {
        match self {
            IntRepr::U8 => (0, u8::MAX as i128),
            IntRepr::U16 => (0, u16::MAX as i128),
            IntRepr::U32 => (0, u32::MAX as i128),
            IntRepr::U64 => (0, u64::MAX as i128),
            IntRepr::I8 => (i8::MIN as i128, i8::MAX as i128),
            IntRepr::I16 => (i16::MIN as i128, i16::MAX as i128),
            IntRepr::I32 => (i32::MIN as i128, i32::MAX as i128),
            IntRepr::I64 => (i64::MIN as i128, i64::MAX as i128),
        }
    }
}
