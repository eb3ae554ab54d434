//! Who meets whom, in a space that wraps.
//!
//! The space is cut into squares, each with a list of the things whose middle is
//! in it. Who may meet is looked for in nine squares, however many things there are.

/// How far apart two things are that can still meet: the side of a square.
pub(super) const REACH: i32 = 1 << SQUARE_BITS;

const SQUARE_BITS: u32 = 11;
/// Squares along an edge of the space, which is as wide as an `i16`.
const SIDE: usize = 1 << (16 - SQUARE_BITS);
/// The end of a square's list.
const END: u32 = u32::MAX;

/// Things and their places.
#[derive(Debug)]
pub(super) struct Grid<T> {
    /// The last thing of each square, or [`END`].
    heads: Vec<u32>,
    spots: Vec<Spot<T>>,
}

#[derive(Debug)]
struct Spot<T> {
    thing: T,
    at: (i16, i16),
    radius: i16,
    /// The thing before it in the same square, or [`END`].
    next: u32,
}

impl<T> Default for Grid<T> {
    fn default() -> Self {
        Grid { heads: vec![END; SIDE * SIDE], spots: Vec::new() }
    }
}

impl<T: Copy> Grid<T> {
    pub(super) fn clear(&mut self) {
        self.heads.fill(END);
        self.spots.clear();
    }

    pub(super) fn add(&mut self, thing: T, at: (i16, i16), radius: i16) {
        let head = &mut self.heads[square(at.1) * SIDE + square(at.0)];
        self.spots.push(Spot { thing, at, radius, next: *head });
        *head = (self.spots.len() - 1) as u32;
    }

    /// The first wanted thing that something of a radius touches on a straight way
    /// of at most [`REACH`], less the two radii, along x and along y.
    pub(super) fn first(
        &self,
        from: (i16, i16),
        way: (i16, i16),
        radius: i16,
        wanted: impl Fn(T) -> bool,
    ) -> Option<T> {
        let (mx, my) = (f32::from(way.0), f32::from(way.1));
        let (mut found, mut soonest) = (None, f32::INFINITY);
        for place in 0..9 {
            let row = (square(from.1) + SIDE - 1 + place / 3) % SIDE;
            let column = (square(from.0) + SIDE - 1 + place % 3) % SIDE;
            let mut next = self.heads[row * SIDE + column];
            while let Some(spot) = self.spots.get(next as usize) {
                next = spot.next;
                // A difference that wraps is the short way around.
                let dx = f32::from(spot.at.0.wrapping_sub(from.0));
                let dy = f32::from(spot.at.1.wrapping_sub(from.1));
                // The part of the way at which it is nearest, and how near.
                let part = ((dx * mx + dy * my) / (mx * mx + my * my).max(1.0)).clamp(0.0, 1.0);
                let (gx, gy) = (dx - part * mx, dy - part * my);
                let touch = f32::from(radius + spot.radius);
                if gx * gx + gy * gy <= touch * touch && part < soonest && wanted(spot.thing) {
                    (found, soonest) = (Some(spot.thing), part);
                }
            }
        }
        found
    }
}

/// The row or column of squares that a coordinate is in.
fn square(at: i16) -> usize {
    usize::from(at as u16 >> SQUARE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_search_through_everything_finds() {
        let mut state = 7u32;
        let mut roll = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        };
        for _ in 0..50 {
            let mut grid = Grid::default();
            let all: Vec<_> = (0..300).map(|i| (i, (roll(), roll()), roll() & 1023)).collect();
            all.iter().for_each(|&(thing, at, radius)| grid.add(thing, at, radius));
            for _ in 0..100 {
                let from = (roll(), roll());
                let slow = all.iter().filter(|(_, at, radius)| {
                    let dx = i32::from(at.0.wrapping_sub(from.0));
                    let dy = i32::from(at.1.wrapping_sub(from.1));
                    let touch = i32::from(*radius) + 100;
                    i64::from(dx).pow(2) + i64::from(dy).pow(2) <= i64::from(touch).pow(2)
                });
                let mut slow: Vec<i32> = slow.map(|&(thing, ..)| thing).collect();
                let mut quick = Vec::new();
                while let Some(thing) = grid.first(from, (0, 0), 100, |it| !quick.contains(&it)) {
                    quick.push(thing);
                }
                quick.sort_unstable();
                slow.sort_unstable();
                assert_eq!(quick, slow);
            }
        }
    }

    #[test]
    fn what_comes_first_on_the_way_is_found_and_nothing_is_jumped_over() {
        let mut grid = Grid::default();
        grid.add("far", (500, 10), 50);
        grid.add("near", (200, -10), 50);
        grid.add("aside", (300, 100), 50);
        assert_eq!(grid.first((0, 0), (700, 0), 20, |_| true), Some("near"));
        assert_eq!(grid.first((0, 0), (700, 0), 20, |it| it != "near"), Some("far"));
        assert_eq!(grid.first((0, 0), (100, 0), 20, |_| true), None);
        assert_eq!(grid.first((0, 0), (-700, 0), 20, |_| true), None);
    }

    #[test]
    fn a_way_goes_on_beyond_the_edge() {
        let mut grid = Grid::default();
        grid.add("there", (-32_700, -32_700), 50);
        assert_eq!(grid.first((32_600, 32_600), (300, 300), 20, |_| true), Some("there"));
    }
}
