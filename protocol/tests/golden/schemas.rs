//! `schemas.json`: descriptors, and what they describe.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tickwire_protocol::schema::{Field, FloatRepr, IntRepr, Kind, Schema, TableSchema, Variant};

use super::json::{bytes, hex, text};
use super::{File, load, nest, wide, world};

pub(crate) const FILE: File = File { name: "schemas.json", produce, verify };

/// A committed schema, from its descriptor.
pub(crate) fn schema(name: &str) -> Arc<Schema> {
    let file = load(FILE.name);
    let descriptor = bytes(&file[name], "descriptor");
    Arc::new(Schema::from_descriptor(&descriptor).expect("a descriptor"))
}

fn produce() -> Json {
    let schemas = [
        ("space", world::schema()),
        ("empty", Schema::default()),
        ("big", big()),
        ("heavy", heavy()),
        ("wide", wide::schema()),
        ("nest", nest::schema()),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), describe(&schema))).collect()
}

fn describe(schema: &Schema) -> Json {
    let mut descriptor = Vec::new();
    schema.write_descriptor(&mut descriptor);
    let mut described = meaning(schema);
    described["descriptor"] = json!(hex(&descriptor));
    described
}

/// Everything about a schema but its bytes.
fn meaning(schema: &Schema) -> Json {
    let table = |table: &TableSchema| json!({ "name": table.name, "entity": table.entity, "fields": fields(&table.fields) });
    json!({
        "hash": format!("{:016x}", schema.hash()),
        "text": schema.to_string().lines().collect::<Vec<_>>(),
        "tables": schema.tables.iter().map(table).collect::<Vec<_>>(),
        "input": kind(&schema.input),
        "command": kind(&schema.command),
        "reply": kind(&schema.reply),
        "event": kind(&schema.event),
    })
}

fn verify(file: &Json) {
    for (name, expected) in file.as_object().expect("schemas by name") {
        let descriptor = bytes(expected, "descriptor");
        let schema = Schema::from_descriptor(&descriptor).expect("a descriptor");
        let mut decoded = meaning(&schema);
        decoded["descriptor"] = json!(text(expected, "descriptor"));
        assert_eq!(decoded, *expected, "{name}");
    }
}

fn fields(fields: &[Field]) -> Json {
    fields.iter().map(|field| json!({ "name": field.name, "kind": kind(&field.kind) })).collect()
}

/// A kind as an object: its sort, and what belongs to it.
pub(crate) fn kind(of: &Kind) -> Json {
    match of {
        Kind::Bool => json!({ "sort": "bool" }),
        Kind::Int { repr, min, max, motion } => json!({
            "sort": "int", "repr": repr.to_string(), "min": min.to_string(),
            "max": max.to_string(), "motion": motion,
        }),
        Kind::Float(repr) => json!({ "sort": "float", "repr": repr.to_string() }),
        Kind::Quantised { repr, min, max, step, ring, motion } => json!({
            "sort": "quantised", "repr": repr.to_string(), "min": min, "max": max, "step": step,
            "ring": ring, "motion": motion,
        }),
        Kind::Angle { repr, bits, motion } => {
            json!({ "sort": "angle", "repr": repr.to_string(), "bits": bits, "motion": motion })
        }
        Kind::Text { max } => json!({ "sort": "text", "max": max }),
        Kind::Bytes { max } => json!({ "sort": "bytes", "max": max }),
        Kind::Ref { entity } => json!({ "sort": "ref", "entity": entity }),
        Kind::Option(of) => json!({ "sort": "option", "of": kind(of) }),
        Kind::Struct(inner) => json!({ "sort": "struct", "fields": fields(inner) }),
        Kind::Enum(variants) => {
            let each = variants.iter();
            let variants = each
                .map(|variant| json!({ "name": variant.name, "fields": fields(&variant.fields) }));
            json!({ "sort": "enum", "variants": variants.collect::<Vec<_>>() })
        }
        Kind::List { of, max } => json!({ "sort": "list", "max": max, "of": kind(of) }),
        Kind::Array { of, len } => json!({ "sort": "array", "len": len, "of": kind(of) }),
    }
}

/// As much of everything as a schema may have, or nearly.
fn big() -> Schema {
    let mut tables: Vec<TableSchema> = (0..62)
        .map(|index| {
            let first = field("a", kinds(index));
            let second = field("b", kinds(index + 5));
            table(&format!("table_{index}"), vec![first, second])
        })
        .collect();
    let leaves = (0..64).map(|index| field(&format!("leaf_{index}"), kinds(index)));
    tables.push(table("leaves", leaves.collect()));
    tables.push(table(&"t".repeat(64), vec![field("cells", array(u8s(), 1024))]));
    let variants = (0..256).map(|index| Variant { name: format!("v{index}"), fields: Vec::new() });
    let mut deep = Kind::Bool;
    for level in 0..7 {
        deep = match level % 3 {
            0 => Kind::Option(Box::new(deep)),
            1 => Kind::Struct(vec![field("in", deep)]),
            _ => Kind::List { of: Box::new(deep), max: 2 },
        };
    }
    let nothing = Kind::default();
    Schema::new(tables, deep, Kind::Enum(variants.collect()), nothing.clone(), nothing)
        .expect("within the limits")
}

/// Rows as large as they get, for few bits.
fn heavy() -> Schema {
    let tables = vec![table("blocks", vec![field("cells", array(u8s(), 1024))])];
    let nothing = Kind::default;
    Schema::new(tables, nothing(), nothing(), nothing(), nothing()).expect("within the limits")
}

fn table(name: &str, fields: Vec<Field>) -> TableSchema {
    TableSchema { name: name.to_owned(), entity: format!("E{}", name.len()), fields }
}

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.to_owned(), kind }
}

fn u8s() -> Kind {
    Kind::Int { repr: IntRepr::U8, min: 0, max: 255, motion: false }
}

fn array(of: Kind, len: u32) -> Kind {
    Kind::Array { of: Box::new(of), len }
}

/// One kind after the other, at the borders of what is allowed.
fn kinds(index: usize) -> Kind {
    let int = |repr: IntRepr, min, max, motion| Kind::Int { repr, min, max, motion };
    let whole = |repr: IntRepr| int(repr, repr.range().0, repr.range().1, false);
    let (f32, f64) = (FloatRepr::F32, FloatRepr::F64);
    let grid =
        |repr, min, max, step, ring, motion| Kind::Quantised { repr, min, max, step, ring, motion };
    match index % 26 {
        0 => Kind::Bool,
        1 => whole(IntRepr::U8),
        2 => whole(IntRepr::U16),
        3 => whole(IntRepr::U32),
        4 => whole(IntRepr::U64),
        5 => whole(IntRepr::I8),
        6 => whole(IntRepr::I16),
        7 => whole(IntRepr::I32),
        8 => whole(IntRepr::I64),
        9 => int(IntRepr::U32, 0, u32::MAX.into(), true),
        10 => int(IntRepr::I64, i64::MIN.into(), i128::from(i64::MIN) + 1, true),
        11 => int(IntRepr::U64, i128::from(u64::MAX) - 1, u64::MAX.into(), false),
        12 => Kind::Float(f32),
        13 => Kind::Float(f64),
        14 => grid(f32, -1.0, 1.0, 0.001, false, true),
        15 => grid(f64, -1e6, 1e6, 0.000_5, true, true),
        16 => grid(f64, 1e-3, 4.294_967_295e6, 1e-3, false, false),
        17 => Kind::Angle { repr: f32, bits: 1, motion: false },
        18 => Kind::Angle { repr: f64, bits: 24, motion: true },
        19 => Kind::Text { max: 4096 },
        20 => Kind::Bytes { max: 1 },
        21 => Kind::Ref { entity: "E7".to_owned() },
        22 => Kind::Option(Box::new(Kind::Text { max: 250 })),
        23 => Kind::Enum(vec![
            Variant { name: "None".to_owned(), fields: Vec::new() },
            Variant { name: "One".to_owned(), fields: vec![field("0", Kind::Bool)] },
        ]),
        24 => Kind::List { of: Box::new(u8s()), max: 8 },
        _ => array(Kind::Struct(vec![field("x", u8s()), field("y", Kind::Bool)]), 2),
    }
}
