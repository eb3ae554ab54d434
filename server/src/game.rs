//! What a user implements: the rules of a game.
//!
//! A game is a type with state of its own, and a [`World`] of tables that the
//! server replicates. Everything that it may use comes in through [`Cx`]: the
//! world, the players, a seeded generator, the tick, timers, events and scopes.
//! There is no clock and no I/O, so a room can be recorded and replayed. A game
//! lives on one thread and need not be `Send`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::time::Duration;

use rand_pcg::Pcg64Mcg;
/// What gives numbers out of [`Cx::rng`].
pub use rand_pcg::rand_core::Rng;
use rand_pcg::rand_core::SeedableRng;
use serde::de::DeserializeOwned;
use tickwire_protocol::limits::SCOPES_WATCHED_MAX;
pub use tickwire_protocol::player::PlayerId;
use tickwire_protocol::schema::{Schema, SchemaError};
use tickwire_protocol::{Message, Scope, Tick, World};

use crate::text::clean_name;

/// The rules of a game.
pub trait Game: Sized + 'static {
    /// Its name in addresses and listings: letters, digits and `_`.
    const NAME: &'static str;
    /// Steps a second, 1 to 240.
    const TICK_HZ: u32;
    /// Clients get a frame every so many steps.
    const SEND_EVERY: u32 = 1;
    /// Most players of a room, unless it says less: see [`Listing::seats_max`].
    const SEATS_MAX: usize = 64;

    /// The replicated state.
    type World: World;
    /// A player's controls. The default is neutral: hands off.
    type Input: Message + Clone + PartialEq + Default;
    /// Requests; `()` for none.
    type Command: Message;
    /// Answers to them; `()` for none.
    type Reply: Message;
    /// One-off messages to clients; `()` for none.
    type Event: Message;
    /// What a room can be created with.
    type Options: DeserializeOwned + Default;

    /// Makes a room.
    fn create(options: Self::Options, cx: &mut Cx<Self>) -> Result<Self, Refusal>;

    /// A player wants to come in. Who is refused never was here.
    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal>;

    /// One step of `1 / TICK_HZ` seconds.
    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Self::Input>);

    /// A player is gone for good.
    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, why: Leave);

    /// A player lost the connection, or has it again. The seat is theirs meanwhile.
    fn presence(&mut self, _cx: &mut Cx<Self>, _player: PlayerId, _presence: Presence) {}

    /// A player asks for something.
    fn command(
        &mut self,
        _cx: &mut Cx<Self>,
        _player: PlayerId,
        _command: Self::Command,
    ) -> Result<Self::Reply, Refusal> {
        Err(Refusal::new(Refusal::UNKNOWN, "this game has no commands"))
    }

    /// A player says something to all. The text is within its limit and has no
    /// control characters.
    fn chat(&mut self, _cx: &mut Cx<Self>, _player: PlayerId, _text: &str) -> Result<(), Refusal> {
        Ok(())
    }

    /// The room is about to end.
    fn dispose(&mut self, _cx: &mut Cx<Self>) {}
}

/// The schema of a game.
pub fn schema_of<G: Game>() -> Result<Schema, SchemaError> {
    Schema::new(
        G::World::schema(),
        G::Input::schema(),
        G::Command::schema(),
        G::Reply::schema(),
        G::Event::schema(),
    )
}

/// A player as the game sees them.
#[derive(Clone, Debug)]
pub struct Player {
    /// Their number.
    pub id: PlayerId,
    /// The name that they go by.
    pub name: String,
    /// Whether they have a connection now.
    pub connected: bool,
    /// The scope that only they watch.
    pub private: Scope,
}

/// Why a player is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// They left.
    Left,
    /// They lost the connection and did not come back in time.
    TimedOut,
    /// The server removed them.
    Removed,
}

/// Whether a player who has a seat has a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// The connection is lost.
    Dropped,
    /// It is there again.
    Resumed,
}

/// Why something is not done, for the client to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// For programs: from 100 on the game's own.
    pub code: u16,
    /// For people.
    pub text: String,
}

impl Refusal {
    /// There is no such request.
    pub const UNKNOWN: u16 = 1;
    /// The request is not one of the schema's.
    pub const MALFORMED: u16 = 2;
    /// Too many requests.
    pub const TOO_MANY: u16 = 3;

    /// A refusal with a code and a text.
    pub fn new(code: u16, text: impl Into<String>) -> Refusal {
        Refusal { code, text: text.into() }
    }
}

/// The controls of all players for one step: held from the last change on.
#[derive(Clone, Debug)]
pub struct Inputs<I> {
    /// Everybody who has a seat, by player number.
    held: Vec<(PlayerId, I)>,
    neutral: I,
}

impl<I> Inputs<I> {
    /// A player's controls; neutral if they are not here.
    pub fn of(&self, player: PlayerId) -> &I {
        self.place(player).map_or(&self.neutral, |place| &self.held[place].1)
    }

    /// Everybody's, by player number.
    pub fn iter(&self) -> impl Iterator<Item = (PlayerId, &I)> {
        self.held.iter().map(|(player, input)| (*player, input))
    }

    /// Nobody's.
    pub(crate) fn new(neutral: I) -> Inputs<I> {
        Inputs { held: Vec::new(), neutral }
    }

    /// A player's controls are these from now on.
    pub(crate) fn hold(&mut self, player: PlayerId, input: I) {
        match self.place(player) {
            Ok(place) => self.held[place].1 = input,
            Err(place) => self.held.insert(place, (player, input)),
        }
    }

    /// A player is gone.
    pub(crate) fn forget(&mut self, player: PlayerId) {
        if let Ok(place) = self.place(player) {
            self.held.remove(place);
        }
    }

    /// Where a player is, or would be.
    fn place(&self, player: PlayerId) -> Result<usize, usize> {
        // Numbers count up: until somebody leaves, they are places as well.
        let first = self.held.first().map_or(player.0, |(first, _)| first.0);
        let guess = player.0.wrapping_sub(first) as usize;
        match self.held.get(guess) {
            Some((there, _)) if *there == player => Ok(guess),
            _ => self.held.binary_search_by_key(&player, |(there, _)| *there),
        }
    }
}

/// How an event treats clients that fall behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A client that skips the event's tick does not get it.
    Transient,
    /// It waits for the client, up to a limit; then the connection ends.
    Reliable,
}

/// Who gets an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// Whoever watches a scope.
    Scope(Scope),
    /// One player.
    Player(PlayerId),
}

/// What the game tells clients, on its way out of a step.
#[derive(Debug)]
pub struct Events<E> {
    pub(crate) outgoing: Vec<Outgoing<E>>,
}

/// An event on its way.
#[derive(Debug)]
pub(crate) struct Outgoing<E> {
    pub(crate) to: To,
    pub(crate) class: Class,
    pub(crate) event: E,
}

impl<E> Events<E> {
    /// Tells everybody, except who skips this tick.
    pub fn emit(&mut self, event: E) {
        self.emit_to(To::Scope(Scope::ROOM), Class::Transient, event);
    }

    /// Tells some, in one way or the other.
    pub fn emit_to(&mut self, to: To, class: Class, event: E) {
        self.outgoing.push(Outgoing { to, class, event });
    }
}

/// What the game wants to be reminded of, in ticks.
#[derive(Debug, Default)]
pub struct Timers {
    /// The step under way.
    now: Tick,
    waiting: BinaryHeap<Reverse<(Tick, u64)>>,
}

impl Timers {
    /// Has [`Timers::due`] give `what` in a later step.
    pub fn after(&mut self, ticks: u32, what: u64) {
        self.waiting.push(Reverse((self.now.after(ticks.max(1)), what)));
    }

    /// A timer that is due, the earliest first; ask until there is none.
    pub fn due(&mut self) -> Option<u64> {
        let Reverse((tick, what)) = *self.waiting.peek()?;
        if tick > self.now {
            return None;
        }
        self.waiting.pop();
        Some(what)
    }
}

/// What a listing shows of a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// A line for people; empty shows the game's name.
    pub title: String,
    /// Whether nobody else may join.
    pub locked: bool,
    /// Whether only who knows its id can find it.
    pub private: bool,
    /// Most players: [`Game::SEATS_MAX`] unless the game says less. Who has a seat
    /// keeps it.
    pub seats_max: usize,
}

/// Numbers of scopes that are never given out: a game may use them as it likes,
/// say one for each cell of a grid.
pub const OWN_SCOPES: Range<u32> = 1 << 20..1 << 29;

/// What a game may use. The fields stand side by side: an event can be emitted
/// while a row of the world is borrowed.
pub struct Cx<G: Game> {
    /// The replicated state.
    pub world: G::World,
    /// A generator that gives the same numbers for the same seed, everywhere.
    pub rng: Pcg64Mcg,
    /// The step under way, or the last one. The room counts by itself: to write to
    /// it changes nothing.
    pub tick: Tick,
    /// One-off messages to clients.
    pub events: Events<G::Event>,
    /// What comes due in later steps.
    pub timers: Timers,
    /// What listings show of the room.
    pub listing: Listing,
    pub(crate) players: BTreeMap<PlayerId, Player>,
    /// Who watches what, beside the room and their own: sorted, without doubles.
    pub(crate) watches: BTreeMap<PlayerId, Vec<Scope>>,
    /// Somebody came, or watches other scopes than after the last step.
    pub(crate) watches_changed: bool,
    /// Named groups, in the order of their scopes.
    pub(crate) groups: Vec<(String, Scope)>,
    pub(crate) scopes: u32,
    /// Players that the game does not want any more.
    pub(crate) removals: Vec<PlayerId>,
    pub(crate) ends: bool,
}

impl<G: Game> Cx<G> {
    pub(crate) fn new(seed: u64) -> Cx<G> {
        Cx {
            world: G::World::default(),
            rng: Pcg64Mcg::seed_from_u64(seed),
            tick: Tick(0),
            events: Events { outgoing: Vec::new() },
            timers: Timers::default(),
            listing: Listing {
                title: String::new(),
                locked: false,
                private: false,
                seats_max: G::SEATS_MAX,
            },
            players: BTreeMap::new(),
            watches: BTreeMap::new(),
            watches_changed: false,
            groups: Vec::new(),
            scopes: 0,
            removals: Vec::new(),
            ends: false,
        }
    }

    /// A step begins.
    pub(crate) fn begin(&mut self, tick: Tick) {
        (self.tick, self.timers.now) = (tick, tick);
    }

    /// The length of a step, in seconds.
    pub fn dt(&self) -> f32 {
        1.0 / G::TICK_HZ as f32
    }

    /// How many ticks a time takes, at least 1.
    pub fn ticks(&self, time: Duration) -> u32 {
        ((time.as_secs_f64() * f64::from(G::TICK_HZ)).ceil() as u32).max(1)
    }

    /// A random number below `n`; 0 if `n` is.
    pub fn random_below(&mut self, n: u32) -> u32 {
        ((u64::from(self.rng.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// A random number from 0 to below 1.
    pub fn random(&mut self) -> f32 {
        // As many bits as the number holds.
        (self.rng.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// A player who has a seat.
    pub fn player(&self, id: PlayerId) -> Option<&Player> {
        self.players.get(&id)
    }

    /// Everybody who has a seat, by number.
    pub fn players(&self) -> impl Iterator<Item = &Player> {
        self.players.values()
    }

    /// A player goes by another name from now on, in chat too. Gives it as it is:
    /// without control characters, and cut at the limit of a name. Nothing if they
    /// are not here.
    pub fn rename(&mut self, player: PlayerId, name: &str) -> Option<&str> {
        let player = self.players.get_mut(&player)?;
        player.name = clean_name(name);
        Some(&player.name)
    }

    /// A scope by name, which is made when it is asked for first: a team, say.
    pub fn group(&mut self, name: &str) -> Scope {
        if let Some((_, scope)) = self.groups.iter().find(|(own, _)| own == name) {
            return *scope;
        }
        let scope = self.new_scope();
        self.groups.push((name.to_owned(), scope));
        scope
    }

    /// A scope that nobody else has.
    pub fn new_scope(&mut self) -> Scope {
        self.scopes += 1;
        if self.scopes == OWN_SCOPES.start {
            self.scopes = OWN_SCOPES.end;
        }
        Scope(self.scopes)
    }

    /// The player sees a scope from now on; `false` if they see as many as they
    /// can ([`SCOPES_WATCHED_MAX`], with the room and their own).
    pub fn watch(&mut self, player: PlayerId, scope: Scope) -> bool {
        let own = self.players.get(&player).map(|player| player.private);
        if scope == Scope::ROOM || own == Some(scope) {
            return true;
        }
        let Some(watches) = self.watches.get_mut(&player) else { return false };
        let Err(place) = watches.binary_search(&scope) else { return true };
        if watches.len() + 2 >= SCOPES_WATCHED_MAX {
            return false;
        }
        watches.insert(place, scope);
        self.watches_changed = true;
        true
    }

    /// The player does not see a scope any more. The room and their own stay.
    pub fn unwatch(&mut self, player: PlayerId, scope: Scope) {
        let own = self.players.get(&player).map(|player| player.private);
        if scope == Scope::ROOM || own == Some(scope) {
            return;
        }
        if let Some(watches) = self.watches.get_mut(&player)
            && let Ok(place) = watches.binary_search(&scope)
        {
            watches.remove(place);
            self.watches_changed = true;
        }
    }

    /// The player has to go, after this step.
    pub fn remove(&mut self, player: PlayerId) {
        self.removals.push(player);
    }

    /// The room ends after this step.
    pub fn end(&mut self) {
        self.ends = true;
    }
}

#[cfg(test)]
mod tests;
