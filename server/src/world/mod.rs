//! The world as clients may have seen it: what changed since any recent tick,
//! as chunks.
//!
//! The game works on its own tables. After each step [`Ledger::record`] looks at
//! the rows that the game touched, quantises them and keeps what really changed,
//! with enough of the past to say what a client at an earlier tick has. From
//! then on a chunk is a question of two ticks and a scope; who asks does not
//! matter, so one answer serves all clients with the same baseline.
//!
//! Knows nothing of clients, frames or time. Holds no game types.

mod scopes;
mod track;

use std::sync::Arc;

use tickwire_protocol::chunk::Encoder;
use tickwire_protocol::hash;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::limits::PREDICTED_TICKS_MAX;
use tickwire_protocol::schema::Schema;
use tickwire_protocol::schema::layout::Layout;
use tickwire_protocol::table::{Capture, Scope, World};
use tickwire_protocol::time::Tick;

pub(crate) use scopes::ScopeMap;
use track::Track;

/// What a client has of a scope: the state from which a chunk leads to now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Baseline {
    /// Nothing.
    Nothing,
    /// The state at a tick, in a frame that does not predict.
    Plain(Tick),
    /// The state at a tick, in a frame that predicts; and the tick before it at
    /// which the client watched the scope too, if it did.
    Predicted(Tick, Option<Tick>),
}

/// The recorded state of a room, and its recent past.
#[derive(Debug)]
pub struct Ledger {
    layout: Arc<Layout>,
    tracks: Vec<Track>,
    /// Texts of the current rows.
    heap: Heap,
    /// The last recorded tick.
    tick: Option<Tick>,
    /// The oldest tick that a chunk can lead from.
    oldest: Tick,
    /// How many ticks the past reaches back.
    depth: u32,
    encoder: Encoder,
    /// What became of the rows of a table.
    capture: Capture,
}

impl Ledger {
    /// An empty ledger that can lead from any of the last `depth` ticks.
    pub fn new(schema: &Schema, depth: u32) -> Ledger {
        let layout = Arc::new(Layout::new(schema));
        Ledger {
            tracks: layout.tables.iter().map(Track::new).collect(),
            layout,
            heap: Heap::default(),
            tick: None,
            oldest: Tick(0),
            depth,
            encoder: Encoder::default(),
            capture: Capture::default(),
        }
    }

    /// Takes the state after the step of `tick`, which is later than any before.
    pub fn record<W: World>(&mut self, world: &mut W, tick: Tick) {
        debug_assert!(self.tick.is_none_or(|before| before < tick), "ticks ascend");
        self.oldest = match self.tick {
            None => tick,
            Some(_) => self.oldest.max(Tick(tick.0.saturating_sub(self.depth))),
        };
        self.tick = Some(tick);
        for (index, (track, layout)) in self.tracks.iter_mut().zip(&self.layout.tables).enumerate()
        {
            track.forget(self.oldest);
            track.record(layout, world.table_mut(index), tick, &mut self.capture, &mut self.heap);
        }
    }

    /// The last recorded tick.
    pub fn tick(&self) -> Option<Tick> {
        self.tick
    }

    /// Whether chunks can lead from `tick`.
    pub fn reaches(&self, tick: Tick) -> bool {
        self.tick.is_some_and(|now| (self.oldest..=now).contains(&tick))
    }

    /// Whether a client that has applied `before` and then `since` can be given
    /// a frame that predicts.
    pub fn predicts(&self, since: Tick, before: Tick) -> bool {
        self.reaches(before)
            && before < since
            && before.until(since) <= PREDICTED_TICKS_MAX
            && self.tick.is_some_and(|now| since.until(now) <= PREDICTED_TICKS_MAX)
    }

    /// Whether the chunk that leads from a baseline to the last recorded tick can
    /// have anything in it.
    pub fn concerned(&self, scope: Scope, baseline: Baseline) -> bool {
        self.tracks.iter().any(|track| track.concerned(scope, baseline))
    }

    /// Appends the chunk that leads from a baseline to the last recorded tick;
    /// nothing if nothing changed. The baseline's ticks are within reach.
    pub fn chunk(&mut self, scope: Scope, baseline: Baseline, out: &mut Vec<u8>) {
        let now = self.tick.unwrap_or_default();
        self.encoder.begin(matches!(baseline, Baseline::Predicted(..)));
        for (index, (track, layout)) in self.tracks.iter_mut().zip(&self.layout.tables).enumerate()
        {
            if !track.concerned(scope, baseline) {
                continue;
            }
            self.encoder.table(index);
            track.removals(scope, baseline, &mut self.encoder);
            track.spawns(layout, scope, baseline, &self.heap, &mut self.encoder);
            track.updates(layout, scope, baseline, now, &self.heap, &mut self.encoder);
        }
        self.encoder.finish(out);
    }

    /// The state hash of the rows of some scopes.
    pub fn hash(&self, scopes: &[Scope]) -> u32 {
        let rows = self.row_hashes().filter(|(scope, _)| scopes.contains(scope));
        rows.fold(0, |sum, (_, row)| sum.wrapping_add(row))
    }

    /// Adds the state hashes of all scopes that have rows to those of `sums`.
    pub(crate) fn hash_all(&self, sums: &mut ScopeMap<Scope, u32>) {
        for (scope, row) in self.row_hashes() {
            let sum = sums.entry(scope).or_default();
            *sum = sum.wrapping_add(row);
        }
    }

    /// The scope and the hash of each row.
    fn row_hashes(&self) -> impl Iterator<Item = (Scope, u32)> {
        let tables = self.tracks.iter().zip(&self.layout.tables).enumerate();
        tables.flat_map(move |(index, (track, layout))| {
            track.rows().map(move |(slot, generation, scope, cells)| {
                (scope, hash::row(index, layout, slot, generation, cells, &self.heap))
            })
        })
    }
}
