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
        for (i, Leaf { scalar, .. }) in self.leaves.iter().enumerate() {
            let was = cells[i];
            cells[i] = scalar.apply(scalar.go_on(past[i], was), shift.by(i))?;
            past[i] = was;
            moved |= u64::from(cells[i] != was) << i;
        }
        Some(moved << self.first.bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::layout::Layout;
    use crate::schema::{Field, FloatRepr, Kind, Schema, TableSchema};
    use proptest::prelude::*;

    /// A table of `count` motion leaves with another one before them, and perhaps one
    /// among them: lines and rings in turn.
    fn layout(count: usize, apart: bool) -> Layout {
        let mut fields = vec![Field { name: "before".into(), kind: Kind::Bool }];
        for i in 0..count {
            let ring = i % 2 == 0;
            let (repr, min, max) = (FloatRepr::F32, -8.0, 8.0);
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

    proptest! {
        #[test]
        fn the_loops_for_some_do_what_the_one_for_any_does(
            count in 0usize..=4,
            apart in any::<bool>(),
            cells in prop::collection::vec(-32i64..=31, 4),
            past in prop::collection::vec(-32i64..=31, 4),
            written in prop::option::of((0usize..4, -32i64..=31)),
            pace in prop_oneof![
                Just(Pace::Still),
                (1u32..4, 1u32..4).prop_map(|(apart, ahead)| Pace::Line { apart, ahead }),
            ],
        ) {
            let layout = &layout(count, apart).tables[0];
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
}
