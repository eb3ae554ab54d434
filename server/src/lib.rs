//! A real-time multiplayer game state server.

pub mod net;
pub mod world;
