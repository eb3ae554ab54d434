use tickwire_protocol::{Table, Value, World};

#[derive(Value)]
struct Ship {
    hp: u8,
}

#[derive(World)]
struct Space {
    ships: Table<Ship>,
}

fn main() {}
