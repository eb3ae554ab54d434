//! The user's own structs, kept like the mirror.

use super::convert::{compatible, counterpart};
use super::{Change, Mirror, Mismatch, What};
use crate::heap::Heap;
use crate::schema::layout::{Layout, cells_of};
use crate::schema::{Kind, Schema};
use crate::table::{AnyTable, World};

/// A world of compiled types that follows a mirror.
///
/// Where the server's schema is another version of the client's, rows are
/// converted by field names; that costs more than a plain load.
#[derive(Debug)]
pub struct Typed<W> {
    world: W,
    /// For each of the server's tables, what to do with its rows.
    tables: Vec<Option<Counterpart>>,
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
        Ok(Typed { world: W::default(), tables })
    }

    /// The entities, as of the last frame.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// Follows the last frame of `mirror`: to be called once after each.
    pub fn follow(&mut self, mirror: &Mirror) {
        let mut changes = mirror.changes().rows.as_slice();
        while let [change, rest @ ..] = changes {
            match &self.tables[change.table] {
                Some(Counterpart { table, conversion: None }) => {
                    let table = self.world.table_mut(*table);
                    let cells = mirror.cells(change.table);
                    let followed = table.follow(changes, cells, mirror.heap());
                    changes = &changes[followed..];
                    continue;
                }
                Some(Counterpart { table, conversion: Some(conversion) }) => {
                    let table = self.world.table_mut(*table);
                    conversion.follow(table, mirror, change);
                }
                None => {}
            }
            changes = rest;
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
    /// Follows a change.
    fn follow(&self, table: &mut dyn AnyTable, mirror: &Mirror, change: &Change) {
        let Change { slot, generation, scope, what, .. } = *change;
        if let What::Removed(_) = what {
            return table.evict(slot);
        }
        let (mut cells, mut heap) = (vec![0; cells_of(&self.client)], Heap::default());
        mirror.changed_row(change).value().to_cells(&self.client, &mut cells, &mut heap);
        if let What::Changed(mask) = what {
            table.reload(slot, scope, self.own_leaves(mask), &cells, &heap);
        } else {
            table.adopt(slot, generation, scope, &cells, &heap);
        }
    }

    /// A mask of the server's leaves as one of the client's.
    fn own_leaves(&self, mask: u64) -> u64 {
        let leaves = self.leaves.iter().enumerate();
        leaves
            .filter(|(index, _)| mask >> index & 1 != 0)
            .filter_map(|(_, own)| *own)
            .fold(0, |own, leaf| own | 1 << leaf)
    }
}
