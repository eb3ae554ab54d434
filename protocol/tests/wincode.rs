//! A second opinion on the encoding of messages: wincode's varint configuration
//! gives the same bytes for the same types, so the library behind
//! `tickwire_protocol::codec` can be replaced and the protocol stays.
//!
//! What has a form of its own on the wire stands beside a plain type of that
//! form: a point of a grid is an unsigned integer, a reference is two, a blob is
//! a list of bytes. Floats that are not finite are the one thing that differs,
//! and on purpose: ours are sent as zero.

use proptest::prelude::*;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{
    Chat, ClientMessage, Hello, Inputs, MAGIC, Refusal, ServerClock, ServerMessage, Welcome,
};
use tickwire_protocol::{Blob, Entity, Id, Message, Tick, Value};
use wincode::config::{Configuration, DEFAULT_PREALLOCATION_SIZE_LIMIT};
use wincode::int_encoding::{LittleEndian, VarInt};
use wincode::len::BincodeLen;
use wincode::{SchemaRead, SchemaWrite};

/// Lengths as `u64` and tags as `u32` are what wincode does unless told otherwise.
type Varint =
    Configuration<true, { DEFAULT_PREALLOCATION_SIZE_LIMIT }, BincodeLen, LittleEndian, VarInt>;
const VARINT: Varint = Configuration::default().with_varint_encoding();

fn theirs<T: SchemaWrite<Varint, Src = T>>(value: &T) -> Vec<u8> {
    wincode::config::serialize(value, VARINT).expect("writing to a vector does not fail")
}

fn ours<T: Message>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

/// Both write the same, and each reads what the other wrote.
fn agree<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Message + PartialEq + core::fmt::Debug,
    T: SchemaWrite<Varint, Src = T> + for<'a> SchemaRead<'a, Varint, Dst = T>,
{
    let bytes = ours(value);
    prop_assert_eq!(&bytes, &theirs(value));
    let read: T = wincode::config::deserialize_exact(&bytes, VARINT).expect("theirs reads ours");
    prop_assert_eq!(&read, value);
    let read = T::decode(&bytes).expect("ours reads ours");
    prop_assert_eq!(&read, value);
    Ok(())
}

#[derive(Message, SchemaWrite, SchemaRead, Clone, PartialEq, Debug)]
struct Numbers {
    flag: bool,
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i8,
    f: i16,
    g: i32,
    h: i64,
    i: f32,
    j: f64,
}

#[derive(Message, SchemaWrite, SchemaRead, Clone, PartialEq, Debug)]
enum Order {
    Stop,
    Go(u16),
    Say {
        #[net(max_bytes = 300)]
        text: String,
        note: Option<String>,
    },
    Load(#[net(max_len = 300)] Vec<Item>, Option<Option<i32>>),
    Numbers(Numbers),
    Pairs([Item; 2], [[u16; 2]; 2], ()),
}

#[derive(Value, SchemaWrite, SchemaRead, Clone, PartialEq, Debug)]
struct Item {
    sort: Sort,
    count: u32,
}

#[derive(Value, SchemaWrite, SchemaRead, Clone, Copy, PartialEq, Debug)]
enum Sort {
    Ore,
    Food,
}

/// Numbers around every length of an integer, and any others.
fn edge() -> impl Strategy<Value = u64> {
    let edges = [0, 125, 126, 250, 251, 255, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000];
    let near = (prop::sample::select(edges.to_vec()), 0..3u64);
    prop_oneof![near.prop_map(|(edge, more)| edge + more), any::<u64>()]
}

fn finite32() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0), Just(f32::MAX), Just(f32::MIN_POSITIVE), prop::num::f32::NORMAL]
}

fn finite64() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(f64::MIN), Just(f64::MIN_POSITIVE), prop::num::f64::NORMAL]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let unsigned = (any::<bool>(), any::<u8>(), edge(), edge(), edge());
    let signed = (any::<i8>(), edge(), edge(), edge(), any::<bool>());
    (unsigned, signed, finite32(), finite64()).prop_map(|(unsigned, signed, i, j)| {
        let ((flag, a, b, c, d), (e, f, g, h, down)) = (unsigned, signed);
        let sign = |value: u64| if down { (value as i64).wrapping_neg() } else { value as i64 };
        let (f, g, h) = (sign(f) as i16, sign(g) as i32, sign(h));
        Numbers { flag, a, b: b as u16, c: c as u32, d, e, f, g, h, i, j }
    })
}

fn item() -> impl Strategy<Value = Item> {
    let sort = prop_oneof![Just(Sort::Ore), Just(Sort::Food)];
    (sort, edge()).prop_map(|(sort, count)| Item { sort, count: count as u32 })
}

fn order() -> impl Strategy<Value = Order> {
    let text = prop_oneof!["[a-zé𝄞]{0,9}", Just("x".repeat(251))];
    let maybe = prop::option::of(prop::option::of(any::<i32>()));
    let items = prop_oneof![
        4 => prop::collection::vec(item(), 0..4),
        1 => prop::collection::vec(item(), 250..253),
    ];
    prop_oneof![
        Just(Order::Stop),
        edge().prop_map(|to| Order::Go(to as u16)),
        (text, prop::option::of("[a-z]{0,4}")).prop_map(|(text, note)| Order::Say { text, note }),
        (items, maybe).prop_map(|(items, maybe)| Order::Load(items, maybe)),
        numbers().prop_map(Order::Numbers),
        ([item(), item()], [any::<[u16; 2]>(), any::<[u16; 2]>()])
            .prop_map(|(items, pairs)| Order::Pairs(items, pairs, ())),
    ]
}

/// What has a form of its own.
#[derive(Message, Clone, PartialEq, Debug)]
struct Rich {
    ship: Id<Ship>,
    blob: Blob,
    #[net(min = -100, max = 100, step = 0.5)]
    at: f32,
    #[net(angle, bits = 10)]
    turn: f64,
    #[net(min = -9, max = 900)]
    gear: i16,
}

#[derive(Entity)]
struct Ship {}

/// The same, by its form.
#[derive(SchemaWrite, Debug)]
struct Plain {
    slot: u32,
    generation: u32,
    blob: Vec<u8>,
    at: u64,
    turn: u64,
    gear: i16,
}

proptest! {
    #[test]
    fn numbers_are_written_alike(numbers in numbers()) {
        agree(&numbers)?;
    }

    #[test]
    fn enums_texts_and_lists_are_written_alike(order in order()) {
        agree(&order)?;
    }

    #[test]
    fn what_has_a_form_of_its_own_is_written_in_that_form(
        (slot, generation) in (0u32..65_536, edge()),
        blob in prop::collection::vec(any::<u8>(), 0..64),
        (at, turn) in (0u64..=400, 0u64..1024),
        gear in -9i16..=900,
    ) {
        let ship = Id::new(slot, generation as u32);
        let rich = Rich {
            ship,
            blob: Blob(blob.clone()),
            at: at as f32 / 2.0 - 100.0,
            turn: turn as f64 * (core::f64::consts::TAU / 1024.0),
            gear,
        };
        let (slot, generation) = (ship.slot(), ship.generation());
        let plain = Plain { slot, generation, blob, at, turn, gear };
        prop_assert_eq!(ours(&rich), theirs(&plain));
    }
}

/// The messages around the game's, as plain enums. Tags are below 251, so one
/// byte either way. Inputs and frames have forms that no plain type has.
#[derive(SchemaWrite)]
enum Client {
    Hello([u8; 4], u16, Option<u64>, String, Option<u32>),
    /// An acknowledgement: the number of inputs is 0.
    Input(u32, u64),
    Command(u32, Vec<u8>),
    Chat(String),
    Ping(u64),
    Pace(u8),
    Refresh,
    Bye,
}

#[derive(SchemaWrite)]
enum Server {
    #[expect(dead_code, reason = "frames are of another form, and have the first tag")]
    Frame,
    Welcome((u16, u32, String, u16, u8), (u32, u32), String, Option<u32>, u64, Option<Vec<u8>>),
    Reply(u32, Result<Vec<u8>, (u16, String)>),
    Chat(u32, String, u32, String),
    Pong(u64, u32, u32),
    Bye(u16, String, u32),
    Moved(String, String),
    Token(String),
}

fn client(message: &ClientMessage<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

fn server(message: &ServerMessage<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

proptest! {
    #[test]
    fn client_messages_are_written_alike(
        (a, b, c) in (edge(), edge(), edge()),
        (some, other) in any::<(bool, bool)>(),
        text in "[a-zé𝄞]{0,300}",
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (version, id) = (a as u16, b as u32);
        let schema = some.then_some(c);
        let applied = other.then_some(b as u32);
        let hello = Hello { version, schema, token: &text, applied: applied.map(Tick) };
        let pairs = [
            (
                ClientMessage::Hello(hello),
                Client::Hello(MAGIC, version, schema, text.clone(), applied),
            ),
            (ClientMessage::Input(Inputs::ack(Tick(id))), Client::Input(id, 0)),
            (ClientMessage::Command { id, body: &body }, Client::Command(id, body.clone())),
            (ClientMessage::Chat { text: &text }, Client::Chat(text.clone())),
            (ClientMessage::Ping { stamp: c }, Client::Ping(c)),
            (ClientMessage::Pace { every: a as u8 }, Client::Pace(a as u8)),
            (ClientMessage::Refresh, Client::Refresh),
            (ClientMessage::Bye, Client::Bye),
        ];
        for (ours, plain) in &pairs {
            prop_assert_eq!(client(ours), theirs(plain), "{:?}", ours);
        }
    }

    #[test]
    fn server_messages_are_written_alike(
        (a, b, c) in (edge(), edge(), edge()),
        (some, other) in any::<(bool, bool)>(),
        text in "[a-zé𝄞]{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (small, id, micros) = (a as u16, b as u32, c as u32);
        let clock = ServerClock { tick: Tick(id), micros };
        let reason = CloseReason::Other(small);
        let welcome = Welcome {
            version: small,
            player: id,
            game: &text,
            tick_hz: 30,
            send_every: 1,
            clock,
            token: &text,
            baseline: some.then_some(Tick(micros)),
            schema: c,
            descriptor: other.then_some(&body),
        };
        let baseline = some.then_some(micros);
        let descriptor = other.then(|| body.clone());
        let head = (small, id, text.clone(), 30, 1);
        let refusal = Refusal { code: small, text: &text };
        let chat = Chat { player: id, name: &text, tick: Tick(micros), text: &text };
        let pairs = [
            (
                ServerMessage::Welcome(welcome),
                Server::Welcome(head, (id, micros), text.clone(), baseline, c, descriptor),
            ),
            (
                ServerMessage::Reply { id, outcome: Ok(&body) },
                Server::Reply(id, Ok(body.clone())),
            ),
            (
                ServerMessage::Reply { id, outcome: Err(refusal) },
                Server::Reply(id, Err((small, text.clone()))),
            ),
            (ServerMessage::Chat(chat), Server::Chat(id, text.clone(), micros, text.clone())),
            (ServerMessage::Pong { stamp: c, clock }, Server::Pong(c, id, micros)),
            (
                ServerMessage::Bye { reason, text: reason.text(), retry_after_ms: id },
                Server::Bye(small, reason.text().to_owned(), id),
            ),
            (
                ServerMessage::Moved { address: &text, token: &text },
                Server::Moved(text.clone(), text.clone()),
            ),
            (ServerMessage::Token { token: &text }, Server::Token(text.clone())),
        ];
        for (ours, plain) in &pairs {
            prop_assert_eq!(server(ours), theirs(plain), "{:?}", ours);
        }
    }
}
