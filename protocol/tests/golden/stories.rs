//! `stories.json`: sequences of frames, and what a mirror holds after each.

use serde_json::{Value as Json, json};
use tickwire_protocol::{Blob, Id};

use super::json::{list, text};
use super::nest::{self, Hold, Place, Shelf};
use super::story::{Hash, PLAIN, PREDICTED, Send, Story, verify as verify_story};
use super::values::{grids, largest, more_things, smallest, things};
use super::wide::{self, Note, Vault};
use super::world::{
    Engine, Event, Flags, Gauge, Item, Mark, Number, Rank, Ship, Sixteen, Spot, Thing, Things,
};
use super::{File, schemas};

pub(crate) const FILE: File = File { name: "stories.json", produce, verify };

fn produce() -> Json {
    let stories = [
        numbers(),
        gauges(),
        elements(),
        masks(),
        motion(),
        lives(),
        scopes(),
        texts(),
        events(),
        tables(),
        wide(),
        nest(),
    ];
    json!({ "stories": stories.map(Story::json) })
}

fn verify(file: &Json) {
    for story in list(file, "stories") {
        verify_story(&schemas::schema(text(story, "schema")), story);
    }
}

/// A ship that is nothing special.
pub(crate) fn ship(x: f32, y: f32) -> Ship {
    Ship { x, y, heading: 0.0, odometer: 0, level: 0, hp: 100, name: String::new() }
}

fn numbers() -> Story {
    let mut story = Story::new("numbers", "integers of every width, and raw floats");
    let mut rest = Number::default();
    story.room.put(0, 1, 0, &rest);
    story.room.put(1, 1, 0, &Number { all: smallest() });
    story.room.put(2, 1, 0, &Number { all: largest() });
    story.send(1, "spawns: all zero cells, the smallest, the largest", PLAIN);
    rest.all.flag = true;
    rest.all.lost = -1;
    rest.all.few = 3;
    rest.all.u8 = 7;
    rest.all.i16 = -2;
    rest.all.u64 = 1;
    story.room.put(0, 1, 0, &rest);
    story.send(1, "some small steps", PLAIN);
    story.room.put(0, 1, 0, &Number { all: largest() });
    story.room.put(1, 1, 0, &Number { all: largest() });
    story.room.put(2, 1, 0, &Number { all: smallest() });
    story.send(1, "from one end to the other: differences that escape, and that wrap", PLAIN);
    story.room.put(0, 1, 0, &rest);
    let mut odd = largest();
    (odd.f32, odd.f64) = (-0.0, f64::from_bits(1));
    (odd.above, odd.below, odd.wide) = (500, -150, 0);
    story.room.put(1, 1, 0, &Number { all: odd });
    story.send(2, "raw floats keep a negative zero and a denormal", PLAIN);
    story
}

fn gauges() -> Story {
    let mut story = Story::new("gauges", "floats on grids: lines, rings, angles");
    story.room.put(0, 1, 0, &Gauge::default());
    story.room.put(1, 1, 0, &Gauge { all: grids(-1e9) });
    story.room.put(2, 1, 0, &Gauge { all: grids(1e9) });
    story.room.put(3, 1, 0, &Gauge { all: grids(2.34) });
    story.send(1, "spawns: the origin, the lowest, the highest, between", PLAIN);
    story.room.put(0, 1, 0, &Gauge { all: grids(0.5) });
    story.room.put(1, 1, 0, &Gauge { all: grids(1e9) });
    story.room.put(2, 1, 0, &Gauge { all: grids(-1e9) });
    story.room.put(3, 1, 0, &Gauge { all: grids(2.39) });
    story.send(1, "small steps, and from one end to the other", PLAIN);
    let mut turned = grids(2.39);
    (turned.ring, turned.dial) = (-63.0, -2.0);
    (turned.compass, turned.exact) = (6.2, 6.1);
    story.room.put(3, 1, 0, &Gauge { all: turned });
    story.send(1, "rings take the short way", PLAIN);
    let mut turned = grids(2.39);
    (turned.ring, turned.dial) = (63.0, -2.0);
    (turned.compass, turned.exact) = (0.1, 6.1);
    story.room.put(3, 1, 0, &Gauge { all: turned });
    story.send(1, "by small steps over both ends of a ring", PLAIN);
    story
}

fn elements() -> Story {
    let mut story = Story::new("elements", "texts, references, enums, options, lists, arrays");
    let item = |rank, count, label: &str| Item { rank, count, label: label.to_owned() };
    let mut thing = Thing::default();
    story.room.put(0, 1, 0, &thing);
    story.room.put(1, 1, 0, &Thing { all: things() });
    story.room.put(2, 1, 0, &Thing { all: more_things() });
    story.send(1, "spawns: nothing at all, some of everything, as much as there can be", PLAIN);
    thing.all.cargo = vec![item(Rank::Mate, 1, "ore"), item(Rank::Captain, 2, "gems")];
    thing.all.note = Some("a note".to_owned());
    thing.all.engine = Engine::Cruise { percent: 1, label: String::new() };
    thing.all.target = Id::new(9, 1);
    story.room.put(0, 1, 0, &thing);
    story.send(1, "a list grows, an option gets a value, a variant is taken up", PLAIN);
    thing.all.cargo[1].count = 3;
    thing.all.note = Some("another".to_owned());
    thing.all.engine = Engine::Cruise { percent: 2, label: "a note".to_owned() };
    thing.all.pairs = [[0, 0], [0, 1]];
    story.room.put(0, 1, 0, &thing);
    story.send(1, "one element, one value, one field: only what differs inside", PLAIN);
    thing.all.cargo.insert(0, item(Rank::Admiral, 0, "another"));
    thing.all.note = None;
    thing.all.engine = Engine::Twin([Rank::Captain, Rank::Mate], Spot { x: 3.0, y: -1 });
    thing.all.friend = Some(Id::NONE);
    thing.all.maybe = Some(Some(0));
    story.room.put(0, 1, 0, &thing);
    story.send(1, "a list shifts and grows, an option is emptied, a variant is left", PLAIN);
    thing.all.cargo.truncate(1);
    thing.all.shields = vec![0.5, 0.0, 0.0, 1.0];
    thing.all.slots = [None, Some(1), None];
    thing.all.friend = None;
    thing.all.maybe = Some(None);
    thing.all.target = Id::NONE;
    thing.all.engine = Engine::Warp("gate".to_owned(), Id::NONE, Some(Blob(vec![])));
    story.room.put(0, 1, 0, &thing);
    story.room.put(1, 1, 0, &Thing { all: more_things() });
    story.room.put(2, 1, 0, &Thing::default());
    story.send(1, "lists shrink, everything is filled, everything is emptied", PLAIN);
    thing.all.shields.pop();
    thing.all.spots[1].x = 999.5;
    thing.all.deep.spot.y = i16::MAX;
    thing.all.blob = Blob(vec![1; 15]);
    thing.all.engine = Engine::Off;
    story.room.put(0, 1, 0, &thing);
    let one = Things { name: "Grace".to_owned(), ..Things::default() };
    story.room.put(2, 1, 0, &Thing { all: one });
    story.send(1, "inside of arrays and nested structs", PLAIN);
    story
}

fn masks() -> Story {
    let mut story = Story::new("masks", "records of 64 leaves and of none: groups of a mask");
    let all = Sixteen {
        a: true,
        b: true,
        c: true,
        d: true,
        e: true,
        f: true,
        g: true,
        h: true,
        i: true,
        j: true,
        k: true,
        l: true,
        m: true,
        n: true,
        o: true,
        p: true,
    };
    let ends = Sixteen { a: true, p: true, ..Sixteen::default() };
    story.room.put(0, 1, 0, &Flags::default());
    let full = Flags { a: all.clone(), b: all.clone(), c: all.clone(), d: all.clone() };
    story.room.put(1, 1, 0, &full);
    story.room.put(2, 1, 0, &Flags { a: ends.clone(), d: ends.clone(), ..Flags::default() });
    story.room.put(3, 1, 0, &Flags { a: ends.clone(), d: ends.clone(), ..Flags::default() });
    story.room.put(0, 1, 0, &Mark {});
    story.room.put(7, 1, 0, &Mark {});
    story.send(1, "no leaf, every leaf, some; the same mask as the row before", PLAIN);
    story.room.put(0, 1, 0, &Flags { b: ends.clone(), ..Flags::default() });
    story.room.put(1, 1, 0, &Flags { b: all, ..full.clone() });
    story.room.put(
        2,
        1,
        0,
        &Flags { a: ends.clone(), b: ends.clone(), d: ends, ..Flags::default() },
    );
    story.room.put(3, 1, 0, &full);
    story.room.remove::<Mark>(0);
    story.send(1, "flips; a row that stays the same has no record", PLAIN);
    story
}

fn motion() -> Story {
    let mut story = Story::new("motion", "predicted frames: only what leaves the line is sent");
    let mut a = Ship { heading: 0.5, level: 990, odometer: 65_530, ..ship(10.0, 60.0) };
    let mut b = ship(-5.0, 0.0);
    story.room.put(0, 1, 0, &a);
    story.room.put(1, 1, 0, &b);
    story.room.put(2, 1, 3, &ship(0.0, 0.0));
    story.send(1, "two ships", PLAIN);
    let mut fly = |story: &mut Story, ticks: i16| {
        let far = f32::from(ticks);
        a.x += 1.5 * far;
        a.y += 1.25 * far;
        if a.y >= 64.0 {
            a.y -= 128.0;
        }
        a.heading += 0.25 * far;
        a.level = (a.level + 3 * i32::from(ticks)).min(1000);
        a.odometer = a.odometer.saturating_add(ticks.unsigned_abs());
        story.room.put(0, 1, 0, &a);
    };
    fly(&mut story, 1);
    story.send(1, "the first flies: a plain frame, there is no line yet", PLAIN);
    fly(&mut story, 1);
    story.send(1, "on along the line: an angle's grid makes it waver", PREDICTED);
    fly(&mut story, 3);
    story.send(3, "three ticks at once: apart 1, ahead 3; a ring wraps, an edge stops", PREDICTED);
    fly(&mut story, 1);
    b.x = -5.5;
    story.room.put(1, 1, 0, &b);
    story.send(1, "apart 3, ahead 1; the second starts to move", PREDICTED);
    fly(&mut story, 2);
    b.x = -6.5;
    b.hp = 99;
    story.room.put(1, 1, 0, &b);
    story.send(2, "apart 1, ahead 2; what is not motion changes beside it", PREDICTED);
    fly(&mut story, 1);
    (b.x, b.y) = (2000.0, -32.0);
    story.room.put(1, 1, 0, &b);
    story.room.put(4, 1, 0, &ship(1.0, 1.0));
    story.send(1, "the second is teleported: the code escapes; a third is spawned", PREDICTED);
    fly(&mut story, 1);
    story.send(1, "the second stands again; the third did not move", PREDICTED);
    story.send(1, "the first stops; the rest needs no record", PREDICTED);
    story.send(1, "nothing moves, nothing is sent", PREDICTED);
    let both = Send { scopes: &[0, 3], ..PREDICTED };
    story.room.put(2, 1, 3, &ship(0.0, 8.0));
    story.send(1, "a second scope comes in whole, in a predicted frame", both);
    story.room.put(2, 1, 3, &ship(0.0, 9.0));
    story.send(1, "its rows have no line yet", both);
    story.room.put(2, 1, 3, &ship(0.0, 10.0));
    story.send(1, "now they have", both);
    story.room.put(2, 1, 3, &ship(0.0, 11.0));
    story.send(1, "and stay on it", both);
    story.room.put(2, 1, 3, &ship(0.0, 12.0));
    story.send(
        1,
        "a plain frame in between: motion stands still, the line is sent",
        Send { predict: false, ..both },
    );
    story.room.put(2, 1, 3, &ship(0.0, 13.0));
    story.send(1, "a line through a plain frame", both);
    story.room.put(2, 1, 3, &ship(0.0, 14.0));
    story.resume();
    story.send(
        1,
        "a new connection goes on: no line reaches across",
        Send { predict: false, ..both },
    );
    story
}

fn lives() -> Story {
    let mut story = Story::new("lives", "spawns, despawns, slots that are used again");
    for slot in [0, 1, 2, 5, 130, 4000, 65_535] {
        story.room.put(slot, 1 + slot % 3, 0, &ship(slot as f32 / 64.0, 1.0));
    }
    story.room.put(3, u32::MAX, 0, &Mark {});
    story.send(1, "slots far apart, a large generation", PLAIN);
    story.room.remove::<Ship>(1);
    story.room.remove::<Ship>(4000);
    story.room.remove::<Ship>(65_535);
    story.send(1, "despawns", PLAIN);
    story.room.put(0, 2, 0, &ship(7.0, 7.0));
    story.room.put(1, 9, 0, &Ship { name: "Ada".to_owned(), ..ship(8.0, 8.0) });
    story.send(1, "a slot is used again within one frame, another after a while", PLAIN);
    story.room.put(0, 4, 0, &ship(7.0, 7.0));
    story.send(5, "two generations later: the one between was never seen", PLAIN);
    story.send(1, "everything again, as it was", Send { again: &[0], ..PLAIN });
    story.room.remove::<Ship>(130);
    story.room.put(2, 3, 0, &ship(1.0, -1.0));
    story.room.put(6, 1, 0, &Number { all: smallest() });
    story.send(1, "everything again, not quite as it was", Send { again: &[0], ..PLAIN });
    story.room.remove::<Ship>(2);
    story.send(1, "a full frame after a refresh", Send { full: true, ..PLAIN });
    story.room.remove::<Ship>(0);
    story.send(1, "and on from there", PLAIN);
    story.room.put(5, 8, 0, &ship(8.0, 8.0));
    let full = Send { full: true, ..PLAIN };
    story.send(
        1,
        "a full frame where a slot has another: nobody said that the one before is gone",
        full,
    );
    story
}

fn scopes() -> Story {
    let mut story = Story::new("scopes", "rows move between scopes, clients watch and leave them");
    let two = Send { scopes: &[0, 3], ..PLAIN };
    for slot in 0..6 {
        story.room.put(slot, 1, slot % 2 * 3, &ship(slot as f32, 0.0));
    }
    story.room.put(6, 1, 7, &ship(6.0, 6.0));
    story.send(1, "two scopes; one ship is in a third", two);
    story.room.put(0, 1, 3, &ship(0.0, 0.0));
    story.room.put(1, 1, 0, &ship(1.0, 0.5));
    story.send(1, "one goes from 0 to 3 and is the same, one from 3 to 0 and moves", two);
    story.room.put(2, 1, 7, &ship(2.0, 0.0));
    story.room.put(6, 1, 3, &ship(6.0, 6.0));
    story.send(1, "one departs to where the client does not look, one comes from there", two);
    story.room.put(3, 2, 0, &ship(3.0, 3.0));
    story.room.put(4, 2, 3, &ship(4.0, 4.0));
    story.send(1, "slots are used again in the other scope, in both orders", two);
    story.room.put(4, 2, 0, &Ship { hp: 1, ..ship(4.0, 4.5) });
    story.room.put(0, 1, 0, &ship(0.5, 0.0));
    story.send(1, "back again, in a predicted frame", Send { predict: true, ..two });
    story.room.put(4, 2, 0, &Ship { hp: 1, ..ship(4.0, 5.0) });
    story.room.put(1, 1, 0, &ship(1.5, 0.5));
    story.send(1, "who has just come stands still on the line", Send { predict: true, ..two });
    story.send(1, "scope 3 is left", PLAIN);
    story.room.put(6, 1, 0, &ship(6.5, 6.0));
    let others = [0, 7, (1 << 30) - 1];
    story.send(1, "others are watched, one of them empty", Send { scopes: &others, ..PLAIN });
    story.room.put(2, 1, 0, &ship(2.0, 0.0));
    story.send(1, "a scope is left as its ship comes to another", Send { scopes: &[0], ..PLAIN });
    story.room.put(5, 1, 0, &ship(5.0, 0.0));
    story.send(3, "everything is left but 3", Send { scopes: &[3], ..PLAIN });
    story.send(1, "nothing is watched", Send { scopes: &[], ..PLAIN });
    story.send(1, "and everything again, in full", Send { full: true, ..two });
    story
}

fn texts() -> Story {
    let mut story = Story::new("texts", "texts that repeat within a chunk, and the window of 64");
    let named = |name: String| Ship { name, hp: 0, ..ship(0.0, 0.0) };
    for slot in 0..70 {
        story.room.put(slot, 1, 0, &named(format!("n{slot}")));
    }
    for (slot, number) in [(70, 69), (71, 6), (72, 5), (73, 64), (74, 5)] {
        story.room.put(slot, 1, 0, &named(format!("n{number}")));
    }
    story.send(1, "72 texts: the window moves on, who has left it is written again", PLAIN);
    for slot in [3, 4, 9] {
        story.room.put(slot, 1, 0, &named("Žofie".to_owned()));
    }
    story.room.put(5, 1, 0, &named(String::new()));
    story.room.put(6, 1, 0, &named(String::new()));
    story.room.put(7, 1, 0, &named("x".repeat(24)));
    story.send(1, "the next chunk begins with an empty window; an empty text is one, too", PLAIN);
    story
}

fn events() -> Story {
    let mut story = Story::new("events", "events, and the other parts of a header");
    let said = |text: &str| Event::Said { who: Id::new(0, 1), text: text.to_owned() };
    story.room.put(0, 1, 0, &ship(0.0, 0.0));
    let over = [(0, false, Event::Over)];
    story.send(70_000, "events of the frame's tick", Send { events: &over, ..PLAIN });
    let several = [
        (3, true, said("a while ago")),
        (1, false, Event::Hit { ship: Id::new(0, 1), damage: 7 }),
        (0, true, said("now")),
    ];
    let numbers = Send { processed: Some(41), depth: Some(-2), events: &several, ..PLAIN };
    story.send(5, "old ones that waited, an input was used and the newest was late", numbers);
    let old = [(65_535, true, said("as old as can be"))];
    let wrong = Send { hash: Hash::Wrong, depth: Some(300), events: &old, ..PLAIN };
    story.send(1, "a hash that is not the mirror's", wrong);
    story.send(70_000, "a long way", Send { hash: Hash::None, processed: Some(0), ..PLAIN });
    story
}

fn tables() -> Story {
    let mut story = Story::new("tables", "what one chunk shares between its tables, and what not");
    let named = |name: &str| Ship { name: name.to_owned(), ..ship(0.0, 0.0) };
    let thing = |name: &str| Thing { all: Things { name: name.to_owned(), ..Things::default() } };
    story.room.put(0, 1, 0, &named("Ada"));
    story.room.put(1, 1, 0, &named("Grace"));
    story.room.put(0, 1, 0, &thing("Grace"));
    story.room.put(1, 1, 0, &thing("Ada"));
    story.send(1, "spawns: the second table repeats texts of the first", PLAIN);
    story.room.put(1, 1, 0, &named("Linus"));
    story.room.put(2, 1, 0, &named("Žofie"));
    story.room.put(1, 1, 0, &thing("Žofie"));
    story.room.put(2, 1, 0, &thing("Linus"));
    story.send(1, "a spawn and an update in each: numbers go on over sections and tables", PLAIN);
    story.room.put(0, 1, 0, &named("Linus"));
    story.room.put(0, 1, 0, &thing("Linus"));
    story.send(1, "the next chunk has none of the texts of the one before", PREDICTED);
    story
}

fn wide() -> Story {
    let about = "integers of 128 bits: two halves, or 64 bits where the bounds allow it";
    let mut story = Story::of("wide", wide::schema(), "wide", about);
    let mut vault = Vault::default();
    story.room.put(0, 1, 0, &vault);
    let most = Vault {
        gold: u128::MAX,
        debt: i128::MIN,
        balance: -(2 << 64),
        serial: (1 << 64) + 105,
        height: 1000,
        count: i128::from(u64::MAX),
        rows: vec![0, 1, u128::MAX],
        last: Some(i128::MAX),
        pair: [1 << 64, 1],
        note: Note::Sum(-1),
    };
    story.room.put(1, 1, 0, &most);
    story.send(1, "spawns: at rest, and at the ends", PLAIN);
    vault.gold = u128::from(u64::MAX);
    vault.debt = -1;
    vault.balance = -1;
    vault.height = 5;
    vault.rows = vec![7];
    vault.last = Some(-5);
    vault.note = Note::Sum(1 << 70);
    story.room.put(0, 1, 0, &vault);
    story.send(1, "low halves; below 0 both change", PLAIN);
    vault.gold += 1;
    vault.debt = -(1 << 64) - 1;
    vault.height = 10;
    vault.rows = vec![7 + (1 << 64), 1 << 127];
    vault.last = Some(-6);
    vault.pair[1] = 1 << 64;
    story.room.put(0, 1, 0, &vault);
    story.send(1, "a carry changes both halves, a step of 2^64 the high one", PREDICTED);
    (vault.height, vault.serial) = (15, (1 << 64) + 6);
    story.room.put(0, 1, 0, &vault);
    story.room.put(1, 1, 0, &Vault::default());
    story.send(1, "what fits into 64 bits can be motion", PREDICTED);
    story
}

fn nest() -> Story {
    let about = "numbers inside of what is new: plain from their default, not from what was there";
    let mut story = Story::of("nest", nest::schema(), "nest", about);
    let place = |x, hp| Place { x, hp };
    let mut shelf = Shelf::default();
    story.room.put(0, 1, 0, &shelf);
    story.send(1, "a spawn in which everything is nothing", PLAIN);
    shelf.offset = Some(17);
    shelf.marks = vec![7, -7];
    shelf.places = vec![place(1.5, 100)];
    shelf.hold = Hold::One(50);
    shelf.pair = [Some(40), None];
    story.room.put(0, 1, 0, &shelf);
    story.send(1, "an option gets a value, lists gain elements, a variant is taken up: new", PLAIN);
    shelf.offset = Some(19);
    shelf.marks = vec![8, -7, 0, 9];
    shelf.places = vec![place(1.75, 99), place(-63.75, 0), place(0.0, 30)];
    shelf.hold = Hold::One(49);
    shelf.pair = [Some(41), Some(0)];
    story.room.put(0, 1, 0, &shelf);
    story.send(1, "what was there differs from itself; beside it, elements are new", PLAIN);
    shelf.offset = None;
    shelf.marks.truncate(1);
    shelf.places.truncate(2);
    shelf.hold = Hold::Other(49);
    shelf.pair = [None, Some(1)];
    story.room.put(0, 1, 0, &shelf);
    story.send(
        1,
        "emptied, shortened; another variant is new though its number is the same",
        PLAIN,
    );
    shelf.offset = Some(19);
    shelf.marks = vec![8, -7, 1];
    shelf.places = vec![place(1.75, 99), place(63.75, 1), place(0.25, 30)];
    shelf.hold = Hold::Empty;
    shelf.pair = [Some(41), None];
    story.room.put(0, 1, 0, &shelf);
    story.send(1, "the same values again: new once more, nothing is left of the last time", PLAIN);
    shelf.offset = Some(10);
    shelf.hold = Hold::One(0);
    story.room.put(0, 1, 0, &shelf);
    story.room.put(1, 1, 0, &shelf);
    story.send(1, "down to the default by a difference; a new value that is its default", PLAIN);
    story
}
