//! The user's own structs, kept like the mirror.

use super::convert::{compatible, counterpart};
use super::{Change, Mirror, Mismatch, What};
use crate::heap::Heap;
use crate::schema::layout::{Layout, cells_of};
use crate::schema::{Kind, Schema};
use crate::table::World;

/// A world of compiled types that follows a mirror.
///
/// Where the server's schema is another version of the client's, rows are
/// converted by field names; that costs more than a plain load.
#[derive(Debug)]
pub struct Typed<W> {
    world: W,
    /// For each of the server's tables, what to do with its rows.
    tables: Vec<Option<Counterpart>>,
    /// Texts of the row under conversion.
    heap: Heap,
    cells: Vec<i64>,
}

/// A client's table that follows one of the server's.
#[derive(Debug)]
struct Counterpart {
    /// Its index in the client's world.
    table: usize,
    /// None if both have the same fields.
    conversion: Option<Conversion>,
}

#[derive(Debug)]
struct Conversion {
    client: Kind,
    /// For each leaf of the server's, the client's leaf.
    leaves: Vec<Option<u32>>,
}

impl<W: World> Typed<W> {
    /// An empty world that will follow a mirror of `server`'s schema. `client`
    /// is the schema that the client was built with.
    pub fn new(server: &Schema, client: &Schema) -> Result<Typed<W>, Mismatch> {
        compatible(server, client)?;
        let mut tables: Vec<Option<Counterpart>> = server.tables.iter().map(|_| None).collect();
        let (server_layout, client_layout) = (Layout::new(server), Layout::new(client));
        for (index, table) in client.tables.iter().enumerate() {
            let Some(other) = counterpart(server, table) else { continue };
            let same = server.tables[other].fields == table.fields;
            let conversion = (!same).then(|| Conversion {
                client: Kind::Struct(table.fields.clone()),
                leaves: server_layout.tables[other]
                    .record
                    .leaves
                    .iter()
                    .map(|leaf| {
                        let leaves = &client_layout.tables[index].record.leaves;
                        leaves.iter().position(|own| own.name == leaf.name).map(|at| at as u32)
                    })
                    .collect(),
            });
            tables[other] = Some(Counterpart { table: index, conversion });
        }
        Ok(Typed { world: W::default(), tables, heap: Heap::default(), cells: Vec::new() })
    }

    /// The entities, as of the last frame.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// Follows the last frame of `mirror`: to be called once after each.
    pub fn follow(&mut self, mirror: &Mirror) {
        for changes in mirror.changes().rows.chunk_by(|a, b| a.table == b.table) {
            let index = changes[0].table;
            let Some(Counterpart { table, conversion }) = &self.tables[index] else { continue };
            let table = self.world.table_mut(*table);
            let (rows, heap) = (mirror.plain_rows(index), mirror.heap());
            for change in changes {
                let (scope, cells) = rows.plain(change);
                match (change.what, conversion) {
                    (What::Changed(mask), None) => {
                        table.reload(change.slot, scope, mask, cells, heap);
                    }
                    (What::Removed(_), _) => table.evict(change.slot),
                    (What::Added, None) => {
                        table.adopt(change.slot, change.generation, scope, cells, heap);
                    }
                    (what, Some(conversion)) => {
                        self.cells.clear();
                        self.cells.resize(cells_of(&conversion.client), 0);
                        self.heap = Heap::default();
                        let value = mirror.changed_row(change).value();
                        value.to_cells(&conversion.client, &mut self.cells, &mut self.heap);
                        let (cells, heap) = (self.cells.as_slice(), &self.heap);
                        if let What::Changed(mask) = what {
                            let own = conversion.own_leaves(mask);
                            table.reload(change.slot, scope, own, cells, heap);
                        } else {
                            table.adopt(change.slot, change.generation, scope, cells, heap);
                        }
                    }
                }
            }
        }
    }

    /// The client's table and leaves that a change concerns; none if the client
    /// has no use for it.
    pub fn concerns(&self, change: &Change) -> Option<(usize, What)> {
        let counterpart = self.tables.get(change.table)?.as_ref()?;
        let what = match change.what {
            What::Changed(mask) => {
                let conversion = counterpart.conversion.as_ref();
                match conversion.map_or(mask, |conversion| conversion.own_leaves(mask)) {
                    0 => return None,
                    own => What::Changed(own),
                }
            }
            other => other,
        };
        Some((counterpart.table, what))
    }
}

impl Conversion {
    /// A mask of the server's leaves as one of the client's.
    fn own_leaves(&self, mask: u64) -> u64 {
        let leaves = self.leaves.iter().enumerate();
        leaves
            .filter(|(index, _)| mask >> index & 1 != 0)
            .filter_map(|(_, own)| *own)
            .fold(0, |own, leaf| own | 1 << leaf)
    }
}
