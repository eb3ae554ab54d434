//! One connection on its worker: the link that its room writes to, and the task
//! that drives its socket.
//!
//! The room's tick writes to the socket itself, and the worker has it read before a
//! tick, for as long as it is one of its [`Sockets`](crate::net::Sockets). So the
//! driver is only woken when the kernel was full and has room again, to look whether
//! the peer lives, and at the end; and for what the peer sends where the stream is
//! Tokio's. All share the socket on one thread, and none holds it across a call to
//! another.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::Time;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_protocol::message::ServerMessage;
use tokio::time::{Instant, sleep};

use crate::net::{Ended, Flushed, Intake, Limits, Settled, WebSocket};
use crate::room::{Limiter, Link, Sent};

/// A peer that has sent nothing for so long is asked whether it lives; after as
/// long again without an answer, it does not.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Messages of any kind, whatever the room thinks of them: an input for each of
/// 240 ticks a second, acknowledgements and pings fit twice. Faster: 1008.
const MESSAGES_BURST: u32 = 1024;
const MESSAGES_PER_SECOND: u32 = 512;
/// Bytes for pongs and a goodbye, beside one message.
const SLACK_BYTES: usize = 4096;

/// The limits of a game's sockets.
pub(crate) const LIMITS: Limits =
    Limits::game(CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX + SLACK_BYTES);

/// Reads in a row without a pause: a peer that sends faster waits for the others.
const READS_MAX: usize = 8;
/// Bytes of one read.
const INTAKE_BYTES: usize = 32 * 1024;

const _: () = assert!(INTAKE_BYTES > CLIENT_MESSAGE_BYTES_MAX + 14, "a message fits");

/// What all connections of a worker share: they use it one at a time.
pub(super) struct Buffers {
    intake: RefCell<Intake>,
    /// A message on its way out.
    scratch: RefCell<Vec<u8>>,
}

impl Buffers {
    pub(super) fn new() -> Rc<Buffers> {
        Rc::new(Buffers {
            intake: RefCell::new(Intake::new(INTAKE_BYTES)),
            scratch: RefCell::default(),
        })
    }
}

/// A socket that a room and a driver share. What each frame touches comes first, in
/// as few cache lines as it goes.
#[repr(C)]
pub(super) struct Connection<T: Settled> {
    buffers: Rc<Buffers>,
    /// The room waits until the kernel has all.
    room_waits: Cell<bool>,
    /// A room has taken it.
    joined: Cell<bool>,
    /// Taken by the driver when the end has come.
    socket: RefCell<Option<Socket<T>>>,
    /// Wakes the driver.
    driver: RefCell<Waker>,
    budget: RefCell<Limiter>,
}

type Socket<T> = WebSocket<<T as Settled>::Read, <T as Settled>::Write>;

/// What a driver learns.
pub(super) enum Heard<'a> {
    /// A message of the peer.
    Message(&'a [u8]),
    /// What the room waits for has been written.
    Written,
    /// The connection is at its end.
    Ended(Ended),
}

impl<T: Settled> Connection<T> {
    pub(super) fn new(stream: T, unread: &[u8], buffers: Rc<Buffers>) -> Rc<Self> {
        let socket = stream.into_socket(unread, &LIMITS);
        Rc::new(Connection {
            socket: RefCell::new(Some(socket)),
            buffers,
            budget: RefCell::new(Limiter::new(MESSAGES_BURST, MESSAGES_PER_SECOND)),
            driver: RefCell::new(Waker::noop().clone()),
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

    /// Brings what a frame needs into the processor's cache.
    pub(super) fn warm(&self) {
        if let Some(socket) = &*self.socket.borrow() {
            black_box(socket.backlog_bytes());
            T::warm(socket.write_half());
        }
    }

    /// From now on, a link that is dropped means that the room is gone.
    pub(super) fn joined(&self) {
        self.joined.set(true);
    }

    /// Reads and tells what comes, until the end. For the driver.
    pub(super) async fn drive(&self, clock: impl Fn() -> Time, hear: impl Fn(Heard<'_>, Time)) {
        let mut watch = Watch::default();
        let mut silence = pin!(sleep(SILENCE_MAX));
        let ended = poll_fn(|cx| {
            if !self.driver.borrow().will_wake(cx.waker()) {
                *self.driver.borrow_mut() = cx.waker().clone();
            }
            while silence.as_mut().poll(cx).is_ready() {
                silence.as_mut().reset(Instant::now() + SILENCE_MAX);
                self.look(&mut watch);
            }
            self.poll_read(cx, clock(), &hear)
        });
        let ended = ended.await;
        hear(Heard::Ended(ended), clock());
    }

    /// Reads and tells what has come, in the driver's place; it sees to the end itself.
    pub(super) fn read(&self, now: Time, hear: impl Fn(Heard<'_>, Time)) {
        let driver = self.driver.borrow();
        if self.poll_read(&mut Context::from_waker(&driver), now, &hear).is_ready() {
            driver.wake_by_ref();
        }
    }

    /// Ready at the end of the connection.
    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        now: Time,
        hear: &impl Fn(Heard<'_>, Time),
    ) -> Poll<Ended> {
        let intake = &mut *self.buffers.intake.borrow_mut();
        for _ in 0..READS_MAX {
            match self.with_socket(|socket| socket.poll_intake(cx, intake)) {
                None => return Poll::Ready(Ended::ByServer(CloseReason::Normal.code())),
                Some(Poll::Ready(Err(ended))) => return Poll::Ready(ended),
                Some(Poll::Ready(Ok(()))) if !self.tell(intake, now, hear) => {}
                Some(Poll::Ready(Ok(())) | Poll::Pending) => {
                    self.written(now, hear);
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the messages in the intake; whether there is nothing to do after that.
    fn tell(&self, intake: &mut Intake, now: Time, hear: &impl Fn(Heard<'_>, Time)) -> bool {
        loop {
            // Nobody holds the socket while the room hears: it may answer.
            let next = self.with_socket(|socket| match socket.next_in(intake) {
                Some(piece) => Ok(piece),
                None => {
                    socket.keep(intake);
                    Err(socket.is_idle(T::is_drained))
                }
            });
            match next {
                Some(Ok(piece)) if self.budget.borrow_mut().take(now) => {
                    hear(Heard::Message(piece.bytes(intake)), now);
                }
                Some(Ok(_)) => {
                    self.close(CloseReason::Policy, CloseReason::Policy.text(), Duration::ZERO);
                }
                Some(Err(idle)) => return idle,
                None => return false,
            }
        }
    }

    /// Tells the room if what it waits for has been written.
    fn written(&self, now: Time, hear: &impl Fn(Heard<'_>, Time)) {
        let waits = self.room_waits.get();
        if waits && self.with_socket(|socket| socket.backlog_bytes() == 0) == Some(true) {
            self.room_waits.set(false);
            hear(Heard::Written, now);
        }
    }

    /// Nothing once the driver has taken the socket.
    fn with_socket<R>(&self, call: impl FnOnce(&mut Socket<T>) -> R) -> Option<R> {
        self.socket.borrow_mut().as_mut().map(call)
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
pub(super) struct RoomLink<T: Settled> {
    connection: Rc<Connection<T>>,
    /// The room has sent something: then it says goodbye itself.
    spoken: bool,
    closed: bool,
}

impl<T: Settled> RoomLink<T> {
    pub(super) fn new(connection: Rc<Connection<T>>) -> Self {
        RoomLink { connection, spoken: false, closed: false }
    }
}

impl<T: Settled> Link for RoomLink<T> {
    fn send(&mut self, own: &[u8], shared: &[Bytes]) -> Sent {
        let mut place = self.connection.socket.borrow_mut();
        let Some(socket) = &mut *place else {
            return Sent::Gone;
        };
        self.spoken = true;
        let scratch = &mut *self.connection.buffers.scratch.borrow_mut();
        match socket.send_binary(own, shared, scratch) {
            Ok(Flushed::All) => Sent::All,
            Ok(Flushed::Partly) => {
                self.connection.room_waits.set(true);
                Sent::Waits
            }
            Ok(Flushed::Closed) | Err(_) => Sent::Gone,
        }
    }

    fn warm(&self) {
        self.connection.warm();
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

impl<T: Settled> Drop for RoomLink<T> {
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
