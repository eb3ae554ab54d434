//! A swarm of bots.
fn main() {}
