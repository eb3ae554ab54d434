//! Descriptors that are refused, and values that are not of their kind.

use serde_json::{Value as Json, json};
use tickwire_protocol::codec::Error;

use super::malformed::{Bad, HUGE, vectors, written};

pub(crate) fn all() -> Vec<Json> {
    let mut all = vectors("descriptor", bad_bytes());
    let invalid = bad_schemas().into_iter().map(|(name, raw)| (name, raw, Error::Invalid));
    all.extend(vectors("descriptor", invalid.collect()));
    all.extend(bad_values());
    all
}

/// A kind: a struct without fields.
const NOTHING: &str = "0900";

/// The descriptor of a schema whose input is of a kind, and that has nothing else.
fn input(kind: &str) -> String {
    format!("00{kind}{}", NOTHING.repeat(3))
}

/// The descriptor of a schema with one table of one field.
fn table(kind: &str) -> String {
    format!("01{}{}01{}{kind}{}", text("t"), text("T"), text("f"), NOTHING.repeat(4))
}

fn text(text: &str) -> String {
    written(|w| w.str(text))
}

/// Things with names of their own, each followed by `rest`.
fn named(count: usize, rest: &str) -> String {
    (0..count).map(|index| text(&format!("n{index}")) + rest).collect()
}

/// A struct whose fields are all of one kind.
fn fields(count: usize, kind: &str) -> String {
    format!("09{count:02x}{}", named(count, kind))
}

fn grid(min: f64, max: f64, step: f64, ring: bool) -> String {
    let flags = if ring { "02" } else { "00" };
    let bounds = [min, max, step].map(|bound| written(|w| w.raw(&bound.to_le_bytes())));
    format!("0300{flags}{}", bounds.concat())
}

/// What is no descriptor at all.
fn bad_bytes() -> Vec<Bad<'static>> {
    let many = named(33, &format!("{}40{}", text("T"), named(64, "00")));
    let mut rows = vec![
        ("nothing", String::new(), Error::Truncated),
        ("three messages of four", format!("00{}", NOTHING.repeat(3)), Error::Truncated),
        ("five messages", format!("00{}", NOTHING.repeat(5)), Error::Trailing),
        ("an unknown kind", input("0d"), Error::BadTag),
        ("an unknown integer", input("0108000000"), Error::BadTag),
        ("an unknown float", input("0202"), Error::BadTag),
        ("an integer in a ring", input("0100020001"), Error::BadTag),
        ("an angle with unknown flags", input("04000208"), Error::BadTag),
        ("an overlong limit", input("05fb0700"), Error::BadInteger),
        ("a limit over 32 bits", input("05fd0000000001000000"), Error::BadInteger),
        ("a grid that starts nowhere", input(&grid(f64::NAN, 1.0, 1.0, false)), Error::NotFinite),
        ("a grid without end", input(&grid(0.0, f64::INFINITY, 1.0, false)), Error::NotFinite),
        ("a name that is not UTF-8", input("090101ff00"), Error::NotUtf8),
        ("a name of 65 bytes", input(&format!("0901{}00", text(&"n".repeat(65)))), Error::TooLong),
        ("65 tables", format!("41{}", named(65, "014500")), Error::TooLong),
        ("65 fields", input(&fields(65, "00")), Error::TooLong),
        ("257 variants", input(&format!("0afb0101{}", named(257, "00"))), Error::TooLong),
        ("2112 kinds", format!("21{many}{}", NOTHING.repeat(4)), Error::TooLong),
        (
            "2049 kinds",
            {
                let table = |index: usize, count: usize| {
                    format!(
                        "{}{}{count:02x}{}",
                        text(&format!("t{index}")),
                        text("E"),
                        named(count, "00")
                    )
                };
                let tables: String = (0..31).map(|index| table(index, 64)).collect();
                format!("20{tables}{}{}", table(31, 61), NOTHING.repeat(4))
            },
            Error::TooLong,
        ),
        ("kinds ten deep", input(&format!("{}00", "08".repeat(9))), Error::TooLong),
        ("kinds a thousand deep", input(&format!("{}00", "08".repeat(1000))), Error::TooLong),
    ];
    for huge in HUGE {
        rows.extend([
            ("a huge number of tables", huge.to_owned(), Error::TooLong),
            ("a huge name of a table", format!("01{huge}"), Error::TooLong),
            ("a huge number of fields", input(&format!("09{huge}")), Error::TooLong),
            ("a huge name of a field", input(&format!("0901{huge}")), Error::TooLong),
            ("a huge number of variants", input(&format!("0a{huge}")), Error::TooLong),
            ("a huge name of an entity", input(&format!("07{huge}")), Error::TooLong),
        ]);
    }
    rows
}

/// Well-formed descriptors of schemas that cannot be.
fn bad_schemas() -> Vec<(&'static str, String)> {
    let line = |min, max, step| input(&grid(min, max, step, false));
    let two_tables = format!("02{}{}", named(1, "014500"), named(1, "014500"));
    let two_fields = format!("0902{}{}", named(1, "00"), named(1, "00"));
    let two_variants = format!("0a02{}{}", named(1, "00"), named(1, "00"));
    vec![
        ("a field without a name", input("09010000")),
        ("a name with a space", input(&format!("0901{}00", text("a b")))),
        ("a name beyond ASCII", input(&format!("0901{}00", text("ä")))),
        ("two tables of one name", format!("{two_tables}{}", NOTHING.repeat(4))),
        ("two fields of one name", input(&two_fields)),
        ("two variants of one name", input(&two_variants)),
        ("a range of one integer", input("0100000505")),
        ("a range that goes down", input("0100000605")),
        ("a u8 up to 256", input("01000000fb0001")),
        ("an i8 from -129", input("010400fb010100")),
        ("a grid of one point", line(1.0, 1.0, 1.0)),
        ("a grid that goes down", line(1.0, 0.0, 1.0)),
        ("a grid without a step", line(0.0, 1.0, 0.0)),
        ("a grid with a step down", line(0.0, 1.0, -1.0)),
        ("a grid of half a step", line(0.0, 1.0, 2.0)),
        ("a grid of 2^32 steps", line(0.0, 4_294_967_296.0, 1.0)),
        ("a grid whose width overflows", line(-f64::MAX, f64::MAX, 1e300)),
        ("a grid beyond an f32", line(0.0, 1e39, 1e38)),
        ("a grid whose last point overflows", {
            line(0.0, f64::MAX, f64::MAX / 1.5).replacen("0300", "0301", 1)
        }),
        ("a ring of one step", input(&grid(0.0, 1.0, 1.0, true))),
        ("an angle of no bits", input("04000000")),
        ("an angle of 25 bits", input("04000019")),
        ("a text of at most nothing", input("0500")),
        ("a text of 4097 bytes", input("05fb0110")),
        ("4097 bytes", input("06fb0110")),
        ("a reference to nothing", input("0700")),
        ("an enum without variants", input("0a00")),
        ("a list of at most nothing", input("0b0000")),
        ("a list of 1025", input("0bfb010400")),
        ("a list that takes 1025 cells", input("0bfb000400")),
        ("an array of nothing", input("0c0000")),
        ("an array of 1025", input("0cfb010400")),
        ("an array of emptiness", input(&format!("0c02{NOTHING}"))),
        ("a row of 1025 cells", table(&format!("0902{}0cfb000400{}00", text("a"), text("b")))),
        ("65 leaves", table(&format!("0902{}{}{}00", text("a"), fields(64, "00"), text("b")))),
        ("64 leaves and an empty struct", {
            table(&format!("0902{}{}{}{NOTHING}", text("a"), fields(64, "00"), text("b")))
        }),
        ("65 leaves in a variant", {
            let payload = format!("{}{}{}00", text("a"), fields(64, "00"), text("b"));
            input(&format!("0a01{}02{payload}", text("V")))
        }),
        ("65 leaves three structs deep", {
            let inner = format!("0902{}{}{}00", text("a"), fields(63, "00"), text("b"));
            let middle = format!("0901{}{inner}", text("c"));
            table(&format!("0902{}{middle}{}00", text("d"), text("e")))
        }),
        ("an enum at depth 7", input(&format!("{}0a01{}00", "08".repeat(7), text("V")))),
        ("a list at depth 7", input(&format!("{}0b0100", "08".repeat(7)))),
        ("a text in an option of at most nothing", input("080500")),
        (
            "a name of an entity with a dot",
            format!("01{}{}00{}", text("t"), text("T.U"), NOTHING.repeat(4)),
        ),
        ("motion over 2^32 values", table("01030100fd0000000001000000")),
        ("kinds nine deep", input(&format!("{}00", "08".repeat(8)))),
    ]
}

/// Messages of the game that are not what its schema says.
fn bad_values() -> Vec<Json> {
    let long = |len: usize| written(|w| w.bytes(&vec![b'x'; len]));
    let s = str::to_owned;
    let mut rows = vec![
        ("input", "nothing", String::new(), Error::Truncated),
        ("input", "a flag that is 2", s("0002000000000000"), Error::BadBool),
        ("input", "an overlong angle", s("0000fb0700000000000000"), Error::BadInteger),
        ("input", "not a number", s("000000000000c07f"), Error::NotFinite),
        ("input", "infinity", s("000000000000807f"), Error::NotFinite),
        ("input", "minus infinity", s("00000000000080ff"), Error::NotFinite),
        ("input", "an input and more", s("000000000000000000"), Error::Trailing),
        ("command", "an unknown variant", s("07"), Error::BadTag),
        ("command", "a variant of 2^32 - 1", s("fcffffffff"), Error::BadTag),
        ("command", "a variant over 32 bits", s("fd0000000001000000"), Error::BadInteger),
        ("command", "an overlong variant", s("fb0000"), Error::BadInteger),
        ("command", "a name of 9 bytes", format!("040000{}", long(9)), Error::TooLong),
        ("command", "a name that is not UTF-8", s("04000001ff"), Error::NotUtf8),
        ("command", "a slot of 65,536", s("04fc000001000100"), Error::Invalid),
        ("command", "nobody in slot 1", s("04010000"), Error::Invalid),
        ("command", "4097 bytes", format!("05{}", long(4097)), Error::TooLong),
        ("command", "601 elements", format!("06{}", long(601)), Error::TooLong),
        ("command", "fewer elements than it says", s("06fa0102"), Error::Truncated),
        ("event", "an unknown variant", s("03"), Error::BadTag),
        ("reply", "a flag that is 255", s("00ff"), Error::BadBool),
    ];
    for huge in HUGE {
        rows.extend([
            ("command", "a huge name", format!("040000{huge}"), Error::TooLong),
            ("command", "huge bytes", format!("05{huge}"), Error::TooLong),
            ("command", "a huge list", format!("06{huge}"), Error::TooLong),
            ("event", "a huge text", format!("020000{huge}"), Error::TooLong),
        ]);
    }
    let each = rows.into_iter().map(|(message, name, raw, error)| {
        json!({
            "decoder": "value", "message": message, "name": name, "bytes": raw,
            "error": format!("codec.{error:?}"),
        })
    });
    each.collect()
}
