//! A session in the user's own types.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::events::Queued;
use super::{
    CommandId, Config, InputStamp, NoReply, SendError, Session, SessionError, SessionEvent,
};
use crate::client::clock::TickTime;
use crate::client::mirror::{Translation, Typed};
use crate::codec;
use crate::schema::{Kind, Schema, SchemaError};
use crate::table::World;
use crate::time::{Tick, Time};
use crate::value::Message;

/// The types of one game, as a client has them. Where the game has none of a
/// sort, or the client no use for it, the type is `()`.
pub trait GameTypes: 'static {
    /// The replicated state.
    type World: World;
    /// A player's controls.
    type Input: Message;
    /// Requests.
    type Command: Message;
    /// Answers to them.
    type Reply: Message;
    /// One-off messages of the server.
    type Event: Message;

    /// The schema of all of them.
    fn schema() -> Result<Schema, SchemaError> {
        Schema::new(
            Self::World::schema(),
            Self::Input::schema(),
            Self::Command::schema(),
            Self::Reply::schema(),
            Self::Event::schema(),
        )
    }
}

/// What a [`TypedSession`] tells.
pub type TypedEvent<'a, G> = SessionEvent<'a, <G as GameTypes>::Event, <G as GameTypes>::Reply>;

/// A [`Session`] that speaks the user's types.
///
/// The server may run another version of the game: things correspond by name
/// ([`crate::client::mirror::Typed`]), and only where a name has changed its
/// meaning the session ends at the Welcome, with [`SessionError::Mismatch`].
/// Events of a variant that this version does not have are skipped and counted.
pub struct TypedSession<G: GameTypes> {
    session: Session,
    own: Arc<Schema>,
    /// The server's, as `words` and `typed` know it.
    server: Arc<Schema>,
    words: Words,
    typed: Typed<G::World>,
    /// The number of the mirror that `typed` follows, and how many frames it has seen.
    follows: (u32, u64),
    /// The input in force, in the client's own words.
    held: Option<Vec<u8>>,
    skipped: u64,
    body: Vec<u8>,
    translated: Vec<u8>,
}

impl<G: GameTypes> fmt::Debug for TypedSession<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedSession").field("session", &self.session).finish_non_exhaustive()
    }
}

impl<G: GameTypes> TypedSession<G> {
    /// A session that starts at `now`; see [`Session::new`]. Errs if the game's
    /// types are beyond the limits of a schema.
    pub fn new(config: Config, now: Time) -> Result<TypedSession<G>, SchemaError> {
        let own = Arc::new(G::schema()?);
        let config = Config { schema: Some(own.clone()), ..config };
        Ok(TypedSession {
            session: Session::new(config, now),
            words: Words::new(&own, &own),
            typed: follower(&own, &own),
            follows: (0, 0),
            server: own.clone(),
            own,
            held: None,
            skipped: 0,
            body: Vec::new(),
            translated: Vec::new(),
        })
    }

    /// The session beneath, to ask it: for its phase, its mirror, its clock …
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The entities, as of the last frame. They stay through an outage.
    pub fn world(&self) -> &G::World {
        self.typed.world()
    }

    /// What keeps the world: tells which of the mirror's
    /// [`Changes`](crate::client::mirror::Changes) concern it.
    pub fn typed(&self) -> &Typed<G::World> {
        &self.typed
    }

    /// Events that this version of the client does not know.
    pub fn events_skipped(&self) -> u64 {
        self.skipped
    }

    /// As [`Session::handle_message`]; the world follows.
    pub fn handle_message(&mut self, bytes: &[u8], now: Time) -> Result<(), SessionError> {
        let taken = self.session.handle_message(bytes, now);
        if let Some(schema) = self.session.schema().filter(|it| !Arc::ptr_eq(it, &self.server)) {
            self.server = schema.clone();
            self.words = Words::new(&self.server, &self.own);
            // The session has forgotten the input in force: it was in other words.
            // A server that does not know it has none.
            let _ = self.put_into_force(now);
        }
        self.follow();
        taken
    }

    /// Puts an input into force; see [`Session::input`].
    pub fn input(&mut self, input: &G::Input, now: Time) -> Result<Option<InputStamp>, SendError> {
        let held = self.held.get_or_insert_default();
        held.clear();
        input.encode(held);
        self.put_into_force(now)
    }

    /// Queues a command; see [`Session::command`].
    pub fn command(
        &mut self,
        command: &G::Command,
        timeout: Duration,
        now: Time,
    ) -> Result<CommandId, SendError> {
        self.session.in_room()?;
        self.body.clear();
        command.encode(&mut self.body);
        self.words.command.say(&self.body, &mut self.translated)?;
        self.session.command(&self.translated, timeout, now)
    }

    /// The next event; see [`Session::poll_event`]. A malformed body ends the connection.
    pub fn poll_event(&mut self) -> Option<TypedEvent<'_, G>> {
        loop {
            let queued = self.session.events.pop()?;
            let (mut event, mut reply) = (None, None);
            match &queued {
                Queued::Event { body, .. } => {
                    let body = self.session.events.body(*body);
                    match self.words.event.hear(body, &mut self.translated) {
                        Ok(Some(known)) => event = Some(known),
                        Ok(None) => {
                            self.skipped += 1;
                            continue;
                        }
                        Err(error) => {
                            self.session.reject(error.into());
                            continue;
                        }
                    }
                }
                Queued::Reply { body, .. } => {
                    let body = self.session.events.body(*body);
                    let heard = self.words.reply.hear(body, &mut self.translated);
                    match heard {
                        Ok(heard) => reply = heard,
                        Err(error) => self.session.reject(error.into()),
                    }
                }
                _ => {}
            }
            let event = |_: &[u8]| event.expect("an event was decoded above");
            return Some(
                self.session.events.show(queued, event, |_| reply.ok_or(NoReply::Unknown)),
            );
        }
    }

    /// See [`Session::handle_open`].
    pub fn handle_open(&mut self, now: Time) {
        self.session.handle_open(now);
    }

    /// See [`Session::handle_close`].
    pub fn handle_close(&mut self, code: u16, text: &str, now: Time) {
        self.session.handle_close(code, text, now);
    }

    /// See [`Session::handle_lost`].
    pub fn handle_lost(&mut self, now: Time) {
        self.session.handle_lost(now);
    }

    /// See [`Session::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        self.session.handle_timeout(now);
    }

    /// See [`Session::deadline`].
    pub fn deadline(&self) -> Option<Time> {
        self.session.deadline()
    }

    /// See [`Session::poll_transmit`].
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.session.poll_transmit(out)
    }

    /// See [`Session::chat`].
    pub fn chat(&mut self, text: &str) -> Result<(), SendError> {
        self.session.chat(text)
    }

    /// See [`Session::pace`].
    pub fn pace(&mut self, every: u8) {
        self.session.pace(every);
    }

    /// See [`Session::refresh`].
    pub fn refresh(&mut self, now: Time) -> bool {
        self.session.refresh(now)
    }

    /// See [`Session::leave`].
    pub fn leave(&mut self) {
        self.session.leave();
    }

    /// See [`Session::rejoin`].
    pub fn rejoin(
        &mut self,
        address: impl Into<String>,
        token: impl Into<String>,
        now: Time,
    ) -> bool {
        self.session.rejoin(address, token, now)
    }

    /// See [`Session::server_tick`].
    pub fn server_tick(&mut self, now: Time) -> Option<TickTime> {
        self.session.server_tick(now)
    }

    /// See [`Session::input_tick`].
    pub fn input_tick(&mut self, now: Time) -> Option<Tick> {
        self.session.input_tick(now)
    }

    /// See [`Session::render_position`].
    pub fn render_position(&mut self, now: Time) -> Option<TickTime> {
        self.session.render_position(now)
    }

    fn put_into_force(&mut self, now: Time) -> Result<Option<InputStamp>, SendError> {
        let Some(held) = &self.held else { return Ok(None) };
        self.words.input.say(held, &mut self.translated)?;
        self.session.input(&self.translated, now)
    }

    /// Brings the world up to the mirror.
    fn follow(&mut self) {
        let Some(mirror) = &self.session.mirror else { return };
        let (number, frames) = (self.session.mirrors, self.session.counters.frames);
        if frames == self.follows.1 {
            return;
        }
        if number != self.follows.0 {
            // Until now the world showed what the mirror before knew last.
            self.typed = follower(&self.server, &self.own);
        }
        self.typed.follow(mirror);
        self.follows = (number, frames);
    }
}

fn follower<W: World>(server: &Schema, own: &Schema) -> Typed<W> {
    Typed::new(server, own).expect("the session refuses a server's schema that is not compatible")
}

/// How the messages of a client and of its server translate into each other.
struct Words {
    input: Direction,
    command: Direction,
    reply: Direction,
    event: Direction,
}

impl Words {
    fn new(server: &Schema, own: &Schema) -> Words {
        Words {
            input: Direction::new(&own.input, &server.input),
            command: Direction::new(&own.command, &server.command),
            reply: Direction::new(&server.reply, &own.reply),
            event: Direction::new(&server.event, &own.event),
        }
    }
}

/// The way of one sort of message from who says it to who hears it.
struct Direction {
    translation: Translation,
    /// Whether only who says it has it at all.
    one_sided: bool,
}

impl Direction {
    fn new(from: &Kind, to: &Kind) -> Direction {
        let one_sided = *to == Kind::default() && from != to;
        Direction { translation: Translation::new(from, to), one_sided }
    }

    /// The client's message in the server's words, in place of what is in `out`.
    fn say(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        out.clear();
        let told = self.translation.translate(body, out);
        if told.is_err() || self.one_sided || !self.translation.knows(body) {
            return Err(SendError::Unknown);
        }
        Ok(())
    }

    /// The server's message, unless the client has no such message.
    fn hear<T: Message>(
        &self,
        body: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Option<T>, codec::Error> {
        scratch.clear();
        self.translation.translate(body, scratch)?;
        if self.one_sided || !self.translation.knows(body) {
            return Ok(None);
        }
        T::decode(scratch).map(Some)
    }
}
