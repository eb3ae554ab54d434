use tickwire_protocol::Value;

#[derive(Value)]
struct Ship {
    #[net(angle, bits = 25)]
    heading: f32,
    #[net(angle)]
    tilt: f32,
    #[net(bits = 4)]
    speed: f64,
    #[net(bits = 4)]
    hp: u8,
    #[net(angle, bits = 8, step = 0.5)]
    roll: f32,
    #[net(angle, bits = 300)]
    yaw: f32,
}

fn main() {}
