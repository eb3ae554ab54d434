//! `primitives.json`: the parts that messages are made of, at every boundary.

use serde_json::{Value as Json, json};
use tickwire_protocol::codec::{Error, Reader, Writer};

use super::File;
use super::json::{bytes, hex, list, text};

pub(crate) const FILE: File = File { name: "primitives.json", produce, verify };

fn produce() -> Json {
    json!({ "max": MAX, "written": written(), "read": only_read() })
}

fn verify(file: &Json) {
    for vector in list(file, "written") {
        let (sort, raw) = (text(vector, "type"), bytes(vector, "bytes"));
        assert_eq!(read(sort, &raw).as_ref(), Ok(&vector["value"]), "{vector}");
        for len in 0..raw.len() {
            assert_eq!(read(sort, &raw[..len]), Err(Error::Truncated), "{vector} cut to {len}");
        }
    }
    for vector in list(file, "read") {
        let read = read(text(vector, "type"), &bytes(vector, "bytes"));
        assert_eq!(read.as_ref(), Ok(&vector["value"]), "{vector}");
    }
}

/// Values, and the one way to write each.
fn written() -> Vec<Json> {
    let mut vectors = Vec::new();
    let mut add = |sort: &str, value: Json, write: &dyn Fn(&mut Writer<'_>)| {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        vectors.push(json!({ "type": sort, "value": value, "bytes": hex(&out) }));
    };
    for value in [false, true] {
        add("bool", json!(value), &|w| w.bool(value));
    }
    for value in [0, 1, 250, 251, 255] {
        add("u8", json!(value), &|w| w.u8(value));
    }
    for value in [0, 1, -1, 127, -128] {
        add("i8", json!(value), &|w| w.i8(value));
    }
    for value in [0, 1, 250, 251, 255, 256, u16::MAX - 1, u16::MAX] {
        add("u16", json!(value), &|w| w.u16(value));
    }
    for value in [0, 1, 250, 251, 65_535, 65_536, u32::MAX - 1, u32::MAX] {
        add("u32", json!(value), &|w| w.u32(value));
    }
    let at = [0, 1, 250, 251, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 1 << 53, u64::MAX];
    for value in at {
        add("u64", json!(value.to_string()), &|w| w.u64(value));
    }
    for value in [0, -1, 1, 125, -125, -126, 126, i16::MAX, i16::MIN] {
        add("i16", json!(value), &|w| w.i16(value));
    }
    for value in [0, -1, 125, -126, 32_767, -32_768, 32_768, -32_769, i32::MAX, i32::MIN] {
        add("i32", json!(value), &|w| w.i32(value));
    }
    let at = [0, -1, 125, -126, -32_768, 32_768, -2_147_483_648, 2_147_483_648, i64::MAX, i64::MIN];
    for value in at {
        add("i64", json!(value.to_string()), &|w| w.i64(value));
    }
    for value in [0.0, 1.0, -1.5, 0.1, f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::EPSILON] {
        add("f32", json!(f64::from(value)), &|w| w.f32(value));
    }
    for value in [0.0, 1.0, -1.5, 0.1, f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON] {
        add("f64", json!(value), &|w| w.f64(value));
    }
    for value in ["", "Ada", "Žofie", "𝄞", "a\0b\n\"\\", &"x".repeat(250), &"x".repeat(251)] {
        add("str", json!(value), &|w| w.str(value));
    }
    for value in [&[][..], &[0], &[0xFF, 0, 0x80]] {
        add("bytes", json!(hex(value)), &|w| w.bytes(value));
    }
    vectors
}

/// Bytes that are read, and that no writer needs: what they mean is another value's.
fn only_read() -> Vec<Json> {
    let floats32 = [-0.0f32, f32::from_bits(1), -f32::from_bits(0x007F_FFFF)];
    let floats64 = [-0.0f64, f64::from_bits(1), -f64::from_bits(0x000F_FFFF_FFFF_FFFF)];
    let floats32 = floats32.iter().map(|value| ("f32", hex(&value.to_le_bytes())));
    let floats64 = floats64.iter().map(|value| ("f64", hex(&value.to_le_bytes())));
    let all = floats32.chain(floats64);
    all.map(|(sort, bytes)| json!({ "type": sort, "bytes": bytes, "value": 0.0 })).collect()
}

/// The limit of texts and bytes.
pub(crate) const MAX: usize = 512;

/// Takes one value, and all of the bytes.
pub(crate) fn read(sort: &str, raw: &[u8]) -> Result<Json, Error> {
    let mut r = Reader::new(raw);
    let value = match sort {
        "bool" => json!(r.bool()?),
        "u8" => json!(r.u8()?),
        "u16" => json!(r.u16()?),
        "u32" => json!(r.u32()?),
        "u64" => json!(r.u64()?.to_string()),
        "i8" => json!(r.i8()?),
        "i16" => json!(r.i16()?),
        "i32" => json!(r.i32()?),
        "i64" => json!(r.i64()?.to_string()),
        "f32" => json!(f64::from(r.f32()?)),
        "f64" => json!(r.f64()?),
        "str" => json!(r.str(MAX)?),
        "bytes" => json!(hex(r.bytes(MAX)?)),
        other => panic!("no primitive {other}"),
    };
    r.finish()?;
    Ok(value)
}
