//! What can go wrong in a session, and what follows from it.

use core::fmt;

use crate::client::mirror::{MirrorError, Mismatch};
use crate::close::{Advice, CloseReason};
use crate::codec;
use crate::limits::REASON_BYTES_MAX;
use crate::message::fitting;
use crate::time::Time;

/// The server said something that it must not, or that this client cannot use.
/// The connection is over; [`SessionEvent::Closed`](super::SessionEvent::Closed)
/// says what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionError {
    /// A message, or a body in it, is malformed.
    Malformed(codec::Error),
    /// A frame does not fit the state.
    State(MirrorError),
    /// Something other than Welcome, Moved or Bye came first.
    BeforeWelcome,
    /// A Welcome on a connection that has been welcomed, or before it said hello.
    UnexpectedWelcome,
    /// The server speaks another version of the protocol.
    Version(u16),
    /// The schemas differ, and the server did not describe its own.
    NoDescriptor,
    /// The schema's description cannot be read, or is not the one it is said to be.
    BadDescriptor,
    /// The server's schema has given a name another meaning than the client's.
    Mismatch(Mismatch),
    /// The server wants to go on from a state that this client does not have.
    BadBaseline,
    /// The application left so many events unread that one which may not be lost had no place.
    Backlog,
}

impl SessionError {
    /// The close code for the socket: one that a browser, too, lets a program send.
    pub fn close_code(&self) -> u16 {
        match self {
            SessionError::Version(_) | SessionError::Mismatch(_) | SessionError::Backlog => {
                CloseReason::Normal.code()
            }
            _ => CloseReason::BadMessage.code(),
        }
    }

    /// What the session does about it: it tries again, from the whole state,
    /// unless the same would happen again.
    pub fn advice(&self) -> Advice {
        match self {
            SessionError::Version(_) | SessionError::Mismatch(_) | SessionError::Backlog => {
                Advice::Stop
            }
            _ => Advice::Resume,
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Malformed(error) => error.fmt(f),
            SessionError::State(error) => error.fmt(f),
            SessionError::BeforeWelcome => f.write_str("a message came before the welcome"),
            SessionError::UnexpectedWelcome => f.write_str("a welcome came out of turn"),
            SessionError::Version(version) => {
                write!(f, "the server speaks version {version} of the protocol")
            }
            SessionError::NoDescriptor => {
                f.write_str("the server has another schema and did not describe it")
            }
            SessionError::BadDescriptor => f.write_str("the server's schema cannot be read"),
            SessionError::Mismatch(mismatch) => mismatch.fmt(f),
            SessionError::BadBaseline => {
                f.write_str("the server goes on from a state that is not here")
            }
            SessionError::Backlog => f.write_str("too many events were left unread"),
        }
    }
}

impl core::error::Error for SessionError {}

impl From<codec::Error> for SessionError {
    fn from(error: codec::Error) -> Self {
        SessionError::Malformed(error)
    }
}

impl From<MirrorError> for SessionError {
    fn from(error: MirrorError) -> Self {
        SessionError::State(error)
    }
}

/// Why something is not sent. Nothing of it was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// There is no joined connection; only an input can be given at any time.
    NotJoined,
    /// The body is over its limit in [`crate::limits`].
    TooLong,
    /// Too much is waiting already: [`COMMANDS_MAX`](super::COMMANDS_MAX),
    /// [`REQUESTS_WAITING_MAX`](super::REQUESTS_WAITING_MAX).
    Busy,
    /// The server's version of the game does not have this message.
    Unknown,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::NotJoined => "not joined",
            SendError::TooLong => "the body is too long",
            SendError::Busy => "too many requests are waiting",
            SendError::Unknown => "the server's version of the game does not know this message",
        })
    }
}

impl core::error::Error for SendError {}

/// Why a connection, or the attempt at one, is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The server ended it, and said why.
    Server(CloseReason),
    /// The game does not let this player in, and says why in its own words, for the
    /// player to read. They must be escaped where they are shown.
    Refused(Box<str>),
    /// The socket failed, or could not be opened.
    Lost,
    /// The socket did not open within [`CONNECT_TIMEOUT`](super::CONNECT_TIMEOUT).
    NotOpened,
    /// There was no answer to Hello within [`HELLO_TIMEOUT`](super::HELLO_TIMEOUT).
    NotWelcomed,
    /// Nothing came for [`SILENCE_MAX`](super::SILENCE_MAX), and no answer to
    /// the question whether anybody is there.
    Silent,
    /// The room is at another address now.
    Moved,
    /// The application left.
    Left,
    /// The server broke the rules.
    Error(SessionError),
}

impl Cause {
    /// What the server's last words say.
    pub(super) fn by_server(reason: CloseReason, text: &str) -> Cause {
        match reason {
            CloseReason::Refused => Cause::Refused(fitting(text, REASON_BYTES_MAX).into()),
            other => Cause::Server(other),
        }
    }

    /// The code to close the socket with, if it is still open.
    pub fn close_code(&self) -> u16 {
        match self {
            Cause::Error(error) => error.close_code(),
            _ => CloseReason::Normal.code(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Server(reason) => reason.fmt(f),
            Cause::Refused(text) => write!(f, "refused: {text}"),
            Cause::Lost => f.write_str("the connection was lost"),
            Cause::NotOpened => f.write_str("the connection could not be opened in time"),
            Cause::NotWelcomed => f.write_str("the server did not answer in time"),
            Cause::Silent => f.write_str("the server fell silent"),
            Cause::Moved => f.write_str("the room moved"),
            Cause::Left => f.write_str("left"),
            Cause::Error(error) => error.fmt(f),
        }
    }
}

/// What follows on the end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// At this time [`SessionEvent::Connect`](super::SessionEvent::Connect) asks for a new socket.
    Reconnect(Time),
    /// This seat is of no use any more. The application gets another one, not
    /// before this time, and hands it over with [`Session::rejoin`](super::Session::rejoin).
    NeedSeat {
        /// A delay with jitter, so that not everybody asks at once.
        not_before: Time,
    },
    /// Nothing: the same would happen again.
    End,
    /// Nothing: every attempt was used, or the outage has lasted too long.
    GiveUp,
}
