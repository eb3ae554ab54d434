//! `codes.json`: the layers below a chunk, one at a time. Who writes a decoder
//! starts here.

use serde_json::{Value as Json, json};
use tickwire_protocol::bits::{BitReader, BitWriter, Mean};
use tickwire_protocol::grid::Grid;
use tickwire_protocol::schema::layout::{Code, Layout, Node, Scalar};
use tickwire_protocol::schema::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema};

use super::json::{bytes, hex, list, text};
use super::{File, schemas};

pub(crate) const FILE: File = File { name: "codes.json", produce, verify };

fn produce() -> Json {
    json!({
        "bits": bits(),
        "golomb": golomb(),
        "means": means(),
        "grids": grids(),
        "scalars": scalars(),
        "lines": lines(),
    })
}

fn verify(file: &Json) {
    for vector in list(file, "bits") {
        let raw = bytes(vector, "bytes");
        let mut r = BitReader::new(&raw);
        for put in list(vector, "puts") {
            let bits = put[1].as_u64().expect("a width") as u32;
            assert_eq!(r.take(bits).to_string(), put[0].as_str().expect("a value"), "{vector}");
        }
        assert!(r.at_padding(), "{vector}");
    }
    for vector in list(file, "golomb") {
        let raw = packed(text(vector, "bits"));
        let mut r = BitReader::new(&raw);
        let (order, escape) = (number(vector, "order") as u32, number(vector, "escape") as u32);
        let value = r.golomb(order, escape);
        assert_eq!(
            value.map(|value| json!(value.to_string())).unwrap_or_default(),
            vector["value"]
        );
        assert_eq!(r.left(), raw.len() * 8 - text(vector, "bits").len(), "{vector}");
    }
    for vector in list(file, "lines") {
        let number = |name: &str| i128::from(number(vector, name));
        let (lowest, span) = (number("lowest"), number("span"));
        let moved = number("later") - number("earlier");
        let ring = vector["ring"] == json!(true);
        let moved = match ring {
            true if moved.abs() * 2 > span + 1 => moved - moved.signum() * (span + 1),
            _ => moved,
        };
        let led = number("later") + (moved * number("ahead")).div_euclid(number("apart"));
        let cell = match ring {
            true => (led - lowest).rem_euclid(span + 1) + lowest,
            false => led.clamp(lowest, lowest + span),
        };
        assert_eq!(cell, number("cell"), "{vector}");
    }
    // The rest is arithmetic: producing it again was the proof.
}

fn number(of: &Json, name: &str) -> i64 {
    of[name].as_i64().unwrap_or_else(|| panic!("no number `{name}` in {of}"))
}

/// Bits in the order in which they are written, from the low end of each byte.
fn packed(bits: &str) -> Vec<u8> {
    let mut w = BitWriter::default();
    bits.chars().for_each(|bit| w.flag(bit == '1'));
    let mut out = Vec::new();
    w.finish(&mut out);
    out
}

fn bits() -> Vec<Json> {
    let all: [&[(u64, u32)]; 4] = [
        &[(0b101, 3), (0b11, 2)],
        &[(0, 1), (1, 1), (0x1234, 16), (0, 0), (0xABCD_EF01, 32), (1, 1)],
        &[(u64::MAX, 64), (0, 3), (0x0123_4567_89AB_CDEF, 64)],
        &[(0x55, 7), (0xFFFF_FFFF_FFFF, 48), (2, 9)],
    ];
    let each = all.iter().map(|puts| {
        let mut w = BitWriter::default();
        puts.iter().for_each(|&(value, bits)| w.put(value, bits));
        let mut out = Vec::new();
        w.finish(&mut out);
        let puts = puts.iter().map(|(value, bits)| json!([value.to_string(), bits]));
        json!({ "puts": puts.collect::<Vec<_>>(), "bytes": hex(&out) })
    });
    each.collect()
}

/// Values of each order around each length, and what escapes.
fn golomb() -> Vec<Json> {
    let mut vectors = Vec::new();
    let mut add = |value: u64, order: u32, escape: u32| {
        let mut w = BitWriter::default();
        let fits = w.golomb(value, order, escape);
        let length = w.bits();
        let mut out = Vec::new();
        w.finish(&mut out);
        let mut r = BitReader::new(&out);
        let bits: String = (0..length).map(|_| if r.flag() { '1' } else { '0' }).collect();
        let value = if fits { json!(value.to_string()) } else { Json::Null };
        vectors.push(json!({ "value": value, "order": order, "escape": escape, "bits": bits }));
    };
    for order in [0, 1, 2, 3, 4] {
        for value in [0, 1, 2, 3, 6, 7, 8, 30, 255, 65_535] {
            add(value, order, 32);
        }
    }
    add(u32::MAX.into(), 0, 32);
    add((1 << 31) - 2, 0, 32);
    add((1 << 40) + 12_345, 24, 32);
    for value in [0, 5, 6, 7, 1000] {
        add(value, 0, 3);
        add(value, 2, 2);
    }
    vectors
}

/// The order that the running mean gives before each value, and after the last.
fn means() -> Vec<Json> {
    let all: [(u8, &[u64]); 6] = [
        (0, &[0, 0, 0]),
        (0, &[1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (8, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (4, &[100, 100, 3, 1_000_000, 0]),
        (2, &[u64::MAX, u64::MAX, 1 << 24, (1 << 24) + 1, 5]),
        (1, &[16_777_215, 7, 7, 7, 7, 7, 7, 7, 7]),
    ];
    let each = all.iter().map(|&(start, values)| {
        let mut mean = Mean::new(start);
        let mut orders = vec![mean.order()];
        for &value in values {
            mean.count(value);
            orders.push(mean.order());
        }
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        json!({ "start": start, "values": values, "orders": orders })
    });
    each.collect()
}

fn grids() -> Vec<Json> {
    let shapes = [
        (-2048.0, 2048.0, 0.0625, false),
        (0.0, 10.0, 0.1, false),
        (-9.0, -1.0, 0.001, false),
        (1.5, 100.5, 0.5, false),
        (0.0, 1.0, 0.3, false),
        (-64.0, 64.0, 0.0625, true),
        (-2.0, 2.0, 0.5, true),
        (0.0, 1.0, 0.3, true),
        (-1000.0, 4_294_966_295.0, 1.0, false),
    ];
    let shapes = shapes.iter().map(|&(min, max, step, ring)| {
        let shape = json!({ "min": min, "max": max, "step": step, "ring": ring });
        (shape, Grid::new(min, max, step, ring))
    });
    let angles = [1, 8, 24].map(|bits| (json!({ "bits": bits }), Grid::angle(bits)));
    shapes.chain(angles).map(|(shape, grid)| grid_vector(shape, &grid)).collect()
}

fn grid_vector(mut vector: Json, grid: &Grid) -> Json {
    let (lowest, highest) = (grid.lowest(), grid.highest());
    let inside = [lowest, lowest + 1, -1, 0, 1, highest / 2, highest - 1, highest];
    let mut inside: Vec<i64> =
        inside.into_iter().filter(|cell| (lowest..=highest).contains(cell)).collect();
    inside.sort_unstable();
    inside.dedup();
    let value = |cell: i64| grid.value(cell);
    let step = value(lowest + 1) - value(lowest);
    let (first, last) = (value(lowest), value(highest));
    // Below, above and at the middle between two points.
    let near = [first + step * 0.499, first + step * 0.501, first + step / 2.0];
    let outside = [first - step * 0.6, last + step * 0.6, first - 1e7, last + 1e7, 1e300, -1e300];
    let cells = near.iter().chain(&outside).map(|&at| json!([at, grid.cell(at)]));
    vector["lowest"] = json!(lowest);
    vector["highest"] = json!(highest);
    vector["values"] = inside.into_iter().map(|cell| json!([cell, value(cell)])).collect();
    vector["cells"] = cells.collect();
    vector
}

/// How each kind of one cell is coded.
fn scalars() -> Vec<Json> {
    let int = |repr: IntRepr, min, max| Kind::Int { repr, min, max, motion: false };
    let whole = |repr: IntRepr| int(repr, repr.range().0, repr.range().1);
    let grid = |min, max, step, ring| Kind::Quantised {
        repr: FloatRepr::F32,
        min,
        max,
        step,
        ring,
        motion: false,
    };
    let angle = |bits| Kind::Angle { repr: FloatRepr::F32, bits, motion: false };
    let mut kinds = vec![Kind::Bool];
    kinds.extend([IntRepr::U8, IntRepr::U16, IntRepr::U32, IntRepr::U64].map(whole));
    kinds.extend([IntRepr::I8, IntRepr::I16, IntRepr::I32, IntRepr::I64].map(whole));
    kinds.extend([
        int(IntRepr::U8, 0, 1),
        int(IntRepr::I8, -1, 0),
        int(IntRepr::U8, 0, 15),
        int(IntRepr::U8, 0, 16),
        int(IntRepr::U32, 5, 1000),
        int(IntRepr::I16, -300, -7),
        int(IntRepr::U32, 1, u32::MAX.into()),
        int(IntRepr::I64, -5_000_000_000, 5_000_000_000),
        int(IntRepr::U64, 10_000_000_000_000_000_000, 10_000_000_000_000_001_000),
        Kind::Float(FloatRepr::F32),
        Kind::Float(FloatRepr::F64),
        grid(-2048.0, 2048.0, 0.0625, false),
        grid(0.0, 1.0, 0.125, false),
        grid(0.0, 1.0, 1.0, false),
        grid(-2.0, 2.0, 0.5, true),
        grid(-64.0, 64.0, 0.0625, true),
        angle(1),
        angle(4),
        angle(8),
    ]);
    kinds.into_iter().map(scalar_vector).collect()
}

fn scalar_vector(kind: Kind) -> Json {
    let (scalar, mean) = scalar(kind.clone());
    let code = match scalar.code {
        Code::Flip => "flip",
        Code::Fixed => "fixed",
        Code::Near => "near",
        Code::Count => "count",
    };
    json!({
        "kind": schemas::kind(&kind),
        "code": code,
        "lowest": scalar.lowest.to_string(),
        "span": scalar.span.to_string(),
        "width": scalar.width,
        "order": mean.map(Mean::order),
    })
}

/// A kind of one cell, compiled, and where its running mean starts.
fn scalar(kind: Kind) -> (Scalar, Option<Mean>) {
    let fields = vec![Field { name: "it".to_owned(), kind }];
    let table = TableSchema { name: "t".to_owned(), entity: "T".to_owned(), fields };
    let nothing = Kind::default;
    let schema = Schema::new(vec![table], nothing(), nothing(), nothing(), nothing());
    let mut layout = Layout::new(&schema.expect("within the limits"));
    let table = layout.tables.remove(0);
    let Node::Scalar(scalar) = table.record.leaves[0].node else { panic!("a scalar") };
    let adapts = matches!(scalar.code, Code::Near | Code::Count);
    (scalar, adapts.then(|| table.means[scalar.mean as usize]))
}

/// Where straight lines lead, and the difference that leads back from there.
fn lines() -> Vec<Json> {
    let line = Kind::Int { repr: IntRepr::I16, min: -100, max: 100, motion: true };
    let ring = |count: f64| Kind::Quantised {
        repr: FloatRepr::F32,
        min: -(count / 2.0).floor(),
        max: (count / 2.0).ceil(),
        step: 1.0,
        ring: true,
        motion: true,
    };
    let all = [
        (&line, 10, 13, 1, 1),
        (&line, 10, 13, 1, 3),
        (&line, 10, 13, 2, 1),
        (&line, 13, 10, 2, 1),
        (&line, 13, 10, 2, 3),
        (&line, 10, 10, 5, 7),
        (&line, 90, 98, 1, 1),
        (&line, -90, -98, 1, 200),
        (&line, 99, -99, 255, 255),
        (&ring(256.0), 120, 126, 1, 1),
        (&ring(256.0), 126, -124, 1, 1),
        (&ring(256.0), -124, 126, 3, 2),
        (&ring(256.0), 0, 127, 1, 255),
        (&ring(256.0), -128, 0, 1, 1),
        (&ring(256.0), 0, -128, 1, 1),
        (&ring(5.0), 0, 2, 1, 1),
        (&ring(5.0), -2, 2, 1, 1),
        (&ring(5.0), 1, -2, 2, 3),
    ];
    let each = all.map(|(kind, earlier, later, apart, ahead)| {
        let (scalar, _) = scalar(kind.clone());
        let ring = matches!(kind, Kind::Quantised { .. });
        let cell = scalar.extrapolate(earlier, later, apart, ahead);
        let back = scalar.difference(cell, later);
        assert_eq!(scalar.apply(cell, back), Some(later));
        let Scalar { lowest, span, .. } = scalar;
        json!({
            "lowest": lowest, "span": span, "ring": ring, "earlier": earlier, "later": later,
            "apart": apart, "ahead": ahead, "cell": cell, "back": back,
        })
    });
    each.to_vec()
}
