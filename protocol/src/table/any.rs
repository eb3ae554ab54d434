//! Tables whose entity type is not known: what replication needs of them.

use super::{Entity, PAGE, Row, Scope, Table};
use crate::change::{Cells, Change, What};
use crate::heap::Heap;
use crate::value::Attr;

impl<T: Entity> Table<T> {
    #[inline(always)]
    fn decode_again(&mut self, slot: u32, scope: Scope, mask: u64, cells: &[i64], heap: &Heap) {
        let Some(row) = self.slot_mut(slot) else { return };
        row.scope = scope;
        // All of this but the mask itself is known to the compiler.
        let numbers = T::numbers(&Attr::PLAIN);
        let few = numbers.count_ones() <= NUMBERS_ALWAYS;
        if let Some(entity) = &mut row.entity {
            entity.reload(&Attr::PLAIN, if few { mask | numbers } else { mask }, cells, heap);
        }
    }
}

/// An entity with no more plain numbers than this has all of them decoded at once.
const NUMBERS_ALWAYS: u32 = 6;

/// A table whose entity type is not known here: what replication needs of it.
pub trait AnyTable {
    /// Unmarks the marked slots and quantises their entities into `cells`, which grows.
    /// It has [`RECENT`] rows for each slot: as it is, before its last change, and
    /// before the change before that. What became of each slot goes into `capture`.
    fn capture(&mut self, cells: &mut Vec<i64>, capture: &mut Capture, heap: &mut Heap);
    /// Generation and scope of the entity in `slot`, if there is one.
    fn occupant(&self, slot: u32) -> Option<(u32, Scope)>;
    /// Quantises the entity in `slot`, if there is one, into its cells.
    fn store(&self, slot: u32, cells: &mut [i64], heap: &mut Heap);
    /// Gives the texts of a row's cells back and zeroes the cells.
    fn wipe(&self, cells: &mut [i64], heap: &mut Heap);
    /// Puts an entity there that was decoded, in place of any other.
    fn adopt(&mut self, slot: u32, generation: u32, scope: Scope, cells: &[i64], heap: &Heap);
    /// Notes the scope of the entity in `slot`, and decodes its leaves in `mask` again.
    fn reload(&mut self, slot: u32, scope: Scope, mask: u64, cells: &[i64], heap: &Heap);
    /// Removes the entity in `slot`, if there is one.
    fn evict(&mut self, slot: u32);
    /// All of this for the changes at the front that are of one table. It has the same
    /// fields, and `cells` are its rows'. Says how many they were.
    fn follow(&mut self, changes: &[Change], cells: Cells<'_>, heap: &Heap) -> usize;
}

impl<T: Entity> AnyTable for Table<T> {
    fn capture(&mut self, cells: &mut Vec<i64>, capture: &mut Capture, heap: &mut Heap) {
        let Table { pages, marks, .. } = self;
        let stride = T::cells(&Attr::PLAIN);
        capture.begin(marks.len(), stride);
        for slot in marks.drain(..) {
            let Some(Some(page)) = pages.get_mut(slot as usize / PAGE) else { continue };
            let Row { generation, scope, marked, entity } = &mut page[slot as usize % PAGE];
            *marked = false;
            let Some(entity) = entity else {
                capture.rows.push(Captured { slot, generation: 0, scope: *scope, changed: 0 });
                continue;
            };
            let at = slot as usize * RECENT * stride;
            if cells.len() < at + RECENT * stride {
                cells.resize(at + RECENT * stride, 0);
            }
            let (now, past) = cells[at..][..RECENT * stride].split_at_mut(stride);
            let (last, last_but_one) = past.split_at_mut(stride);
            let before = &mut capture.before[capture.kept * stride..][..stride];
            before.copy_from_slice(now);
            entity.store(&Attr::PLAIN, now, heap);
            let changed = differing(before, now);
            if changed != 0 {
                last_but_one.copy_from_slice(last);
                last.copy_from_slice(before);
                capture.kept += 1;
            }
            capture.rows.push(Captured { slot, generation: *generation, scope: *scope, changed });
        }
    }

    fn occupant(&self, slot: u32) -> Option<(u32, Scope)> {
        let row = self.row(slot).filter(|row| row.entity.is_some())?;
        Some((row.generation, row.scope))
    }

    fn store(&self, slot: u32, cells: &mut [i64], heap: &mut Heap) {
        if let Some(entity) = self.row(slot).and_then(|row| row.entity.as_ref()) {
            entity.store(&Attr::PLAIN, cells, heap);
        }
    }

    fn wipe(&self, cells: &mut [i64], heap: &mut Heap) {
        T::wipe(&Attr::PLAIN, cells, heap);
    }

    fn adopt(&mut self, slot: u32, generation: u32, scope: Scope, cells: &[i64], heap: &Heap) {
        let entity = Some(T::load(&Attr::PLAIN, cells, heap));
        let row = self.place(slot);
        let was = row.entity.is_some();
        *row = Row { generation, scope, marked: false, entity };
        self.len += usize::from(!was);
    }

    fn reload(&mut self, slot: u32, scope: Scope, mask: u64, cells: &[i64], heap: &Heap) {
        self.decode_again(slot, scope, mask, cells, heap);
    }

    fn evict(&mut self, slot: u32) {
        if let Some(row) = self.slot_mut(slot)
            && row.entity.take().is_some()
        {
            self.len -= 1;
        }
    }

    fn follow(&mut self, changes: &[Change], cells: Cells<'_>, heap: &Heap) -> usize {
        let (mut left, cells) = (changes, cells.with_stride(T::cells(&Attr::PLAIN)));
        while let [change, rest @ ..] = left
            && change.table == changes[0].table
        {
            let Change { slot, generation, scope, what, .. } = *change;
            let cells = cells.of(change);
            match what {
                What::Changed(mask) => self.decode_again(slot, scope, mask, cells, heap),
                What::Added => self.adopt(slot, generation, scope, cells, heap),
                What::Removed(_) => self.evict(slot),
            }
            left = rest;
        }
        changes.len() - left.len()
    }
}

/// How many rows of a slot are kept beside each other.
pub const RECENT: usize = 3;

/// What became of the rows that a game touched. It keeps its memory.
#[derive(Debug, Default)]
pub struct Capture {
    /// Each slot once, in the order in which they were touched first.
    rows: Vec<Captured>,
    /// The former cells of those that changed, one row after the other; and behind
    /// them what is left of earlier ones.
    before: Vec<i64>,
    /// How many changed.
    kept: usize,
    stride: usize,
}

/// What became of one row.
#[derive(Clone, Copy, Debug)]
pub struct Captured {
    /// Its slot.
    pub slot: u32,
    /// Its entity; 0 if there is none any more.
    pub generation: u32,
    /// Where the entity lives.
    pub scope: Scope,
    /// The cells that changed, as a mask; of a row with more than 64, all or none.
    pub changed: u64,
}

impl Capture {
    /// What became of each row.
    pub fn rows(&self) -> &[Captured] {
        &self.rows
    }

    /// The former cells of the rows that changed, in the order of [`Capture::rows`].
    pub fn before(&self) -> &[i64] {
        &self.before[..self.kept * self.stride]
    }

    /// How many rows changed.
    pub fn changed(&self) -> usize {
        self.kept
    }

    /// Makes room for rows.
    fn begin(&mut self, rows: usize, stride: usize) {
        self.rows.clear();
        self.rows.reserve(rows);
        (self.kept, self.stride) = (0, stride);
        if self.before.len() < rows * stride {
            self.before.resize(rows * stride, 0);
        }
    }
}

/// In which cells two rows differ.
#[inline(always)]
fn differing(before: &[i64], now: &[i64]) -> u64 {
    if now.len() > u64::BITS as usize {
        return if before == now { 0 } else { u64::MAX };
    }
    let pairs = before.iter().zip(now).enumerate();
    pairs.fold(0, |mask, (at, (before, now))| mask | u64::from(before != now) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = [i32; 2];
    type Long = [i32; 65];

    impl Entity for Pair {
        const NAME: &'static str = "Pair";
    }
    impl Entity for Long {
        const NAME: &'static str = "Long";
    }

    #[test]
    fn a_capture_says_what_became_of_each_marked_row_and_what_it_was() {
        let mut table = Table::<Pair>::default();
        let (mut cells, mut capture, mut heap) = (Vec::new(), Capture::default(), Heap::default());
        let [a, b, c] = [[1, 2], [0, 0], [5, 6]].map(|pair| table.spawn_in(Scope(7), pair));
        table.capture(&mut cells, &mut capture, &mut heap);
        assert_eq!(cells, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0]);
        let seen = |capture: &Capture| -> Vec<_> {
            let rows = capture.rows().iter();
            rows.map(|row| (row.slot, row.generation, row.scope.0, row.changed)).collect()
        };
        assert_eq!(seen(&capture), [(0, 1, 7, 0b11), (1, 1, 7, 0), (2, 1, 7, 0b11)]);
        assert_eq!((capture.changed(), capture.before()), (2, [0; 4].as_slice()));

        table.get_mut(c).expect("it is there")[1] = 9;
        table.get_mut(b).expect("it is there");
        table.despawn(a);
        table.capture(&mut cells, &mut capture, &mut heap);
        assert_eq!(seen(&capture), [(2, 1, 7, 0b10), (1, 1, 7, 0), (0, 0, 7, 0)]);
        assert_eq!((capture.changed(), capture.before()), (1, [5, 6].as_slice()));
        assert_eq!(cells[..6], [1, 2, 0, 0, 0, 0], "what is gone is for the caller to wipe");
        assert_eq!(cells[12..], [5, 9, 5, 6, 0, 0]);
        table.get_mut(c).expect("it is there")[0] = 8;
        table.capture(&mut cells, &mut capture, &mut heap);
        assert_eq!(cells[12..], [8, 9, 5, 9, 5, 6]);

        table.capture(&mut cells, &mut capture, &mut heap);
        assert!(capture.rows().is_empty() && capture.before().is_empty(), "nothing is marked");
    }

    #[test]
    fn a_row_of_many_cells_changed_as_a_whole_or_not_at_all() {
        let mut table = Table::<Long>::default();
        let (mut cells, mut capture, mut heap) = (Vec::new(), Capture::default(), Heap::default());
        let id = table.spawn([0; 65]);
        table.capture(&mut cells, &mut capture, &mut heap);
        assert_eq!(capture.rows()[0].changed, 0);
        table.get_mut(id).expect("it is there")[64] = 1;
        table.capture(&mut cells, &mut capture, &mut heap);
        assert_eq!(capture.rows()[0].changed, u64::MAX);
        assert_eq!((cells[64], capture.before()), (1, [0; 65].as_slice()));
    }
}
