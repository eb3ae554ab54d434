use tickwire_protocol::Value;

#[derive(Value)]
struct Ship {
    #[net(motion)]
    armed: bool,
    #[net(motion)]
    fuel: Option<u8>,
    #[net(motion)]
    weight: f32,
}

fn main() {}
