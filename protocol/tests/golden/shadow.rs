//! A client's side of a story, as plainly as it can be: a set of rows for each
//! scope. What a frame removes from one scope and adds to another needs no
//! thought here. It shares the chunk decoder with the mirror, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tickwire_protocol::chunk::{Decoder, Error, ReadUpdates, Rows, Shift, Updates};
use tickwire_protocol::frame::{Form, Frame, Step};
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::Schema;
use tickwire_protocol::schema::layout::Layout;

use super::room::{extended, names};

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) generation: u32,
    pub(crate) cells: Vec<i64>,
    /// The cells at the tick applied before.
    past: Vec<i64>,
}

pub(crate) struct Shadow {
    schema: Arc<Schema>,
    layout: Layout,
    pub(crate) heap: Heap,
    /// By scope, then by table and slot.
    pub(crate) scopes: BTreeMap<u32, BTreeMap<(usize, u32), Row>>,
    applied: Option<u32>,
    before: Option<u32>,
}

impl Shadow {
    pub(crate) fn new(schema: Arc<Schema>) -> Shadow {
        Shadow {
            layout: Layout::new(&schema),
            schema,
            heap: Heap::default(),
            scopes: BTreeMap::new(),
            applied: None,
            before: None,
        }
    }

    /// The connection ended, and a new one goes on from here.
    pub(crate) fn resume(&mut self) {
        self.before = None;
    }

    /// Applies a frame that is valid; gives the records of each section.
    pub(crate) fn apply(&mut self, frame: &Frame<'_>) -> Vec<Json> {
        let tick = match (frame.header.step, self.applied) {
            (Step::Full(tick), _) => {
                self.scopes.clear();
                self.applied = None;
                tick.0
            }
            (Step::Advance(ticks), applied) => applied.expect("a frame before") + ticks,
        };
        let apart = self.applied.zip(self.before).map(|(applied, before)| applied - before);
        let ahead = self.applied.map_or(0, |applied| tick - applied);
        let rows = self.scopes.values_mut().flatten();
        for ((table, _), row) in rows {
            let later = row.cells.clone();
            if frame.header.predicted {
                let apart = apart.expect("two frames before");
                let layout = &self.layout.tables[*table];
                row.cells = extended(layout, &row.past, &row.cells, (apart, ahead));
            }
            row.past = later;
        }
        let mut all = Vec::new();
        for section in frame.sections() {
            let scope = section.scope.0;
            if section.form != Form::Change {
                self.scopes.remove(&scope);
            }
            let mut records = Vec::new();
            if section.form != Form::Leave {
                let rows = self.scopes.entry(scope).or_default();
                let mut target = Target {
                    layout: &self.layout,
                    heap: &mut self.heap,
                    rows,
                    records: Vec::new(),
                };
                Decoder::default()
                    .apply(&self.layout, section.chunk, frame.header.predicted, &mut target)
                    .expect("a valid chunk");
                records = target.records;
            }
            all.push(self.by_table(&records));
        }
        self.before = self.applied;
        self.applied = Some(tick);
        all
    }

    /// The records of one chunk, in the form of the vectors.
    fn by_table(&self, records: &[(usize, &'static str, Json)]) -> Json {
        let mut tables: Vec<(usize, Json)> = Vec::new();
        for (table, sort, entry) in records {
            if tables.last().is_none_or(|(last, _)| last != table) {
                tables.push((*table, json!({ "table": self.schema.tables[*table].name })));
            }
            let json = &mut tables.last_mut().expect("just pushed").1;
            if json[*sort].is_null() {
                json[*sort] = json!([]);
            }
            json[*sort].as_array_mut().expect("a list").push(entry.clone());
        }
        tables.into_iter().map(|(_, json)| json).collect()
    }
}

/// The rows of one scope.
struct Target<'a> {
    layout: &'a Layout,
    heap: &'a mut Heap,
    rows: &'a mut BTreeMap<(usize, u32), Row>,
    records: Vec<(usize, &'static str, Json)>,
}

impl<'a> Rows for Target<'a> {
    fn despawn(&mut self, table: usize, slot: u32) -> Result<(), Error> {
        self.records.push((table, "despawns", json!(slot)));
        self.rows.remove(&(table, slot)).map(drop).ok_or(Error::NoSuchRow)
    }

    fn depart(&mut self, table: usize, slot: u32) -> Result<(), Error> {
        self.records.push((table, "departures", json!(slot)));
        self.rows.remove(&(table, slot)).map(drop).ok_or(Error::NoSuchRow)
    }

    fn spawn(
        &mut self,
        table: usize,
        slot: u32,
        generation: u32,
    ) -> Result<(&mut [i64], &mut Heap), Error> {
        self.records.push((table, "spawns", json!({ "slot": slot, "generation": generation })));
        let cells = vec![0; self.layout.tables[table].cells];
        let row = Row { generation, past: cells.clone(), cells };
        if self.rows.insert((table, slot), row).is_some() {
            return Err(Error::RowTaken);
        }
        let row = self.rows.get_mut(&(table, slot)).expect("just inserted");
        Ok((&mut row.cells, self.heap))
    }

    fn spawned(&mut self, table: usize, slot: u32, mask: u64) {
        self.note(table, mask);
        // It stands still until the next frame says otherwise.
        let row = self.rows.get_mut(&(table, slot)).expect("just spawned");
        row.past.clone_from(&row.cells);
    }

    fn updates(&mut self, table: usize, read: impl ReadUpdates) -> Result<(), Error> {
        read.read::<0>(Updating { target: self, table })
    }
}

impl Target<'_> {
    /// Notes the leaves of the record under way.
    fn note(&mut self, table: usize, mask: u64) {
        let (_, _, entry) = self.records.last_mut().expect("a record is under way");
        entry["leaves"] = names(&self.layout.tables[table], mask);
    }
}

/// The rows of one table of the scope.
struct Updating<'b, 'a> {
    target: &'b mut Target<'a>,
    table: usize,
}

impl Updates<0> for Updating<'_, '_> {
    fn shift(&mut self, _: &Shift<0>) -> Result<(), Error> {
        unreachable!("nothing is said of where the motion leaves are")
    }

    fn update(
        &mut self,
        slot: u32,
        mask: u64,
        read: impl FnOnce(&mut [i64], &mut Heap) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Target { rows, records, heap, .. } = &mut *self.target;
        records.push((self.table, "updates", json!({ "slot": slot })));
        let row = rows.get_mut(&(self.table, slot)).ok_or(Error::NoSuchRow)?;
        read(&mut row.cells, heap)?;
        self.target.note(self.table, mask);
        Ok(())
    }

    fn end(self) {}
}
