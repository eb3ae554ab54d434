use tickwire_protocol::{Entity, Value};

const MOST: u8 = 9;

#[derive(Entity)]
#[net(motion)]
struct Ship {
    #[net(maximum = 9)]
    hp: u8,
    #[net(max = MOST)]
    ammo: u8,
    #[net(max = 9, min = 1)]
    #[net(max = 8)]
    fuel: u8,
    #[net(min = 5, max = 5)]
    crew: u8,
    #[net(angle = true, bits = 8)]
    heading: f32,
    #[net(max_len = "4")]
    cargo: Vec<u8>,
    #[net]
    name: String,
}

#[derive(Value)]
enum Engine {
    Off,
    #[net(max = 100)]
    Cruise(u8),
}

fn main() {}
