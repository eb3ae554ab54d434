//! Where players ask for a seat: in a room, or in any room of a game.

use std::time::Duration;

use serde_json::Value;
use tickwire_protocol::token::{Token, TokenKind};

use super::Node;
use crate::game::Refusal;
use crate::room::{RoomId, SeatId};
use crate::token::{unguessable, unix_seconds};
use crate::worker::{Mailbox, NotOpened, NotReserved, RoomSpec};

/// How long a seat, and the token for it, is kept for somebody who has not come.
pub const SEAT_TOKEN_FOR: Duration = Duration::from_secs(15);
/// Rooms that are tried for one player; they may all fill up meanwhile.
const TRIES_MAX: usize = 4;

/// What a player asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// Where.
    pub place: Place,
    /// The name to go by; empty for one that the room gives.
    pub name: String,
}

/// Where a player wants a seat.
#[derive(Clone, PartialEq, Debug)]
pub enum Place {
    /// In this room.
    Room(RoomId),
    /// In an open room of a game, which is made if there is none. With options of
    /// their own, or in private, players always get a new room.
    Game {
        /// The game's name.
        name: String,
        /// The game's own; null for its defaults.
        options: Value,
        /// Only who knows the room's id can find it.
        private: bool,
    },
}

/// A seat that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// What to say hello with, once, within [`SEAT_TOKEN_FOR`].
    pub token: String,
    /// The room.
    pub room: RoomId,
    /// Its game.
    pub game: &'static str,
}

/// Why there is no seat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JoinRefused {
    /// There is no such game.
    NoSuchGame,
    /// There is no such room.
    NoSuchRoom,
    /// All seats are taken.
    RoomFull,
    /// The room lets nobody in.
    RoomLocked,
    /// There are as many rooms as the server may have.
    TooManyRooms,
    /// The server has too much to do.
    Overloaded,
    /// The server stops.
    Stopping,
    /// The options are not what the game understands.
    BadOptions(String),
    /// The game does not want the room.
    Refused(Refusal),
    /// The game failed.
    Failed,
}

impl From<NotOpened> for JoinRefused {
    fn from(reason: NotOpened) -> JoinRefused {
        match reason {
            NotOpened::Options(why) => JoinRefused::BadOptions(why),
            NotOpened::Refused(refusal) => JoinRefused::Refused(refusal),
            NotOpened::Full => JoinRefused::RoomFull,
            NotOpened::Failed => JoinRefused::Failed,
            NotOpened::Stopping => JoinRefused::Stopping,
        }
    }
}

impl From<NotReserved> for JoinRefused {
    fn from(reason: NotReserved) -> JoinRefused {
        match reason {
            NotReserved::NoRoom => JoinRefused::NoSuchRoom,
            NotReserved::Full => JoinRefused::RoomFull,
            NotReserved::Locked => JoinRefused::RoomLocked,
        }
    }
}

impl Node {
    /// Keeps a seat.
    pub(crate) async fn join(&self, wish: Wish) -> Result<Ticket, JoinRefused> {
        if self.drains() {
            return Err(JoinRefused::Stopping);
        }
        match wish.place {
            Place::Room(room) => {
                let entry = self.common.directory.get(room).ok_or(JoinRefused::NoSuchRoom)?;
                self.seat(room, entry.worker, &wish.name).await
            }
            Place::Game { name, options, private } if private || !options.is_null() => {
                self.join_new(&name, options, private, wish.name).await
            }
            Place::Game { name, .. } => self.join_any(&name, &wish.name).await,
        }
    }

    /// Keeps a seat in an open room of a game, or in a new one.
    async fn join_any(&self, game: &str, name: &str) -> Result<Ticket, JoinRefused> {
        let registered = self.games.get(game).ok_or(JoinRefused::NoSuchGame)?;
        if let Some(ticket) = self.join_open(game, name).await? {
            return Ok(ticket);
        }
        let _turn = registered.making.lock().await;
        if let Some(ticket) = self.join_open(game, name).await? {
            return Ok(ticket);
        }
        self.join_new(game, Value::Null, false, name.to_owned()).await
    }

    /// Makes a room with a seat that is kept.
    async fn join_new(
        &self,
        game: &str,
        options: Value,
        private: bool,
        name: String,
    ) -> Result<Ticket, JoinRefused> {
        let seat = SeatId(random()?);
        let room = self.open(game, options, private, Some((seat, name))).await?;
        self.ticket(room, seat)
    }

    async fn join_open(&self, game: &str, name: &str) -> Result<Option<Ticket>, JoinRefused> {
        let mut tried = Vec::new();
        while tried.len() < TRIES_MAX
            && let Some((room, worker)) = self.common.directory.open_room(game, &tried)
        {
            match self.seat(room, worker, name).await {
                Ok(ticket) => return Ok(Some(ticket)),
                Err(
                    JoinRefused::RoomFull
                    | JoinRefused::RoomLocked
                    | JoinRefused::NoSuchRoom
                    | JoinRefused::Overloaded,
                ) => tried.push(room),
                Err(reason) => return Err(reason),
            }
        }
        Ok(None)
    }

    /// Keeps a seat in a room.
    async fn seat(&self, room: RoomId, worker: usize, name: &str) -> Result<Ticket, JoinRefused> {
        let mailbox = &self.workers[worker];
        if !mailbox.load.takes_joins() {
            return Err(JoinRefused::Overloaded);
        }
        let seat = SeatId(random()?);
        mailbox.reserve(room, seat, name.to_owned()).await?;
        self.ticket(room, seat)
    }

    /// What somebody needs to take a seat.
    fn ticket(&self, room: RoomId, seat: SeatId) -> Result<Ticket, JoinRefused> {
        // It may have ended again.
        let entry = self.common.directory.get(room).ok_or(JoinRefused::NoSuchRoom)?;
        let token = Token {
            kind: TokenKind::Seat,
            room: room.0,
            seat: seat.0,
            expires_s: unix_seconds() + SEAT_TOKEN_FOR.as_secs(),
            serial: 0,
            nonce: random()?,
        };
        Ok(Ticket { token: self.common.signer.sign(&token), room, game: entry.game })
    }

    /// Makes a room, with the first seat kept for somebody.
    pub(crate) async fn open(
        &self,
        game: &str,
        options: Value,
        private: bool,
        first: Option<(SeatId, String)>,
    ) -> Result<RoomId, JoinRefused> {
        let game = &self.games.get(game).ok_or(JoinRefused::NoSuchGame)?.entry;
        if self.common.directory.len() >= self.config.rooms_max {
            return Err(JoinRefused::TooManyRooms);
        }
        let mailbox = self.least_busy().ok_or(JoinRefused::Overloaded)?;
        let id = RoomId(random()?);
        let spec = RoomSpec {
            id,
            game: game.clone(),
            custom: !options.is_null(),
            options,
            seed: random()? as u64,
            config: self.room_config(),
            private,
            first,
        };
        mailbox.open(spec).await?;
        Ok(id)
    }

    /// The worker for a new room: of those that take one, which gives up least, then the
    /// least busy by tenths, then the one with the fewest rooms.
    fn least_busy(&self) -> Option<&Mailbox> {
        self.workers
            .iter()
            .map(|worker| (worker, &worker.load))
            .filter(|(_, load)| load.takes_rooms())
            .min_by_key(|(_, it)| (it.shedding(), (it.busy() * 10.0) as u32, it.rooms()))
            .map(|(worker, _)| worker)
    }
}

fn random() -> Result<u128, JoinRefused> {
    unguessable().map_err(|error| {
        tracing::error!(%error, "the operating system has no randomness");
        JoinRefused::Failed
    })
}
