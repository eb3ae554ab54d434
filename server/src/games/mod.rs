//! The built-in games: each one file, each a model to copy.

pub mod arena;
