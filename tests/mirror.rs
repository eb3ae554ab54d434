//! Whatever happens in a world, and whatever a client misses, after each
//! applied frame its mirror equals the server's state at that tick.
//!
//! Each seed is one story: entities of every field kind are spawned, edited,
//! moved between scopes and despawned, slots are reused; clients skip ticks,
//! lose frames and resume, begin and cease to watch scopes, ask for everything.
//! `TICKWIRE_SEED=n cargo test --test mirror` tells one story again.

mod dice;

use std::collections::BTreeMap;
use std::sync::Arc;

use dice::Dice;
use tickwire::world::{Baseline, Ledger};
use tickwire_protocol::client::mirror::{Mirror, Typed, What};
use tickwire_protocol::codec::Reader;
use tickwire_protocol::dynamic;
use tickwire_protocol::frame::{Form, Frame, Header, Step, write_header};
use tickwire_protocol::heap::Heap;
use tickwire_protocol::schema::{Kind, Schema};
use tickwire_protocol::table::AnyTable;
use tickwire_protocol::value::Attr;
use tickwire_protocol::{Blob, Entity, Id, Scope, Table, Tick, Value, World};

const SEEDS: u64 = 1_000;
const TICKS: u32 = 60;
/// How far back a client may resume; short, so that some come too late.
const HISTORY: u32 = 12;

#[derive(Entity, Clone, PartialEq, Debug)]
struct Ship {
    place: Place,
    #[net(angle, bits = 8, motion)]
    heading: f32,
    hp: u8,
    #[net(min = -3, max = 12)]
    gear: i32,
    #[net(motion)]
    odometer: u16,
    score: u64,
    debt: i64,
    up: bool,
    fuel: f32,
    mass: f64,
    name: String,
    #[net(max_bytes = 16)]
    badge: Blob,
    mood: Mood,
    target: Id<Ship>,
    beacon: Option<Id<Beacon>>,
    #[net(max_len = 5)]
    cargo: Vec<Item>,
    #[net(max_len = 4, min = 0, max = 1, step = 0.125)]
    shields: Vec<f32>,
    #[net(max_len = 3, max_bytes = 12)]
    notes: Vec<String>,
    slots: [Option<u16>; 3],
    wealth: Wealth,
}

/// What does not fit one cell.
#[derive(Value, Clone, PartialEq, Debug, Default)]
struct Wealth {
    gold: u128,
    #[net(min = -170_141_183_460_469_231_731_687_303_715, max = 5)]
    balance: i128,
    last: Option<i128>,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
struct Place {
    #[net(min = -64.0, max = 64.0, step = 0.0625, motion, ring)]
    x: f32,
    #[net(min = -64.0, max = 64.0, step = 0.0625, motion)]
    y: f32,
}

#[derive(Value, Clone, PartialEq, Debug)]
enum Mood {
    Calm,
    Angry { at: Id<Ship>, level: u8 },
    Saying(String),
}

#[derive(Value, Clone, PartialEq, Debug)]
struct Item {
    sort: Sort,
    count: u16,
    label: String,
}

#[derive(Value, Clone, Copy, PartialEq, Debug)]
enum Sort {
    Ore,
    Food,
    Gems,
}

#[derive(Entity, Clone, PartialEq, Debug)]
struct Beacon {
    #[net(min = 0, max = 1000, step = 1)]
    at: [f32; 2],
    lit: bool,
}

#[derive(Entity, Clone, PartialEq, Debug)]
struct Mark {}

#[derive(World, Debug)]
struct Space {
    ships: Table<Ship>,
    beacons: Table<Beacon>,
    marks: Table<Mark>,
}

impl Dice {
    fn float(&mut self, from: f32, to: f32) -> f32 {
        from + (self.below(1 << 20) as f32 / (1 << 20) as f32) * (to - from)
    }
    fn text(&mut self) -> String {
        const WORDS: [&str; 6] = ["", "Ada", "Grace", "Žofie", "the quick brown fox", "𝄞"];
        let mut text = WORDS[self.below(6) as usize].to_owned();
        if self.chance(300) {
            text.push_str(&self.below(100).to_string());
        }
        text
    }
    fn id<T>(&mut self) -> Id<T> {
        if self.chance(300) {
            Id::NONE
        } else {
            Id::new(self.below(40) as u32, 1 + self.below(9) as u32)
        }
    }
}

fn mood(dice: &mut Dice) -> Mood {
    match dice.below(3) {
        0 => Mood::Calm,
        1 => Mood::Angry { at: dice.id(), level: dice.roll() as u8 },
        _ => Mood::Saying(dice.text()),
    }
}

fn item(dice: &mut Dice) -> Item {
    let sort = [Sort::Ore, Sort::Food, Sort::Gems][dice.below(3) as usize];
    Item { sort, count: dice.below(400) as u16, label: dice.text() }
}

fn ship(dice: &mut Dice) -> Ship {
    let mut ship = Ship {
        place: Place { x: dice.float(-64.0, 64.0), y: dice.float(-64.0, 64.0) },
        heading: dice.float(0.0, 6.3),
        hp: 100,
        gear: 0,
        odometer: 0,
        score: 0,
        debt: 0,
        up: false,
        fuel: 1.0,
        mass: 0.0,
        name: dice.text(),
        badge: Blob::default(),
        mood: Mood::Calm,
        target: Id::NONE,
        beacon: None,
        cargo: Vec::new(),
        shields: Vec::new(),
        notes: Vec::new(),
        slots: [None; 3],
        wealth: Wealth::default(),
    };
    for _ in 0..dice.below(6) {
        edit(&mut ship, dice);
    }
    ship
}

/// At an end of a half or of the whole, or anywhere.
fn wide(dice: &mut Dice) -> i128 {
    let any = i128::from(dice.roll() as i64) << 64 | i128::from(dice.roll());
    let some = [0, -1, i128::MIN, i128::MAX, (1 << 64) - 1, 1 << 64, any];
    some[dice.below(7) as usize].wrapping_add(i128::from(dice.below(3)) - 1)
}

/// Changes one thing of a ship.
fn edit(ship: &mut Ship, dice: &mut Dice) {
    match dice.below(25) {
        0 => ship.hp = dice.roll() as u8,
        1 => ship.gear = dice.roll() as i32,
        2 => ship.score = [0, 1, 300, u64::MAX, dice.roll()][dice.below(5) as usize],
        3 => ship.debt = [0, -1, i64::MIN, i64::MAX, dice.roll() as i64][dice.below(5) as usize],
        4 => ship.up = !ship.up,
        5 => ship.fuel = dice.float(-1e9, 1e9),
        6 => ship.mass = f64::from(dice.float(-1.0, 1.0)) * 1e200,
        7 => ship.name = dice.text(),
        8 => ship.badge = Blob((0..dice.below(17)).map(|_| dice.roll() as u8).collect()),
        9 | 10 => ship.mood = mood(dice),
        11 => ship.target = dice.id(),
        12 => ship.beacon = if dice.chance(500) { Some(dice.id()) } else { None },
        13 => ship.cargo.push(item(dice)),
        14 => ship.cargo.truncate(dice.below(4) as usize),
        15 => {
            if let Some(item) = ship.cargo.first_mut() {
                item.count = dice.roll() as u16;
            }
        }
        16 => ship.shields = (0..dice.below(6)).map(|_| dice.float(-0.5, 1.5)).collect(),
        17 => ship.notes = (0..dice.below(5)).map(|_| dice.text()).collect(),
        18 => ship.slots[dice.below(3) as usize] = dice.chance(600).then(|| dice.roll() as u16),
        19 => ship.odometer = dice.roll() as u16,
        20 => ship.heading += dice.float(-3.0, 3.0),
        21 => ship.wealth.gold = wide(dice) as u128,
        22 => ship.wealth.balance = wide(dice),
        23 => ship.wealth.last = dice.chance(600).then(|| wide(dice)),
        _ => ship.place = Place { x: dice.float(-99.0, 99.0), y: dice.float(-99.0, 99.0) },
    }
}

/// One step of the game.
fn step(space: &mut Space, dice: &mut Dice) {
    let scope = |dice: &mut Dice| Scope([0, 0, 1, 2, 9][dice.below(5) as usize]);
    if space.ships.len() < 12 && dice.chance(400) {
        let ship = ship(dice);
        space.ships.spawn_in(scope(dice), ship);
    }
    if dice.chance(150) {
        let at = [dice.float(0.0, 1000.0), dice.float(0.0, 1000.0)];
        space.beacons.spawn_in(scope(dice), Beacon { at, lit: true });
        space.marks.spawn_in(scope(dice), Mark {});
    }
    for id in space.ships.ids().collect::<Vec<_>>() {
        if dice.chance(40) {
            space.ships.despawn(id);
            continue;
        }
        if dice.chance(60) {
            let scope = scope(dice);
            space.ships.set_scope(id, scope);
        }
        let ship = space.ships.get_mut(id).expect("it is there");
        // Most of them drift along, some turn or stop.
        if id.slot() % 3 != 0 {
            ship.place.x += 0.4 * id.slot() as f32;
            ship.place.y -= 0.7;
            ship.odometer = ship.odometer.saturating_add(3);
        }
        if ship.place.x > 64.0 {
            ship.place.x -= 128.0;
        }
        if dice.chance(200) {
            edit(ship, dice);
        }
    }
    for id in space.beacons.ids().collect::<Vec<_>>() {
        match dice.below(30) {
            0 => drop(space.beacons.despawn(id)),
            1 => drop(space.beacons.set_scope(id, scope(dice))),
            2..5 => space.beacons.get_mut(id).expect("it is there").lit ^= true,
            _ => {}
        }
    }
    for id in space.marks.ids().collect::<Vec<_>>() {
        if dice.chance(50) {
            space.marks.despawn(id);
        }
    }
}

/// A client, and what the server knows of it.
struct Client {
    mirror: Mirror,
    typed: Typed<Space>,
    /// What the server has sent last, and before that in the same connection.
    sent: Option<Tick>,
    sent_before: Option<Tick>,
    /// Scopes in the last sent frame; those that were in the one before too.
    watched: Vec<Scope>,
    watched_before: Vec<Scope>,
    /// The same for the last applied frame, if the connection is to resume there.
    applied_watched: Vec<Scope>,
    wants: Vec<Scope>,
}

impl Client {
    fn new(schema: &Arc<Schema>) -> Client {
        Client {
            mirror: Mirror::new(schema.clone()),
            typed: Typed::new(schema, schema).expect("the same schema"),
            sent: None,
            sent_before: None,
            watched: Vec::new(),
            watched_before: Vec::new(),
            applied_watched: Vec::new(),
            wants: vec![Scope::ROOM],
        }
    }

    /// The connection is lost; the next frame goes on from what was applied.
    fn resume(&mut self, ledger: &Ledger) {
        match self.mirror.tick() {
            Some(tick) if ledger.reaches(tick) => {
                self.mirror.resume();
                (self.sent, self.sent_before) = (Some(tick), None);
                self.watched.clone_from(&self.applied_watched);
                self.watched_before.clear();
            }
            _ => self.sent = None,
        }
    }

    /// The frame that leads the client to now.
    fn frame(&mut self, ledger: &mut Ledger, predict: bool) -> Vec<u8> {
        let now = ledger.tick().expect("recorded");
        let since = self.sent.filter(|&since| ledger.reaches(since));
        let before = self.sent_before;
        let predicted = predict
            && since.zip(before).is_some_and(|(since, before)| ledger.predicts(since, before));
        let mut sections = Vec::new();
        let mut chunks = Vec::new();
        let mut scopes: Vec<Scope> = self.wants.clone();
        if since.is_some() {
            scopes.extend(&self.watched);
        }
        scopes.sort_unstable();
        scopes.dedup();
        for scope in scopes {
            let start = chunks.len();
            let had = since.filter(|_| self.watched.contains(&scope));
            let form = match had {
                Some(_) if !self.wants.contains(&scope) => Form::Leave,
                Some(since) => {
                    let baseline = if predicted {
                        let line = before.filter(|_| self.watched_before.contains(&scope));
                        Baseline::Predicted(since, line)
                    } else {
                        Baseline::Plain(since)
                    };
                    ledger.chunk(scope, baseline, &mut chunks);
                    if chunks.len() == start {
                        continue;
                    }
                    Form::Change
                }
                None => {
                    ledger.chunk(scope, Baseline::Nothing, &mut chunks);
                    Form::Whole
                }
            };
            sections.push((scope, form, chunks.len() - start));
        }
        let header = Header {
            step: since.map_or(Step::Full(now), |since| Step::Advance(since.until(now))),
            predicted,
            processed: None,
            depth: None,
            hash: Some(ledger.hash(&self.wants)),
        };
        let mut bytes = Vec::new();
        write_header(&header, sections.iter().copied(), 0, &mut bytes);
        bytes.extend_from_slice(&chunks);
        self.watched_before = if since.is_some() { self.watched.clone() } else { Vec::new() };
        self.watched.clone_from(&self.wants);
        self.sent_before = since;
        self.sent = Some(now);
        bytes
    }

    fn apply(&mut self, bytes: &[u8]) {
        let mut r = Reader::new(bytes);
        assert_eq!(r.u8(), Ok(0));
        let frame = Frame::read(r).expect("a frame");
        let before = snapshot(&self.mirror);
        let changes = self.mirror.apply(&frame).expect("applies").clone();
        self.mirror.check();
        self.typed.follow(&self.mirror);
        self.applied_watched.clone_from(&self.watched);

        // The changes tell the difference between the two snapshots.
        let after = snapshot(&self.mirror);
        let mut told = before.clone();
        for change in &changes.rows {
            let key = (change.table, change.slot, change.generation);
            match change.what {
                What::Removed(_) => {
                    let last = self.mirror.changed_row(change).value();
                    let old = told.remove(&key).expect("removes what was there");
                    assert!(frame.header.predicted || old == last, "the last values stay readable");
                }
                What::Added => {
                    let added = told.insert(key, after[&key].clone());
                    assert!(added.is_none(), "adds what was not there");
                }
                What::Changed(mask) => {
                    assert_ne!(mask, 0);
                    let old = told.insert(key, after[&key].clone()).expect("changes what is there");
                    let view = self.mirror.changed_row(change);
                    let named: Vec<&str> = view.names(mask).collect();
                    for name in view.names(u64::MAX) {
                        let same = path(&old, name) == path(&after[&key], name);
                        assert!(same || named.contains(&name), "{name} changed and is not named");
                    }
                }
            }
        }
        assert_eq!(told, after, "the changes tell all");
    }

    /// Compares with the game's own tables.
    fn compare(&self, space: &Space) {
        let mut rows = 0;
        rows += compare_table(self, 0, &space.ships, &self.typed.world().ships);
        rows += compare_table(self, 1, &space.beacons, &self.typed.world().beacons);
        rows += compare_table(self, 2, &space.marks, &self.typed.world().marks);
        assert_eq!(rows, snapshot(&self.mirror).len(), "nothing but what is to be seen");
        assert_eq!(self.mirror.changes().hash_agrees, Some(true), "state hash");
    }
}

fn compare_table<T: Entity + Clone + PartialEq + std::fmt::Debug>(
    client: &Client,
    index: usize,
    table: &Table<T>,
    typed: &Table<T>,
) -> usize {
    let seen = |id: Id<T>| client.wants.contains(&table.scope(id).expect("it is there"));
    let mut count = 0;
    for (id, entity) in table.iter().filter(|(id, _)| seen(*id)) {
        count += 1;
        let (mut cells, mut heap) = (vec![0; T::cells(&Attr::PLAIN)], Heap::default());
        entity.store(&Attr::PLAIN, &mut cells, &mut heap);
        let expected = dynamic::Value::from_cells(&T::kind(&Attr::PLAIN), &cells, &heap);
        let row = client.mirror.row(index, id.slot(), id.generation()).expect("the row is here");
        assert_eq!(row.value(), expected, "{} {id:?}", T::NAME);
        assert_eq!(table.scope(id), Some(row.scope()));
        let quantised = T::load(&Attr::PLAIN, &cells, &heap);
        assert_eq!(typed.get(id), Some(&quantised), "typed {} {id:?}", T::NAME);
        assert_eq!(typed.occupant(id.slot()), table.occupant(id.slot()));
    }
    assert_eq!(typed.len(), count);
    count
}

type Snapshot = BTreeMap<(usize, u32, u32), dynamic::Value>;

fn snapshot(mirror: &Mirror) -> Snapshot {
    let tables = 0..mirror.schema().tables.len();
    tables
        .flat_map(|table| {
            mirror.rows(table).map(move |row| ((table, row.slot(), row.generation()), row.value()))
        })
        .collect()
}

fn path<'a>(value: &'a dynamic::Value, path: &str) -> Option<&'a dynamic::Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

fn story(seed: u64) {
    let mut dice = Dice(seed);
    let schema = Schema::new(
        Space::schema(),
        Kind::default(),
        Kind::default(),
        Kind::default(),
        Kind::default(),
    );
    let schema = Arc::new(schema.expect("within the limits"));
    let mut space = Space::default();
    let mut ledger = Ledger::new(&schema, HISTORY);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(&schema)).collect();
    for tick in 1..TICKS {
        step(&mut space, &mut dice);
        ledger.record(&mut space, Tick(tick));
        for (number, client) in clients.iter_mut().enumerate() {
            if dice.chance(80) {
                let scope = Scope([0, 1, 2, 9][dice.below(4) as usize]);
                match client.wants.iter().position(|&watched| watched == scope) {
                    Some(place) => drop(client.wants.remove(place)),
                    None => client.wants.push(scope),
                }
            }
            if dice.chance(30) {
                client.resume(&ledger);
            }
            if dice.chance(20) {
                client.sent = None;
            }
            // Client 0 keeps up, the others get ever fewer frames; some stall.
            if dice.chance(200 * number as u64) || (number == 3 && tick % 32 < 20) {
                continue;
            }
            let predict = dice.chance(750);
            let bytes = client.frame(&mut ledger, predict);
            if dice.chance(20) {
                // Lost on the way, with the connection.
                client.resume(&ledger);
                continue;
            }
            client.apply(&bytes);
            client.compare(&space);
        }
    }
}

#[test]
fn a_mirror_equals_the_state_at_its_tick_whatever_happens() {
    let only = std::env::var("TICKWIRE_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in only.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| story(seed)) {
            eprintln!("tell it again: TICKWIRE_SEED={seed} cargo test --test mirror");
            std::panic::resume_unwind(panic);
        }
    }
}
