//! Workers: threads that own rooms and all of their connections.
//!
//! ```text
//!  front ─ Order ─→ mailbox ─┐
//!                            ├─ host ─ rooms ─ links ─→ sockets
//!  alarm ─ deadline ─────────┘    ↑              drivers ←┘
//!                                 └──────────────────┘
//! ```
//!
//! `Host` is a worker without its thread: it also runs inside of a
//! simulation. Everything in it stays on one thread; what others may know is in
//! the [`Directory`] and in [`Load`].
//!
//! What is absent: HTTP, tokens' signatures, and what a message says.

mod clock;
mod connection;
mod host;
mod lateness;
mod lead;
mod load;
mod priority;
mod reading;
mod records;
mod spec;

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::token::Token;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::spawn_local;

use crate::directory::Directory;
use crate::metrics::WorkerMetrics;
use crate::net::Transport;
use crate::room::{RoomId, SeatId};
use crate::token::Signer;

pub(crate) use clock::{Alarm, Clock};
pub(crate) use connection::{LIMITS, farewell};
pub(crate) use host::Host;
pub use lateness::Lateness;
pub use load::{Load, Shedding};
pub use reading::Reading;
pub use records::LONG_CALL;
pub use spec::GameInfo;
pub(crate) use spec::{GameEntry, RoomSpec};

/// Orders that may wait for a worker; who sends more waits.
const ORDERS_MAX: usize = 1024;

/// A connection that has said hello with a good token.
pub(crate) struct Greeting {
    pub(crate) token: Token,
    /// The Hello as it came.
    pub(crate) hello: Bytes,
    /// Its place among the connections of the server, until it is closed.
    pub(crate) place: Option<Place>,
}

/// A place among the connections of the server; free again when it is dropped.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Why a room was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NotOpened {
    /// The options are not what the game understands.
    Options(String),
    /// The game says so.
    Refused(crate::game::Refusal),
    /// It has no seat for who it was made for.
    Full,
    /// The game panicked.
    Failed,
    /// The worker is stopping.
    Stopping,
}

/// Why a seat was not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotReserved {
    /// There is no such room (any more).
    NoRoom,
    /// All seats are taken.
    Full,
    /// The room lets nobody in.
    Locked,
}

/// Brings a stream onto the thread of a worker.
pub(crate) type Enter = Box<dyn FnOnce(&Rc<Host>) + Send>;

/// What a worker is told to do.
pub(crate) enum Order {
    /// Make a room.
    Open { spec: Box<RoomSpec>, done: oneshot::Sender<Result<(), NotOpened>> },
    /// Keep a seat.
    Reserve {
        room: RoomId,
        seat: SeatId,
        name: String,
        done: oneshot::Sender<Result<(), NotReserved>>,
    },
    /// Take over a connection, which knows how to enter this thread.
    Connect(Enter),
    /// End a room.
    Close { room: RoomId, reason: CloseReason },
    /// Tell what happened so far.
    Metrics { done: oneshot::Sender<WorkerMetrics> },
    /// End all rooms, finish all connections, and stop.
    Stop { reason: CloseReason, retry_after: Duration },
}

/// The worker does not take orders any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stopped;

/// A way to give orders to a worker.
#[derive(Clone)]
pub(crate) struct Mailbox {
    orders: mpsc::Sender<Order>,
    pub(crate) load: Arc<Load>,
}

impl Mailbox {
    pub(crate) fn new() -> (Mailbox, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        (Mailbox { orders, load: Arc::default() }, receiver)
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Makes a room.
    pub(crate) async fn open(&self, spec: RoomSpec) -> Result<(), NotOpened> {
        let made = self.ask(|done| Order::Open { spec: Box::new(spec), done }).await;
        made.unwrap_or(Err(NotOpened::Stopping))
    }

    /// Keeps a seat in a room.
    pub(crate) async fn reserve(
        &self,
        room: RoomId,
        seat: SeatId,
        name: String,
    ) -> Result<(), NotReserved> {
        let kept = self.ask(|done| Order::Reserve { room, seat, name, done }).await;
        kept.unwrap_or(Err(NotReserved::NoRoom))
    }

    /// Hands a connection over. If the worker has stopped, it is dropped.
    pub(crate) async fn connect<T: Transport>(
        &self,
        stream: T,
        unread: Bytes,
        greeting: Greeting,
    ) -> io::Result<()> {
        let parked = stream.park()?;
        let enter = move |host: &Rc<Host>| match T::settle(parked, host.sockets()) {
            Ok(stream) => host.connect(stream, &unread, greeting),
            Err(error) => tracing::warn!(%error, "a connection could not move to its worker"),
        };
        let sent = self.orders.send(Order::Connect(Box::new(enter))).await;
        sent.map_err(|_| io::ErrorKind::NotConnected.into())
    }

    /// Ends a room.
    pub(crate) async fn close(&self, room: RoomId, reason: CloseReason) {
        // A worker that has stopped has no rooms.
        let _ = self.orders.send(Order::Close { room, reason }).await;
    }

    /// What happened so far.
    pub(crate) async fn metrics(&self) -> Result<WorkerMetrics, Stopped> {
        self.ask(|done| Order::Metrics { done }).await
    }

    /// Ends all rooms.
    pub(crate) async fn stop(&self, reason: CloseReason, retry_after: Duration) {
        // A worker that has stopped needs no telling.
        let _ = self.orders.send(Order::Stop { reason, retry_after }).await;
    }
}

/// What all workers of a server have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) directory: Arc<Directory>,
    pub(crate) signer: Signer,
    /// Time that connections get to end, when the worker stops.
    pub(crate) drain: Duration,
    /// What a worker adds to the niceness of its thread.
    pub(crate) nice: i32,
}

/// A worker's thread.
pub(crate) struct Worker {
    pub(crate) mailbox: Mailbox,
    /// Resolves when the thread is done.
    done: oneshot::Receiver<()>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

impl Worker {
    /// Starts the worker with this number.
    ///
    /// # Errors
    /// If the operating system has no thread or timer to give.
    pub(crate) async fn start(index: usize, common: Common) -> io::Result<Worker> {
        let (mailbox, orders) = Mailbox::new();
        let load = Arc::clone(&mailbox.load);
        let (started, start) = oneshot::channel();
        let (finished, done) = oneshot::channel();
        let body = move || {
            priority::add_nice(common.nice);
            let run = || -> io::Result<()> {
                // Tasks of a `LocalSet`, and what `block_on` runs, are woken through the
                // driver: it would be asked a second time for each step.
                let runtime = Builder::new_current_thread()
                    .enable_io()
                    .enable_time()
                    .build_local(LocalOptions::default())?;
                runtime.block_on(async {
                    let alarm = Alarm::precise()?;
                    let _ = started.send(());
                    let host = Host::new(index, common, load);
                    spawn_local(host.run(orders, alarm)).await.map_err(io::Error::other)
                })
            };
            if let Err(error) = run() {
                tracing::error!(worker = index, %error, "a worker could not run");
            }
            let _ = finished.send(());
        };
        thread::Builder::new().name(format!("worker-{index}")).spawn(body)?;
        start.await.map_err(|_| io::Error::other("a worker could not start"))?;
        Ok(Worker { mailbox, done })
    }

    /// Waits until the thread is done.
    pub(crate) async fn finished(self) {
        // A thread that panicked is done as well.
        let _ = self.done.await;
    }
}
