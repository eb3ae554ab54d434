//! Size and speed of chunks, on the arena's ship.
//!
//! `cargo bench --bench codec` prints three tables: bytes per moving ship with
//! plain and with predicted chunks; the full rows of other formats beside ours;
//! time per changed entity, also as a ratio to a plain `memcpy`-and-varint
//! encoder that is measured in the same run, with allocations. Times are of ticks
//! around which a fixed piece of work ran at its full pace; those of all ticks are
//! printed below. On a shared machine all code is at times slower by half or more,
//! and no count of the system tells when.

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

/// How long a fixed piece of integer work takes that keeps all of a core's units busy: on a
/// core that is shared with somebody, below this machine, it takes longer.
fn fixed_work() -> f64 {
    let mut words: [u64; 8] = black_box(std::array::from_fn(|i| 0x9E37_79B9 << i));
    let start = Instant::now();
    for _ in 0..600 {
        for word in &mut words {
            *word = (*word ^ *word >> 7).wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(9);
        }
    }
    black_box(words);
    start.elapsed().as_secs_f64()
}

/// What is timed of a tick, in seconds.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// The fixed work before it.
    pace: f64,
    record: f64,
    encode: f64,
    apply: f64,
    follow: f64,
    varint_encode: f64,
    varint_decode: f64,
}

/// A tick counts if the fixed work before and after it took at most so many times what it
/// takes at the core's full pace.
const STEADY: f64 = 1.05;
/// So many ticks of a round have to count.
const TICKS_MIN: usize = 100;
/// Rounds are made until enough of them count: at least so many times as many, so that a core
/// which is slow for a second is told from one at its full pace, and at most so many.
const TRIES: [usize; 2] = [6, 20];

/// All rounds of one kind of chunk, tick by tick.
#[derive(Default)]
struct Rounds(Vec<Vec<Spent>>);

impl Rounds {
    /// The time of the fixed work at full pace: one of twenty is shorter.
    fn pace(&self) -> f64 {
        let mut paces: Vec<f64> = self.0.iter().flatten().map(|spent| spent.pace).collect();
        let twentieth = paces.len() / 20;
        *paces.select_nth_unstable_by(twentieth, f64::total_cmp).1
    }

    /// The ticks that count, of each round that has enough of them.
    fn steady(&self, pace: f64) -> Vec<Vec<Spent>> {
        let steady = |spent: &Spent| spent.pace <= pace * STEADY;
        let counts = |round: &Vec<Spent>| -> Vec<Spent> {
            let pairs = round.iter().zip(&round[1..]);
            pairs.filter(|(tick, next)| steady(tick) && steady(next)).map(|(it, _)| *it).collect()
        };
        self.0.iter().map(counts).filter(|round| round.len() >= TICKS_MIN).collect()
    }
}

/// The nanoseconds of an entity: means of rounds, and of those the median.
fn each(rounds: &[Vec<Spent>], count: usize, readings: f64, of: impl Fn(&Spent) -> f64) -> f64 {
    let clock = clock() * readings;
    let mean = |round: &Vec<Spent>| round.iter().map(&of).sum::<f64>() / round.len() as f64;
    median(rounds.iter().map(|round| (mean(round) - clock) * 1e9 / count as f64).collect())
}

/// One recording, encoded and applied tick by tick: each side of each tick is
/// timed, the two codecs in turn.
fn round(recording: &Recording, predict: bool) -> Vec<Spent> {
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
    let mut all = Vec::with_capacity(recording.len());
    let warm = 100;
    for tick in 0..recording.len() {
        if tick > 0 {
            room.play(recording);
        }
        let pace = fixed_work();
        let start = Instant::now();
        if tick > 0 {
            room.record();
        }
        let record = start.elapsed().as_secs_f64();
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
        let encode = start.elapsed().as_secs_f64();

        let start = Instant::now();
        varint::encode(&mut base, black_box(&rows), &mut plain);
        let varint_encode = start.elapsed().as_secs_f64();

        room.wrap(baseline, &chunk, &mut bytes);

        let start = Instant::now();
        let mut r = Reader::new(black_box(&bytes));
        let _tag = r.u8();
        let frame = Frame::read(r).expect("a frame");
        mirror.apply(&frame).expect("applies");
        let apply = start.elapsed().as_secs_f64();
        let start = Instant::now();
        typed.follow(&mirror);
        let follow = start.elapsed().as_secs_f64();

        let start = Instant::now();
        varint::decode(&mut copy, black_box(&plain)).expect("decodes");
        let varint_decode = start.elapsed().as_secs_f64();

        if tick > warm {
            all.push(Spent { pace, record, encode, apply, follow, varint_encode, varint_decode });
        }
    }
    all
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

fn speeds(wanted: usize) {
    let count = 50;
    let recording = ships(count, 1500, 60.0, 1);
    let (mut plain, mut predicted) = (Rounds::default(), Rounds::default());
    let steady = loop {
        for _ in 0..wanted {
            plain.0.push(round(&recording, false));
            predicted.0.push(round(&recording, true));
        }
        if plain.0.len() < wanted * TRIES[0] {
            continue;
        }
        let pace = plain.pace().min(predicted.pace());
        let steady = [plain.steady(pace), predicted.steady(pace)];
        if steady.iter().all(|rounds| rounds.len() >= wanted) {
            break steady;
        }
        // All of them, where too few are steady.
        if plain.0.len() == wanted * TRIES[1] {
            println!("\nUNSTEADY: too few ticks at the core's full pace");
            break [plain.0.clone(), predicted.0.clone()];
        }
    };
    let ticks = steady.each_ref().map(|rounds| rounds.iter().map(Vec::len).sum::<usize>());
    println!(
        "\ntime per entity, {count} ships that all move: medians of {} and {} rounds of {}, of \
         which {} and {} ticks ran at the core's full pace; less the {:.0} ns for a reading of the clock\n",
        steady[0].len(),
        steady[1].len(),
        plain.0.len(),
        ticks[0],
        ticks[1],
        clock() * 1e9
    );
    println!(
        "| what | plain | predicted | memcpy + varint | ratio plain | ratio predicted | allocations |"
    );
    println!("|---|---|---|---|---|---|---|");
    let [recorded, encoded, applied] = {
        let [a, b] = [allocations(&recording, false), allocations(&recording, true)];
        std::array::from_fn(|what| a[what] + b[what])
    };
    let time = |readings: f64, of: &dyn Fn(&Spent) -> f64| {
        steady.each_ref().map(|rounds| each(rounds, count, readings, of))
    };
    let line = |what: &str, [a, b]: [f64; 2], [va, vb]: [f64; 2], allocations: u64| {
        println!(
            "| {what} | {a:.1} ns | {b:.1} ns | {va:.1} ns | {:.2} | {:.2} | {allocations} |",
            a / va,
            b / vb
        );
    };
    let varint_encode = time(1.0, &|spent| spent.varint_encode);
    let varint_decode = time(1.0, &|spent| spent.varint_decode);
    line("record", time(1.0, &|spent| spent.record), varint_encode, recorded);
    line("encode", time(1.0, &|spent| spent.encode), varint_encode, encoded);
    let by_schema = time(1.0, &|spent| spent.apply);
    line("decode and apply, by schema", by_schema, varint_decode, applied);
    let typed = time(2.0, &|spent| spent.apply + spent.follow);
    line("decode and apply, typed", typed, varint_decode, applied);
    let rounds = [&plain.0, &predicted.0];
    let [encode, typed] = [
        rounds.map(|rounds| each(rounds, count, 1.0, |spent| spent.encode)),
        rounds.map(|rounds| each(rounds, count, 2.0, |spent| spent.apply + spent.follow)),
    ];
    println!(
        "\nof all ticks, at whatever pace: encode {:.1} and {:.1} ns, decode and apply, typed, \
         {:.1} and {:.1} ns",
        encode[0], encode[1], typed[0], typed[1]
    );
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
