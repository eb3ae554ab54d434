//! Size and speed of chunks, on the arena's ship.
//!
//! `cargo bench --bench codec` prints three tables: bytes per moving ship with
//! plain and with predicted chunks; the full rows of other formats beside ours;
//! time per changed entity, also as a ratio to a plain `memcpy`-and-varint
//! encoder that is measured in the same run, with allocations.

#[path = "codec/motion.rs"]
mod motion;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use motion::{Recording, ships, walkers};
use serde::Serialize;
use tickwire::world::{Baseline, Ledger};
use tickwire_protocol::client::mirror::{Mirror, Typed};
use tickwire_protocol::codec::Reader;
use tickwire_protocol::frame::{Form, Frame, Header, Step, write_header};
use tickwire_protocol::schema::{Kind, Schema};
use tickwire_protocol::{Entity, Id, Message, Scope, Table, Tick, World};

#[derive(Entity, Clone, Serialize, bitcode::Encode)]
struct Ship {
    #[net(min = -2048.0, max = 2048.0, step = 0.0625, ring, motion)]
    x: f32,
    #[net(min = -2048.0, max = 2048.0, step = 0.0625, ring, motion)]
    y: f32,
    #[net(angle, bits = 8, motion)]
    heading: f32,
    hp: u8,
    name: String,
}

#[derive(World)]
struct Space {
    ships: Table<Ship>,
}

/// The same row as a message: bincode.
#[derive(Message)]
struct Row {
    x: f32,
    y: f32,
    heading: f32,
    hp: u8,
    name: String,
}

fn schema() -> Arc<Schema> {
    let none = Kind::default;
    let schema = Schema::new(Space::schema(), none(), none(), none(), none());
    Arc::new(schema.expect("within the limits"))
}

/// A room that plays a recording.
struct Room {
    space: Space,
    ids: Vec<Id<Ship>>,
    ledger: Ledger,
    tick: u32,
}

impl Room {
    fn new(recording: &Recording) -> Room {
        let mut space = Space::default();
        let ids = recording[0]
            .iter()
            .enumerate()
            .map(|(i, pose)| {
                let name = format!("pilot {i}");
                let (x, y, heading) = (pose.x, pose.y, pose.heading);
                space.ships.spawn(Ship { x, y, heading, hp: 100, name })
            })
            .collect();
        let mut ledger = Ledger::new(&schema(), 64);
        ledger.record(&mut space, Tick(0));
        Room { space, ids, ledger, tick: 0 }
    }

    fn step(&mut self, recording: &Recording) {
        self.play(recording);
        self.record();
    }

    /// What a game does in a step.
    fn play(&mut self, recording: &Recording) {
        self.tick += 1;
        for (&id, pose) in self.ids.iter().zip(&recording[self.tick as usize]) {
            let ship = self.space.ships.get_mut(id).expect("nobody leaves");
            (ship.x, ship.y, ship.heading) = (pose.x, pose.y, pose.heading);
        }
    }

    /// What is done with it once, however many clients there are.
    fn record(&mut self) {
        self.ledger.record(&mut self.space, Tick(self.tick));
    }

    /// What a client has that gets every `every`th tick.
    fn baseline(&self, every: u32, predict: bool) -> Baseline {
        let Some(since) = self.tick.checked_sub(every) else { return Baseline::Nothing };
        match since.checked_sub(every) {
            Some(before) if predict => Baseline::Predicted(Tick(since), Some(Tick(before))),
            _ => Baseline::Plain(Tick(since)),
        }
    }

    /// Makes a frame of a chunk from a baseline.
    fn wrap(&self, baseline: Baseline, chunk: &[u8], bytes: &mut Vec<u8>) {
        let (step, form) = match baseline {
            Baseline::Nothing => (Step::Full(Tick(self.tick)), Form::Whole),
            Baseline::Plain(since) | Baseline::Predicted(since, _) => {
                (Step::Advance(self.tick - since.0), Form::Change)
            }
        };
        let predicted = matches!(baseline, Baseline::Predicted(..));
        let header = Header { step, predicted, processed: None, depth: None, hash: None };
        write_header(&header, [(Scope::ROOM, form, chunk.len())].into_iter(), 0, bytes);
        bytes.extend_from_slice(chunk);
    }
}

/// Mean bytes per moving entity of a frame, over a recording.
fn bytes_per_entity(recording: &Recording, every: u32, predict: bool) -> (f64, f64) {
    let mut room = Room::new(recording);
    let (mut bytes, mut moved, mut frames) = (0, 0, 0_u32);
    let mut chunk = Vec::new();
    while (room.tick as usize) < recording.len() - 1 {
        room.step(recording);
        if !room.tick.is_multiple_of(every) || room.tick < 2 * every {
            continue;
        }
        chunk.clear();
        let baseline = room.baseline(every, predict);
        room.ledger.chunk(Scope::ROOM, baseline, &mut chunk);
        bytes += chunk.len();
        let (now, then) =
            (&recording[room.tick as usize], &recording[(room.tick - every) as usize]);
        let quanta = |v: f32| (v * 16.0).round();
        moved += now
            .iter()
            .zip(then)
            .filter(|(a, b)| quanta(a.x) != quanta(b.x) || quanta(a.y) != quanta(b.y))
            .count();
        frames += 1;
    }
    (bytes as f64 / moved as f64, bytes as f64 / f64::from(frames))
}

fn sizes() {
    println!("bytes per moving entity (chunks of 50, heading 8 bits, x and y at 1/16 unit)\n");
    println!("| recording | send | plain | predicted | saved | chunk, predicted |");
    println!("|---|---|---|---|---|---|");
    let recordings: [(&str, &dyn Fn(f32) -> Recording); 2] =
        [("ships", &|hz| ships(50, 1200, hz, 1)), ("walkers", &|hz| walkers(50, 1200, hz, 1))];
    for (name, record) in recordings {
        for (hz, every) in [(60.0, 1), (60.0, 3), (30.0, 1), (20.0, 1)] {
            let recording = record(hz);
            let (plain, _) = bytes_per_entity(&recording, every, false);
            let (predicted, chunk) = bytes_per_entity(&recording, every, true);
            println!(
                "| {name} at {hz} Hz | every {every} | {plain:.2} | {predicted:.2} | {:.0} % | {chunk:.0} |",
                100.0 * (1.0 - predicted / plain),
            );
        }
    }
}

fn formats() {
    let recording = ships(50, 2, 60.0, 1);
    let room = &mut Room::new(&recording);
    let rows: Vec<Ship> = room.space.ships.iter().map(|(_, ship)| ship.clone()).collect();
    let mut whole = Vec::new();
    room.ledger.chunk(Scope::ROOM, Baseline::Nothing, &mut whole);
    let mut bincode = Vec::new();
    for ship in &rows {
        let Ship { x, y, heading, hp, name } = ship.clone();
        Row { x, y, heading, hp, name }.encode(&mut bincode);
    }
    let postcard = postcard::to_allocvec(&rows).expect("serialises");
    let bitcode = bitcode::encode(&rows);
    println!("\nthe full rows of 50 ships, names included\n");
    println!("| format | bytes | per ship |\n|---|---|---|");
    let all = [
        ("Tickwire chunk", whole.len()),
        ("bincode 2 standard", bincode.len()),
        ("postcard", postcard.len()),
        ("bitcode", bitcode.len()),
    ];
    for (name, bytes) in all {
        println!("| {name} | {bytes} | {:.1} |", bytes as f64 / 50.0);
    }
}

/// What a plain encoder does: for each row a slot, a mask, and the differences
/// as zigzag LEB128; then the row is copied to be the next base.
mod varint {
    #[derive(Clone, Copy, Default)]
    pub(super) struct Row {
        pub(super) cells: [i64; 5],
    }

    pub(super) fn encode(base: &mut [Row], rows: &[Row], out: &mut Vec<u8>) {
        for (slot, (base, row)) in base.iter_mut().zip(rows).enumerate() {
            let at = out.len();
            out.extend_from_slice(&[slot as u8, 0]);
            let mut mask = 0;
            for (i, (a, b)) in base.cells.iter().zip(&row.cells).enumerate() {
                if a != b {
                    mask |= 1 << i;
                    let d = b - a;
                    leb(((d << 1) ^ (d >> 63)) as u64, out);
                }
            }
            out[at + 1] = mask;
            *base = *row;
        }
    }

    fn leb(mut v: u64, out: &mut Vec<u8>) {
        while v >= 0x80 {
            out.push(v as u8 | 0x80);
            v >>= 7;
        }
        out.push(v as u8);
    }

    pub(super) fn decode(rows: &mut [Row], mut bytes: &[u8]) -> Option<()> {
        while let [slot, mask, rest @ ..] = bytes {
            bytes = rest;
            let row = rows.get_mut(usize::from(*slot))?;
            for i in 0..5 {
                if mask >> i & 1 != 0 {
                    let (mut v, mut shift) = (0u64, 0);
                    loop {
                        let (&byte, rest) = bytes.split_first()?;
                        bytes = rest;
                        v |= u64::from(byte & 0x7F) << shift;
                        shift += 7;
                        if byte < 0x80 {
                            break;
                        }
                    }
                    row.cells[i] += (v >> 1) as i64 ^ -((v & 1) as i64);
                }
            }
        }
        Some(())
    }
}

/// The median of some rounds.
fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// What is measured of nothing, in seconds: the clock takes that to be read. It is half
/// a nanosecond of each entity's time, and no part of any codec.
fn clock() -> f64 {
    median((0..999).map(|_| Instant::now().elapsed().as_secs_f64()).collect())
}

/// Everything that is timed, for one kind of chunk.
#[derive(Default)]
struct Rounds {
    record: Vec<f64>,
    encode: Vec<f64>,
    decode: Vec<f64>,
    typed: Vec<f64>,
    varint_encode: Vec<f64>,
    varint_decode: Vec<f64>,
}

/// One recording, encoded and applied tick by tick: each side of each tick is
/// timed, the two codecs in turn.
fn round(recording: &Recording, predict: bool, rounds: &mut Rounds) {
    let count = recording[0].len();
    let mut room = Room::new(recording);
    let schema = schema();
    let mut mirror = Mirror::new(schema.clone());
    let mut typed: Typed<Space> = Typed::new(&schema, &schema).expect("the same schema");
    let (mut base, mut copy) =
        (vec![varint::Row::default(); count], vec![varint::Row::default(); count]);
    let mut rows = vec![varint::Row::default(); count];
    let (mut chunk, mut bytes, mut plain) =
        (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    let mut spent = [0.0; 6];
    let warm = 100;
    let ticks = recording.len() - 1;
    for tick in 0..=ticks {
        if tick > 0 {
            room.play(recording);
        }
        let start = Instant::now();
        if tick > 0 {
            room.record();
        }
        let recorded = start.elapsed().as_secs_f64();
        for (row, pose) in rows.iter_mut().zip(&recording[tick]) {
            row.cells = [
                (pose.x * 16.0).round() as i64,
                (pose.y * 16.0).round() as i64,
                (pose.heading * 40.743_665).round() as i64,
                100,
                0,
            ];
        }
        let baseline = room.baseline(1, predict);
        chunk.clear();
        bytes.clear();
        plain.clear();

        let start = Instant::now();
        room.ledger.chunk(Scope::ROOM, black_box(baseline), &mut chunk);
        let encoded = start.elapsed().as_secs_f64();

        let start = Instant::now();
        varint::encode(&mut base, black_box(&rows), &mut plain);
        let varint_encoded = start.elapsed().as_secs_f64();

        room.wrap(baseline, &chunk, &mut bytes);

        let start = Instant::now();
        let mut r = Reader::new(black_box(&bytes));
        let _tag = r.u8();
        let frame = Frame::read(r).expect("a frame");
        mirror.apply(&frame).expect("applies");
        let applied = start.elapsed().as_secs_f64();
        let start = Instant::now();
        typed.follow(&mirror);
        let followed = start.elapsed().as_secs_f64();

        let start = Instant::now();
        varint::decode(&mut copy, black_box(&plain)).expect("decodes");
        let varint_decoded = start.elapsed().as_secs_f64();

        if tick > warm {
            let all = [encoded, applied, followed, varint_encoded, varint_decoded, recorded];
            spent.iter_mut().zip(all).for_each(|(sum, time)| *sum += time);
        }
    }
    let clock = clock();
    let each = |spent: f64, readings: f64| {
        (spent / (ticks - warm) as f64 - clock * readings) * 1e9 / count as f64
    };
    rounds.encode.push(each(spent[0], 1.0));
    rounds.decode.push(each(spent[1], 1.0));
    rounds.typed.push(each(spent[1] + spent[2], 2.0));
    rounds.varint_encode.push(each(spent[3], 1.0));
    rounds.varint_decode.push(each(spent[4], 1.0));
    rounds.record.push(each(spent[5], 1.0));
}

/// Allocations of all records, of all encodes, and of all decodes, of a recording in
/// steady state.
fn allocations(recording: &Recording, predict: bool) -> [u64; 3] {
    let mut room = Room::new(recording);
    let schema = schema();
    let mut mirror = Mirror::new(schema.clone());
    let mut typed: Typed<Space> = Typed::new(&schema, &schema).expect("the same schema");
    let (mut chunk, mut bytes) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    let mut all = [0; 3];
    for tick in 0..recording.len() {
        let record = allocation_counter::measure(|| {
            if tick > 0 {
                room.step(recording);
            }
        });
        chunk.clear();
        bytes.clear();
        let frame = allocation_counter::measure(|| {
            let baseline = room.baseline(1, predict);
            room.ledger.chunk(Scope::ROOM, baseline, &mut chunk);
            room.wrap(baseline, &chunk, &mut bytes);
        });
        let apply = allocation_counter::measure(|| {
            let mut r = Reader::new(&bytes);
            let _tag = r.u8();
            mirror.apply(&Frame::read(r).expect("a frame")).expect("applies");
            typed.follow(&mirror);
        });
        if tick > 100 {
            let counts = [record, frame, apply].map(|what| what.count_total);
            all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
    all
}

fn speeds(rounds_max: usize) {
    let (mut plain, mut predicted) = (Rounds::default(), Rounds::default());
    let recording = ships(50, 1500, 60.0, 1);
    for _ in 0..rounds_max {
        round(&recording, false, &mut plain);
        round(&recording, true, &mut predicted);
    }
    println!(
        "\ntime per entity, 50 ships that all move (median of {rounds_max} rounds), less the {:.0} ns \
         for a reading of the clock\n",
        clock() * 1e9
    );
    println!(
        "| what | plain | predicted | memcpy + varint | ratio plain | ratio predicted | allocations |"
    );
    println!("|---|---|---|---|---|---|---|");
    let line = |what: &str, a: f64, b: f64, v: f64, allocations: u64| {
        println!(
            "| {what} | {a:.1} ns | {b:.1} ns | {v:.1} ns | {:.2} | {:.2} | {allocations} |",
            a / v,
            b / v
        );
    };
    let (counts_plain, counts_predicted) =
        (allocations(&recording, false), allocations(&recording, true));
    let [records, encodes, decodes] =
        std::array::from_fn(|what| counts_plain[what] + counts_predicted[what]);
    let (ve, vd) = (median(plain.varint_encode), median(plain.varint_decode));
    line("record", median(plain.record), median(predicted.record), ve, records);
    line("encode", median(plain.encode), median(predicted.encode), ve, encodes);
    line(
        "decode and apply, by schema",
        median(plain.decode),
        median(predicted.decode),
        vd,
        decodes,
    );
    line("decode and apply, typed", median(plain.typed), median(predicted.typed), vd, decodes);
}

fn main() {
    // `cargo test` runs benchmarks too: then once is enough to see that it works.
    let quick = std::env::args().any(|arg| arg == "--test" || arg == "--quick");
    sizes();
    formats();
    speeds(if quick { 1 } else { 15 });
    let mut still = Room::new(&ships(50, 1, 60.0, 1));
    still.ledger.record(&mut still.space, Tick(1));
    let mut chunk = Vec::new();
    still.ledger.chunk(Scope::ROOM, Baseline::Plain(Tick(0)), &mut chunk);
    println!("\na chunk in which nothing changed: {} bytes", chunk.len());
}
