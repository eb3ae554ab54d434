use tickwire_protocol::Value;

#[derive(Value)]
struct Health(#[net(max = 100.0)] u8);

fn main() {}
