//! Maps by scope. Scopes are small numbers that the game chooses, and a map is
//! asked for each client and tick: a hash that resists attackers would cost more
//! than the rest of the look-up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are made of scopes and ticks.
pub(crate) type ScopeMap<K, V> = HashMap<K, V, BuildHasherDefault<ScopeHasher>>;

/// Multiplies by an odd constant with no pattern in its bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScopeHasher(u64);

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for ScopeHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(FACTOR);
    }

    #[inline]
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The map takes its bits from both ends; the best ones are in the middle.
        self.0.rotate_left(32)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use tickwire_protocol::Scope;

    use super::*;

    #[test]
    fn neighbouring_scopes_spread_over_a_map() {
        let mut buckets = [0; 256];
        let mut tags = [0; 128];
        for scope in 0..4096 {
            let mut hasher = ScopeHasher::default();
            Scope(scope).hash(&mut hasher);
            let hash = hasher.finish();
            buckets[(hash % 256) as usize] += 1;
            tags[(hash >> 57) as usize] += 1;
        }
        assert!(buckets.iter().all(|&count| count < 64), "{buckets:?}");
        assert!(tags.iter().all(|&count| count < 128), "{tags:?}");
    }
}
