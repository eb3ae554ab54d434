use tickwire_protocol::{Entity, Table, World};

#[derive(Entity)]
struct Ship {
    hp: u8,
}

#[derive(World)]
struct Space {
    ships: Table<Ship>,
    round: u32,
    fleets: Vec<Table<Ship>>,
}

fn main() {}
