use tickwire_protocol::{Entity, Message, Value, World};

#[derive(Entity)]
pub enum Ship {
    Big,
    Small,
}

#[derive(Value)]
enum Never {}

#[derive(Message)]
union Bits {
    a: u32,
    b: f32,
}

#[derive(World)]
enum Worlds {
    One,
}

#[derive(World)]
struct Tables(u8);

fn main() {}
