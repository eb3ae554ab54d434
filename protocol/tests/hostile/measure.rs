//! Decoders under a memory limit: each function decodes, asserts that the peak
//! of what was allocated meanwhile is within its bound, and gives what came out.

use tickwire_protocol::Message;
use tickwire_protocol::client::mirror::Mirror;
use tickwire_protocol::codec::{Error, Reader};
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::schema::layout::{Layout, Node, Record};
use tickwire_protocol::schema::{Field, Kind, Schema};

/// What a decoder may always take, beside what the bytes hold.
const SLACK: usize = 4096;

/// A vector that grows holds its old and its new memory for a moment, and the
/// new is twice the old: three times what is in it.
const GROWING: usize = 3;

fn measure<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let mut out = None;
    let info = allocation_counter::measure(|| out = Some(run()));
    (out.expect("it ran"), info.bytes_max as usize)
}

#[track_caller]
fn check(what: &str, raw: &[u8], peak: usize, bound: usize) {
    assert!(peak <= bound, "{what}: {peak} bytes over {bound} for {} bytes: {raw:x?}", raw.len());
}

/// Bytes of the shortest description of a field or of what is as large: a name
/// of one letter has two, its kind has one.
const DESCRIBED_BYTES: usize = 3;

/// The bound that holds for every decoder where a length lies.
pub(crate) fn strict<T>(raw: &[u8], run: impl FnOnce() -> T) -> T {
    let (out, peak) = measure(run);
    check("a length that lies", raw, peak, raw.len() + SLACK);
    out
}

/// Messages of a client borrow from the bytes: nothing is allocated at all.
pub(crate) fn client(raw: &[u8]) -> Result<(), Error> {
    let (read, peak) = measure(|| ClientMessage::read(raw).map(drop));
    check("client message", raw, peak, 0);
    read
}

/// Messages of a server as well, frames included.
pub(crate) fn server(raw: &[u8]) -> Result<(), Error> {
    let (read, peak) = measure(|| ServerMessage::read(raw).map(drop));
    check("server message", raw, peak, 0);
    read
}

/// A compiled message: its texts are bytes of the message, its lists short.
pub(crate) fn typed<T: Message>(raw: &[u8]) -> Result<T, Error> {
    let (read, peak) = measure(|| T::decode(raw));
    check("compiled message", raw, peak, raw.len() + SLACK);
    read
}

/// A message by its schema: malformed, it costs nothing. Well-formed, it holds a
/// name beside every value, and that is what the bound is made of. An element of
/// a list is only there if a byte is.
pub(crate) fn dynamic(kind: &Kind, raw: &[u8]) -> Result<Value, Error> {
    let (read, peak) = measure(|| {
        let mut r = Reader::new(raw);
        let value = Value::read(kind, &mut r)?;
        r.finish()?;
        Ok(value)
    });
    let bound = match &read {
        // The bytes after a value are found when it is there.
        Err(error) if *error != Error::Trailing => 0,
        _ => raw.len() + value_bytes(kind, raw.len()),
    };
    check("message by schema", raw, peak, bound);
    read
}

/// The most that a value can take beside its texts, of a message of `length` bytes.
fn value_bytes(kind: &Kind, length: usize) -> usize {
    let fields = |fields: &[Field]| -> usize {
        fields.iter().map(|it| 24 + it.name.len() + value_bytes(&it.kind, length)).sum()
    };
    size_of::<Value>()
        + match kind {
            Kind::Option(of) => value_bytes(of, length),
            Kind::Struct(inner) => fields(inner),
            Kind::Enum(variants) => {
                let each = variants.iter().map(|it| it.name.len() + fields(&it.fields));
                each.max().unwrap_or(0)
            }
            Kind::List { of, max } => (*max as usize).min(length) * value_bytes(of, length),
            Kind::Array { of, len } => *len as usize * value_bytes(of, length),
            _ => 0,
        }
}

/// A descriptor: malformed, it costs nothing. Well-formed, a field takes three
/// bytes at least, and [`Field`] is what it becomes; a table and a variant are
/// less for more bytes. Its rules are checked on what it became.
pub(crate) fn descriptor(raw: &[u8]) -> Result<Schema, Error> {
    let (read, peak) = measure(|| Schema::from_descriptor(raw));
    let bound = match &read {
        Err(error) if *error != Error::Invalid => 0,
        _ => raw.len() + SLACK + size_of::<Field>() * raw.len().div_ceil(DESCRIBED_BYTES),
    };
    check("descriptor", raw, peak, bound);
    read
}

/// Applies what is a frame; `None` if it is not, else whether it could be applied.
pub(crate) fn apply(mirror: &mut Mirror, raw: &[u8]) -> Option<bool> {
    let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(raw) else { return None };
    let before = state_bytes(mirror);
    let (applied, peak) = measure(|| mirror.apply(&frame).is_ok());
    let state = before.max(state_bytes(mirror)) + removed_bytes(mirror);
    check("frame", raw, peak, GROWING * (raw.len() + state) + SLACK);
    Some(applied)
}

/// What a row takes beside its cells, at most: what is known of it, its place in
/// the lists of a frame's changes, and a page of the index to itself.
const ROW_BYTES: usize = 32 + 64 + 512;
/// What the index of a table takes that has rows.
const INDEX_BYTES: usize = 4096;
/// What a text takes beside its bytes.
const TEXT_BYTES: usize = 64;

/// What the rows take that are there.
fn state_bytes(mirror: &Mirror) -> usize {
    let tables = 0..mirror.schema().tables.len();
    let each = tables.map(|table| {
        let row = row_bytes(mirror.layout(), table);
        let rows = mirror.rows(table).count();
        rows * row + if rows > 0 { INDEX_BYTES } else { 0 }
    });
    each.sum::<usize>() + mirror.heap().bytes()
}

/// What the rows took that the last frame removed.
fn removed_bytes(mirror: &Mirror) -> usize {
    mirror.changes().rows.iter().map(|change| row_bytes(mirror.layout(), change.table)).sum()
}

fn row_bytes(layout: &Layout, table: usize) -> usize {
    let table = &layout.tables[table];
    let motions = table.motion.count_ones() as usize;
    8 * (table.cells + motions) + ROW_BYTES + TEXT_BYTES * texts(&table.record)
}

/// How many texts a record has at most.
fn texts(record: &Record) -> usize {
    fn of(node: &Node) -> usize {
        match node {
            Node::Scalar(_) | Node::Ref => 0,
            Node::Text { .. } => 1,
            Node::Option(inner) => of(inner),
            Node::Enum { variants, .. } => variants.iter().map(texts).max().unwrap_or(0),
            Node::List { of: inner, max: count, .. }
            | Node::Array { of: inner, len: count, .. } => count * of(inner),
            Node::Record(record) => texts(record),
        }
    }
    record.leaves.iter().map(|leaf| of(&leaf.node)).sum()
}
