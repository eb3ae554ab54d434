//! From bits to rows.
//!
//! A decoder trusts nothing: each number is checked against the schema and the
//! limits before it is used, and a loop ends at the latest when the bits do.
//! After an error the rows are in between two states and must be given up.

use core::hint::select_unpredictable;

use super::updates::{Live, UpdateSection};
use super::{
    COUNT_ORDER, GENERATION_ORDER, GOLOMB_ESCAPE, GROUP, LENGTH_ORDER, REPEAT_BITS, SLOT_BITS,
    TEXT_ORDER, escape,
};
use crate::bits::{BitReader, Mean, Short};
use crate::heap::Heap;
use crate::limits::{MIRROR_BYTES_MAX, SLOTS_MAX, TEXT_WINDOW};
use crate::schema::layout::{Code, Layout, Node, Record, Scalar, TableLayout};
use crate::value::ref_cell;

/// Why bits are not a chunk for these rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The bits end inside a record.
    Truncated,
    /// There is more after the end than zero bits to a whole byte.
    Trailing,
    /// A table that the schema does not have.
    NoSuchTable,
    /// A slot or number is over its limit.
    TooLarge,
    /// A despawn, departure or update of a row that is not in this scope.
    NoSuchRow,
    /// A spawn where this scope has a row already.
    RowTaken,
    /// A cell outside of its field's range.
    OutOfRange,
    /// A variant that the schema does not have.
    BadTag,
    /// A text or list over its maximum, or a repeat of a text that was not there.
    BadLength,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A float that is NaN or infinite.
    NotFinite,
    /// The rows would take more memory than a client gives.
    TooMuchState,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Error::Truncated => "a chunk ends inside a record",
            Error::Trailing => "a chunk goes on after its end",
            Error::NoSuchTable => "a chunk names a table that the schema does not have",
            Error::TooLarge => "a number in a chunk is over its limit",
            Error::NoSuchRow => "a chunk changes a row that is not in its scope",
            Error::RowTaken => "a chunk spawns a row that is there already",
            Error::OutOfRange => "a cell is outside of its field's range",
            Error::BadTag => "a chunk names a variant that the schema does not have",
            Error::BadLength => "a text or list in a chunk is too long",
            Error::NotUtf8 => "a text in a chunk is not UTF-8",
            Error::NotFinite => "a float in a chunk is not finite",
            Error::TooMuchState => "the state is larger than this client's limit",
        })
    }
}

impl core::error::Error for Error {}

/// What a chunk is applied to: the rows that a client has.
pub trait Rows {
    /// The entity in `slot` is gone.
    fn despawn(&mut self, table: usize, slot: u32) -> Result<(), Error>;
    /// The entity in `slot` left the scope.
    fn depart(&mut self, table: usize, slot: u32) -> Result<(), Error>;
    /// A new entity: gives its row, all zero and owning no texts.
    fn spawn(
        &mut self,
        table: usize,
        slot: u32,
        generation: u32,
    ) -> Result<(&mut [i64], &mut Heap), Error>;
    /// The row of the last `spawn` is complete; `mask` are its leaves that were written.
    fn spawned(&mut self, table: usize, slot: u32, mask: u64);
    /// Entities of a table change: calls `read` once, with its rows.
    fn updates(&mut self, table: usize, read: impl ReadUpdates) -> Result<(), Error>;
}

/// Reads the updates of a table.
pub trait ReadUpdates {
    /// Reads them all to `rows`, which are what they are for. The motion leaves are
    /// known to be `N` side by side; with 0, nothing is known of them.
    fn read<const N: usize>(self, rows: impl Updates<N>) -> Result<(), Error>;
}

/// The rows of one table, while they are updated.
pub trait Updates<const N: usize> {
    /// An entity of which nothing but motion changes. It errs if there is no row, or if a
    /// leaf would leave its range. Where `N` is 0, there is none.
    fn shift(&mut self, shift: &Shift<N>) -> Result<(), Error>;
    /// An entity that changes: `read` is called once, with its row, which holds the
    /// base, and writes the leaves of `mask`.
    fn update(
        &mut self,
        slot: u32,
        mask: u64,
        read: impl FnOnce(&mut [i64], &mut Heap) -> Result<(), Error>,
    ) -> Result<(), Error>;
    /// There are no more.
    fn end(self);
}

/// How far the `N` motion leaves of an entity, which are side by side, are from the base.
#[derive(Clone, Copy, Debug)]
pub struct Shift<const N: usize> {
    /// The row's slot.
    pub slot: u32,
    /// The leaves that are written.
    pub mask: u64,
    /// What says it.
    pub(super) shorts: [Short; N],
}

impl<const N: usize> Shift<N> {
    /// One by some differences that have short codes.
    #[cfg(test)]
    pub(crate) fn new(slot: u32, mask: u64, by: [i64; N]) -> Shift<N> {
        Shift { slot, mask, shorts: by.map(Short::by) }
    }

    /// How far one of them is, which is below `N`; 0 if it is not written.
    #[inline(always)]
    pub fn by(&self, leaf: usize) -> i64 {
        self.shorts[leaf].difference()
    }
}

/// Reads chunks, and keeps its memory in between.
#[derive(Debug, Default)]
pub struct Decoder {
    pub(super) live: Live,
    texts: Texts,
}

impl Decoder {
    /// Applies one chunk. `predicted` says that the rows of updates hold where
    /// a straight line leads, not what was there.
    pub fn apply(
        &mut self,
        layout: &Layout,
        chunk: &[u8],
        predicted: bool,
        rows: &mut impl Rows,
    ) -> Result<(), Error> {
        if chunk.is_empty() {
            // A scope without rows, or without changes.
            return Ok(());
        }
        self.texts.clear();
        let mut r = BitReader::new(chunk);
        let mut index = 0;
        while r.flag() {
            let gap = number(&mut r, 0)?;
            // Not added before it is known to be small: 32 bits would overflow.
            let rest = layout.tables.len().saturating_sub(index);
            if gap >= rest as u64 {
                return Err(Error::NoSuchTable);
            }
            index += gap as usize;
            let table = &layout.tables[index];
            let mut section = Section { decoder: self, r: &mut r, layout: table, table: index };
            section.removals(rows, |rows, slot| rows.despawn(index, slot))?;
            section.removals(rows, |rows, slot| rows.depart(index, slot))?;
            section.spawns(rows)?;
            section.updates(rows, predicted)?;
            index += 1;
        }
        match r.overrun() {
            true => Err(Error::Truncated),
            false if r.at_padding() => Ok(()),
            false => Err(Error::Trailing),
        }
    }
}

/// A number that no escape can follow.
#[inline(always)]
pub(super) fn number(r: &mut BitReader<'_>, order: u32) -> Result<u64, Error> {
    r.golomb(order, GOLOMB_ESCAPE).ok_or_else(|| {
        // Zeros past the end look like an escape.
        if r.left() == 0 { Error::Truncated } else { Error::TooLarge }
    })
}

/// The sections of one table.
pub(super) struct Section<'a, 'b> {
    pub(super) decoder: &'a mut Decoder,
    pub(super) r: &'a mut BitReader<'b>,
    pub(super) layout: &'a TableLayout,
    table: usize,
}

/// The slots of a section, which ascend.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    pub(super) left: u64,
    pub(super) next: u64,
    pub(super) gap: Mean,
}

impl Slots {
    fn read(r: &mut BitReader<'_>) -> Result<Slots, Error> {
        let left = if r.flag() { number(r, COUNT_ORDER)? + 1 } else { 0 };
        // There is at most one record for each slot, so a lie ends the loop early.
        if left > u64::from(SLOTS_MAX) {
            return Err(Error::TooLarge);
        }
        Ok(Slots { left, next: 0, gap: Mean::new(0) })
    }

    /// The next slot. Past the end of the bits there is none, as no code is all zeros.
    #[inline(always)]
    pub(super) fn next(&mut self, r: &mut BitReader<'_>) -> Result<Option<u32>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        r.refill();
        let mut gap = 0;
        if self.gap.rests() && r.loaded().bits() & 1 != 0 {
            // The next slot, as it mostly is: then there is nothing to look up.
            r.loaded().skip(1);
        } else if let Some(short) = r.loaded().short(self.gap) {
            r.loaded().take(short);
            gap = short.value();
            self.gap.count_small(gap);
        } else {
            let (rest, long) = long_number(*r, self.gap.order());
            *r = rest;
            gap = long?;
            self.gap.count(gap);
        }
        let slot = self.next + gap;
        if slot >= u64::from(SLOTS_MAX) {
            return Err(Error::TooLarge);
        }
        self.next = slot + 1;
        Ok(Some(slot as u32))
    }
}

/// A number that is not short. It is rare, so the reader goes by value; and it
/// comes back loaded.
#[inline(never)]
fn long_number(mut r: BitReader<'_>, order: u32) -> (BitReader<'_>, Result<u64, Error>) {
    let value = number(&mut r, order);
    r.refill();
    (r, value)
}

impl<'b> Section<'_, 'b> {
    fn removals<R: Rows>(
        &mut self,
        rows: &mut R,
        mut remove: impl FnMut(&mut R, u32) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut slots = Slots::read(self.r)?;
        while let Some(slot) = slots.next(self.r)? {
            remove(rows, slot)?;
        }
        Ok(())
    }

    fn spawns(&mut self, rows: &mut impl Rows) -> Result<(), Error> {
        let mut slots = Slots::read(self.r)?;
        if slots.left == 0 {
            return Ok(());
        }
        let record = &self.layout.record;
        let leaves = record.leaves.len() as u32;
        let mut mask = 0;
        self.start(false);
        while let Some(slot) = slots.next(self.r)? {
            let generation = number(self.r, GENERATION_ORDER)? + 1;
            let generation = u32::try_from(generation).map_err(|_| Error::TooLarge)?;
            mask = if self.r.flag() { mask } else { read_mask(self.r, leaves) };
            // A record that the bits did not hold must not make a row.
            if self.r.overrun() {
                return Err(Error::Truncated);
            }
            let (cells, heap) = rows.spawn(self.table, slot, generation)?;
            let mut row = RowDecoder::new(self.decoder, *self.r, heap);
            row.leaves(record, mask, cells, true)?;
            *self.r = row.r;
            rows.spawned(self.table, slot, mask);
        }
        Ok(())
    }

    fn updates(&mut self, rows: &mut impl Rows, predicted: bool) -> Result<(), Error> {
        let slots = Slots::read(self.r)?;
        if slots.left == 0 {
            return Ok(());
        }
        self.start(predicted);
        rows.updates(self.table, UpdateSection { section: self, slots })
    }

    fn start(&mut self, predicted: bool) {
        let layout = self.layout;
        let means = if predicted { &layout.means_predicted } else { &layout.means };
        self.decoder.live.start(layout, means);
    }
}

/// The mask of the next record. It is loaded if it is of one group, and what follows it
/// if it is not.
#[inline(always)]
pub(super) fn next_mask(r: &mut BitReader<'_>, before: u64, leaves: u32) -> u64 {
    let bits = r.loaded().bits();
    let same = bits & 1 != 0;
    if leaves <= GROUP {
        // No branch, as the one is as likely as the other.
        let other = bits >> 1 & ((1 << leaves) - 1);
        r.loaded().skip_either(same, 1, 1 + leaves);
        return select_unpredictable(same, before, other);
    }
    r.loaded().skip(1);
    if same {
        return before;
    }
    let mut rest = *r;
    let mask = read_mask(&mut rest, leaves);
    rest.refill();
    *r = rest;
    mask
}

pub(super) fn read_mask(r: &mut BitReader<'_>, leaves: u32) -> u64 {
    if leaves <= GROUP {
        return r.take(leaves);
    }
    let groups = r.take(leaves.div_ceil(GROUP));
    (0..leaves.div_ceil(GROUP)).filter(|group| groups >> group & 1 != 0).fold(0, |mask, group| {
        let bits = GROUP.min(leaves - group * GROUP);
        mask | r.take(bits) << (group * GROUP)
    })
}

/// The texts that this chunk held so far.
#[derive(Debug, Default)]
struct Texts {
    /// All of them, one after the other: no more than the chunk's own bytes.
    bytes: Vec<u8>,
    /// Start and end of the last [`TEXT_WINDOW`], each at its number modulo that.
    places: Vec<(usize, usize)>,
    read: usize,
}

impl Texts {
    fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.read = 0;
    }

    fn remember(&mut self, place: (usize, usize)) {
        if self.places.len() < TEXT_WINDOW {
            self.places.push(place);
        } else {
            self.places[self.read % TEXT_WINDOW] = place;
        }
        self.read += 1;
    }
}

/// Reads values of one row.
pub(super) struct RowDecoder<'a, 'b> {
    pub(super) r: BitReader<'b>,
    live: &'a mut Live,
    texts: &'a mut Texts,
    heap: &'a mut Heap,
}

impl<'a, 'b> RowDecoder<'a, 'b> {
    pub(super) fn new(decoder: &'a mut Decoder, r: BitReader<'b>, heap: &'a mut Heap) -> Self {
        RowDecoder { r, live: &mut decoder.live, texts: &mut decoder.texts, heap }
    }

    /// The leaves of `mask`; `fresh` says that all cells are zero because it is new.
    pub(super) fn leaves(
        &mut self,
        record: &Record,
        mask: u64,
        cells: &mut [i64],
        fresh: bool,
    ) -> Result<(), Error> {
        for (index, leaf) in record.leaves.iter().enumerate() {
            if mask >> index & 1 != 0 {
                self.node(&leaf.node, &mut cells[leaf.at..leaf.at + leaf.cells], fresh)?;
            }
        }
        Ok(())
    }

    /// A value whose cells hold its base; `fresh` says that they are all zero
    /// because it is new.
    pub(super) fn node(
        &mut self,
        node: &Node,
        cells: &mut [i64],
        fresh: bool,
    ) -> Result<(), Error> {
        match node {
            Node::Scalar(code) => {
                cells[0] = scalar(&mut self.r, self.live, code, cells[0], fresh)?;
            }
            Node::Text { max, utf8 } => self.text(*max, *utf8, &mut cells[0])?,
            Node::Ref => {
                cells[0] = 0;
                if self.r.flag() {
                    let slot = self.r.take(SLOT_BITS) as u32;
                    let generation = number(&mut self.r, GENERATION_ORDER)? + 1;
                    let generation = u32::try_from(generation).map_err(|_| Error::TooLarge)?;
                    cells[0] = ref_cell(slot, generation);
                }
            }
            Node::Option(of) => {
                let was = cells[0] != 0;
                if self.r.flag() {
                    cells[0] = 1;
                    self.perhaps(of, &mut cells[1..], fresh || !was)?;
                } else {
                    node.wipe(cells, self.heap);
                }
            }
            Node::Enum { tag, variants } => {
                let new = self.r.take(tag.width);
                let record = variants.get(new as usize).ok_or(Error::BadTag)?;
                let changes = new as i64 != cells[0];
                if changes {
                    node.wipe(cells, self.heap);
                    cells[0] = new as i64;
                }
                self.record(record, &mut cells[1..], fresh || changes)?;
            }
            Node::List { of, max, stride } => {
                let new = number(&mut self.r, LENGTH_ORDER)?;
                if new > *max as u64 {
                    return Err(Error::BadLength);
                }
                let new = new as usize;
                let old = cells[0] as usize;
                cells[0] = new as i64;
                for index in 0..new.max(old) {
                    let at = 1 + index * stride;
                    let place = &mut cells[at..at + stride];
                    if index < new {
                        self.perhaps(of, place, fresh || index >= old)?;
                    } else {
                        of.wipe(place, self.heap);
                    }
                }
            }
            Node::Array { of, stride, .. } => {
                for place in cells.chunks_exact_mut(*stride) {
                    self.perhaps(of, place, fresh)?;
                }
            }
            Node::Record(record) => self.record(record, cells, fresh)?,
        }
        Ok(())
    }

    /// A value that may be the same as its base.
    fn perhaps(&mut self, node: &Node, cells: &mut [i64], fresh: bool) -> Result<(), Error> {
        if let Node::Record(record) = node {
            return self.record(record, cells, fresh);
        }
        if self.r.flag() { self.node(node, cells, fresh) } else { Ok(()) }
    }

    fn record(&mut self, record: &Record, cells: &mut [i64], fresh: bool) -> Result<(), Error> {
        let mask = read_mask(&mut self.r, record.leaves.len() as u32);
        self.leaves(record, mask, cells, fresh)
    }

    fn text(&mut self, max: usize, utf8: bool, cell: &mut i64) -> Result<(), Error> {
        let (start, end) = if self.r.flag() {
            let number = self.r.take(REPEAT_BITS) as usize;
            *self.texts.places.get(number).ok_or(Error::BadLength)?
        } else {
            let length = number(&mut self.r, TEXT_ORDER)?;
            if length > max as u64 {
                return Err(Error::BadLength);
            }
            let length = length as usize;
            if self.r.left() < length * 8 {
                return Err(Error::Truncated);
            }
            let start = self.texts.bytes.len();
            self.r.slice(length, &mut self.texts.bytes);
            self.texts.remember((start, start + length));
            (start, start + length)
        };
        let text = &self.texts.bytes[start..end];
        if text.len() > max {
            return Err(Error::BadLength);
        }
        if utf8 && core::str::from_utf8(text).is_err() {
            return Err(Error::NotUtf8);
        }
        self.heap.set(cell, text);
        // A repeat takes seven bits, whatever the text's length is.
        if self.heap.cost() > MIRROR_BYTES_MAX { Err(Error::TooMuchState) } else { Ok(()) }
    }
}

/// The cell that lies a coded difference from its base.
#[inline(always)]
fn stepped(scalar: &Scalar, base: i64, value: u64) -> Result<i64, Error> {
    let zigzag = value.wrapping_add(1);
    let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    scalar.apply(base, difference).ok_or(Error::OutOfRange)
}

/// A scalar's cell, given its base.
#[inline(always)]
fn scalar(
    r: &mut BitReader<'_>,
    live: &mut Live,
    scalar: &Scalar,
    base: i64,
    fresh: bool,
) -> Result<i64, Error> {
    if scalar.code == Code::Count || (scalar.code == Code::Near && !fresh) {
        let mean = live.mean(scalar);
        let order = mean.order().min(scalar.width);
        if let Some(value) = r.golomb(order, escape(scalar.width, order)) {
            mean.count(value);
            return stepped(scalar, base, value);
        }
    } else if scalar.code == Code::Flip {
        return Ok(scalar.lowest + i64::from(base == scalar.lowest));
    }
    let plain = r.take(scalar.width);
    if plain > scalar.span {
        return Err(Error::OutOfRange);
    }
    if scalar.not_finite != 0 && plain & scalar.not_finite == scalar.not_finite {
        return Err(Error::NotFinite);
    }
    Ok(scalar.lowest.wrapping_add(plain as i64))
}
