//! From rows to bits.

use super::{
    COUNT_ORDER, GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, LENGTH_ORDER, REPEAT_BITS, SLOT_BITS,
    TEXT_ORDER, escape,
};
use crate::bits::{BitWriter, Gather, Mean};
use crate::heap::Heap;
use crate::limits::TEXT_WINDOW;
use crate::schema::layout::{Code, Node, Record, Scalar, TableLayout};
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
    /// Running means of the table's leaves, for the section under way.
    means: Vec<Mean>,
    predicted: bool,
    texts: Texts,
    /// Where a straight line leads.
    base: Vec<i64>,
}

/// The straight line that a client draws for a row: its cells at two ticks.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// At the earlier tick.
    pub earlier: &'a [i64],
    /// At the later one.
    pub later: &'a [i64],
    /// Ticks between the two.
    pub apart: u32,
    /// Ticks from the later one to the chunk's.
    pub ahead: u32,
}

impl Line<'_> {
    /// Fills `base` with where the line leads, and gives the mask of the leaves
    /// in which `new` is elsewhere.
    #[inline]
    fn extend(&self, layout: &TableLayout, new: &[i64], base: &mut Vec<i64>) -> u64 {
        let record = &layout.record;
        base.resize(record.cells, 0);
        if record.leaves.len() != record.cells {
            base.copy_from_slice(self.later);
            for motion in &layout.motions {
                base[motion.at] = self.at(&motion.scalar, motion.at);
            }
            return record.differing(base, new);
        }
        // One cell a leaf: one pass.
        let mut mask = 0;
        for (at, leaf) in record.leaves.iter().enumerate() {
            base[at] = match &leaf.node {
                Node::Scalar(scalar) if leaf.motion => self.at(scalar, at),
                _ => self.later[at],
            };
            mask |= u64::from(base[at] != new[at]) << at;
        }
        mask
    }

    #[inline]
    fn at(&self, scalar: &Scalar, at: usize) -> i64 {
        scalar.extrapolate(self.earlier[at], self.later[at], self.apart, self.ahead)
    }
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
            means: Vec::new(),
            predicted: false,
            texts: Texts::default(),
            base: Vec::new(),
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
    #[inline]
    pub fn update(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        base: &[i64],
        new: &[i64],
        heap: &Heap,
    ) {
        let mask = layout.record.differing(base, new);
        if mask != 0 {
            self.differing(layout, slot, mask, base, new, heap);
        }
    }

    /// The same, where the client draws a straight line for what is motion.
    #[inline]
    pub fn update_along(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        line: &Line<'_>,
        new: &[i64],
        heap: &Heap,
    ) {
        let mut base = core::mem::take(&mut self.base);
        let mask = line.extend(layout, new, &mut base);
        if mask != 0 {
            self.differing(layout, slot, mask, &base, new, heap);
        }
        self.base = base;
    }

    /// Writes an update whose leaves of `mask` differ, and there are some.
    #[inline]
    fn differing(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        mask: u64,
        base: &[i64],
        new: &[i64],
        heap: &Heap,
    ) {
        if self.section != Section::Updates {
            let means = if self.predicted { &layout.means_predicted } else { &layout.means };
            self.open(Section::Updates, means);
        }
        let mut gather = Gather::default();
        self.gap(slot, &mut gather);
        let same = mask == self.mask_before;
        gather.put(&mut self.records, u64::from(same), 1);
        let leaves = layout.record.leaves.len() as u32;
        if !same && leaves <= GROUP {
            gather.put(&mut self.records, mask, leaves);
        } else if !same {
            gather.end(&mut self.records);
            gather = Gather::default();
            write_mask(&mut self.records, mask, leaves);
        }
        self.mask_before = mask;
        let mut row = RowEncoder {
            w: &mut self.records,
            means: &mut self.means,
            texts: &mut self.texts,
            heap,
        };
        row.changed(gather, &layout.record, mask, base, new);
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
        let mut gather = Gather::default();
        self.gap(slot, &mut gather);
        gather.end(&mut self.records);
    }

    /// Counts a record of the section under way, and writes how far its slot is.
    #[inline(always)]
    fn gap(&mut self, slot: u32, gather: &mut Gather) {
        let gap = i64::from(slot) - self.slot_before - 1;
        debug_assert!(gap >= 0, "slots ascend");
        gather.golomb(&mut self.records, gap as u64, self.gap.order(), GOLOMB_ESCAPE);
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
        self.means.clear();
        self.means.extend_from_slice(means);
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
    means: &'a mut [Mean],
    texts: &'a mut Texts,
    heap: &'a Heap,
}

impl RowEncoder<'_> {
    /// The leaves of `mask`, each of which differs from `base`, after the bits
    /// that are gathered already.
    #[inline]
    fn changed(
        &mut self,
        mut gather: Gather,
        record: &Record,
        mask: u64,
        base: &[i64],
        new: &[i64],
    ) {
        let mut left = mask;
        while left != 0 {
            let leaf = &record.leaves[left.trailing_zeros() as usize];
            left &= left - 1;
            if let Node::Scalar(scalar) = &leaf.node {
                self.scalar(&mut gather, scalar, base[leaf.at], new[leaf.at], false);
            } else {
                gather.end(self.w);
                gather = Gather::default();
                let cells = leaf.at..leaf.at + leaf.cells;
                self.node(&leaf.node, Some(&base[cells.clone()]), &new[cells]);
            }
        }
        gather.end(self.w);
    }

    /// The leaves of `mask`, none of which is all zero, of something new.
    fn fresh(&mut self, record: &Record, mask: u64, new: &[i64]) {
        for (index, leaf) in record.leaves.iter().enumerate() {
            if mask >> index & 1 != 0 {
                self.node(&leaf.node, None, &new[leaf.at..leaf.at + leaf.cells]);
            }
        }
    }

    #[inline(always)]
    fn scalar(&mut self, bits: &mut Gather, scalar: &Scalar, base: i64, new: i64, fresh: bool) {
        debug_assert!(scalar.contains(new), "cell {new} of {scalar:?}");
        let plain = new.wrapping_sub(scalar.lowest) as u64;
        match scalar.code {
            Code::Flip => {}
            Code::Fixed => bits.put(self.w, plain, scalar.width),
            Code::Near if fresh => bits.put(self.w, plain, scalar.width),
            Code::Near | Code::Count => {
                let difference = scalar.difference(base, new);
                // Zigzag, without the zero that the mask has excluded.
                let value = ((difference << 1) ^ (difference >> 63)) as u64 - 1;
                let mean = &mut self.means[scalar.mean];
                let order = mean.order().min(scalar.width);
                if bits.golomb(self.w, value, order, escape(scalar.width, order)) {
                    mean.count(value);
                } else {
                    bits.put(self.w, plain, scalar.width);
                }
            }
        }
    }

    /// A value that differs from its base; no base stands for all zeros.
    fn node(&mut self, node: &Node, base: Option<&[i64]>, new: &[i64]) {
        let before = |at: usize| base.map_or(0, |base| base[at]);
        match node {
            Node::Scalar(scalar) => {
                let mut gather = Gather::default();
                self.scalar(&mut gather, scalar, before(0), new[0], base.is_none());
                gather.end(self.w);
            }
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
            Some(base) => self.changed(Gather::default(), record, mask, base, new),
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
