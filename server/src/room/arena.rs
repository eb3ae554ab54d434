//! Shared bytes without an allocation for each.

use bytes::{Bytes, BytesMut};

/// Hands out [`Bytes`] that lie in one buffer. When all of them are gone the
/// buffer is used again, so that in the steady state nothing is allocated.
///
/// A buffer lives as long as any of its bytes: what may be held for long is to
/// have bytes of its own instead.
#[derive(Debug, Default)]
pub(super) struct Arena {
    buffer: BytesMut,
    /// Bytes handed out since [`Arena::begin`].
    used: usize,
}

impl Arena {
    /// What was handed out is not needed any more, except by who still holds it.
    pub(super) fn begin(&mut self) {
        // Takes the old buffer back now, while nobody holds it, and not in the
        // middle of the next use.
        self.buffer.reserve(self.used * 2);
        self.used = 0;
    }

    /// A copy of `bytes` to share.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.is_empty() {
            return Bytes::new();
        }
        self.used += bytes.len();
        self.buffer.extend_from_slice(bytes);
        self.buffer.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_nobody_holds_is_used_again() {
        let mut arena = Arena::default();
        let mut places = std::collections::BTreeSet::new();
        for round in 0..100 {
            arena.begin();
            let parts: Vec<Bytes> = (0..10).map(|n| arena.put(&[n; 37])).collect();
            assert!(parts.iter().enumerate().all(|(n, part)| part[..] == [n as u8; 37]));
            if round >= 10 {
                places.insert(parts[0].as_ptr() as usize);
            }
        }
        assert!(places.len() <= 4, "{} places", places.len());
    }
}
