//! A game with every kind of field there is. It has no rules: the golden
//! vectors, the hostile tests and the fuzz targets speak its schema.

use tickwire_protocol::schema::Schema;
use tickwire_protocol::{Blob, Entity, Id, Message, Table, Value, World};

#[derive(World)]
pub(crate) struct Space {
    pub(crate) ships: Table<Ship>,
    numbers: Table<Number>,
    gauges: Table<Gauge>,
    things: Table<Thing>,
    flags: Table<Flags>,
    marks: Table<Mark>,
}

/// What moves: a flat row of few leaves.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Ship {
    #[net(min = -2048.0, max = 2048.0, step = 0.0625, motion)]
    pub(crate) x: f32,
    #[net(min = -64.0, max = 64.0, step = 0.0625, ring, motion)]
    pub(crate) y: f32,
    #[net(angle, bits = 8, motion)]
    pub(crate) heading: f32,
    #[net(motion)]
    pub(crate) odometer: u16,
    #[net(min = -1000, max = 1000, motion)]
    pub(crate) level: i32,
    pub(crate) hp: u8,
    #[net(max_bytes = 24)]
    pub(crate) name: String,
}

/// Integers of every width, and floats as they are.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Number {
    pub(crate) all: Numbers,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) flag: bool,
    pub(crate) u8: u8,
    pub(crate) u16: u16,
    pub(crate) u32: u32,
    pub(crate) u64: u64,
    pub(crate) i8: i8,
    pub(crate) i16: i16,
    pub(crate) i32: i32,
    pub(crate) i64: i64,
    /// Three bits as they are.
    #[net(max = 5)]
    pub(crate) few: u8,
    /// Two values, the larger of which is the origin.
    #[net(min = -1, max = 0)]
    pub(crate) lost: i8,
    #[net(min = 5, max = 1000)]
    pub(crate) above: u32,
    #[net(min = -300, max = -7)]
    pub(crate) below: i16,
    /// All but one value of its type: a difference, and no count.
    #[net(min = 1)]
    pub(crate) positive: u32,
    #[net(min = -5_000_000_000, max = 5_000_000_000)]
    pub(crate) wide: i64,
    /// Beyond what an `i64` holds.
    #[net(min = 10_000_000_000_000_000_000, max = 10_000_000_000_000_001_000)]
    pub(crate) high: u64,
    pub(crate) f32: f32,
    pub(crate) f64: f64,
}

/// Floats on grids, and angles.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Gauge {
    pub(crate) all: Grids,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Grids {
    #[net(min = -2048.0, max = 2048.0, step = 0.0625)]
    pub(crate) line: f32,
    /// A step that no binary float holds exactly.
    #[net(min = 0, max = 10, step = 0.1)]
    pub(crate) tenth: f32,
    /// Negative values only.
    #[net(min = -9, max = -1, step = 0.001)]
    pub(crate) below: f64,
    #[net(min = 1.5, max = 100.5, step = 0.5)]
    pub(crate) above: f64,
    /// Nine points: four bits as they are.
    #[net(min = 0, max = 1, step = 0.125)]
    pub(crate) coarse: f32,
    #[net(min = 0, max = 1, step = 1)]
    pub(crate) two: f64,
    #[net(min = -64.0, max = 64.0, step = 0.0625, ring)]
    pub(crate) ring: f32,
    /// A ring of eight points.
    #[net(min = -2, max = 2, step = 0.5, ring)]
    pub(crate) dial: f64,
    #[net(angle, bits = 1)]
    pub(crate) half: f32,
    #[net(angle, bits = 8)]
    pub(crate) compass: f32,
    #[net(angle, bits = 24)]
    pub(crate) exact: f64,
}

/// What is not one number.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Thing {
    pub(crate) all: Things,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Things {
    pub(crate) rank: Rank,
    pub(crate) only: Solo,
    pub(crate) engine: Engine,
    pub(crate) note: Option<String>,
    pub(crate) maybe: Option<Option<u16>>,
    pub(crate) spot: Spot,
    pub(crate) deep: Deep,
    #[net(max_bytes = 16)]
    pub(crate) name: String,
    #[net(max_bytes = 16)]
    pub(crate) blob: Blob,
    #[net(max_len = 4)]
    pub(crate) cargo: Vec<Item>,
    #[net(max_len = 4, min = 0, max = 1, step = 0.125)]
    pub(crate) shields: Vec<f32>,
    #[net(max_len = 3, max_bytes = 12)]
    pub(crate) notes: Vec<String>,
    pub(crate) slots: [Option<u16>; 3],
    pub(crate) pairs: [[u8; 2]; 2],
    pub(crate) spots: [Spot; 2],
    pub(crate) target: Id<Ship>,
    pub(crate) friend: Option<Id<Thing>>,
    pub(crate) nothing: Nothing,
    pub(crate) unit: (),
}

#[derive(Value, Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Rank {
    #[default]
    Mate,
    Captain,
    Admiral,
}

/// A tag of no bits.
#[derive(Value, Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Solo {
    #[default]
    One,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) enum Engine {
    #[default]
    Off,
    Cruise {
        #[net(max = 100)]
        percent: u8,
        label: String,
    },
    Warp(#[net(max_bytes = 8)] String, Id<Ship>, Option<Blob>),
    Twin([Rank; 2], Spot),
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Spot {
    #[net(min = 0, max = 1000, step = 0.5)]
    pub(crate) x: f32,
    pub(crate) y: i16,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Deep {
    pub(crate) spot: Spot,
    #[net(max_bytes = 8)]
    pub(crate) name: String,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Item {
    pub(crate) rank: Rank,
    pub(crate) count: u16,
    pub(crate) label: String,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Nothing;

/// As many leaves as a row can have: a mask of eight groups.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) a: Sixteen,
    pub(crate) b: Sixteen,
    pub(crate) c: Sixteen,
    pub(crate) d: Sixteen,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Sixteen {
    pub(crate) a: bool,
    pub(crate) b: bool,
    pub(crate) c: bool,
    pub(crate) d: bool,
    pub(crate) e: bool,
    pub(crate) f: bool,
    pub(crate) g: bool,
    pub(crate) h: bool,
    pub(crate) i: bool,
    pub(crate) j: bool,
    pub(crate) k: bool,
    pub(crate) l: bool,
    pub(crate) m: bool,
    pub(crate) n: bool,
    pub(crate) o: bool,
    pub(crate) p: bool,
}

/// An entity that is just there: no leaves.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Mark {}

/// The input.
#[derive(Message, Clone, PartialEq, Debug, Default)]
pub(crate) struct Steer {
    #[net(min = -1, max = 1)]
    pub(crate) turn: i8,
    pub(crate) thrust: bool,
    #[net(angle, bits = 8)]
    pub(crate) aim: f32,
    #[net(min = 0, max = 1, step = 0.125)]
    pub(crate) power: f32,
    pub(crate) raw: f32,
}

#[derive(Message, Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are only a few at a time")]
pub(crate) enum Command {
    Stop,
    Numbers(Numbers),
    Grids(Grids),
    Things(Things),
    Rename {
        ship: Id<Ship>,
        #[net(max_bytes = 8)]
        name: String,
    },
    Raw(#[net(max_bytes = 4096)] Blob),
    Many(#[net(max_len = 600)] Vec<u8>),
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Receipt {
    pub(crate) number: u32,
    pub(crate) paid: bool,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Event {
    Over,
    Hit { ship: Id<Ship>, damage: u16 },
    Said { who: Id<Ship>, text: String },
}

/// The schema of all of it.
pub(crate) fn schema() -> Schema {
    Schema::new(
        Space::schema(),
        Steer::schema(),
        Command::schema(),
        Receipt::schema(),
        Event::schema(),
    )
    .expect("within the limits")
}
