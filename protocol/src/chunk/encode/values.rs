//! The values of one row.

use crate::bits::BitWriter;
use crate::chunk::{
    GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, LENGTH_ORDER, Means, REPEAT_BITS, SLOT_BITS,
    TEXT_ORDER, escape, near,
};
use crate::heap::Heap;
use crate::limits::TEXT_WINDOW;
use crate::schema::layout::{Code, Node, Record, Scalar};
use crate::value::ref_parts;

/// The row that a new entity differs from.
pub(super) struct Zeros;

impl Zeros {
    pub(super) fn differing(&self, record: &Record, cells: &[i64]) -> u64 {
        record.leaves.iter().enumerate().fold(0, |mask, (i, leaf)| {
            let set = cells[leaf.at..leaf.at + leaf.cells].iter().any(|&cell| cell != 0);
            mask | u64::from(set) << i
        })
    }
}

pub(super) fn write_mask(w: &mut BitWriter, mask: u64, leaves: u32) {
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
pub(super) struct Texts {
    /// Handles of the last [`TEXT_WINDOW`], each at its number modulo that.
    pub(super) handles: Vec<i64>,
    pub(super) written: usize,
}

/// Writes values of one row.
pub(super) struct RowEncoder<'a> {
    pub(super) w: &'a mut BitWriter,
    pub(super) means: &'a mut Means,
    pub(super) texts: &'a mut Texts,
    pub(super) heap: &'a Heap,
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
    pub(super) fn fresh(&mut self, record: &Record, mask: u64, new: &[i64]) {
        for (index, leaf) in record.leaves.iter().enumerate() {
            if mask >> index & 1 != 0 {
                self.node(&leaf.node, None, &new[leaf.at..leaf.at + leaf.cells]);
            }
        }
    }

    pub(super) fn scalar(&mut self, scalar: &Scalar, base: i64, new: i64, fresh: bool) {
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
    pub(super) fn node(&mut self, node: &Node, base: Option<&[i64]>, new: &[i64]) {
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
