//! `values.json`: inputs, commands, replies and events as their schema says.

use serde_json::{Value as Json, json};
use tickwire_protocol::codec::{Error, Reader, Writer};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::{Kind, Schema};
use tickwire_protocol::value::Attr;
use tickwire_protocol::{Blob, Id, Message};

use super::json::{self, bytes, hex, list, text};
use super::world::{
    Command, Deep, Engine, Event, Grids, Item, Nothing, Numbers, Rank, Receipt, Solo, Spot, Steer,
    Things,
};
use super::{File, schemas};

pub(crate) const FILE: File = File { name: "values.json", produce, verify };

fn produce() -> Json {
    json!({ "schema": "space", "written": written(), "read": only_read() })
}

fn verify(file: &Json) {
    let schema = schemas::schema(text(file, "schema"));
    for vector in list(file, "written") {
        let (kind, raw) = (message(&schema, text(vector, "message")), bytes(vector, "bytes"));
        let value = read(kind, &raw).expect("a value");
        assert_eq!(json::value(kind, &value), vector["value"], "{}", vector["name"]);
        let mut again = Vec::new();
        value.write(kind, &mut Writer::new(&mut again));
        assert_eq!(hex(&again), hex(&raw), "{}", vector["name"]);
        for len in 0..raw.len() {
            assert_eq!(read(kind, &raw[..len]), Err(Error::Truncated), "{}", vector["name"]);
        }
    }
    for vector in list(file, "read") {
        let (kind, raw) = (message(&schema, text(vector, "message")), bytes(vector, "bytes"));
        let value = read(kind, &raw).expect("a value");
        assert_eq!(json::value(kind, &value), vector["value"], "{}", vector["name"]);
        let mut again = Vec::new();
        value.write(kind, &mut Writer::new(&mut again));
        assert_eq!(json!(hex(&again)), vector["written"], "{}", vector["name"]);
    }
}

/// The kind of one of a schema's messages.
pub(crate) fn message<'a>(schema: &'a Schema, name: &str) -> &'a Kind {
    match name {
        "input" => &schema.input,
        "command" => &schema.command,
        "reply" => &schema.reply,
        "event" => &schema.event,
        other => panic!("no message {other}"),
    }
}

/// The value that `raw` is, all of it.
pub(crate) fn read(kind: &Kind, raw: &[u8]) -> Result<Value, Error> {
    let mut r = Reader::new(raw);
    let value = Value::read(kind, &mut r)?;
    r.finish()?;
    Ok(value)
}

/// What a compiled message means, by way of cells and not of its bytes.
fn meaning<T: Message>(of: &T) -> Json {
    let (mut cells, mut heap) = (vec![0; T::cells(&Attr::PLAIN)], Heap::default());
    of.store(&Attr::PLAIN, &mut cells, &mut heap);
    let kind = T::schema();
    json::value(&kind, &Value::from_cells(&kind, &cells, &heap))
}

fn written() -> Vec<Json> {
    let mut vectors = Vec::new();
    let mut steer = |name: &str, value: Steer| vectors.push(vector("input", name, &value));
    steer("at rest", Steer::default());
    steer("to the left", Steer { turn: -1, thrust: true, aim: 3.1, power: 1.0, raw: -0.5 });
    steer("to the right", Steer { turn: 1, thrust: false, aim: 6.2, power: 0.3, raw: 1e30 });
    for (name, value) in commands() {
        vectors.push(vector("command", name, &value));
    }
    for (number, paid) in [(0, false), (250, true), (251, true), (u32::MAX, true)] {
        vectors.push(vector("reply", "receipt", &Receipt { number, paid }));
    }
    let events = [
        ("over", Event::Over),
        ("hit", Event::Hit { ship: Id::new(65_535, 3), damage: 300 }),
        ("hit nobody", Event::Hit { ship: Id::NONE, damage: 0 }),
        ("said", Event::Said { who: Id::new(0, 1), text: "hello, Žofie 𝄞".to_owned() }),
    ];
    vectors.extend(events.iter().map(|(name, event)| vector("event", name, event)));
    vectors
}

fn vector<T: Message>(message: &str, name: &str, value: &T) -> Json {
    let mut out = Vec::new();
    value.encode(&mut out);
    json!({ "message": message, "name": name, "value": meaning(value), "bytes": hex(&out) })
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("stop", Command::Stop),
        ("numbers at rest", Command::Numbers(Numbers::default())),
        ("smallest numbers", Command::Numbers(smallest())),
        ("largest numbers", Command::Numbers(largest())),
        ("grids at rest", Command::Grids(Grids::default())),
        ("lowest grids", Command::Grids(grids(-1e9))),
        ("highest grids", Command::Grids(grids(1e9))),
        ("grids between", Command::Grids(grids(2.34))),
        ("things at rest", Command::Things(Things::default())),
        ("all sorts of things", Command::Things(things())),
        ("things to the brim", Command::Things(more_things())),
        ("rename", Command::Rename { ship: Id::new(7, 251), name: "Ada".to_owned() }),
        // What is too long is cut between characters.
        ("rename, cut", Command::Rename { ship: Id::NONE, name: "abcdef\u{1D11E}".to_owned() }),
        ("raw", Command::Raw(Blob((0..=255).collect()))),
        ("many", Command::Many((0..251u32).map(|i| (i * 7) as u8).collect())),
    ]
}

pub(crate) fn smallest() -> Numbers {
    Numbers {
        flag: false,
        u8: 0,
        u16: 0,
        u32: 0,
        u64: 0,
        i8: i8::MIN,
        i16: i16::MIN,
        i32: i32::MIN,
        i64: i64::MIN,
        few: 0,
        lost: -1,
        above: 5,
        below: -300,
        positive: 1,
        wide: -5_000_000_000,
        high: 10_000_000_000_000_000_000,
        f32: f32::MIN,
        f64: f64::MIN,
    }
}

pub(crate) fn largest() -> Numbers {
    Numbers {
        flag: true,
        u8: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        i8: i8::MAX,
        i16: i16::MAX,
        i32: i32::MAX,
        i64: i64::MAX,
        few: 5,
        lost: 0,
        above: 1000,
        below: -7,
        positive: u32::MAX,
        wide: 5_000_000_000,
        high: 10_000_000_000_000_001_000,
        f32: f32::MAX,
        f64: f64::MAX,
    }
}

/// The same value everywhere: outside of most grids if it is large.
pub(crate) fn grids(at: f64) -> Grids {
    let narrow = at as f32;
    Grids {
        line: narrow,
        tenth: narrow,
        below: -at,
        above: at,
        coarse: narrow / 4.0,
        two: at,
        ring: narrow,
        dial: at,
        half: narrow,
        compass: narrow,
        exact: at,
    }
}

pub(crate) fn things() -> Things {
    let item = |rank, count, label: &str| Item { rank, count, label: label.to_owned() };
    Things {
        rank: Rank::Captain,
        only: Solo::One,
        engine: Engine::Cruise { percent: 99, label: "steady".to_owned() },
        note: Some("a note".to_owned()),
        maybe: Some(None),
        spot: Spot { x: 12.5, y: -3 },
        deep: Deep { spot: Spot { x: 0.5, y: 0 }, name: "deep".to_owned() },
        name: "Žofie".to_owned(),
        blob: Blob(vec![0, 255, 128]),
        cargo: vec![item(Rank::Mate, 1, "ore"), item(Rank::Admiral, 400, "")],
        shields: vec![0.25, 0.0, 1.0],
        notes: vec![String::new(), "a note".to_owned()],
        slots: [Some(7), None, Some(0)],
        pairs: [[1, 0], [0, 255]],
        spots: [Spot::default(), Spot { x: 1000.0, y: i16::MIN }],
        target: Id::new(3, 1),
        friend: Some(Id::NONE),
        nothing: Nothing,
        unit: (),
    }
}

pub(crate) fn more_things() -> Things {
    let item = Item { rank: Rank::Admiral, count: u16::MAX, label: "𝄞".repeat(16) };
    Things {
        rank: Rank::Admiral,
        engine: Engine::Warp("12345678".to_owned(), Id::new(65_535, u32::MAX), Some(Blob(vec![7]))),
        note: Some(String::new()),
        maybe: Some(Some(u16::MAX)),
        cargo: vec![item; 4],
        shields: vec![1.0; 4],
        notes: vec!["123456789012".to_owned(); 3],
        slots: [Some(u16::MAX); 3],
        friend: Some(Id::new(1, 2)),
        blob: Blob(vec![0xA5; 16]),
        ..things()
    }
}

/// Bytes that mean something, though no writer gives them: numbers outside of
/// their range go to its edge. Beside them what a writer gives for the value.
fn only_read() -> Vec<Json> {
    let schema = super::world::schema();
    let all = [
        ("input", "an integer above its range", "7f00000000000000".to_owned()),
        ("input", "an integer below its range", "8000000000000000".to_owned()),
        ("input", "grid points after the last", "0000fb0001fb000100000000".to_owned()),
        ("input", "an angle of 2^64 - 1 steps", "0000fdffffffffffffffff0000000000".to_owned()),
        ("input", "-0", "0000000000000080".to_owned()),
        ("input", "a denormal", "0000000001000000".to_owned()),
        ("command", "ranged integers outside of their ranges", hex(&absurd_numbers())),
    ];
    let each = all.iter().map(|(name, about, raw)| {
        let kind = message(&schema, name);
        let raw = json::unhex(raw);
        let value = read(kind, &raw).expect("a value");
        let mut again = Vec::new();
        value.write(kind, &mut Writer::new(&mut again));
        json!({
            "message": name, "name": about, "bytes": hex(&raw),
            "value": json::value(kind, &value), "written": hex(&again),
        })
    });
    each.collect()
}

fn absurd_numbers() -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.u32(1);
    w.bool(false);
    w.raw(&[0; 8]);
    // few, lost, above, below, positive, wide, high
    w.u8(255);
    w.i8(127);
    w.u32(u32::MAX);
    w.i16(i16::MIN);
    w.u32(0);
    w.i64(i64::MIN);
    w.u64(u64::MAX);
    w.f32(0.0);
    w.f64(0.0);
    out
}
