//! What a client of each server has to say and to understand: as little as makes
//! the server believe that it plays.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use tickwire_protocol::message::{ClientMessage, Hello, Inputs, VERSION};
use tickwire_protocol::{Message, Tick};

use super::game::Steer;
use super::server::Peer;

/// The mask of every client frame. Any mask costs a server the same.
const MASK: [u8; 4] = [0x1d, 0x73, 0xa5, 0xc8];
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Inputs that follow each other and are all different: as many as there are turns.
pub(crate) const TURNS: u32 = 17;
/// References of Colyseus' state and map; players come after them.
const COLYSEUS_FIRST_PLAYER: u32 = 2;

/// What a client remembers of the conversation.
#[derive(Clone, Debug)]
pub(crate) struct State {
    number: u32,
    /// Its place in its room: rooms fill up one after the other.
    seat: u32,
    /// The tick of the last frame, and what was said since then (Tickwire).
    tick: u32,
    said: u32,
    lead: Lead,
    /// Inputs so far.
    inputs: u32,
    /// Its heading in the last frame (Colyseus).
    heading: Option<u8>,
}

/// By how many ticks more inputs are early, as a client's (`InputLead` of the protocol) but only as
/// far as it takes for each input to have its own tick: inputs that come late, or two for one tick,
/// make it grow, and some in a row that came early make it shrink.
#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    ticks: u32,
    /// The newest input that was used.
    used: Option<u32>,
    /// The first input that was made with this lead: what is said of those before it is no news.
    since: u32,
    /// Reports in a row of inputs that came earlier than they had to.
    early: u32,
}

impl Lead {
    const TICKS_MAX: u32 = 16;
    /// What is this early is so by a whole tick in a server that finds two inputs in one read.
    const EARLY: i32 = 2;
    const EARLY_REPORTS: u32 = 8;

    /// A frame, so many ticks after the one before, tells which input was used last and how
    /// early the newest came; the next one made is number `next`.
    fn told(&mut self, ticks: u32, used: u32, depth: Option<i32>, next: u32) {
        let before = self.used.replace(used);
        if used < self.since {
            return;
        }
        let late = depth.map_or(0, |depth| depth.min(0).unsigned_abs());
        let folded = before.is_some_and(|before| used.saturating_sub(before) > ticks);
        let more = late.max(u32::from(folded));
        let early = depth.is_none_or(|depth| depth >= Self::EARLY) && more == 0;
        self.early = if early { self.early + 1 } else { 0 };
        if more > 0 {
            self.ticks = (self.ticks + more).min(Self::TICKS_MAX);
            self.since = next;
        } else if self.early >= Self::EARLY_REPORTS {
            self.ticks = self.ticks.saturating_sub(1);
            (self.since, self.early) = (next, 0);
        }
    }
}

/// An input, by what servers show of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Input {
    pub(crate) sequence: u32,
    pub(crate) turn: i8,
}

/// What a frame says of the inputs of its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    Nothing,
    /// All up to this number.
    Sequence(u32),
    /// This turn was made: that of one of the last inputs.
    Turn(i8),
}

/// What a message of the server was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// A frame of the game.
    Frame(Shown),
    /// Something to be answered with a text or a pong.
    Ask(u8, &'static [u8]),
    Nothing,
    /// The server ends the connection.
    End,
}

impl State {
    /// Of the client with a number, in rooms of so many.
    pub(crate) fn new(number: usize, players: usize) -> State {
        let (number, seat) = (number as u32, (number % players) as u32);
        State { number, seat, tick: 0, said: 0, lead: Lead::default(), inputs: 0, heading: None }
    }

    /// The next input. A client turns in an order of its own, over and over, so that
    /// each of its last inputs can be told by its turn.
    fn input(&mut self) -> Input {
        let sequence = self.inputs;
        self.inputs += 1;
        let stride = 1 + self.number % (TURNS - 1);
        let turn = (self.number + sequence * stride) % TURNS;
        Input { sequence, turn: turn as i8 - 8 }
    }

    /// Writes one client frame: an input, which is returned, or with `held` only what
    /// keeps the flow.
    pub(crate) fn speak(&mut self, peer: Peer, held: bool, out: &mut Vec<u8>) -> Option<Input> {
        out.clear();
        let input = (!held).then(|| self.input());
        let turn = input.map_or(0, |input| input.turn);
        match peer {
            Peer::Tickwire => {
                let body = &mut Vec::with_capacity(4);
                let mut inputs = Inputs::ack(Tick(self.tick));
                self.said += 1;
                if let Some(Input { sequence, turn }) = input {
                    Steer { turn }.encode(body);
                    // The next tick: a client says something once a tick.
                    let tick = Tick(self.tick + self.said + self.lead.ticks);
                    inputs.push(sequence, tick, body);
                }
                let mut message = Vec::with_capacity(32);
                ClientMessage::Input(inputs).write(&mut message);
                put_frame(BINARY, &message, out);
            }
            // The size of an input of Tickwire; only the first byte counts.
            Peer::Ceiling | Peer::Shared | Peer::Ws => {
                put_frame(BINARY, &[turn as u8, 0, 0, 0, 0, 0, 0], out);
            }
            Peer::SocketIo => put_frame(TEXT, format!("42[\"i\",{turn}]").as_bytes(), out),
            Peer::Colyseus => put_frame(BINARY, &[13, 0xa1, b'i', turn as u8], out),
        }
        input
    }

    /// Understands one message of the server. What it shows of inputs is only looked
    /// for where somebody is `watched`.
    pub(crate) fn hear(&mut self, peer: Peer, opcode: u8, payload: &[u8], watched: bool) -> Heard {
        match (peer, opcode) {
            (_, CLOSE) => Heard::End,
            (_, PING) => Heard::Ask(PING + 1, b""),
            (Peer::Tickwire, BINARY) => self.hear_frame(payload).unwrap_or(Heard::Nothing),
            (Peer::Ceiling | Peer::Shared, BINARY) => Heard::Frame(Shown::Nothing),
            (Peer::Ws | Peer::SocketIo, BINARY) => {
                let shown = if watched { self.packed_turn(payload) } else { None };
                Heard::Frame(shown.map_or(Shown::Nothing, Shown::Turn))
            }
            (Peer::SocketIo, TEXT) if payload == b"2" => Heard::Ask(TEXT, b"3"),
            (Peer::Colyseus, BINARY) if payload.first() == Some(&15) => {
                let shown = if watched { self.turned(&payload[1..]) } else { None };
                Heard::Frame(shown.map_or(Shown::Nothing, Shown::Turn))
            }
            _ => Heard::Nothing,
        }
    }

    /// Reads the head of a frame of Tickwire: the tick to acknowledge.
    fn hear_frame(&mut self, payload: &[u8]) -> Option<Heard> {
        let [0, flags, rest @ ..] = payload else { return None };
        let (step, rest) = varint(rest)?;
        let (tick, ticks) =
            if flags & 1 != 0 { (step, u32::MAX) } else { (self.tick + step, step) };
        (self.tick, self.said) = (tick, 0);
        if flags & 4 == 0 {
            return Some(Heard::Frame(Shown::Nothing));
        }
        let (used, rest) = varint(rest)?;
        // Zigzag: an early one is even.
        let depth = if flags & 8 != 0 { Some(varint(rest)?.0) } else { None };
        let depth = depth.map(|code| (code >> 1) as i32 ^ -((code & 1) as i32));
        self.lead.told(ticks, used, depth, self.inputs);
        Some(Heard::Frame(Shown::Sequence(used)))
    }

    /// Its turn in a packed snapshot: 4 bytes, then 8 for each player.
    fn packed_turn(&self, payload: &[u8]) -> Option<i8> {
        let at = 4 + 8 * self.seat as usize;
        let player = payload.get(at..at + 8)?;
        let id = u16::from_le_bytes([player[0], player[1]]);
        (u32::from(id) == self.seat).then_some(player[7] as i8)
    }

    /// How far its heading changed in a patch of Colyseus: for each object that
    /// changed 255 and its reference, then each field and its value.
    fn turned(&mut self, mut patch: &[u8]) -> Option<i8> {
        let own = COLYSEUS_FIRST_PLAYER + self.seat;
        let (mut reference, mut moved, mut heading) = (0, false, self.heading);
        while let [field, rest @ ..] = patch {
            patch = match (field, rest) {
                (255, [short @ 0..=127, rest @ ..] | [204, short, rest @ ..]) => {
                    reference = u32::from(*short);
                    rest
                }
                (255, [205, a, b, rest @ ..]) => {
                    reference = u32::from(u16::from_le_bytes([*a, *b]));
                    rest
                }
                (0x80 | 0x81, [_, _, rest @ ..]) => {
                    moved |= reference == own;
                    rest
                }
                (0x82, [now, rest @ ..]) => {
                    heading = if reference == own { Some(*now) } else { heading };
                    rest
                }
                // Somebody comes or goes.
                _ => return None,
            };
        }
        let before = std::mem::replace(&mut self.heading, heading)?;
        moved.then_some(heading?.wrapping_sub(before) as i8)
    }
}

/// A `u32` of the protocol.
fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        [short @ 0..=250, rest @ ..] => Some((u32::from(*short), rest)),
        [251, a, b, rest @ ..] => Some((u32::from(u16::from_le_bytes([*a, *b])), rest)),
        [252, a, b, c, d, rest @ ..] => Some((u32::from_le_bytes([*a, *b, *c, *d]), rest)),
        _ => None,
    }
}

/// A whole masked frame.
pub(crate) fn put_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        long => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// The first frame in `bytes`: opcode, payload, and its length. None if it is not whole.
pub(crate) fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (head, length) = match bytes {
        [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as usize)
        }
        [_, short @ 0..=125, ..] => (2, usize::from(*short)),
        _ => return None,
    };
    let payload = bytes.get(head..head + length)?;
    Some((bytes[0] & 0x0f, payload, head + length))
}

/// Opens a WebSocket and says what comes before the game. What the server has said
/// since then is left in `unread`.
pub(crate) fn greet(
    peer: Peer,
    address: SocketAddr,
    stream: &TcpStream,
    token: &str,
    unread: &mut Vec<u8>,
) -> io::Result<()> {
    let (path, protocol) = match peer {
        Peer::Tickwire => ("/ws".to_owned(), "Sec-WebSocket-Protocol: tickwire.1\r\n"),
        Peer::SocketIo => ("/socket.io/?EIO=4&transport=websocket".to_owned(), ""),
        Peer::Colyseus => (reserve_colyseus(address)?, ""),
        Peer::Ceiling | Peer::Shared | Peer::Ws => ("/".to_owned(), ""),
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
    );
    let mut writer = stream;
    writer.write_all(request.as_bytes())?;
    let head = read_head(stream, unread)?;
    if !head.starts_with("HTTP/1.1 101") {
        return Err(io::Error::other(head));
    }
    let mut out = Vec::new();
    match peer {
        Peer::Ceiling | Peer::Shared | Peer::Ws => {}
        Peer::Tickwire => {
            let hello = Hello { version: VERSION, schema: None, token, applied: None };
            let mut message = Vec::new();
            ClientMessage::Hello(hello).write(&mut message);
            put_frame(BINARY, &message, &mut out);
            writer.write_all(&out)?;
        }
        Peer::SocketIo => {
            read_until(stream, unread, b'0')?;
            put_frame(TEXT, b"40", &mut out);
            writer.write_all(&out)?;
            read_until(stream, unread, b'4')?;
        }
        Peer::Colyseus => {
            read_until(stream, unread, 10)?;
            put_frame(BINARY, &[10], &mut out);
            writer.write_all(&out)?;
        }
    }
    Ok(())
}

/// The path of a seat in a room of Colyseus.
fn reserve_colyseus(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(address)?;
    let request = format!(
        "POST /matchmake/joinOrCreate/race HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    (&stream).write_all(request.as_bytes())?;
    let mut answer = String::new();
    (&stream).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let start = body.find('{').unwrap_or(0);
    let end = body.rfind('}').map_or(body.len(), |end| end + 1);
    let seat: serde_json::Value = serde_json::from_str(&body[start..end])?;
    let field = |name: &str| seat[name].as_str().unwrap_or_default().to_owned();
    Ok(format!("/{}/{}?sessionId={}", field("processId"), field("roomId"), field("sessionId")))
}

/// The head of an HTTP answer; what follows goes to `unread`.
fn read_head(mut stream: &TcpStream, unread: &mut Vec<u8>) -> io::Result<String> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            return String::from_utf8(head).map_err(io::Error::other);
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => unread.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads messages until one that starts with `first`.
fn read_until(mut stream: &TcpStream, unread: &mut Vec<u8>, first: u8) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        while let Some((_, payload, length)) = split_frame(unread) {
            let found = payload.first() == Some(&first);
            unread.drain(..length);
            if found {
                return Ok(());
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => unread.extend_from_slice(&buffer[..count]),
        }
    }
}
