//! The messages of a connection, each one binary WebSocket message.
//!
//! ```text
//! client  := u8 tag, then
//!  0 Hello    4 bytes "TKWR"  u16 version  option u64 schema  str token  option u32 applied
//!  1 Input    u32 applied  count  [u32 sequence of the first]  { i32 lead  bytes }
//!  2 Command  u32 id  bytes
//!  3 Chat     str
//!  4 Ping     u64 stamp
//!  5 Pace     u8 every
//!  6 Refresh
//!  7 Bye
//! server  := u8 tag, then
//!  0 Frame    see `frame`
//!  1 Welcome  u16 version  u32 player  str game  u16 tick_hz  u8 send_every
//!             u32 tick  u32 micros  str token  option u32 baseline
//!             u64 schema  option bytes descriptor
//!  2 Reply    u32 id  u8 outcome: 0 bytes | 1 u16 code str text
//!  3 Chat     u32 player  str name  u32 tick  str text
//!  4 Pong     u64 stamp  u32 tick  u32 micros
//!  5 Bye      u16 code  str text  u32 retry_after_ms
//!  6 Moved    str address  str token
//!  7 Token    str token
//! ```
//!
//! The encoding of each part is [`crate::codec`]'s. Bodies of inputs, commands,
//! replies and events are length-prefixed: who routes them need not know the game.

use std::borrow::Cow;

use crate::close::CloseReason;
use crate::codec::{Error, Reader, Writer};
use crate::frame::{self, Frame};
use crate::limits::{
    ADDRESS_BYTES_MAX, CHAT_BYTES_MAX, CLIENT_MESSAGE_BYTES_MAX, COMMAND_BYTES_MAX,
    DESCRIPTOR_BYTES_MAX, INPUT_BYTES_MAX, INPUTS_PER_BATCH_MAX, NAME_BYTES_MAX,
    PLAYER_NAME_BYTES_MAX, REASON_BYTES_MAX, REPLY_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX,
    TICK_HZ_MAX, TOKEN_BYTES_MAX,
};
use crate::time::Tick;

/// What every Hello starts with.
pub const MAGIC: [u8; 4] = *b"TKWR";
/// The version of the protocol that this crate speaks.
pub const VERSION: u16 = 1;
/// The WebSocket subprotocol that carries it.
pub const SUBPROTOCOL: &str = "tickwire.1";

/// The tag of inputs among client messages.
const INPUT: u8 = 1;
const PING: u8 = 4;

/// From a client to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientMessage<'a> {
    /// The first message of a connection.
    Hello(Hello<'a>),
    /// Controls that changed, and what was applied.
    Input(Inputs<'a>),
    /// A request.
    Command {
        /// Chosen by the client; the reply repeats it.
        id: u32,
        /// The command, as its schema says.
        body: &'a [u8],
    },
    /// A line of chat.
    Chat {
        /// What is said.
        text: &'a str,
    },
    /// Asks for a [`ServerMessage::Pong`].
    Ping {
        /// Comes back as it is.
        stamp: u64,
    },
    /// Asks for a frame every so many of the room's sends.
    Pace {
        /// 1 for all; never 0.
        every: u8,
    },
    /// Asks for the whole state.
    Refresh,
    /// Leaves the room for good.
    Bye,
}

/// The first message of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello<'a> {
    /// The protocol version of the client.
    pub version: u16,
    /// The hash of the client's schema; none asks for a descriptor.
    pub schema: Option<u64>,
    /// A seat token, or a resume token.
    pub token: &'a str,
    /// The last tick that a resuming client applied.
    pub applied: Option<Tick>,
}

/// Inputs with consecutive sequence numbers, and the acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inputs<'a> {
    /// The highest tick that the client has applied.
    pub applied: Tick,
    /// The sequence number of the first input.
    pub first: u32,
    len: usize,
    /// As they are on the wire, and in order: of a message that was read they stay there.
    items: Cow<'a, [u8]>,
}

impl<'a> Inputs<'a> {
    /// An acknowledgement without inputs.
    pub fn ack(applied: Tick) -> Inputs<'a> {
        Inputs { applied, first: 0, len: 0, items: Cow::Borrowed(&[]) }
    }

    /// Adds an input; `false` if the batch is full or the body too long.
    pub fn push(&mut self, sequence: u32, tick: Tick, body: &[u8]) -> bool {
        if self.len == INPUTS_PER_BATCH_MAX || body.len() > INPUT_BYTES_MAX {
            return false;
        }
        if self.len == 0 {
            self.first = sequence;
        }
        debug_assert_eq!(sequence, self.first.wrapping_add(self.len as u32));
        // Between two u32: saturates only where both are absurd.
        let lead = tick.since(self.applied).clamp(i32::MIN.into(), i32::MAX.into());
        let mut w = Writer::new(self.items.to_mut());
        w.i32(lead as i32);
        w.bytes(body);
        self.len += 1;
        true
    }

    /// Sequence number, tick and body of each input.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Tick, &[u8])> {
        let mut items = Reader::new(&self.items);
        (0..self.len).map_while(move |index| {
            // They were read before, or written here.
            let (tick, body) = read_input(&mut items, self.applied).ok()?;
            Some((self.first.wrapping_add(index as u32), tick, body))
        })
    }

    /// How many inputs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it only acknowledges.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// From the server to a client.
#[derive(Clone, Debug)]
pub enum ServerMessage<'a> {
    /// The state of a tick.
    Frame(Frame<'a>),
    /// The answer to Hello.
    Welcome(Welcome<'a>),
    /// The answer to a command.
    Reply {
        /// The command's.
        id: u32,
        /// The reply as its schema says, or why there is none.
        outcome: Result<&'a [u8], Refusal<'a>>,
    },
    /// A line of chat.
    Chat(Chat<'a>),
    /// The answer to Ping.
    Pong {
        /// The ping's.
        stamp: u64,
        /// Where the server's clock was.
        clock: ServerClock,
    },
    /// The last message of a connection.
    Bye {
        /// Why.
        reason: CloseReason,
        /// The same in words: the reason's own, or more specific ones. Of two reasons
        /// with one code it says which.
        text: &'a str,
        /// Not to connect again before this many milliseconds.
        retry_after_ms: u32,
    },
    /// The room is elsewhere now.
    Moved {
        /// The WebSocket address to go to.
        address: &'a str,
        /// The token to say hello with.
        token: &'a str,
    },
    /// A new resume token; the one before is void.
    Token {
        /// The token.
        token: &'a str,
    },
}

/// The answer to Hello.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome<'a> {
    /// The protocol version of the connection.
    pub version: u16,
    /// The number of this client's seat in the room, known to all.
    pub player: u32,
    /// The name of the game.
    pub game: &'a str,
    /// Steps a second, at least 1.
    pub tick_hz: u16,
    /// A frame every so many ticks, at least 1.
    pub send_every: u8,
    /// Where the server's clock was.
    pub clock: ServerClock,
    /// For the next connection to this seat.
    pub token: &'a str,
    /// The tick that the first frame goes on from; none if it is full.
    pub baseline: Option<Tick>,
    /// The hash of the server's schema.
    pub schema: u64,
    /// The schema, if the client asked for it or has another one.
    pub descriptor: Option<&'a [u8]>,
}

/// A point on the server's tick clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerClock {
    /// The tick under way.
    pub tick: Tick,
    /// Microseconds since it began.
    pub micros: u32,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal<'a> {
    /// For programs; the game's own, or below 100 the server's.
    pub code: u16,
    /// For people.
    pub text: &'a str,
}

/// A line of chat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chat<'a> {
    /// The seat number of who said it; `u32::MAX` for the server.
    pub player: u32,
    /// Their name at that time.
    pub name: &'a str,
    /// When.
    pub tick: Tick,
    /// What.
    pub text: &'a str,
}

impl<'a> ClientMessage<'a> {
    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        match self {
            ClientMessage::Hello(hello) => {
                w.u8(0);
                w.raw(&MAGIC);
                w.u16(hello.version);
                write_option(&mut w, hello.schema, Writer::u64);
                w.str(hello.token);
                write_option(&mut w, hello.applied, |w, tick| w.u32(tick.0));
            }
            ClientMessage::Input(inputs) => {
                w.u8(INPUT);
                w.u32(inputs.applied.0);
                w.usize(inputs.len);
                if inputs.len > 0 {
                    w.u32(inputs.first);
                }
                w.raw(&inputs.items);
            }
            ClientMessage::Command { id, body } => {
                w.u8(2);
                w.u32(*id);
                w.bytes(body);
            }
            ClientMessage::Chat { text } => {
                w.u8(3);
                w.str(text);
            }
            ClientMessage::Ping { stamp } => {
                w.u8(4);
                w.u64(*stamp);
            }
            ClientMessage::Pace { every } => w.raw(&[5, *every]),
            ClientMessage::Refresh => w.u8(6),
            ClientMessage::Bye => w.u8(7),
        }
    }

    /// Whether bytes are controls and an acknowledgement, if they are a message at all.
    pub fn is_input(bytes: &[u8]) -> bool {
        bytes.first() == Some(&INPUT)
    }

    /// Whether bytes are a ping, if they are a message at all.
    pub fn is_ping(bytes: &[u8]) -> bool {
        bytes.first() == Some(&PING)
    }

    /// The message that `bytes` are, all of them.
    pub fn read(bytes: &'a [u8]) -> Result<ClientMessage<'a>, Error> {
        if bytes.len() > CLIENT_MESSAGE_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            0 => ClientMessage::Hello(Hello::read(&mut r)?),
            INPUT => ClientMessage::Input(Inputs::read(&mut r)?),
            2 => ClientMessage::Command { id: r.u32()?, body: r.bytes(COMMAND_BYTES_MAX)? },
            3 => ClientMessage::Chat { text: r.str(CHAT_BYTES_MAX)? },
            PING => ClientMessage::Ping { stamp: r.u64()? },
            5 => match r.u8()? {
                0 => return Err(Error::Invalid),
                every => ClientMessage::Pace { every },
            },
            6 => ClientMessage::Refresh,
            7 => ClientMessage::Bye,
            _ => return Err(Error::BadTag),
        };
        r.finish()?;
        Ok(message)
    }
}

impl<'a> Hello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Hello<'a>, Error> {
        if r.raw(MAGIC.len())? != MAGIC {
            return Err(Error::BadTag);
        }
        Ok(Hello {
            version: r.u16()?,
            schema: read_option(r, Reader::u64)?,
            token: r.str(TOKEN_BYTES_MAX)?,
            applied: read_option(r, Reader::u32)?.map(Tick),
        })
    }
}

impl<'a> Inputs<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Inputs<'a>, Error> {
        let applied = Tick(r.u32()?);
        let len = r.count(INPUTS_PER_BATCH_MAX)?;
        let first = if len > 0 { r.u32()? } else { 0 };
        let items = r.rest();
        for _ in 0..len {
            read_input(r, applied)?;
        }
        let items = &items[..items.len() - r.rest().len()];
        Ok(Inputs { applied, first, len, items: Cow::Borrowed(items) })
    }
}

/// The tick and the body of an input that came with an acknowledgement.
fn read_input<'a>(r: &mut Reader<'a>, applied: Tick) -> Result<(Tick, &'a [u8]), Error> {
    let tick = i64::from(applied.0) + i64::from(r.i32()?);
    let tick = u32::try_from(tick).map_err(|_| Error::Invalid)?;
    Ok((Tick(tick), r.bytes(INPUT_BYTES_MAX)?))
}

impl<'a> ServerMessage<'a> {
    /// Appends the message. A frame is written by its parts: see [`crate::frame`].
    ///
    /// # Panics
    /// If it is a frame: there is nothing to write it from.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        match self {
            ServerMessage::Frame(_) => panic!("frames are written by `frame::write_header`"),
            ServerMessage::Welcome(welcome) => {
                w.u8(1);
                welcome.write(&mut w);
            }
            ServerMessage::Reply { id, outcome } => {
                w.u8(2);
                w.u32(*id);
                match outcome {
                    Ok(body) => {
                        w.u8(0);
                        w.bytes(body);
                    }
                    Err(refusal) => {
                        w.u8(1);
                        w.u16(refusal.code);
                        w.str(fitting(refusal.text, REASON_BYTES_MAX));
                    }
                }
            }
            ServerMessage::Chat(chat) => {
                w.u8(3);
                w.u32(chat.player);
                w.str(chat.name);
                w.u32(chat.tick.0);
                w.str(chat.text);
            }
            ServerMessage::Pong { stamp, clock } => {
                w.u8(4);
                w.u64(*stamp);
                clock.write(&mut w);
            }
            ServerMessage::Bye { reason, text, retry_after_ms } => {
                w.u8(5);
                w.u16(reason.code());
                w.str(fitting(text, REASON_BYTES_MAX));
                w.u32(*retry_after_ms);
            }
            ServerMessage::Moved { address, token } => {
                w.u8(6);
                w.str(address);
                w.str(token);
            }
            ServerMessage::Token { token } => {
                w.u8(7);
                w.str(token);
            }
        }
    }

    /// The message that `bytes` are, all of them.
    pub fn read(bytes: &'a [u8]) -> Result<ServerMessage<'a>, Error> {
        if bytes.len() > SERVER_MESSAGE_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            frame::TAG => return Ok(ServerMessage::Frame(Frame::read(r)?)),
            1 => ServerMessage::Welcome(Welcome::read(&mut r)?),
            2 => {
                let id = r.u32()?;
                let outcome = match r.u8()? {
                    0 => Ok(r.bytes(REPLY_BYTES_MAX)?),
                    1 => Err(Refusal { code: r.u16()?, text: r.str(REASON_BYTES_MAX)? }),
                    _ => return Err(Error::BadTag),
                };
                ServerMessage::Reply { id, outcome }
            }
            3 => ServerMessage::Chat(Chat {
                player: r.u32()?,
                name: r.str(PLAYER_NAME_BYTES_MAX)?,
                tick: Tick(r.u32()?),
                text: r.str(CHAT_BYTES_MAX)?,
            }),
            4 => ServerMessage::Pong { stamp: r.u64()?, clock: ServerClock::read(&mut r)? },
            5 => {
                let (code, text) = (r.u16()?, r.str(REASON_BYTES_MAX)?);
                let reason = CloseReason::from_code(code, text);
                ServerMessage::Bye { reason, text, retry_after_ms: r.u32()? }
            }
            6 => ServerMessage::Moved {
                address: r.str(ADDRESS_BYTES_MAX)?,
                token: r.str(TOKEN_BYTES_MAX)?,
            },
            7 => ServerMessage::Token { token: r.str(TOKEN_BYTES_MAX)? },
            _ => return Err(Error::BadTag),
        };
        r.finish()?;
        Ok(message)
    }
}

impl<'a> Welcome<'a> {
    fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.version);
        w.u32(self.player);
        w.str(self.game);
        w.u16(self.tick_hz);
        w.u8(self.send_every);
        self.clock.write(w);
        w.str(self.token);
        write_option(w, self.baseline, |w, tick| w.u32(tick.0));
        w.u64(self.schema);
        write_option(w, self.descriptor, Writer::bytes);
    }

    fn read(r: &mut Reader<'a>) -> Result<Welcome<'a>, Error> {
        let welcome = Welcome {
            version: r.u16()?,
            player: r.u32()?,
            game: r.str(NAME_BYTES_MAX)?,
            tick_hz: r.u16()?,
            send_every: r.u8()?,
            clock: ServerClock::read(r)?,
            token: r.str(TOKEN_BYTES_MAX)?,
            baseline: read_option(r, Reader::u32)?.map(Tick),
            schema: r.u64()?,
            descriptor: read_option(r, |r| r.bytes(DESCRIPTOR_BYTES_MAX))?,
        };
        let rates = 1..=TICK_HZ_MAX;
        if !rates.contains(&welcome.tick_hz.into()) || welcome.send_every == 0 {
            return Err(Error::Invalid);
        }
        Ok(welcome)
    }
}

impl ServerClock {
    fn write(self, w: &mut Writer<'_>) {
        w.u32(self.tick.0);
        w.u32(self.micros);
    }

    fn read(r: &mut Reader<'_>) -> Result<ServerClock, Error> {
        Ok(ServerClock { tick: Tick(r.u32()?), micros: r.u32()? })
    }
}

fn write_option<'w, T>(
    w: &mut Writer<'w>,
    value: Option<T>,
    write: impl FnOnce(&mut Writer<'w>, T),
) {
    w.bool(value.is_some());
    if let Some(value) = value {
        write(w, value);
    }
}

fn read_option<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if r.bool()? { read(r).map(Some) } else { Ok(None) }
}

/// The longest start of a text that fits, cut between characters.
pub(crate) fn fitting(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
