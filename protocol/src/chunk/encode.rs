//! From rows to bits.

mod lines;
mod values;

use super::{COUNT_ORDER, GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, Means, near};
use crate::bits::{BitWriter, Gather, Mean};
use crate::heap::Heap;
use crate::limits::LEAVES_MAX;
use crate::schema::layout::{Motion, Node, Record, TableLayout};

pub use lines::Moving;
use lines::{Known, Lines};
use values::{RowEncoder, Texts, Zeros, write_mask};

/// The sections of a table, in their order on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Section {
    Despawns,
    Departures,
    Spawns,
    Updates,
    End,
}

/// Writes one chunk after another, and keeps its memory in between.
///
/// The caller goes through the tables in ascending order, in each through
/// despawns, departures, spawns and updates in that order, and in each of these
/// through ascending slots. A table or section without records takes no bits.
///
/// ```
/// # use tickwire_protocol::{chunk::Encoder, heap::Heap, schema::*, schema::layout::Layout};
/// # let field = |name: &str| Field { name: name.into(), kind: Kind::Bool };
/// # let ships = TableSchema { name: "ships".into(), entity: "Ship".into(), fields: vec![field("up")] };
/// # let none = Kind::default;
/// # let schema = Schema::new(vec![ships], none(), none(), none(), none()).unwrap();
/// let layout = Layout::new(&schema);
/// let heap = Heap::default();
/// let mut encoder = Encoder::default();
/// encoder.begin(false);
/// encoder.table(0);
/// encoder.despawn(7);
/// encoder.update(&layout.tables[0], 9, &[0], &[1], &heap);
/// let mut bytes = Vec::new();
/// encoder.finish(&mut bytes);
/// assert!(bytes.len() < 5);
/// ```
#[derive(Debug)]
pub struct Encoder {
    out: BitWriter,
    /// The records of the section under way: they follow their count.
    records: BitWriter,
    section: Section,
    count: u32,
    /// The table under way, and the last one that was written.
    table: i64,
    table_written: i64,
    slot_before: i64,
    mask_before: u64,
    gap: Mean,
    /// Running means of the table, for the section under way.
    means: Means,
    predicted: bool,
    texts: Texts,
    /// Lent to a batch.
    lines: Option<Box<Lines>>,
}

/// Updates that are written in one go.
const BATCH: usize = 8;

/// As many codes of motion find room after a flush, which leaves less than a byte.
const MOTIONS_MAX: usize = 5;
/// As many find room after a head too, with a gap, the flag and the mask.
const MOTIONS_WITH_HEAD: usize = 3;
const _: () = {
    let (code, motions) = (near::Code::LENGTH_MAX, [MOTIONS_MAX as u32, MOTIONS_WITH_HEAD as u32]);
    assert!(7 + motions[0] * code < 64 && 7 + code + 1 + GROUP + motions[1] * code < 64);
};

/// A row that may be another one now than what a client has.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The row's slot.
    pub slot: u32,
    /// The leaves in which the two differ: all of them, and no others.
    pub mask: u64,
    /// What the client has.
    pub base: &'a [i64],
    /// What is now.
    pub new: &'a [i64],
}

impl Update<'_> {
    /// A place for one.
    const NONE: Update<'static> = Update { slot: 0, mask: 0, base: &[], new: &[] };
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder {
            out: BitWriter::default(),
            records: BitWriter::default(),
            section: Section::End,
            count: 0,
            table: -1,
            table_written: -1,
            slot_before: -1,
            mask_before: 0,
            gap: Mean::new(0),
            means: Means::default(),
            predicted: false,
            texts: Texts::default(),
            lines: None,
        }
    }
}

impl Encoder {
    /// Starts a chunk. `predicted` says that updates are based on a straight line.
    pub fn begin(&mut self, predicted: bool) {
        self.out.clear();
        self.records.clear();
        self.section = Section::End;
        self.count = 0;
        (self.table, self.table_written) = (-1, -1);
        self.predicted = predicted;
        self.texts.handles.clear();
        self.texts.written = 0;
    }

    /// Goes on to a table.
    pub fn table(&mut self, index: usize) {
        debug_assert!(index as i64 > self.table, "tables ascend");
        self.close_table();
        self.table = index as i64;
    }

    /// The entity in `slot` is gone.
    pub fn despawn(&mut self, slot: u32) {
        self.record(Section::Despawns, slot);
    }

    /// The entity in `slot` left the scope.
    pub fn depart(&mut self, slot: u32) {
        self.record(Section::Departures, slot);
    }

    /// An entity came into the scope.
    pub fn spawn(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        generation: u32,
        cells: &[i64],
        heap: &Heap,
    ) {
        if self.section != Section::Spawns {
            self.open(Section::Spawns);
            self.means.start(&layout.means);
        }
        self.record(Section::Spawns, slot);
        self.records.golomb(u64::from(generation - 1), GENERATION_ORDER, GOLOMB_ESCAPE);
        let zeros = Zeros;
        let mask = zeros.differing(&layout.record, cells);
        self.mask(mask, layout.record.leaves.len() as u32);
        let mut row = RowEncoder {
            w: &mut self.records,
            means: &mut self.means,
            texts: &mut self.texts,
            heap,
        };
        row.fresh(&layout.record, mask, cells);
    }

    /// An entity's row is `new` where the client has `base`. Writes nothing if
    /// they are the same.
    pub fn update(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        base: &[i64],
        new: &[i64],
        heap: &Heap,
    ) {
        let mask = layout.record.differing(base, new);
        self.updates(layout, [Update { slot, mask, base, new }].into_iter(), heap);
    }

    /// The same for many rows, of which is known which leaves differ.
    #[inline]
    pub fn updates<'a>(
        &mut self,
        layout: &TableLayout,
        rows: impl Iterator<Item = Update<'a>>,
        heap: &Heap,
    ) {
        // Means are looked at before the first row opens the section.
        if self.section != Section::Updates {
            self.start_updates(layout);
        }
        if let Some(leaves) = layout.motions_in_a_row::<2>() {
            return self.updates_known(layout, leaves, rows, heap);
        }
        if let Some(leaves) = layout.motions_in_a_row::<3>() {
            return self.updates_known(layout, leaves, rows, heap);
        }
        let (mut batch, mut count) = ([Update::NONE; BATCH], 0);
        // Not a loop: the iterator's own can be a better one.
        rows.filter(|row| row.mask != 0).for_each(|row| {
            batch[count % BATCH] = row;
            count += 1;
            if count == BATCH {
                self.write_plain(layout, &batch, heap);
                count = 0;
            }
        });
        self.write_plain(layout, &batch[..count], heap);
    }

    /// The same for motion leaves side by side: of most rows, all is known at once.
    #[inline(always)]
    fn updates_known<'a, const N: usize>(
        &mut self,
        layout: &TableLayout,
        leaves: &[Motion; N],
        rows: impl Iterator<Item = Update<'a>>,
        heap: &Heap,
    ) {
        let (mut batch, mut count) = ([Known::default(); BATCH], 0);
        rows.for_each(|row| {
            let Some(known) = row.known(layout, leaves, &mut self.means.own) else {
                self.write_known(layout, &batch[..count]);
                count = 0;
                if row.mask != 0 {
                    self.write_plain(layout, &[row], heap);
                }
                return;
            };
            // A row that is as it was leaves its place to the next one.
            batch[count % BATCH] = known;
            count += usize::from(known.mask != 0);
            if count == BATCH {
                self.write_known(layout, &batch);
                count = 0;
            }
        });
        self.write_known(layout, &batch[..count]);
    }

    /// The same for rows of which the client draws a straight line for what is
    /// motion: through two ticks that are `apart` ticks from each other, and
    /// `ahead` ticks on.
    #[inline]
    pub fn updates_along<'a>(
        &mut self,
        layout: &TableLayout,
        (apart, ahead): (u32, u32),
        rows: impl Iterator<Item = Moving<'a>>,
        heap: &Heap,
    ) {
        // The section is opened with the first row that is off its line, whose codes
        // take the means already.
        if self.section != Section::Updates {
            self.start_updates(layout);
        }
        // As it is while every frame comes.
        if apart == ahead {
            if let Some(leaves) = layout.motions_in_a_row::<2>() {
                return self.updates_onward(layout, leaves, apart, rows, heap);
            }
            if let Some(leaves) = layout.motions_in_a_row::<3>() {
                return self.updates_onward(layout, leaves, apart, rows, heap);
            }
        }
        let mut lines = self.lines.take().unwrap_or_default();
        let (mut batch, mut count) = ([Moving::NONE; BATCH], 0);
        rows.for_each(|row| {
            batch[count % BATCH] = row;
            count += 1;
            if count == BATCH {
                self.write_lines(layout, (apart, ahead), &batch, &mut lines, heap);
                count = 0;
            }
        });
        self.write_lines(layout, (apart, ahead), &batch[..count], &mut lines, heap);
        self.lines = Some(lines);
    }

    /// The same for motion leaves side by side and two spans of one length: of most rows,
    /// all is known at once.
    #[inline(always)]
    fn updates_onward<'a, const N: usize>(
        &mut self,
        layout: &TableLayout,
        leaves: &[Motion; N],
        span: u32,
        rows: impl Iterator<Item = Moving<'a>>,
        heap: &Heap,
    ) {
        let (mut batch, mut count) = ([Known::default(); BATCH], 0);
        rows.for_each(|row| {
            let Some(known) = row.known(layout, leaves, &mut self.means.own) else {
                self.write_known(layout, &batch[..count]);
                count = 0;
                let mut lines = self.lines.take().unwrap_or_default();
                self.write_lines(layout, (span, span), &[row], &mut lines, heap);
                self.lines = Some(lines);
                return;
            };
            // A row that is where it was expected leaves its place to the next one.
            batch[count % BATCH] = known;
            count += usize::from(known.mask != 0);
            if count == BATCH {
                self.write_known(layout, &batch);
                count = 0;
            }
        });
        self.write_known(layout, &batch[..count]);
    }

    /// Writes rows of which all is known. On its own, so that its variables have the
    /// registers for themselves.
    #[inline(never)]
    fn write_known(&mut self, layout: &TableLayout, rows: &[Known]) {
        if rows.is_empty() {
            return;
        }
        if self.section != Section::Updates {
            self.open(Section::Updates);
        }
        self.count += rows.len() as u32;
        let leaves = layout.record.leaves.len() as u32;
        let mut head = Head { gap: self.gap, slot: self.slot_before, mask: self.mask_before };
        let mut gather = self.records.open();
        for row in rows {
            gather = head.write(&mut self.records, gather, row.slot, row.mask, leaves);
            let (bits, length) = row.codes.bits();
            gather.put(&mut self.records, bits, length);
            gather.flush(&mut self.records);
        }
        self.records.close(gather);
        (self.gap, self.slot_before, self.mask_before) = (head.gap, head.slot, head.mask);
    }

    /// Writes updates, each of which differs in some leaf. On its own, so that its
    /// variables have the registers for themselves.
    #[inline(never)]
    fn write_plain(&mut self, layout: &TableLayout, rows: &[Update<'_>], heap: &Heap) {
        if rows.is_empty() {
            return;
        }
        if self.section != Section::Updates {
            self.open(Section::Updates);
        }
        self.count += rows.len() as u32;
        let cells = layout.cells;
        // Of one length, so that one test of an index is enough.
        let rows = rows.iter().map(|row| Update {
            base: &row.base[..cells],
            new: &row.new[..cells],
            ..*row
        });
        self.write(layout, rows, heap);
    }

    /// The same of those rows that are not where a line leads them.
    fn write_lines(
        &mut self,
        layout: &TableLayout,
        spans: (u32, u32),
        mut rows: &[Moving<'_>],
        lines: &mut Lines,
        heap: &Heap,
    ) {
        while !rows.is_empty() {
            let done = lines.extend(layout, spans, rows, &mut self.means.own);
            self.write_along(layout, &rows[..done], lines, heap);
            rows = &rows[done..];
        }
    }

    #[inline(never)]
    fn write_along(
        &mut self,
        layout: &TableLayout,
        rows: &[Moving<'_>],
        lines: &Lines,
        heap: &Heap,
    ) {
        if lines.count() == 0 {
            return;
        }
        if self.section != Section::Updates {
            self.open(Section::Updates);
        }
        self.count += lines.count() as u32;
        self.write(layout, lines.off(rows), heap);
    }

    fn start_updates(&mut self, layout: &TableLayout) {
        let means = if self.predicted { &layout.means_predicted } else { &layout.means };
        self.means.start(means);
    }

    /// Writes records of the section under way.
    #[inline(always)]
    fn write<R: Changed>(
        &mut self,
        layout: &TableLayout,
        rows: impl Iterator<Item = R>,
        heap: &Heap,
    ) {
        let leaves = layout.record.leaves.len() as u32;
        let motion = if layout.motions.len() <= MOTIONS_MAX { layout.motion } else { 0 };
        let mut head = Head { gap: self.gap, slot: self.slot_before, mask: self.mask_before };
        let mut gather = self.records.open();
        for row in rows {
            gather = head.write(&mut self.records, gather, row.slot(), row.mask(), leaves);
            let mut left = row.mask();
            if let Some((codes, rest)) = row.codes() {
                let (bits, length) = codes.bits();
                gather.put(&mut self.records, bits, length);
                left = rest;
            } else if left & !motion == 0 {
                if layout.motions.len() > MOTIONS_WITH_HEAD {
                    gather.flush(&mut self.records);
                }
                (gather, left) = self.write_motion(gather, layout, row);
            }
            while left != 0 {
                let index = left.trailing_zeros() as usize % LEAVES_MAX;
                left &= left - 1;
                let step = &layout.steps[index];
                let mean = &mut self.means.own[index];
                if let Some(difference) = row.difference(step.at as usize, index)
                    && let Some(code) = near::code(difference, step.scalar.near, *mean)
                {
                    mean.count_small(code.value());
                    gather.put(&mut self.records, code.bits(), code.length());
                } else {
                    gather = self.leaf(gather, &layout.record, index, row, heap);
                }
            }
            gather.flush(&mut self.records);
        }
        self.records.close(gather);
        (self.gap, self.slot_before, self.mask_before) = (head.gap, head.slot, head.mask);
    }

    /// Writes the leaves of motion of a row in which no others differ, as far as their
    /// codes are in the table. Gives the leaves from there on.
    ///
    /// Which of them differ is hard to foresee for a processor, so all are gone through.
    #[inline(always)]
    fn write_motion<R: Changed>(
        &mut self,
        mut gather: Gather,
        layout: &TableLayout,
        row: R,
    ) -> (Gather, u64) {
        for motion in &layout.motions {
            let index = motion.bit as usize % LEAVES_MAX;
            let mean = &mut self.means.own[index];
            let Some(difference) = row.difference(motion.at, index) else {
                return (gather, row.mask() & u64::MAX << index);
            };
            let Some(code) = near::code(difference, motion.scalar.near, *mean) else {
                return (gather, row.mask() & u64::MAX << index);
            };
            // Without a difference, the code has no bits.
            mean.count_small_if(difference != 0, code.value());
            gather.push(code.bits(), code.length());
        }
        (gather, 0)
    }

    /// A leaf of a row, after the bits that are gathered already: an integer that is
    /// `difference` from where it was expected, or a tree that differs from the base.
    /// The bits go by value, so that whoever gathers has them in registers; they
    /// come back flushed.
    #[inline(never)]
    fn leaf<R: Changed>(
        &mut self,
        gather: Gather,
        record: &Record,
        index: usize,
        row: R,
        heap: &Heap,
    ) -> Gather {
        let Encoder { records: w, means, texts, .. } = self;
        w.close(gather);
        let leaf = &record.leaves[index];
        let cells = leaf.at..leaf.at + leaf.cells;
        let (base, new) = row.cells();
        let mut values = RowEncoder { w, means, texts, heap };
        match &leaf.node {
            Node::Scalar(scalar) => {
                let expected = row.expected(leaf.at, index);
                values.scalar(scalar, expected, new[leaf.at], false);
            }
            node => values.node(node, Some(&base[cells.clone()]), &new[cells]),
        }
        self.records.open()
    }

    /// Ends the chunk and appends it to `bytes`; nothing if there were no records.
    pub fn finish(&mut self, bytes: &mut Vec<u8>) {
        self.close_table();
        if self.table_written >= 0 {
            self.out.flag(false);
            self.out.finish(bytes);
        }
    }

    /// Starts a record.
    #[inline]
    fn record(&mut self, section: Section, slot: u32) {
        if self.section != section {
            self.open(section);
        }
        let gap = i64::from(slot) - self.slot_before - 1;
        debug_assert!(gap >= 0, "slots ascend");
        self.records.golomb(gap as u64, self.gap.order(), GOLOMB_ESCAPE);
        self.gap.count(gap as u64);
        self.slot_before = i64::from(slot);
        self.count += 1;
    }

    /// Closes the section under way, and writes the flags up to `section`.
    fn open(&mut self, section: Section) {
        if self.section == Section::End {
            self.out.flag(true);
            let gap = self.table - self.table_written - 1;
            self.out.golomb(gap as u64, 0, GOLOMB_ESCAPE);
            self.table_written = self.table;
            self.section = Section::Despawns;
            self.count = 0;
        }
        debug_assert!(section >= self.section, "sections ascend");
        while self.section != section {
            self.close_section();
        }
        self.slot_before = -1;
        self.mask_before = 0;
        self.gap = Mean::new(0);
    }

    /// Writes the section under way, or that it is empty.
    fn close_section(&mut self) {
        self.out.flag(self.count > 0);
        if self.count > 0 {
            self.out.golomb(u64::from(self.count - 1), COUNT_ORDER, GOLOMB_ESCAPE);
            self.out.append(&self.records);
            self.records.clear();
            self.count = 0;
        }
        self.section = match self.section {
            Section::Despawns => Section::Departures,
            Section::Departures => Section::Spawns,
            Section::Spawns => Section::Updates,
            Section::Updates | Section::End => Section::End,
        };
    }

    fn close_table(&mut self) {
        while self.section != Section::End {
            self.close_section();
        }
    }

    fn mask(&mut self, mask: u64, leaves: u32) {
        let same = mask == self.mask_before;
        self.records.flag(same);
        if !same {
            write_mask(&mut self.records, mask, leaves);
            self.mask_before = mask;
        }
    }
}

/// What the head of a record differs from: the records before it.
struct Head {
    gap: Mean,
    slot: i64,
    mask: u64,
}

impl Head {
    /// Writes how far the slot is, and the mask.
    #[inline(always)]
    fn write(
        &mut self,
        w: &mut BitWriter,
        mut gather: Gather,
        slot: u32,
        mask: u64,
        leaves: u32,
    ) -> Gather {
        let gap = i64::from(slot) - self.slot - 1;
        debug_assert!(gap >= 0, "slots ascend");
        self.slot = i64::from(slot);
        let same = mask == self.mask;
        self.mask = mask;
        // A small gap waits for what follows, to be written with it.
        let (first, length) = match near::code_of(gap as u32, self.gap) {
            Some(code) => {
                self.gap.count_small(code.value());
                (code.bits(), code.length())
            }
            None => {
                gather = w.long(gather, gap as u64, self.gap.order());
                self.gap.count(gap as u64);
                (0, 0)
            }
        };
        if leaves <= GROUP {
            // The flag alone, or the flag and the mask.
            let (bits, count) = if same { (1, 1) } else { (mask << 1, leaves + 1) };
            gather.put(w, first | bits << length, length + count);
        } else {
            gather.put(w, first | u64::from(same) << length, length + 1);
            if !same {
                gather = long_mask(w, gather, mask, leaves);
            }
        }
        gather
    }
}

/// The groups of a mask, after the bits that are gathered already.
#[inline(never)]
fn long_mask(w: &mut BitWriter, gather: Gather, mask: u64, leaves: u32) -> Gather {
    w.close(gather);
    write_mask(w, mask, leaves);
    w.open()
}

/// What is written of a row in an update.
trait Changed: Copy {
    fn slot(self) -> u32;
    /// The leaves that are written; not empty.
    fn mask(self) -> u64;
    /// Codes that are there already, and the leaves behind them.
    fn codes(self) -> Option<(Gather, u64)>;
    /// How far the integer of a leaf is from where it was expected: 0 if it is motion
    /// that is not written.
    fn difference(self, at: usize, index: usize) -> Option<i64>;
    /// Where the integer in a cell was expected.
    fn expected(self, at: usize, index: usize) -> i64;
    /// What trees differ from, and what is now.
    fn cells(&self) -> (&[i64], &[i64]);
}

impl Changed for Update<'_> {
    #[inline(always)]
    fn slot(self) -> u32 {
        self.slot
    }

    #[inline(always)]
    fn mask(self) -> u64 {
        self.mask
    }

    #[inline(always)]
    fn codes(self) -> Option<(Gather, u64)> {
        None
    }

    #[inline(always)]
    fn difference(self, at: usize, _: usize) -> Option<i64> {
        Some(self.new.get(at)?.wrapping_sub(*self.base.get(at)?))
    }

    fn expected(self, at: usize, _: usize) -> i64 {
        self.base[at]
    }

    fn cells(&self) -> (&[i64], &[i64]) {
        (self.base, self.new)
    }
}
