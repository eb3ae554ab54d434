use tickwire_protocol::Message;

#[derive(Message)]
struct Chat {
    words: Vec<String>,
    #[net(max_bytes = 9)]
    flags: Option<Vec<bool>>,
}

fn main() {}
