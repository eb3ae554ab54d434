//! From rows to bits.

use super::{
    COUNT_ORDER, GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, LENGTH_ORDER, Means, REPEAT_BITS,
    SLOT_BITS, TEXT_ORDER, escape, near,
};
use crate::bits::{BitWriter, Gather, Mean};
use crate::heap::Heap;
use crate::limits::{LEAVES_MAX, TEXT_WINDOW};
use crate::schema::layout::{Code, Motion, Node, Record, Scalar, TableLayout};
use crate::value::ref_parts;

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

/// A row for which a client draws a straight line through two ticks.
#[derive(Clone, Copy, Debug)]
pub struct Moving<'a> {
    /// The row's slot.
    pub slot: u32,
    /// Leaves that are not motion are the same at the later tick and now, unless
    /// they are among these.
    pub touched: u64,
    /// The row at the earlier tick; as at the later one if it stands still.
    pub earlier: &'a [i64],
    /// The row at the later tick.
    pub later: &'a [i64],
    /// What is now.
    pub new: &'a [i64],
}

impl Moving<'_> {
    /// A place for one.
    const NONE: Moving<'static> =
        Moving { slot: 0, touched: 0, earlier: &[], later: &[], new: &[] };
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
            self.open(Section::Spawns, &layout.means);
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
        let (mut batch, mut count) = ([Moving::NONE; BATCH], 0);
        let mut lines = self.lines.take().unwrap_or_default();
        rows.for_each(|row| {
            batch[count % BATCH] = row;
            count += 1;
            if count == BATCH {
                lines.extend(layout, (apart, ahead), &batch);
                self.write_along(layout, &batch, &lines, heap);
                count = 0;
            }
        });
        lines.extend(layout, (apart, ahead), &batch[..count]);
        self.write_along(layout, &batch, &lines, heap);
        self.lines = Some(lines);
    }

    /// Writes updates, each of which differs in some leaf. On its own, so that its
    /// variables have the registers for themselves.
    #[inline(never)]
    fn write_plain(&mut self, layout: &TableLayout, rows: &[Update<'_>], heap: &Heap) {
        if rows.is_empty() {
            return;
        }
        self.open_updates(layout);
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
    #[inline(never)]
    fn write_along(
        &mut self,
        layout: &TableLayout,
        rows: &[Moving<'_>; BATCH],
        lines: &Lines,
        heap: &Heap,
    ) {
        let off = lines.off();
        if off.is_empty() {
            return;
        }
        self.open_updates(layout);
        self.count += off.len() as u32;
        let rows = off.iter().map(|place| {
            let place = usize::from(*place) % BATCH;
            let differences = &lines.differences[place];
            Off { row: &rows[place], mask: lines.masks[place], differences }
        });
        self.write(layout, rows, heap);
    }

    fn open_updates(&mut self, layout: &TableLayout) {
        if self.section != Section::Updates {
            let means = if self.predicted { &layout.means_predicted } else { &layout.means };
            self.open(Section::Updates, means);
        }
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
            // Which leaves of motion differ is hard to foresee, so all are gone through.
            if left & !motion == 0 {
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
            self.open(section, &[]);
        }
        let gap = i64::from(slot) - self.slot_before - 1;
        debug_assert!(gap >= 0, "slots ascend");
        self.records.golomb(gap as u64, self.gap.order(), GOLOMB_ESCAPE);
        self.gap.count(gap as u64);
        self.slot_before = i64::from(slot);
        self.count += 1;
    }

    /// Closes the section under way, and writes the flags up to `section`.
    fn open(&mut self, section: Section, means: &[Mean]) {
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
        self.means.start(means);
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

/// A row that is not where its line leads.
#[derive(Clone, Copy)]
struct Off<'a> {
    row: &'a Moving<'a>,
    mask: u64,
    /// By leaf.
    differences: &'a [i64; LEAVES_MAX],
}

impl Changed for Off<'_> {
    #[inline(always)]
    fn slot(self) -> u32 {
        self.row.slot
    }

    #[inline(always)]
    fn mask(self) -> u64 {
        self.mask
    }

    #[inline(always)]
    fn difference(self, _: usize, index: usize) -> Option<i64> {
        Some(self.differences[index])
    }

    fn expected(self, at: usize, index: usize) -> i64 {
        self.row.new[at].wrapping_sub(self.differences[index])
    }

    fn cells(&self) -> (&[i64], &[i64]) {
        (self.row.later, self.row.new)
    }
}

/// How far the rows of a batch are from where straight lines lead them.
#[derive(Debug)]
struct Lines {
    /// Of each row the leaves that are elsewhere.
    masks: [u64; BATCH],
    /// Of each row and leaf in its mask, how far it is.
    differences: [[i64; LEAVES_MAX]; BATCH],
    /// The places of those that have a mask, and how many these are.
    places: [u8; BATCH],
    off: usize,
}

impl Default for Lines {
    fn default() -> Self {
        let differences = [[0; LEAVES_MAX]; BATCH];
        Lines { masks: [0; BATCH], differences, places: [0; BATCH], off: 0 }
    }
}

impl Lines {
    /// Draws the lines of a batch. On its own, as the functions that write.
    #[inline(never)]
    fn extend(&mut self, layout: &TableLayout, (apart, ahead): (u32, u32), rows: &[Moving<'_>]) {
        let mut off = 0;
        for (place, row) in rows.iter().enumerate() {
            let place = place % BATCH;
            let mask = row.extend(layout, (apart, ahead), &mut self.differences[place]);
            self.masks[place] = mask;
            // One that is where it was expected leaves its number to the next one.
            self.places[off % BATCH] = place as u8;
            off += usize::from(mask != 0);
        }
        self.off = off;
    }

    /// The places of the rows that are not where their lines lead.
    fn off(&self) -> &[u8] {
        &self.places[..self.off]
    }
}

impl Moving<'_> {
    /// Finds how far the leaves are from where the line leads, and gives the mask of
    /// those that are elsewhere.
    #[inline(always)]
    fn extend(
        &self,
        layout: &TableLayout,
        (apart, ahead): (u32, u32),
        differences: &mut [i64; LEAVES_MAX],
    ) -> u64 {
        // Of one length, so that one test of an index is enough.
        let cells = layout.cells;
        let (earlier, later) = (&self.earlier[..cells], &self.later[..cells]);
        let new = &self.new[..cells];
        let mut mask = match self.touched & !layout.motion {
            0 => 0,
            touched => still(&layout.record, touched, later, new, differences),
        };
        for &Motion { at, bit, ref scalar } in &layout.motions {
            let cell = scalar.extrapolate(earlier[at], later[at], apart, ahead);
            let difference = new[at].wrapping_sub(cell);
            differences[bit as usize % LEAVES_MAX] = difference;
            mask |= u64::from(difference != 0) << bit;
        }
        mask
    }
}

/// The mask of what is no motion and differs. Of more than an integer, the difference
/// of the first cells is there, which nobody asks for.
#[inline(never)]
fn still(
    record: &Record,
    touched: u64,
    later: &[i64],
    new: &[i64],
    differences: &mut [i64; LEAVES_MAX],
) -> u64 {
    let mask = record.differing_among(touched, later, new);
    for (index, leaf) in record.leaves.iter().enumerate().filter(|(i, _)| mask >> i & 1 != 0) {
        differences[index % LEAVES_MAX] = new[leaf.at].wrapping_sub(later[leaf.at]);
    }
    mask
}

/// The row that a new entity differs from.
struct Zeros;

impl Zeros {
    fn differing(&self, record: &Record, cells: &[i64]) -> u64 {
        record.leaves.iter().enumerate().fold(0, |mask, (i, leaf)| {
            let set = cells[leaf.at..leaf.at + leaf.cells].iter().any(|&cell| cell != 0);
            mask | u64::from(set) << i
        })
    }
}

fn write_mask(w: &mut BitWriter, mask: u64, leaves: u32) {
    if leaves <= GROUP {
        w.put(mask, leaves);
        return;
    }
    let groups = leaves.div_ceil(GROUP);
    let part = |group: u32| mask >> (group * GROUP) & 0xFF;
    for group in 0..groups {
        w.flag(part(group) != 0);
    }
    for group in (0..groups).filter(|&group| part(group) != 0) {
        w.put(part(group), GROUP.min(leaves - group * GROUP));
    }
}

/// The texts that this chunk holds already.
#[derive(Debug, Default)]
struct Texts {
    /// Handles of the last [`TEXT_WINDOW`], each at its number modulo that.
    handles: Vec<i64>,
    written: usize,
}

/// Writes values of one row.
struct RowEncoder<'a> {
    w: &'a mut BitWriter,
    means: &'a mut Means,
    texts: &'a mut Texts,
    heap: &'a Heap,
}

impl RowEncoder<'_> {
    /// The leaves of `mask`, each of which differs from `base`.
    fn changed(&mut self, record: &Record, mask: u64, base: &[i64], new: &[i64]) {
        for (index, leaf) in record.leaves.iter().enumerate() {
            if mask >> index & 1 != 0 {
                let cells = leaf.at..leaf.at + leaf.cells;
                self.node(&leaf.node, Some(&base[cells.clone()]), &new[cells]);
            }
        }
    }

    /// The leaves of `mask`, none of which is all zero, of something new.
    fn fresh(&mut self, record: &Record, mask: u64, new: &[i64]) {
        for (index, leaf) in record.leaves.iter().enumerate() {
            if mask >> index & 1 != 0 {
                self.node(&leaf.node, None, &new[leaf.at..leaf.at + leaf.cells]);
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar, base: i64, new: i64, fresh: bool) {
        debug_assert!(scalar.contains(new), "cell {new} of {scalar:?}");
        let plain = new.wrapping_sub(scalar.lowest) as u64;
        match scalar.code {
            Code::Flip => {}
            Code::Fixed => self.w.put(plain, scalar.width),
            Code::Near if fresh => self.w.put(plain, scalar.width),
            Code::Near | Code::Count => {
                // The mask has excluded the zero.
                let value = near::value_of(scalar.difference(base, new));
                let mean = self.means.of(scalar);
                let order = mean.order().min(scalar.width);
                if self.w.golomb(value, order, escape(scalar.width, order)) {
                    mean.count(value);
                } else {
                    self.w.put(plain, scalar.width);
                }
            }
        }
    }

    /// A value that differs from its base; no base stands for all zeros.
    fn node(&mut self, node: &Node, base: Option<&[i64]>, new: &[i64]) {
        let before = |at: usize| base.map_or(0, |base| base[at]);
        match node {
            Node::Scalar(scalar) => self.scalar(scalar, before(0), new[0], base.is_none()),
            Node::Text { .. } => self.text(new[0]),
            Node::Ref => {
                self.w.flag(new[0] != 0);
                if new[0] != 0 {
                    let (slot, generation) = ref_parts(new[0]);
                    self.w.put(u64::from(slot), SLOT_BITS);
                    self.w.golomb(u64::from(generation - 1), GENERATION_ORDER, GOLOMB_ESCAPE);
                }
            }
            Node::Option(of) => {
                self.w.flag(new[0] != 0);
                if new[0] != 0 {
                    let base = base.filter(|base| base[0] != 0).map(|base| &base[1..]);
                    self.perhaps(of, base, &new[1..]);
                }
            }
            Node::Enum { tag, variants } => {
                self.w.put(new[0] as u64, tag.width);
                let base = base.filter(|base| base[0] == new[0]).map(|base| &base[1..]);
                self.record(&variants[new[0] as usize], base, &new[1..]);
            }
            Node::List { of, stride, .. } => {
                self.w.golomb(new[0] as u64, LENGTH_ORDER, GOLOMB_ESCAPE);
                let old = base.map_or(0, |base| base[0]);
                for index in 0..new[0] {
                    let at = 1 + index as usize * stride;
                    let base = base.filter(|_| index < old).map(|base| &base[at..at + stride]);
                    self.perhaps(of, base, &new[at..at + stride]);
                }
            }
            Node::Array { of, len, stride } => {
                for at in (0..*len).map(|index| index * stride) {
                    let base = base.map(|base| &base[at..at + stride]);
                    self.perhaps(of, base, &new[at..at + stride]);
                }
            }
            Node::Record(record) => self.record(record, base, new),
        }
    }

    /// A value that may be the same as its base: a flag, or the mask of a record.
    fn perhaps(&mut self, node: &Node, base: Option<&[i64]>, new: &[i64]) {
        if let Node::Record(record) = node {
            return self.record(record, base, new);
        }
        let differs = match base {
            Some(base) => base != new,
            None => new.iter().any(|&cell| cell != 0),
        };
        self.w.flag(differs);
        if differs {
            self.node(node, base, new);
        }
    }

    fn record(&mut self, record: &Record, base: Option<&[i64]>, new: &[i64]) {
        let mask = match base {
            Some(base) => record.differing(base, new),
            None => Zeros.differing(record, new),
        };
        write_mask(self.w, mask, record.leaves.len() as u32);
        match base {
            Some(base) => self.changed(record, mask, base, new),
            None => self.fresh(record, mask, new),
        }
    }

    /// A text: the number of an equal one in this chunk, or its bytes.
    fn text(&mut self, handle: i64) {
        let text = self.heap.get(handle);
        let repeat = self.texts.handles.iter().position(|&earlier| self.heap.get(earlier) == text);
        self.w.flag(repeat.is_some());
        if let Some(number) = repeat {
            self.w.put(number as u64, REPEAT_BITS);
            return;
        }
        self.w.golomb(text.len() as u64, TEXT_ORDER, GOLOMB_ESCAPE);
        self.w.slice(text);
        if self.texts.handles.len() < TEXT_WINDOW {
            self.texts.handles.push(handle);
        } else {
            self.texts.handles[self.texts.written % TEXT_WINDOW] = handle;
        }
        self.texts.written += 1;
    }
}
