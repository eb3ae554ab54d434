//! Frames that a mirror refuses, most of them for what is in a chunk.

use serde_json::{Value as Json, json};
use tickwire_protocol::Tick;
use tickwire_protocol::bits::BitWriter;
use tickwire_protocol::frame::{Form, Header, Step};
use tickwire_protocol::table::Scope;

use super::json::{bytes, hex, list};
use super::messages::frame;
use super::stories::ship;
use super::story::{PLAIN, Send, Story};
use super::values::{grids, smallest, things};
use super::world::{Gauge, Mark, Number, Thing};

pub(crate) fn all() -> Vec<Json> {
    let mut all = chunks();
    all.extend(frames());
    all.push(too_much());
    all
}

/// A few rows in scopes 0 and 3, in two plain frames. Then everything is
/// possible: there are two ticks to draw a line through.
pub(crate) fn opening() -> Vec<Vec<u8>> {
    let mut story = Story::new("", "");
    let both = Send { scopes: &[0, 3], ..PLAIN };
    story.room.put(0, 1, 0, &ship(0.0, 0.0));
    story.room.put(1, 2, 0, &ship(2048.0, 63.0));
    story.room.put(2, 1, 3, &ship(1.0, 1.0));
    story.room.put(0, 1, 0, &Number { all: smallest() });
    story.room.put(0, 1, 0, &Gauge { all: grids(2.34) });
    story.room.put(0, 1, 0, &Thing { all: things() });
    story.room.put(0, 1, 0, &Mark {});
    story.send(10, "", both);
    story.room.put(0, 1, 0, &ship(0.5, 0.0));
    story.send(1, "", both);
    let steps = story.json();
    list(&steps, "steps").iter().map(|step| bytes(step, "bytes")).collect()
}

/// A chunk, bit by bit.
#[derive(Default)]
struct Bits(BitWriter);

impl Bits {
    fn put(mut self, value: u64, bits: u32) -> Bits {
        self.0.put(value, bits);
        self
    }

    fn golomb(mut self, value: u64, order: u32) -> Bits {
        assert!(self.0.golomb(value, order, 32), "in the range of numbers");
        self
    }

    /// A table, this many after the one before.
    fn table(self, gap: u64) -> Bits {
        self.put(1, 1).golomb(gap, 0)
    }

    /// Sections without records.
    fn empty(self, sections: u32) -> Bits {
        self.put(0, sections)
    }

    /// A section of this many records.
    fn section(self, count: u64) -> Bits {
        self.put(1, 1).golomb(count - 1, 3)
    }

    /// A row in the slot this many after the one before, for the first records of a section.
    fn slot(self, gap: u64) -> Bits {
        self.golomb(gap, 0)
    }

    /// A mask of up to eight leaves.
    fn mask(self, leaves: &[u32], of: u32) -> Bits {
        self.put(0, 1).put(leaves.iter().map(|leaf| 1 << leaf).sum(), of)
    }

    /// A mask of one leaf of more than eight.
    fn one_of(self, leaf: u32, of: u32) -> Bits {
        let part = (of - leaf / 8 * 8).min(8);
        self.put(0, 1).put(1 << (leaf / 8), of.div_ceil(8)).put(1 << (leaf % 8), part)
    }

    /// Starts an update of one leaf of row 0 of a table with more than eight.
    fn update(self, table: u64, leaf: u32, of: u32) -> Bits {
        self.table(table).empty(3).section(1).slot(0).one_of(leaf, of)
    }

    /// Starts a text.
    fn text(self, bytes: &[u8]) -> Bits {
        let start = self.put(0, 1).golomb(bytes.len() as u64, 4);
        bytes.iter().fold(start, |bits, &byte| bits.put(byte.into(), 8))
    }

    /// Ends the table and the chunk.
    fn end(self) -> Vec<u8> {
        self.put(0, 1).cut()
    }

    /// Ends in the middle of whatever it is.
    fn cut(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.0.finish(&mut out);
        out
    }
}

/// Leaves of the tables, and where some are: see the schema.
const SHIP: u32 = 7;
const NUMBER: u32 = 18;
const GAUGE: u32 = 11;
const THING: u32 = 20;

fn chunks() -> Vec<Json> {
    let b = Bits::default;
    let ships = || b().table(0);
    let long = [b'x'; 60];
    let bad: Vec<(&str, &str, Vec<u8>)> = vec![
        ("it ends before its table", "Truncated", vec![0b0000_0001]),
        ("a number of zeros up to the end", "Truncated", vec![1, 0, 0]),
        ("a record is missing", "Truncated", ships().empty(3).section(9).slot(0).cut()),
        ("a text is longer than the chunk", "Truncated", {
            ships().empty(3).section(1).slot(0).mask(&[6], SHIP).put(0, 1).golomb(24, 4).end()
        }),
        ("a whole byte of padding", "Trailing", vec![0, 0]),
        ("padding that is not zero", "Trailing", vec![0b1000_0000]),
        ("a table too many", "NoSuchTable", b().table(6).empty(4).end()),
        ("a table after the last", "NoSuchTable", b().table(5).empty(4).table(0).empty(4).end()),
        ("a table after 2^32", "NoSuchTable", b().table((1 << 32) - 2).empty(4).end()),
        ("65,537 records", "TooLarge", ships().section(65_537).cut()),
        ("a number without an end", "TooLarge", ships().section(1).put(0, 64).put(0, 64).cut()),
        ("a slot of 65,536", "TooLarge", ships().section(1).slot(65_536).empty(3).end()),
        ("slots that add up to 65,536", "TooLarge", {
            ships().empty(2).section(2).slot(65_535).golomb(0, 1).mask(&[], SHIP).put(0, 64).cut()
        }),
        ("a generation of 2^32", "TooLarge", {
            ships().empty(2).section(1).slot(9).golomb((1 << 32) - 1, 1).mask(&[], SHIP).end()
        }),
        ("a reference to generation 2^32", "TooLarge", {
            b().update(3, 18, THING).put(1, 1).put(5, 16).golomb((1 << 32) - 1, 1).end()
        }),
        ("a despawn of nobody", "NoSuchRow", ships().section(1).slot(9).empty(3).end()),
        ("a despawn in the other scope", "NoSuchRow", ships().section(1).slot(2).empty(3).end()),
        ("a departure of nobody", "NoSuchRow", ships().empty(1).section(1).slot(9).empty(2).end()),
        ("a departure after the despawn", "NoSuchRow", {
            ships().section(1).slot(0).section(1).slot(0).empty(2).end()
        }),
        ("an update of nobody", "NoSuchRow", ships().empty(3).section(1).slot(9).put(1, 1).end()),
        ("an update in the other scope", "NoSuchRow", {
            ships().empty(3).section(1).slot(2).put(1, 1).end()
        }),
        ("an update after the despawn", "NoSuchRow", {
            ships().section(1).slot(0).empty(2).section(1).slot(0).put(1, 1).end()
        }),
        ("an update of what has just come", "NoSuchRow", {
            let spawn = ships().empty(2).section(1).slot(9).golomb(0, 1).put(1, 1);
            spawn.section(1).slot(9).put(1, 1).end()
        }),
        ("a spawn of what is there", "RowTaken", {
            ships().empty(2).section(1).slot(0).golomb(0, 1).put(1, 1).empty(1).end()
        }),
        ("a spawn in place of another", "RowTaken", {
            ships().empty(2).section(1).slot(0).golomb(4, 1).put(1, 1).empty(1).end()
        }),
        ("three bits that are 6 of 5", "OutOfRange", b().update(1, 9, NUMBER).put(6, 3).end()),
        ("a new cell after the last", "OutOfRange", {
            let spawn = ships().empty(2).section(1).slot(9).golomb(0, 1).mask(&[0], SHIP);
            spawn.put(65_537, 17).empty(1).end()
        }),
        ("a step beyond the edge", "OutOfRange", {
            ships().empty(3).section(1).slot(1).mask(&[0], SHIP).golomb(1, 3).end()
        }),
        ("an escape to a cell after the last", "OutOfRange", {
            // Width 17 and order 3: eight zeros escape.
            ships().empty(3).section(1).slot(0).mask(&[0], SHIP).put(0, 8).put(65_537, 17).end()
        }),
        ("four bits that are 9 of 8", "OutOfRange", b().update(2, 4, GAUGE).put(9, 4).end()),
        ("a variant too many", "BadTag", b().update(3, 0, THING).put(3, 2).end()),
        ("a text over its maximum", "BadLength", {
            ships().empty(3).section(1).slot(0).mask(&[6], SHIP).text(&long[..25]).end()
        }),
        ("bytes over their maximum", "BadLength", b().update(3, 11, THING).text(&long[..17]).end()),
        ("a text of 2^32 bytes", "BadLength", {
            b().update(3, 10, THING).put(0, 1).golomb(1 << 32, 4).end()
        }),
        ("a list over its maximum", "BadLength", {
            b().update(3, 12, THING).golomb(5, 2).put(0, 64).cut()
        }),
        ("a list of 2^32 and one", "BadLength", {
            b().update(3, 12, THING).golomb((1 << 32) + 1, 2).put(0, 64).cut()
        }),
        ("a repeat of nothing", "BadLength", b().update(3, 10, THING).put(1, 1).put(0, 6).end()),
        ("a repeat of a text too long for here", "BadLength", {
            let section = b().table(3).empty(3).section(1).slot(0).put(0, 1).put(0b11, 3);
            // The note, up to 64 bytes, and then the name, up to 16.
            let masks = section.put(1 << 3, 8).put(1 << 2, 8);
            masks.put(1, 1).put(1, 1).text(&long).put(1, 1).put(0, 6).end()
        }),
        ("a text that is not UTF-8", "NotUtf8", b().update(3, 10, THING).text(&[0xC3, 0x28]).end()),
        ("a repeat of bytes that are not UTF-8", "NotUtf8", {
            let section = b().table(3).empty(3).section(1).slot(0).put(0, 1).put(0b10, 3);
            // The bytes, then the first note of the list behind them.
            let bytes = section.put(1 << 3 | 1 << 6, 8).text(&[0xFF]);
            bytes.golomb(1, 2).put(1, 1).put(1, 1).put(0, 6).end()
        }),
        ("not a number", "NotFinite", b().update(1, 16, NUMBER).put(0x7FC0_0000, 32).end()),
        ("infinity", "NotFinite", b().update(1, 17, NUMBER).put(0x7FF0 << 48, 64).end()),
        ("minus infinity", "NotFinite", b().update(1, 16, NUMBER).put(0xFF80_0000, 32).end()),
    ];
    let each = bad.into_iter().map(|(name, error, chunk)| {
        let last = frame(&ADVANCE, &[(Scope(0), Form::Change, &chunk)], &[]);
        after_opening(name, &[], last, &format!("chunk.{error}"))
    });
    each.collect()
}

const ADVANCE: Header =
    Header { step: Step::Advance(1), predicted: false, processed: None, depth: None, hash: None };
const PREDICTED: Header = Header { predicted: true, ..ADVANCE };

/// Some frames that are good, and one that is not; after the opening or not.
fn vector(name: &str, opened: bool, good: &[Vec<u8>], last: &[u8], error: &str) -> Json {
    let good = good.iter().map(|raw| json!({ "bytes": hex(raw), "error": null }));
    let last = json!({ "bytes": hex(last), "error": error });
    let frames: Vec<Json> = good.chain([last]).collect();
    json!({ "decoder": "mirror", "name": name, "opened": opened, "frames": frames })
}

fn after_opening(name: &str, more: &[Vec<u8>], last: Vec<u8>, error: &str) -> Json {
    vector(name, true, more, &last, error)
}

/// What is wrong with frames outside of their chunks.
fn frames() -> Vec<Json> {
    let empty = |scope| (Scope(scope), Form::Whole, &[0][..]);
    let advance = |ticks, predicted| {
        frame(&Header { step: Step::Advance(ticks), predicted, ..ADVANCE }, &[], &[])
    };
    let full = |tick| frame(&Header { step: Step::Full(Tick(tick)), ..ADVANCE }, &[empty(0)], &[]);
    let change = |scope| frame(&ADVANCE, &[(Scope(scope), Form::Change, &[0])], &[]);
    let leave = |scope| frame(&ADVANCE, &[(Scope(scope), Form::Leave, &[])], &[]);
    let no_motion = "mirror.NoMotion";
    let last = [full(u32::MAX)];
    let far = [advance(256, false)];
    let many: Vec<_> = (4..258).map(empty).collect();
    let many = [frame(&ADVANCE, &many, &[])];
    let bad_scope = "mirror.BadScope";
    let mut broken = after_opening("a frame after a bad one", &[], change(1), bad_scope);
    let good = json!({ "bytes": hex(&advance(1, false)), "error": "mirror.Broken" });
    broken["frames"].as_array_mut().expect("a list").push(good);
    let mut across = after_opening("a line across connections", &[], advance(1, true), no_motion);
    across["frames"][0]["resume"] = json!(true);
    vec![
        vector("a change of nothing", false, &[], &advance(1, false), "mirror.NoBaseline"),
        vector("a line of one point", false, &[full(7)], &advance(1, true), no_motion),
        after_opening("a line over a full frame", &[full(99)], advance(1, true), no_motion),
        after_opening("256 ticks ahead", &[], advance(256, true), no_motion),
        after_opening("256 ticks apart", &far, advance(1, true), no_motion),
        after_opening("a change of a scope that is not watched", &[], change(1), bad_scope),
        after_opening("a leave of a scope that is not watched", &[], leave(4), bad_scope),
        after_opening("a scope is left twice", &[leave(3)], leave(3), bad_scope),
        after_opening("257 scopes", &many, frame(&PREDICTED, &[empty(999)], &[]), bad_scope),
        after_opening("the tick before 0", &[], advance(u32::MAX, false), "mirror.BadTick"),
        vector("after the last tick", false, &last, &advance(1, false), "mirror.BadTick"),
        broken,
        across,
    ]
}

/// Four bits a row of 1024 cells: a client gives up before its memory does.
fn too_much() -> Json {
    let first = Bits::default().table(0).empty(2).section(10_000).slot(0);
    let rows = (1..10_000)
        .fold(first.golomb(0, 1).put(1, 1), |bits, _| bits.slot(0).golomb(0, 1).put(1, 1));
    let chunk = rows.empty(1).end();
    let header = Header { step: Step::Full(Tick(1)), ..ADVANCE };
    let last = frame(&header, &[(Scope(0), Form::Whole, &chunk)], &[]);
    let mut vector = vector("80 MB of state in 5 KB", false, &[], &last, "chunk.TooMuchState");
    vector["schema"] = json!("heavy");
    vector
}
