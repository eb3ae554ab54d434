//! One connection on its worker: the link that its room writes to, and the task
//! that drives its socket.
//!
//! The room's tick writes to the socket itself; the driver is only woken for what
//! the peer sends, when the kernel was full and has room again, and to look
//! whether the peer lives. Both share the socket on one thread, and neither holds
//! it across a call to the other.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_protocol::message::ServerMessage;
use tokio::time::{Instant, sleep};

use crate::net::{Bucket, Ended, Flushed, Limits, Message, Rate, Transport, WebSocket};
use crate::room::{Link, Sent};

/// A peer that has sent nothing for so long is asked whether it lives; after as
/// long again without an answer, it does not.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Messages of any kind, whatever the room thinks of them: an input for each of
/// 240 ticks a second, acknowledgements and pings fit twice. Faster: 1008.
const MESSAGES: Rate = Rate { burst: 1024, per_second: 512 };
/// Bytes for pongs and a goodbye, beside one message.
const SLACK_BYTES: usize = 4096;

/// The limits of a game's sockets.
pub(crate) const LIMITS: Limits =
    Limits::game(CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX + SLACK_BYTES);

/// A socket that a room and a driver share.
pub(super) struct Connection<T: Transport> {
    /// Taken by the driver when the end has come.
    socket: RefCell<Option<Socket<T>>>,
    /// The room waits until the kernel has all.
    room_waits: Cell<bool>,
    /// A room has taken it.
    joined: Cell<bool>,
}

type Socket<T> = WebSocket<<T as Transport>::Read, <T as Transport>::Write>;

/// What a driver learns.
pub(super) enum Heard {
    /// A message of the peer.
    Message(Bytes),
    /// What the room waits for has been written.
    Written,
    /// The connection is at its end.
    Ended(Ended),
}

impl<T: Transport> Connection<T> {
    pub(super) fn new(stream: T, unread: &[u8]) -> Rc<Self> {
        let socket = stream.into_socket(unread, &LIMITS);
        Rc::new(Connection {
            socket: RefCell::new(Some(socket)),
            room_waits: Cell::new(false),
            joined: Cell::new(false),
        })
    }

    /// Says goodbye and ends the connection, unless somebody did before.
    pub(super) fn close(&self, reason: CloseReason, text: &str, retry_after: Duration) {
        if let Some(socket) = &mut *self.socket.borrow_mut() {
            farewell(socket, reason, text, retry_after);
        }
    }

    /// From now on, a link that is dropped means that the room is gone.
    pub(super) fn joined(&self) {
        self.joined.set(true);
    }

    /// Tells what the driver must know, until the end.
    pub(super) async fn drive(&self, mut hear: impl FnMut(Heard)) {
        let born = Instant::now();
        let mut budget = Bucket::new(MESSAGES);
        let mut watch = Watch::default();
        let mut silence = pin!(sleep(SILENCE_MAX));
        loop {
            let heard = poll_fn(|cx| {
                while silence.as_mut().poll(cx).is_ready() {
                    silence.as_mut().reset(Instant::now() + SILENCE_MAX);
                    self.look(&mut watch);
                }
                self.poll_heard(cx)
            });
            match heard.await {
                Heard::Message(_) if !budget.take(born.elapsed()) => {
                    self.close(CloseReason::Policy, CloseReason::Policy.text(), Duration::ZERO);
                }
                ended @ Heard::Ended(_) => return hear(ended),
                other => hear(other),
            }
        }
    }

    fn poll_heard(&self, cx: &mut Context<'_>) -> Poll<Heard> {
        let mut place = self.socket.borrow_mut();
        let Some(socket) = &mut *place else {
            return Poll::Ready(Heard::Ended(Ended::ByServer(CloseReason::Normal.code())));
        };
        match socket.poll_next(cx) {
            Poll::Ready(Ok(Message::Binary(bytes) | Message::Text(bytes))) => {
                Poll::Ready(Heard::Message(bytes))
            }
            Poll::Ready(Err(ended)) => Poll::Ready(Heard::Ended(ended)),
            Poll::Pending if self.room_waits.get() && socket.backlog_bytes() == 0 => {
                self.room_waits.set(false);
                Poll::Ready(Heard::Written)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Asks a silent peer whether it lives, or gives it up.
    fn look(&self, watch: &mut Watch) {
        if let Some(socket) = &mut *self.socket.borrow_mut() {
            let frames = socket.frames_read();
            if frames != watch.frames {
                *watch = Watch { frames, asked: false };
            } else if !watch.asked {
                watch.asked = true;
                // It is flushed by the poll that follows.
                let _ = socket.queue_ping();
            } else {
                farewell(socket, CloseReason::TooSlow, CloseReason::TooSlow.text(), Duration::ZERO);
            }
        }
    }

    /// Completes the close handshake, within its deadline.
    pub(super) async fn finish(&self) {
        let socket = self.socket.borrow_mut().take();
        if let Some(socket) = socket {
            socket.finish().await;
        }
    }
}

/// What a driver knows of a peer's life.
#[derive(Default)]
struct Watch {
    /// Frames of the peer when it was looked at last.
    frames: u64,
    /// It was silent then, and has been sent a ping.
    asked: bool,
}

/// The room's end of a connection. A link that is dropped before it was closed
/// has lost its room: the peer is told that it failed.
pub(super) struct RoomLink<T: Transport> {
    connection: Rc<Connection<T>>,
    /// The room has sent something: then it says goodbye itself.
    spoken: bool,
    closed: bool,
}

impl<T: Transport> RoomLink<T> {
    pub(super) fn new(connection: Rc<Connection<T>>) -> Self {
        RoomLink { connection, spoken: false, closed: false }
    }
}

impl<T: Transport> Link for RoomLink<T> {
    fn send(&mut self, own: &[u8], shared: &[Bytes]) -> Sent {
        let mut place = self.connection.socket.borrow_mut();
        let Some(socket) = &mut *place else {
            return Sent::Gone;
        };
        self.spoken = true;
        if socket.queue_binary(own, shared).is_err() {
            return Sent::Gone;
        }
        match socket.try_flush() {
            Flushed::All => Sent::All,
            Flushed::Partly => {
                self.connection.room_waits.set(true);
                Sent::Waits
            }
            Flushed::Closed => Sent::Gone,
        }
    }

    fn close(&mut self, reason: CloseReason, text: &str) {
        self.closed = true;
        if !self.spoken {
            self.connection.close(reason, text, Duration::ZERO);
        } else if let Some(socket) = &mut *self.connection.socket.borrow_mut() {
            socket.close(reason, text);
        }
    }
}

impl<T: Transport> Drop for RoomLink<T> {
    fn drop(&mut self) {
        if !self.closed && self.connection.joined.get() {
            let reason = CloseReason::Failed;
            self.connection.close(reason, reason.text(), Duration::ZERO);
        }
    }
}

/// Ends a connection with the last message of the protocol and a close frame.
pub(crate) fn farewell<R, W>(
    socket: &mut WebSocket<R, W>,
    reason: CloseReason,
    text: &str,
    retry_after: Duration,
) where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
    let mut bye = Vec::new();
    ServerMessage::Bye { reason, text, retry_after_ms }.write(&mut bye);
    // Where it has no place any more, the close frame says the same.
    let _ = socket.queue_binary(&bye, &[]);
    socket.close(reason, text);
}
