//! A game, a server for it whose every message a test decides, and a client
//! that is connected to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tickwire_protocol::chunk::Encoder;
use tickwire_protocol::client::session::Config;
use tickwire_protocol::client::{GameTypes, Phase, Session, SessionError, SessionEvent};
use tickwire_protocol::frame::{self, Event, Form, Header, Step};
use tickwire_protocol::heap::Heap;
use tickwire_protocol::message::{ClientMessage, ServerClock, ServerMessage, VERSION, Welcome};
use tickwire_protocol::schema::Schema;
use tickwire_protocol::schema::layout::Layout;
use tickwire_protocol::{Entity, Message, Scope, Table, Tick, Time, World};

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Ship {
    #[net(min = -2048, max = 2048, step = 0.0625, motion)]
    pub(crate) x: f32,
    pub(crate) name: String,
}

#[derive(World)]
pub(crate) struct Space {
    pub(crate) ships: Table<Ship>,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Steer {
    pub(crate) turn: i8,
    pub(crate) fire: bool,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Order {
    Rename(String),
    Buy { item: u8 },
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    Done,
    Cost(u32),
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum News {
    Bang { loudness: u8 },
    Won(String),
}

pub(crate) struct Arena;

impl GameTypes for Arena {
    type World = Space;
    type Input = Steer;
    type Command = Order;
    type Reply = Answer;
    type Event = News;
}

pub(crate) fn arena() -> Arc<Schema> {
    Arc::new(Arena::schema().unwrap())
}

pub(crate) const HZ: u16 = 20;
pub(crate) const TICK_MS: u64 = 50;

/// What a client has of each table: generation and cells by slot.
pub(crate) type Rows = Vec<BTreeMap<u32, (u32, Vec<i64>)>>;

/// Encodes a world against what its one client has.
pub(crate) struct Server<W> {
    pub(crate) schema: Arc<Schema>,
    pub(crate) world: W,
    pub(crate) tick: Tick,
    pub(crate) send_every: u8,
    layout: Layout,
    heap: Heap,
    encoder: Encoder,
    sent: Rows,
    /// For the next frame.
    pub(crate) events: Vec<(bool, Vec<u8>)>,
    pub(crate) processed: Option<u32>,
    pub(crate) depth: Option<i32>,
    pub(crate) hash: Option<u32>,
}

impl<W: World> Server<W> {
    pub(crate) fn new(schema: Arc<Schema>) -> Server<W> {
        let layout = Layout::new(&schema);
        Server {
            sent: vec![BTreeMap::new(); schema.tables.len()],
            schema,
            world: W::default(),
            tick: Tick(100),
            send_every: 1,
            layout,
            heap: Heap::default(),
            encoder: Encoder::default(),
            events: Vec::new(),
            processed: None,
            depth: None,
            hash: None,
        }
    }

    pub(crate) fn welcome(&self, baseline: Option<Tick>, describe: bool) -> Vec<u8> {
        let mut descriptor = Vec::new();
        self.schema.write_descriptor(&mut descriptor);
        bytes(&ServerMessage::Welcome(Welcome {
            version: VERSION,
            player: 3,
            game: "arena",
            tick_hz: HZ,
            send_every: self.send_every,
            clock: self.clock(),
            token: "resume 1",
            baseline,
            schema: self.schema.hash(),
            descriptor: describe.then_some(&descriptor),
        }))
    }

    pub(crate) fn clock(&self) -> ServerClock {
        ServerClock { tick: self.tick, micros: 0 }
    }

    /// A frame with everything.
    pub(crate) fn full(&mut self) -> Vec<u8> {
        self.sent.iter_mut().for_each(BTreeMap::clear);
        self.frame(Step::Full(self.tick))
    }

    /// A frame `ticks` later.
    pub(crate) fn advance(&mut self, ticks: u32) -> Vec<u8> {
        self.tick = self.tick.after(ticks);
        self.encode(ticks)
    }

    /// A frame of the present tick, `ticks` after the last.
    pub(crate) fn encode(&mut self, ticks: u32) -> Vec<u8> {
        self.frame(Step::Advance(ticks))
    }

    /// What the client has once it has applied all that it was sent.
    pub(crate) fn rows(&self) -> Rows {
        self.sent.clone()
    }

    /// The client has this.
    pub(crate) fn set_rows(&mut self, rows: Rows) {
        self.sent = rows;
    }

    fn frame(&mut self, step: Step) -> Vec<u8> {
        let mut chunk = Vec::new();
        self.encoder.begin(false);
        for index in 0..self.sent.len() {
            self.table(index);
        }
        self.encoder.finish(&mut chunk);
        let (processed, depth, hash) = (self.processed.take(), self.depth.take(), self.hash.take());
        let header = Header { step, predicted: false, processed, depth, hash };
        let form = if matches!(step, Step::Full(_)) { Form::Whole } else { Form::Change };
        let mut bytes = Vec::new();
        let sections = [(Scope::ROOM, form, chunk.len())].into_iter();
        frame::write_header(&header, sections, self.events.len(), &mut bytes);
        bytes.extend(chunk);
        for (reliable, body) in self.events.drain(..) {
            let event = Event { tick: self.tick, reliable, body: &body };
            frame::write_event(&event, &mut bytes);
        }
        bytes
    }

    fn table(&mut self, index: usize) {
        let (layout, sent) = (&self.layout.tables[index], &mut self.sent[index]);
        let table = self.world.table(index);
        let mut now = BTreeMap::new();
        for slot in 0..64 {
            let Some((generation, _)) = table.occupant(slot) else { continue };
            let before = sent.get(&slot).filter(|(known, _)| *known == generation);
            let mut cells = before.map_or(vec![0; layout.cells], |(_, cells)| cells.clone());
            table.store(slot, &mut cells, &mut self.heap);
            now.insert(slot, (generation, cells));
        }
        let generation = |rows: &BTreeMap<u32, (u32, Vec<i64>)>, slot: &u32| {
            rows.get(slot).map(|(generation, _)| *generation)
        };
        self.encoder.table(index);
        for slot in sent.keys().filter(|slot| generation(sent, slot) != generation(&now, slot)) {
            self.encoder.despawn(*slot);
        }
        for (slot, (own, cells)) in &now {
            if generation(sent, slot) != Some(*own) {
                self.encoder.spawn(layout, *slot, *own, cells, &self.heap);
            }
        }
        for (slot, (own, cells)) in &now {
            if let Some((_, base)) = sent.get(slot).filter(|(known, _)| known == own) {
                self.encoder.update(layout, *slot, base, cells, &self.heap);
            }
        }
        *sent = now;
    }
}

/// A message as bytes.
pub(crate) fn bytes(message: &ServerMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    bytes
}

/// A message of the game as bytes.
pub(crate) fn body(message: &impl Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

pub(crate) fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

pub(crate) fn config() -> Config {
    Config { schema: Some(arena()), ..Config::new("wss://one", "seat", 7) }
}

/// All that a session wants to send, in words. Bodies are shown as bytes.
pub(crate) fn sent(session: &mut Session) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = Vec::new();
    while session.poll_transmit(&mut out) {
        words.push(in_words(&out));
    }
    words
}

pub(crate) fn in_words(message: &[u8]) -> String {
    match ClientMessage::read(message).expect("a client sends what a server can read") {
        ClientMessage::Hello(hello) => {
            format!("hello {} {:?}", hello.token, hello.applied.map(|tick| tick.0))
        }
        ClientMessage::Input(inputs) => {
            let mut words = format!("input ack {}", inputs.applied);
            for (sequence, tick, body) in inputs.iter() {
                words += &format!(" {sequence}@{tick}{body:?}");
            }
            words
        }
        ClientMessage::Command { id, body } => format!("command {id} {body:?}"),
        ClientMessage::Chat { text } => format!("chat {text}"),
        ClientMessage::Ping { .. } => "ping".into(),
        ClientMessage::Pace { every } => format!("pace {every}"),
        ClientMessage::Refresh => "refresh".into(),
        ClientMessage::Bye => "bye".into(),
    }
}

/// The same without pings, which come at their own times.
pub(crate) fn sent_but_pings(session: &mut Session) -> Vec<String> {
    sent(session).into_iter().filter(|words| words != "ping").collect()
}

/// A session and its server, joined at 1000 ms: the first ping is sent, the
/// first frame is applied and acknowledged, and no event is left.
pub(crate) struct Pair {
    pub(crate) session: Session,
    pub(crate) server: Server<Space>,
    pub(crate) ship: tickwire_protocol::Id<Ship>,
}

impl Pair {
    pub(crate) fn joined() -> Pair {
        Pair::with(config(), 1)
    }

    pub(crate) fn with(config: Config, send_every: u8) -> Pair {
        let mut server = Server::<Space>::new(arena());
        server.send_every = send_every;
        let ship = server.world.ships.spawn(Ship { x: 1.0, name: "Ada".into() });
        let mut session = Session::new(config, ms(1000));
        session.handle_open(ms(1000));
        assert_eq!(sent(&mut session), ["hello seat None"]);
        let describe = session.schema().is_none();
        session.handle_message(&server.welcome(None, describe), ms(1000)).unwrap();
        session.handle_message(&server.full(), ms(1000)).unwrap();
        assert_eq!(sent(&mut session), ["ping", "input ack 100"]);
        while session.poll_event().is_some() {}
        Pair { session, server, ship }
    }

    /// A frame comes, `ticks` after the last.
    pub(crate) fn frame(&mut self, ticks: u32, at_ms: u64) {
        self.take(at_ms, |server| server.advance(ticks)).unwrap();
    }

    /// A message comes.
    pub(crate) fn take(
        &mut self,
        at_ms: u64,
        message: impl FnOnce(&mut Server<Space>) -> Vec<u8>,
    ) -> Result<(), SessionError> {
        let message = message(&mut self.server);
        self.session.handle_message(&message, ms(at_ms))
    }

    /// Moves the ship, and sends a frame a tick until `until_ms`, with all that
    /// the client has to do in between. Gives what the client sent, and when.
    pub(crate) fn run(&mut self, from_ms: u64, until_ms: u64) -> Vec<(u64, String)> {
        let mut log = Vec::new();
        for at in from_ms..until_ms {
            let elapsed = at - from_ms;
            if elapsed.is_multiple_of(TICK_MS) {
                self.server.world.ships.get_mut(self.ship).unwrap().x += 0.25;
                self.frame(1, at);
            }
            self.session.handle_timeout(ms(at));
            let mut out = Vec::new();
            while self.session.poll_transmit(&mut out) {
                if let ClientMessage::Ping { stamp } = ClientMessage::read(&out).unwrap() {
                    let micros = (elapsed % TICK_MS * 1000) as u32;
                    let clock = ServerClock { tick: self.server.tick, micros };
                    self.take(at, |_| bytes(&ServerMessage::Pong { stamp, clock })).unwrap();
                } else {
                    log.push((at, in_words(&out)));
                }
            }
            while self.session.poll_event().is_some() {}
        }
        log
    }

    /// Waits as long as the session wants to, until it asks for a socket, and opens it.
    pub(crate) fn reconnect(&mut self) -> u64 {
        let Phase::Waiting(at) = self.session.phase() else {
            panic!("{:?}", self.session.phase());
        };
        self.session.handle_timeout(at);
        let event = self.session.poll_event();
        assert!(matches!(event, Some(SessionEvent::Connect { .. })), "{event:?}");
        self.session.handle_open(at);
        at.0.div_ceil(1000)
    }
}
