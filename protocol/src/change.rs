//! What a frame did to rows: a mirror lists it, and typed tables follow it.

use crate::table::Scope;

/// What one frame did to one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The table's index in the schema.
    pub table: usize,
    /// The row's slot.
    pub slot: u32,
    /// Which of the slot's entities.
    pub generation: u32,
    /// What happened.
    pub what: What,
    /// The scope that the row is in; of a removed one, the last.
    pub(crate) scope: Scope,
    /// Where the mirror keeps the row; a removed one until the next frame.
    pub(crate) row: u32,
}

/// What happened to a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It is new here.
    Added,
    /// The leaves of the mask have other values than before the frame.
    Changed(u64),
    /// It is not here any more.
    Removed(Gone),
}

/// Why a row is not here any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// The entity does not exist any more.
    Despawned,
    /// It is in a scope that this client does not watch.
    Departed,
}

/// The cells of the rows that changes speak of.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    cells: &'a [i64],
    stride: usize,
}

impl<'a> Cells<'a> {
    /// The cells of all rows of a table, `stride` each.
    pub(crate) fn new(cells: &'a [i64], stride: usize) -> Cells<'a> {
        Cells { cells, stride }
    }

    /// The same, where a row's number of cells is known to the compiler.
    #[inline(always)]
    pub(crate) fn with_stride(self, stride: usize) -> Cells<'a> {
        debug_assert_eq!(self.stride, stride, "the table has the same fields");
        Cells { stride, ..self }
    }

    /// The cells of a change's row.
    #[inline(always)]
    pub(crate) fn of(self, change: &Change) -> &'a [i64] {
        let at = change.row as usize * self.stride;
        &self.cells[at..at + self.stride]
    }
}
