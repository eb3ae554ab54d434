//! What a worker makes rooms from: the registered games.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tickwire_protocol::Time;
use tickwire_protocol::schema::SchemaError;

use super::NotOpened;
use crate::game::{Game, schema_of};
use crate::room::{AnyRoom, Room, RoomConfig, RoomId, SeatId, SignToken};

/// Makes a room; on the thread of its worker, so the room need not be `Send`.
pub(crate) type MakeRoom =
    dyn Fn(&RoomSpec, SignToken, Time) -> Result<Box<dyn AnyRoom>, NotOpened> + Send + Sync;

/// What listings show of a game.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GameInfo {
    /// Its name in addresses and listings.
    pub name: &'static str,
    /// Steps a second.
    pub tick_hz: u32,
    /// Clients get a frame every so many steps.
    pub send_every: u32,
    /// Most players of a room.
    pub seats_max: usize,
    /// The hash of its schema.
    pub schema: u64,
}

/// A registered game.
#[derive(Clone)]
pub(crate) struct GameEntry {
    pub(crate) info: GameInfo,
    pub(crate) make: Arc<MakeRoom>,
}

impl GameEntry {
    /// Registers a game.
    pub(crate) fn of<G: Game>() -> Result<GameEntry, SchemaError> {
        let info = GameInfo {
            name: G::NAME,
            tick_hz: G::TICK_HZ,
            send_every: G::SEND_EVERY.max(1),
            seats_max: G::SEATS_MAX,
            schema: schema_of::<G>()?.hash(),
        };
        Ok(GameEntry { info, make: Arc::new(make::<G>) })
    }
}

fn make<G: Game>(
    spec: &RoomSpec,
    sign: SignToken,
    now: Time,
) -> Result<Box<dyn AnyRoom>, NotOpened> {
    let options = match &spec.options {
        Value::Null => G::Options::default(),
        given => {
            G::Options::deserialize(given).map_err(|error| NotOpened::Options(error.to_string()))?
        }
    };
    let room = Room::<G>::new(spec.id, spec.seed, options, spec.config.clone(), sign, now);
    Ok(Box::new(room.map_err(NotOpened::Refused)?))
}

impl fmt::Debug for GameEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

/// A room to be made.
#[derive(Clone, Debug)]
pub(crate) struct RoomSpec {
    pub(crate) id: RoomId,
    pub(crate) game: GameEntry,
    /// The game's own; null for its defaults.
    pub(crate) options: Value,
    pub(crate) seed: u64,
    pub(crate) config: RoomConfig,
    /// The seat of who it is made for: nobody is faster.
    pub(crate) first: Option<(SeatId, String)>,
    /// Only who knows its id can find it, whatever the game says.
    pub(crate) private: bool,
    /// It has options of its own.
    pub(crate) custom: bool,
}
