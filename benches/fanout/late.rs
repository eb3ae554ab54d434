//! How late ticks begin: what a server tells of it, and the ceiling's own account.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine::{SERVER_CORE, Spare};
use super::measure::{Piece, Quantiles};

/// A piece of a measurement: as long as the kernel needs to notice what is stolen, and short
/// enough for some to be without.
pub(crate) const PIECE: Duration = Duration::from_millis(500);

/// What a server tells of a measurement.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Of all ticks, in µs.
    pub(crate) late_us: Option<Quantiles>,
    pub(crate) pieces: Vec<Piece>,
    /// The most that a worker says that it is busy, 0 to 1; of Tickwire.
    pub(crate) busy: Option<f64>,
    /// The most that a worker gives up; of Tickwire.
    pub(crate) sheds: Option<f64>,
}

/// What the server's core has left; nothing where the kernel does not say.
pub(crate) fn spare() -> Spare {
    Spare::of(&[SERVER_CORE]).unwrap_or_default()
}

/// The ticks of a measurement.
pub(crate) struct Ticks {
    late_us: Vec<u32>,
    /// Where the piece that goes on began.
    piece: (usize, Instant, Spare),
    pieces: Vec<Piece>,
}

impl Ticks {
    pub(crate) fn begin() -> Ticks {
        let piece = (0, Instant::now(), spare());
        Ticks { late_us: Vec::with_capacity(1 << 16), piece, pieces: Vec::new() }
    }

    /// A tick begins, so late.
    pub(crate) fn record(&mut self, late: Duration) {
        self.late_us.push(late.as_micros() as u32);
    }

    /// Ends the piece that goes on if its time is over.
    pub(crate) fn divide(&mut self, now: Instant) {
        let (from, begun, before) = self.piece;
        if now < begun + PIECE {
            return;
        }
        let spare = spare();
        if let Some(late) = quantiles(&self.late_us[from..]) {
            self.pieces.push(Piece { late_us: late.p99, stolen: spare.since(before).stolen });
        }
        self.piece = (self.late_us.len(), now, spare);
    }

    pub(crate) fn told(&self) -> Told {
        let (late_us, pieces) = (quantiles(&self.late_us), self.pieces.clone());
        Told { late_us, pieces, ..Told::default() }
    }
}

fn quantiles(us: &[u32]) -> Option<Quantiles> {
    let mut us = us.to_vec();
    us.sort_unstable();
    let at = |share: f64| us.get((share * us.len() as f64) as usize).map(|us| f64::from(*us));
    Some(Quantiles { p50: at(0.5)?, p99: at(0.99)? })
}
