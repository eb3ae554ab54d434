//! Rows 28 and 29: numbers that no game expects.

use tickwire_protocol::Message;
use tickwire_protocol::codec::{Error, Writer};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::frame::{Frame, Header, Step, write_header};
use tickwire_protocol::heap::Heap;
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::schema::Kind;
use tickwire_protocol::time::Tick;
use tickwire_protocol::value::Attr;

use super::measure;
use super::vectors::kind;
use crate::targets::world::{Command, Gauge, Grids, Number, Numbers, Ship, Steer};

/// Bit patterns of every class of float, of both signs.
fn patterns32() -> impl Iterator<Item = u32> {
    let exponents = [0, 1, 2, 100, 127, 128, 253, 254, 255];
    let fractions = [0, 1, 2, 0x40_0000, 0x40_0001, 0x7F_FFFE, 0x7F_FFFF];
    exponents.into_iter().flat_map(move |exponent| {
        fractions
            .into_iter()
            .flat_map(move |fraction| [0, 1 << 31].map(|sign| sign | exponent << 23 | fraction))
    })
}

fn patterns64() -> impl Iterator<Item = u64> {
    let exponents = [0, 1, 2, 1000, 1023, 1024, 2045, 2046, 2047];
    let fractions = [0, 1, 2, 1 << 51, (1 << 51) + 1, (1 << 52) - 2, (1 << 52) - 1];
    exponents.into_iter().flat_map(move |exponent| {
        fractions
            .into_iter()
            .flat_map(move |fraction| [0, 1 << 63].map(|sign| sign | exponent << 52 | fraction))
    })
}

// Row 28, on the way in.
#[test]
fn a_float_of_an_input_is_finite_or_the_input_is_refused() {
    for bits in patterns32() {
        let sent = f32::from_bits(bits);
        let raw = [&[0; 4][..], &bits.to_le_bytes()].concat();
        let read = measure::typed::<Steer>(&raw).map(|steer| steer.raw);
        match sent.is_finite() {
            false => assert_eq!(read, Err(Error::NotFinite), "{bits:x}"),
            true if sent.is_normal() => assert_eq!(read, Ok(sent)),
            true => assert!(read.is_ok_and(|read| read.to_bits() == 0), "{bits:x}"),
        }
        assert_eq!(measure::dynamic(kind("input"), &raw).is_ok(), sent.is_finite());
    }
    let mut numbers = Vec::new();
    Command::Numbers(Numbers::default()).encode(&mut numbers);
    let at = numbers.len() - 8;
    for bits in patterns64() {
        let sent = f64::from_bits(bits);
        numbers[at..].copy_from_slice(&bits.to_le_bytes());
        match measure::typed::<Command>(&numbers) {
            Ok(Command::Numbers(read)) if sent.is_normal() => assert_eq!(read.f64, sent),
            Ok(Command::Numbers(read)) => {
                assert!(sent.is_finite());
                assert_eq!(read.f64.to_bits(), 0, "{bits:x}");
            }
            other => {
                assert!(!sent.is_finite());
                assert_eq!(other, Err(Error::NotFinite));
            }
        }
    }
}

// Row 28, on the way out: a game that divides by zero.
#[test]
fn a_state_that_is_not_finite_is_sent_as_one_that_is() {
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 5e-324];
    for wrong in floats {
        let narrow = wrong as f32;
        let numbers = Numbers { f32: narrow, f64: wrong, ..Numbers::default() };
        let grids = Grids {
            line: narrow,
            tenth: narrow,
            below: wrong,
            above: wrong,
            coarse: narrow,
            two: wrong,
            ring: narrow,
            dial: wrong,
            half: narrow,
            compass: narrow,
            exact: wrong,
        };
        let ship = Ship { x: narrow, y: narrow, heading: narrow, ..Ship::default() };
        finite(&Number { all: numbers.clone() });
        finite(&Gauge { all: grids.clone() });
        finite(&ship);
        for command in [Command::Numbers(numbers), Command::Grids(grids)] {
            let mut raw = Vec::new();
            command.encode(&mut raw);
            assert!(measure::typed::<Command>(&raw).is_ok(), "{command:?}");
        }
    }
}

/// The cells of a value are in range, and what they mean is finite.
fn finite<T: tickwire_protocol::Value>(value: &T) {
    let (mut cells, mut heap) = (vec![0; T::cells(&Attr::PLAIN)], Heap::default());
    value.store(&Attr::PLAIN, &mut cells, &mut heap);
    let kind = T::kind(&Attr::PLAIN);
    let shown = Value::from_cells(&kind, &cells, &heap);
    every(&kind, &shown, &mut |kind, value| match (kind, value) {
        (Kind::Quantised { min, max, step, .. }, Value::Float(value)) => {
            assert!((min - step..=max + step).contains(value), "{value} of {kind:?}");
        }
        (_, Value::Float(value)) => assert!(value.is_finite()),
        _ => {}
    });
}

fn every(kind: &Kind, value: &Value, check: &mut dyn FnMut(&Kind, &Value)) {
    check(kind, value);
    if let (Kind::Struct(fields), Value::Struct(values)) = (kind, value) {
        fields.iter().zip(values).for_each(|(field, (_, value))| every(&field.kind, value, check));
    }
}

// Row 29: integers.
#[test]
fn an_integer_outside_of_its_range_goes_to_the_edge() {
    for extreme in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
        let mut raw = Vec::new();
        let mut w = Writer::new(&mut raw);
        w.u32(1);
        w.bool(true);
        w.u8(extreme as u8);
        w.u16(extreme as u16);
        w.u32(extreme as u32);
        w.u64(extreme as u64);
        w.i8(extreme as i8);
        w.i16(extreme as i16);
        w.i32(extreme as i32);
        w.i64(extreme);
        // From here on the fields have ranges.
        w.u8(extreme as u8);
        w.i8(extreme as i8);
        w.u32(extreme as u32);
        w.i16(extreme as i16);
        w.u32(extreme as u32);
        w.i64(extreme);
        w.u64(extreme as u64);
        w.f32(0.0);
        w.f64(0.0);
        let Ok(Command::Numbers(read)) = measure::typed(&raw) else { panic!("{extreme}") };
        assert!((0..=5).contains(&read.few) && (-1..=0).contains(&read.lost));
        assert!((5..=1000).contains(&read.above) && (-300..=-7).contains(&read.below));
        assert!(read.positive >= 1 && read.wide.unsigned_abs() <= 5_000_000_000);
        let high = 10_000_000_000_000_000_000;
        assert!((high..=high + 1000).contains(&read.high));
        assert_eq!((read.i32, read.i64, read.u64), (extreme as i32, extreme, extreme as u64));
        measure::dynamic(kind("command"), &raw).expect("the same by its schema");
        finite(&Number { all: read });
    }
}

// Row 29: points of grids, and angles.
#[test]
fn a_grid_point_that_does_not_exist_goes_to_the_edge() {
    for steps in [0, 8, 9, 255, 256, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        let mut raw = vec![0, 0];
        let mut w = Writer::new(&mut raw);
        w.u64(steps);
        w.u64(steps);
        w.f32(0.0);
        let steer: Steer = measure::typed(&raw).expect("an input");
        assert!((0.0..core::f32::consts::TAU).contains(&steer.aim), "{steer:?}");
        assert!((0.0..=1.0).contains(&steer.power), "{steer:?}");
    }
}

// Row 29: times.
#[test]
fn absurd_ticks_are_refused_or_far_away_and_nothing_overflows() {
    let ticks = [0, 1, i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX - 1, u32::MAX];
    let leads = [i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX];
    for applied in ticks {
        for lead in leads {
            let mut raw = vec![1];
            let mut w = Writer::new(&mut raw);
            w.u32(applied);
            w.usize(1);
            w.u32(u32::MAX);
            w.i32(lead);
            w.bytes(&[]);
            let there = u32::try_from(i64::from(applied) + i64::from(lead));
            match (ClientMessage::read(&raw), there) {
                (Ok(ClientMessage::Input(inputs)), Ok(there)) => {
                    assert_eq!(inputs.iter().next(), Some((u32::MAX, Tick(there), &[][..])));
                }
                (read, there) => {
                    assert!(there.is_err());
                    assert_eq!(read, Err(Error::Invalid));
                }
            }
        }
        for step in [Step::Full(Tick(applied)), Step::Advance(applied.max(1))] {
            for depth in leads {
                let processed = Some(applied);
                let depth = Some(depth);
                let header = Header { step, predicted: false, processed, depth, hash: None };
                let mut raw = Vec::new();
                write_header(&header, core::iter::empty(), 0, &mut raw);
                // An event of a tick before the first: it becomes the first.
                raw[1] |= 32;
                raw.extend_from_slice(&[1, 0, 0xFF, 0xFF, 0]);
                let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(&raw) else {
                    panic!("a frame");
                };
                assert_eq!(frame.header, header);
                not_after(&frame, Tick(applied));
            }
        }
    }
}

fn not_after(frame: &Frame<'_>, tick: Tick) {
    assert_eq!(frame.events(tick).count(), 1);
    assert!(frame.events(tick).all(|event| event.tick <= tick));
}
