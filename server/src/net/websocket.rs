//! One WebSocket of the server, strict about what it reads and frugal about what
//! it writes.
//!
//! ```text
//!  peer ─ read half ─ decoder (gate, fastwebsockets) ─ next() ─ owner
//!                        │ pings, close
//!  peer ─ write half ─ backlog ─────────────────────── queue…() ─ owner
//! ```
//!
//! One task, the *driver*, calls [`WebSocket::next`] until it ends and then
//! [`WebSocket::finish`]; this answers control frames and writes what waits.
//! Whoever shares a thread with the driver may queue a message and call
//! [`WebSocket::try_flush`]: it hands the bytes to the kernel at once, and if the
//! kernel is full, the driver is woken when there is room again.
//!
//! The sockets of a worker share an [`Intake`]: the driver, or who knows that there
//! is something to read, calls [`WebSocket::poll_intake`] and takes the messages out
//! of it with [`WebSocket::next_in`]. Nothing is copied, and a socket between two
//! frames holds no read buffer.
//!
//! Invariants: no frame follows a close frame. At most one pong waits: a newer
//! ping replaces it. Every wait has a deadline, except the one for the next
//! frame's first byte, which belongs to the owner. Both [`WebSocket::next`] and
//! [`WebSocket::flush`] may be dropped at any time and called again.
//!
//! What is absent: games, seats, credit, and the protocol's messages.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::close::CloseReason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::backlog::{Backlog, put_server_header};
use super::close::{CloseBody, Ended, Violation};
use super::decoder::{Counts, Decoder, Found, Incoming, Message};
use super::gate::Opcode;
use super::intake::Intake;
use super::limits::{COPY_BYTES_MAX, LINGER_BYTES_MAX, Limits, READ_BYTES};

/// A message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// More would wait than `backlog_bytes_max`.
    Full,
    /// The connection has ended.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the backlog is full",
            Self::Closed => "the connection has ended",
        })
    }
}

impl std::error::Error for SendError {}

/// A message out of an [`Intake`].
pub(crate) enum Piece {
    /// It lies there.
    There(Range<usize>),
    /// It came in fragments.
    Joined(Bytes),
}

impl Piece {
    /// Its bytes; `intake` is where it came from.
    pub(crate) fn bytes<'a>(&'a self, intake: &'a Intake) -> &'a [u8] {
        match self {
            Piece::There(range) => intake.at(range.clone()),
            Piece::Joined(bytes) => bytes,
        }
    }
}

/// What [`WebSocket::try_flush`] left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits.
    All,
    /// The kernel is full: the driver writes the rest when there is room.
    Partly,
    /// The connection has ended.
    Closed,
}

/// A WebSocket over the two halves of a stream.
///
/// Between two frames of one client the kernel fills the processor's cache, so what
/// a write or a read costs here is the number of cache lines that it touches: fields
/// are in the order of their use, first those of a write.
#[repr(C)]
pub struct WebSocket<R, W> {
    write: W,
    read: R,
    /// Why the owner must stop; set once.
    ended: Option<Ended>,
    /// Bytes were written since the write half was last flushed.
    unflushed: bool,
    /// A close frame is in the backlog or written: nothing may follow it.
    close_queued: bool,
    /// The peer's close frame was read.
    peer_closed: bool,
    /// The task that drives the connection, to be woken for what others queue.
    driver: Waker,
    /// The payload of the pong that waits until the backlog is written.
    pong: Option<Bytes>,
    backlog: Backlog,
    decoder: Decoder,
    /// The birth of the connection, from which rates are measured.
    born: Instant,
    limits: Limits,
    frame_timer: FrameTimer,
}

/// The deadline of the frame that has begun. The timer is only touched when a
/// frame is incomplete and no bytes are there, so whole frames cost nothing.
#[derive(Default)]
struct FrameTimer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The number of the frame that `sleep` is for.
    frame: u64,
}

impl FrameTimer {
    /// Ready when the frame with this number, which has begun, is out of time.
    fn poll(&mut self, frame: u64, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = || Instant::now() + limit;
        let sleep = match &mut self.sleep {
            Some(sleep) if self.frame == frame => sleep,
            Some(sleep) => {
                sleep.as_mut().reset(deadline());
                sleep
            }
            none => none.insert(Box::pin(sleep_until(deadline()))),
        };
        self.frame = frame;
        sleep.as_mut().poll(cx)
    }
}

impl WebSocket<OwnedReadHalf, OwnedWriteHalf> {
    /// A WebSocket over TCP, after the upgrade. `unread` are bytes of the peer that
    /// were read already.
    pub fn tcp(stream: TcpStream, unread: &[u8], limits: &Limits) -> Self {
        let (read, write) = stream.into_split();
        Self::new(read, write, unread, limits)
    }

    /// Takes the socket back, with the bytes of the peer that no message has taken,
    /// so that it can move to another runtime, where its rates begin anew; or nothing
    /// when bytes wait to be written, a fragmented message is open, or the connection
    /// has ended.
    pub fn into_tcp(self) -> Option<(TcpStream, Bytes)> {
        let (read, write, unread) = self.into_halves()?;
        Some((read.reunite(write).ok()?, unread))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<ReadHalf<S>, WriteHalf<S>> {
    /// A WebSocket over any stream, after the upgrade.
    pub fn over(stream: S, unread: &[u8], limits: &Limits) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self::new(read, write, unread, limits)
    }

    /// [`into_tcp`](WebSocket::into_tcp) for any stream.
    pub fn into_stream(self) -> Option<(S, Bytes)> {
        let (read, write, unread) = self.into_halves()?;
        read.is_pair_of(&write).then(|| (read.unsplit(write), unread))
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> WebSocket<R, W> {
    /// A WebSocket over the halves of a stream, after the upgrade.
    pub fn new(read: R, write: W, unread: &[u8], limits: &Limits) -> Self {
        let mut decoder = Decoder::new(limits);
        decoder.fill(|buffer| buffer.extend_from_slice(unread));
        Self {
            read,
            write,
            limits: *limits,
            decoder,
            backlog: Backlog::new(limits.backlog_bytes_max),
            pong: None,
            unflushed: false,
            close_queued: false,
            ended: None,
            peer_closed: false,
            born: Instant::now(),
            frame_timer: FrameTimer::default(),
            driver: Waker::noop().clone(),
        }
    }

    /// The halves and what was not read, unless something is under way.
    fn into_halves(self) -> Option<(R, W, Bytes)> {
        let busy = !self.backlog.is_empty()
            || self.pong.is_some()
            || self.unflushed
            || self.decoder.mid_message();
        if busy || self.ended.is_some() {
            return None;
        }
        Some((self.read, self.write, self.decoder.into_unread()))
    }

    /// The next message of the peer, or why there will be none; then call
    /// [`finish`](Self::finish).
    pub async fn next(&mut self) -> Result<Message, Ended> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next) for those who poll. Only the driver may.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Ended>> {
        self.remember(cx);
        loop {
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                self.end(Ended::Failed(error.kind()));
            }
            if let Some(ended) = self.ended {
                return Poll::Ready(Err(ended));
            }
            let born = self.born;
            match self.decoder.next(|| born.elapsed()) {
                Ok(Some(Incoming::Message(message))) => return Poll::Ready(Ok(message)),
                Ok(Some(Incoming::Ping(payload))) => self.pong = Some(payload),
                Ok(Some(Incoming::Close(code))) => self.closed_by_peer(code),
                Ok(None) => ready!(self.poll_fill(cx)),
                Err(violation) => self.refuse(violation),
            }
        }
    }

    /// Reads once into `intake`, behind what an earlier read has left. Then take the
    /// messages with [`next_in`](Self::next_in), and [`keep`](Self::keep) the rest.
    pub(crate) fn poll_intake(
        &mut self,
        cx: &mut Context<'_>,
        intake: &mut Intake,
    ) -> Poll<Result<(), Ended>> {
        self.remember(cx);
        if !self.has_written()
            && let Poll::Ready(Err(error)) = self.poll_write(cx)
        {
            self.end(Ended::Failed(error.kind()));
        }
        if let Some(ended) = self.ended {
            return Poll::Ready(Err(ended));
        }
        if self.decoder.begin(intake) {
            return Poll::Ready(Ok(()));
        }
        let mut room = intake.room();
        let ended = match Pin::new(&mut self.read).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) if !room.filled().is_empty() => {
                let count = room.filled().len();
                intake.filled(count);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Ok(())) => Ended::Eof { mid_frame: self.decoder.mid_frame() },
            Poll::Ready(Err(error)) => Ended::Failed(error.kind()),
            Poll::Pending => {
                ready!(self.poll_out_of_time(cx));
                self.refuse(Violation::FrameDeadline);
                Ended::Violation(Violation::FrameDeadline)
            }
        };
        Poll::Ready(Err(self.end(ended)))
    }

    /// The next message in an intake that was just filled; nothing when there is no
    /// other, or none will come.
    #[inline]
    pub(crate) fn next_in(&mut self, intake: &mut Intake) -> Option<Piece> {
        loop {
            if self.ended.is_some() {
                return None;
            }
            let born = self.born;
            match self.decoder.next_in(intake, || born.elapsed()) {
                Ok(Some(Found::There(range))) => return Some(Piece::There(range)),
                Ok(Some(Found::Joined(bytes))) => return Some(Piece::Joined(bytes)),
                Ok(Some(Found::Ping(payload))) => self.pong = Some(payload),
                Ok(Some(Found::Close(code))) => self.closed_by_peer(code),
                Ok(None) => return None,
                Err(violation) => self.refuse(violation),
            }
        }
    }

    /// Keeps what the intake holds of a frame that is not complete.
    pub(crate) fn keep(&mut self, intake: &mut Intake) {
        if self.ended.is_none() {
            self.decoder.keep(intake);
        }
    }

    /// Whether there is nothing to do before the peer sends more, which `drained` says it
    /// has not yet: nothing to write, and no frame that has a deadline.
    pub(crate) fn is_idle(&self, drained: impl FnOnce(&R) -> bool) -> bool {
        self.ended.is_none()
            && self.has_written()
            && !self.decoder.mid_frame()
            && drained(&self.read)
    }

    /// Whether nothing waits to be written.
    fn has_written(&self) -> bool {
        self.backlog.is_empty() && self.pong.is_none() && !self.unflushed
    }

    /// Sends a message at once, if nothing waits before it: a short one is put
    /// together in `scratch`, and only what the kernel does not take is kept.
    pub(crate) fn send_binary(
        &mut self,
        own: &[u8],
        shared: &[Bytes],
        scratch: &mut Vec<u8>,
    ) -> Result<Flushed, SendError> {
        let payload_bytes = own.len() + shared.iter().map(Bytes::len).sum::<usize>();
        if !self.has_written() || payload_bytes > COPY_BYTES_MAX {
            self.queue(Opcode::Binary, own, shared)?;
            return Ok(self.try_flush());
        }
        if self.ended.is_some() || self.close_queued {
            return Err(SendError::Closed);
        }
        scratch.clear();
        put_server_header(scratch, Opcode::Binary, payload_bytes);
        scratch.extend_from_slice(own);
        for chunk in shared {
            scratch.extend_from_slice(chunk);
        }
        let Self { write, driver, .. } = self;
        let write = poll_fn(|cx| {
            let written = ready!(Pin::new(&mut *write).poll_write(cx, scratch))?;
            let flushed =
                written == scratch.len() && Pin::new(&mut *write).poll_flush(cx)?.is_ready();
            Poll::Ready(Ok::<_, io::Error>((written, flushed)))
        });
        let written =
            pin!(tokio::task::unconstrained(write)).poll(&mut Context::from_waker(driver));
        match written {
            Poll::Ready(Ok((_, true))) => Ok(Flushed::All),
            Poll::Ready(Ok((written, false))) => {
                self.unflushed = true;
                self.backlog.push_rest(&scratch[written..]);
                Ok(self.try_flush())
            }
            Poll::Ready(Err(error)) => {
                self.end(Ended::Failed(error.kind()));
                self.driver.wake_by_ref();
                Ok(Flushed::Closed)
            }
            Poll::Pending => {
                self.backlog.push_rest(scratch);
                Ok(self.try_flush())
            }
        }
    }

    /// Queues a binary message of the sender's `own` bytes, which are copied, and
    /// `shared` chunks, which are not.
    pub fn queue_binary(&mut self, own: &[u8], shared: &[Bytes]) -> Result<(), SendError> {
        self.queue(Opcode::Binary, own, shared)
    }

    /// Queues a text message.
    pub fn queue_text(&mut self, text: &str) -> Result<(), SendError> {
        self.queue(Opcode::Text, text.as_bytes(), &[])
    }

    fn queue(&mut self, opcode: Opcode, own: &[u8], shared: &[Bytes]) -> Result<(), SendError> {
        if self.ended.is_some() || self.close_queued {
            return Err(SendError::Closed);
        }
        self.backlog.push_message(opcode, own, shared).map_err(|_| SendError::Full)
    }

    /// Queues a ping; the pong shows in [`frames_read`](Self::frames_read).
    pub fn queue_ping(&mut self) -> Result<(), SendError> {
        if self.ended.is_some() || self.close_queued {
            return Err(SendError::Closed);
        }
        self.backlog.push_control(Opcode::Ping, &[]);
        Ok(())
    }

    /// Where it writes to.
    pub(crate) fn write_half(&self) -> &W {
        &self.write
    }

    /// Frames of any kind that the peer has sent: it lives while they grow.
    pub fn frames_read(&self) -> u64 {
        self.decoder.frames()
    }

    /// Bytes that were queued and are not in the kernel.
    pub fn backlog_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    /// How often the peer sent what carries no data.
    pub fn counts(&self) -> Counts {
        self.decoder.counts()
    }

    /// Writes what waits as far as the kernel takes it, from any task on the thread
    /// of the driver. It takes no part in the caller's cooperative budget: a tick
    /// that writes to many clients is not held up.
    pub fn try_flush(&mut self) -> Flushed {
        if self.ended.is_some() {
            return Flushed::Closed;
        }
        if self.has_written() {
            return Flushed::All;
        }
        let driver = self.driver.clone();
        let writing = tokio::task::unconstrained(poll_fn(|cx| self.poll_write(cx)));
        let written = pin!(writing).poll(&mut Context::from_waker(&driver));
        match written {
            Poll::Ready(Ok(())) => Flushed::All,
            Poll::Pending => Flushed::Partly,
            Poll::Ready(Err(error)) => {
                self.end(Ended::Failed(error.kind()));
                self.driver.wake_by_ref();
                Flushed::Closed
            }
        }
    }

    /// Waits until everything that was queued is in the kernel. For the driver.
    pub async fn flush(&mut self) -> Result<(), Ended> {
        poll_fn(|cx| {
            self.remember(cx);
            if let Some(ended) = self.ended {
                return Poll::Ready(Err(ended));
            }
            match ready!(self.poll_write(cx)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(Err(self.end(Ended::Failed(error.kind())))),
            }
        })
        .await
    }

    /// Says goodbye after what was queued, in these words. The driver's `next` ends,
    /// and its [`finish`](Self::finish) completes the handshake.
    pub fn close(&mut self, reason: CloseReason, text: &str) {
        if self.ended.is_none() {
            self.end(Ended::ByServer(reason.code()));
            self.queue_close(&CloseBody::of(reason, text));
            self.driver.wake_by_ref();
        }
    }

    /// Completes the close handshake, within its deadline, and drops the stream.
    /// A connection that nobody has closed is closed normally.
    pub async fn finish(mut self) -> Ended {
        self.close(CloseReason::Normal, CloseReason::Normal.text());
        let ended = self.ended.unwrap_or(Ended::ByServer(CloseReason::Normal.code()));
        let handshake = timeout(self.limits.close_deadline, self.wind_up());
        // What goes wrong now changes nothing: the stream is dropped either way.
        drop(handshake.await);
        ended
    }

    async fn wind_up(&mut self) -> io::Result<()> {
        if matches!(self.ended, Some(Ended::Eof { .. } | Ended::Failed(_))) {
            return Ok(());
        }
        poll_fn(|cx| self.poll_goodbye(cx)).await?;
        // The close frame is in the kernel. Dropping the socket while the peer's
        // bytes are unread would reset it, and the peer might lose the frame.
        poll_fn(|cx| Pin::new(&mut self.write).poll_shutdown(cx)).await?;
        let mut linger = (&mut self.read).take(LINGER_BYTES_MAX as u64);
        tokio::io::copy(&mut linger, &mut tokio::io::sink()).await?;
        Ok(())
    }

    /// Ready when the close frame is written and, if the server began, the peer has
    /// answered or said what cannot be understood.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.poll_write(cx)?;
        let answer_awaited = matches!(self.ended, Some(Ended::ByServer(_)));
        while answer_awaited && !self.peer_closed {
            let born = self.born;
            match self.decoder.next(|| born.elapsed()) {
                Ok(Some(Incoming::Message(_) | Incoming::Ping(_))) => {}
                Ok(Some(Incoming::Close(_))) | Err(_) => self.peer_closed = true,
                Ok(None) => self.peer_closed = ready!(self.poll_read(cx))? == 0,
            }
        }
        written.map(Ok)
    }

    /// Reads until there are more bytes, the peer is gone or its frame is out of time.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_read(cx) {
            Poll::Ready(Ok(0)) => {
                self.end(Ended::Eof { mid_frame: self.decoder.mid_frame() });
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                self.end(Ended::Failed(error.kind()));
            }
            Poll::Pending => {
                ready!(self.poll_out_of_time(cx));
                self.refuse(Violation::FrameDeadline);
            }
        }
        Poll::Ready(())
    }

    /// Ready when a frame has begun that is out of time.
    fn poll_out_of_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.decoder.mid_frame() {
            return Poll::Pending;
        }
        let (frame, limit) = (self.decoder.frames(), self.limits.frame_deadline);
        self.frame_timer.poll(frame, limit, cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self { read, decoder, .. } = self;
        decoder.fill(|buffer| {
            buffer.reserve(READ_BYTES);
            pin!(read.read_buf(buffer)).poll(cx)
        })
    }

    /// Writes the backlog, then the pong that waits, until nothing is left.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.backlog.is_empty() {
                let Some(payload) = self.pong.take() else {
                    break;
                };
                self.backlog.push_control(Opcode::Pong, &payload);
            }
            let (slices, count) = self.backlog.gather();
            let write = Pin::new(&mut self.write);
            let written = ready!(write.poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.backlog.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.write).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the peer what it did wrong.
    fn refuse(&mut self, violation: Violation) {
        self.end(Ended::Violation(violation));
        self.queue_close(&CloseBody::violation(violation));
    }

    /// Answers the peer's close frame with the same code.
    fn closed_by_peer(&mut self, code: Option<u16>) {
        self.peer_closed = true;
        self.end(Ended::ByPeer(code));
        self.queue_close(&CloseBody::echo(code));
    }

    fn queue_close(&mut self, body: &CloseBody) {
        if !self.close_queued {
            self.close_queued = true;
            self.pong = None;
            self.backlog.push_control(Opcode::Close, body.as_bytes());
        }
    }

    /// Ends the connection for its owner; the first reason stays.
    fn end(&mut self, ended: Ended) -> Ended {
        *self.ended.get_or_insert(ended)
    }

    /// Keeps the waker of the driver.
    fn remember(&mut self, cx: &Context<'_>) {
        if !self.driver.will_wake(cx.waker()) {
            self.driver = cx.waker().clone();
        }
    }
}
