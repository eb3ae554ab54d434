//! What is fuzzed, and what must hold whatever the bytes are.
//!
//! The functions know nothing of a fuzzer. `protocol/tests/hostile.rs` has this
//! file as a module, and calls them with the committed corpora, with damaged
//! golden vectors and with random bytes.

use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;
use tickwire_protocol::client::mirror::{Mirror, Typed};
use tickwire_protocol::codec::{Error, Reader, Writer};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::frame::{Frame, Step, write_event, write_header};
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::schema::layout::Layout;
use tickwire_protocol::schema::{Kind, Schema};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Entity, Id, Message, Table, Tick, World};

#[path = "../../tests/golden/world.rs"]
#[allow(dead_code, reason = "the golden vectors use more of it")]
pub(crate) mod world;

use world::{Command, Steer};

/// What a client may send to a server: every message, and the bodies of inputs
/// and commands as a game decodes them.
///
/// # Panics
/// If something does not hold that must.
pub fn client_message(bytes: &[u8]) {
    body::<Steer>(bytes);
    body::<Command>(bytes);
    let Ok(message) = ClientMessage::read(bytes) else { return };
    let mut again = Vec::new();
    message.write(&mut again);
    assert_eq!(again, bytes, "a message has one encoding");
    match &message {
        ClientMessage::Input(inputs) => inputs.iter().for_each(|input| body::<Steer>(input.2)),
        ClientMessage::Command { body, .. } => self::body::<Command>(body),
        _ => {}
    }
}

/// A compiled message, and the same by its schema.
fn body<T: Message + PartialEq + core::fmt::Debug>(bytes: &[u8]) {
    let (compiled, dynamic) = (T::decode(bytes), value(&T::schema(), bytes));
    assert_eq!(compiled.as_ref().err(), dynamic.as_ref().err());
    let (Ok(compiled), Ok(dynamic)) = (compiled, dynamic) else { return };
    let (mut again, mut dynamic_again) = (Vec::new(), Vec::new());
    compiled.encode(&mut again);
    dynamic.write(&T::schema(), &mut Writer::new(&mut dynamic_again));
    assert_eq!(again, dynamic_again);
    assert_eq!(T::decode(&again), Ok(compiled), "what was read is in its range");
}

fn value(kind: &Kind, bytes: &[u8]) -> Result<Value, Error> {
    let mut r = Reader::new(bytes);
    let value = Value::read(kind, &mut r)?;
    r.finish()?;
    Ok(value)
}

/// What a server may send to a client that has some state: messages, each after
/// its length in two bytes, the low one first.
///
/// # Panics
/// If something does not hold that must.
pub fn server_frame(mut bytes: &[u8]) {
    let mut client = Client::new();
    while let [low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (message, rest) = rest.split_at(length);
        if !client.receive(message) {
            return;
        }
        bytes = rest;
    }
    client.look();
}

/// A mirror with some rows, and a world that follows it.
pub(crate) struct Client {
    pub(crate) mirror: Mirror,
    typed: Typed<Older>,
}

impl Client {
    pub(crate) fn new() -> Client {
        let live = &*LIVE;
        let mut client = Client {
            mirror: Mirror::new(live.schema.clone()),
            typed: Typed::new(&live.schema, &live.older).expect("they are compatible"),
        };
        for message in &live.opening {
            assert!(client.receive(message));
        }
        client
    }

    /// Takes a message; `false` if it cannot go on after it.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> bool {
        let Ok(message) = ServerMessage::read(bytes) else { return false };
        let ServerMessage::Frame(frame) = message else {
            let mut again = Vec::new();
            message.write(&mut again);
            assert!(ServerMessage::read(&again).is_ok(), "what is written is read");
            return true;
        };
        check_parts(&frame, bytes);
        let before = self.mirror.tick();
        let applied = self.mirror.apply(&frame).is_ok();
        if !applied {
            self.look();
            assert!(self.mirror.apply(&frame).is_err(), "it stays broken");
            return false;
        }
        self.mirror.check();
        let tick = match frame.header.step {
            Step::Full(tick) => tick,
            Step::Advance(ticks) => before.expect("it had one").after(ticks),
        };
        assert_eq!(self.mirror.tick(), Some(tick));
        assert!(frame.events(tick).all(|event| event.tick <= tick));
        self.typed.follow(&self.mirror);
        true
    }

    /// Reads what there is, as far as it makes sense.
    fn look(&self) {
        let heap = self.mirror.heap();
        for (table, kind) in LIVE.rows.iter().enumerate() {
            for row in self.mirror.rows(table).take(16) {
                let _ = Value::from_cells(kind, row.cells(), heap);
            }
        }
        for change in self.mirror.changes().rows.iter().take(16) {
            let row = self.mirror.changed_row(change);
            let _ = Value::from_cells(&LIVE.rows[change.table], row.cells(), heap);
        }
        let _ = self.mirror.hash();
    }
}

/// A frame that is written from its parts is the same again.
fn check_parts(frame: &Frame<'_>, bytes: &[u8]) {
    let sections: Vec<_> = frame.sections().collect();
    // Events of a frame that stands alone, as if they were of the last 2^16 ticks.
    let events: Vec<_> = frame.events(Tick(u32::MAX)).collect();
    let heads = sections.iter().map(|part| (part.scope, part.form, part.chunk.len()));
    let mut again = Vec::new();
    write_header(&frame.header, heads, events.len(), &mut again);
    sections.iter().for_each(|section| again.extend_from_slice(section.chunk));
    events.iter().for_each(|event| write_event(event, &mut again));
    assert_eq!(again, bytes, "a frame has one encoding");
}

/// What a server may say of its schema.
///
/// # Panics
/// If something does not hold that must.
pub fn descriptor(bytes: &[u8]) {
    let Ok(schema) = Schema::from_descriptor(bytes) else { return };
    let mut again = Vec::new();
    schema.write_descriptor(&mut again);
    let read = Schema::from_descriptor(&again).expect("what is written is read");
    assert_eq!(read, schema);
    assert_eq!(read.hash(), schema.hash());
    assert!(!schema.to_string().is_empty());
    let layout = Layout::new(&schema);
    assert_eq!(layout.tables.len(), schema.tables.len());
    let mirror = Mirror::new(Arc::new(schema));
    assert_eq!(mirror.hash(), 0);
}

/// The schema of the golden vectors, and the frames that the malformed ones
/// among them start from.
struct Live {
    schema: Arc<Schema>,
    /// What the client was built with.
    older: Schema,
    /// For each table, what a row of it is.
    rows: Vec<Kind>,
    opening: Vec<Vec<u8>>,
}

static LIVE: LazyLock<Live> = LazyLock::new(|| {
    let parse = |text| serde_json::from_str::<Json>(text).expect("the file is JSON");
    let schemas = parse(include_str!("../../fixtures/schemas.json"));
    let malformed = parse(include_str!("../../fixtures/malformed.json"));
    let descriptor = unhex(&schemas["space"]["descriptor"]);
    let older = Schema::new(Older::schema(), none(), none(), none(), none());
    let schema = Schema::from_descriptor(&descriptor).expect("a descriptor");
    Live {
        older: older.expect("within the limits"),
        rows: schema.tables.iter().map(|table| Kind::Struct(table.fields.clone())).collect(),
        schema: Arc::new(schema),
        opening: malformed["opening"].as_array().expect("a list").iter().map(unhex).collect(),
    }
});

fn unhex(digits: &Json) -> Vec<u8> {
    let digits = digits.as_str().expect("hex digits");
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}

fn none() -> Kind {
    Kind::default()
}

/// An older version of the world: rows are converted on their way.
#[derive(World)]
pub(crate) struct Older {
    ships: Table<Ship>,
    things: Table<Thing>,
}

#[derive(Entity)]
struct Ship {
    #[net(min = 0, max = 100, step = 1)]
    x: f64,
    #[net(max = 50)]
    hp: u16,
    #[net(max_bytes = 3)]
    name: String,
    absent: i64,
}

#[derive(Entity)]
struct Thing {
    all: Things,
}

#[derive(tickwire_protocol::Value)]
struct Things {
    note: Option<String>,
    engine: Engine,
    #[net(max_len = 1)]
    cargo: Vec<Item>,
    target: Id<Ship>,
    #[net(max_len = 9, min = -1, max = 0.5, step = 0.25)]
    shields: Vec<f64>,
}

#[derive(tickwire_protocol::Value)]
enum Engine {
    Warp(#[net(max_bytes = 2)] String),
    Cruise { label: String },
    Off,
}

#[derive(tickwire_protocol::Value)]
struct Item {
    label: String,
    count: u8,
}

/// A token's text.
///
/// # Panics
/// If something does not hold that must.
pub fn token(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok((token, signature)) = Token::from_text(text) else { return };
    assert_eq!(token.to_text(&signature), text, "a token has one text");
}
