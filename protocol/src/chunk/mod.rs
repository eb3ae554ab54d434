//! Chunks: one scope's change between two ticks, as bits.
//!
//! ```text
//! chunk      := no bytes                        nothing
//!             | { 1 table } 0 pad               pad: zero bits to a whole byte
//! table      := gap0 of the table's index
//!               flag [despawns] flag [departures] flag [spawns] flag [updates]
//! despawns   := count { gap }                   gone
//! departures := count { gap }                   out of this scope
//! spawns     := count { gap generation mask { value } }
//! updates    := count { gap mask { value } }
//! count      := golomb 3 of number - 1
//! gap        := slot - slot before - 1, golomb by a running mean from 0
//! gap0       := index - index before - 1, golomb 0
//! generation := golomb 1 of generation - 1
//! mask       := 1                               as the row before in this section; empty before the first
//!             | 0 bits                          a bit a leaf, in groups if more than 8
//! ```
//!
//! Both directions work on rows of cells and on [`crate::schema::layout`]; they
//! know nothing of game types, of ticks or of history. What an update differs
//! from, its *base*, is for the caller to say: the row at the baseline tick, or
//! where a straight line leads from the last two.

mod decode;
mod encode;
pub(crate) mod near;
mod updates;

use crate::bits::Mean;
use crate::limits::LEAVES_MAX;
use crate::schema::layout::Scalar;

pub use decode::{Decoder, Error, ReadUpdates, Rows, Shift, Updates};
pub use encode::{Encoder, Moving, Update};

/// More zeros than any number on the wire starts with: a prefix this long is malformed.
pub(crate) const GOLOMB_ESCAPE: u32 = 32;
/// Order of the code of counts.
const COUNT_ORDER: u32 = 3;
/// Order of the code of generations.
const GENERATION_ORDER: u32 = 1;
/// Order of the code of a text's length.
const TEXT_ORDER: u32 = 4;
/// Order of the code of a list's length.
const LENGTH_ORDER: u32 = 2;
/// Bits of a slot in a reference.
const SLOT_BITS: u32 = crate::limits::SLOTS_MAX.ilog2();
/// Bits of the number of an earlier text.
const REPEAT_BITS: u32 = crate::limits::TEXT_WINDOW.ilog2();
/// Leaves in one group of a mask.
const GROUP: u32 = 8;

/// How many zeros escape from the code of a difference: then the cell follows
/// as it is. Half way between never (a jump costs twice its bits) and at once.
#[inline]
pub(crate) const fn escape(width: u32, order: u32) -> u32 {
    (width - order) / 2 + 1
}

/// The running means of a table's scalars, within one section.
#[derive(Debug)]
struct Means {
    /// Of the row's own leaves: one for each bit of a mask.
    own: [Mean; LEAVES_MAX],
    /// Of what is inside of them.
    inner: Vec<Mean>,
}

impl Default for Means {
    fn default() -> Self {
        Means { own: [Mean::new(0); LEAVES_MAX], inner: Vec::new() }
    }
}

impl Means {
    /// Starts a section with a table's means, which are of both sorts or none.
    fn start(&mut self, means: &[Mean]) {
        self.inner.clear();
        if let Some((own, inner)) = means.split_first_chunk() {
            self.own = *own;
            self.inner.extend_from_slice(inner);
        }
    }

    fn of(&mut self, scalar: &Scalar) -> &mut Mean {
        let at = scalar.mean as usize;
        match at.checked_sub(LEAVES_MAX) {
            Some(inner) => &mut self.inner[inner],
            None => &mut self.own[at],
        }
    }
}
