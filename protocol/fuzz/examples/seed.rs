//! Puts the golden vectors into the corpora, for the fuzzers to start from.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Longer ones are long runs of one letter, which teach a fuzzer nothing.
const BYTES_MAX: usize = 1024;

fn main() {
    let messages = |name| list(&file(name)["messages"], |it| unhex(&it["bytes"]));
    put("client_message", messages("client_messages.json"));
    let values = file("values.json");
    put("client_message", list(&values["written"], |it| unhex(&it["bytes"])));
    put("client_message", list(&values["read"], |it| unhex(&it["bytes"])));

    let alone = messages("server_messages.json");
    put("server_frame", alone.iter().map(|message| framed(message)).collect());
    let sequence = |steps: &Json| list(steps, |step| framed(&unhex(&step["bytes"]))).concat();
    put("server_frame", list(&file("stories.json")["stories"], |story| sequence(&story["steps"])));

    let schemas = file("schemas.json");
    let schemas = schemas.as_object().expect("schemas by name").values();
    put("descriptor", schemas.map(|schema| unhex(&schema["descriptor"])).collect());

    // What is refused is one step from what is not.
    for vector in file("malformed.json")["vectors"].as_array().expect("a list") {
        match vector["decoder"].as_str().expect("a text") {
            "client_message" | "value" => put("client_message", vec![unhex(&vector["bytes"])]),
            "server_message" => put("server_frame", vec![framed(&unhex(&vector["bytes"]))]),
            "mirror" => put("server_frame", vec![sequence(&vector["frames"])]),
            "descriptor" => put("descriptor", vec![unhex(&vector["bytes"])]),
            _ => {}
        }
    }
}

/// A message after its length.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("vectors are short");
    [&length.to_le_bytes()[..], message].concat()
}

fn put(target: &str, inputs: Vec<Vec<u8>>) {
    let folder = here().join("corpus").join(target);
    std::fs::create_dir_all(&folder).expect("writes");
    for input in inputs.into_iter().filter(|input| input.len() <= BYTES_MAX) {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let name = format!("golden-{:016x}", hasher.finish());
        std::fs::write(folder.join(name), input).expect("writes");
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn file(name: &str) -> Json {
    let text = std::fs::read_to_string(here().join("../fixtures").join(name)).expect("reads");
    serde_json::from_str(&text).expect("the file is JSON")
}

fn list<T>(of: &Json, each: impl Fn(&Json) -> T) -> Vec<T> {
    of.as_array().expect("a list").iter().map(each).collect()
}

fn unhex(digits: &Json) -> Vec<u8> {
    let digits = digits.as_str().expect("hex digits");
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}
