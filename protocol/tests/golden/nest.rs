//! A game whose numbers lie inside of options, lists, variants and arrays, and
//! are sent as differences where they are not new.

use tickwire_protocol::schema::Schema;
use tickwire_protocol::{Entity, Message, Table, Value, World};

#[derive(World)]
pub(crate) struct Store {
    shelves: Table<Shelf>,
}

#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Shelf {
    /// Ten bits where it is new; its default is 10, which is cell 0.
    #[net(min = 10, max = 1000)]
    pub(crate) offset: Option<u16>,
    #[net(max_len = 4, min = -500, max = 500)]
    pub(crate) marks: Vec<i16>,
    #[net(max_len = 3)]
    pub(crate) places: Vec<Place>,
    pub(crate) hold: Hold,
    pub(crate) pair: [Option<u8>; 2],
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) struct Place {
    #[net(min = -64, max = 64, step = 0.25, ring)]
    pub(crate) x: f32,
    pub(crate) hp: u8,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) enum Hold {
    #[default]
    Empty,
    One(#[net(max = 200)] u8),
    Other(#[net(max = 200)] u8),
}

pub(crate) fn schema() -> Schema {
    let [input, command, reply, event] = [(); 4].map(|()| <() as Message>::schema());
    Schema::new(Store::schema(), input, command, reply, event).expect("within the limits")
}
