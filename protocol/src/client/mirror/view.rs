//! Rows, as whoever has no compiled types reads them.

use super::rows::{RowInfo, TableRows};
use crate::dynamic::Value;
use crate::heap::Heap;
use crate::schema::layout::{TableLayout, cells_of};
use crate::schema::{Field, Kind, TableSchema};
use crate::table::Scope;

/// One row, to be read by name.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    table: &'a TableSchema,
    layout: &'a TableLayout,
    info: &'a RowInfo,
    cells: &'a [i64],
    heap: &'a Heap,
}

impl<'a> RowView<'a> {
    pub(super) fn new(
        table: &'a TableSchema,
        layout: &'a TableLayout,
        rows: &'a TableRows,
        row: u32,
        heap: &'a Heap,
    ) -> RowView<'a> {
        RowView { table, layout, info: rows.info(row), cells: rows.cells(row), heap }
    }

    /// The row's slot.
    pub fn slot(&self) -> u32 {
        self.info.slot
    }

    /// Which of the slot's entities it is.
    pub fn generation(&self) -> u32 {
        self.info.generation
    }

    /// The scope that it is in.
    pub fn scope(&self) -> Scope {
        self.info.scope
    }

    /// The quantised values, as [`crate::schema::layout`] lays them out.
    pub fn cells(&self) -> &'a [i64] {
        self.cells
    }

    /// The whole entity: a struct.
    pub fn value(&self) -> Value {
        let fields = Kind::Struct(self.table.fields.clone());
        Value::from_cells(&fields, self.cells, self.heap)
    }

    /// The field at a path, as `name` or `pos.x`.
    pub fn get(&self, path: &str) -> Option<Value> {
        let (kind, at) = field_at(&self.table.fields, path)?;
        Some(Value::from_cells(kind, &self.cells[at..at + cells_of(kind)], self.heap))
    }

    /// The paths of the leaves in a mask.
    pub fn names(&self, mask: u64) -> impl Iterator<Item = &'a str> + use<'a> {
        let leaves = self.layout.record.leaves.iter().enumerate();
        leaves.filter(move |(index, _)| mask >> index & 1 != 0).map(|(_, leaf)| leaf.name.as_str())
    }
}

/// The kind at a path, and its first cell.
fn field_at<'a>(fields: &'a [Field], path: &str) -> Option<(&'a Kind, usize)> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let mut at = 0;
    for field in fields {
        if field.name == name {
            return match (rest, &field.kind) {
                (None, kind) => Some((kind, at)),
                (Some(rest), Kind::Struct(inner)) => {
                    field_at(inner, rest).map(|(kind, inside)| (kind, at + inside))
                }
                _ => None,
            };
        }
        at += cells_of(&field.kind);
    }
    None
}
