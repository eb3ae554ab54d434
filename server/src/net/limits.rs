//! The limits of one WebSocket: configuration, not constants, so that a test can
//! shorten a deadline and a server can size its sockets.

use std::time::Duration;

use super::bucket::Rate;

/// Bytes of one socket read at least. Inputs are tens of bytes, several fit.
pub(super) const READ_BYTES: usize = 2048;
/// Bytes of a message that is put together in one piece rather than gathered by the
/// kernel.
pub(super) const COPY_BYTES_MAX: usize = 4096;
/// Read buffers that grew beyond this are given back after the frame.
pub(super) const KEEP_BYTES_MAX: usize = 64 * 1024;
/// Bytes thrown away while a closed peer still sends; then the socket is dropped.
pub(super) const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// Pieces of one vectored write: twenty frames of a header and two chunks fit.
pub(super) const WRITE_SLICES_MAX: usize = 64;

const _: () = assert!(WRITE_SLICES_MAX >= 20 * 3, "twenty frames go out in one call");

/// Which data frames a socket understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Whole binary messages only. Text and fragments are refused with 1003;
    /// empty messages are counted and dropped.
    Game,
    /// Text and binary messages, whole or in fragments.
    General,
}

/// What one WebSocket may cost. What happens at a limit stands at its field.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Which data frames are understood.
    pub mode: Mode,
    /// Longest message from the peer. One more byte: 1009, before any is stored.
    pub message_bytes_max: usize,
    /// Bytes queued for the peer. More are refused with [`SendError::Full`](super::SendError).
    pub backlog_bytes_max: usize,
    /// Time from the first byte of a frame to its last. Then: 1008.
    pub frame_deadline: Duration,
    /// Time for the whole close handshake. Then the socket is dropped.
    pub close_deadline: Duration,
    /// Pings and pongs together. Faster: 1008.
    pub controls: Rate,
    /// Data frames without data. Faster: 1008.
    pub empties: Rate,
}

impl Limits {
    /// The limits of a game socket; the caps come from the protocol.
    pub const fn game(message_bytes_max: usize, backlog_bytes_max: usize) -> Self {
        Self {
            mode: Mode::Game,
            message_bytes_max,
            backlog_bytes_max,
            frame_deadline: Duration::from_secs(5),
            close_deadline: Duration::from_secs(2),
            controls: Rate { burst: 32, per_second: 8 },
            empties: Rate { burst: 32, per_second: 8 },
        }
    }

    /// The limits of a socket for any WebSocket client. Empty messages are messages
    /// there, so more of them are let through.
    pub const fn general(message_bytes_max: usize, backlog_bytes_max: usize) -> Self {
        Self {
            mode: Mode::General,
            frame_deadline: Duration::from_secs(60),
            empties: Rate { burst: 1024, per_second: 256 },
            ..Self::game(message_bytes_max, backlog_bytes_max)
        }
    }
}
