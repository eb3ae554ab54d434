use tickwire_protocol::Value;

#[derive(Value)]
struct Pos {
    #[net(min = 0, max = 8, step = 2)]
    x: u8,
}

fn main() {}
