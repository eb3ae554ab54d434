//! A client without sockets: bytes and time go in, bytes and deadlines come out.

pub mod clock;
pub mod interpolate;
pub mod mirror;
pub mod predict;
pub mod reconnect;
