//! One story: what a room does and what one client is sent of it, written down
//! step by step; and the same read again from the bytes alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tickwire_protocol::Message;
use tickwire_protocol::Tick;
use tickwire_protocol::client::mirror::Mirror;
use tickwire_protocol::frame::{Event, Form, Header, Step};
use tickwire_protocol::message::ServerMessage;
use tickwire_protocol::schema::Schema;
use tickwire_protocol::table::Scope;

use super::json::{bytes, list};
use super::messages;
use super::room::{Base, Chunk, Room, Row, Written, names};
use super::shadow::Shadow;
use super::show::{change, event, mirror_changes, mirror_state, row, shadow_state, sorted, tables};
use super::{json, world};

pub(crate) struct Story {
    name: &'static str,
    about: &'static str,
    /// The name of its schema.
    schema: &'static str,
    pub(crate) room: Room,
    pub(crate) tick: u32,
    /// The last frame's tick, and the one before in the same connection.
    sent: Option<u32>,
    sent_before: Option<u32>,
    /// Scopes that the client watches, and the tick of the frame that brought each.
    watched: BTreeMap<u32, u32>,
    resume: bool,
    steps: Vec<Json>,
}

/// How a frame is sent.
#[derive(Clone, Copy)]
pub(crate) struct Send<'a> {
    /// Scopes that the client watches from now on.
    pub(crate) scopes: &'a [u32],
    /// Scopes that are sent in whole though the client has them.
    pub(crate) again: &'a [u32],
    pub(crate) full: bool,
    pub(crate) predict: bool,
    pub(crate) processed: Option<u32>,
    pub(crate) depth: Option<i32>,
    pub(crate) hash: Hash,
    /// Age in ticks, class and event.
    pub(crate) events: &'a [(u32, bool, world::Event)],
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Hash {
    None,
    Right,
    Wrong,
}

/// A frame of one scope, as most are.
pub(crate) const PLAIN: Send<'static> = Send {
    scopes: &[0],
    again: &[],
    full: false,
    predict: false,
    processed: None,
    depth: None,
    hash: Hash::Right,
    events: &[],
};

/// The same, with motion along straight lines.
pub(crate) const PREDICTED: Send<'static> = Send { predict: true, ..PLAIN };

impl Story {
    pub(crate) fn new(name: &'static str, about: &'static str) -> Story {
        Story::of("space", world::schema(), name, about)
    }

    /// A story of another schema than most.
    pub(crate) fn of(
        schema_name: &'static str,
        schema: Schema,
        name: &'static str,
        about: &'static str,
    ) -> Story {
        Story {
            name,
            about,
            schema: schema_name,
            room: Room::new(Arc::new(schema)),
            tick: 0,
            sent: None,
            sent_before: None,
            watched: BTreeMap::new(),
            resume: false,
            steps: Vec::new(),
        }
    }

    pub(crate) fn json(self) -> Json {
        json!({ "name": self.name, "about": self.about, "schema": self.schema, "steps": self.steps })
    }

    /// The next frame goes over a new connection.
    pub(crate) fn resume(&mut self) {
        self.resume = true;
        self.sent_before = None;
    }

    /// Ends the step of the tick that is `ticks` later, and sends a frame.
    pub(crate) fn send(&mut self, ticks: u32, about: &str, how: Send<'_>) {
        self.tick += ticks;
        self.room.end(self.tick);
        let since = self.sent.filter(|_| !how.full);
        let sections = self.sections(since, &how);
        let scopes = how.scopes;
        let right = self.room.hash(scopes, self.tick);
        let header = Header {
            step: since
                .map_or(Step::Full(Tick(self.tick)), |since| Step::Advance(self.tick - since)),
            predicted: how.predict,
            processed: how.processed,
            depth: how.depth,
            hash: match how.hash {
                Hash::None => None,
                Hash::Right => Some(right),
                Hash::Wrong => Some(!right),
            },
        };
        let bodies = how.events.iter().map(|(_, _, event)| {
            let mut body = Vec::new();
            event.encode(&mut body);
            body
        });
        let bodies: Vec<Vec<u8>> = bodies.collect();
        let events = how.events.iter().zip(&bodies).map(|(&(age, reliable, _), body)| Event {
            tick: Tick(self.tick - age),
            reliable,
            body,
        });
        let events: Vec<Event<'_>> = events.collect();
        let parts: Vec<_> =
            sections.iter().map(|part| (Scope(part.0), part.1, &*part.2.bytes)).collect();
        let raw = messages::frame(&header, &parts, &events);
        let changes = self.changes(&sections, &how);
        let event_kind = &self.room.schema.event;
        self.steps.push(json!({
            "about": about,
            "resume": core::mem::take(&mut self.resume),
            "bytes": json::hex(&raw),
            "frame": {
                "header": messages::header(&header),
                "sections": sections.iter().map(|(scope, form, chunk)| json!({
                    "scope": scope, "form": messages::form(*form),
                    "chunk": json::hex(&chunk.bytes), "records": chunk.records,
                })).collect::<Vec<_>>(),
                "events": events.iter().map(|it| event(event_kind, it)).collect::<Vec<_>>(),
            },
            "after": {
                "tick": self.tick,
                "scopes": scopes,
                "hash": right,
                "hash_agrees": header.hash.map(|hash| hash == right),
                "changes": changes,
                "state": self.state(scopes),
            },
        }));
        (self.sent_before, self.sent) = (since, Some(self.tick));
    }

    /// What the frame says of each scope; also moves on what the client watches.
    fn sections(&mut self, since: Option<u32>, how: &Send<'_>) -> Vec<(u32, Form, Chunk)> {
        if since.is_none() {
            self.watched.clear();
        }
        let mut scopes: Vec<u32> =
            self.watched.keys().copied().chain(how.scopes.to_vec()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let (now, before) = (self.tick, self.sent_before);
        let mut sections = Vec::new();
        for scope in scopes {
            let brought = self.watched.get(&scope).copied().filter(|_| !how.again.contains(&scope));
            if !how.scopes.contains(&scope) {
                self.watched.remove(&scope);
                sections.push((scope, Form::Leave, Chunk::default()));
                continue;
            }
            let Some((brought, since)) = brought.zip(since) else {
                let chunk = self.room.chunk(scope, Base::Nothing, now);
                self.watched.insert(scope, now);
                sections.push((scope, Form::Whole, chunk));
                continue;
            };
            let base = match how.predict {
                true => Base::Predicted(since, before.filter(|&before| brought <= before)),
                false => Base::Plain(since),
            };
            let chunk = self.room.chunk(scope, base, now);
            if !chunk.bytes.is_empty() {
                sections.push((scope, Form::Change, chunk));
            }
        }
        sections
    }

    /// What a client should find changed: from the two states, and from which
    /// rows the frame has records of.
    fn changes(&self, sections: &[(u32, Form, Chunk)], how: &Send<'_>) -> Json {
        let empty = BTreeMap::new();
        let old = self.sent.map_or(&empty, |tick| self.room.at(tick));
        let new = self.room.at(self.tick);
        let chunk =
            |scope: u32| sections.iter().find(|section| section.0 == scope).map(|part| &part.2);
        let mut changes = Vec::new();
        for (key, row) in old.iter().filter(|(_, row)| self.watched_before(row.scope)) {
            let stays = new.get(key).is_some_and(|now| {
                now.generation == row.generation && how.scopes.contains(&now.scope)
            });
            if !stays {
                let despawned = chunk(row.scope).and_then(|chunk| chunk.left.get(key).copied());
                // Whatever was said of it: who has its slot has outlived it.
                let outlived = new.get(key).is_some_and(|now| {
                    now.generation != row.generation && how.scopes.contains(&now.scope)
                });
                let is_despawned = despawned == Some(true) || outlived;
                let gone = if is_despawned { "despawned" } else { "departed" };
                changes.push(self.change(key, row, json!({ "change": gone })));
            }
        }
        for (key, row) in new.iter().filter(|(_, row)| how.scopes.contains(&row.scope)) {
            let before = old.get(key).filter(|old| old.generation == row.generation);
            let before = before.filter(|old| self.watched_before(old.scope));
            let layout = &self.room.layout.tables[key.0];
            let Some(before) = before else {
                changes.push(self.change(key, row, json!({ "change": "added" })));
                continue;
            };
            let written = chunk(row.scope).and_then(|chunk| chunk.written.get(key).copied());
            let leaves = match written {
                Some(Written::Spawn) => u64::MAX,
                other => {
                    let mask = if let Some(Written::Update(mask)) = other { mask } else { 0 };
                    let moved = layout.record.differing(&before.cells, &row.cells);
                    mask & !layout.motion | moved & layout.motion
                }
            };
            if leaves != 0 {
                let change = json!({ "change": "changed", "leaves": names(layout, leaves) });
                changes.push(self.change(key, row, change));
            }
        }
        sorted(changes)
    }

    /// Whether the client watched a scope before this frame.
    fn watched_before(&self, scope: u32) -> bool {
        self.steps.last().is_some_and(|step| list(&step["after"], "scopes").contains(&json!(scope)))
    }

    fn change(&self, key: &(usize, u32), row: &Row, what: Json) -> Json {
        change(&self.room.schema, key.0, key.1, row.generation, what)
    }

    /// The rows of some scopes.
    fn state(&self, scopes: &[u32]) -> Json {
        let room = &self.room;
        let seen = room.at(self.tick).iter().filter(|(_, row)| scopes.contains(&row.scope));
        let rows = seen.map(|(&(table, slot), it)| {
            let id = (table, slot, it.generation, it.scope);
            (table, row(&room.schema, &room.layout, id, &it.cells, &room.heap))
        });
        tables(&room.schema, rows.collect())
    }
}

/// Applies the frames of a story, and compares all that a client can see.
pub(crate) fn verify(schema: &Arc<Schema>, story: &Json) {
    let mut mirror = Mirror::new(schema.clone());
    let mut shadow = Shadow::new(schema.clone());
    for step in list(story, "steps") {
        let place = format!("{}: {}", story["name"], step["about"]);
        if step["resume"] == json!(true) {
            mirror.resume();
            shadow.resume();
        }
        let raw = bytes(step, "bytes");
        let ServerMessage::Frame(frame) = ServerMessage::read(&raw).expect("a message") else {
            panic!("{place}: a frame");
        };
        let records = shadow.apply(&frame);
        let changes = mirror.apply(&frame).expect("applies");
        let hash_agrees = changes.hash_agrees;
        mirror.check();
        let tick = mirror.tick().expect("applied");
        let sections = frame.sections().zip(records).map(|(section, records)| {
            json!({
                "scope": section.scope.0, "form": messages::form(section.form),
                "chunk": json::hex(section.chunk), "records": records,
            })
        });
        let read = json!({
            "header": messages::header(&frame.header),
            "sections": sections.collect::<Vec<_>>(),
            "events": frame.events(tick).map(|it| event(&schema.event, &it)).collect::<Vec<_>>(),
        });
        compare(&place, &step["frame"], &read);
        let after = json!({
            "tick": tick.0,
            "scopes": mirror.scopes().iter().map(|scope| scope.0).collect::<Vec<_>>(),
            "hash": mirror.hash(),
            "hash_agrees": hash_agrees,
            "changes": mirror_changes(schema, &mirror),
            "state": mirror_state(schema, &mirror),
        });
        compare(&place, &step["after"], &after);
        compare(
            &format!("{place} (shadow)"),
            &step["after"]["state"],
            &shadow_state(schema, &shadow),
        );
    }
}

fn compare(place: &str, committed: &Json, read: &Json) {
    if let Some(difference) = json::difference(committed, read) {
        panic!("{place}: committed against read: {difference}");
    }
}
