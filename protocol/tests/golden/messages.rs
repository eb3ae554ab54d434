//! `client_messages.json` and `server_messages.json`: every message, as small
//! and as large as it gets. Frames have a file of their own for what they do;
//! here is how their parts lie in the bytes.

use serde_json::{Value as Json, json};
use tickwire_protocol::Tick;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::codec::Error;
use tickwire_protocol::frame::{Event, Form, Frame, Header, Step, write_event, write_header};
use tickwire_protocol::message::{
    Chat, ClientMessage, Hello, Inputs, MAGIC, Refusal, ServerClock, ServerMessage, VERSION,
    Welcome,
};
use tickwire_protocol::table::Scope;

use super::File;
use super::json::{bytes, hex, list};

pub(crate) const CLIENT: File =
    File { name: "client_messages.json", produce: client, verify: verify_client };
pub(crate) const SERVER: File =
    File { name: "server_messages.json", produce: server, verify: verify_server };

fn client() -> Json {
    let each = client_messages();
    let each = each.iter().map(|(name, message)| {
        let mut out = Vec::new();
        message.write(&mut out);
        json!({ "name": name, "message": client_meaning(message), "bytes": hex(&out) })
    });
    json!({ "magic": hex(&MAGIC), "version": VERSION, "messages": each.collect::<Vec<_>>() })
}

fn verify_client(file: &Json) {
    for vector in list(file, "messages") {
        let raw = bytes(vector, "bytes");
        let message = ClientMessage::read(&raw).expect("a message");
        assert_eq!(client_meaning(&message), vector["message"], "{}", vector["name"]);
        let mut again = Vec::new();
        message.write(&mut again);
        assert_eq!(hex(&again), hex(&raw), "{}", vector["name"]);
        for len in 0..raw.len() {
            let cut = ClientMessage::read(&raw[..len]);
            assert_eq!(cut, Err(Error::Truncated), "{} cut to {len}", vector["name"]);
        }
    }
}

/// Texts and bodies as long as they may be.
static LONGEST: [u8; 8192] = [b'x'; 8192];

fn text(len: usize) -> &'static str {
    core::str::from_utf8(&LONGEST[..len]).expect("plain letters")
}

fn client_messages() -> Vec<(&'static str, ClientMessage<'static>)> {
    let hello = Hello { version: VERSION, schema: None, token: "", applied: None };
    let mut few = Inputs::ack(Tick(1000));
    for (index, tick) in [1001, 1000, 990, 0, 1126].into_iter().enumerate() {
        assert!(few.push(41 + index as u32, Tick(tick), &LONGEST[..index]));
    }
    let mut most = Inputs::ack(Tick(0));
    for index in 0..16u32 {
        let tick = Tick(i32::MAX as u32 - index);
        assert!(most.push(u32::MAX.wrapping_add(index), tick, &LONGEST[..256]));
    }
    let mut back = Inputs::ack(Tick(u32::MAX));
    assert!(back.push(u32::MAX, Tick(i32::MAX as u32), &[]));
    vec![
        ("the shortest hello", ClientMessage::Hello(hello)),
        (
            "a hello that resumes",
            ClientMessage::Hello(Hello {
                schema: Some(0x0123_4567_89AB_CDEF),
                token: "Žofie's token",
                applied: Some(Tick(70_000)),
                ..hello
            }),
        ),
        (
            "the longest hello",
            ClientMessage::Hello(Hello {
                version: u16::MAX,
                schema: Some(u64::MAX),
                token: text(1024),
                applied: Some(Tick(u32::MAX)),
            }),
        ),
        ("a bare acknowledgement", ClientMessage::Input(Inputs::ack(Tick(251)))),
        ("inputs ahead, on time and late", ClientMessage::Input(few)),
        ("as many inputs as there may be, and numbers that wrap", ClientMessage::Input(most)),
        ("an input as late as it can be", ClientMessage::Input(back)),
        ("the shortest command", ClientMessage::Command { id: 0, body: &[] }),
        ("the longest command", ClientMessage::Command { id: u32::MAX, body: &LONGEST }),
        ("empty chat", ClientMessage::Chat { text: "" }),
        ("chat", ClientMessage::Chat { text: "good game, Žofie 𝄞" }),
        ("the longest chat", ClientMessage::Chat { text: text(512) }),
        ("a ping", ClientMessage::Ping { stamp: 0 }),
        ("a ping with the largest stamp", ClientMessage::Ping { stamp: u64::MAX }),
        ("every frame", ClientMessage::Pace { every: 1 }),
        ("every 255th frame", ClientMessage::Pace { every: 255 }),
        ("a refresh", ClientMessage::Refresh),
        ("bye", ClientMessage::Bye),
    ]
}

/// Every field of a message.
fn client_meaning(message: &ClientMessage<'_>) -> Json {
    match message {
        ClientMessage::Hello(hello) => json!({ "hello": {
            "version": hello.version,
            "schema": hello.schema.map(|hash| format!("{hash:016x}")),
            "token": hello.token,
            "applied": hello.applied.map(|tick| tick.0),
        } }),
        ClientMessage::Input(inputs) => {
            let each = inputs.iter().map(|(sequence, tick, body)| {
                json!({ "sequence": sequence, "tick": tick.0, "body": hex(body) })
            });
            json!({ "input": {
                "applied": inputs.applied.0, "inputs": each.collect::<Vec<_>>(),
            } })
        }
        ClientMessage::Command { id, body } => {
            json!({ "command": { "id": id, "body": hex(body) } })
        }
        ClientMessage::Chat { text } => json!({ "chat": { "text": text } }),
        ClientMessage::Ping { stamp } => json!({ "ping": { "stamp": stamp.to_string() } }),
        ClientMessage::Pace { every } => json!({ "pace": { "every": every } }),
        ClientMessage::Refresh => json!({ "refresh": {} }),
        ClientMessage::Bye => json!({ "bye": {} }),
    }
}

fn server() -> Json {
    let each = server_messages();
    let mut messages: Vec<Json> = each
        .iter()
        .map(|(name, message)| {
            let mut out = Vec::new();
            message.write(&mut out);
            json!({ "name": name, "message": server_meaning(message), "bytes": hex(&out) })
        })
        .collect();
    messages.extend(frames().iter().map(|(name, raw)| {
        let message = ServerMessage::read(raw).expect("a frame");
        json!({ "name": name, "message": server_meaning(&message), "bytes": hex(raw) })
    }));
    json!({ "messages": messages })
}

fn verify_server(file: &Json) {
    for vector in list(file, "messages") {
        let raw = bytes(vector, "bytes");
        let message = ServerMessage::read(&raw).expect("a message");
        assert_eq!(server_meaning(&message), vector["message"], "{}", vector["name"]);
        let mut again = Vec::new();
        match &message {
            ServerMessage::Frame(frame) => rewrite(frame, &mut again),
            message => message.write(&mut again),
        }
        assert_eq!(hex(&again), hex(&raw), "{}", vector["name"]);
        for len in 0..raw.len() {
            let cut = ServerMessage::read(&raw[..len]).map(|message| server_meaning(&message));
            assert_eq!(cut, Err(Error::Truncated), "{} cut to {len}", vector["name"]);
        }
    }
}

fn server_messages() -> Vec<(&'static str, ServerMessage<'static>)> {
    let clock = ServerClock::default();
    let latest = ServerClock { tick: Tick(u32::MAX), micros: u32::MAX };
    let welcome = Welcome {
        version: VERSION,
        player: 0,
        game: "",
        tick_hz: 1,
        send_every: 1,
        clock,
        token: "",
        baseline: None,
        schema: 0,
        descriptor: None,
    };
    let refusal = |code, text| ServerMessage::Reply { id: 7, outcome: Err(Refusal { code, text }) };
    let chat = Chat { player: 0, name: "", tick: Tick(0), text: "" };
    let mut messages = vec![
        ("the shortest welcome", ServerMessage::Welcome(welcome)),
        (
            "a welcome to one who knows the game",
            ServerMessage::Welcome(Welcome {
                player: 3,
                game: "space",
                tick_hz: 30,
                clock: ServerClock { tick: Tick(12_345), micros: 33_332 },
                token: "resume-me",
                baseline: Some(Tick(12_300)),
                schema: 0x0123_4567_89AB_CDEF,
                ..welcome
            }),
        ),
        (
            "a large welcome, with a descriptor",
            ServerMessage::Welcome(Welcome {
                version: u16::MAX,
                player: u32::MAX,
                game: text(64),
                tick_hz: 240,
                send_every: 255,
                clock: latest,
                token: text(1024),
                baseline: Some(Tick(u32::MAX)),
                schema: u64::MAX,
                // Of a schema without tables, and with empty messages.
                descriptor: Some(&[0, 9, 0, 9, 0, 9, 0, 9, 0]),
            }),
        ),
        ("the shortest reply", ServerMessage::Reply { id: 0, outcome: Ok(&[]) }),
        ("the longest reply", ServerMessage::Reply { id: u32::MAX, outcome: Ok(&LONGEST) }),
        ("a refusal without words", refusal(0, "")),
        ("a refusal", refusal(300, "zu spät")),
        ("the longest refusal", refusal(u16::MAX, text(120))),
        ("empty chat", ServerMessage::Chat(chat)),
        (
            "the longest chat",
            ServerMessage::Chat(Chat {
                player: u32::MAX,
                name: text(64),
                tick: Tick(u32::MAX),
                text: text(512),
            }),
        ),
        ("a pong", ServerMessage::Pong { stamp: 0, clock }),
        ("a pong with the largest numbers", ServerMessage::Pong { stamp: u64::MAX, clock: latest }),
        ("the room is at the same address", ServerMessage::Moved { address: "", token: "" }),
        ("the longest move", ServerMessage::Moved { address: text(512), token: text(1024) }),
        ("an empty token", ServerMessage::Token { token: "" }),
        ("the longest token", ServerMessage::Token { token: text(1024) }),
    ];
    messages.extend(reasons().into_iter().map(|(reason, retry_after_ms)| {
        ("bye", ServerMessage::Bye { reason, text: reason.text(), retry_after_ms })
    }));
    messages
}

/// Every reason to close.
fn reasons() -> Vec<(CloseReason, u32)> {
    let codes =
        [1000, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4404, 4409];
    let mut reasons: Vec<CloseReason> =
        codes.iter().map(|&code| CloseReason::from_code(code, "")).collect();
    reasons.extend([CloseReason::Replaced, CloseReason::TooSlow, CloseReason::WrongNode]);
    reasons.extend([CloseReason::Other(0), CloseReason::Other(4777), CloseReason::Other(u16::MAX)]);
    let waits = [0, 250, 251, 65_536, u32::MAX];
    reasons.into_iter().zip(waits.into_iter().cycle()).collect()
}

/// Frames, as bytes: what is in their chunks does not matter here.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let none = Header {
        step: Step::Advance(1),
        predicted: false,
        processed: None,
        depth: None,
        hash: None,
    };
    let all = Header {
        step: Step::Advance(u32::MAX),
        predicted: true,
        processed: Some(u32::MAX),
        depth: Some(i32::MIN),
        hash: Some(0xDEAD_BEEF),
    };
    let full = Header { step: Step::Full(Tick(70_000)), ..none };
    let whole = |scope| (Scope(scope), Form::Whole, &[0][..]);
    let sections = [
        (Scope(0), Form::Change, &[1, 2, 3][..]),
        (Scope(1), Form::Leave, &[]),
        whole(62),
        (Scope(63), Form::Change, &LONGEST[..251]),
        (Scope((1 << 30) - 1), Form::Leave, &[]),
    ];
    let event = |tick, reliable, body| Event { tick: Tick(tick), reliable, body };
    let events = [
        event(70_000, false, &[0][..]),
        event(69_999, true, &[]),
        event(70_000 - 65_535, true, &LONGEST[..300]),
    ];
    vec![
        ("a frame in which nothing happened", frame(&none, &[], &[])),
        ("a full frame of nothing", frame(&full, &[whole(0)], &[])),
        ("a frame with all numbers", frame(&all, &[], &[])),
        ("a frame of many scopes", frame(&Header { depth: Some(3), ..none }, &sections, &[])),
        ("a frame with events of old ticks", frame(&full, &[whole(0)], &events)),
    ]
}

pub(crate) fn frame(
    header: &Header,
    sections: &[(Scope, Form, &[u8])],
    events: &[Event<'_>],
) -> Vec<u8> {
    let mut out = Vec::new();
    let heads = sections.iter().map(|&(scope, form, chunk)| (scope, form, chunk.len()));
    write_header(header, heads, events.len(), &mut out);
    sections.iter().for_each(|section| out.extend_from_slice(section.2));
    events.iter().for_each(|event| write_event(event, &mut out));
    out
}

/// Writes a frame from what was read of it.
fn rewrite(frame: &Frame<'_>, out: &mut Vec<u8>) {
    let sections: Vec<_> =
        frame.sections().map(|section| (section.scope, section.form, section.chunk)).collect();
    let events: Vec<Event<'_>> = frame.events(tick(&frame.header)).collect();
    *out = self::frame(&frame.header, &sections, &events);
}

/// The tick of a frame that stands alone: as if the one before was of tick 0.
fn tick(header: &Header) -> Tick {
    match header.step {
        Step::Full(tick) => tick,
        Step::Advance(ticks) => Tick(ticks),
    }
}

/// Every field of a message.
fn server_meaning(message: &ServerMessage<'_>) -> Json {
    let clock = |clock: &ServerClock| json!({ "tick": clock.tick.0, "micros": clock.micros });
    match message {
        ServerMessage::Frame(frame) => json!({ "frame": {
            "header": header(&frame.header),
            "sections": frame.sections().map(|section| json!({
                "scope": section.scope.0, "form": form(section.form), "chunk": hex(section.chunk),
            })).collect::<Vec<_>>(),
            "events": frame.events(tick(&frame.header)).map(|it| event(&it)).collect::<Vec<_>>(),
        } }),
        ServerMessage::Welcome(welcome) => json!({ "welcome": {
            "version": welcome.version,
            "player": welcome.player,
            "game": welcome.game,
            "tick_hz": welcome.tick_hz,
            "send_every": welcome.send_every,
            "clock": clock(&welcome.clock),
            "token": welcome.token,
            "baseline": welcome.baseline.map(|tick| tick.0),
            "schema": format!("{:016x}", welcome.schema),
            "descriptor": welcome.descriptor.map(hex),
        } }),
        ServerMessage::Reply { id, outcome: Ok(body) } => {
            json!({ "reply": { "id": id, "body": hex(body) } })
        }
        ServerMessage::Reply { id, outcome: Err(refusal) } => json!({ "reply": {
            "id": id, "refusal": { "code": refusal.code, "text": refusal.text },
        } }),
        ServerMessage::Chat(chat) => json!({ "chat": {
            "player": chat.player, "name": chat.name, "tick": chat.tick.0, "text": chat.text,
        } }),
        ServerMessage::Pong { stamp, clock: at } => {
            json!({ "pong": { "stamp": stamp.to_string(), "clock": clock(at) } })
        }
        ServerMessage::Bye { reason, text, retry_after_ms } => json!({ "bye": {
            "code": reason.code(), "text": text, "retry_after_ms": retry_after_ms,
            "advice": format!("{:?}", reason.advice()).to_lowercase(),
        } }),
        ServerMessage::Moved { address, token } => {
            json!({ "moved": { "address": address, "token": token } })
        }
        ServerMessage::Token { token } => json!({ "token": { "token": token } }),
    }
}

pub(crate) fn header(header: &Header) -> Json {
    let (name, ticks) = match header.step {
        Step::Full(tick) => ("full", tick.0),
        Step::Advance(ticks) => ("advance", ticks),
    };
    json!({
        "step": { name: ticks }, "predicted": header.predicted, "processed": header.processed,
        "depth": header.depth, "hash": header.hash,
    })
}

pub(crate) fn form(form: Form) -> &'static str {
    match form {
        Form::Change => "change",
        Form::Whole => "whole",
        Form::Leave => "leave",
    }
}

pub(crate) fn event(event: &Event<'_>) -> Json {
    let class = if event.reliable { "reliable" } else { "transient" };
    json!({ "class": class, "tick": event.tick.0, "body": hex(event.body) })
}
