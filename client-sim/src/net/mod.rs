//! The way to the server: HTTP, the upgrade, and frames on the socket.
//!
//! What is absent: sessions, and what messages mean.

mod address;
mod door;
mod frames;
mod http;
mod link;
mod stream;

pub(crate) use address::Address;
pub(crate) use door::{Door, DoorError, Game, JoinError, OpenError, Opened, Place, Seat, open};
pub(crate) use frames::{Breach, Came, FrameReader, Opcode, write_frame};
pub(crate) use link::{Link, Lost};
pub(crate) use stream::Stream;
