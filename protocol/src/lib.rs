//! The Tickwire wire: what a game client and a game server must agree on.
//!
//! * [`schema`] says what is replicated; `#[derive(Entity, World, Message, Value)]`
//!   write it, [`value`] and [`table`] are the traits behind them.
//! * [`chunk`] is one scope's change between two ticks, as bits; [`frame`] is
//!   what one client gets for one tick; [`message`] is everything else.
//! * [`client`] is a client without sockets: bytes and time in, bytes and
//!   deadlines out.
//!
//! The format itself is written down, byte by byte, in `docs/PROTOCOL.md`.
//!
//! # Invariants
//!
//! * Nothing here opens a socket, reads a clock, starts a thread or draws a
//!   random number: bytes, [`time`] and randomness are arguments.
//! * No bytes from the network can cause a panic, a loop that does not end, or
//!   an allocation that the bytes do not pay for. Every limit is in [`limits`].
//! * Only [`codec`] knows bincode.

// The derives write `::tickwire_protocol` in here too.
extern crate self as tickwire_protocol;

pub mod bits;
pub mod change;
pub mod chunk;
pub mod client;
pub mod close;
pub mod codec;
pub mod dynamic;
pub mod frame;
pub mod grid;
pub mod hash;
pub mod heap;
pub mod limits;
pub mod message;
pub mod player;
pub mod schema;
pub mod table;
pub mod time;
pub mod token;
pub mod value;

pub use player::PlayerId;
pub use table::{Entity, Id, Scope, Table, World};
pub use tickwire_derive::{Entity, Message, Value, World};
pub use time::{Tick, Time};
pub use value::{Blob, Message, Value};
