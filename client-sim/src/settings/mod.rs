//! What the program is told: flags, read at the edge into types that cannot be wrong.

mod fault;
mod flags;
mod mix;
mod quantity;

use std::path::PathBuf;
use std::time::Duration;

use crate::net::Address;

pub(crate) use fault::{Delay, Lagged, Slowed, Timed};
pub(crate) use flags::{Arguments, Compare, Order};
pub(crate) use mix::{Behaviour, Decode, Mix};
pub(crate) use quantity::{ByteRate, PerSecond, Share, split};

/// Most bots of one run.
pub(crate) const BOTS_MAX: usize = 200_000;
/// Most threads that bots run on.
pub(crate) const THREADS_MAX: usize = 256;

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) url: Address,
    /// None for the only one that the server has.
    pub(crate) game: Option<String>,
    pub(crate) bots: usize,
    /// At least 1, and at most as many as bots.
    pub(crate) rooms: usize,
    /// What each room is made with; null for the game's defaults.
    pub(crate) room_options: serde_json::Value,
    pub(crate) seconds: Duration,
    pub(crate) seed: u64,
    pub(crate) ramp: PerSecond,
    /// The share of the bots that leaves within a minute.
    pub(crate) churn: Share,
    /// Whether who comes back resumes the seat.
    pub(crate) resume: bool,
    /// None for what suits the game.
    pub(crate) behaviour: Option<Mix>,
    pub(crate) decode: Decode,
    pub(crate) faults: Faults,
    pub(crate) threads: usize,
    pub(crate) report: Option<PathBuf>,
    pub(crate) assertions: Vec<String>,
    pub(crate) quiet: bool,
    pub(crate) plain: bool,
    /// The flags as they can be given again.
    pub(crate) command: String,
}

/// Which bots are unlucky, or bad. The shares together are at most everybody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) stall: Option<Timed>,
    pub(crate) slow: Option<Slowed>,
    pub(crate) lag: Option<Lagged>,
    pub(crate) cut: Option<Timed>,
    pub(crate) hostile: Option<Share>,
}

impl Faults {
    /// The shares of all of them together.
    fn total(&self) -> f64 {
        let shares = [
            self.stall.map(|it| it.share),
            self.slow.map(|it| it.share),
            self.lag.map(|it| it.share),
            self.cut.map(|it| it.share),
            self.hostile,
        ];
        shares.into_iter().flatten().map(Share::fraction).sum()
    }
}
