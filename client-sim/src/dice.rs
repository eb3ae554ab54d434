//! Seeded randomness: the same seed draws the same, on every machine.

use std::time::Duration;

/// Steele, Lea and Flood's SplitMix64: plenty for bots, and a few lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Dice for one purpose of one bot, which do not depend on how often others draw.
    pub(crate) fn of(seed: u64, purpose: u64, index: usize) -> Dice {
        let mut dice = Dice(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let first = dice.next();
        Dice(first ^ (index as u64).wrapping_mul(0xA076_1D64_78BD_642F))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// Evenly from 0 to `bound - 1`; 0 if there is nothing below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly from `low` to `high`, both included; `low` if that is no range.
    pub(crate) fn within(&mut self, low: i128, high: i128) -> i128 {
        let span = (high - low).clamp(0, i128::from(u64::MAX) - 1);
        low + i128::from(self.below(span as u64 + 1))
    }

    /// Evenly from 0 to less than 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Evenly between two times.
    pub(crate) fn time(&mut self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }

    /// The time to the next of events that come by chance, `mean` apart on average.
    pub(crate) fn wait(&mut self, mean: Duration) -> Duration {
        let factor = -(1.0 - self.unit()).ln();
        Duration::try_from_secs_f64(mean.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_within_their_bounds_and_reach_both_ends() {
        let mut dice = Dice::new(7);
        let drawn: Vec<_> = (0..1000).map(|_| dice.within(-2, 2)).collect();
        assert!(drawn.iter().all(|n| (-2..=2).contains(n)));
        assert!(drawn.contains(&-2) && drawn.contains(&2));
        assert_eq!(dice.within(5, 5), 5);
        assert_eq!(dice.below(0), 0);
        assert!(dice.within(i128::from(i64::MIN), i128::from(u64::MAX)) >= i128::from(i64::MIN));
    }

    #[test]
    fn purposes_and_bots_draw_apart_and_the_same_again() {
        let draw = |purpose, index| Dice::of(1, purpose, index).next();
        assert_eq!(draw(3, 4), draw(3, 4));
        let all = [draw(3, 4), draw(4, 3), draw(3, 5), draw(2, 4)];
        assert!((1..4).all(|n| !all[..n].contains(&all[n])));
    }
}
