//! A server's side of a story, as plainly as it can be: it keeps a copy of the
//! state at every tick, and a chunk is the difference of two of them. The real
//! server keeps less and searches less; what goes over the wire is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tickwire_protocol::Entity;
use tickwire_protocol::chunk::{Encoder, Moving};
use tickwire_protocol::hash;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::Schema;
use tickwire_protocol::schema::layout::{Layout, Node, TableLayout};
use tickwire_protocol::value::Attr;

/// An entity at a tick.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) generation: u32,
    pub(crate) scope: u32,
    pub(crate) cells: Vec<i64>,
}

/// The entities at a tick, by table and slot.
pub(crate) type Rows = BTreeMap<(usize, u32), Row>;

pub(crate) struct Room {
    pub(crate) schema: Arc<Schema>,
    pub(crate) layout: Layout,
    pub(crate) heap: Heap,
    /// As of the step under way.
    rows: Rows,
    /// At each tick that is over. Handles of old texts are stale, and still differ.
    past: BTreeMap<u32, Rows>,
    encoder: Encoder,
}

/// What a chunk leads from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    Nothing,
    Plain(u32),
    /// A tick, and the one before at which the client watched the scope too.
    Predicted(u32, Option<u32>),
}

/// A chunk, and what is in it.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// By table: despawns, departures, spawns and updates.
    pub(crate) records: Vec<Json>,
    /// The rows that left, by table and slot: whether they are despawned.
    pub(crate) left: BTreeMap<(usize, u32), bool>,
    /// The mask of each row that was written.
    pub(crate) written: BTreeMap<(usize, u32), Written>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Written {
    Spawn,
    Update(u64),
}

impl Room {
    pub(crate) fn new(schema: Arc<Schema>) -> Room {
        Room {
            layout: Layout::new(&schema),
            schema,
            heap: Heap::default(),
            rows: Rows::new(),
            past: BTreeMap::new(),
            encoder: Encoder::default(),
        }
    }

    fn table<T: Entity>(&self) -> usize {
        let tables = &self.schema.tables;
        tables.iter().position(|table| table.entity == T::NAME).expect("a table of this type")
    }

    /// Puts an entity into a slot, in place of what is there.
    pub(crate) fn put<T: Entity>(&mut self, slot: u32, generation: u32, scope: u32, entity: &T) {
        let table = self.table::<T>();
        if self.rows.get(&(table, slot)).is_some_and(|row| row.generation != generation) {
            self.remove::<T>(slot);
        }
        let size = self.layout.tables[table].cells;
        let vacant = Row { generation, scope, cells: vec![0; size] };
        let row = self.rows.entry((table, slot)).or_insert(vacant);
        row.scope = scope;
        entity.store(&Attr::PLAIN, &mut row.cells, &mut self.heap);
    }

    /// Takes the entity out of a slot.
    pub(crate) fn remove<T: Entity>(&mut self, slot: u32) {
        let table = self.table::<T>();
        let mut row = self.rows.remove(&(table, slot)).expect("there is an entity");
        self.layout.tables[table].record.wipe(&mut row.cells, &mut self.heap);
    }

    /// Ends the step of a tick.
    pub(crate) fn end(&mut self, tick: u32) {
        self.past.insert(tick, self.rows.clone());
    }

    /// The entities at a tick.
    pub(crate) fn at(&self, tick: u32) -> &Rows {
        &self.past[&tick]
    }

    /// The chunk of a scope that leads from a base to `now`, the last tick.
    pub(crate) fn chunk(&mut self, scope: u32, base: Base, now: u32) -> Chunk {
        let mut encoder = core::mem::take(&mut self.encoder);
        encoder.begin(matches!(base, Base::Predicted(..)));
        let mut chunk = Chunk::default();
        for (table, layout) in self.layout.tables.iter().enumerate() {
            encoder.table(table);
            let ends = self.ends(table, scope, base, now);
            let records = self.table_records(&ends, layout, &mut encoder, &mut chunk);
            if records.as_object().is_some_and(|records| records.len() > 1) {
                chunk.records.push(records);
            }
        }
        encoder.finish(&mut chunk.bytes);
        self.encoder = encoder;
        chunk
    }

    fn ends(&self, table: usize, scope: u32, base: Base, now: u32) -> Ends<'_> {
        let (since, before) = match base {
            Base::Nothing => (None, None),
            Base::Plain(since) => (Some(since), None),
            Base::Predicted(since, before) => (Some(since), before),
        };
        let apart = since.zip(before).map_or(1, |(since, before)| since - before);
        let ahead = since.map_or(1, |since| now - since);
        Ends {
            table,
            scope,
            since: since.map(|tick| self.at(tick)),
            before: before.map(|tick| self.at(tick)),
            now: self.at(now),
            predicted: matches!(base, Base::Predicted(..)),
            apart,
            ahead,
        }
    }

    fn table_records(
        &self,
        ends: &Ends<'_>,
        layout: &TableLayout,
        encoder: &mut Encoder,
        chunk: &mut Chunk,
    ) -> Json {
        let table = ends.table;
        let mut json = json!({ "table": self.schema.tables[table].name });
        let mut note = |sort: &str, entry: Json| {
            if json[sort].is_null() {
                json[sort] = json!([]);
            }
            json[sort].as_array_mut().expect("a list").push(entry);
        };
        for slot in ends.left(true) {
            encoder.despawn(slot);
            note("despawns", json!(slot));
            chunk.left.insert((table, slot), true);
        }
        for slot in ends.left(false) {
            encoder.depart(slot);
            note("departures", json!(slot));
            chunk.left.insert((table, slot), false);
        }
        for (slot, row) in ends.here(ends.now) {
            if ends.stayed(slot, row).is_some() {
                continue;
            }
            encoder.spawn(layout, slot, row.generation, &row.cells, &self.heap);
            let zeros = vec![0; layout.cells];
            let mask = layout.record.differing(&zeros, &row.cells);
            let leaves = names(layout, mask);
            let generation = row.generation;
            note("spawns", json!({ "slot": slot, "generation": generation, "leaves": leaves }));
            chunk.written.insert((table, slot), Written::Spawn);
        }
        for (slot, row) in ends.here(ends.now) {
            let Some(old) = ends.stayed(slot, row) else { continue };
            let mask = if ends.predicted {
                let earlier = ends.earlier(slot, row).map_or(&old.cells, |row| &row.cells);
                let (later, new, apart) = (&old.cells, &row.cells, (ends.apart, ends.ahead));
                let moving = Moving { slot, touched: u64::MAX, earlier, later, new };
                encoder.updates_along(layout, apart, [moving].into_iter(), &self.heap);
                layout.record.differing(&extended(layout, earlier, later, apart), new)
            } else {
                encoder.update(layout, slot, &old.cells, &row.cells, &self.heap);
                layout.record.differing(&old.cells, &row.cells)
            };
            if mask != 0 {
                note("updates", json!({ "slot": slot, "leaves": names(layout, mask) }));
                chunk.written.insert((table, slot), Written::Update(mask));
            }
        }
        json
    }

    /// The state hash of the rows of some scopes at a tick, which is the last.
    pub(crate) fn hash(&self, scopes: &[u32], now: u32) -> u32 {
        let seen = self.at(now).iter().filter(|(_, row)| scopes.contains(&row.scope));
        seen.fold(0, |sum, (&(table, slot), row)| {
            let layout = &self.layout.tables[table];
            let hash = hash::row(table, layout, slot, row.generation, &row.cells, &self.heap);
            sum.wrapping_add(hash)
        })
    }
}

/// Where a straight line leads.
pub(crate) fn extended(
    layout: &TableLayout,
    earlier: &[i64],
    later: &[i64],
    (apart, ahead): (u32, u32),
) -> Vec<i64> {
    let mut base = later.to_vec();
    for leaf in layout.record.leaves.iter().filter(|leaf| leaf.motion) {
        let Node::Scalar(scalar) = &leaf.node else { panic!("motion is a number") };
        base[leaf.at] = scalar.extrapolate(earlier[leaf.at], later[leaf.at], apart, ahead);
    }
    base
}

/// The paths of the leaves in a mask.
pub(crate) fn names(layout: &TableLayout, mask: u64) -> Json {
    let leaves = layout.record.leaves.iter().enumerate();
    leaves.filter(|(index, _)| mask >> index & 1 != 0).map(|(_, leaf)| json!(leaf.name)).collect()
}

/// A table's rows at the two ends of a chunk.
struct Ends<'a> {
    table: usize,
    scope: u32,
    since: Option<&'a Rows>,
    before: Option<&'a Rows>,
    now: &'a Rows,
    predicted: bool,
    apart: u32,
    ahead: u32,
}

impl<'a> Ends<'a> {
    /// The rows in the scope, by slot.
    fn here(&self, rows: &'a Rows) -> impl Iterator<Item = (u32, &'a Row)> + use<'a> {
        let (table, scope) = (self.table, self.scope);
        let range = rows.range((table, 0)..(table + 1, 0));
        range.filter(move |(_, row)| row.scope == scope).map(|(&(_, slot), row)| (slot, row))
    }

    /// The row that an entity of the scope had at an earlier tick, in the scope too.
    fn earlier_in(&self, rows: Option<&'a Rows>, slot: u32, row: &Row) -> Option<&'a Row> {
        let old = rows?.get(&(self.table, slot))?;
        ((old.generation, old.scope) == (row.generation, row.scope)).then_some(old)
    }

    fn stayed(&self, slot: u32, row: &Row) -> Option<&'a Row> {
        self.earlier_in(self.since, slot, row)
    }

    fn earlier(&self, slot: u32, row: &Row) -> Option<&'a Row> {
        self.earlier_in(self.before, slot, row)
    }

    /// The slots whose entities left the scope: gone altogether, or elsewhere.
    fn left(&self, gone: bool) -> Vec<u32> {
        let Some(since) = self.since else { return Vec::new() };
        let left = self.here(since).filter(|(slot, old)| {
            let now = self.now.get(&(self.table, *slot));
            let now = now.filter(|row| row.generation == old.generation);
            match now {
                None => gone,
                Some(row) => !gone && row.scope != old.scope,
            }
        });
        left.map(|(slot, _)| slot).collect()
    }
}
