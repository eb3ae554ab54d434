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

/// What a client remembers of the conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The tick of the last frame (Tickwire).
    tick: u32,
    /// The number of the next input (Tickwire).
    pub(crate) sequence: u32,
    random: u32,
}

/// What a message of the server was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// A frame of the game; the last input that it shows, if it says so.
    Frame(Option<u32>),
    /// Something to be answered with a text or a pong.
    Ask(u8, &'static [u8]),
    Nothing,
    /// The server ends the connection.
    End,
}

impl State {
    pub(crate) fn new(number: usize) -> State {
        State { random: number as u32 * 2 + 1, ..State::default() }
    }

    /// A turn that differs from the last one most of the time.
    fn turn(&mut self) -> i8 {
        self.random = self.random.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        ((self.random >> 16) % 17) as i8 - 8
    }

    /// Writes one client frame: an input, or with `held` only what keeps the flow.
    pub(crate) fn speak(&mut self, peer: Peer, held: bool, out: &mut Vec<u8>) {
        out.clear();
        let turn = self.turn();
        match peer {
            Peer::Tickwire => {
                let body = &mut Vec::with_capacity(4);
                let mut inputs = Inputs::ack(Tick(self.tick));
                if !held {
                    Steer { turn }.encode(body);
                    inputs.push(self.sequence, Tick(self.tick + 2), body);
                    self.sequence += 1;
                }
                let mut message = Vec::with_capacity(32);
                ClientMessage::Input(inputs).write(&mut message);
                put_frame(BINARY, &message, out);
            }
            // The size of an input of Tickwire; only the first byte counts.
            Peer::Ceiling | Peer::Ws => put_frame(BINARY, &[turn as u8, 0, 0, 0, 0, 0, 0], out),
            Peer::SocketIo => put_frame(TEXT, format!("42[\"i\",{turn}]").as_bytes(), out),
            Peer::Colyseus => put_frame(BINARY, &[13, 0xa1, b'i', turn as u8], out),
        }
    }

    /// Understands one message of the server.
    pub(crate) fn hear(&mut self, peer: Peer, opcode: u8, payload: &[u8]) -> Heard {
        match (peer, opcode) {
            (_, CLOSE) => Heard::End,
            (_, PING) => Heard::Ask(PING + 1, b""),
            (Peer::Tickwire, BINARY) => self.hear_frame(payload).unwrap_or(Heard::Nothing),
            (Peer::Ceiling | Peer::Ws | Peer::SocketIo, BINARY) => Heard::Frame(None),
            (Peer::SocketIo, TEXT) if payload == b"2" => Heard::Ask(TEXT, b"3"),
            (Peer::Colyseus, BINARY) if payload.first() == Some(&15) => Heard::Frame(None),
            _ => Heard::Nothing,
        }
    }

    /// Reads the head of a frame of Tickwire: the tick to acknowledge.
    fn hear_frame(&mut self, payload: &[u8]) -> Option<Heard> {
        let [0, flags, rest @ ..] = payload else { return None };
        let (step, rest) = varint(rest)?;
        self.tick = if flags & 1 != 0 { step } else { self.tick + step };
        let processed = if flags & 4 != 0 { Some(varint(rest)?.0) } else { None };
        Some(Heard::Frame(processed))
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
        Peer::Ceiling | Peer::Ws => ("/".to_owned(), ""),
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
        Peer::Ceiling | Peer::Ws => {}
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
