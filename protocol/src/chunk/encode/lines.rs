//! Rows along straight lines: what is to be written of them.

use super::{BATCH, Changed, MOTIONS_MAX, Update};
use crate::bits::{Gather, Mean};
use crate::chunk::near;
use crate::limits::LEAVES_MAX;
use crate::schema::layout::{Motion, Record, TableLayout};

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
    pub(super) const NONE: Moving<'static> =
        Moving { slot: 0, touched: 0, earlier: &[], later: &[], new: &[] };

    /// All that is to be written, where nothing but motion changed and the spans are of
    /// one length, as they are while every frame comes.
    #[inline(always)]
    pub(super) fn known<const N: usize>(
        &self,
        layout: &TableLayout,
        leaves: &[Motion; N],
        means: &mut [Mean; LEAVES_MAX],
    ) -> Option<Known> {
        if self.touched & !layout.motion != 0 {
            return None;
        }
        // For the compiler to know that no sum overflows.
        let at = leaves[0].at as u32;
        let (earlier, later) = (some::<N>(self.earlier, at)?, some::<N>(self.later, at)?);
        let new = some::<N>(self.new, at)?;
        let differences = core::array::from_fn(|i| {
            new[i].wrapping_sub(leaves[i].scalar.go_on(earlier[i], later[i]))
        });
        let (mask, codes) = near::codes(differences, leaves, means)?;
        Some(Known { slot: self.slot, mask, codes })
    }
}

impl Update<'_> {
    /// The same, where nothing but motion changed.
    #[inline(always)]
    pub(super) fn known<const N: usize>(
        &self,
        layout: &TableLayout,
        leaves: &[Motion; N],
        means: &mut [Mean; LEAVES_MAX],
    ) -> Option<Known> {
        if self.mask & !layout.motion != 0 {
            return None;
        }
        let at = leaves[0].at as u32;
        let (base, new) = (some::<N>(self.base, at)?, some::<N>(self.new, at)?);
        let differences = core::array::from_fn(|i| new[i].wrapping_sub(base[i]));
        let (mask, codes) = near::codes(differences, leaves, means)?;
        Some(Known { slot: self.slot, mask, codes })
    }
}

/// All that is to be written of a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) slot: u32,
    /// No leaves if there is nothing.
    pub(super) mask: u64,
    pub(super) codes: Gather,
}

/// As many cells as are asked for, from a place on.
#[inline(always)]
fn some<const N: usize>(cells: &[i64], at: u32) -> Option<&[i64; N]> {
    let at = at as usize;
    cells.get(at..at + N)?.first_chunk()
}

/// What is to be written of a batch, for the rows that are not where straight lines
/// lead them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Of each row the leaves that are elsewhere.
    masks: [u64; BATCH],
    /// The codes of those that are motion, as far as they are in the table.
    codes: [Gather; BATCH],
    /// The leaves from there on.
    left: [u64; BATCH],
    /// How far those are from where they were expected, by leaf.
    differences: [Differences; BATCH],
    /// The places of the rows that have a mask, and how many these are.
    places: [u8; BATCH],
    off: usize,
}

/// There are as many as a mask has bits, so that no index needs a test.
#[derive(Debug)]
struct Differences([i64; LEAVES_MAX]);

impl Default for Differences {
    fn default() -> Self {
        Differences([0; LEAVES_MAX])
    }
}

impl Lines {
    /// Draws the lines of some rows: all, or those up to one with motion that is left
    /// to be written in another way, which the codes of the next ones depend on. Gives
    /// their number. On its own, as the functions that write.
    #[inline(never)]
    pub(super) fn extend(
        &mut self,
        layout: &TableLayout,
        spans: (u32, u32),
        rows: &[Moving<'_>],
        means: &mut [Mean; LEAVES_MAX],
    ) -> usize {
        let motion = if layout.motions.len() <= MOTIONS_MAX { layout.motion } else { 0 };
        let mut off = 0;
        for (place, row) in rows.iter().enumerate() {
            let place = place % BATCH;
            let (mut mask, mut codes, mut left) = (0, Gather::default(), u64::MAX);
            if motion != 0 && row.touched & !motion == 0 {
                (mask, codes, left) = row.codes(layout, spans, means);
            }
            if left != 0 {
                mask = row.extend(layout, spans, &mut self.differences[place].0);
                left &= mask;
            }
            (self.masks[place], self.codes[place], self.left[place]) = (mask, codes, left);
            // One that is where it was expected leaves its number to the next one.
            self.places[off % BATCH] = place as u8;
            off += usize::from(mask != 0);
            if left & layout.motion != 0 {
                self.off = off;
                return place + 1;
            }
        }
        self.off = off;
        rows.len()
    }

    /// How many rows are not where their lines lead.
    pub(super) fn count(&self) -> usize {
        self.off
    }

    /// Those of the rows that are not where their lines lead.
    #[inline(always)]
    pub(super) fn off<'a>(&'a self, rows: &'a [Moving<'a>]) -> impl Iterator<Item = Off<'a>> {
        self.places[..self.off].iter().map(|place| {
            let place = usize::from(*place) % BATCH;
            let (row, differences) = (&rows[place], &self.differences[place].0);
            let (mask, codes, left) = (self.masks[place], self.codes[place], self.left[place]);
            Off { row, mask, codes, left, differences }
        })
    }
}

impl Moving<'_> {
    /// Extends the line of a row of which nothing but motion changed. Gives the leaves
    /// that are elsewhere, their codes, and 0; or, where a code is not in the table, what
    /// there is before it, and all leaves from there on.
    ///
    /// Which leaves are elsewhere is hard to foresee for a processor: the code of one
    /// that is not has no bits.
    #[inline(always)]
    fn codes(
        &self,
        layout: &TableLayout,
        (apart, ahead): (u32, u32),
        means: &mut [Mean; LEAVES_MAX],
    ) -> (u64, Gather, u64) {
        // Of one length, so that one test of an index is enough.
        let cells = layout.cells;
        let (earlier, later) = (&self.earlier[..cells], &self.later[..cells]);
        let new = &self.new[..cells];
        let (mut mask, mut codes) = (0, Gather::default());
        for &Motion { at, bit, ref scalar, .. } in &layout.motions {
            let cell = scalar.extrapolate(earlier[at], later[at], apart, ahead);
            let difference = new[at].wrapping_sub(cell);
            let mean = &mut means[bit as usize % LEAVES_MAX];
            let Some(code) = near::code(difference, scalar.near, *mean) else {
                return (mask, codes, u64::MAX << bit);
            };
            mean.count_small_if(difference != 0, code.value());
            codes.push(code.bits(), code.length());
            mask |= u64::from(difference != 0) << bit;
        }
        (mask, codes, 0)
    }

    /// Finds how far all leaves are from where the line leads, and gives the mask of
    /// those that are elsewhere.
    #[inline(never)]
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
        for &Motion { at, bit, ref scalar, .. } in &layout.motions {
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

/// A row that is not where its line leads.
#[derive(Clone, Copy)]
pub(super) struct Off<'a> {
    row: &'a Moving<'a>,
    mask: u64,
    codes: Gather,
    left: u64,
    /// Of the leaves that are left.
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
    fn codes(self) -> Option<(Gather, u64)> {
        Some((self.codes, self.left))
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

#[cfg(test)]
mod tests {
    use crate::chunk::{Encoder, Moving};
    use crate::heap::Heap;
    use crate::schema::layout::{Layout, Node};
    use crate::schema::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema};

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((self.0 >> 33) % bound) as i64
        }
    }

    /// A table of so many leaves of motion, a plain one between them or before, and an
    /// option.
    fn layout(motions: usize, between: bool) -> Layout {
        let grid = |ring| {
            let (min, max, step, repr) = (-64.0, 64.0, 0.0625, FloatRepr::F32);
            Kind::Quantised { repr, min, max, step, ring, motion: true }
        };
        let byte = || Kind::Int { repr: IntRepr::U8, min: 0, max: 255, motion: false };
        let mut kinds: Vec<Kind> = (0..motions).map(|number| grid(number % 2 == 0)).collect();
        kinds.insert(if between { motions / 2 } else { 0 }, byte());
        kinds.push(Kind::Option(Box::new(byte())));
        let fields = kinds.into_iter().enumerate();
        let fields = fields.map(|(number, kind)| Field { name: format!("f{number}"), kind });
        let (name, fields) = ("things".to_owned(), fields.collect());
        let table = TableSchema { name, entity: "Thing".into(), fields };
        let none = Kind::default;
        Layout::new(&Schema::new(vec![table], none(), none(), none(), none()).expect("fits"))
    }

    /// What may be left of a row some ticks later.
    fn moved(layout: &Layout, row: &[i64], dice: &mut Dice) -> Vec<i64> {
        let mut row = row.to_vec();
        for leaf in &layout.tables[0].record.leaves {
            let cell = &mut row[leaf.at];
            match &leaf.node {
                Node::Scalar(scalar) if leaf.motion => {
                    let step = match dice.below(40) {
                        0 => dice.below(3000) - 1500,
                        1..8 => dice.below(60) - 30,
                        8..20 => 0,
                        _ => dice.below(5) - 2,
                    };
                    *cell = (*cell + step).clamp(scalar.lowest, -scalar.lowest - 1);
                }
                _ if dice.below(20) == 0 => *cell ^= 1,
                _ => {}
            }
        }
        // Behind an option that is nothing there are zeros.
        let [.., there, value] = &mut row[..] else { return row };
        *value = if *there == 0 { 0 } else { *value ^ i64::from(dice.below(30) == 0) };
        row
    }

    #[test]
    fn rows_in_batches_have_the_bits_that_each_has_alone() {
        let (heap, mut dice) = (Heap::default(), Dice(1));
        for round in 0..2000 {
            let layout = layout(round % 8, round % 3 == 0);
            let table = &layout.tables[0];
            let (apart, ahead) = (1 + dice.below(2) as u32, 1 + dice.below(2) as u32);
            let (mut slot, nothing) = (0, vec![0; table.cells]);
            let rows: Vec<_> = (0..dice.below(40))
                .map(|_| {
                    slot += 1 + if dice.below(6) == 0 { dice.below(70) } else { 0 };
                    let earlier = moved(&layout, &nothing, &mut dice);
                    let later = moved(&layout, &earlier, &mut dice);
                    let new = moved(&layout, &later, &mut dice);
                    (slot as u32, earlier, later, new)
                })
                .collect();
            let moving = rows.iter().map(|(slot, earlier, later, new)| {
                let touched = table.record.differing(later, new);
                Moving { slot: *slot, touched, earlier, later, new }
            });
            let (mut batched, mut alone) = (Vec::new(), Vec::new());
            let mut encoder = Encoder::default();
            encoder.begin(true);
            encoder.table(0);
            encoder.updates_along(table, (apart, ahead), moving, &heap);
            encoder.finish(&mut batched);

            encoder.begin(true);
            encoder.table(0);
            for (slot, earlier, later, new) in &rows {
                let mut line = later.clone();
                for motion in &table.motions {
                    let (from, to) = (earlier[motion.at], later[motion.at]);
                    line[motion.at] = motion.scalar.extrapolate(from, to, apart, ahead);
                }
                encoder.update(table, *slot, &line, new, &heap);
            }
            encoder.finish(&mut alone);
            assert_eq!(batched, alone, "round {round}");
        }
    }
}
