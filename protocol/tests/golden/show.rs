//! What a story shows of a state: rows and changes, by names. The room, the
//! mirror and the shadow are all shown in this one way.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tickwire_protocol::client::mirror::{Gone, Mirror, What};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::frame::Event;
use tickwire_protocol::hash;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::layout::Layout;
use tickwire_protocol::schema::{Kind, Schema};

use super::shadow::Shadow;
use super::{json, messages, values};

pub(crate) fn mirror_changes(schema: &Schema, mirror: &Mirror) -> Json {
    let each = mirror.changes().rows.iter().map(|it| {
        let what = match it.what {
            What::Added => json!({ "change": "added" }),
            What::Changed(mask) => {
                let leaves: Vec<&str> = mirror.changed_row(it).names(mask).collect();
                json!({ "change": "changed", "leaves": leaves })
            }
            What::Removed(Gone::Despawned) => json!({ "change": "despawned" }),
            What::Removed(Gone::Departed) => json!({ "change": "departed" }),
        };
        change(schema, it.table, it.slot, it.generation, what)
    });
    sorted(each.collect())
}

pub(crate) fn mirror_state(schema: &Schema, mirror: &Mirror) -> Json {
    let mut rows = Vec::new();
    for table in 0..schema.tables.len() {
        for view in mirror.rows(table) {
            let id = (table, view.slot(), view.generation(), view.scope().0);
            rows.push((table, row(schema, mirror.layout(), id, view.cells(), mirror.heap())));
        }
    }
    tables(schema, rows)
}

pub(crate) fn shadow_state(schema: &Schema, shadow: &Shadow) -> Json {
    let layout = Layout::new(schema);
    let mut all = BTreeMap::new();
    for (&scope, rows) in &shadow.scopes {
        for (&(table, slot), it) in rows {
            let id = (table, slot, it.generation, scope);
            let json = row(schema, &layout, id, &it.cells, &shadow.heap);
            assert!(all.insert((table, slot), (table, json)).is_none(), "in two scopes");
        }
    }
    tables(schema, all.into_values().collect())
}

/// A row of a table; `id` is table, slot, generation and scope.
pub(crate) fn row(
    schema: &Schema,
    layout: &Layout,
    id: (usize, u32, u32, u32),
    cells: &[i64],
    heap: &Heap,
) -> Json {
    let (table, slot, generation, scope) = id;
    let kind = Kind::Struct(schema.tables[table].fields.clone());
    json!({
        "slot": slot,
        "generation": generation,
        "scope": scope,
        "hash": hash::row(table, &layout.tables[table], slot, generation, cells, heap),
        "value": json::value(&kind, &Value::from_cells(&kind, cells, heap)),
    })
}

/// Rows by the names of their tables.
pub(crate) fn tables(schema: &Schema, rows: Vec<(usize, Json)>) -> Json {
    let mut state = json!({});
    for (table, row) in rows {
        let name = &schema.tables[table].name;
        if state[name].is_null() {
            state[name] = json!([]);
        }
        state[name].as_array_mut().expect("a list").push(row);
    }
    state
}

pub(crate) fn change(
    schema: &Schema,
    table: usize,
    slot: u32,
    generation: u32,
    mut what: Json,
) -> Json {
    what["table"] = json!(schema.tables[table].name);
    what["slot"] = json!(slot);
    what["generation"] = json!(generation);
    what
}

/// In the order of tables' names, slots and generations.
pub(crate) fn sorted(mut changes: Vec<Json>) -> Json {
    changes.sort_by_key(|it| {
        let number = |name: &str| it[name].as_u64();
        (it["table"].to_string(), number("slot"), number("generation"))
    });
    json!(changes)
}

pub(crate) fn event(kind: &Kind, event: &Event<'_>) -> Json {
    let mut json = messages::event(event);
    let value = values::read(kind, event.body).expect("an event");
    json["value"] = json::value(kind, &value);
    json
}
