//! Two versions of one schema: what of the server's the client can use.
//!
//! Things correspond by name. What only the server has is skipped, what only
//! the client has keeps its default. Two things of one name must be of the same
//! sort: a number's range or resolution may differ, its meaning may not.

use crate::codec::{Error, Reader, Writer};
use crate::dynamic::Value;
use crate::schema::{Field, Kind, Schema, TableSchema};

/// A field, table or message that has changed its kind between two versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// Where, as `ships.pos.x`.
    pub place: String,
    /// The kind that the server has.
    pub server: &'static str,
    /// The kind that the client has.
    pub client: &'static str,
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Mismatch { place, server, client } = self;
        write!(f, "{place} is {server} on the server, and {client} in this client")
    }
}

impl core::error::Error for Mismatch {}

/// How one kind of message is translated.
#[derive(Clone, Debug)]
pub(crate) struct Translation {
    /// None if both are the same.
    kinds: Option<(Kind, Kind)>,
}

impl Translation {
    /// From one version of a message to another; they are compatible.
    pub(crate) fn new(from: &Kind, to: &Kind) -> Translation {
        Translation { kinds: (from != to).then(|| (from.clone(), to.clone())) }
    }

    /// Appends the message `body` in the other version.
    pub(crate) fn translate(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some((from, to)) = &self.kinds else {
            out.extend_from_slice(body);
            return Ok(());
        };
        let mut r = Reader::new(body);
        let value = Value::read(from, &mut r)?;
        r.finish()?;
        value.write(to, &mut Writer::new(out));
        Ok(())
    }

    /// Whether the variant that `value` is exists on the other side; always for
    /// what is not an enum.
    pub(crate) fn knows(&self, body: &[u8]) -> bool {
        let Some((Kind::Enum(from), Kind::Enum(to))) = &self.kinds else { return true };
        let tag = Reader::new(body).u32().unwrap_or(u32::MAX) as usize;
        from.get(tag).is_some_and(|variant| to.iter().any(|other| other.name == variant.name))
    }
}

/// Checks that a client with one schema can use a server with another.
pub(crate) fn compatible(server: &Schema, client: &Schema) -> Result<(), Mismatch> {
    let mut walk = Walk { place: Vec::new() };
    for table in &client.tables {
        if let Some(other) = server.tables.iter().find(|other| other.name == table.name) {
            walk.at(&table.name, |walk| walk.fields(&other.fields, &table.fields))?;
        }
    }
    let messages = [
        ("input", &server.input, &client.input),
        ("command", &server.command, &client.command),
        ("reply", &server.reply, &client.reply),
        ("event", &server.event, &client.event),
    ];
    for (name, server, client) in messages {
        // A client may leave out what it has no use for.
        if *client != Kind::default() && *server != Kind::default() {
            walk.at(name, |walk| walk.kind(server, client))?;
        }
    }
    Ok(())
}

/// The server's table that corresponds to a client's.
pub(crate) fn counterpart(server: &Schema, table: &TableSchema) -> Option<usize> {
    server.tables.iter().position(|other| other.name == table.name)
}

struct Walk {
    place: Vec<String>,
}

impl Walk {
    fn at(
        &mut self,
        name: &str,
        check: impl FnOnce(&mut Walk) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        self.place.push(name.to_owned());
        check(self)?;
        self.place.pop();
        Ok(())
    }

    fn fields(&mut self, server: &[Field], client: &[Field]) -> Result<(), Mismatch> {
        for field in client {
            if let Some(other) = server.iter().find(|other| other.name == field.name) {
                self.at(&field.name, |walk| walk.kind(&other.kind, &field.kind))?;
            }
        }
        Ok(())
    }

    fn kind(&mut self, server: &Kind, client: &Kind) -> Result<(), Mismatch> {
        match (server, client) {
            (Kind::Bool, Kind::Bool)
            | (Kind::Int { .. }, Kind::Int { .. })
            | (Kind::Float(_) | Kind::Quantised { .. }, Kind::Float(_) | Kind::Quantised { .. })
            | (Kind::Angle { .. }, Kind::Angle { .. })
            | (Kind::Text { .. }, Kind::Text { .. })
            | (Kind::Bytes { .. }, Kind::Bytes { .. }) => Ok(()),
            (Kind::Ref { entity: a }, Kind::Ref { entity: b }) if a == b => Ok(()),
            (Kind::Option(a), Kind::Option(b)) => self.at("some", |walk| walk.kind(a, b)),
            (Kind::Struct(a), Kind::Struct(b)) => self.fields(a, b),
            (Kind::Enum(a), Kind::Enum(b)) => {
                for variant in b {
                    if let Some(other) = a.iter().find(|other| other.name == variant.name) {
                        self.at(&variant.name, |walk| walk.fields(&other.fields, &variant.fields))?;
                    }
                }
                Ok(())
            }
            (Kind::List { of: a, .. }, Kind::List { of: b, .. }) => {
                self.at("each", |walk| walk.kind(a, b))
            }
            (Kind::Array { of: a, len: m }, Kind::Array { of: b, len: n }) if m == n => {
                self.at("each", |walk| walk.kind(a, b))
            }
            _ => Err(Mismatch {
                place: self.place.join("."),
                server: sort(server),
                client: sort(client),
            }),
        }
    }
}

/// What a kind is called in an error.
fn sort(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "a bool",
        Kind::Int { .. } => "an integer",
        Kind::Float(_) | Kind::Quantised { .. } => "a float",
        Kind::Angle { .. } => "an angle",
        Kind::Text { .. } => "a text",
        Kind::Bytes { .. } => "bytes",
        Kind::Ref { .. } => "a reference to another sort of entity",
        Kind::Option(_) => "an option",
        Kind::Struct(_) => "a struct",
        Kind::Enum(_) => "an enum",
        Kind::List { .. } => "a list",
        Kind::Array { .. } => "an array of another length",
    }
}
