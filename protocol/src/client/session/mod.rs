//! A session: one player in one room, over as many connections as it takes.
//!
//! The session is a state machine. Bytes, times and the application's wishes go
//! in, bytes, events and a deadline come out; it never waits, and never looks at
//! a clock. Who drives it owns the socket and does four things, in any order and
//! as often as it likes:
//!
//! * hands over what happens to the socket: [`Session::handle_open`],
//!   [`handle_message`](Session::handle_message), [`handle_close`](Session::handle_close)
//!   or [`handle_lost`](Session::handle_lost);
//! * calls [`handle_timeout`](Session::handle_timeout) when [`deadline`](Session::deadline)
//!   has come (earlier or more often does no harm), after it has handed over what came
//!   until then;
//! * sends what [`poll_transmit`](Session::poll_transmit) gives, each as one
//!   binary message, until it gives nothing, and does so after every call above
//!   and below;
//! * reads [`poll_event`](Session::poll_event) until it gives nothing, at best
//!   after every message.
//!
//! What a player does goes in through [`input`](Session::input),
//! [`command`](Session::command) and [`chat`](Session::chat).
//!
//! # States
//!
//! ```text
//!            ┌──────────────────────── its time has come ────────────────────────┐
//!            ▼                                                                    │
//!  new ─► Connecting ── handle_open ─► Greeting ── Welcome ─► Joined           Waiting
//!            │ lost,                      │ closed, lost,       │ closed, lost,   ▲
//!            │ timed out                  │ timed out, error    │ silent, error   │
//!            └────────────────────────────┴───────┬─────────────┘                 │
//!                                                 ├── connect again ──────────────┘
//!                                                 ├── another seat is needed ─► NeedSeat
//!                                                 └── nothing helps, left ────► Ended
//!  NeedSeat, Ended ── rejoin ─► Connecting
//! ```
//!
//! [`Phase`] is the present state. Every way out of a connection raises one
//! [`SessionEvent::Closed`] with the [`Cause`] and what follows ([`Then`]); every
//! way into `Connecting` raises [`SessionEvent::Connect`]. In `Greeting` nothing
//! but Hello is sent.
//!
//! # What the session does by itself
//!
//! * It acknowledges frames: with each input, at the latest [`ACK_INTERVAL`]
//!   after a frame, and at once after one that came late or stands for several.
//! * It keeps a clock of the server's ticks, stamps inputs with the tick they
//!   are for, and adapts the margin to what the server reports.
//! * It tries again after a loss, with full jitter, and resumes the seat. The
//!   state stays readable meanwhile and goes on from where it was if the server
//!   still knows that tick; otherwise the next frame brings all of it, and what
//!   is still there keeps its identity. The input in force is sent again.
//!   Commands without an outcome are reported as lost and never sent again.
//! * It asks for the whole state if the server's hash of it is another than its own.
//! * It gives a connection up that has fallen silent.
//!
//! When a program was not run for a while (a hidden tab), everything that came
//! meanwhile is to be handed over in order: all of it is applied, and one
//! acknowledgement speaks for the last frame.
//!
//! # Invariants
//!
//! * No message can cause a panic, and none that breaks the rules is tolerated:
//!   the connection ends with a [`SessionError`], the state is given up, and the
//!   next connection begins from the whole state.
//! * Memory is bounded: the state by [`MIRROR_BYTES_MAX`](crate::limits::MIRROR_BYTES_MAX),
//!   events by [`EVENTS_MAX`] and [`EVENTS_BYTES_MAX`], inputs by
//!   [`INPUTS_PER_BATCH_MAX`](crate::limits::INPUTS_PER_BATCH_MAX), requests by
//!   [`COMMANDS_MAX`] and [`REQUESTS_WAITING_MAX`].
//! * A deadline that has come is moved by `handle_timeout` and by reading the
//!   events, and waits for nothing else: a socket that takes no bytes does not
//!   make a busy loop.
//!
//! Absent: sockets, clocks, threads, and a source of randomness beyond the seed.

mod acks;
mod connect;
mod error;
mod events;
mod inputs;
mod pings;
mod receive;
mod requests;
mod status;
mod timeline;
mod transmit;
mod typed;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::client::mirror::Mirror;
use crate::client::reconnect::{Policy, Reconnect};
use crate::limits::INPUT_BYTES_MAX;
use crate::schema::Schema;
use crate::schema::layout::Layout;
use crate::time::{Tick, Time};

use acks::Acks;
use events::{EventQueue, Queued};
use inputs::InputQueue;
use pings::Pings;
use requests::Requests;
use timeline::Timeline;

pub use acks::{ACK_INTERVAL, HELD_INTERVAL};
pub use connect::{CONNECT_TIMEOUT, HELLO_TIMEOUT};
pub use error::{Cause, SendError, SessionError, Then};
pub use events::{EVENTS_BYTES_MAX, EVENTS_MAX, NoReply, SessionEvent};
pub use inputs::InputStamp;
pub use pings::{PING_BURST, PING_BURST_INTERVAL, PING_INTERVAL, PROBE_TIMEOUT, SILENCE_MAX};
pub use requests::{COMMANDS_MAX, CommandId, REQUESTS_WAITING_MAX};
pub use status::{Counters, Phase};
pub use typed::{GameTypes, TypedEvent, TypedSession};

/// The whole state is asked for at most once in this time.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// What a session starts from.
#[derive(Clone)]
pub struct Config {
    /// The WebSocket address of the room's server. The session only passes it on.
    pub address: String,
    /// The seat token that the server's API gave out.
    pub token: String,
    /// Different for each client, so that they do not come back in step after
    /// an outage. Two sessions with the same seed, inputs and times are equal.
    pub seed: u64,
    /// How patiently to reconnect.
    pub policy: Policy,
    /// The schema that the client was built with; none to have it described.
    /// A [`TypedSession`] puts its own here.
    pub schema: Option<Arc<Schema>>,
    /// A schema that another session of this program was told ([`Session::known`]): many
    /// clients of one game share it, and the server need not describe it to each.
    pub known: Option<Known>,
    /// Whether the state stays unread ([`Mirror::blind`]): everything else goes on as
    /// it would. For programs that stand for more clients than they can decode for.
    pub blind: bool,
}

impl Config {
    /// A client that has the game described, with the default patience.
    pub fn new(address: impl Into<String>, token: impl Into<String>, seed: u64) -> Config {
        let (address, token) = (address.into(), token.into());
        let policy = Policy::default();
        Config { address, token, seed, policy, schema: None, known: None, blind: false }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is as good as the player: it is not for logs.
        f.debug_struct("Config").field("address", &self.address).finish_non_exhaustive()
    }
}

/// One player in one room, by the schema alone. See the [module](self).
#[derive(Debug)]
pub struct Session {
    /// The latest time that was handed over.
    now: Time,
    phase: Phase,
    seat: Seat,
    /// The schema that the client was built with.
    own: Option<Arc<Schema>>,
    /// The schema of the server's messages; the client's own until it is told another.
    schema: Option<Known>,
    room: Option<Room>,
    /// None before the first Welcome; always of `schema`.
    mirror: Option<Mirror>,
    /// Whether mirrors are blind.
    blind: bool,
    /// How many mirrors there were: what follows one must know when it is another.
    mirrors: u32,
    /// Whether this connection's first frame, which is full, is still to come.
    awaits_whole: bool,
    timeline: Option<Timeline>,
    /// What this connection's Hello said, once it was sent.
    hello: Option<Said>,
    inputs: InputQueue,
    /// The number of the last input that the server has used.
    processed: Option<u32>,
    acks: Acks,
    pings: Pings,
    requests: Requests,
    wishes: Wishes,
    events: EventQueue,
    policy: Policy,
    reconnect: Reconnect,
    random: SplitMix,
    counters: Counters,
}

/// Where to say hello, and with what.
struct Seat {
    address: String,
    token: String,
    /// Whether this seat was joined before.
    joined: bool,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seat { address, joined, token: _ } = self;
        f.debug_struct("Seat").field("address", address).field("joined", joined).finish()
    }
}

/// A schema, its hash, and what is compiled from it.
#[derive(Clone, Debug)]
pub struct Known {
    schema: Arc<Schema>,
    hash: u64,
    layout: Arc<Layout>,
}

impl Known {
    fn new(schema: Arc<Schema>, hash: u64) -> Known {
        Known { layout: Arc::new(Layout::new(&schema)), schema, hash }
    }
}

/// What the server said of the room.
#[derive(Clone, Debug)]
struct Room {
    player: u32,
    game: String,
}

/// What Hello said.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Time,
    applied: Option<Tick>,
}

/// What the application asked of the connection.
#[derive(Clone, Copy, Debug)]
struct Wishes {
    pace: u8,
    /// Whether the server is still to be told.
    tell_pace: bool,
    refresh: bool,
    /// When the whole state was last asked for, on this connection or another.
    refreshed: Option<Time>,
    leave: bool,
}

impl Session {
    /// A session that starts at `now`: its first event asks for a socket.
    pub fn new(config: Config, now: Time) -> Session {
        let Config { address, token, seed, policy, schema, known, blind } = config;
        let built_with = |schema: &Arc<Schema>| Known::new(schema.clone(), schema.hash());
        let mut session = Session {
            now,
            phase: Phase::Ended,
            seat: Seat { address, token, joined: false },
            schema: schema.as_ref().map(built_with).or(known),
            own: schema,
            room: None,
            mirror: None,
            blind,
            mirrors: 0,
            awaits_whole: true,
            timeline: None,
            hello: None,
            inputs: InputQueue::new(),
            processed: None,
            acks: Acks::default(),
            pings: Pings::default(),
            requests: Requests::default(),
            wishes: Wishes {
                pace: 1,
                tell_pace: false,
                refresh: false,
                refreshed: None,
                leave: false,
            },
            events: EventQueue::default(),
            policy,
            reconnect: Reconnect::new(policy),
            random: SplitMix(seed),
            counters: Counters::default(),
        };
        session.connect();
        session
    }

    /// Puts an input into force: it holds until the next one. The body is in the
    /// schema's [`input`](Schema::input) kind, and at most [`INPUT_BYTES_MAX`] long.
    ///
    /// May be called at any time and as often as it likes. If nothing changed,
    /// or the player is not in the room now, nothing is queued and there is no
    /// stamp; the input that is in force on joining or resuming is sent then.
    pub fn input(&mut self, body: &[u8], now: Time) -> Result<Option<InputStamp>, SendError> {
        self.at(now);
        if body.len() > INPUT_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        self.inputs.set(body);
        Ok(self.stamp_input())
    }

    /// Queues a command. Its one outcome is a [`SessionEvent::Reply`], after
    /// `timeout` at the latest. The body is in the schema's
    /// [`command`](Schema::command) kind.
    pub fn command(
        &mut self,
        body: &[u8],
        timeout: Duration,
        now: Time,
    ) -> Result<CommandId, SendError> {
        self.at(now);
        self.in_room()?;
        self.requests.command(body, timeout, now)
    }

    /// Queues a line of chat.
    pub fn chat(&mut self, text: &str) -> Result<(), SendError> {
        self.in_room()?;
        self.requests.chat(text)
    }

    /// Asks for a frame every so many of the room's sends, now and on every
    /// connection from here on; 0 is taken for 1.
    pub fn pace(&mut self, every: u8) {
        let every = every.max(1);
        self.wishes.tell_pace |= self.wishes.pace != every;
        self.wishes.pace = every;
    }

    /// Asks for the whole state; `false` if that was done less than
    /// [`REFRESH_INTERVAL`] ago, or there is no connection.
    pub fn refresh(&mut self, now: Time) -> bool {
        self.at(now);
        let asked = self.wishes.refreshed;
        if self.phase != Phase::Joined
            || asked.is_some_and(|asked| now.since(asked) < REFRESH_INTERVAL)
        {
            return false;
        }
        self.wishes.refresh = true;
        self.wishes.refreshed = Some(now);
        true
    }

    /// The next event. One that carries bytes borrows them; they are in the
    /// schema's [`event`](Schema::event) and [`reply`](Schema::reply) kinds.
    pub fn poll_event(&mut self) -> Option<SessionEvent<'_>> {
        let queued = self.events.pop()?;
        Some(self.events.show(queued, |body| body, Ok))
    }

    /// Takes in that it is `now`, at least.
    fn at(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// An empty state.
    fn new_mirror(&self, schema: Arc<Schema>, layout: Arc<Layout>) -> Mirror {
        let mirror = Mirror::compiled(schema, layout);
        if self.blind { mirror.blind() } else { mirror }
    }

    fn in_room(&self) -> Result<(), SendError> {
        let here = self.phase == Phase::Joined && !self.wishes.leave;
        if here { Ok(()) } else { Err(SendError::NotJoined) }
    }

    /// Queues the input in force, if it has to be and can be.
    fn stamp_input(&mut self) -> Option<InputStamp> {
        if self.phase != Phase::Joined || self.awaits_whole || !self.inputs.is_changed() {
            return None;
        }
        let timeline = self.timeline.as_mut()?;
        let tick = timeline.input_tick(self.now)?;
        Some(self.inputs.stamp(tick, self.now, timeline.tick_interval))
    }

    /// Queues an event that must not be dropped. Without a place for it the
    /// session is over: the queue has noted that.
    fn tell(&mut self, event: Queued) {
        if !self.events.push(event) {
            self.phase = Phase::Ended;
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: enough for jitter, and the same everywhere.
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}
