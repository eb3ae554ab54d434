//! The client session against a scripted server: bytes, in simulated time.

mod acks;
mod commands;
mod handshake;
mod hostile;
mod inputs;
mod resume;
mod server;
mod time;
mod versions;

/// Asserts that the next event of a session matches a pattern.
macro_rules! expect {
    ($session:expr, $pattern:pat $(if $guard:expr)?) => {
        let event = $session.poll_event();
        assert!(matches!(event, Some($pattern) $(if $guard)?), "{event:?}");
    };
}
pub(crate) use expect;
