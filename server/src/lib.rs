//! A real-time multiplayer game state server.

pub mod config;
pub mod directory;
pub mod game;
pub mod games;
mod http;
pub mod net;
pub mod room;
pub mod server;
pub mod token;
pub mod worker;
pub mod world;
