//! The files of vectors: how each is made, and how its bytes are read again.

use std::path::PathBuf;
use std::sync::Once;

use serde_json::Value as Json;

use super::{codes, json, malformed, messages, primitives, schemas, stories, values};

/// A file of vectors.
pub(crate) struct File {
    pub(crate) name: &'static str,
    /// What should be in it.
    pub(crate) produce: fn() -> Json,
    /// Decodes the bytes that are in it, and compares with what they mean.
    pub(crate) verify: fn(&Json),
}

const FILES: [File; 8] = [
    schemas::FILE,
    primitives::FILE,
    codes::FILE,
    values::FILE,
    messages::CLIENT,
    messages::SERVER,
    stories::FILE,
    malformed::FILE,
];

/// What is in a file of vectors.
pub(crate) fn load(name: &str) -> Json {
    let text = std::fs::read_to_string(path(name))
        .unwrap_or_else(|error| panic!("fixtures/{name}: {error}; TICKWIRE_BLESS=1 writes it"));
    serde_json::from_str(&text).expect("the file is JSON")
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", name].iter().collect()
}

/// Writes all files, if that is what was asked for. One file's test reads
/// another's schemas, so whoever comes first writes everything.
fn bless() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("TICKWIRE_BLESS").is_some() {
            for file in FILES {
                std::fs::write(path(file.name), json::layout(&(file.produce)())).expect("writes");
            }
        }
    });
}

/// Compares a file with what the code produces, then reads it from scratch.
pub(crate) fn check(file: &File) {
    bless();
    let committed = load(file.name);
    if let Some(difference) = json::difference(&committed, &(file.produce)()) {
        panic!(
            "fixtures/{}, committed against produced: {difference}\n\
             If the format was meant to change: TICKWIRE_BLESS=1 cargo test --test golden",
            file.name
        );
    }
    (file.verify)(&committed);
}
