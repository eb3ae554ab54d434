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
use tickwire_protocol::table::{AnyTable, Capture, Captured, RECENT, Scope};
use tickwire_protocol::time::Tick;

use super::{Baseline, ScopeMap};

/// The recorded rows of one table.
#[derive(Debug)]
pub(super) struct Track {
    /// Cells of a row.
    stride: usize,
    /// By slot.
    rows: Vec<Row>,
    /// By slot, [`RECENT`] rows of cells each: as it is, before its last change, and
    /// before the change before that.
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
    /// The removals of one chunk.
    leaving: Vec<(u32, bool)>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// 0 if there is no entity.
    generation: u32,
    scope: Scope,
    /// Since when it is in the scope. If there is no entity, this is beyond all ticks.
    entered: Tick,
    /// When its cells changed last, the time before that, and the time before that; of
    /// what was before the spawn, the spawn.
    changed: [Tick; RECENT],
    /// The leaves that changed last.
    touched: u64,
    /// Its youngest undo entry, if it has one that is not forgotten.
    undo: u64,
}

/// Scopes whose last change a table always remembers.
const SCOPES_KEPT_MIN: usize = 256;
const VACANT: Row = Row {
    generation: 0,
    scope: Scope::ROOM,
    entered: Tick(u32::MAX),
    changed: [Tick(0); RECENT],
    touched: 0,
    undo: NO_UNDO,
};
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

    /// Records what became of the slots that the game touched.
    pub(super) fn record(
        &mut self,
        layout: &TableLayout,
        table: &mut dyn AnyTable,
        tick: Tick,
        capture: &mut Capture,
        heap: &mut Heap,
    ) {
        table.capture(&mut self.cells, capture, heap);
        let mut next = self.undo.extend(tick, capture);
        let flat = layout.record.flat();
        // Rows of one scope come one after the other.
        let mut noted = None;
        for seen in capture.rows() {
            let at = seen.slot as usize;
            if self.rows.len() <= at {
                self.rows.resize(at + 1, VACANT);
            }
            let number = next;
            next += u64::from(seen.changed != 0);
            let row = &self.rows[at];
            let stays = row.generation == seen.generation && row.scope == seen.scope;
            if !stays && !self.moved(layout, seen, tick, heap) || seen.changed == 0 {
                continue;
            }
            let row = &mut self.rows[at];
            let touched = match flat {
                true => seen.changed,
                false => {
                    let now = &self.cells[at * RECENT * self.stride..][..self.stride];
                    self.undo.cells(number).map_or(0, |old| layout.record.differing(old, now))
                }
            };
            let [last, last_but_one, _] = row.changed;
            self.undo.set(number, UndoEntry { before: row.undo, changed: last, touched });
            (row.undo, row.touched) = (number, touched);
            row.changed = [tick, last, last_but_one];
            if noted != Some(seen.scope) {
                self.changed.insert(seen.scope, tick);
                noted = Some(seen.scope);
            }
        }
    }

    /// Records what became of a slot whose entity or scope is another one than it was.
    /// Says whether the entity is the same.
    #[inline(never)]
    fn moved(
        &mut self,
        layout: &TableLayout,
        seen: &Captured,
        tick: Tick,
        heap: &mut Heap,
    ) -> bool {
        let Captured { slot, generation, scope, .. } = *seen;
        let at = slot as usize;
        let row = &mut self.rows[at];
        let stays = row.generation == generation;
        if row.generation != 0 {
            self.removals.push_back(row.removal(slot, tick, !stays));
            self.changed.insert(row.scope, tick);
        }
        if generation == 0 {
            if row.generation != 0 {
                let cells = &mut self.cells[at * RECENT * self.stride..][..self.stride];
                layout.record.wipe(cells, heap);
            }
            *row = VACANT;
            return false;
        }
        if stays {
            (row.scope, row.entered) = (scope, tick);
        } else {
            // What it was is not its past but another's.
            let (entered, changed) = (tick, [tick; RECENT]);
            *row = Row { generation, scope, entered, changed, touched: 0, undo: NO_UNDO };
        }
        self.changed.insert(scope, tick);
        self.entered = tick;
        stays
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
                let cells = &self.cells[slot * RECENT * self.stride..][..self.stride];
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

    /// The updates of a client that has the row at a tick. On its own, as the next
    /// one, so that its variables have the registers for themselves.
    #[inline(never)]
    fn updates_plain(
        &self,
        layout: &TableLayout,
        scope: Scope,
        since: Tick,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let rows = self.changed_since(scope, since, since).map(|(slot, row, recent)| {
            // One change is the common case.
            let (mask, base) = match row.changed[1] <= since {
                true => (row.touched, recent.rows[1]),
                false => self.base(layout, row, recent.rows[0], since),
            };
            Update { slot, mask, base, new: recent.rows[0] }
        });
        encoder.updates(layout, rows, heap);
    }

    /// A row's cells at a tick, and in which leaves they differ from those now.
    #[inline(never)]
    fn base<'a>(
        &'a self,
        layout: &TableLayout,
        row: &Row,
        new: &'a [i64],
        since: Tick,
    ) -> (u64, &'a [i64]) {
        let back = self.undo.back(since, Back::from(row, new));
        // One change may take another back.
        (layout.record.differing_among(back.touched, back.cells, new), back.cells)
    }

    /// The updates of a client that draws a line through the row at two ticks.
    #[inline(never)]
    fn updates_along(
        &self,
        layout: &TableLayout,
        scope: Scope,
        ends: Ends,
        heap: &Heap,
        encoder: &mut Encoder,
    ) {
        let Ends { before, since, now } = ends;
        let rows = self.changed_since(scope, since, before).map(|(slot, row, recent)| {
            // Not more than a change before each tick is the common case.
            let fast = row.changed[2] <= before && row.entered <= before;
            let (touched, earlier, later) = match fast {
                true => recent.ends(row, before, since),
                false => self.ends(row, recent.rows[0], before, since),
            };
            Moving { slot, touched, earlier, later, new: recent.rows[0] }
        });
        encoder.updates_along(layout, (before.until(since), since.until(now)), rows, heap);
    }

    /// A row's cells at two ticks, and which leaves may have changed after the second.
    #[inline(never)]
    fn ends<'a>(
        &'a self,
        row: &Row,
        new: &'a [i64],
        before: Tick,
        since: Tick,
    ) -> (u64, &'a [i64], &'a [i64]) {
        let back = self.undo.back(since, Back::from(row, new));
        let Back { cells: later, touched, .. } = back;
        // A row that came after the earlier tick stands still on the client.
        let earlier = match row.entered > before {
            true => later,
            false => self.undo.back(before, back).cells,
        };
        (touched, earlier, later)
    }

    /// The rows that were in a scope at a tick and still are, and that changed
    /// after another: slot, row and cells.
    #[inline(always)]
    fn changed_since(
        &self,
        scope: Scope,
        entered: Tick,
        changed: Tick,
    ) -> impl Iterator<Item = (u32, &Row, Recent<'_>)> {
        // Rows without cells never change.
        let stride = self.stride.max(1);
        let each = self.rows.iter().zip(self.cells.chunks_exact(RECENT * stride));
        each.enumerate().filter_map(move |(slot, (row, cells))| {
            let here = row.scope == scope && row.entered <= entered;
            (here && row.changed[0] > changed).then(|| {
                let (now, past) = cells.split_at(stride);
                let (last, last_but_one) = past.split_at(stride);
                (slot as u32, row, Recent { rows: [now, last, last_but_one] })
            })
        })
    }

    /// Slot, generation, scope and cells of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, u32, Scope, &[i64])> {
        self.rows.iter().enumerate().filter(|(_, row)| row.generation != 0).map(|(slot, row)| {
            let cells = &self.cells[slot * RECENT * self.stride..][..self.stride];
            (slot as u32, row.generation, row.scope, cells)
        })
    }
}

impl Row {
    fn removal(&self, slot: u32, tick: Tick, despawned: bool) -> Removal {
        Removal { tick, slot, scope: self.scope, entered: self.entered, despawned }
    }
}

/// A row as it is, before its last change, and before the change before that.
#[derive(Clone, Copy, Debug)]
struct Recent<'a> {
    rows: [&'a [i64]; RECENT],
}

impl<'a> Recent<'a> {
    /// What [`Track::ends`] gives, of a row that changed at most twice after the
    /// first tick and came before it.
    #[inline(always)]
    fn ends(&self, row: &Row, before: Tick, since: Tick) -> (u64, &'a [i64], &'a [i64]) {
        let [now, last, last_but_one] = self.rows;
        let at = |tick: Tick| {
            let cells = if row.changed[1] > tick { last_but_one } else { last };
            if row.changed[0] > tick { cells } else { now }
        };
        // Two changes touch more leaves than is known of the last.
        let touched = match row.changed {
            [_, last, _] if last > since => u64::MAX,
            [last, ..] if last > since => row.touched,
            _ => 0,
        };
        (touched, at(before), at(since))
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
    /// The ticks of the entries, and the number after each tick's last one.
    ends: VecDeque<(Tick, u64)>,
}

/// One change of one row. That of a row which came with this change belongs to nobody.
#[derive(Clone, Copy, Debug)]
struct UndoEntry {
    /// The entry before it of the same row.
    before: u64,
    /// The tick of that one, or of the spawn if there is none.
    changed: Tick,
    /// The leaves that it changed.
    touched: u64,
}

/// How far it is back through a row's changes, and what was met.
#[derive(Clone, Copy, Debug)]
struct Back<'a> {
    /// The row before all of them.
    cells: &'a [i64],
    /// The entry before the last one that was met.
    next: u64,
    /// The tick of that.
    changed: Tick,
    /// The leaves that they changed.
    touched: u64,
}

impl<'a> Back<'a> {
    /// Nothing is met yet.
    #[inline(always)]
    fn from(row: &Row, cells: &'a [i64]) -> Back<'a> {
        Back { cells, next: row.undo, changed: row.changed[0], touched: 0 }
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
        let (entries, cells, ends) = (Vec::new(), Vec::new(), VecDeque::new());
        Undo { stride, entries, cells, first: 1, next: 1, ends }
    }

    /// The place of an entry in the ring, whose size is a power of two.
    #[inline(always)]
    fn place(&self, number: u64) -> usize {
        number as usize & self.entries.len().wrapping_sub(1)
    }

    /// Appends an entry for each row of a capture that changed, with the former cells.
    /// Gives the number of the first of them.
    fn extend(&mut self, tick: Tick, capture: &Capture) -> u64 {
        let (first, count) = (self.next, capture.changed());
        if count == 0 {
            return first;
        }
        while self.next - self.first + count as u64 > self.entries.len() as u64 {
            self.grow();
        }
        let place = self.place(first);
        let ahead = count.min(self.entries.len() - place) * self.stride;
        let (cells, around) = capture.before().split_at(ahead);
        self.cells[place * self.stride..][..ahead].copy_from_slice(cells);
        self.cells[..around.len()].copy_from_slice(around);
        self.next += count as u64;
        self.ends.push_back((tick, self.next));
        first
    }

    /// Says of an entry what is more than its cells.
    #[inline(always)]
    fn set(&mut self, number: u64, entry: UndoEntry) {
        let place = self.place(number);
        self.entries[place] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(64);
        let mut grown = Undo {
            stride: self.stride,
            entries: vec![UndoEntry { before: NO_UNDO, changed: Tick(0), touched: 0 }; size],
            cells: vec![0; size * self.stride],
            first: self.first,
            next: self.next,
            ends: core::mem::take(&mut self.ends),
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
        while let Some((_, end)) = self.ends.pop_front_if(|(tick, _)| *tick <= oldest) {
            self.first = end;
        }
    }

    /// Goes on back to the last entry that is younger than `tick`.
    #[inline(always)]
    fn back<'a>(&'a self, tick: Tick, mut back: Back<'a>) -> Back<'a> {
        // No entry is less than the first one.
        while back.changed > tick && back.next >= self.first {
            let (Some(entry), Some(cells)) =
                (self.entries.get(self.place(back.next)), self.cells(back.next))
            else {
                break;
            };
            back = Back {
                cells,
                next: entry.before,
                changed: entry.changed,
                touched: back.touched | entry.touched,
            };
        }
        back
    }

    /// The cells that an entry has.
    #[inline(always)]
    fn cells(&self, number: u64) -> Option<&[i64]> {
        self.cells.get(self.place(number) * self.stride..)?.get(..self.stride)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tickwire_protocol::schema::layout::Layout;
    use tickwire_protocol::schema::{Kind, Schema};
    use tickwire_protocol::{Entity, Id, Table, World};

    use super::*;

    #[derive(Entity)]
    struct Thing {
        a: u16,
        b: Option<u16>,
        c: u8,
    }

    #[derive(World)]
    struct Things {
        things: Table<Thing>,
    }

    /// How far back the questions go.
    const DEPTH: u32 = 6;

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % bound
        }
    }

    fn act(world: &mut Things, ids: &mut Vec<Id<Thing>>, dice: &mut Dice) {
        if ids.len() < 6 && dice.below(4) == 0 {
            let thing = Thing { a: dice.below(9) as u16, b: None, c: 0 };
            ids.push(world.things.spawn_in(Scope(dice.below(2) as u32), thing));
        }
        if !ids.is_empty() && dice.below(12) == 0 {
            world.things.despawn(ids.swap_remove(dice.below(ids.len() as u64) as usize));
        }
        for id in ids {
            if dice.below(9) == 0 {
                world.things.set_scope(*id, Scope(dice.below(2) as u32));
            }
            let Some(thing) = world.things.get_mut(*id) else { continue };
            match dice.below(5) {
                0 => thing.a ^= 1,
                1 => thing.b = thing.b.xor(Some(7)),
                2 => (thing.a, thing.c) = (thing.a.wrapping_add(3), thing.c ^ 1),
                _ => {}
            }
        }
    }

    #[test]
    fn the_rows_kept_beside_each_other_are_those_of_the_log_and_of_the_past() {
        let none = Kind::default;
        let schema = Schema::new(Things::schema(), none(), none(), none(), none()).expect("fits");
        let layout = &Layout::new(&schema).tables[0];
        let (mut world, mut ids, mut dice) = (Things::default(), Vec::new(), Dice(1));
        let (mut track, mut heap) = (Track::new(layout), Heap::default());
        let mut capture = Capture::default();
        // By tick and entity.
        let mut past = BTreeMap::new();
        let (mut plain, mut along, mut logged) = (0, 0, 0);
        for now in 1..2000 {
            act(&mut world, &mut ids, &mut dice);
            track.forget(Tick(now.max(DEPTH) - DEPTH));
            track.record(layout, world.table_mut(0), Tick(now), &mut capture, &mut heap);
            for (slot, generation, _, cells) in track.rows() {
                past.insert((now, slot, generation), cells.to_vec());
            }
            let first = now.saturating_sub(DEPTH - 1).max(1);
            let pairs = (first..now).flat_map(|since| (first..=since).map(move |at| (at, since)));
            for ((before, since), scope) in pairs.flat_map(|pair| [(pair, 0), (pair, 1)]) {
                let (earliest, latest) = (Tick(before), Tick(since));
                for (slot, row, recent) in track.changed_since(Scope(scope), latest, earliest) {
                    let new = recent.rows[0];
                    let at = |tick: u32| &past[&(tick, slot, row.generation)][..];
                    let (touched, earlier, later) = track.ends(row, new, earliest, latest);
                    assert_eq!(later, at(since));
                    let stands = row.entered > earliest;
                    assert_eq!(earlier, if stands { later } else { at(before) });
                    let differing = layout.record.differing(later, new);
                    assert_eq!(differing & !touched, 0);
                    if row.changed[2] <= earliest && !stands {
                        let (touched, ..) = recent.ends(row, earliest, latest);
                        assert_eq!(differing & !touched, 0);
                        assert_eq!(recent.ends(row, earliest, latest), (touched, earlier, later));
                        along += 1;
                    } else {
                        logged += 1;
                    }
                    if row.changed[0] > latest && row.changed[1] <= latest {
                        let base = track.base(layout, row, new, latest);
                        assert_eq!((row.touched, recent.rows[1]), base);
                        assert_eq!(base, (differing, at(since)));
                        plain += 1;
                    }
                }
            }
        }
        assert!(plain > 1000 && along > 1000 && logged > 1000, "{plain} {along} {logged}");
    }
}
