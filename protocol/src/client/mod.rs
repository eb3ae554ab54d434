//! A client without sockets: bytes and time go in, bytes, events and deadlines come out.
//!
//! | to | there is |
//! |---|---|
//! | connect, play, reconnect | [`session`]: [`TypedSession`] with compiled types, [`Session`] with the schema alone |
//! | read the state | [`mirror`], which a session keeps |
//! | draw between two frames | [`interpolate`], with the session's [`render_position`](Session::render_position) |
//! | show one's own moves at once | [`predict`], with the session's [`input_tick`](Session::input_tick) |
//! | do without a session | [`clock`] and [`reconnect`], which it is made of |
//!
//! # A whole client
//!
//! Only `Link` is left out: it stands for a WebSocket (with the subprotocol
//! [`SUBPROTOCOL`](crate::message::SUBPROTOCOL), binary messages only) and for a
//! clock. The one that this example is tested with is a small server in memory.
//!
//! ```
//! use core::time::Duration;
//! use tickwire_protocol::client::{Config, GameTypes, SessionEvent, Then, TypedSession};
//! use tickwire_protocol::{Entity, Message, Table, Time, World};
//!
//! #[derive(Entity)]
//! struct Ship {
//!     #[net(min = -100, max = 100, step = 0.5)]
//!     x: f32,
//! }
//! #[derive(World)]
//! struct Space {
//!     ships: Table<Ship>,
//! }
//! #[derive(Message)]
//! struct Steer {
//!     #[net(min = -1, max = 1)]
//!     turn: i8,
//! }
//! #[derive(Message)]
//! struct Rename(String);
//! #[derive(Message)]
//! struct Bang {
//!     loudness: u8,
//! }
//!
//! struct Arena;
//! impl GameTypes for Arena {
//!     type World = Space;
//!     type Input = Steer;
//!     type Command = Rename;
//!     type Reply = ();
//!     type Event = Bang;
//! }
//!
//! fn play(mut link: Link) -> Result<(), Box<dyn std::error::Error>> {
//!     let config = Config::new("wss://play.example.net/", "the seat's token", 7);
//!     let mut session = TypedSession::<Arena>::new(config, link.now())?;
//!     let mut out = Vec::new();
//!     loop {
//!         // What came. An error ends the connection, and `Closed` tells of it.
//!         while let Some(message) = link.receive() {
//!             let _ = session.handle_message(&message, link.now());
//!         }
//!         session.handle_timeout(link.now());
//!
//!         while let Some(event) = session.poll_event() {
//!             match event {
//!                 SessionEvent::Connect { address } => {
//!                     // Or `handle_lost`, if that fails.
//!                     link.open(address);
//!                     session.handle_open(link.now());
//!                 }
//!                 SessionEvent::Joined { player, .. } => {
//!                     println!("joined as player {player}");
//!                     let name = Rename("Ada".into());
//!                     session.command(&name, Duration::from_secs(5), link.now())?;
//!                 }
//!                 SessionEvent::Frame { tick, .. } => {
//!                     for (id, ship) in session.world().ships.iter() {
//!                         println!("tick {tick}: ship {id:?} is at {}", ship.x);
//!                     }
//!                 }
//!                 SessionEvent::Event { body: Bang { loudness }, .. } => {
//!                     println!("{}", "bang! ".repeat(loudness.into()));
//!                     session.leave();
//!                 }
//!                 SessionEvent::Reply { outcome, .. } => println!("renamed: {outcome:?}"),
//!                 SessionEvent::Chat(chat) => println!("{}: {:?}", chat.name, chat.text),
//!                 SessionEvent::Closed { cause, then } => {
//!                     link.close(cause.close_code());
//!                     match then {
//!                         // `Connect` comes when it is time.
//!                         Then::Reconnect(_) => println!("{cause}; trying again"),
//!                         // Here one would get another token, and call `rejoin`.
//!                         Then::NeedSeat { .. } | Then::End | Then::GiveUp => return Ok(()),
//!                     }
//!                 }
//!             }
//!         }
//!
//!         // What the player does: may be said each time, only changes are sent.
//!         session.input(&Steer { turn: 1 }, link.now())?;
//!         while session.poll_transmit(&mut out) {
//!             link.send(&out);
//!         }
//!         link.wait(session.deadline());
//!     }
//! }
//! # use std::collections::VecDeque;
//! # use tickwire_protocol::chunk::Encoder;
//! # use tickwire_protocol::frame::{self, Form, Header, Step};
//! # use tickwire_protocol::message::{ClientMessage, ServerClock, ServerMessage, VERSION, Welcome};
//! # use tickwire_protocol::schema::layout::Layout;
//! # use tickwire_protocol::{Scope, Tick, heap::Heap};
//! #
//! # struct Link {
//! #     now: Time,
//! #     tick: u32,
//! #     to_client: VecDeque<Vec<u8>>,
//! #     seen: Vec<&'static str>,
//! #     must_see: &'static [&'static str],
//! # }
//! # impl Link {
//! #     fn now(&self) -> Time {
//! #         self.now
//! #     }
//! #     fn open(&mut self, _address: &str) {
//! #         self.seen.push("open");
//! #     }
//! #     fn close(&mut self, code: u16) {
//! #         assert_eq!(code, 1000);
//! #         assert_eq!(self.seen, self.must_see);
//! #     }
//! #     fn receive(&mut self) -> Option<Vec<u8>> {
//! #         self.to_client.pop_front()
//! #     }
//! #     fn wait(&mut self, deadline: Option<Time>) {
//! #         assert!(deadline.is_some());
//! #         self.now = self.now + Duration::from_millis(5);
//! #     }
//! #     fn send(&mut self, bytes: &[u8]) {
//! #         let clock = ServerClock { tick: Tick(self.tick), micros: 0 };
//! #         match ClientMessage::read(bytes).unwrap() {
//! #             ClientMessage::Hello(hello) => {
//! #                 self.seen.push("hello");
//! #                 let welcome = Welcome {
//! #                     version: VERSION,
//! #                     player: 3,
//! #                     game: "arena",
//! #                     tick_hz: 20,
//! #                     send_every: 1,
//! #                     clock,
//! #                     token: "for the next time",
//! #                     baseline: None,
//! #                     schema: hello.schema.unwrap(),
//! #                     descriptor: None,
//! #                 };
//! #                 self.answer(ServerMessage::Welcome(welcome));
//! #                 self.frame(true);
//! #             }
//! #             ClientMessage::Ping { stamp } => self.answer(ServerMessage::Pong { stamp, clock }),
//! #             ClientMessage::Command { id, .. } => {
//! #                 self.seen.push("command");
//! #                 self.answer(ServerMessage::Reply { id, outcome: Ok(&[]) });
//! #             }
//! #             ClientMessage::Input(inputs) if !inputs.is_empty() => {
//! #                 self.seen.push("input");
//! #                 self.frame(false);
//! #             }
//! #             ClientMessage::Bye => self.seen.push("bye"),
//! #             _ => {}
//! #         }
//! #     }
//! #     fn answer(&mut self, message: ServerMessage<'_>) {
//! #         let mut bytes = Vec::new();
//! #         message.write(&mut bytes);
//! #         self.to_client.push_back(bytes);
//! #     }
//! #     fn frame(&mut self, first: bool) {
//! #         self.tick += 1;
//! #         let layout = Layout::new(&Arena::schema().unwrap());
//! #         let (mut encoder, heap) = (Encoder::default(), Heap::default());
//! #         encoder.begin(false);
//! #         encoder.table(0);
//! #         match first {
//! #             true => encoder.spawn(&layout.tables[0], 0, 1, &[2], &heap),
//! #             false => { let _ = encoder.update(&layout.tables[0], 0, &[2], &[3], &heap); }
//! #         }
//! #         let (mut chunk, mut events) = (Vec::new(), Vec::new());
//! #         encoder.finish(&mut chunk);
//! #         let event = frame::Event { tick: Tick(self.tick), reliable: true, body: &[2] };
//! #         frame::write_event(&event, &mut events);
//! #         let step = if first { Step::Full(Tick(self.tick)) } else { Step::Advance(1) };
//! #         let (processed, depth, hash) = (None, None, None);
//! #         let header = Header { step, predicted: false, processed, depth, hash };
//! #         let form = if first { Form::Whole } else { Form::Change };
//! #         let mut bytes = Vec::new();
//! #         let sections = [(Scope::ROOM, form, chunk.len())].into_iter();
//! #         frame::write_header(&header, sections, usize::from(!first), &mut bytes);
//! #         bytes.extend(chunk);
//! #         bytes.extend(if first { Vec::new() } else { events });
//! #         self.to_client.push_back(bytes);
//! #     }
//! # }
//! #
//! # let must_see = &["open", "hello", "input", "command", "bye"];
//! # let (now, to_client, seen) = (Time(0), VecDeque::new(), Vec::new());
//! # play(Link { now, tick: 0, to_client, seen, must_see }).unwrap();
//! ```
//!
//! # A client that has never seen the game
//!
//! A plain [`Session`] whose [`Config`] has no schema asks the server to describe
//! it, and has the state in its [`mirror`](Session::mirror). Messages are
//! [`dynamic::Value`](crate::dynamic::Value)s in the kinds of [`Session::schema`]:
//!
//! ```
//! # use tickwire_protocol::{Message, Time};
//! use tickwire_protocol::client::{Config, SendError, Session};
//! use tickwire_protocol::codec::{Reader, Writer};
//! use tickwire_protocol::dynamic::Value;
//! use tickwire_protocol::schema::Schema;
//!
//! /// Every ship's fields, by name.
//! fn show(session: &Session) {
//!     for ship in session.mirror().and_then(|mirror| mirror.table("ships")).into_iter().flatten() {
//!         println!("ship {}: {:?}", ship.slot(), ship.value());
//!     }
//! }
//!
//! /// The controls named `turn` to the left, all others at rest.
//! fn turn_left(session: &mut Session, schema: &Schema, now: Time) -> Result<(), SendError> {
//!     let input = Value::Struct(vec![("turn".into(), Value::Int(-1))]);
//!     let mut body = Vec::new();
//!     input.write(&schema.input, &mut Writer::new(&mut body));
//!     session.input(&body, now).map(drop)
//! }
//!
//! /// The body of a `SessionEvent::Event`.
//! fn event(schema: &Schema, body: &[u8]) -> Option<Value> {
//!     Value::read(&schema.event, &mut Reader::new(body)).ok()
//! }
//! # let mut session = Session::new(Config::new("", "", 1), Time(0));
//! # show(&session);
//! # turn_left(&mut session, &Schema::default(), Time(0)).unwrap();
//! # assert!(event(&Schema::default(), &[]).is_some());
//! ```

pub mod clock;
pub mod interpolate;
pub mod mirror;
pub mod predict;
pub mod reconnect;
pub mod session;

pub use mirror::{Mirror, Typed};
pub use session::{
    Cause, Config, GameTypes, Known, NoReply, Phase, SendError, Session, SessionError,
    SessionEvent, Then, TypedEvent, TypedSession,
};
