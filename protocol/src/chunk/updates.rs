//! Updates: the loop that a client spends its time in.
//!
//! Nearly all leaves are short codes of small differences, and mostly nothing but motion
//! changes. Where the motion leaves are side by side, a row's are read in one go, and the
//! rows hear of differences only. In other records, a loop reads short codes and does
//! nothing else. Whatever is not one is left to the general code of [`super::decode`].

use super::decode::{
    Decoder, Error, ReadUpdates, RowDecoder, Section, Shift, Slots, Updates, next_mask,
};
use super::{GROUP, Means};
use crate::bits::{BitReader, Loaded, Mean, PEEKED};
use crate::heap::Heap;
use crate::limits::LEAVES_MAX;
use crate::schema::layout::{Node, Scalar, TableLayout};

/// A section of updates, of which the number of records is read.
pub(super) struct UpdateSection<'a, 'b, 'c> {
    pub(super) section: &'a mut Section<'b, 'c>,
    pub(super) slots: Slots,
}

impl ReadUpdates for UpdateSection<'_, '_, '_> {
    #[inline(always)]
    fn read<const N: usize>(self, rows: impl Updates<N>) -> Result<(), Error> {
        let Section { decoder, r, layout, .. } = self.section;
        updates(r, self.slots, layout, decoder, rows)
    }
}

/// Reads the records of a section of updates. On its own, so that its variables
/// have the registers for themselves.
#[inline(never)]
fn updates<const N: usize>(
    reader: &mut BitReader<'_>,
    slots: Slots,
    layout: &TableLayout,
    decoder: &mut Decoder,
    rows: impl Updates<N>,
) -> Result<(), Error> {
    // A row's codes are loaded with its head.
    const { assert!(PEEKED + 1 + GROUP + N as u32 * PEEKED <= Loaded::BITS) };
    // Copies can live in registers.
    let (mut r, mut slots, mut rows) = (*reader, slots, rows);
    let leaves = layout.record.leaves.len() as u32;
    let mut mask = 0;
    let first = layout.motion.trailing_zeros() % LEAVES_MAX as u32;
    // All leaves but those of motion; really all, if some of them have no short codes.
    let mut others = decoder.live.others::<N>(first, layout);
    while let Some(slot) = slots.next(&mut r)? {
        mask = next_mask(&mut r, mask, leaves);
        if N > 0
            && mask & others == 0
            && let Some(means) = decoder.live.means_from(first)
            && let Some(shorts) = r.loaded().take_all((mask >> first) as u32, means)
        {
            rows.shift(&Shift { slot, mask, shorts })?;
            continue;
        }
        let (rest, done) = record(r, slot, mask, layout, decoder, &mut rows);
        done?;
        r = rest;
        others = decoder.live.others::<N>(first, layout);
    }
    rows.end();
    *reader = r;
    Ok(())
}

/// Reads what follows the head of a record, whatever it is. The reader goes by value, and
/// so it does not have to be in memory before.
#[inline(never)]
fn record<'b, const N: usize>(
    mut r: BitReader<'b>,
    slot: u32,
    mask: u64,
    layout: &TableLayout,
    decoder: &mut Decoder,
    rows: &mut impl Updates<N>,
) -> (BitReader<'b>, Result<(), Error>) {
    let done = rows.update(slot, mask, |cells, heap| {
        let mut left = mask;
        loop {
            let packed = short_leaves(*r.loaded(), left, &mut decoder.live.leaves, cells);
            let (loaded, index) = Loaded::unpack(packed);
            *r.loaded() = loaded;
            if index >= LEAVES_MAX as u64 {
                return Ok(());
            }
            left &= u64::MAX << index;
            if r.loaded().is_low() {
                r.refill();
                continue;
            }
            let leaf = &layout.record.leaves[index as usize];
            let cells = &mut cells[leaf.at..leaf.at + leaf.cells];
            let (rest, done) = long_leaf(r, decoder, &leaf.node, cells, heap);
            done?;
            r = rest;
            left &= left - 1;
        }
    });
    (r, done)
}

/// Reads leaves as long as they are short codes of differences that stay in the range.
/// Beside the bits, gives the first leaf that is not, or for which too few bits are
/// loaded; if there is none, a number that no leaf has.
///
/// Nearly all leaves come through here. There is one way out and nothing to be called,
/// so that everything is in registers, also what goes in and comes out.
#[inline(never)]
fn short_leaves(
    mut loaded: Loaded,
    mut left: u64,
    leaves: &mut [LiveLeaf; LEAVES_MAX],
    cells: &mut [i64],
) -> (u64, u64) {
    while left != 0 {
        let LiveLeaf { lowest, span, at, ref mut mean } =
            leaves[left.trailing_zeros() as usize % LEAVES_MAX];
        let Some(short) = loaded.short(*mean) else { break };
        let Some(cell) = cells.get_mut(at as usize) else { break };
        let moved = cell.wrapping_add(short.difference());
        if loaded.is_low() || moved.wrapping_sub(lowest) as u64 > span {
            break;
        }
        *cell = moved;
        mean.count_small(short.value());
        loaded.take(short);
        left &= left - 1;
    }
    loaded.pack(u64::from(left.trailing_zeros()))
}

/// A leaf that is anything else. The reader goes by value, and so it does not have to
/// be in memory before.
#[inline(never)]
fn long_leaf<'b>(
    r: BitReader<'b>,
    decoder: &mut Decoder,
    node: &Node,
    cells: &mut [i64],
    heap: &mut Heap,
) -> (BitReader<'b>, Result<(), Error>) {
    let mut row = RowDecoder::new(decoder, r, heap);
    let done = row.node(node, cells, false);
    row.r.refill();
    (row.r, done)
}

/// What the leaves of a row are decoded with, within one section.
#[derive(Debug)]
pub(super) struct Live {
    /// For each bit of a mask, what short codes of it need.
    leaves: [LiveLeaf; LEAVES_MAX],
    /// The means of all others.
    means: Means,
}

/// A leaf as short codes see it. Two are one cache line.
#[derive(Clone, Copy, Debug)]
struct LiveLeaf {
    /// The smallest cell.
    lowest: i64,
    /// The largest minus the smallest.
    span: u64,
    /// Its cell in the row.
    at: u32,
    /// Its running mean; [`Mean::LARGE`] if it has no short codes.
    mean: Mean,
}

impl Default for Live {
    fn default() -> Self {
        let leaf = LiveLeaf { lowest: 0, span: 0, at: 0, mean: Mean::LARGE };
        Live { leaves: [leaf; LEAVES_MAX], means: Means::default() }
    }
}

impl Live {
    /// Starts a section of a table.
    pub(super) fn start(&mut self, layout: &TableLayout, means: &[Mean]) {
        self.means.start(means);
        for ((live, leaf), mean) in
            self.leaves.iter_mut().zip(&layout.record.leaves).zip(&self.means.own)
        {
            live.mean = Mean::LARGE;
            if let Node::Scalar(Scalar { lowest, span, near: 1.., .. }) = leaf.node {
                *live = LiveLeaf { lowest, span, at: leaf.at as u32, mean: *mean };
            }
        }
    }

    /// The means of `N` leaves side by side.
    #[inline(always)]
    fn means_from<const N: usize>(&mut self, first: u32) -> Option<[&mut Mean; N]> {
        let leaves: &mut [LiveLeaf; N] =
            self.leaves.get_mut(first as usize..)?.first_chunk_mut()?;
        Some(leaves.each_mut().map(|leaf| &mut leaf.mean))
    }

    /// All leaves but the `N` of motion that are side by side, if all of these have short
    /// codes; otherwise really all. Short codes alone do not change that.
    fn others<const N: usize>(&mut self, first: u32, layout: &TableLayout) -> u64 {
        let means = self.means_from::<N>(first);
        let small = means.is_some_and(|means| means.iter().all(|mean| mean.is_small()));
        if small && N > 0 { !layout.motion } else { u64::MAX }
    }

    /// The mean of a scalar that has one.
    pub(super) fn mean(&mut self, scalar: &Scalar) -> &mut Mean {
        match self.leaves.get_mut(scalar.mean as usize) {
            Some(live) if scalar.near > 0 => &mut live.mean,
            _ => self.means.of(scalar),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{number, read_mask};
    use super::*;
    use crate::limits::SLOTS_MAX;
    use crate::schema::layout::Layout;
    use crate::schema::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema};
    use proptest::prelude::*;

    /// Numbers of every width and sort that a leaf can be, and some that are no number.
    fn kind() -> impl Strategy<Value = Kind> {
        let (repr, motion) = (FloatRepr::F32, false);
        prop_oneof![
            4 => (1u32..=32, any::<bool>(), -3i64..4).prop_map(move |(bits, ring, from)| {
                let count = ((1u64 << bits) - 1).max(2) as f64;
                let min = from as f64 * count / 4.0;
                Kind::Quantised { repr, min, max: min + count, step: 1.0, ring, motion }
            }),
            2 => (1u8..=24).prop_map(move |bits| Kind::Angle { repr, bits, motion }),
            3 => (0u32..64, any::<bool>()).prop_map(move |(bits, below)| {
                let max = i128::from((1u64 << bits) - 1 + u64::from(bits == 0));
                let (min, max) = if below { (-max - 1, -1) } else { (0, max) };
                Kind::Int { repr: if below { IntRepr::I64 } else { IntRepr::U64 }, min, max, motion }
            }),
            1 => prop::sample::select(IntRepr::ALL.to_vec()).prop_map(move |repr| {
                let (min, max) = repr.range();
                Kind::Int { repr, min, max, motion }
            }),
            1 => prop_oneof![
                Just(Kind::Bool),
                Just(Kind::Float(FloatRepr::F64)),
                Just(Kind::Text { max: 9 }),
                Just(Kind::Option(Box::new(Kind::Angle { repr, bits: 8, motion }))),
            ],
        ]
    }

    /// What may be motion.
    fn motion() -> impl Strategy<Value = Kind> {
        let (repr, motion) = (FloatRepr::F32, true);
        prop_oneof![
            4 => (4u32..=20, any::<bool>()).prop_map(move |(bits, ring)| {
                let half = (1u64 << bits) as f64 / 2.0;
                Kind::Quantised { repr, min: -half, max: half, step: 1.0, ring, motion }
            }),
            1 => (3u8..=12).prop_map(move |bits| Kind::Angle { repr, bits, motion }),
        ]
    }

    /// Rows by slot, with all that was said of them.
    #[derive(Clone, PartialEq, Debug)]
    struct Few {
        rows: Vec<Vec<i64>>,
        updates: Vec<(u32, u64)>,
    }

    impl<const N: usize> Updates<N> for (&mut Few, &mut Heap, &TableLayout) {
        fn shift(&mut self, shift: &Shift<N>) -> Result<(), Error> {
            let (few, _, layout) = self;
            few.updates.push((shift.slot, shift.mask));
            let row = few.rows.get_mut(shift.slot as usize).ok_or(Error::NoSuchRow)?;
            for (leaf, motion) in layout.motions.iter().enumerate() {
                let cell = &mut row[motion.at];
                *cell = motion.scalar.apply(*cell, shift.by(leaf)).ok_or(Error::OutOfRange)?;
            }
            Ok(())
        }

        fn update(
            &mut self,
            slot: u32,
            mask: u64,
            read: impl FnOnce(&mut [i64], &mut Heap) -> Result<(), Error>,
        ) -> Result<(), Error> {
            let (few, heap, _) = self;
            few.updates.push((slot, mask));
            read(few.rows.get_mut(slot as usize).ok_or(Error::NoSuchRow)?, heap)
        }

        fn end(self) {}
    }

    /// What [`updates`] does, all of it by the general code.
    fn slowly(
        r: &mut BitReader<'_>,
        mut slots: Slots,
        layout: &TableLayout,
        decoder: &mut Decoder,
        mut rows: impl Updates<0>,
    ) -> Result<(), Error> {
        let (record, mut mask, mut before) = (&layout.record, 0, 0);
        while slots.left > 0 {
            slots.left -= 1;
            let gap = number(r, slots.gap.order())?;
            slots.gap.count(gap);
            let slot = before + gap;
            if slot >= u64::from(SLOTS_MAX) {
                return Err(Error::TooLarge);
            }
            before = slot + 1;
            if !r.flag() {
                mask = read_mask(r, record.leaves.len() as u32);
            }
            rows.update(slot as u32, mask, |cells, heap| {
                let mut row = RowDecoder::new(decoder, *r, heap);
                row.leaves(record, mask, cells, false)?;
                *r = row.r;
                Ok(())
            })?;
        }
        Ok(())
    }

    proptest! {
        // There are many ways through this.
        #![proptest_config(ProptestConfig::with_cases(12 * ProptestConfig::default().cases))]
        #[test]
        fn short_codes_are_read_as_the_general_code_reads_them(
            mut kinds in prop::collection::vec(kind(), 1..14),
            motions in prop::collection::vec(motion(), 0..4),
            place in any::<prop::sample::Index>(),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            // Ones are short codes, zeros long ones.
            dense in prop::collection::vec(any::<u8>(), 0..60),
            left in 1u64..12,
            seeds in prop::collection::vec(any::<u64>(), 40),
            predicted in any::<bool>(),
        ) {
            let place = place.index(kinds.len() + 1);
            kinds.splice(place..place, motions);
            let fields = kinds.into_iter().enumerate();
            let fields = fields.map(|(i, kind)| Field { name: format!("f{i}"), kind }).collect();
            let tables = vec![TableSchema { name: "t".into(), entity: "T".into(), fields }];
            let none = Kind::default;
            let schema = Schema::new(tables, none(), none(), none(), none());
            let Ok(schema) = schema else { return Ok(()) };
            let layout = &Layout::new(&schema).tables[0];
            let bytes: Vec<u8> = bytes.iter().zip(dense.iter().chain([0, 0xFF].iter().cycle()))
                .map(|(a, b)| a | b).collect();
            let mut seeds = seeds.into_iter().cycle();
            let row = |_| {
                let mut cells = vec![0; layout.cells];
                for leaf in &layout.record.leaves {
                    if let Node::Scalar(scalar) = &leaf.node {
                        // Often at an end of the range.
                        let seed = seeds.next().unwrap_or(0);
                        let place = match (seed % 4, scalar.span.checked_add(1)) {
                            (0, _) => 0,
                            (1, _) => scalar.span,
                            (_, Some(count)) => (seed >> 2) % count,
                            (_, None) => seed,
                        };
                        cells[leaf.at] = scalar.lowest.wrapping_add(place as i64);
                    }
                }
                cells
            };
            let rows: Vec<Vec<i64>> = (0..16).map(row).collect();
            let means = if predicted { &layout.means_predicted } else { &layout.means };
            let run = |fast: bool| {
                let mut few = Few { rows: rows.clone(), updates: Vec::new() };
                let (mut decoder, mut heap) = (Decoder::default(), Heap::default());
                decoder.live.start(layout, means);
                let mut r = BitReader::new(&bytes);
                let slots = Slots { left, next: 0, gap: Mean::new(0) };
                let to = (&mut few, &mut heap, layout);
                let [two, three] = [
                    layout.motions_in_a_row::<2>().is_some(),
                    layout.motions_in_a_row::<3>().is_some(),
                ];
                let done = match fast {
                    true if two => updates::<2>(&mut r, slots, layout, &mut decoder, to),
                    true if three => updates::<3>(&mut r, slots, layout, &mut decoder, to),
                    true => updates::<0>(&mut r, slots, layout, &mut decoder, to),
                    false => slowly(&mut r, slots, layout, &mut decoder, to),
                };
                (done, few, r)
            };
            let ((fast, fast_rows, fast_r), (slow, slow_rows, slow_r)) = (run(true), run(false));
            prop_assert_eq!(fast, slow);
            prop_assert_eq!(fast_rows, slow_rows);
            if fast.is_ok() {
                prop_assert_eq!(fast_r.left(), slow_r.left());
                prop_assert_eq!(fast_r.overrun(), slow_r.overrun());
            }
        }
    }
}
