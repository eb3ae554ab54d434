//! The rows of one table of a mirror, and what a chunk may do to them.

use super::motion::{self, Motion, Pace, WithMotion};
use super::{Change, Gone, What};
use crate::change::Cells;
use crate::chunk::{Error, ReadUpdates, Rows, Shift, Updates};
use crate::heap::Heap;
use crate::limits::{MIRROR_BYTES_MAX, SLOTS_MAX};
use crate::schema::layout::{Layout, TableLayout};
use crate::table::Scope;

/// Slots of one page of the index.
const PAGE: usize = 128;
/// In the index: no row.
const NONE: u32 = u32::MAX;
/// Rows that are moved on at once where the updates pass over them: more would be looked
/// at again and again if slots and rows were in quite another order.
const PASSED_MAX: u32 = 8;
/// What one row costs beside its cells, about.
const ROW_BYTES: usize = 64;

/// The rows of one table. Rows are dense; an index leads from slots to them, so
/// that a high slot costs no more than a page.
#[derive(Debug)]
pub(super) struct TableRows {
    /// Cells of a row.
    stride: usize,
    /// The motion cells of a row.
    motion_at: Vec<usize>,
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    infos: Vec<RowInfo>,
    cells: Vec<i64>,
    /// The motion cells of each row at the tick before the last.
    past: Vec<i64>,
    free: Vec<u32>,
    /// Rows whose past differs from their cells, or may.
    active: Vec<u32>,
    /// How many of them this frame has updated already, so that they are to stay.
    moving: u32,
    /// Rows that came into a scope in this frame.
    arriving: Vec<u32>,
    /// Rows that may be gone at the end of this frame.
    doubted: Vec<u32>,
    /// Rows that this frame has removed: their last values can still be read.
    dead: Vec<u32>,
}

/// What is known of a row beside its cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowInfo {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) scope: Scope,
    pub(super) state: RowState,
    /// Whether it is in `active`.
    active: bool,
    /// Whether its past differs from its cells, if the frame has got to it already.
    moves: bool,
    /// Where the list of the frame in which it last changed has it.
    change: u32,
    /// The last frame that had something for it.
    frame: u64,
}

impl RowInfo {
    /// Whether an update of a slot in a scope is for this row.
    #[inline(always)]
    fn takes(&self, slot: u32, scope: Scope) -> bool {
        self.slot == slot && self.scope == scope && self.state == RowState::Here
    }
}

/// Where a row is in the life of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowState {
    /// Nothing special: the state of every row between frames.
    Here,
    /// New in this frame.
    Fresh,
    /// Was here before, and came into its scope in this frame.
    Arrived,
    /// Will be gone at the end of the frame, unless a scope brings it again.
    Doubted(Gone),
    /// Gone; the row is reused after the next frame began.
    Dead,
}

impl TableRows {
    pub(super) fn new(layout: &TableLayout) -> TableRows {
        TableRows {
            stride: layout.cells,
            motion_at: layout.motions.iter().map(|motion| motion.at).collect(),
            pages: Vec::new(),
            infos: Vec::new(),
            cells: Vec::new(),
            past: Vec::new(),
            free: Vec::new(),
            active: Vec::new(),
            moving: 0,
            arriving: Vec::new(),
            doubted: Vec::new(),
            dead: Vec::new(),
        }
    }

    /// The row of a slot.
    #[inline]
    pub(super) fn find(&self, slot: u32) -> Option<u32> {
        find(&self.pages, slot)
    }

    pub(super) fn info(&self, row: u32) -> &RowInfo {
        &self.infos[row as usize]
    }

    #[inline]
    pub(super) fn cells(&self, row: u32) -> &[i64] {
        &self.cells[row as usize * self.stride..][..self.stride]
    }

    /// The cells of all rows.
    pub(super) fn all_cells(&self) -> Cells<'_> {
        Cells::new(&self.cells, self.stride)
    }

    /// The rows that are here, with their cells.
    pub(super) fn present(&self) -> impl Iterator<Item = (&RowInfo, &[i64])> {
        let rows = self.infos.iter().enumerate();
        rows.filter(|(_, info)| info.state != RowState::Dead)
            .map(|(row, info)| (info, self.cells(row as u32)))
    }

    /// The rows that are here, by slot.
    pub(super) fn in_order(&self) -> impl Iterator<Item = u32> {
        self.pages.iter().flatten().flat_map(|page| page.iter().copied()).filter(|&row| row != NONE)
    }

    /// The bytes that all rows take.
    fn bytes(&self) -> usize {
        self.infos.len() * (ROW_BYTES + 8 * (self.stride + self.motion_at.len()))
    }

    /// Makes the rows that the last frame removed ready for others.
    pub(super) fn bury(&mut self, layout: &TableLayout, heap: &mut Heap) {
        for row in self.dead.drain(..) {
            let cells = &mut self.cells[row as usize * self.stride..][..self.stride];
            layout.record.wipe(cells, heap);
            self.free.push(row);
        }
    }

    /// Motion stops where it is, between two frames.
    pub(super) fn stand_still(&mut self) {
        let TableRows { stride, motion_at, cells, past, active, .. } = self;
        for &row in active.iter() {
            let cells = &cells[row as usize * *stride..][..*stride];
            let past = &mut past[row as usize * motion_at.len()..][..motion_at.len()];
            for (past, &at) in past.iter_mut().zip(motion_at.iter()) {
                *past = cells[at];
            }
        }
    }

    /// Moves the rows on that the frame has nothing for, lists those that changed, and
    /// forgets all that stand still now.
    #[inline(never)]
    pub(super) fn move_on(&mut self, layout: &TableLayout, pace: Pace, log: &mut ChangeLog<'_>) {
        let all = core::mem::take(&mut self.moving) as usize == self.active.len();
        if all && self.arriving.is_empty() && self.dead.is_empty() {
            return;
        }
        motion::choose(layout, pace, MoveOn { rows: self, log });
    }

    fn move_all_on<const N: usize>(&mut self, motion: impl Motion<N>, log: &mut ChangeLog<'_>) {
        let TableRows { stride, infos, cells, past, active, .. } = self;
        let (mut kept, count) = (0, motion.count());
        for place in 0..active.len() {
            let row = active[place];
            let info = &mut infos[row as usize];
            if info.frame != log.frame {
                let cells = &mut cells[row as usize * *stride..][..*stride];
                let past = &mut past[row as usize * count..][..count];
                log.move_on(motion, info, row, cells, past);
            }
            // What came into its scope stands still, and so does what is gone.
            info.active = info.moves && info.state == RowState::Here;
            active[kept] = row;
            kept += usize::from(info.active);
        }
        active.truncate(kept);
    }

    /// Marks the rows of a scope (of all) to be gone unless they come again.
    pub(super) fn doubt(&mut self, scope: Option<Scope>) {
        for (row, info) in self.infos.iter_mut().enumerate() {
            let asked = scope.is_none_or(|scope| scope == info.scope);
            if asked && info.state == RowState::Here {
                info.state = RowState::Doubted(Gone::Departed);
                self.doubted.push(row as u32);
            }
        }
    }

    /// Removes the rows that did not come again, and says whether the frame has
    /// removed any.
    pub(super) fn remove_doubted(&mut self, log: &mut ChangeLog<'_>) -> bool {
        let mut doubted = core::mem::take(&mut self.doubted);
        for row in doubted.drain(..) {
            if let RowState::Doubted(gone) = self.infos[row as usize].state {
                self.remove(row, gone, log);
            }
        }
        self.doubted = doubted;
        !self.dead.is_empty()
    }

    fn remove(&mut self, row: u32, gone: Gone, log: &mut ChangeLog<'_>) {
        let info = &mut self.infos[row as usize];
        info.state = RowState::Dead;
        log.set(info, row, What::Removed(gone));
        let place = info.slot as usize;
        if let Some(Some(page)) = self.pages.get_mut(place / PAGE)
            && page[place % PAGE] == row
        {
            page[place % PAGE] = NONE;
        }
        self.dead.push(row);
    }

    /// A row of zeros for an entity that was not here.
    fn add(&mut self, slot: u32, generation: u32, scope: Scope) -> u32 {
        let info = RowInfo {
            slot,
            generation,
            scope,
            state: RowState::Fresh,
            active: false,
            moves: false,
            change: 0,
            frame: 0,
        };
        let row = match self.free.pop() {
            Some(row) => {
                self.infos[row as usize] = info;
                row
            }
            None => {
                self.infos.push(info);
                self.cells.resize(self.infos.len() * self.stride, 0);
                self.past.resize(self.infos.len() * self.motion_at.len(), 0);
                (self.infos.len() - 1) as u32
            }
        };
        let place = slot as usize;
        if self.pages.len() <= place / PAGE {
            self.pages.resize_with(place / PAGE + 1, || None);
        }
        let page = self.pages[place / PAGE].get_or_insert_with(|| Box::new([NONE; PAGE]));
        page[place % PAGE] = row;
        row
    }

    /// Ends the frame for the rows that came into a scope.
    pub(super) fn settle(&mut self) {
        for row in self.arriving.drain(..) {
            let info = &mut self.infos[row as usize];
            if matches!(info.state, RowState::Fresh | RowState::Arrived) {
                info.state = RowState::Here;
            }
        }
    }
}

/// [`TableRows::move_all_on`], to be called with the motion of a table.
struct MoveOn<'a, 'b> {
    rows: &'a mut TableRows,
    log: &'a mut ChangeLog<'b>,
}

impl WithMotion for MoveOn<'_, '_> {
    type Output = ();

    fn with<const N: usize>(self, motion: impl Motion<N>) {
        self.rows.move_all_on(motion, self.log);
    }
}

/// The row of a slot.
#[inline(always)]
fn find(pages: &[Option<Box<[u32; PAGE]>>], slot: u32) -> Option<u32> {
    let slot = slot as usize;
    let row = pages.get(slot / PAGE)?.as_ref()?[slot % PAGE];
    (row != NONE).then_some(row)
}

/// The list of changes under way: each row of a table is in it at most once.
pub(super) struct ChangeLog<'a> {
    pub(super) rows: &'a mut Vec<Change>,
    pub(super) table: usize,
    /// The number of the frame, from 1.
    pub(super) frame: u64,
}

impl ChangeLog<'_> {
    /// Says of a row what the frame did to it, all in all.
    fn set(&mut self, info: &mut RowInfo, row: u32, what: What) {
        if info.frame == self.frame
            && let Some(change) = self.rows.get_mut(info.change as usize)
            && (change.table, change.row) == (self.table, row)
        {
            (change.what, change.scope) = (what, info.scope);
            return;
        }
        info.frame = self.frame;
        self.push(info, row, what);
    }

    /// Moves a row on that the frame has nothing for.
    #[inline(always)]
    fn move_on<const N: usize>(
        &mut self,
        motion: impl Motion<N>,
        info: &mut RowInfo,
        row: u32,
        cells: &mut [i64],
        past: &mut [i64],
    ) {
        motion.step(cells, past);
        let moved = motion.moved(0, cells, past);
        (info.frame, info.moves) = (self.frame, moved != 0);
        if moved != 0 {
            self.push(info, row, What::Changed(moved));
        }
    }

    /// Says it of a row that is not in the list yet.
    #[inline(always)]
    fn push(&mut self, info: &mut RowInfo, row: u32, what: What) {
        info.change = self.rows.len() as u32;
        let RowInfo { slot, generation, scope, .. } = *info;
        self.rows.push(Change { table: self.table, slot, generation, scope, what, row });
    }
}

/// A mirror's rows, as a chunk of one scope sees them.
pub(super) struct Target<'a> {
    pub(super) tables: &'a mut [TableRows],
    pub(super) layout: &'a Layout,
    pub(super) heap: &'a mut Heap,
    pub(super) scope: Scope,
    pub(super) changes: &'a mut Vec<Change>,
    pub(super) frame: u64,
    pub(super) pace: Pace,
    /// The row of the last spawn.
    pub(super) row: u32,
}

impl Target<'_> {
    fn gone(&mut self, table: usize, slot: u32, gone: Gone) -> Result<(), Error> {
        let rows = &mut self.tables[table];
        let row = rows.find(slot).ok_or(Error::NoSuchRow)?;
        let info = &mut rows.infos[row as usize];
        match info.state {
            RowState::Here if info.scope == self.scope => {
                info.state = RowState::Doubted(gone);
                rows.doubted.push(row);
                Ok(())
            }
            // Another scope of this frame has brought it, or its successor, already.
            RowState::Fresh | RowState::Arrived if info.scope != self.scope => Ok(()),
            _ => Err(Error::NoSuchRow),
        }
    }

    /// Errs if one more row would be more than a client gives.
    fn afford(&self) -> Result<(), Error> {
        let rows: usize = self.tables.iter().map(TableRows::bytes).sum();
        if rows + self.heap.cost() > MIRROR_BYTES_MAX { Err(Error::TooMuchState) } else { Ok(()) }
    }
}

impl Rows for Target<'_> {
    fn despawn(&mut self, table: usize, slot: u32) -> Result<(), Error> {
        self.gone(table, slot, Gone::Despawned)
    }

    fn depart(&mut self, table: usize, slot: u32) -> Result<(), Error> {
        self.gone(table, slot, Gone::Departed)
    }

    fn spawn(
        &mut self,
        table: usize,
        slot: u32,
        generation: u32,
    ) -> Result<(&mut [i64], &mut Heap), Error> {
        debug_assert!(slot < SLOTS_MAX, "the decoder checks it");
        self.afford()?;
        let scope = self.scope;
        let rows = &mut self.tables[table];
        let row = match rows.find(slot) {
            None => rows.add(slot, generation, scope),
            Some(row) => {
                let info = &mut rows.infos[row as usize];
                let leaving = matches!(info.state, RowState::Doubted(_));
                let elsewhere = info.state == RowState::Here && info.scope != scope;
                if !leaving && !elsewhere {
                    return Err(Error::RowTaken);
                }
                if info.generation == generation {
                    (info.state, info.scope) = (RowState::Arrived, scope);
                    let cells = &mut rows.cells[row as usize * rows.stride..][..rows.stride];
                    self.layout.tables[table].record.wipe(cells, self.heap);
                    row
                } else {
                    // Wherever it was: who has its slot has outlived it.
                    let mut log = ChangeLog { rows: self.changes, table, frame: self.frame };
                    rows.remove(row, Gone::Despawned, &mut log);
                    rows.add(slot, generation, scope)
                }
            }
        };
        self.row = row;
        rows.arriving.push(row);
        let cells = &mut rows.cells[row as usize * rows.stride..][..rows.stride];
        Ok((cells, self.heap))
    }

    fn spawned(&mut self, table: usize, _slot: u32, _mask: u64) {
        let (row, layout) = (self.row as usize, &self.layout.tables[table]);
        let TableRows { stride, motion_at, infos, cells, past, .. } = &mut self.tables[table];
        let cells = &cells[row * *stride..][..*stride];
        let past = &mut past[row * motion_at.len()..][..motion_at.len()];
        // It stands still until the next frame says otherwise.
        for (past, &at) in past.iter_mut().zip(motion_at.iter()) {
            *past = cells[at];
        }
        let info = &mut infos[row];
        let what = match info.state {
            RowState::Fresh => What::Added,
            _ => What::Changed(u64::MAX >> (64 - layout.record.leaves.len().max(1))),
        };
        ChangeLog { rows: self.changes, table, frame: self.frame }.set(info, self.row, what);
    }

    fn updates(&mut self, table: usize, read: impl ReadUpdates) -> Result<(), Error> {
        let layout = &self.layout.tables[table];
        motion::choose(layout, self.pace, UpdateRows { target: self, table, read })
    }
}

/// [`Rows::updates`], to be called with the motion of the table.
struct UpdateRows<'a, 'b, R> {
    target: &'a mut Target<'b>,
    table: usize,
    read: R,
}

impl<R: ReadUpdates> WithMotion for UpdateRows<'_, '_, R> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn with<const N: usize>(self, motion: impl Motion<N>) -> Result<(), Error> {
        let UpdateRows { target, table, read } = self;
        let TableRows { stride, pages, infos, cells, past, active, moving, .. } =
            &mut target.tables[table];
        read.read(RowUpdates {
            stride: *stride,
            still: !target.layout.tables[table].motion,
            first: target.layout.tables[table].motions.first().map_or(0, |leaf| leaf.at),
            motion,
            pages,
            infos,
            cells,
            past,
            active,
            moving,
            heap: target.heap,
            scope: target.scope,
            log: ChangeLog { rows: target.changes, table, frame: target.frame },
            row: u32::MAX,
        })
    }
}

/// The rows of one table, as the updates of a chunk see them. A row is taken from the
/// tick before to the frame's when it is asked for, and compared when it is complete:
/// it is in the cache then. There is no second time, as it is in one scope.
struct RowUpdates<'a, M> {
    stride: usize,
    /// The leaves that are no motion, as a mask.
    still: u64,
    /// The first cell that is motion, if any is.
    first: usize,
    motion: M,
    pages: &'a [Option<Box<[u32; PAGE]>>],
    infos: &'a mut [RowInfo],
    cells: &'a mut [i64],
    past: &'a mut [i64],
    active: &'a mut Vec<u32>,
    moving: &'a mut u32,
    heap: &'a mut Heap,
    scope: Scope,
    log: ChangeLog<'a>,
    /// The row of the last update; before the first, the one before all.
    row: u32,
}

impl<const N: usize, M: Motion<N>> Updates<N> for RowUpdates<'_, M> {
    #[inline(always)]
    fn shift(&mut self, shift: &Shift<N>) -> Result<(), Error> {
        let row = self.find(shift.slot).ok_or(Error::NoSuchRow)?;
        let at = row as usize * N;
        let past = self.past.get_mut(at..at + N).and_then(|past| past.first_chunk_mut());
        let past = past.ok_or(Error::NoSuchRow)?;
        let cells = self.cells.get_mut(row as usize * self.stride + self.first..);
        let cells = cells.and_then(|cells| cells.first_chunk_mut()).ok_or(Error::NoSuchRow)?;
        let moved = self.motion.shift(shift, cells, past).ok_or(Error::OutOfRange)?;
        self.note(row, moved, 0);
        Ok(())
    }

    #[inline(always)]
    fn update(
        &mut self,
        slot: u32,
        mask: u64,
        read: impl FnOnce(&mut [i64], &mut Heap) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let row = self.find(slot).ok_or(Error::NoSuchRow)?;
        let count = self.motion.count();
        let cells = &mut self.cells[row as usize * self.stride..][..self.stride];
        let past = &mut self.past[row as usize * count..][..count];
        self.motion.step(cells, past);
        read(cells, self.heap)?;
        let moved = self.motion.moved(mask, cells, past);
        self.note(row, moved, mask & self.still);
        Ok(())
    }

    fn end(mut self) {
        self.pass_over(self.row.wrapping_add(1), self.infos.len() as u32, SLOTS_MAX);
    }
}

impl<M> RowUpdates<'_, M> {
    /// The row of a slot.
    #[inline(always)]
    fn find<const N: usize>(&mut self, slot: u32) -> Option<u32>
    where
        M: Motion<N>,
    {
        // Mostly it is the next one. A slot has one row at most that is here.
        let mut row = self.row.wrapping_add(1);
        if !self.infos.get(row as usize).is_some_and(|info| info.takes(slot, self.scope)) {
            row = self.seek(slot)?;
        }
        self.row = row;
        Some(row)
    }

    /// Notes what became of a row: its motion leaves that moved, and others that changed.
    #[inline(always)]
    fn note(&mut self, row: u32, moved: u64, others: u64) {
        let info = &mut self.infos[row as usize];
        (info.frame, info.moves) = (self.log.frame, moved != 0);
        *self.moving += u32::from(moved != 0);
        if moved != 0 && !info.active {
            info.active = true;
            self.active.push(row);
        }
        let changed = others | moved;
        if changed != 0 {
            self.log.push(info, row, What::Changed(changed));
        }
    }

    /// The row of a slot that is not the next one. On its own, so that what most rows
    /// need has the registers.
    #[inline(never)]
    fn seek<const N: usize>(&mut self, slot: u32) -> Option<u32>
    where
        M: Motion<N>,
    {
        let row = find(self.pages, slot)?;
        if !self.infos[row as usize].takes(slot, self.scope) {
            return None;
        }
        self.pass_over(self.row.wrapping_add(1), row, slot);
        Some(row)
    }

    /// Moves on the rows from `next` to `end` that the section has nothing for, as their
    /// slots are below `slot`. They are at hand now; if there are many, or not in the
    /// order of their slots, it is done at the end of the frame.
    fn pass_over<const N: usize>(&mut self, next: u32, end: u32, slot: u32)
    where
        M: Motion<N>,
    {
        for row in next..end.min(next.saturating_add(PASSED_MAX)) {
            let info = &self.infos[row as usize];
            let here = info.state == RowState::Here && info.scope == self.scope;
            if here && info.active && info.slot < slot && info.frame != self.log.frame {
                self.move_on(row);
            }
        }
    }

    /// One of them. On its own, as mostly it is one only.
    #[inline(never)]
    fn move_on<const N: usize>(&mut self, row: u32)
    where
        M: Motion<N>,
    {
        let (info, count) = (&mut self.infos[row as usize], self.motion.count());
        let cells = &mut self.cells[row as usize * self.stride..][..self.stride];
        let past = &mut self.past[row as usize * count..][..count];
        self.log.move_on(self.motion, info, row, cells, past);
        *self.moving += u32::from(info.moves);
    }
}
