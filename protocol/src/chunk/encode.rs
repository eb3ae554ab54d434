//! From rows to bits.

use super::{
    COUNT_ORDER, GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, LENGTH_ORDER, REPEAT_BITS, SLOT_BITS,
    TEXT_ORDER, escape,
};
use crate::bits::{BitWriter, Gather, Mean, short};
use crate::heap::Heap;
use crate::limits::TEXT_WINDOW;
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
    /// Running means of the table's leaves, for the section under way.
    means: Vec<Mean>,
    predicted: bool,
    texts: Texts,
    /// Where a straight line leads: the motion cells of the row under way.
    base: Vec<i64>,
    /// The leaves of the row under way that are sought there.
    along: u64,
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
    /// Fills the motion cells of `base` with where the line leads, and gives the
    /// mask of the leaves in which `new` is elsewhere.
    #[inline(always)]
    fn extend(&self, layout: &TableLayout, touched: u64, new: &[i64], base: &mut [i64]) -> u64 {
        let still = touched & !layout.motion;
        let mask = match still {
            0 => 0,
            _ => layout.record.differing_among(still, self.later, new),
        };
        if self.apart == self.ahead {
            mask | self.extend_by(layout, new, base, Scalar::go_on)
        } else {
            let (apart, ahead) = (self.apart, self.ahead);
            mask | self.extend_by(layout, new, base, |scalar, earlier, later| {
                scalar.extrapolate(earlier, later, apart, ahead)
            })
        }
    }

    /// The same for motion, where `lead` says where a line leads.
    #[inline(always)]
    fn extend_by(
        &self,
        layout: &TableLayout,
        new: &[i64],
        base: &mut [i64],
        lead: impl Fn(&Scalar, i64, i64) -> i64,
    ) -> u64 {
        // Of one length, so that one test of an index is enough.
        let cells = layout.cells;
        let (earlier, later) = (&self.earlier[..cells], &self.later[..cells]);
        let (new, base) = (&new[..cells], &mut base[..cells]);
        let mut mask = 0;
        for &Motion { at, bit, ref scalar } in &layout.motions {
            let cell = lead(scalar, earlier[at], later[at]);
            base[at] = cell;
            mask |= u64::from(cell != new[at]) << bit;
        }
        mask
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
            along: 0,
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
        self.update_leaves(layout, slot, layout.record.differing(base, new), base, new, heap);
    }

    /// The same for who knows already which leaves differ.
    #[inline]
    pub fn update_leaves(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        mask: u64,
        base: &[i64],
        new: &[i64],
        heap: &Heap,
    ) {
        if mask != 0 {
            self.along = 0;
            self.differing(layout, slot, mask, base, new, heap);
        }
    }

    /// The same, where the client draws a straight line for what is motion.
    /// Only leaves of `touched` have other values at the ends of the line and now.
    #[inline]
    pub fn update_along(
        &mut self,
        layout: &TableLayout,
        slot: u32,
        line: &Line<'_>,
        touched: u64,
        new: &[i64],
        heap: &Heap,
    ) {
        if self.base.len() < layout.cells {
            self.base.resize(layout.cells, 0);
        }
        let mask = line.extend(layout, touched, new, &mut self.base);
        if mask != 0 {
            self.along = layout.motion;
            self.differing(layout, slot, mask, line.later, new, heap);
        }
    }

    /// Writes an update whose leaves of `mask` differ, and there are some: those
    /// of `self.along` from the line, the others from `base`.
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
        let mut gather = self.records.open();
        self.gap(slot, &mut gather);
        let same = mask == self.mask_before;
        self.mask_before = mask;
        let leaves = layout.record.leaves.len() as u32;
        if leaves <= GROUP {
            // The flag and the mask, or the flag alone.
            let (bits, count) = if same { (1, 1) } else { (mask << 1, leaves + 1) };
            gather.put(&mut self.records, bits, count);
        } else {
            gather.put(&mut self.records, u64::from(same), 1);
            if !same {
                self.records.close(gather);
                write_mask(&mut self.records, mask, leaves);
                gather = self.records.open();
            }
        }
        let line = &*self.base;
        let mut row = RowEncoder {
            w: &mut self.records,
            means: &mut self.means,
            texts: &mut self.texts,
            heap,
        };
        let mut left = mask;
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            let from = if self.along >> index & 1 != 0 { line } else { base };
            left &= left - 1;
            row.leaf(&mut gather, &layout.record, index, from, new);
        }
        row.w.close(gather);
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
        let mut gather = self.records.open();
        self.gap(slot, &mut gather);
        self.records.close(gather);
    }

    /// Counts a record of the section under way, and writes how far its slot is.
    #[inline(always)]
    fn gap(&mut self, slot: u32, gather: &mut Gather) {
        let gap = i64::from(slot) - self.slot_before - 1;
        debug_assert!(gap >= 0, "slots ascend");
        match short(gap as u64, GAP_SHORT, self.gap) {
            Some(code) => gather.put_short(&mut self.records, code),
            None => {
                self.records.close(*gather);
                self.records.golomb(gap as u64, self.gap.order(), GOLOMB_ESCAPE);
                *gather = self.records.open();
            }
        }
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

/// Gaps below this have short codes: nothing escapes so early.
const GAP_SHORT: u8 = 32;

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
    /// The leaves of `mask`, each of which differs from `base`.
    fn changed(&mut self, record: &Record, mask: u64, base: &[i64], new: &[i64]) {
        let mut gather = self.w.open();
        let mut left = mask;
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            left &= left - 1;
            self.leaf(&mut gather, record, index, base, new);
        }
        self.w.close(gather);
    }

    /// A leaf that differs from `base`, after the bits that are gathered already.
    #[inline(always)]
    fn leaf(
        &mut self,
        gather: &mut Gather,
        record: &Record,
        index: usize,
        base: &[i64],
        new: &[i64],
    ) {
        let step = &record.steps[index];
        let at = step.at as usize;
        if step.tree {
            self.w.close(*gather);
            let leaf = &record.leaves[index];
            let cells = at..at + leaf.cells;
            self.node(&leaf.node, Some(&base[cells.clone()]), &new[cells]);
            *gather = self.w.open();
        } else {
            self.scalar(gather, &step.scalar, base[at], new[at], false);
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

    #[inline(always)]
    fn scalar(&mut self, bits: &mut Gather, scalar: &Scalar, base: i64, new: i64, fresh: bool) {
        debug_assert!(scalar.contains(new), "cell {new} of {scalar:?}");
        let plain = new.wrapping_sub(scalar.lowest) as u64;
        match scalar.code {
            Code::Flip => {}
            Code::Fixed => self.plain(bits, plain, scalar.width),
            Code::Near if fresh => self.plain(bits, plain, scalar.width),
            Code::Near | Code::Count => {
                let difference = scalar.difference(base, new);
                // Zigzag, without the zero that the mask has excluded.
                let value = ((difference << 1) ^ (difference >> 63)) as u64 - 1;
                let mean = &mut self.means[scalar.mean as usize];
                if let Some(code) = short(value, scalar.short, *mean) {
                    bits.put_short(self.w, code);
                    return mean.count_small(value);
                }
                let order = mean.order().min(scalar.width);
                self.w.close(*bits);
                if self.w.golomb(value, order, escape(scalar.width, order)) {
                    mean.count(value);
                } else {
                    self.w.put(plain, scalar.width);
                }
                *bits = self.w.open();
            }
        }
    }

    /// A cell as it is.
    #[inline(always)]
    fn plain(&mut self, bits: &mut Gather, plain: u64, width: u32) {
        self.w.close(*bits);
        self.w.put(plain, width);
        *bits = self.w.open();
    }

    /// A value that differs from its base; no base stands for all zeros.
    fn node(&mut self, node: &Node, base: Option<&[i64]>, new: &[i64]) {
        let before = |at: usize| base.map_or(0, |base| base[at]);
        match node {
            Node::Scalar(scalar) => {
                let mut gather = self.w.open();
                self.scalar(&mut gather, scalar, before(0), new[0], base.is_none());
                self.w.close(gather);
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
