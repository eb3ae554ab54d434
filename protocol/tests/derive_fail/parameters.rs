use tickwire_protocol::{Entity, Message, Value, World};

#[derive(Value)]
struct Pair<T> {
    a: T,
    b: T,
}

#[derive(Message)]
struct Say<'a> {
    text: &'a str,
}

#[derive(Entity)]
struct Board<const N: usize> {
    cells: [u8; N],
}

#[derive(World)]
struct Space<T> {
    things: T,
}

fn main() {}
