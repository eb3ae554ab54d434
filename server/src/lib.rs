//! A real-time multiplayer game state server.

pub mod game;
pub mod net;
pub mod room;
pub mod world;
