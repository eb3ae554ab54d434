//! `malformed.json`: bytes that a decoder must refuse, and for which reason.
//!
//! Every reason that there is comes up. Messages are here; the rest is in
//! [`super::bad_schemas`] and [`super::bad_chunks`].

use serde_json::{Value as Json, json};
use tickwire_protocol::chunk;
use tickwire_protocol::client::mirror::{Mirror, MirrorError};
use tickwire_protocol::codec::{Error, Writer};
use tickwire_protocol::limits::SERVER_MESSAGE_BYTES_MAX;
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::schema::Schema;

use super::json::{bytes, hex, list, text, unhex};
use super::{File, bad_chunks, bad_schemas, primitives, schemas, values};

pub(crate) const FILE: File = File { name: "malformed.json", produce, verify };

fn produce() -> Json {
    let mut vectors = Vec::new();
    vectors.extend(bad_primitives());
    vectors.extend(bad_client_messages());
    vectors.extend(bad_server_messages());
    vectors.extend(bad_schemas::all());
    vectors.extend(bad_chunks::all());
    let opening: Vec<String> = bad_chunks::opening().iter().map(|raw| hex(raw)).collect();
    json!({ "schema": "space", "opening": opening, "vectors": vectors })
}

fn verify(file: &Json) {
    let mut met = Vec::new();
    for vector in list(file, "vectors") {
        for (error, expected) in errors(file, vector) {
            assert_eq!(error, expected, "{vector}");
            met.extend(error);
        }
    }
    for error in every_error() {
        assert!(met.contains(&error), "no vector for {error}");
    }
}

/// What the decoder of a vector says of each of its messages, and what it should.
fn errors(file: &Json, vector: &Json) -> Vec<(Option<String>, Option<String>)> {
    let expected = |of: &Json| of["error"].as_str().map(str::to_owned);
    if text(vector, "decoder") == "mirror" {
        let schema = vector["schema"].as_str().unwrap_or(text(file, "schema"));
        let mut mirror = Mirror::new(schemas::schema(schema));
        if vector["opened"] == json!(true) {
            for frame in list(file, "opening") {
                assert_eq!(apply(&mut mirror, &unhex(frame.as_str().expect("bytes"))), None);
            }
        }
        let refused = |it: &Json| {
            if it["resume"] == json!(true) {
                mirror.resume();
            }
            (apply(&mut mirror, &bytes(it, "bytes")), expected(it))
        };
        return list(vector, "frames").iter().map(refused).collect();
    }
    let mut raw = bytes(vector, "bytes");
    raw.resize(raw.len() + vector["zeros"].as_u64().unwrap_or(0) as usize, 0);
    let error = match text(vector, "decoder") {
        "primitive" => primitives::read(text(vector, "type"), &raw).err(),
        "client_message" => ClientMessage::read(&raw).err(),
        "server_message" => ServerMessage::read(&raw).err(),
        "descriptor" => Schema::from_descriptor(&raw).err(),
        "value" => {
            let schema = schemas::schema(text(file, "schema"));
            values::read(values::message(&schema, text(vector, "message")), &raw).err()
        }
        other => panic!("no decoder {other}"),
    };
    vec![(error.map(|error| format!("codec.{error:?}")), expected(vector))]
}

/// Applies a frame; the name of what is wrong with it.
pub(crate) fn apply(mirror: &mut Mirror, raw: &[u8]) -> Option<String> {
    let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(raw) else { panic!("a frame") };
    mirror.apply(&frame).err().map(|error| match error {
        MirrorError::Chunk(error) => format!("chunk.{error:?}"),
        error => format!("mirror.{error:?}"),
    })
}

/// The name of every error. The matches make sure that none is forgotten here.
fn every_error() -> Vec<String> {
    use chunk::Error as Chunk;
    let codec = [
        Error::Truncated,
        Error::Trailing,
        Error::BadInteger,
        Error::BadBool,
        Error::BadTag,
        Error::TooLong,
        Error::NotUtf8,
        Error::NotFinite,
        Error::Invalid,
    ];
    let chunk = [
        Chunk::Truncated,
        Chunk::Trailing,
        Chunk::NoSuchTable,
        Chunk::TooLarge,
        Chunk::NoSuchRow,
        Chunk::RowTaken,
        Chunk::OutOfRange,
        Chunk::BadTag,
        Chunk::BadLength,
        Chunk::NotUtf8,
        Chunk::NotFinite,
        Chunk::TooMuchState,
    ];
    let mirror = [
        MirrorError::NoBaseline,
        MirrorError::NoMotion,
        MirrorError::BadScope,
        MirrorError::BadTick,
        MirrorError::Broken,
    ];
    let codec = codec.iter().map(|error| match error {
        Error::Truncated | Error::Trailing | Error::BadInteger | Error::BadBool => error,
        Error::BadTag | Error::TooLong | Error::NotUtf8 | Error::NotFinite => error,
        Error::Invalid => error,
    });
    let chunk = chunk.iter().map(|error| match error {
        Chunk::Truncated | Chunk::Trailing | Chunk::NoSuchTable | Chunk::TooLarge => error,
        Chunk::NoSuchRow | Chunk::RowTaken | Chunk::OutOfRange | Chunk::BadTag => error,
        Chunk::BadLength | Chunk::NotUtf8 | Chunk::NotFinite | Chunk::TooMuchState => error,
    });
    let mirror = mirror.iter().map(|error| match error {
        MirrorError::NoBaseline | MirrorError::NoMotion | MirrorError::BadScope => error,
        MirrorError::BadTick | MirrorError::Broken | MirrorError::Chunk(_) => error,
    });
    let codec = codec.map(|error| format!("codec.{error:?}"));
    let chunk = chunk.map(|error| format!("chunk.{error:?}"));
    let mirror = mirror.map(|error| format!("mirror.{error:?}"));
    codec.chain(chunk).chain(mirror).collect()
}

/// Name, bytes as hex digits, error.
pub(crate) type Bad<'a> = (&'a str, String, Error);

pub(crate) fn vectors(decoder: &str, rows: Vec<Bad<'_>>) -> Vec<Json> {
    let each = rows.into_iter().map(|(name, raw, error)| {
        json!({
            "decoder": decoder, "name": name, "bytes": raw, "error": format!("codec.{error:?}"),
        })
    });
    each.collect()
}

/// Bytes that a writer gives.
pub(crate) fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    hex(&out)
}

/// A length of 2^64 - 1, and one of 2^30.
pub(crate) const HUGE: [&str; 2] = ["fdffffffffffffffff", "fc00000040"];

fn bad_primitives() -> Vec<Json> {
    let rows = [
        ("nothing", "bool", "", Error::Truncated),
        ("neither 0 nor 1", "bool", "02", Error::BadBool),
        ("neither 0 nor 1", "bool", "ff", Error::BadBool),
        ("two bytes", "u8", "0000", Error::Trailing),
        ("half of it", "u16", "fb00", Error::Truncated),
        ("7 in three bytes", "u16", "fb0700", Error::BadInteger),
        ("250 in three bytes", "u16", "fbfa00", Error::BadInteger),
        ("in five bytes", "u16", "fc00000100", Error::BadInteger),
        ("in nine bytes", "u16", "fd0700000000000000", Error::BadInteger),
        ("65535 in five bytes", "u32", "fcffff0000", Error::BadInteger),
        ("in nine bytes", "u32", "fd0000000001000000", Error::BadInteger),
        ("2^32 - 1 in nine bytes", "u64", "fdffffffff00000000", Error::BadInteger),
        ("in 17 bytes", "u64", "fe00000000000000000100000000000000", Error::BadInteger),
        ("a first byte that means nothing", "u64", "ff", Error::BadInteger),
        ("-1 in three bytes", "i16", "fb0100", Error::BadInteger),
        ("-1 in five bytes", "i32", "fc01000000", Error::BadInteger),
        ("in nine bytes", "i32", "fd0000000001000000", Error::BadInteger),
        ("-1 in nine bytes", "i64", "fd0100000000000000", Error::BadInteger),
        ("not a number", "f32", "0000c07f", Error::NotFinite),
        ("not a number, with a payload", "f32", "0100807f", Error::NotFinite),
        ("minus infinity", "f32", "000080ff", Error::NotFinite),
        ("not a number", "f64", "000000000000f87f", Error::NotFinite),
        ("infinity", "f64", "000000000000f07f", Error::NotFinite),
        ("a character cut short", "str", "01c3", Error::NotUtf8),
        ("a surrogate", "str", "03eda080", Error::NotUtf8),
        ("an overlong character", "str", "02c080", Error::NotUtf8),
        ("one byte too few", "bytes", "0201", Error::Truncated),
        ("one byte over the limit", "bytes", "fb0102", Error::TooLong),
        ("a length in three bytes", "bytes", "fb010000", Error::BadInteger),
        ("a length of 2^64 - 1", "bytes", HUGE[0], Error::TooLong),
        ("a length of 2^30", "str", HUGE[1], Error::TooLong),
    ];
    let each = rows.iter().map(|(name, sort, raw, error)| {
        json!({
            "decoder": "primitive", "name": name, "type": sort, "bytes": raw,
            "error": format!("codec.{error:?}"),
        })
    });
    each.collect()
}

fn bad_client_messages() -> Vec<Json> {
    let hello = |rest: &str| format!("00544b575201{rest}");
    let long = |len: usize| written(|w| w.bytes(&vec![b'x'; len]));
    let mut rows = vec![
        ("nothing", String::new(), Error::Truncated),
        ("an unknown tag", "08".to_owned(), Error::BadTag),
        ("an unknown tag", "ff".to_owned(), Error::BadTag),
        ("another protocol", "00544b575301000000".to_owned(), Error::BadTag),
        ("a hello cut in the magic", "00544b".to_owned(), Error::Truncated),
        ("a version over 16 bits", "00544b5752fc00000100".to_owned(), Error::BadInteger),
        ("an option that is 2", hello("020000"), Error::BadBool),
        ("a token that is not UTF-8", hello("0001ff00"), Error::NotUtf8),
        ("a token of 1025 bytes", hello(&format!("00{}00", long(1025))), Error::TooLong),
        ("an applied tick over 32 bits", hello("000001fd0000000001000000"), Error::BadInteger),
        ("a hello and more", hello("00000000"), Error::Trailing),
        ("17 inputs", format!("01001100{}", "0000".repeat(17)), Error::TooLong),
        ("fewer inputs than it says", "010002000000".to_owned(), Error::Truncated),
        ("an input before tick 0", "01050100".to_owned() + "0b00", Error::Invalid),
        ("an input after the last tick", "01fcffffffff0100".to_owned() + "0200", Error::Invalid),
        ("an input of 257 bytes", format!("01000100{}{}", "00", long(257)), Error::TooLong),
        ("an acknowledgement and more", "01000000".to_owned(), Error::Trailing),
        ("a command of 8193 bytes", format!("0200{}", long(8193)), Error::TooLong),
        ("an overlong command number", "02fb070000".to_owned(), Error::BadInteger),
        ("chat of 513 bytes", format!("03{}", long(513)), Error::TooLong),
        ("chat that is not UTF-8", "0302c328".to_owned(), Error::NotUtf8),
        ("a message of 16385 bytes", format!("03{}", long(16_381)), Error::TooLong),
        ("a ping without a stamp", "04".to_owned(), Error::Truncated),
        ("no frame at all", "0500".to_owned(), Error::Invalid),
        ("a refresh and more", "0600".to_owned(), Error::Trailing),
        ("a bye and more", "0707".to_owned(), Error::Trailing),
    ];
    for huge in HUGE {
        rows.extend([
            ("a huge token", hello(&format!("00{huge}")), Error::TooLong),
            ("a huge number of inputs", format!("0100{huge}"), Error::TooLong),
            ("a huge input", format!("0100010000{huge}"), Error::TooLong),
            ("a huge command", format!("0200{huge}"), Error::TooLong),
            ("huge chat", format!("03{huge}"), Error::TooLong),
        ]);
    }
    vectors("client_message", rows)
}

fn bad_server_messages() -> Vec<Json> {
    let s = str::to_owned;
    let long = |len: usize| written(|w| w.bytes(&vec![b'x'; len]));
    let sections = |count: u64| written(|w| (0..count).for_each(|scope| w.u64(scope * 4 + 2)));
    let mut rows = vec![
        ("nothing", s(""), Error::Truncated),
        ("an unknown tag", s("08"), Error::BadTag),
        ("a frame with an unknown flag", s("00400100"), Error::BadTag),
        ("a frame that goes nowhere", s("00000000"), Error::Invalid),
        ("a full frame that predicts", s("00030100"), Error::Invalid),
        ("a tick over 32 bits", s("0001fd000000000100000000"), Error::BadInteger),
        ("an overlong depth", s("000801fb010000"), Error::BadInteger),
        ("a hash cut short", s("001001000000"), Error::Truncated),
        ("a section of an unknown form", s("0000010103"), Error::BadTag),
        (
            "a scope of 2^30",
            written(|w| {
                w.raw(&[0, 0, 1, 1]);
                w.u64((1 << 32) + 2);
            }),
            Error::TooLong,
        ),
        ("scopes that descend", s("00000102060200"), Error::Invalid),
        ("a scope twice", s("00000102020200"), Error::Invalid),
        ("a full frame with a change", s("00010101000100"), Error::Invalid),
        ("a full frame with a leave", s("0001010102"), Error::Invalid),
        ("257 sections", format!("000001fb0101{}", sections(257)), Error::TooLong),
        ("a chunk longer than the message", s("0000010100050000"), Error::Truncated),
        ("events, and none", s("0020010000"), Error::Invalid),
        ("1025 events", s("00200100fb0104"), Error::TooLong),
        ("an event of an unknown class", s("00200100010200000000"), Error::BadTag),
        ("an event of 8193 bytes", format!("0020010001000000{}", long(8193)), Error::TooLong),
        ("a frame and more", s("0000010000"), Error::Trailing),
        ("a welcome at 0 Hz", s("010100000001000000000000"), Error::Invalid),
        ("a welcome at 241 Hz", s("01010000f101000000000000"), Error::Invalid),
        ("a welcome without frames", s("010100000100000000000000"), Error::Invalid),
        ("a game's name of 65 bytes", format!("010100{}", long(65)), Error::TooLong),
        ("a reply that is neither", s("020002"), Error::BadTag),
        ("a reply of 8193 bytes", format!("020000{}", long(8193)), Error::TooLong),
        ("a refusal of 121 bytes", format!("02000100{}", long(121)), Error::TooLong),
        ("a refusal that is not UTF-8", s("0200010001ff"), Error::NotUtf8),
        ("a player's name of 65 bytes", format!("0300{}", long(65)), Error::TooLong),
        ("chat of 513 bytes", format!("03000000{}", long(513)), Error::TooLong),
        ("a close code over 16 bits", s("05fc000001000000"), Error::BadInteger),
        ("a reason of 121 bytes", format!("0500{}", long(121)), Error::TooLong),
        ("an address of 513 bytes", format!("06{}", long(513)), Error::TooLong),
        ("a token of 1025 bytes", format!("07{}", long(1025)), Error::TooLong),
        ("a token and more", s("070000"), Error::Trailing),
    ];
    for huge in HUGE {
        rows.extend([
            ("a huge number of sections", format!("000001{huge}"), Error::TooLong),
            ("a huge chunk", format!("0000010100{huge}"), Error::TooLong),
            ("a huge number of events", format!("00200100{huge}"), Error::TooLong),
            ("a huge event", format!("0020010001000000{huge}"), Error::TooLong),
            ("a huge game's name", format!("010100{huge}"), Error::TooLong),
            ("a huge resume token", format!("0101000001010000{huge}"), Error::TooLong),
            ("a huge descriptor", format!("010100000101000000000001{huge}"), Error::TooLong),
            ("a huge reply", format!("020000{huge}"), Error::TooLong),
            ("a huge refusal", format!("02000100{huge}"), Error::TooLong),
            ("huge chat", format!("03000000{huge}"), Error::TooLong),
            ("a huge reason", format!("0500{huge}"), Error::TooLong),
            ("a huge address", format!("06{huge}"), Error::TooLong),
            ("a huge token", format!("07{huge}"), Error::TooLong),
        ]);
    }
    let mut vectors = vectors("server_message", rows);
    let mut large = vectors[0].clone();
    large["name"] = json!("a message of 1048577 bytes");
    large["zeros"] = json!(SERVER_MESSAGE_BYTES_MAX + 1);
    large["error"] = json!(format!("codec.{:?}", Error::TooLong));
    vectors.push(large);
    vectors
}
