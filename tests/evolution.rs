//! A client and a server that were built with different versions of a schema:
//! what both have goes by name, the rest is skipped or keeps its default.

use std::sync::Arc;

use tickwire::world::{Baseline, Ledger};
use tickwire_protocol::client::mirror::{Mirror, Mismatch, Typed};
use tickwire_protocol::codec::Reader;
use tickwire_protocol::frame::{Form, Frame, Header, Step, write_header};
use tickwire_protocol::schema::{Kind, Schema};
use tickwire_protocol::{Entity, Id, Scope, Table, Tick, Value, World};

mod old {
    use super::*;

    #[derive(Entity, Clone, PartialEq, Debug)]
    pub(crate) struct Ship {
        pub(crate) name: String,
        #[net(min = -100, max = 100, step = 0.5)]
        pub(crate) x: f32,
        pub(crate) place: Place,
        pub(crate) hp: u8,
        pub(crate) mood: Mood,
        #[net(max_len = 4)]
        pub(crate) cargo: Vec<u16>,
        pub(crate) gone_since: Option<u32>,
        pub(crate) worth: u128,
    }

    #[derive(Value, Clone, PartialEq, Debug)]
    pub(crate) struct Place {
        pub(crate) sector: u8,
        pub(crate) gate: u8,
    }

    #[derive(Value, Clone, PartialEq, Debug)]
    pub(crate) enum Mood {
        Calm,
        Angry { level: u8 },
    }

    #[derive(Entity, Clone, PartialEq, Debug)]
    pub(crate) struct Relic {
        pub(crate) age: u16,
    }

    #[derive(World, Debug)]
    pub(crate) struct Space {
        pub(crate) ships: Table<Ship>,
        pub(crate) relics: Table<Relic>,
    }
}

mod new {
    use super::*;

    #[derive(Entity, Clone, PartialEq, Debug)]
    pub(crate) struct Ship {
        /// New, and first, so that every leaf moves.
        #[net(min = 5, max = 9)]
        pub(crate) class: u8,
        /// A finer grid.
        #[net(min = -200, max = 200, step = 0.0625, motion)]
        pub(crate) x: f32,
        pub(crate) name: String,
        /// A wider type.
        pub(crate) hp: i32,
        pub(crate) place: Place,
        pub(crate) mood: Mood,
        /// A longer list of larger numbers.
        #[net(max_len = 8)]
        pub(crate) cargo: Vec<u32>,
        /// Within bounds now; both halves are still there.
        #[net(max = 100_000_000_000_000_000_000)]
        pub(crate) worth: u128,
    }

    #[derive(Value, Clone, PartialEq, Debug)]
    pub(crate) struct Place {
        pub(crate) dock: u16,
        pub(crate) sector: u8,
    }

    #[derive(Value, Clone, PartialEq, Debug)]
    pub(crate) enum Mood {
        Sleepy,
        Angry { level: u16, at: Id<Ship> },
        Calm,
    }

    #[derive(Entity, Clone, PartialEq, Debug)]
    pub(crate) struct Drone {
        pub(crate) owner: Id<Ship>,
    }

    #[derive(World, Debug)]
    pub(crate) struct Space {
        pub(crate) drones: Table<Drone>,
        pub(crate) ships: Table<Ship>,
    }
}

fn schema<W: World>() -> Arc<Schema> {
    let none = Kind::default;
    Arc::new(Schema::new(W::schema(), none(), none(), none(), none()).expect("within the limits"))
}

/// A server of one world and a client of another.
struct Pair<S, C> {
    space: S,
    ledger: Ledger,
    mirror: Mirror,
    typed: Typed<C>,
}

impl<S: World, C: World> Pair<S, C> {
    fn new() -> Pair<S, C> {
        let schema_of_server = schema::<S>();
        // The client learns it through the descriptor.
        let mut descriptor = Vec::new();
        schema_of_server.write_descriptor(&mut descriptor);
        let described = Arc::new(Schema::from_descriptor(&descriptor).expect("a descriptor"));
        assert_eq!(described.hash(), schema_of_server.hash());
        Pair {
            space: S::default(),
            ledger: Ledger::new(&schema_of_server, 16),
            typed: Typed::new(&described, &schema::<C>()).expect("compatible"),
            mirror: Mirror::new(described),
        }
    }

    /// Lets the client see the server's state.
    fn sync(&mut self) -> &C {
        let now = self.ledger.tick().map_or(Tick(1), |tick| tick.after(1));
        self.ledger.record(&mut self.space, now);
        let (step, form, baseline) = match self.mirror.tick() {
            None => (Step::Full(now), Form::Whole, Baseline::Nothing),
            Some(tick) => (Step::Advance(tick.until(now)), Form::Change, Baseline::Plain(tick)),
        };
        let mut chunk = Vec::new();
        self.ledger.chunk(Scope::ROOM, baseline, &mut chunk);
        let hash = Some(self.ledger.hash(&[Scope::ROOM]));
        let header = Header { step, predicted: false, processed: None, depth: None, hash };
        let mut bytes = Vec::new();
        write_header(&header, [(Scope::ROOM, form, chunk.len())].into_iter(), 0, &mut bytes);
        bytes.extend_from_slice(&chunk);
        let mut r = Reader::new(&bytes);
        let _tag = r.u8();
        let frame = Frame::read(r).expect("a frame");
        let changes = self.mirror.apply(&frame).expect("applies");
        assert_eq!(changes.hash_agrees, Some(true));
        self.typed.follow(&self.mirror);
        self.typed.world()
    }
}

#[test]
fn an_old_client_sees_what_it_knows_of_a_new_server() {
    let mut pair = Pair::<new::Space, old::Space>::new();
    let ship = new::Ship {
        class: 7,
        x: 150.0,
        name: "Ada".into(),
        hp: 1000,
        place: new::Place { dock: 9, sector: 3 },
        mood: new::Mood::Angry { level: 300, at: Id::NONE },
        cargo: vec![1, 70_000, 3, 4, 5],
        worth: 70_000_000_000_000_000_000,
    };
    let id = pair.space.ships.spawn(ship);
    pair.space.drones.spawn(new::Drone { owner: id });
    let world = pair.sync();
    let expected = old::Ship {
        name: "Ada".into(),
        x: 100.0,
        place: old::Place { sector: 3, gate: 0 },
        hp: 255,
        mood: old::Mood::Angry { level: 255 },
        cargo: vec![1, 65_535, 3, 4],
        gone_since: None,
        worth: 70_000_000_000_000_000_000,
    };
    let old_id = Id::new(id.slot(), id.generation());
    assert_eq!(world.ships.get(old_id), Some(&expected));
    assert!(world.relics.is_empty(), "a table that the server does not have");

    // Later changes go through the same names.
    let ship = pair.space.ships.get_mut(id).expect("it is there");
    ship.x = -3.0;
    ship.place.dock = 77;
    ship.place.sector = 4;
    ship.mood = new::Mood::Sleepy;
    ship.cargo.truncate(1);
    let world = pair.sync();
    let seen = world.ships.get(old_id).expect("it is here");
    assert_eq!((seen.x, seen.place.sector), (-3.0, 4));
    assert_eq!(seen.mood, old::Mood::Calm, "an unknown variant is the first one");
    assert_eq!(seen.cargo, [1]);

    // A change in what the client does not know concerns it not.
    pair.space.ships.get_mut(id).expect("it is there").class = 8;
    pair.sync();
    let changes = &pair.mirror.changes().rows;
    assert_eq!(changes.len(), 1);
    assert_eq!(pair.typed.concerns(&changes[0]), None);

    pair.space.ships.despawn(id);
    assert!(pair.sync().ships.is_empty());
}

#[test]
fn a_new_client_sees_what_an_old_server_has() {
    let mut pair = Pair::<old::Space, new::Space>::new();
    let ship = old::Ship {
        name: "Grace".into(),
        x: 12.5,
        place: old::Place { sector: 200, gate: 1 },
        hp: 80,
        mood: old::Mood::Angry { level: 9 },
        cargo: vec![4, 5],
        gone_since: Some(3),
        worth: u128::MAX,
    };
    let id = pair.space.ships.spawn(ship);
    pair.space.relics.spawn(old::Relic { age: 4 });
    let world = pair.sync();
    let expected = new::Ship {
        class: 5,
        x: 12.5,
        name: "Grace".into(),
        hp: 80,
        place: new::Place { dock: 0, sector: 200 },
        mood: new::Mood::Angry { level: 9, at: Id::NONE },
        cargo: vec![4, 5],
        worth: 100_000_000_000_000_000_000,
    };
    assert_eq!(world.ships.get(Id::new(id.slot(), id.generation())), Some(&expected));
    assert!(world.drones.is_empty());
}

#[derive(Entity)]
struct Odd {
    name: u8,
}

#[derive(World)]
struct OddSpace {
    ships: Table<Odd>,
}

#[test]
fn a_field_that_changed_its_kind_is_named_at_connect() {
    let _ = (Odd { name: 0 }.name, OddSpace::default().ships);
    let error = Typed::<OddSpace>::new(&schema::<new::Space>(), &schema::<OddSpace>());
    let mismatch = Mismatch { place: "ships.name".into(), server: "a text", client: "an integer" };
    assert_eq!(error.err(), Some(mismatch));
}

#[derive(Entity)]
struct Narrow {
    worth: u64,
}

#[derive(World)]
struct NarrowSpace {
    ships: Table<Narrow>,
}

#[test]
fn a_number_that_has_grown_two_halves_is_named_at_connect() {
    let _ = (Narrow { worth: 0 }.worth, NarrowSpace::default().ships);
    let error = Typed::<NarrowSpace>::new(&schema::<new::Space>(), &schema::<NarrowSpace>());
    let mismatch =
        Mismatch { place: "ships.worth".into(), server: "a struct", client: "an integer" };
    assert_eq!(error.err(), Some(mismatch));
}
