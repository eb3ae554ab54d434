//! A room: a game, its players, and what each of them has seen. Pure: time,
//! randomness, bytes and links are arguments; no clock, no socket, no task.
//!
//! [`AnyRoom`] is what a worker knows of a room, whatever its game; [`Link`] is
//! what a room knows of a connection.

mod api;

pub use api::{
    AnyRoom, Joined, Link, RoomConfig, RoomFull, RoomId, RoomState, SeatId, SeatKey, Sent,
};
