//! Texts of rows, beside the rows.
//!
//! A row is plain integers. Where a field is text or bytes, its cell holds a
//! handle into a [`Heap`], and the heap holds the bytes.
//!
//! Invariants: 0 is the handle of the empty text. Every other handle belongs to
//! exactly one cell of one current row, and a new text gets a handle that was
//! never used before. So two cells with equal handles have equal texts, a copy
//! of an old row may keep stale handles for comparison, and nothing is counted
//! or collected.

/// Memory of a former text that an entry keeps for the next one. More would not
/// be counted, and could pile up behind short texts.
const KEPT_BYTES: usize = 64;

/// Owns the texts of a set of rows.
#[derive(Debug, Default)]
pub struct Heap {
    entries: Vec<Entry>,
    /// Indices of entries that no cell owns.
    free: Vec<u32>,
    /// Bytes of all the texts that are owned.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// The high half of the handle: counts the texts that were here.
    uses: u32,
    text: Vec<u8>,
}

impl Heap {
    /// The text of `cell`; empty for 0 and for a handle that is stale.
    #[inline]
    pub fn get(&self, cell: i64) -> &[u8] {
        let (index, uses) = split(cell);
        match self.entries.get(index) {
            Some(entry) if entry.uses == uses => &entry.text,
            _ => &[],
        }
    }

    /// Gives `cell` a text. A cell that has this text already keeps its handle.
    #[inline]
    pub fn set(&mut self, cell: &mut i64, text: &[u8]) {
        if !same(self.get(*cell), text) {
            self.replace(cell, text);
        }
    }

    #[inline(never)]
    fn replace(&mut self, cell: &mut i64, text: &[u8]) {
        self.clear(cell);
        if text.is_empty() {
            return;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { uses: 0, text: Vec::new() });
            u32::try_from(self.entries.len() - 1).expect("rows are bounded by the limits")
        });
        let entry = &mut self.entries[index as usize];
        // Wraps after 2^31 texts in one place: the handle stays positive.
        entry.uses = (entry.uses % 0x7FFF_FFFF) + 1;
        entry.text.extend_from_slice(text);
        self.bytes += text.len();
        *cell = i64::from(entry.uses) << 32 | i64::from(index);
    }

    /// Takes the text of `cell` away.
    pub fn clear(&mut self, cell: &mut i64) {
        let (index, uses) = split(*cell);
        *cell = 0;
        if let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.uses == uses) {
            self.bytes -= entry.text.len();
            entry.text.clear();
            if entry.text.capacity() > KEPT_BYTES {
                entry.text = Vec::new();
            }
            self.free.push(index as u32);
        }
    }

    /// What the texts cost: their bytes, and what is known of each.
    pub fn cost(&self) -> usize {
        self.bytes + self.entries.len() * size_of::<Entry>()
    }

    /// Bytes of all texts together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether two texts are equal. Most are a name, and short: a call would take longer
/// than the comparison.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        // Words, of which the last one may overlap the one before it.
        8.. => {
            let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
            words.map(|(a, b)| u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)).all(|x| x == 0)
                && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        4.. => {
            a.first_chunk::<4>() == b.first_chunk::<4>()
                && a.last_chunk::<4>() == b.last_chunk::<4>()
        }
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// Index and use count of a handle. No entry has a use count of 0.
fn split(cell: i64) -> (usize, u32) {
    (cell as u32 as usize, (cell >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_text_keeps_its_handle_and_another_gets_a_new_one() {
        let mut heap = Heap::default();
        let mut cell = 0;
        heap.set(&mut cell, b"Ada");
        let first = cell;
        heap.set(&mut cell, b"Ada");
        assert_eq!(cell, first);
        heap.set(&mut cell, b"Grace");
        assert_ne!(cell, first);
        assert_eq!(heap.get(cell), b"Grace");
        assert_eq!(heap.get(first), b"", "stale");
        heap.set(&mut cell, b"");
        assert_eq!((cell, heap.bytes()), (0, 0));
    }

    #[test]
    fn texts_of_any_length_are_the_same_if_each_byte_is() {
        for length in 0..40 {
            let text: Vec<u8> = (0..length).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], &[0]].concat()));
            for at in 0..usize::from(length) {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(!same(&text, &other), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn no_garbage_handle_does_harm() {
        let mut heap = Heap::default();
        let mut own = 0;
        heap.set(&mut own, b"x");
        for garbage in [i64::MIN, -1, 1, 0, i64::MAX, 7 << 32] {
            assert_eq!(heap.get(garbage), b"");
            let mut cell = garbage;
            heap.clear(&mut cell);
            assert_eq!(cell, 0);
        }
        assert_eq!(heap.get(own), b"x");
    }
}
