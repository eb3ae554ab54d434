//! The client session against a scripted server: bytes, in simulated time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acks;
mod commands;
mod crowd;
mod handshake;
mod hostile;
mod inputs;
mod resume;
mod server;
mod simulation;
mod time;
mod versions;

/// Asserts that the next event of a session matches a pattern.
macro_rules! tells {
    ($session:expr, $pattern:pat $(if $guard:expr)?) => {
        let event = $session.poll_event();
        assert!(matches!(event, Some($pattern) $(if $guard)?), "{event:?}");
    };
}
pub(crate) use tells;
