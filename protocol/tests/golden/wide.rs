//! A game with integers of 128 bits: in the form of two halves, of one integer
//! of 64 bits where the bounds allow it, and inside of other kinds.

use tickwire_protocol::schema::Schema;
use tickwire_protocol::{Entity, Message, Table, Value, World};

#[derive(World)]
pub(crate) struct Bank {
    vaults: Table<Vault>,
}

#[derive(Entity, Clone, PartialEq, Debug, Default)]
pub(crate) struct Vault {
    pub(crate) gold: u128,
    pub(crate) debt: i128,
    /// The high half has three values.
    #[net(min = -36_893_488_147_419_103_232, max = 18_446_744_073_709_551_615)]
    pub(crate) balance: i128,
    /// Within one block of 2^64: the high half is the same in all values.
    #[net(min = 18_446_744_073_709_551_621, max = 18_446_744_073_709_551_721)]
    pub(crate) serial: u128,
    /// An `i64` on the wire.
    #[net(min = -1000, max = 1000, motion)]
    pub(crate) height: i128,
    /// A `u64` on the wire, also in the signed type.
    #[net(min = 0, max = 18_446_744_073_709_551_615)]
    pub(crate) count: i128,
    #[net(max_len = 3)]
    pub(crate) rows: Vec<u128>,
    pub(crate) last: Option<i128>,
    pub(crate) pair: [u128; 2],
    pub(crate) note: Note,
}

#[derive(Value, Clone, PartialEq, Debug, Default)]
pub(crate) enum Note {
    #[default]
    Empty,
    Sum(i128),
}

/// The command.
#[derive(Message, Clone, PartialEq, Debug, Default)]
pub(crate) struct Order {
    pub(crate) amount: i128,
    #[net(max = 170_141_183_460_469_231_731_687_303_715_884_105_727)]
    pub(crate) from: u128,
}

pub(crate) fn schema() -> Schema {
    let [input, reply, event] = [(); 3].map(|()| <() as Message>::schema());
    Schema::new(Bank::schema(), input, Order::schema(), reply, event).expect("within the limits")
}
