use tickwire_protocol::{Entity, Value};

#[derive(Entity)]
struct Vault {
    // Too wide to be extrapolated.
    #[net(motion)]
    gold: u128,
    #[net(min = 0, max = 4_294_967_296, motion)]
    silver: u64,
    #[net(min = -1)]
    bronze: u128,
    size: isize,
}

#[derive(Value)]
struct Sum(#[net(min = 0.5)] i128);

fn main() {}
