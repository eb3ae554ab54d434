//! A room, and peers that speak to it in memory.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tickwire::game::schema_of;
use tickwire::room::{AnyRoom, Joined, Link, Room, RoomConfig, RoomId, RoomState, SeatId, Sent};
use tickwire_protocol::client::Mirror;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::codec::Reader;
use tickwire_protocol::frame::{Frame, Header};
use tickwire_protocol::message::{ClientMessage, Hello, Inputs as Batch, ServerMessage, VERSION};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Message, Tick, Time};

use crate::dots::{Dots, Noise, Push, Wish};

/// What a link has taken, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) closed: Option<CloseReason>,
    /// What was said with that.
    pub(crate) last_words: String,
    /// Whether it says after each message that a rest waits.
    pub(crate) clogged: bool,
    pub(crate) gone: bool,
    /// Whether messages are counted only.
    pub(crate) deaf: bool,
    pub(crate) count: u64,
    pub(crate) waits: bool,
}

impl Taken {
    /// Takes everything again.
    pub(crate) fn unclog(&mut self) {
        (self.clogged, self.waits) = (false, false);
    }
}

/// A room's end of a link.
pub(crate) struct End(pub(crate) Rc<RefCell<Taken>>);

impl Link for End {
    fn send(&mut self, own: &[u8], shared: &[Bytes]) -> Sent {
        let mut taken = self.0.borrow_mut();
        assert!(!taken.waits, "one message at a time");
        assert!(taken.closed.is_none(), "nothing after the close");
        if taken.gone {
            return Sent::Gone;
        }
        taken.count += 1;
        if !taken.deaf {
            let mut message = own.to_vec();
            shared.iter().for_each(|part| message.extend_from_slice(part));
            taken.messages.push(message);
        }
        taken.waits = taken.clogged;
        if taken.waits { Sent::Waits } else { Sent::All }
    }

    fn close(&mut self, reason: CloseReason, text: &str) {
        let mut taken = self.0.borrow_mut();
        assert!(taken.closed.replace(reason).is_none(), "closed once");
        text.clone_into(&mut taken.last_words);
    }
}

/// A client's end of a connection.
pub(crate) struct Peer {
    pub(crate) link: Rc<RefCell<Taken>>,
    pub(crate) joined: Joined,
    pub(crate) mirror: Mirror,
    /// The token of the Welcome.
    pub(crate) token: Option<Token>,
    pub(crate) baseline: Option<Tick>,
    pub(crate) player: u32,
    /// All that came, frame by frame or message by message.
    pub(crate) headers: Vec<Header>,
    pub(crate) noises: Vec<u32>,
    pub(crate) words: Vec<String>,
    ack: Vec<u8>,
}

impl Peer {
    /// Reads what has come.
    pub(crate) fn read(&mut self) {
        let messages = std::mem::take(&mut self.link.borrow_mut().messages);
        for message in messages {
            self.take(&message);
        }
    }

    fn take(&mut self, message: &[u8]) {
        let word = match ServerMessage::read(message).expect("keeps to the protocol") {
            ServerMessage::Frame(frame) => {
                self.frame(&frame);
                "frame".to_owned()
            }
            ServerMessage::Welcome(welcome) => {
                self.token = Some(Token::from_text(welcome.token).expect("a token").0);
                self.baseline = welcome.baseline;
                self.player = welcome.player;
                if welcome.baseline.is_some() {
                    self.mirror.resume();
                }
                format!("welcome {}", if welcome.descriptor.is_some() { "described" } else { "" })
            }
            ServerMessage::Reply { id, outcome: Ok(body) } => format!("reply {id} {body:?}"),
            ServerMessage::Reply { id, outcome: Err(refusal) } => {
                format!("refused {id} {}", refusal.code)
            }
            ServerMessage::Chat(chat) => format!("chat {}: {}", chat.name, chat.text),
            ServerMessage::Pong { stamp, clock } => {
                format!("pong {stamp} {} {}", clock.tick, clock.micros)
            }
            ServerMessage::Bye { reason, retry_after_ms, .. } => {
                format!("bye {reason:?} {retry_after_ms}")
            }
            other => format!("{other:?}"),
        };
        self.words.push(word.trim().to_owned());
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.mirror.apply(frame).expect("fits");
        assert_ne!(self.mirror.changes().hash_agrees, Some(false));
        let tick = self.tick();
        let noises =
            frame.events(tick).map(|event| Noise::decode(event.body).expect("noise").number);
        self.noises.extend(noises);
        self.headers.push(frame.header);
    }

    /// The tick of the last frame.
    pub(crate) fn tick(&self) -> Tick {
        self.mirror.tick().expect("a frame has come")
    }

    /// What has been said since the last time.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        self.read();
        std::mem::take(&mut self.words)
    }

    /// Only the control messages of it.
    pub(crate) fn control(&mut self) -> Vec<String> {
        let mut words = self.heard();
        words.retain(|word| word != "frame");
        words
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.link.borrow().closed
    }
}

/// A room and its time.
pub(crate) struct Hall {
    pub(crate) room: Room<Dots>,
    pub(crate) now: Time,
}

pub(crate) const TICK: Duration = Duration::from_millis(50);

pub(crate) fn config() -> RoomConfig {
    RoomConfig { stale_after: Duration::from_secs(2), ..RoomConfig::default() }
}

impl Hall {
    pub(crate) fn new(config: RoomConfig) -> Hall {
        let sign = Box::new(|token: &Token| token.to_text(&[0; 32]));
        let now = Time::from_millis(10_000);
        let room = Room::new(RoomId(5), 1, (), config, sign, now).expect("a room");
        Hall { room, now }
    }

    /// A hello of a client that knows the game.
    pub(crate) fn hello() -> Hello<'static> {
        let schema = schema_of::<Dots>().expect("within the limits").hash();
        Hello { version: VERSION, schema: Some(schema), token: "", applied: None }
    }

    pub(crate) fn connect(
        &mut self,
        seat: u128,
        resume: Option<u64>,
        hello: Hello<'_>,
        link: &Rc<RefCell<Taken>>,
    ) -> Result<Peer, CloseReason> {
        let end = Box::new(End(link.clone()));
        let (resume, serial) = (resume.is_some(), resume.unwrap_or(0));
        let joined = self.room.connect(SeatId(seat), resume, serial, &hello, end, self.now)?;
        let schema = Arc::new(schema_of::<Dots>().expect("within the limits"));
        let mut peer = Peer {
            link: link.clone(),
            joined,
            mirror: Mirror::new(schema),
            token: None,
            baseline: None,
            player: 0,
            headers: Vec::new(),
            noises: Vec::new(),
            words: Vec::new(),
            ack: Vec::new(),
        };
        peer.read();
        Ok(peer)
    }

    /// Takes a seat that is not kept yet.
    pub(crate) fn join(&mut self, seat: u128) -> Peer {
        self.room.reserve(SeatId(seat), "Ada", self.now).expect("there is a place");
        self.connect(seat, None, Hall::hello(), &Rc::default()).expect("welcome")
    }

    /// Comes back with what the last connection of `peer` left.
    pub(crate) fn resume(&mut self, seat: u128, peer: Peer) -> Result<Peer, CloseReason> {
        self.resume_over(&Rc::default(), seat, peer)
    }

    /// The same, over this link.
    pub(crate) fn resume_over(
        &mut self,
        link: &Rc<RefCell<Taken>>,
        seat: u128,
        peer: Peer,
    ) -> Result<Peer, CloseReason> {
        let serial = peer.token.expect("was welcomed").serial;
        let hello = Hello { applied: peer.mirror.tick(), ..Hall::hello() };
        let mut new = self.connect(seat, Some(serial), hello, link)?;
        if new.baseline.is_some() {
            new.mirror = peer.mirror;
            new.mirror.resume();
        }
        new.noises = peer.noises;
        Ok(new)
    }

    /// A tick without anybody saying anything.
    pub(crate) fn step(&mut self) -> RoomState {
        self.now = self.now + TICK;
        self.room.step(self.now)
    }

    /// The same when the tick after it is due already.
    pub(crate) fn step_behind(&mut self) -> RoomState {
        self.now = self.now + TICK;
        self.room.step_behind(self.now)
    }

    /// Ticks without anybody saying anything.
    pub(crate) fn steps(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.step();
        }
    }

    /// A tick after which these have read and acknowledged.
    pub(crate) fn play(&mut self, peers: &mut [&mut Peer]) {
        self.step();
        for peer in peers {
            peer.read();
            self.ack(peer);
        }
    }

    pub(crate) fn ack(&mut self, peer: &mut Peer) {
        let Some(tick) = peer.mirror.tick() else { return };
        let mut ack = std::mem::take(&mut peer.ack);
        ack.clear();
        ClientMessage::Input(Batch::ack(tick)).write(&mut ack);
        self.room.receive(peer.joined, &ack, self.now).expect("is welcome");
        peer.ack = ack;
    }

    pub(crate) fn say(
        &mut self,
        peer: &Peer,
        message: ClientMessage<'_>,
    ) -> Result<(), CloseReason> {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        self.room.receive(peer.joined, &bytes, self.now)
    }

    pub(crate) fn wish(&mut self, peer: &Peer, id: u32, wish: Wish) {
        let mut body = Vec::new();
        wish.encode(&mut body);
        self.say(peer, ClientMessage::Command { id, body: &body }).expect("is welcome");
    }

    /// Sends one input, for the tick `ahead` of the next one.
    pub(crate) fn push(&mut self, peer: &Peer, sequence: u32, ahead: i64, by: i8) {
        let mut body = Vec::new();
        Push { by }.encode(&mut body);
        let mut batch = Batch::ack(peer.mirror.tick().unwrap_or_default());
        let tick = i64::from(self.room.tick().0) + 1 + ahead;
        assert!(batch.push(sequence, Tick(u32::try_from(tick).expect("a tick")), &body));
        self.say(peer, ClientMessage::Input(batch)).expect("is welcome");
    }
}

/// The header of a frame.
pub(crate) fn header(message: &[u8]) -> Option<Header> {
    let mut r = Reader::new(message);
    (r.u8() == Ok(0)).then(|| Frame::read(r).expect("a frame").header)
}

/// A hall with the usual settings.
pub(crate) fn hall() -> Hall {
    Hall::new(config())
}

/// A link that takes one message, and then no more.
pub(crate) fn clogged() -> Rc<RefCell<Taken>> {
    Rc::new(RefCell::new(Taken { clogged: true, ..Taken::default() }))
}

/// The link takes everything again.
pub(crate) fn unclog(hall: &mut Hall, peer: &Peer) {
    peer.link.borrow_mut().unclog();
    hall.room.writable(peer.joined, hall.now);
}
