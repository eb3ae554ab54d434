//! How rows come from the tick before to a frame's own, before it changes them.
//!
//! Most entities have two or three motion leaves side by side: a position, and a
//! heading. For these the loops over rows are compiled with the number known; for all
//! others there is one that takes any.

use crate::chunk::Shift;
use crate::schema::layout::{Motion as Leaf, TableLayout};

/// What a frame does to rows that it has nothing for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Motion stops where it is.
    Still,
    /// Motion goes on along straight lines: `apart` ticks lie between the last two
    /// frames, and this one is `ahead` ticks after them.
    Line { apart: u32, ahead: u32 },
}

/// The motion leaves of a table, at some pace.
pub(super) trait Motion<const N: usize>: Copy {
    /// How many there are.
    fn count(self) -> usize;
    /// Takes a row one frame further.
    fn step(self, cells: &mut [i64], past: &mut [i64]);
    /// The mask of the leaves that are not where they were, in a row of which the frame
    /// wrote `written`.
    fn moved(self, written: u64, cells: &[i64], past: &[i64]) -> u64;
    /// Takes a row one frame further and its leaves from there by some differences; none
    /// if one would leave its range. Otherwise as [`Motion::moved`].
    fn shift(self, shift: &Shift<N>, cells: &mut [i64; N], past: &mut [i64; N]) -> Option<u64>;
}

/// What is to be done with the motion of a table.
pub(super) trait WithMotion {
    type Output;
    /// There are `N` leaves side by side; with 0, it is any.
    fn with<const N: usize>(self, motion: impl Motion<N>) -> Self::Output;
}

/// Does it with what suits the table best.
#[inline(always)]
pub(super) fn choose<W: WithMotion>(layout: &TableLayout, pace: Pace, what: W) -> W::Output {
    if let Some(leaves) = layout.motions_in_a_row() {
        return in_a_row::<2, W>(leaves, layout, pace, what);
    }
    if let Some(leaves) = layout.motions_in_a_row() {
        return in_a_row::<3, W>(leaves, layout, pace, what);
    }
    what.with::<0>(Any { leaves: &layout.motions, mask: layout.motion, pace })
}

#[inline(always)]
fn in_a_row<const N: usize, W: WithMotion>(
    leaves: &[Leaf; N],
    layout: &TableLayout,
    pace: Pace,
    what: W,
) -> W::Output {
    let first = leaves[0];
    match pace {
        Pace::Still => what.with(Still { leaves, first: first.at, mask: layout.motion }),
        Pace::Line { apart, ahead } if apart == ahead => what.with(Onward { leaves, first }),
        Pace::Line { .. } => what.with::<N>(Any { leaves, mask: layout.motion, pace }),
    }
}

/// Any leaves at any pace.
#[derive(Clone, Copy)]
struct Any<'a> {
    leaves: &'a [Leaf],
    mask: u64,
    pace: Pace,
}

impl Any<'_> {
    fn next(self, leaf: &Leaf, past: i64, cell: i64) -> i64 {
        match self.pace {
            Pace::Still => cell,
            Pace::Line { apart, ahead } => leaf.scalar.extrapolate(past, cell, apart, ahead),
        }
    }
}

impl<const N: usize> Motion<N> for Any<'_> {
    fn count(self) -> usize {
        self.leaves.len()
    }

    #[inline(never)]
    fn step(self, cells: &mut [i64], past: &mut [i64]) {
        for (leaf, past) in self.leaves.iter().zip(past) {
            let cell = &mut cells[leaf.at];
            let next = self.next(leaf, *past, *cell);
            (*past, *cell) = (*cell, next);
        }
    }

    #[inline(never)]
    fn moved(self, written: u64, cells: &[i64], past: &[i64]) -> u64 {
        if let Pace::Still = self.pace {
            return written & self.mask;
        }
        let pairs = self.leaves.iter().zip(past);
        pairs.fold(0, |mask, (leaf, &past)| mask | u64::from(cells[leaf.at] != past) << leaf.bit)
    }

    #[inline(always)]
    fn shift(self, shift: &Shift<N>, cells: &mut [i64; N], past: &mut [i64; N]) -> Option<u64> {
        let mut moved = 0;
        for (i, leaf) in self.leaves.iter().enumerate().take(N) {
            let (was, scalar) = (cells[i], &leaf.scalar);
            let next = self.next(leaf, past[i], was);
            cells[i] = scalar.apply(next, shift.by(i))?;
            past[i] = was;
            moved |= u64::from(cells[i] != was) << leaf.bit;
        }
        Some(if let Pace::Still = self.pace { shift.mask } else { moved })
    }
}

/// `N` leaves from the cell `first` on, that stop.
#[derive(Clone, Copy)]
struct Still<'a, const N: usize> {
    leaves: &'a [Leaf; N],
    first: usize,
    mask: u64,
}

impl<const N: usize> Motion<N> for Still<'_, N> {
    #[inline(always)]
    fn count(self) -> usize {
        N
    }

    #[inline(always)]
    fn step(self, cells: &mut [i64], past: &mut [i64]) {
        past[..N].copy_from_slice(&cells[self.first..self.first + N]);
    }

    #[inline(always)]
    fn moved(self, written: u64, _cells: &[i64], _past: &[i64]) -> u64 {
        written & self.mask
    }

    #[inline(always)]
    fn shift(self, shift: &Shift<N>, cells: &mut [i64; N], past: &mut [i64; N]) -> Option<u64> {
        for i in 0..N {
            past[i] = cells[i];
            cells[i] = self.leaves[i].scalar.apply(cells[i], shift.by(i))?;
        }
        Some(shift.mask)
    }
}

/// `N` leaves side by side, that go on as they went.
#[derive(Clone, Copy)]
struct Onward<'a, const N: usize> {
    leaves: &'a [Leaf; N],
    first: Leaf,
}

impl<const N: usize> Motion<N> for Onward<'_, N> {
    #[inline(always)]
    fn count(self) -> usize {
        N
    }

    #[inline(always)]
    fn step(self, cells: &mut [i64], past: &mut [i64]) {
        let (cells, past) = (&mut cells[self.first.at..self.first.at + N], &mut past[..N]);
        for ((leaf, past), cell) in self.leaves.iter().zip(past).zip(cells) {
            let next = leaf.scalar.go_on(*past, *cell);
            (*past, *cell) = (*cell, next);
        }
    }

    #[inline(always)]
    fn moved(self, _written: u64, cells: &[i64], past: &[i64]) -> u64 {
        let cells = &cells[self.first.at..self.first.at + N];
        let pairs = cells.iter().zip(&past[..N]).enumerate();
        pairs.fold(0, |mask, (i, (cell, past))| mask | u64::from(cell != past) << i)
            << self.first.bit
    }

    #[inline(always)]
    fn shift(self, shift: &Shift<N>, cells: &mut [i64; N], past: &mut [i64; N]) -> Option<u64> {
        let mut moved = 0;
        for (i, leaf) in self.leaves.iter().enumerate() {
            let was = cells[i];
            cells[i] = leaf.follow(past[i], was, shift.by(i))?;
            past[i] = was;
            moved |= u64::from(cells[i] != was) << i;
        }
        Some(moved << self.first.bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Short;
    use crate::schema::layout::Layout;
    use crate::schema::{Field, FloatRepr, Kind, Schema, TableSchema};
    use proptest::prelude::*;

    /// A table of `count` motion leaves with another one before them, and perhaps one
    /// among them: lines and rings in turn, of so many places.
    fn layout(count: usize, apart: bool, places: i64) -> Layout {
        let mut fields = vec![Field { name: "before".into(), kind: Kind::Bool }];
        for i in 0..count {
            let ring = i % 2 == 0;
            let (repr, min, max) = (FloatRepr::F32, -8.0, places as f64 * 0.25 - 8.0);
            let kind = Kind::Quantised { repr, min, max, step: 0.25, ring, motion: true };
            fields.push(Field { name: format!("leaf{i}"), kind });
            if apart && i == 0 {
                fields.push(Field { name: "among".into(), kind: Kind::Bool });
            }
        }
        let tables = vec![TableSchema { name: "rows".into(), entity: "Row".into(), fields }];
        let none = Kind::default;
        let schema = Schema::new(tables, none(), none(), none(), none());
        Layout::new(&schema.expect("within the limits"))
    }

    /// What became of a row: its cells, its past, and the mask.
    type Outcome = (Vec<i64>, Vec<i64>, u64);

    /// Steps a row, changes a cell, and asks what moved.
    struct Row {
        cells: Vec<i64>,
        past: Vec<i64>,
        written: Option<(usize, i64)>,
    }

    impl WithMotion for Row {
        type Output = Outcome;

        fn with<const N: usize>(self, motion: impl Motion<N>) -> Outcome {
            let Row { mut cells, mut past, written } = self;
            assert_eq!(motion.count(), past.len());
            motion.step(&mut cells, &mut past);
            let mut mask = 0;
            if let Some((leaf, cell)) = written {
                (cells[leaf], mask) = (cell, 1 << leaf);
            }
            let moved = motion.moved(mask, &cells, &past);
            (cells, past, moved)
        }
    }

    /// A leaf of motion.
    const WRITTEN: u64 = 0b10;

    /// Takes a row by some differences: from where it was, or from where its line leads.
    struct Shifted {
        cells: Vec<i64>,
        past: Vec<i64>,
        by: Vec<i64>,
    }

    impl WithMotion for Shifted {
        type Output = Option<Outcome>;

        fn with<const N: usize>(self, motion: impl Motion<N>) -> Option<Outcome> {
            let Shifted { mut cells, mut past, by } = self;
            let shift = Shift::<N>::new(0, WRITTEN, by.try_into().expect("one for each leaf"));
            let (first, last) = (&mut cells[1..], &mut past[..]);
            let moved = motion.shift(&shift, first.first_chunk_mut()?, last.first_chunk_mut()?)?;
            Some((cells, past, moved))
        }
    }

    impl Shifted {
        /// The same, a leaf after the other, by what is said of each.
        fn slowly(self, layout: &TableLayout, pace: Pace) -> Option<Outcome> {
            let Shifted { mut cells, mut past, by } = self;
            let any = Any { leaves: &layout.motions, mask: layout.motion, pace };
            Motion::<0>::step(any, &mut cells, &mut past);
            for (leaf, by) in layout.motions.iter().zip(by) {
                cells[leaf.at] = leaf.scalar.apply(cells[leaf.at], by)?;
            }
            let moved = Motion::<0>::moved(any, WRITTEN, &cells, &past);
            Some((cells, past, moved))
        }
    }

    /// What has a short code: often the farthest.
    fn difference() -> impl Strategy<Value = i64> {
        const MAX: i64 = Short::DIFFERENCE_MAX;
        prop_oneof![Just(-MAX), Just(MAX), -MAX..=MAX]
    }

    /// How fast a frame may go.
    fn pace() -> impl Strategy<Value = Pace> {
        prop_oneof![
            Just(Pace::Still),
            (1u32..4, 1u32..4).prop_map(|(apart, ahead)| Pace::Line { apart, ahead }),
            (1u32..4).prop_map(|span| Pace::Line { apart: span, ahead: span }),
        ]
    }

    proptest! {
        #[test]
        fn the_loops_for_some_do_what_the_one_for_any_does(
            count in 0usize..=4,
            apart in any::<bool>(),
            cells in prop::collection::vec(-32i64..=31, 4),
            past in prop::collection::vec(-32i64..=31, 4),
            written in prop::option::of((0usize..4, -32i64..=31)),
            pace in pace(),
        ) {
            let layout = &layout(count, apart, 64).tables[0];
            let row = || {
                let mut row = vec![0; layout.cells];
                for (leaf, cell) in layout.motions.iter().zip(&cells) {
                    row[leaf.at] = *cell;
                }
                let written = written.filter(|&(leaf, _)| leaf < count);
                let written = written.map(|(leaf, cell)| (layout.motions[leaf].at, cell));
                Row { cells: row, past: past[..count].to_vec(), written }
            };
            let any = Any { leaves: &layout.motions, mask: layout.motion, pace };
            prop_assert_eq!(choose(layout, pace, row()), row().with::<0>(any));
        }
    }

    proptest! {
        // What is worst are a few pairs of places, with one difference.
        #![proptest_config(ProptestConfig::with_cases(100 * ProptestConfig::default().cases))]
        #[test]
        fn a_shift_is_a_step_and_a_difference_for_each_leaf(
            count in 2usize..=3,
            places in prop::sample::select(vec![4i64, 20, 64, 72, 96, 97, 98, 256, 1000]),
            cells in prop::collection::vec(any::<u32>(), 3),
            past in prop::collection::vec(any::<u32>(), 3),
            by in prop::collection::vec(difference(), 3),
            pace in pace(),
        ) {
            let layout = &layout(count, false, places).tables[0];
            let cell = |i: usize, seed: u32| {
                let scalar = &layout.motions[i].scalar;
                // Often near an end of the range.
                let place = match seed % 4 {
                    0 => u64::from(seed >> 2) % 3,
                    1 => scalar.span - u64::from(seed >> 2) % 3,
                    _ => u64::from(seed) % (scalar.span + 1),
                };
                scalar.lowest + place as i64
            };
            let row = || {
                let mut row = Shifted { cells: vec![0], past: vec![], by: by[..count].to_vec() };
                row.cells.extend((0..count).map(|i| cell(i, cells[i])));
                row.past.extend((0..count).map(|i| cell(i, past[i])));
                row
            };
            let fast = choose(layout, pace, row());
            prop_assert_eq!(fast, row().slowly(layout, pace));
        }
    }
}
