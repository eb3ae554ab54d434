//! A real-time multiplayer game state server.
//!
//! A [`Game`](game::Game) is the rules; the server runs rooms of it on a fixed tick
//! and sends each client what changed. In a program of one's own:
//!
//! ```no_run
//! use tickwire::config::Config;
//! use tickwire::games::arena::Arena;
//! use tickwire::server::{Server, StartError};
//!
//! # async fn run() -> Result<(), StartError> {
//! let server = Server::builder().game::<Arena>().config(Config::default()).bind().await?;
//! println!("{}", server.url());
//! server.run_until(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! In the order of the data: `net` makes WebSockets of connections, [`server`] and
//! `http` find the room for one, [`worker`] runs rooms and their connections,
//! [`room`] is one room, [`world`] its state.

pub mod config;
pub mod directory;
pub mod game;
pub mod games;
mod http;
pub mod metrics;
pub mod net;
pub mod pages;
pub mod room;
pub mod server;
mod text;
pub mod token;
pub mod worker;
pub mod world;

// The tutorial's program is compiled and run with the other examples of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../docs/GAME.md")]
struct Tutorial;
