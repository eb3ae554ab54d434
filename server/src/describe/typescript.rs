//! A schema as TypeScript: the types that the JavaScript client's values have.
//!
//! | kind | type |
//! |---|---|
//! | integer | `number`; `bigint` if it is wide: not within ±(2^53 − 1), or of a longer range |
//! | reference | `{ slot: number; generation: number } \| null` |
//! | option | the type, or `null`; `{ some: … }` where the value itself can be `null` |
//! | enum | a union of `{ $: "variant"; … }`; only names if no variant carries anything |
//!
//! A variant's name begins with a small letter, unless two would then be the same.
//! `protocol/js/src/value.js` has the same table.

use std::fmt::Write;

use tickwire_protocol::schema::{Field, Kind, Schema, TableSchema, Variant};

/// The largest integer up to which a binary64 knows all.
const SAFE_MAX: i128 = (1 << 53) - 1;

/// A module that exports an interface for each sort of entity, and one for the game.
pub(super) fn types_of(game: &str, schema: &Schema) -> String {
    let mut text = format!(
        "// The types of the game {game:?}, for `join<{}>` of @tickwire/client.\n\
         // Printed by `tickwire schema {game} --ts`.\n\n",
        game_name(game, schema)
    );
    let entities = entities(schema);
    for (index, (name, table)) in entities.iter().enumerate() {
        if entities[..index].iter().all(|(earlier, _)| earlier != name) {
            let _ = writeln!(text, "export interface {name} {{");
            members(&schema.tables[*table].fields, "  ", &mut text);
            text.push_str("}\n\n");
        }
    }
    let _ = writeln!(text, "export interface {} {{\n  tables: {{", game_name(game, schema));
    for (name, table) in &entities {
        let _ = writeln!(text, "    {}: {name};", key(&schema.tables[*table].name));
    }
    text.push_str("  };\n");
    input(&schema.input, &mut text);
    text.push_str("  commands: {\n");
    commands(&schema.command, &mut text);
    let _ = writeln!(text, "  }};\n  reply: {};\n  events: {{", type_of(&schema.reply));
    events(&schema.event, &mut text);
    text.push_str("  };\n}\n");
    text
}

/// The name of each table's entities, and the table's index. Two sorts of one name
/// are told apart by their tables.
fn entities(schema: &Schema) -> Vec<(String, usize)> {
    let tables = &schema.tables;
    let named = tables.iter().enumerate().map(|(index, table)| {
        match tables.iter().any(|other| is_other_sort(table, other)) {
            true => (format!("{}_{}", table.entity, table.name), index),
            false => (table.entity.clone(), index),
        }
    });
    named.collect()
}

fn is_other_sort(table: &TableSchema, other: &TableSchema) -> bool {
    other.entity == table.entity && other.fields != table.fields
}

/// The game's interface: its name with a capital letter.
fn game_name(game: &str, schema: &Schema) -> String {
    let mut chars = game.chars();
    let first = chars.next().filter(char::is_ascii_alphabetic).unwrap_or('G').to_ascii_uppercase();
    let name = format!("{first}{}", chars.as_str());
    let taken = entities(schema).iter().any(|(entity, _)| *entity == name);
    if taken { name + "Game" } else { name }
}

fn members(fields: &[Field], indent: &str, text: &mut String) {
    for field in fields {
        let _ = writeln!(text, "{indent}{}: {};", key(&field.name), type_of(&field.kind));
    }
}

fn input(kind: &Kind, text: &mut String) {
    match kind {
        Kind::Struct(fields) => {
            text.push_str("  input: {\n");
            members(fields, "    ", text);
            text.push_str("  };\n");
        }
        other => {
            let _ = writeln!(text, "  input: {};", type_of(other));
        }
    }
}

/// The fields of each command.
fn commands(kind: &Kind, text: &mut String) {
    match kind {
        Kind::Enum(variants) => {
            for (name, variant) in names(variants).zip(variants) {
                let fields = object(None, &variant.fields);
                let _ = writeln!(text, "    {}: {fields};", key(&name));
            }
        }
        nothing if is_nothing(nothing) => {}
        other => {
            let _ = writeln!(text, "    command: {};", type_of(other));
        }
    }
}

/// What a listener gets of each event.
fn events(kind: &Kind, text: &mut String) {
    match kind {
        Kind::Enum(variants) => {
            let plain = is_plain(variants);
            for (name, variant) in names(variants).zip(variants) {
                let _ = writeln!(text, "    {}: {};", key(&name), case(plain, &name, variant));
            }
        }
        nothing if is_nothing(nothing) => {}
        other => {
            let _ = writeln!(text, "    event: {};", type_of(other));
        }
    }
}

fn is_nothing(kind: &Kind) -> bool {
    matches!(kind, Kind::Struct(fields) if fields.is_empty())
}

fn type_of(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "boolean".into(),
        Kind::Int { min, max, .. } => {
            let safe = -SAFE_MAX <= *min && *max <= SAFE_MAX && max - min <= SAFE_MAX;
            if safe { "number" } else { "bigint" }.into()
        }
        Kind::Float(_) | Kind::Quantised { .. } | Kind::Angle { .. } => "number".into(),
        Kind::Text { .. } => "string".into(),
        Kind::Bytes { .. } => "Uint8Array".into(),
        Kind::Ref { .. } => "{ slot: number; generation: number } | null".into(),
        Kind::Option(of) if matches!(**of, Kind::Option(_) | Kind::Ref { .. }) => {
            format!("{{ some: {} }} | null", type_of(of))
        }
        Kind::Option(of) => format!("{} | null", type_of(of)),
        Kind::Struct(fields) => object(None, fields),
        Kind::Enum(variants) => {
            let plain = is_plain(variants);
            let cases = names(variants).zip(variants);
            let cases: Vec<_> = cases.map(|(name, it)| case(plain, &name, it)).collect();
            cases.join(" | ")
        }
        Kind::List { of, .. } | Kind::Array { of, .. } => format!("({})[]", type_of(of)),
    }
}

fn object(variant: Option<&str>, fields: &[Field]) -> String {
    let variant = variant.map(|name| format!("$: {name:?}"));
    let fields =
        fields.iter().map(|field| format!("{}: {}", key(&field.name), type_of(&field.kind)));
    let members: Vec<_> = variant.into_iter().chain(fields).collect();
    if members.is_empty() { "{}".into() } else { format!("{{ {} }}", members.join("; ")) }
}

fn case(plain: bool, name: &str, variant: &Variant) -> String {
    if plain { format!("{name:?}") } else { object(Some(name), &variant.fields) }
}

/// Whether an enum only names things.
fn is_plain(variants: &[Variant]) -> bool {
    variants.iter().all(|variant| variant.fields.is_empty())
}

/// The names of variants in JavaScript.
fn names(variants: &[Variant]) -> impl Iterator<Item = String> + use<'_> {
    let small = |name: &str| {
        let mut chars = name.chars();
        chars.next().map_or_else(String::new, |first| {
            format!("{}{}", first.to_ascii_lowercase(), chars.as_str())
        })
    };
    let mut all: Vec<_> = variants.iter().map(|variant| small(&variant.name)).collect();
    all.sort_unstable();
    all.dedup();
    let unique = all.len() == variants.len();
    variants.iter().map(
        move |variant| {
            if unique { small(&variant.name) } else { variant.name.clone() }
        },
    )
}

/// A name as a member: in quotes if it begins with a digit.
fn key(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("{name:?}") } else { name.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tickwire_protocol::schema::IntRepr;

    use super::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.into(), kind }
    }

    fn int(repr: IntRepr, min: i128, max: i128) -> Kind {
        Kind::Int { repr, min, max, motion: false }
    }

    fn variant(name: &str, fields: Vec<Field>) -> Variant {
        Variant { name: name.into(), fields }
    }

    #[test]
    fn integers_are_numbers_where_numbers_know_all_of_them() {
        assert_eq!(type_of(&int(IntRepr::U64, 0, SAFE_MAX)), "number");
        assert_eq!(type_of(&int(IntRepr::U64, 0, SAFE_MAX + 1)), "bigint");
        assert_eq!(type_of(&int(IntRepr::I64, -SAFE_MAX, 1)), "bigint");
        assert_eq!(type_of(&int(IntRepr::I64, -SAFE_MAX, 0)), "number");
    }

    #[test]
    fn what_can_be_null_already_is_wrapped_in_an_option() {
        let ship = Kind::Ref { entity: "Ship".into() };
        let maybe = Kind::Option(Box::new(ship));
        let reference = "{ slot: number; generation: number } | null";
        assert_eq!(type_of(&maybe), format!("{{ some: {reference} }} | null"));
        let list = Kind::List { of: Box::new(Kind::Option(Box::new(Kind::Bool))), max: 4 };
        assert_eq!(type_of(&list), "(boolean | null)[]");
    }

    #[test]
    fn variants_have_small_letters_unless_two_would_be_one() {
        let plain = Kind::Enum(vec![variant("Off", vec![]), variant("On", vec![])]);
        assert_eq!(type_of(&plain), r#""off" | "on""#);
        let clash = Kind::Enum(vec![variant("Off", vec![]), variant("off", vec![])]);
        assert_eq!(type_of(&clash), r#""Off" | "off""#);
        let tagged =
            Kind::Enum(vec![variant("Hit", vec![field("0", Kind::Bool)]), variant("Over", vec![])]);
        assert_eq!(type_of(&tagged), r#"{ $: "hit"; "0": boolean } | { $: "over" }"#);
    }

    #[test]
    fn entities_of_one_name_and_different_fields_have_interfaces_of_their_own() {
        let table = |name: &str, kind| TableSchema {
            name: name.into(),
            entity: "Thing".into(),
            fields: vec![field("x", kind)],
        };
        let tables = vec![table("a", Kind::Bool), table("b", Kind::Text { max: 9 })];
        let nothing = Kind::default;
        let schema = Schema::new(tables, nothing(), nothing(), nothing(), nothing()).unwrap();
        let text = types_of("thing", &schema);
        assert!(text.contains("export interface Thing_a {\n  x: boolean;\n}"), "{text}");
        assert!(text.contains("    b: Thing_b;\n"), "{text}");
        assert!(text.contains("export interface Thing {\n  tables: {\n"), "{text}");
    }
}
