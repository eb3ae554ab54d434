//! Quantisation: floats and angles as integers on a grid.
//!
//! A *cell* counts steps from the grid's origin, the point nearest to zero. So
//! a row of zero cells is the natural default, and a cell's value is
//! `min + (origin + cell) * step`, computed in binary64 on every platform.

use core::f64::consts::TAU;

/// The points that a quantised float can take.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Grid {
    min: f64,
    step: f64,
    /// How many points there are, at least 2.
    count: i64,
    /// The index of the point nearest to 0.
    origin: i64,
    /// Whether the point after the last is the first.
    ring: bool,
}

impl Grid {
    /// The grid from `min` to `max`. In a ring, `max` is the same point as `min`.
    pub const fn new(min: f64, max: f64, step: f64, ring: bool) -> Grid {
        let steps = ((max - min) / step).round() as i64;
        let count = if ring { steps } else { steps + 1 };
        let nearest = (-min / step).round() as i64;
        let origin = if nearest < 0 {
            0
        } else if nearest >= count {
            count - 1
        } else {
            nearest
        };
        Grid { min, step, count, origin, ring }
    }

    /// The grid of an angle in radians, from 0 to just below a full turn.
    pub const fn angle(bits: u8) -> Grid {
        let count = 1i64 << bits;
        Grid { min: 0.0, step: TAU / count as f64, count, origin: 0, ring: true }
    }

    /// The smallest cell.
    pub const fn lowest(&self) -> i64 {
        -self.origin
    }

    /// The largest cell.
    pub const fn highest(&self) -> i64 {
        self.count - 1 - self.origin
    }

    /// Whether the cells close to a ring.
    pub const fn ring(&self) -> bool {
        self.ring
    }

    /// The cell nearest to `value`: halves go up, what is outside goes to the
    /// edge or around the ring, NaN to the origin.
    #[inline(always)]
    pub fn cell(&self, value: f64) -> i64 {
        let index = (value - self.min) / self.step + 0.5;
        if index >= 0.0 && index < self.count as f64 {
            return index as i64 - self.origin;
        }
        // An angle that was not brought into its turn is as common as one that was.
        if self.ring { self.around(index) } else { self.edge(index) }
    }

    #[inline(always)]
    fn around(&self, index: f64) -> i64 {
        if index.is_nan() {
            return 0;
        }
        // Beyond 2^53 steps the position on the ring has no meaning left.
        let index = index.clamp(-9e15, 9e15);
        let whole = index as i64;
        // Down, where the conversion goes towards zero.
        let whole = whole - i64::from(whole as f64 > index);
        whole.rem_euclid(self.count) - self.origin
    }

    #[cold]
    fn edge(&self, index: f64) -> i64 {
        if index.is_nan() {
            return 0;
        }
        if index < 0.0 { self.lowest() } else { self.highest() }
    }

    /// The value of a cell, which is one of the grid's.
    #[inline]
    pub fn value(&self, cell: i64) -> f64 {
        let index = cell + self.origin;
        // A processor converts several short integers at once.
        let short = self.count <= i64::from(i32::MAX);
        let index = if short { f64::from(index as i32) } else { index as f64 };
        self.min + index * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_returns_to_within_half_a_step() {
        let grid = Grid::new(-2048.0, 2048.0, 0.0625, false);
        for i in 0..100_000 {
            let x = -2048.0 + f64::from(i) * 0.040_959;
            assert!((grid.value(grid.cell(x)) - x).abs() <= 0.031_25);
        }
        assert_eq!(grid.cell(0.0), 0);
        assert_eq!((grid.lowest(), grid.highest()), (-32768, 32768));
    }

    #[test]
    fn what_is_outside_goes_to_the_edge_or_around() {
        let line = Grid::new(1.0, 2.0, 0.25, false);
        assert_eq!((line.lowest(), line.highest()), (0, 4));
        assert_eq!(line.cell(f64::NEG_INFINITY), 0);
        assert_eq!(line.cell(1e300), 4);
        assert_eq!(line.cell(f64::NAN), 0);
        let ring = Grid::new(-2.0, 2.0, 0.5, true);
        assert_eq!((ring.lowest(), ring.highest()), (-4, 3));
        assert_eq!(ring.cell(2.0), ring.cell(-2.0));
        assert_eq!(ring.value(ring.cell(2.5)), -1.5);
        assert_eq!(ring.value(ring.cell(-2.5)), 1.5);
        assert!((-4..=3).contains(&ring.cell(f64::INFINITY)));
    }

    /// The cell as the specification says it.
    fn specified(grid: &Grid, value: f64) -> i64 {
        let index = ((value - grid.min) / grid.step + 0.5).floor();
        if index.is_nan() {
            return 0;
        }
        let index = index.clamp(-9e15, 9e15) as i64;
        let place = match grid.ring {
            true => index.rem_euclid(grid.count),
            false => index.clamp(0, grid.count - 1),
        };
        place - grid.origin
    }

    #[test]
    fn every_value_goes_to_the_cell_that_is_specified() {
        let grids = [
            Grid::angle(8),
            Grid::angle(1),
            Grid::new(-2048.0, 2048.0, 0.0625, true),
            Grid::new(-2048.0, 2048.0, 0.0625, false),
            Grid::new(-3.0, 7.0, 0.1, true),
            Grid::new(1.5, 9.0, 0.3, false),
        ];
        for grid in &grids {
            let mut values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
            values.extend([9e15, 9.1e15, 1e17, 1e300, f64::MIN_POSITIVE].map(|v| v * grid.step));
            // Points, what is half way between them, and what is beside that.
            for quarter in -20_000..20_000 {
                let value = grid.min + f64::from(quarter) * 0.25 * grid.step;
                values.extend([value.next_down(), value, value.next_up()]);
                values.push(value * 1001.0);
            }
            for value in values.into_iter().flat_map(|value| [value, -value]) {
                assert_eq!(grid.cell(value), specified(grid, value), "{value} on {grid:?}");
            }
        }
    }

    #[test]
    fn an_angle_wraps_at_a_full_turn() {
        let grid = Grid::angle(8);
        assert_eq!(grid.cell(TAU), 0);
        assert_eq!(grid.cell(-TAU / 256.0), 255);
        assert_eq!(grid.cell(TAU * 0.999), 0);
        assert_eq!(grid.value(64), TAU / 4.0);
    }
}
