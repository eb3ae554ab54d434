//! JSON of the vectors: how values are shown, how files are laid out, and where
//! two files differ.

use serde_json::{Value as Json, json};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::schema::{Field, IntRepr, Kind};

/// Longest line of a file, where it can be broken.
const WIDTH: usize = 100;

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hex digits stand for.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "hex digits come in pairs: {text}");
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits")).collect()
}

/// The bytes of the member `name`.
pub(crate) fn bytes(of: &Json, name: &str) -> Vec<u8> {
    unhex(text(of, name))
}

/// The text of the member `name`.
pub(crate) fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {of}"))
}

/// The elements of the member `name`.
pub(crate) fn list<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    of[name].as_array().unwrap_or_else(|| panic!("no list `{name}` in {of}"))
}

/// A value of a kind: the README of the fixtures says what each becomes.
pub(crate) fn value(kind: &Kind, value: &Value) -> Json {
    match (kind, value) {
        (_, Value::Bool(value)) => json!(value),
        (Kind::Int { repr: IntRepr::U64 | IntRepr::I64, .. }, Value::Int(value)) => {
            json!(value.to_string())
        }
        (_, Value::Int(value)) => json!(i64::try_from(*value).expect("at most 32 bits")),
        (_, Value::Float(value)) => {
            assert!(value.is_finite());
            json!(value)
        }
        (_, Value::Text(text)) => json!(text),
        (_, Value::Bytes(bytes)) => json!(hex(bytes)),
        (_, Value::Ref { generation: 0, .. }) => Json::Null,
        (_, Value::Ref { slot, generation }) => json!({ "slot": slot, "generation": generation }),
        (_, Value::Option(None)) => Json::Null,
        (Kind::Option(of), Value::Option(Some(inner))) => json!({ "some": self::value(of, inner) }),
        (Kind::Struct(fields), Value::Struct(values)) => members(fields, values),
        (Kind::Enum(variants), Value::Enum(name, values)) => {
            let variant = variants.iter().find(|variant| variant.name == *name).expect("exists");
            json!({ name: members(&variant.fields, values) })
        }
        (Kind::List { of, .. } | Kind::Array { of, .. }, Value::List(values)) => {
            values.iter().map(|element| self::value(of, element)).collect()
        }
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}

fn members(fields: &[Field], values: &[(String, Value)]) -> Json {
    assert_eq!(fields.len(), values.len());
    let pairs = fields.iter().zip(values);
    pairs.map(|(field, (name, value))| (name.clone(), self::value(&field.kind, value))).collect()
}

/// The whole file: what fits a line is on one line.
pub(crate) fn layout(json: &Json) -> String {
    let mut out = String::new();
    lay_out(json, 0, 0, &mut out);
    out.push('\n');
    out
}

/// Appends `json`, whose first character stands in column `column`.
fn lay_out(json: &Json, indent: usize, column: usize, out: &mut String) {
    let line = one_line(json);
    let parts = parts(json);
    if parts.is_empty() || column + line.len() < WIDTH {
        out.push_str(&line);
        return;
    }
    let inner = indent + 2;
    out.push_str(&line[..1]);
    for (index, (name, value)) in parts.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&format!("{:inner$}{name}", ""));
        lay_out(value, inner, inner + name.len(), out);
    }
    out.push_str(&format!("\n{:indent$}{}", "", &line[line.len() - 1..]));
}

fn one_line(json: &Json) -> String {
    let parts = parts(json);
    let inside = || {
        let each = parts.iter().map(|(name, value)| format!("{name}{}", one_line(value)));
        each.collect::<Vec<_>>().join(", ")
    };
    match json {
        Json::Array(_) => format!("[{}]", inside()),
        Json::Object(_) => format!("{{{}}}", inside()),
        plain => plain.to_string(),
    }
}

/// What an array or an object holds, each with its name and a colon if it has one.
fn parts(json: &Json) -> Vec<(String, &Json)> {
    match json {
        Json::Array(values) => values.iter().map(|value| (String::new(), value)).collect(),
        Json::Object(members) => {
            members.iter().map(|(name, value)| (format!("{}: ", json!(name)), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Where two documents differ first, and what each has there.
pub(crate) fn difference(a: &Json, b: &Json) -> Option<String> {
    if a == b {
        return None;
    }
    let inside = match (a, b) {
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| Some((index.to_string(), difference(a, b)?)))
        }
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            let mut pairs = a.iter().zip(b.values());
            pairs.find_map(|((name, a), b)| Some((name.clone(), difference(a, b)?)))
        }
        _ => None,
    };
    let start = |json: &Json| one_line(json).chars().take(300).collect::<String>();
    Some(match inside {
        Some((place, rest)) => format!("{place}/{rest}"),
        None => format!(" {} against {}", start(a), start(b)),
    })
}
