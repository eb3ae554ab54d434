use tickwire_protocol::{Blob, Value};

#[derive(Value)]
struct Log {
    #[net(max_bytes = 5_000)]
    name: String,
    #[net(max_bytes = 99_999_999_999)]
    picture: Blob,
    #[net(max_len = 1025)]
    lines: Vec<String>,
    #[net(max_len = 9)]
    title: String,
}

fn main() {}
