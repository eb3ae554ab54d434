//! A room: a game, its players, and what each of them has seen. Pure: time,
//! randomness, bytes and links are arguments; no clock, no socket, no task.
//!
//! [`AnyRoom`] is what a worker knows of a room, whatever its game; [`Link`] is
//! what a room knows of a connection. In the order of the data:
//!
//! | file | what |
//! |---|---|
//! | `seats`, `connect`, `leave` | who is here, and how they come and go |
//! | `receive`, `rate` | what a client says, and how often it may |
//! | `inbox` | controls, held until they change |
//! | [`Room::step`](AnyRoom::step), here | one tick |
//! | `events`, `chat` | what is said to many |
//! | `deliver` | who gets what of it, and when |
//! | `replicate`, `arena` | the world as chunks, shared; one client's frame |
//! | `credit`, `outbox` | how much may be on the way to a client, and what waits |
//!
//! # Invariants
//!
//! * A room with nobody connected does not step: its ticks stand still.
//! * A frame is made when the link takes it. What waits for a client that takes
//!   nothing is bounded by constants, and no other client's bytes depend on it.
//! * Nothing goes to a client before its Welcome.

mod api;
mod arena;
mod chat;
mod connect;
mod counters;
mod credit;
mod deliver;
mod events;
mod inbox;
mod leave;
mod outbox;
mod rate;
mod receive;
mod replicate;
mod seats;

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::TICK_HZ_MAX;
use tickwire_protocol::message::{Hello, ServerClock};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Scope, Tick, Time};

use crate::game::{Cx, Game, Inputs, Listing, Refusal, schema_of};

pub use api::{
    AnyRoom, Failure, Joined, Link, RoomConfig, RoomFull, RoomId, RoomState, SeatCount, SeatId,
    SeatKey, Sent,
};
pub use counters::Counters;

use chat::ChatLog;
use events::Window;
use outbox::Over;
use replicate::Replicator;
use seats::{Seat, Seats};

pub(crate) use rate::Limiter;

/// Turns a token into its signed text.
pub type SignToken = Box<dyn Fn(&Token) -> String>;

/// One running instance of a game.
pub struct Room<G: Game> {
    id: RoomId,
    config: RoomConfig,
    sign: SignToken,
    schema: SchemaFacts,
    game: G,
    cx: Cx<G>,
    /// The step under way, or the last one.
    tick: Tick,
    /// The controls that are in force.
    inputs: Inputs<G::Input>,
    seats: Seats<G::Input>,
    replicator: Replicator,
    window: Window,
    /// Whether the window's events have had their frames.
    window_over: bool,
    chat: ChatLog,
    /// For tokens. The game's own generator and its seed are no part of it: clients read
    /// nonces, and must not foresee by them what the game rolls.
    nonces: Pcg64Mcg,
    /// The number of the next player.
    next_player: u32,
    /// Seats that have a connection.
    connected: usize,
    /// When the tick under way began.
    began: Time,
    /// Since when there are no seats.
    deserted: Time,
    /// Frames come as many times as seldom as the game says.
    thinned: u32,
    over: bool,
    /// Why it has to end, once that is found.
    failure: Option<Failure>,
    counters: Counters,
    /// Connections that end with the next step, or the one under way.
    endings: Endings,
    /// Bytes of a message under construction.
    scratch: Vec<u8>,
    /// Scopes of a client under construction.
    scopes: Vec<Scope>,
}

/// Connections that are over, and why.
type Endings = Vec<(Joined, Over)>;

/// What Welcome says of the schema.
struct SchemaFacts {
    hash: u64,
    descriptor: Vec<u8>,
}

impl<G: Game> Room<G> {
    /// Makes a room. The seed decides all that is random in the game.
    pub fn new(
        id: RoomId,
        seed: u64,
        options: G::Options,
        config: RoomConfig,
        sign: SignToken,
        now: Time,
    ) -> Result<Room<G>, Refusal> {
        const {
            assert!(1 <= G::TICK_HZ && G::TICK_HZ <= TICK_HZ_MAX, "TICK_HZ is 1 to 240");
            assert!(1 <= G::SEND_EVERY && G::SEND_EVERY <= 255, "SEND_EVERY is 1 to 255");
        }
        let schema =
            schema_of::<G>().map_err(|error| Refusal::new(Refusal::UNKNOWN, error.to_string()))?;
        let mut descriptor = Vec::new();
        schema.write_descriptor(&mut descriptor);
        let mut cx = Cx::new(seed);
        let game = G::create(options, &mut cx)?;
        Ok(Room {
            id,
            sign,
            game,
            cx,
            tick: Tick(0),
            inputs: Inputs::new(G::Input::default()),
            seats: Seats::new(),
            replicator: Replicator::new(&schema, config.history_ticks),
            schema: SchemaFacts { hash: schema.hash(), descriptor },
            window: Window::default(),
            window_over: false,
            chat: ChatLog::new(config.chat_lines_max),
            nonces: Pcg64Mcg::seed_from_u64(id.0 as u64 ^ (id.0 >> 64) as u64),
            next_player: 1,
            connected: 0,
            began: now,
            deserted: now,
            thinned: 1,
            over: false,
            failure: None,
            counters: Counters::default(),
            endings: Vec::new(),
            scratch: Vec::new(),
            scopes: Vec::new(),
            config,
        })
    }

    /// The game.
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The world as the game has it now.
    pub fn world(&self) -> &G::World {
        &self.cx.world
    }

    /// The step under way, or the last one.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    fn clock(&self, now: Time) -> ServerClock {
        let micros = now.since(self.began).as_micros();
        ServerClock { tick: self.tick, micros: u32::try_from(micros).unwrap_or(u32::MAX) }
    }

    /// Most seats: what the game says now, within what it and the server allow.
    fn seats_limit(&self) -> usize {
        self.cx.listing.seats_max.min(G::SEATS_MAX).min(self.config.seats_max)
    }

    /// How many ticks a time takes.
    fn ticks(time: Duration) -> u64 {
        // Years fit, and the division is one by a constant.
        (time.as_micros() as u64).saturating_mul(G::TICK_HZ.into()).div_ceil(1_000_000)
    }

    /// How far apart the frames are for a client of some pace.
    fn send_interval(&self, pace: u8) -> Duration {
        let ticks = u64::from(G::SEND_EVERY) * u64::from(pace) * u64::from(self.thinned);
        Duration::from_micros(ticks.saturating_mul(1_000_000) / u64::from(G::TICK_HZ))
    }

    /// Lets each player's controls come into force.
    fn drain_inboxes(&mut self, now: Time) {
        let tick = self.tick;
        let (interval, neutral_after) = (self.send_interval(1), self.config.neutral_after);
        // Who gets few frames has few to acknowledge.
        let silent_since = |pace: u8| now - (neutral_after + interval * u32::from(pace));
        let usual = silent_since(1);
        for seat in self.seats.iter_mut() {
            let Some(player) = seat.player else { continue };
            let pace = seat.client.as_ref().map_or(1, |client| client.pace);
            let silent_since = if pace == 1 { usual } else { silent_since(pace) };
            if let Some(news) = seat.inbox.apply(tick, silent_since, &mut self.counters) {
                self.inputs.hold(player, news);
            }
        }
    }

    /// One tick, but for its frames; not without anybody who is connected.
    fn advance(&mut self, now: Time) -> bool {
        self.give_up_seats(now);
        if self.connected == 0 {
            return false;
        }
        self.close_window();
        self.tick = self.tick.after(1);
        self.cx.begin(self.tick);
        self.began = now;
        self.counters.ticks += 1;
        self.drain_inboxes(now);
        self.game.step(&mut self.cx, &self.inputs);
        self.replicator.record(&mut self.cx.world, self.tick);
        self.look_around();
        self.publish();
        true
    }

    /// What the game has asked for is done.
    fn conclude(&mut self, now: Time) -> RoomState {
        self.obey(now);
        self.fail_if_it_must(now);
        self.state()
    }
}

impl<G: Game> AnyRoom for Room<G> {
    fn step(&mut self, now: Time) -> RoomState {
        if self.advance(now) {
            self.replicate(now);
        }
        self.conclude(now)
    }

    fn step_behind(&mut self, now: Time) -> RoomState {
        if self.advance(now) {
            self.put_off(now);
        }
        self.conclude(now)
    }

    fn state(&self) -> RoomState {
        match (self.over, self.connected) {
            (true, _) => RoomState::Over,
            (false, 0) => RoomState::Empty,
            (false, _) => RoomState::Playing,
        }
    }

    fn wakes_at(&self) -> Option<Time> {
        if self.over || self.connected > 0 {
            return None;
        }
        let seats = self.seats.next_expiry(self.config.seat_kept_for);
        Some(seats.map_or(self.deserted + self.config.dispose_after, |expiry| Time(expiry.0 + 1)))
    }

    fn reserve(&mut self, seat: SeatId, name: &str, now: Time) -> Result<(), RoomFull> {
        self.reserve_seat(seat, name, now)
    }

    fn connect(
        &mut self,
        seat: SeatId,
        resume: bool,
        serial: u64,
        hello: &Hello<'_>,
        link: Box<dyn Link>,
        now: Time,
    ) -> Result<Joined, CloseReason> {
        self.greet(seat, resume, serial, hello, link, now)
    }

    fn warm(&self, from: Joined) {
        self.seats.get(from.seat).into_iter().for_each(Seat::warm_to_receive);
    }

    fn receive(&mut self, from: Joined, message: &[u8], now: Time) -> Result<(), CloseReason> {
        let taken = self.take_message(from, message, now);
        self.fail_if_it_must(now);
        taken
    }

    fn writable(&mut self, whose: Joined, now: Time) {
        if let Some(client) = self.client(whose) {
            client.writable();
            self.offer_now(whose.seat, now);
            self.fail_if_it_must(now);
        }
    }

    fn disconnect(&mut self, whose: Joined, now: Time) {
        if self.client(whose).is_some() {
            self.end_connection(whose.seat, Over::Gone, Duration::ZERO, now);
        }
    }

    fn failure(&self) -> Option<Failure> {
        self.failure
    }

    fn tick_hz(&self) -> u32 {
        G::TICK_HZ
    }

    fn players(&self) -> usize {
        self.cx.players.len()
    }

    fn seats(&self) -> SeatCount {
        SeatCount { taken: self.seats.len(), most: self.seats_limit() }
    }

    fn listing(&self) -> &Listing {
        &self.cx.listing
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn thin(&mut self, times: u32) {
        self.thinned = times.max(1);
    }

    fn close(&mut self, reason: CloseReason, retry_after: Duration, now: Time) {
        self.dispose(reason, retry_after, now);
    }
}
