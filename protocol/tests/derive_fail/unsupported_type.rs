use std::collections::HashMap;

use tickwire_protocol::{Entity, Value};

#[derive(Entity)]
struct Ship {
    hp: u8,
    cargo: HashMap<u8, u8>,
    count: usize,
    #[net(max_len = 4)]
    letters: Vec<char>,
}

#[derive(Value)]
enum Engine {
    Off,
    Cruise { speed: u8, since: std::time::Duration },
    Warp(char),
}

fn main() {}
