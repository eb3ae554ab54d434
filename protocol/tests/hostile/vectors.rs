//! The golden vectors as bytes: every valid message there is.

use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;
use tickwire_protocol::schema::{Kind, Schema};

pub(crate) struct Vectors {
    pub(crate) client: Vec<Vec<u8>>,
    pub(crate) server: Vec<Vec<u8>>,
    pub(crate) descriptors: Vec<Vec<u8>>,
    /// Inputs, commands, replies and events of the game, each with its name.
    pub(crate) values: Vec<(String, Vec<u8>)>,
    pub(crate) stories: Vec<Story>,
    /// What is refused, by the name of its decoder.
    pub(crate) malformed: Vec<Malformed>,
    pub(crate) schema: Arc<Schema>,
}

/// Frames that one client gets.
pub(crate) struct Story {
    pub(crate) schema: Arc<Schema>,
    pub(crate) steps: Vec<Step>,
}

/// A frame of a story.
pub(crate) struct Step {
    /// Whether it goes over a new connection.
    pub(crate) resume: bool,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Malformed {
    pub(crate) decoder: String,
    pub(crate) name: String,
    /// Which of the game's messages, for values.
    pub(crate) message: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) error: String,
}

pub(crate) static VECTORS: LazyLock<Vectors> = LazyLock::new(|| {
    let schemas = file("schemas.json");
    let descriptors: Vec<Vec<u8>> = schemas
        .as_object()
        .expect("schemas by name")
        .values()
        .map(|schema| unhex(&schema["descriptor"]))
        .collect();
    let read = |name: &Json| {
        let descriptor = unhex(&schemas[name.as_str().expect("a name")]["descriptor"]);
        Arc::new(Schema::from_descriptor(&descriptor).expect("a descriptor"))
    };
    let messages = |name| list(&file(name)["messages"], |it| unhex(&it["bytes"]));
    let values = file("values.json");
    let body = |it: &Json| (text(&it["message"]), unhex(&it["bytes"]));
    let step = |it: &Json| Step { resume: it["resume"] == true, bytes: unhex(&it["bytes"]) };
    let story = |it: &Json| Story { schema: read(&it["schema"]), steps: list(&it["steps"], step) };
    let flat = |it: &Json| Malformed {
        decoder: text(&it["decoder"]),
        name: text(&it["name"]),
        message: it["message"].as_str().unwrap_or_default().to_owned(),
        bytes: [unhex(&it["bytes"]), zeros(it)].concat(),
        error: text(&it["error"]),
    };
    let malformed = file("malformed.json");
    let refused = malformed["vectors"].as_array().expect("a list");
    Vectors {
        client: messages("client_messages.json"),
        server: messages("server_messages.json"),
        descriptors,
        values: [list(&values["written"], body), list(&values["read"], body)].concat(),
        stories: list(&file("stories.json")["stories"], story),
        malformed: refused.iter().filter(|it| it["bytes"].is_string()).map(flat).collect(),
        schema: read(&malformed["schema"]),
    }
});

/// Whether there is time for more.
pub(crate) fn long() -> bool {
    std::env::var_os("TICKWIRE_LONG").is_some()
}

/// The kind of one of the game's messages.
pub(crate) fn kind(message: &str) -> &'static Kind {
    let schema = &VECTORS.schema;
    match message {
        "input" => &schema.input,
        "command" => &schema.command,
        "reply" => &schema.reply,
        _ => &schema.event,
    }
}

fn file(name: &str) -> Json {
    let path: std::path::PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", name].iter().collect();
    let text = std::fs::read_to_string(path).expect("a committed file");
    serde_json::from_str(&text).expect("the file is JSON")
}

fn list<T>(of: &Json, each: impl Fn(&Json) -> T) -> Vec<T> {
    of.as_array().expect("a list").iter().map(each).collect()
}

fn text(of: &Json) -> String {
    of.as_str().expect("a text").to_owned()
}

/// The zero bytes that follow those of a vector.
fn zeros(of: &Json) -> Vec<u8> {
    vec![0; of["zeros"].as_u64().unwrap_or(0) as usize]
}

fn unhex(of: &Json) -> Vec<u8> {
    let digits = of.as_str().expect("hex digits");
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}
