//! What a worker remembers of its rooms, for whoever asks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::{GameMetrics, Tally, WorkerMetrics};
use crate::room::AnyRoom;

use super::{Lateness, Load};

/// A call of a game that takes longer than this is counted and named in the log:
/// nobody on the worker was served meanwhile.
pub const LONG_CALL: Duration = Duration::from_millis(250);

/// Plain numbers: only the worker's thread touches them.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) lateness: Lateness,
    /// How connections ended.
    pub(super) ended: Tally,
    /// By game: what is not in a room that lives.
    games: BTreeMap<&'static str, GameMetrics>,
}

impl Records {
    /// The numbers of a game.
    pub(super) fn of(&mut self, game: &'static str) -> &mut GameMetrics {
        self.games.entry(game).or_default()
    }

    /// A room is gone: what it counted stays.
    pub(super) fn close(&mut self, game: &'static str, room: &dyn AnyRoom) {
        self.of(game).counters += room.counters();
    }

    /// All so far, with the rooms that live.
    pub(super) fn snapshot<'a>(
        &self,
        load: &Load,
        rooms: impl Iterator<Item = (&'static str, &'a dyn AnyRoom)>,
    ) -> WorkerMetrics {
        let mut games = self.games.clone();
        for (game, room) in rooms {
            let game = games.entry(game).or_default();
            game.rooms += 1;
            game.players += room.players() as u64;
            game.counters += room.counters();
        }
        WorkerMetrics {
            busy: load.busy(),
            sheds: load.shedding(),
            reading: load.reading(),
            lateness: self.lateness.clone(),
            ended: self.ended.clone(),
            games,
        }
    }
}
