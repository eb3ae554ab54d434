use tickwire_protocol::Value;

#[derive(Value)]
struct Pos {
    #[net(min = 0)]
    x: f32,
    #[net(min = 0, step = 0.5)]
    y: f32,
}

fn main() {}
