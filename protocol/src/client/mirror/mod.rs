//! The mirror: a client's copy of what it is allowed to see.
//!
//! [`Mirror`] works from the schema alone: it decodes a game that it has never
//! seen, and shows tables and fields by name. [`Typed`] stands on top of it and
//! keeps the user's own structs, also where they are of another version than
//! the server's.
//!
//! A frame is applied in one go, and leaves [`Changes`]: what was added, what
//! changed in which leaves, what was removed. A row that leaves one scope and
//! enters another in the same frame is neither added nor removed.
//!
//! Invariants: a row is in one watched scope. Between frames a row that is not
//! in its table's active list stands still: its `past` cells equal its cells.
//! After an error the mirror is broken, and every further frame is refused.

mod convert;
mod motion;
mod rows;
mod typed;
mod view;

pub use crate::change::{Change, Gone, What};
pub use convert::Mismatch;
pub(crate) use convert::{Translation, compatible};
pub use typed::Typed;
pub use view::RowView;

use std::sync::Arc;

use crate::change::Cells;
use crate::chunk::{Decoder, Error as ChunkError};
use crate::frame::{Form, Frame, Step};
use crate::hash;
use crate::heap::Heap;
use crate::limits::{PREDICTED_TICKS_MAX, SCOPES_WATCHED_MAX};
use crate::schema::Schema;
use crate::schema::layout::Layout;
use crate::table::Scope;
use crate::time::Tick;

use motion::Pace;
use rows::{ChangeLog, RowState, TableRows, Target};

/// Why a frame cannot be applied. The connection is of no use any more; a new
/// one begins with the full state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MirrorError {
    /// A chunk is malformed.
    Chunk(ChunkError),
    /// The first frame is not full.
    NoBaseline,
    /// A frame is predicted, and there are no two ticks to draw a line through.
    NoMotion,
    /// A change or a leave of a scope that is not watched, or too many scopes.
    BadScope,
    /// The tick number overflows.
    BadTick,
    /// An earlier frame failed.
    Broken,
}

impl core::fmt::Display for MirrorError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            MirrorError::Chunk(error) => error.fmt(f),
            MirrorError::NoBaseline => f.write_str("the first frame is not full"),
            MirrorError::NoMotion => f.write_str("a predicted frame without two earlier ones"),
            MirrorError::BadScope => f.write_str("a frame speaks of a scope that is not watched"),
            MirrorError::BadTick => f.write_str("the tick number overflows"),
            MirrorError::Broken => f.write_str("an earlier frame could not be applied"),
        }
    }
}

impl core::error::Error for MirrorError {}

impl From<ChunkError> for MirrorError {
    fn from(error: ChunkError) -> Self {
        MirrorError::Chunk(error)
    }
}

/// What the last frame did: removals first, then the rest in no special order.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The tick before.
    pub from: Option<Tick>,
    /// The frame's tick.
    pub tick: Tick,
    /// The frame's rows.
    pub rows: Vec<Change>,
    /// Whether the frame's state hash was the mirror's own; none if it had none.
    pub hash_agrees: Option<bool>,
}

/// A client's copy of the state, by the schema alone.
#[derive(Debug)]
pub struct Mirror {
    schema: Arc<Schema>,
    layout: Arc<Layout>,
    tables: Vec<TableRows>,
    heap: Heap,
    /// Watched scopes, ascending.
    scopes: Vec<Scope>,
    applied: Option<Tick>,
    /// The tick applied before that, if motion may be drawn through both.
    before: Option<Tick>,
    decoder: Decoder,
    /// Counts the frames.
    frame: u64,
    changes: Changes,
    broken: bool,
    /// Whether chunks are left unread.
    blind: bool,
}

impl Mirror {
    /// An empty mirror.
    pub fn new(schema: Arc<Schema>) -> Mirror {
        let layout = Arc::new(Layout::new(&schema));
        Mirror::compiled(schema, layout)
    }

    /// An empty mirror of a schema and its layout.
    pub(crate) fn compiled(schema: Arc<Schema>, layout: Arc<Layout>) -> Mirror {
        Mirror {
            tables: layout.tables.iter().map(TableRows::new).collect(),
            schema,
            layout,
            heap: Heap::default(),
            scopes: Vec::new(),
            applied: None,
            before: None,
            decoder: Decoder::default(),
            frame: 0,
            changes: Changes::default(),
            broken: false,
            blind: false,
        }
    }

    /// The mirror, if it is empty, as one that follows the ticks and leaves all
    /// chunks unread: it has no rows, and compares no hash. For whoever only counts
    /// frames.
    pub fn blind(self) -> Mirror {
        Mirror { blind: true, ..self }
    }

    /// What the rows are of.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The schema, compiled.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The tick that the state is of; none before the first frame.
    pub fn tick(&self) -> Option<Tick> {
        self.applied
    }

    /// The scopes that the server shows, ascending.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// What the last frame did.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The connection ended and a new one goes on from [`Mirror::tick`]: the
    /// state stays, straight lines do not reach across.
    pub fn resume(&mut self) {
        self.before = None;
        for table in &mut self.tables {
            table.stand_still();
        }
    }

    /// Applies a frame. After an error, only a new mirror helps.
    pub fn apply(&mut self, frame: &Frame<'_>) -> Result<&Changes, MirrorError> {
        if self.broken {
            return Err(MirrorError::Broken);
        }
        // Stays so if anything fails.
        self.broken = true;
        let (tick, pace) = self.begin(frame)?;
        if self.blind {
            self.end(tick, pace);
            self.changes.hash_agrees = None;
            self.broken = false;
            return Ok(&self.changes);
        }
        for section in frame.sections() {
            let watched = self.scopes.binary_search(&section.scope);
            match (section.form, watched) {
                (Form::Change, Ok(_)) => {}
                (Form::Whole, Ok(_)) => self.doubt(Some(section.scope)),
                (Form::Whole, Err(place)) if self.scopes.len() < SCOPES_WATCHED_MAX => {
                    self.scopes.insert(place, section.scope);
                }
                (Form::Leave, Ok(place)) => {
                    self.scopes.remove(place);
                    self.doubt(Some(section.scope));
                    continue;
                }
                _ => return Err(MirrorError::BadScope),
            }
            let mut target = Target {
                tables: &mut self.tables,
                layout: &self.layout,
                heap: &mut self.heap,
                scope: section.scope,
                changes: &mut self.changes.rows,
                frame: self.frame,
                pace,
                row: 0,
            };
            let predicted = frame.header.predicted;
            self.decoder.apply(&self.layout, section.chunk, predicted, &mut target)?;
        }
        self.end(tick, pace);
        self.changes.hash_agrees = frame.header.hash.map(|hash| hash == self.hash());
        self.broken = false;
        Ok(&self.changes)
    }

    /// The state hash of everything that is here.
    pub fn hash(&self) -> u32 {
        let mut sum = 0u32;
        for (index, (table, layout)) in self.tables.iter().zip(&self.layout.tables).enumerate() {
            for (info, cells) in table.present() {
                let row = hash::row(index, layout, info.slot, info.generation, cells, &self.heap);
                sum = sum.wrapping_add(row);
            }
        }
        sum
    }

    /// The rows of the table called `name`, in the order of their slots.
    pub fn table(&self, name: &str) -> Option<impl Iterator<Item = RowView<'_>>> {
        Some(self.rows(self.schema.table(name)?))
    }

    /// The rows of the table at `index`, which exists, in the order of their slots.
    pub fn rows(&self, index: usize) -> impl Iterator<Item = RowView<'_>> {
        let table = &self.tables[index];
        table.in_order().map(move |row| self.view(index, row))
    }

    /// The row of an entity, if it is here.
    pub fn row(&self, table: usize, slot: u32, generation: u32) -> Option<RowView<'_>> {
        let rows = self.tables.get(table)?;
        let row = rows.find(slot)?;
        (rows.info(row).generation == generation).then(|| self.view(table, row))
    }

    /// The row of a change of the last frame; of a removed one, its last values.
    pub fn changed_row(&self, change: &Change) -> RowView<'_> {
        self.view(change.table, change.row)
    }

    /// The cells of a table's rows.
    fn cells(&self, table: usize) -> Cells<'_> {
        self.tables[table].all_cells()
    }

    /// The texts of the rows' cells.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    fn view(&self, table: usize, row: u32) -> RowView<'_> {
        let (rows, heap) = (&self.tables[table], &self.heap);
        RowView::new(&self.schema.tables[table], &self.layout.tables[table], rows, row, heap)
    }

    /// Checks the frame's step, and buries the dead of the last frame. Gives the tick,
    /// and how rows get there.
    fn begin(&mut self, frame: &Frame<'_>) -> Result<(Tick, Pace), MirrorError> {
        for (table, layout) in self.tables.iter_mut().zip(&self.layout.tables) {
            table.bury(layout, &mut self.heap);
        }
        self.changes.rows.clear();
        self.frame += 1;
        self.changes.from = self.applied;
        match (frame.header.step, self.applied) {
            (Step::Full(tick), _) => {
                self.scopes.clear();
                self.doubt(None);
                self.applied = None;
                Ok((tick, Pace::Still))
            }
            (Step::Advance(_), None) => Err(MirrorError::NoBaseline),
            (Step::Advance(ahead), Some(applied)) => {
                let tick = applied.0.checked_add(ahead).ok_or(MirrorError::BadTick)?;
                let spans = self.before.map(|before| (before.until(applied), ahead));
                let pace = match (frame.header.predicted, spans) {
                    (false, _) => Pace::Still,
                    (true, Some((apart, ahead)))
                        if apart.max(ahead) <= PREDICTED_TICKS_MAX && apart > 0 =>
                    {
                        Pace::Line { apart, ahead }
                    }
                    (true, _) => return Err(MirrorError::NoMotion),
                };
                Ok((Tick(tick), pace))
            }
        }
    }

    /// Rows of a scope (of all, if none is named) are gone unless the frame
    /// brings them again.
    fn doubt(&mut self, scope: Option<Scope>) {
        for table in &mut self.tables {
            table.doubt(scope);
        }
    }

    /// Lists what happened, and moves the tick on.
    fn end(&mut self, tick: Tick, pace: Pace) {
        let rows = &mut self.changes.rows;
        let mut removed = false;
        for (index, (table, layout)) in self.tables.iter_mut().zip(&self.layout.tables).enumerate()
        {
            let mut log = ChangeLog { rows, table: index, frame: self.frame };
            removed |= table.remove_doubted(&mut log);
            table.move_on(layout, pace, &mut log);
            table.settle();
        }
        if removed {
            rows.sort_unstable_by_key(|change| !matches!(change.what, What::Removed(_)));
        }
        self.before = self.applied;
        self.applied = Some(tick);
        self.changes.tick = tick;
    }
}

impl Mirror {
    /// Panics if an invariant does not hold between two frames. For tests, in
    /// every build: a release must be as testable as what is debugged.
    ///
    /// # Panics
    /// That is its purpose.
    pub fn check(&self) {
        for table in &self.tables {
            for (info, _) in table.present() {
                assert!(self.scopes.contains(&info.scope), "a row in a scope that is not watched");
                assert!(info.state == RowState::Here, "a row between two states");
            }
        }
    }
}
