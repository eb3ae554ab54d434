//! One table's recorded rows and their past.
//!
//! The past is an undo log: whenever a row changes, its old cells are kept with
//! the tick of the change. So rows that stand still cost nothing, and the row at
//! an earlier tick is the oldest undo entry that is younger than that tick. For
//! a client that is up to date that is the first one looked at.

use std::collections::VecDeque;

use tickwire_protocol::chunk::{Encoder, Moving, Update};
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::layout::TableLayout;
use tickwire_protocol::table::{AnyTable, Scope};
use tickwire_protocol::time::Tick;

use super::{Baseline, ScopeMap};

/// The recorded rows of one table.
#[derive(Debug)]
pub(super) struct Track {
    /// Cells of a row.
    stride: usize,
    /// By slot.
    rows: Vec<Row>,
    /// The rows' cells, by slot.
    cells: Vec<i64>,
    undo: Undo,
    /// Rows that left a scope or the world, oldest first.
    removals: VecDeque<Removal>,
    /// When anything changed last in each scope; one without a change within
    /// the past may be missing.
    changed: ScopeMap<Scope, Tick>,
    /// How many scopes `changed` may have before the old ones go.
    scopes_kept: usize,
    /// When a row entered a scope last.
    entered: Tick,
    /// A row under comparison.
    scratch: Vec<i64>,
    /// The removals of one chunk.
    leaving: Vec<(u32, bool)>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// 0 if there is no entity.
    generation: u32,
    scope: Scope,
    /// Since when it is in the scope.
    entered: Tick,
    /// When its cells changed last.
    changed: Tick,
    /// Its youngest undo entry, if it has one that is not forgotten.
    undo: u64,
}

/// Scopes whose last change a table always remembers.
const SCOPES_KEPT_MIN: usize = 256;
const VACANT: Row =
    Row { generation: 0, scope: Scope::ROOM, entered: Tick(0), changed: Tick(0), undo: NO_UNDO };
/// No entry of the undo log: they are numbered from 1.
const NO_UNDO: u64 = 0;

#[derive(Clone, Copy, Debug)]
struct Removal {
    tick: Tick,
    slot: u32,
    scope: Scope,
    /// Since when it was in the scope.
    entered: Tick,
    /// Whether the entity is gone, and not elsewhere.
    despawned: bool,
}

impl Track {
    pub(super) fn new(layout: &TableLayout) -> Track {
        Track {
            stride: layout.cells,
            rows: Vec::new(),
            cells: Vec::new(),
            undo: Undo::new(layout.cells),
            removals: VecDeque::new(),
            changed: ScopeMap::default(),
            scopes_kept: SCOPES_KEPT_MIN,
            entered: Tick(0),
            scratch: vec![0; layout.cells],
            leaving: Vec::new(),
        }
    }

    /// Forgets what only clients before `oldest` would need.
    pub(super) fn forget(&mut self, oldest: Tick) {
        self.undo.forget(oldest);
        while self.removals.front().is_some_and(|removal| removal.tick <= oldest) {
            self.removals.pop_front();
        }
        if self.changed.len() > self.scopes_kept {
            self.changed.retain(|_, changed| *changed > oldest);
            self.scopes_kept = (2 * self.changed.len()).max(SCOPES_KEPT_MIN);
        }
    }

    /// Records what became of a slot that the game touched.
    pub(super) fn record(
        &mut self,
        layout: &TableLayout,
        table: &dyn AnyTable,
        slot: u32,
        tick: Tick,
        heap: &mut Heap,
    ) {
        let at = slot as usize;
        if self.rows.len() <= at {
            self.rows.resize(at + 1, VACANT);
            self.cells.resize((at + 1) * self.stride, 0);
        }
        let occupant = table.occupant(slot);
        let row = &mut self.rows[at];
        let cells = &mut self.cells[at * self.stride..][..self.stride];

        let stays = occupant.is_some_and(|(generation, _)| generation == row.generation);
        if row.generation != 0 && !stays {
            self.removals.push_back(row.removal(slot, tick, true));
            layout.record.wipe(cells, heap);
            self.changed.insert(row.scope, tick);
            *row = VACANT;
        }
        let Some((generation, scope)) = occupant else { return };
        if row.generation == 0 {
            *row = Row { generation, scope, entered: tick, changed: tick, undo: NO_UNDO };
            table.store(slot, cells, heap);
            self.changed.insert(scope, tick);
            self.entered = tick;
            return;
        }
        if row.scope != scope {
            self.removals.push_back(row.removal(slot, tick, false));
            self.changed.insert(row.scope, tick);
            self.changed.insert(scope, tick);
            (row.scope, row.entered) = (scope, tick);
            self.entered = tick;
        }
        self.scratch.copy_from_slice(cells);
        table.store(slot, cells, heap);
        let touched = layout.record.differing(&self.scratch, cells);
        if touched != 0 {
            let undo = UndoEntry { tick, before: row.undo, touched };
            row.undo = self.undo.push(undo, &self.scratch);
            row.changed = tick;
            self.changed.insert(scope, tick);
        }
    }

    /// Whether a chunk from this baseline can have anything of this table.
    pub(super) fn concerned(&self, scope: Scope, baseline: Baseline) -> bool {
        let since = match baseline {
            Baseline::Nothing => return !self.rows.is_empty(),
            Baseline::Plain(since) | Baseline::Predicted(since, None) => since,
            Baseline::Predicted(_, Some(before)) => before,
        };
        self.changed.get(&scope).is_some_and(|changed| *changed > since)
    }

    /// The rows that the client has and that left.
    pub(super) fn removals(&mut self, scope: Scope, baseline: Baseline, encoder: &mut Encoder) {
        let (Baseline::Plain(since) | Baseline::Predicted(since, _)) = baseline else { return };
        let young = self.removals.iter().rev().take_while(|removal| removal.tick > since);
        self.leaving.extend(
            young
                .filter(|removal| removal.scope == scope && removal.entered <= since)
                .map(|removal| (removal.slot, removal.despawned)),
        );
        self.leaving.sort_unstable();
        for &(slot, _) in self.leaving.iter().filter(|leaving| leaving.1) {
            encoder.despawn(slot);
        }
        for &(slot, _) in self.leaving.iter().filter(|leaving| !leaving.1) {
            encoder.depart(slot);
        }
        self.leaving.clear();
    }

    /// The rows that the client does not have.
    pub(super) fn spawns(
        &self,
        layout: &TableLayout,
        scope: Scope,
        baseline: Baseline,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let since = match baseline {
            Baseline::Nothing => None,
            Baseline::Plain(since) | Baseline::Predicted(since, _) => Some(since),
        };
        if since.is_some_and(|since| self.entered <= since) {
            return;
        }
        for (slot, row) in self.rows.iter().enumerate() {
            let here = row.generation != 0 && row.scope == scope;
            if here && since.is_none_or(|since| row.entered > since) {
                let cells = &self.cells[slot * self.stride..][..self.stride];
                encoder.spawn(layout, slot as u32, row.generation, cells, heap);
            }
        }
    }

    /// The rows that the client has and that are not what it has.
    pub(super) fn updates(
        &self,
        layout: &TableLayout,
        scope: Scope,
        baseline: Baseline,
        now: Tick,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let (since, before) = match baseline {
            Baseline::Nothing => return,
            Baseline::Plain(since) | Baseline::Predicted(since, None) => (since, None),
            Baseline::Predicted(since, Some(before)) => (since, Some(before)),
        };
        match before {
            None => self.updates_plain(layout, scope, since, heap, encoder),
            Some(before) => {
                let ends = Ends { before, since, now };
                self.updates_along(layout, scope, ends, heap, encoder);
            }
        }
    }

    /// The updates of a client that has the row at a tick.
    fn updates_plain(
        &self,
        layout: &TableLayout,
        scope: Scope,
        since: Tick,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let rows = self.changed_since(scope, since, since).map(|(slot, row, new)| {
            let (mask, base) = self.base(layout, row, new, since);
            Update { slot, mask, base, new }
        });
        encoder.updates(layout, rows, heap);
    }

    /// A row's cells at a tick, and in which leaves they differ from those now.
    #[inline(always)]
    fn base<'a>(
        &'a self,
        layout: &TableLayout,
        row: &Row,
        new: &'a [i64],
        since: Tick,
    ) -> (u64, &'a [i64]) {
        let back = self.undo.back(since, Back::from(row.undo));
        let base = self.undo.cells(back.oldest).unwrap_or(new);
        // What one step did is known; of several, one may take another back.
        let mask = match back.oldest == row.undo {
            true => back.touched,
            false => layout.record.differing_among(back.touched, base, new),
        };
        (mask, base)
    }

    /// The updates of a client that draws a line through the row at two ticks.
    fn updates_along(
        &self,
        layout: &TableLayout,
        scope: Scope,
        ends: Ends,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let Ends { before, since, now } = ends;
        let rows = self.changed_since(scope, since, before).map(|(slot, row, new)| {
            let back = self.undo.back(since, Back::from(row.undo));
            let later = self.undo.cells(back.oldest).unwrap_or(new);
            // A row that came after the earlier tick stands still on the client.
            let earlier = match row.entered > before {
                true => later,
                false => {
                    let back = self.undo.back(before, back);
                    self.undo.cells(back.oldest).unwrap_or(new)
                }
            };
            Moving { slot, touched: back.touched, earlier, later, new }
        });
        encoder.updates_along(layout, (before.until(since), since.until(now)), rows, heap);
    }

    /// The rows that were in a scope at a tick and still are, and that changed
    /// after another: slot, row and cells.
    #[inline(always)]
    fn changed_since(
        &self,
        scope: Scope,
        entered: Tick,
        changed: Tick,
    ) -> impl Iterator<Item = (u32, &Row, &[i64])> {
        // Rows without cells never change.
        let each = self.rows.iter().zip(self.cells.chunks_exact(self.stride.max(1)));
        each.enumerate().filter_map(move |(slot, (row, cells))| {
            let here = row.generation != 0 && row.scope == scope && row.entered <= entered;
            (here && row.changed > changed).then_some((slot as u32, row, cells))
        })
    }

    /// Slot, generation, scope and cells of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, u32, Scope, &[i64])> {
        self.rows.iter().enumerate().filter(|(_, row)| row.generation != 0).map(|(slot, row)| {
            let cells = &self.cells[slot * self.stride..][..self.stride];
            (slot as u32, row.generation, row.scope, cells)
        })
    }
}

impl Row {
    fn removal(&self, slot: u32, tick: Tick, despawned: bool) -> Removal {
        Removal { tick, slot, scope: self.scope, entered: self.entered, despawned }
    }
}

/// Old rows, in a ring that grows to what the history needs and stays there.
#[derive(Debug)]
struct Undo {
    stride: usize,
    /// By number modulo the ring's size.
    entries: Vec<UndoEntry>,
    /// The cells before each change.
    cells: Vec<i64>,
    /// The number of the oldest entry.
    first: u64,
    /// The number of the next entry.
    next: u64,
}

/// One change of one row.
#[derive(Clone, Copy, Debug)]
struct UndoEntry {
    tick: Tick,
    /// The entry before it of the same row.
    before: u64,
    /// The leaves that it changed.
    touched: u64,
}

/// How far it is back through a row's changes, and what was met.
#[derive(Clone, Copy, Debug)]
struct Back {
    /// The last entry, which has the cells from before all of them.
    oldest: u64,
    /// The entry before it.
    next: u64,
    /// The leaves that they changed.
    touched: u64,
}

impl Back {
    /// Nothing is met yet.
    fn from(next: u64) -> Back {
        Back { oldest: NO_UNDO, next, touched: 0 }
    }
}

/// The ticks of a line and of the chunk.
#[derive(Clone, Copy, Debug)]
struct Ends {
    before: Tick,
    since: Tick,
    now: Tick,
}

impl Undo {
    fn new(stride: usize) -> Undo {
        Undo { stride, entries: Vec::new(), cells: Vec::new(), first: 1, next: 1 }
    }

    /// The place of an entry in the ring, whose size is a power of two.
    #[inline]
    fn place(&self, number: u64) -> usize {
        number as usize & self.entries.len().wrapping_sub(1)
    }

    fn push(&mut self, entry: UndoEntry, cells: &[i64]) -> u64 {
        if self.next - self.first == self.entries.len() as u64 {
            self.grow();
        }
        let place = self.place(self.next);
        self.entries[place] = entry;
        self.cells[place * self.stride..][..self.stride].copy_from_slice(cells);
        self.next += 1;
        self.next - 1
    }

    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(64);
        let mut grown = Undo {
            stride: self.stride,
            entries: vec![UndoEntry { tick: Tick(0), before: NO_UNDO, touched: 0 }; size],
            cells: vec![0; size * self.stride],
            ..*self
        };
        for number in self.first..self.next {
            let (old, new) = (self.place(number), grown.place(number));
            grown.entries[new] = self.entries[old];
            grown.cells[new * self.stride..][..self.stride]
                .copy_from_slice(&self.cells[old * self.stride..][..self.stride]);
        }
        *self = grown;
    }

    /// Drops what changed at `oldest` or before: nobody asks for what was before that.
    fn forget(&mut self, oldest: Tick) {
        while self.first < self.next && self.entries[self.place(self.first)].tick <= oldest {
            self.first += 1;
        }
    }

    /// Goes on back to the last entry that is younger than `tick`.
    #[inline(always)]
    fn back(&self, tick: Tick, mut back: Back) -> Back {
        // No entry is less than the first one.
        while back.next >= self.first {
            let Some(entry) = self.entries.get(self.place(back.next)) else { break };
            if entry.tick <= tick {
                break;
            }
            back = Back {
                oldest: back.next,
                next: entry.before,
                touched: back.touched | entry.touched,
            };
        }
        back
    }

    /// The cells that an entry has.
    #[inline(always)]
    fn cells(&self, number: u64) -> Option<&[i64]> {
        if number == NO_UNDO {
            return None;
        }
        self.cells.get(self.place(number) * self.stride..)?.get(..self.stride)
    }
}
