//! What the derives make of types: schemas, cells of rows, bytes of messages.
//!
//! The properties are checked against a second walk over a type's schema, in
//! [`oracle`], which shares no code with the derives.

use core::f64::consts::TAU;

use proptest::prelude::*;
use tickwire_protocol::codec::Error;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::{Kind, Schema, TableSchema};
use tickwire_protocol::value::Attr;
use tickwire_protocol::{Blob, Entity, Id, Message, Table, Value, World};

#[derive(Value, Clone, PartialEq, Debug)]
struct Pos {
    #[net(min = -2048.0, max = 2048, step = 0.0625, motion)]
    x: f32,
    #[net(min = -2, max = 2, step = 0.5, ring)]
    y: f64,
}

/// A place without motion, as there can be in a list.
#[derive(Value, Clone, PartialEq, Debug)]
struct Spot(#[net(min = 0, max = 10, step = 0.5)] f32, #[net(angle, bits = 2)] f64);

#[derive(Value, Clone, PartialEq, Debug)]
struct Nothing;

/// The discriminants are not what is sent.
#[derive(Value, Clone, Copy, PartialEq, Debug)]
#[repr(u8)]
enum Rank {
    Mate = 7,
    Captain = 3,
}

#[derive(Value, Clone, PartialEq, Debug)]
enum Engine {
    Off,
    Cruise {
        #[net(max = 100)]
        percent: u8,
        label: String,
    },
    Warp(#[net(max_bytes = 8)] String, Id<Ship>, Option<Blob>),
    Twin([Rank; 2], Spot),
}

#[derive(Value, Clone, PartialEq, Debug)]
struct Crew(#[net(max_bytes = 8)] String, Rank);

#[derive(Entity, Clone, PartialEq, Debug)]
struct Ship {
    numbers: Numbers,
    pos: Pos,
    #[net(angle, bits = 8, motion)]
    heading: f32,
    raw: (),
    armed: bool,
    #[net(max_bytes = 16)]
    name: String,
    cargo: Blob,
    parent: Id<Self>,
    r#type: Rank,
    nothing: Nothing,
    note: Option<String>,
    #[net(max_len = 3)]
    crew: Vec<Crew>,
    #[net(min = -9, max = -1)]
    depths: [i16; 2],
    engine: Engine,
    #[net(max_len = 2)]
    spares: Vec<Engine>,
}

#[derive(Value, Clone, PartialEq, Debug)]
struct Numbers {
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: i16,
    #[net(motion, min = -1_000, max = 0x3E8)]
    g: i32,
    h: i64,
    i: f32,
    j: f64,
}

/// A ship as a message: the same fields, the other way to write them.
#[derive(Message, Clone, PartialEq, Debug)]
struct Report(Numbers, Pos, Option<String>, #[net(max_len = 3)] Vec<Crew>, Engine);

#[derive(Message, Clone, PartialEq, Debug)]
enum Command {
    Stop,
    Rename(#[net(max_bytes = 4)] String),
    Steer {
        #[net(min = -1, max = 1)]
        turn: i8,
        #[net(min = 1, max = 2, step = 0.25)]
        thrust: f32,
        #[net(angle, bits = 4)]
        course: f64,
        #[net(max_len = 2, max = 9)]
        groups: Vec<u8>,
    },
}

#[derive(World)]
struct Space {
    ships: Table<Ship>,
    r#type: Table<Wide>,
}

/// Four times 16 leaves: each field starts and ends at a border of the mask.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
struct Wide {
    a: Sixteen,
    b: Sixteen,
    c: Sixteen,
    d: Sixteen,
}

/// One of its fields has all 64 leaves, and the others none.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
struct Wider {
    before: (),
    wide: Wide,
    after: (),
}

/// The types of the fields come as `$ty:ty`, which is a group of tokens.
macro_rules! flat {
    ($name:ident, $ty:ty, $($field:ident)*) => {
        #[derive(Value, Clone, PartialEq, Debug, Default)]
        struct $name { $($field: $ty),* }
    };
}
flat!(Sixteen, u16, a b c d e f g h i j k l m n o p);

/// The derives against a second reading of the schema.
mod oracle {
    use super::*;

    /// A cell, or the text that its handle stands for.
    #[derive(Clone, PartialEq, Debug)]
    pub(super) enum Cell {
        Word(i64),
        Text(Vec<u8>),
    }

    fn size(kind: &Kind) -> usize {
        match kind {
            Kind::Option(of) => 1 + size(of),
            Kind::Struct(fields) => fields.iter().map(|field| size(&field.kind)).sum(),
            Kind::Enum(variants) => {
                let payload = |fields: &Vec<_>| size(&Kind::Struct(fields.clone()));
                1 + variants.iter().map(|v| payload(&v.fields)).max().unwrap_or(0)
            }
            Kind::List { of, max } => 1 + size(of) * *max as usize,
            Kind::Array { of, len } => size(of) * *len as usize,
            _ => 1,
        }
    }

    fn walk(kind: &Kind, cells: &[i64], heap: &Heap, out: &mut Vec<Cell>) {
        match kind {
            Kind::Text { .. } | Kind::Bytes { .. } => {
                out.push(Cell::Text(heap.get(cells[0]).to_vec()));
            }
            Kind::Option(of) => {
                out.push(Cell::Word(cells[0]));
                walk(of, &cells[1..], heap, out);
            }
            Kind::Struct(fields) => {
                let mut rest = cells;
                for field in fields {
                    let (own, after) = rest.split_at(size(&field.kind));
                    walk(&field.kind, own, heap, out);
                    rest = after;
                }
                out.extend(rest.iter().map(|&cell| Cell::Word(cell)));
            }
            Kind::Enum(variants) => {
                out.push(Cell::Word(cells[0]));
                let fields = variants[cells[0] as usize].fields.clone();
                walk(&Kind::Struct(fields), &cells[1..], heap, out);
            }
            Kind::List { of, .. } => {
                out.push(Cell::Word(cells[0]));
                cells[1..].chunks(size(of)).for_each(|place| walk(of, place, heap, out));
            }
            Kind::Array { of, .. } => {
                cells.chunks(size(of)).for_each(|place| walk(of, place, heap, out));
            }
            _ => out.push(Cell::Word(cells[0])),
        }
    }

    /// The leaves of a value's cells, nested structs flattened.
    pub(super) fn leaves(kind: &Kind, cells: &[i64], heap: &Heap) -> Vec<Vec<Cell>> {
        let Kind::Struct(fields) = kind else {
            let mut leaf = Vec::new();
            walk(kind, cells, heap, &mut leaf);
            return vec![leaf];
        };
        let mut at = 0;
        let each = fields.iter().flat_map(|field| {
            let from = at;
            at += size(&field.kind);
            leaves(&field.kind, &cells[from..at], heap)
        });
        let all = each.collect();
        assert_eq!(at, cells.len(), "the type and its schema agree on the number of cells");
        all
    }

    /// Bytes of all the texts.
    pub(super) fn text_bytes(leaves: &[Vec<Cell>]) -> usize {
        let texts = leaves.iter().flatten().map(|cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Word(_) => 0,
        });
        texts.sum()
    }
}

/// One row: the cells of a value, and its texts.
#[derive(Debug)]
struct Row<T> {
    cells: Vec<i64>,
    heap: Heap,
    value: core::marker::PhantomData<T>,
}

impl<T: Value> Row<T> {
    fn of(value: &T) -> Row<T> {
        let cells = vec![0; T::cells(&Attr::PLAIN)];
        let mut row = Row { cells, heap: Heap::default(), value: core::marker::PhantomData };
        row.store(value);
        row
    }

    fn store(&mut self, value: &T) {
        value.store(&Attr::PLAIN, &mut self.cells, &mut self.heap);
    }

    fn load(&self) -> T {
        T::load(&Attr::PLAIN, &self.cells, &self.heap)
    }

    fn leaves(&self) -> Vec<Vec<oracle::Cell>> {
        oracle::leaves(&T::kind(&Attr::PLAIN), &self.cells, &self.heap)
    }

    /// Wipes the row, which must leave nothing.
    fn wipe(&mut self) {
        T::wipe(&Attr::PLAIN, &mut self.cells, &mut self.heap);
        assert!(self.cells.iter().all(|&cell| cell == 0), "{:?}", self.cells);
        assert_eq!(self.heap.bytes(), 0);
    }
}

/// Reloads `old` from the row of `new`: leaf by leaf as the mask says.
fn check_reload<T>(old: &T, new: &T, mask: u64)
where
    T: Value + Clone,
{
    let (from, row) = (Row::of(old).leaves(), Row::of(new));
    let mut mixed = old.clone();
    mixed.reload(&Attr::PLAIN, mask, &row.cells, &row.heap);
    let expected = from
        .iter()
        .zip(row.leaves())
        .enumerate()
        .map(|(leaf, (old, new))| if mask >> leaf & 1 != 0 { new } else { old.clone() });
    assert_eq!(Row::of(&mixed).leaves(), expected.collect::<Vec<_>>(), "mask {mask:#x}");
}

fn number() -> impl Strategy<Value = Numbers> {
    let floats = (
        prop_oneof![Just(0.0), prop::num::f32::NORMAL],
        prop_oneof![Just(0.0), prop::num::f64::NORMAL],
    );
    let unsigned = any::<(u8, u16, u32, u64)>();
    let signed = (any::<(i8, i16)>(), -1000..=1000, any::<i64>());
    (unsigned, signed, floats).prop_map(|((a, b, c, d), ((e, f), g, h), (i, j))| Numbers {
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        j,
    })
}

fn pos() -> impl Strategy<Value = Pos> {
    (-32768i16..=32767, -4i8..4)
        .prop_map(|(x, y)| Pos { x: f32::from(x) / 16.0, y: f64::from(y) / 2.0 })
}

fn rank() -> impl Strategy<Value = Rank> {
    prop_oneof![Just(Rank::Mate), Just(Rank::Captain)]
}

fn ship_id() -> impl Strategy<Value = Id<Ship>> {
    (0u32..65_536, 0u32..3).prop_map(|(slot, generation)| Id::new(slot, generation))
}

fn blob() -> impl Strategy<Value = Blob> {
    prop::collection::vec(any::<u8>(), 0..5).prop_map(Blob)
}

fn engine() -> impl Strategy<Value = Engine> {
    prop_oneof![
        Just(Engine::Off),
        (0u8..=100, "[a-zé]{0,6}").prop_map(|(percent, label)| Engine::Cruise { percent, label }),
        ("[a-z]{0,8}", ship_id(), prop::option::of(blob()))
            .prop_map(|(gate, to, key)| Engine::Warp(gate, to, key)),
        ([rank(), rank()], 0u8..=20, 0u8..4).prop_map(|(ranks, place, turn)| {
            let spot = Spot(f32::from(place) / 2.0, f64::from(turn) * (TAU / 4.0));
            Engine::Twin(ranks, spot)
        }),
    ]
}

fn crew() -> impl Strategy<Value = Vec<Crew>> {
    prop::collection::vec(("[a-z]{0,8}", rank()).prop_map(|(name, rank)| Crew(name, rank)), 0..=3)
}

fn ship() -> impl Strategy<Value = Ship> {
    let plain = (number(), pos(), any::<(u8, bool)>(), [-9i16..=-1, -9i16..=-1]);
    let texts = ("[a-zé]{0,8}", blob(), prop::option::of("[a-z]{0,4}"));
    let rest = (ship_id(), rank(), crew(), engine(), prop::collection::vec(engine(), 0..=2));
    (plain, texts, rest).prop_map(
        |((numbers, pos, (part, armed), depths), (name, cargo, note), rest)| {
            let (parent, r#type, crew, engine, spares) = rest;
            let heading = (f64::from(part) * (TAU / 256.0)) as f32;
            Ship {
                numbers,
                pos,
                heading,
                raw: (),
                armed,
                name,
                cargo,
                parent,
                r#type,
                nothing: Nothing,
                note,
                crew,
                depths,
                engine,
                spares,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_stored_is_loaded(ship in ship()) {
        let mut row = Row::of(&ship);
        prop_assert_eq!(row.load(), ship);
        prop_assert_eq!(row.heap.bytes(), oracle::text_bytes(&row.leaves()));
        row.wipe();
    }

    #[test]
    fn an_earlier_value_leaves_no_trace(ships in prop::collection::vec(ship(), 2..5)) {
        let mut row = Row::of(&ships[0]);
        for ship in &ships[1..] {
            row.store(ship);
            let fresh = Row::of(ship);
            prop_assert_eq!(row.leaves(), fresh.leaves());
            prop_assert_eq!(row.heap.bytes(), fresh.heap.bytes());
        }
        row.wipe();
    }

    #[test]
    fn reload_touches_the_masked_leaves_and_no_others(
        old in ship(),
        new in ship(),
        mask in any::<u64>(),
    ) {
        check_reload(&old, &new, mask);
        check_reload(&old, &new, 0);
        check_reload(&old, &new, u64::MAX);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        numbers in number(),
        pos in pos(),
        note in prop::option::of("[a-z]{0,4}"),
        crew in crew(),
        engine in engine(),
    ) {
        let report = Report(numbers, pos, note, crew, engine);
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        prop_assert_eq!(Report::decode(&bytes), Ok(report));
        for len in 0..bytes.len() {
            prop_assert!(Report::decode(&bytes[..len]).is_err(), "{} of {}", len, bytes.len());
        }
        bytes.push(0);
        prop_assert_eq!(Report::decode(&bytes), Err(Error::Trailing));
    }

    #[test]
    fn no_bytes_make_a_message_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(report) = Report::decode(&bytes) {
            let mut again = Vec::new();
            report.encode(&mut again);
            prop_assert_eq!(Report::decode(&again), Ok(report));
        }
        let _ = Command::decode(&bytes);
    }
}

#[test]
fn a_world_tells_its_schema() {
    let nothing = Kind::default();
    let command = Command::schema();
    let schema =
        Schema::new(Space::schema(), nothing.clone(), command, nothing.clone(), nothing).unwrap();
    let text = schema.to_string();
    let (ships, rest) = text.split_once("table type Wide\n").unwrap();
    let expected = "\
table ships Ship
  numbers struct
    a u8
    b u16
    c u32
    d u64
    e i8
    f i16
    g i32 -1000..1000 motion
    h i64
    i f32
    j f64
  pos struct
    x f32 -2048..2048 step 0.0625 motion
    y f64 -2..2 step 0.5 ring
  heading f32 angle 8 bits motion
  raw struct
  armed bool
  name text 16
  cargo bytes 64
  parent ref Ship
  type enum
    Mate
    Captain
  nothing struct
  note option text 64
  crew list 3 of struct
    0 text 8
    1 enum
      Mate
      Captain
  depths array 2 of i16 -9..-1
  engine enum
    Off
    Cruise
      percent u8 0..100
      label text 64
    Warp
      0 text 8
      1 ref Ship
      2 option bytes 64
    Twin
      0 array 2 of enum
        Mate
        Captain
      1 struct
        0 f32 0..10 step 0.5
        1 f64 angle 2 bits
";
    assert_eq!(ships.split_once("  spares ").unwrap().0, expected);
    let (_, commands) = rest.split_once("command ").unwrap();
    let expected = "\
enum
  Stop
  Rename
    0 text 4
  Steer
    turn i8 -1..1
    thrust f32 1..2 step 0.25
    course f64 angle 4 bits
    groups list 2 of u8 0..9
";
    assert_eq!(commands.split_once("reply").unwrap().0, expected);
}

#[test]
fn a_worlds_tables_are_numbered_in_the_order_of_its_fields() {
    let mut space = Space::default();
    assert_eq!(Space::TABLES, 2);
    assert_eq!((Ship::NAME, Wide::NAME), ("Ship", "Wide"));
    let id = space.r#type.spawn(Wide::default());
    assert!(space.table(0).occupant(id.slot()).is_none());
    assert!(space.table(1).occupant(id.slot()).is_some());
    space.table_mut(1).evict(id.slot());
    assert!(space.r#type.is_empty() && space.ships.is_empty());
}

#[test]
#[should_panic(expected = "below `World::TABLES`")]
fn a_world_has_no_other_tables() {
    let _ = Space::default().table(2);
}

#[test]
fn the_mask_reaches_all_64_leaves() {
    assert_eq!(Wide::leaves(&Attr::PLAIN), 64);
    assert_eq!(Wider::leaves(&Attr::PLAIN), 64);
    let numbered = |from: u16| {
        let mut row = Row::of(&Wide::default());
        row.cells.iter_mut().zip(from..).for_each(|(cell, value)| *cell = i64::from(value));
        row.load()
    };
    let (old, new) = (numbered(100), numbered(500));
    let (wider_old, wider_new) = (
        Wider { before: (), wide: old.clone(), after: () },
        Wider { before: (), wide: new.clone(), after: () },
    );
    let masks = (0..64).flat_map(|leaf| [1 << leaf, u64::MAX << leaf, u64::MAX >> leaf]);
    for mask in masks.chain([0, 0x8000_0001_8000_0001]) {
        check_reload(&old, &new, mask);
        check_reload(&wider_old, &wider_new, mask);
    }
}

#[test]
fn a_variant_that_ends_gives_its_texts_back() {
    let mut row = Row::of(&Engine::Warp("gate".into(), Id::new(7, 1), Some(Blob(vec![1, 2]))));
    assert_eq!(row.heap.bytes(), 6);
    row.store(&Engine::Cruise { percent: 3, label: "slow".into() });
    assert_eq!(row.heap.bytes(), 4);
    assert_eq!((row.cells[0], row.cells[1]), (1, 3));
    assert!(row.cells[3..].iter().all(|&cell| cell == 0));
    row.store(&Engine::Off);
    assert!(row.cells.iter().all(|&cell| cell == 0));
    assert_eq!(row.heap.bytes(), 0);
}

#[test]
fn an_equal_text_keeps_its_handle() {
    let mut row = Row::of(&Engine::Cruise { percent: 3, label: "slow".into() });
    let before = row.cells.clone();
    row.store(&Engine::Cruise { percent: 4, label: "slow".into() });
    assert_eq!((row.cells[1], row.cells[2]), (4, before[2]));
}

#[test]
fn cells_with_an_unknown_tag_hold_the_first_variant() {
    for tag in [4, -1, i64::MAX] {
        let mut row = Row::of(&Engine::Off);
        row.cells[0] = tag;
        assert_eq!(row.load(), Engine::Off);
        row.wipe();
    }
}

#[test]
fn zero_cells_are_a_types_default() {
    let row: Row<Crew> = Row::of(&Crew(String::new(), Rank::Mate));
    assert_eq!(row.cells, [0, 0]);
    let row = Row::of(&[-1i16; 2]);
    assert_eq!(row.load(), [-1, -1]);
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

fn steer(turn: i8, thrust: f32, course: f64, groups: &[u8]) -> Command {
    Command::Steer { turn, thrust, course, groups: groups.to_vec() }
}

#[test]
fn a_message_is_its_tag_and_its_fields() {
    assert_eq!(encoded(&Command::Stop), [0]);
    assert_eq!(encoded(&Command::Rename("Ada".into())), [1, 3, b'A', b'd', b'a']);
    // -1 as one byte, then the third grid point, a quarter turn of 16 parts, and a list.
    let bytes = encoded(&steer(-1, 1.5, TAU / 4.0, &[9]));
    assert_eq!(bytes, [2, 255, 2, 4, 1, 9]);
    assert_eq!(Command::decode(&bytes), Ok(steer(-1, 1.5, TAU / 4.0, &[9])));
    assert_eq!(Command::decode(&[3]), Err(Error::BadTag));
    assert_eq!(Command::decode(&[253, 0, 0, 0, 0, 1, 0, 0, 0]), Err(Error::BadInteger));
}

#[test]
fn what_is_out_of_range_goes_to_the_edge() {
    assert_eq!(
        encoded(&steer(5, 9.0, -TAU / 4.0, &[200])),
        encoded(&steer(1, 2.0, TAU * 0.75, &[9]))
    );
    assert_eq!(encoded(&steer(0, f32::NAN, 0.0, &[])), encoded(&steer(0, 1.0, 0.0, &[])));
    assert_eq!(encoded(&steer(0, 1.0, 0.0, &[1, 2, 3])), encoded(&steer(0, 1.0, 0.0, &[1, 2])));
    assert_eq!(encoded(&Command::Rename("größer".into())), encoded(&Command::Rename("grö".into())));
    // From a peer, too; but a length that is over its limit is an error.
    assert_eq!(Command::decode(&[2, 5, 99, 15, 1, 200]), Ok(steer(1, 2.0, TAU * 0.9375, &[9])));
    assert_eq!(Command::decode(&[2, 0, 0, 0, 3, 1, 2, 3]), Err(Error::TooLong));
    assert_eq!(Command::decode(&[1, 5, b'a', b'b', b'c', b'd', b'e']), Err(Error::TooLong));
}

/// Names that the generated code could trip over.
#[expect(dead_code, unused_macros, non_camel_case_types, reason = "only compiled")]
mod shadowed {
    use super::{Entity, Message, Value, World};

    struct Option;
    struct Vec;
    struct String;
    struct Result;
    struct Box;
    struct Default;
    type i64 = ();
    type usize = ();
    struct u64;
    const LEN: core::primitive::usize = 2;
    macro_rules! vec {
        () => {};
    }

    mod tickwire_protocol {}
    mod core {
        pub(super) use ::core::primitive;
    }

    #[derive(Entity)]
    struct Thing {
        cells: u8,
        heap: bool,
        mask: [u8; LEN],
        #[net(min = 1, max = 5)]
        attr: u8,
    }

    #[derive(Value)]
    enum Self_ {
        Some { r: u8, w: u8, tag: u8 },
        None,
    }

    #[derive(Message)]
    struct Ok(Self_, Solo);

    #[derive(Value)]
    enum Solo {
        Only {},
    }

    #[derive(World)]
    struct Err {
        index: super::Table<Thing>,
    }
}

#[derive(Entity)]
struct Edge {
    #[net(min = -0.0, max = 1.0, step = 0.5)]
    x: f32,
}

#[test]
fn a_schema_keeps_its_hash_through_its_descriptor() {
    let _ = Edge { x: 0.0 }.x;
    let Kind::Struct(fields) = Edge::kind(&Attr::PLAIN) else { panic!("an entity is a struct") };
    let table = TableSchema { name: "edges".into(), entity: "Edge".into(), fields };
    let none = Kind::default;
    let schema = Schema::new(vec![table], none(), none(), none(), none()).unwrap();
    let mut descriptor = Vec::new();
    schema.write_descriptor(&mut descriptor);
    assert_eq!(Schema::from_descriptor(&descriptor).unwrap().hash(), schema.hash());
}
