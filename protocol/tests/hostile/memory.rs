//! Row 25 for the client: a few bits that stand for much state. What a mirror
//! takes has a limit of its own, which no frame gets around.

use std::sync::Arc;

use tickwire_protocol::bits::BitWriter;
use tickwire_protocol::chunk;
use tickwire_protocol::client::mirror::{Mirror, MirrorError, Typed};
use tickwire_protocol::frame::{Form, Header, Step, write_header};
use tickwire_protocol::limits::MIRROR_BYTES_MAX;
use tickwire_protocol::message::ServerMessage;
use tickwire_protocol::schema::{Field, IntRepr, Kind, Schema, TableSchema};
use tickwire_protocol::table::Scope;
use tickwire_protocol::time::Tick;
use tickwire_protocol::{Id, World};

use crate::targets::world::{Ship, Space};

const TOO_MUCH: Result<(), MirrorError> = Err(MirrorError::Chunk(chunk::Error::TooMuchState));

/// A list of texts, as many and as long as there can be.
const TEXTS: u64 = 1023;
const TEXT_BYTES: usize = 4096;

/// A mirror of a schema with one table, of one field.
fn mirror(kind: Kind) -> Mirror {
    let fields = vec![Field { name: "f".to_owned(), kind }];
    let only = TableSchema { name: "t".to_owned(), entity: "T".to_owned(), fields };
    let nothing = Kind::default;
    let schema = Schema::new(vec![only], nothing(), nothing(), nothing(), nothing());
    Mirror::new(Arc::new(schema.expect("within the limits")))
}

fn texts() -> Kind {
    let text = Kind::Text { max: TEXT_BYTES as u32 };
    Kind::List { of: Box::new(text), max: TEXTS as u32 }
}

/// Applies a frame of one chunk; gives what came of it, and the peak of what was
/// allocated meanwhile.
fn apply(
    mirror: &mut Mirror,
    step: Step,
    form: Form,
    chunk: &[u8],
) -> (Result<(), MirrorError>, usize) {
    let header = Header { step, predicted: false, processed: None, depth: None, hash: None };
    let mut raw = Vec::new();
    write_header(&header, core::iter::once((Scope(0), form, chunk.len())), 0, &mut raw);
    raw.extend_from_slice(chunk);
    let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(&raw) else { panic!("a frame") };
    let mut applied = Ok(());
    let info = allocation_counter::measure(|| applied = mirror.apply(&frame).map(drop));
    (applied, info.bytes_max as usize)
}

const FULL: Step = Step::Full(Tick(1));
const NEXT: Step = Step::Advance(1);

/// A chunk of `count` spawns of four bits each: every cell is zero.
fn spawns(count: u64) -> Vec<u8> {
    let mut w = table(2, count);
    for _ in 0..count {
        // The next slot, generation 1, the mask of the row before.
        w.golomb(0, 0, 32);
        w.golomb(0, 1, 32);
        w.flag(true);
    }
    w.put(0, 2);
    finish(&w)
}

/// A chunk that gives each of `count` rows a full list of the same text.
fn updates(count: u64, text: &[u8]) -> Vec<u8> {
    let mut w = table(3, count);
    for row in 0..count {
        w.golomb(0, 0, 32);
        w.flag(row > 0);
        if row == 0 {
            w.put(1, 1);
        }
        w.golomb(TEXTS, 2, 32);
        for index in 0..TEXTS {
            w.flag(true);
            if (row, index) == (0, 0) {
                w.flag(false);
                w.golomb(text.len() as u64, 4, 32);
                w.slice(text);
            } else {
                // A repeat of text 0.
                w.put(1, 7);
            }
        }
    }
    w.flag(false);
    finish(&w)
}

/// Starts table 0: `empty` sections, then one of `count` records.
fn table(empty: u32, count: u64) -> BitWriter {
    let mut w = BitWriter::default();
    w.flag(true);
    w.golomb(0, 0, 32);
    w.put(0, empty);
    w.flag(true);
    w.golomb(count - 1, 3, 32);
    w
}

fn finish(w: &BitWriter) -> Vec<u8> {
    let mut out = Vec::new();
    w.finish(&mut out);
    out
}

#[test]
fn rows_that_cost_four_bits_end_at_the_limit() {
    let bytes = Kind::Int { repr: IntRepr::U8, min: 0, max: 255, motion: false };
    let mut mirror = mirror(Kind::Array { of: Box::new(bytes), len: 1024 });
    let chunk = spawns(10_000);
    assert_eq!(chunk.len(), 5_004);
    let (applied, peak) = apply(&mut mirror, FULL, Form::Whole, &chunk);
    assert_eq!(applied, TOO_MUCH);
    // The vector of cells holds its old and its new memory as it grows.
    assert!(peak <= MIRROR_BYTES_MAX * 2, "{peak}");
}

#[test]
fn texts_that_repeat_in_new_rows_end_at_the_limit() {
    let text = "x".repeat(TEXT_BYTES);
    let mut mirror = mirror(texts());
    let (applied, _) = apply(&mut mirror, FULL, Form::Whole, &spawns(17));
    assert_eq!(applied, Ok(()));
    // 16 rows of 4 MB each, in 16 KB: one more is one too many.
    let (applied, peak) = apply(&mut mirror, NEXT, Form::Change, &updates(17, text.as_bytes()));
    assert_eq!(applied, TOO_MUCH);
    assert!(peak <= MIRROR_BYTES_MAX + MIRROR_BYTES_MAX / 8, "{peak}");
}

#[test]
fn long_texts_leave_no_memory_behind_short_ones() {
    let text = "x".repeat(TEXT_BYTES);
    let mut mirror = mirror(texts());
    let before = allocation_counter::measure(|| {
        for chunk in [spawns(10), updates(10, text.as_bytes()), updates(10, b"y")] {
            let first = mirror.tick().is_none();
            let (step, form) = if first { (FULL, Form::Whole) } else { (NEXT, Form::Change) };
            assert_eq!(apply(&mut mirror, step, form, &chunk).0, Ok(()));
        }
    });
    let held = before.bytes_current;
    assert_eq!(mirror.heap().bytes(), 10 * TEXTS as usize);
    assert!(held < 2_000_000, "{held} bytes for {} of text", mirror.heap().bytes());
}

#[test]
fn a_row_in_the_highest_slot_costs_a_typed_world_one_page() {
    let none = Kind::default;
    let schema = Schema::new(Space::schema(), none(), none(), none(), none()).expect("in limits");
    let mut mirror = Mirror::new(Arc::new(schema));
    let mut typed: Typed<Space> = Typed::new(mirror.schema(), mirror.schema()).expect("the same");
    let mut w = table(2, 1);
    w.golomb(65_535, 0, 32);
    w.golomb(0, 1, 32);
    w.flag(true);
    w.put(0, 2);
    let chunk = finish(&w);
    let (applied, peak) = apply(&mut mirror, FULL, Form::Whole, &chunk);
    assert_eq!(applied, Ok(()));
    assert!(peak <= 8192, "{peak} bytes for the mirror: its index");
    let info = allocation_counter::measure(|| typed.follow(&mirror));
    let page = 64 * (size_of::<Ship>() + 16);
    let index = 1024 * size_of::<usize>();
    assert!(info.bytes_max as usize <= index + page + 4096, "{} bytes", info.bytes_max);
    assert!(typed.world().ships.get(Id::new(65_535, 1)).is_some());
    assert_eq!(typed.world().ships.iter().count(), 1);
}
