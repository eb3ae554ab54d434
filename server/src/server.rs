//! A server in a program: built, bound, run until it shall stop.
//!
//! ```text
//!  listener ─ front ─ HTTP ──→ lobby ─ Reserve ─→ worker
//!               └─ WebSocket ─ Hello ─ Connect ─→ worker
//! ```
//!
//! The *front* runs on the runtime of whoever calls; workers have threads of their
//! own. Between the two is the `Node`: what this server knows of
//! itself.

mod front;
mod lobby;
mod node;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tickwire_protocol::close::CloseReason;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::directory::RoomEntry;
use crate::game::Game;
use crate::metrics::Metrics;
use crate::net::{self, Transport};
use crate::pages::Pages;
use crate::room::RoomId;
use crate::worker::{Alarm, GameEntry, Host, Lateness, Mailbox, Order, Worker};
use front::Accept;
pub(crate) use front::UpgradeSlot;

pub use lobby::{JoinRefused, Place, SEAT_TOKEN_FOR, Ticket, Wish};
pub(crate) use node::Node;

/// What a server is made of, before it listens.
#[derive(Debug, Default)]
pub struct Builder {
    config: Config,
    games: Vec<GameEntry>,
    /// See [`Builder::without_credit`].
    credit_off: bool,
    pages: Pages,
    /// The first thing that is wrong with the games.
    problem: Option<StartError>,
}

/// The server cannot start.
#[derive(Debug)]
pub enum StartError {
    /// A game cannot be registered.
    Game {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The address cannot be listened on.
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// The certificate or its key cannot be used.
    Tls(String),
    /// The operating system has no thread, timer or randomness to give.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Game { name, why } => write!(f, "the game {name:?}: {why}"),
            StartError::Listen { address, error } => {
                write!(f, "cannot listen on {address}: {error}")
            }
            StartError::Tls(why) => write!(f, "TLS: {why}"),
            StartError::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Builder {
    /// Adds a game.
    pub fn game<G: Game>(mut self) -> Builder {
        let name = G::NAME;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let entry = GameEntry::of::<G>();
        let why = if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            Some("a name is 1 to 64 letters, digits and `_`".to_owned())
        } else if self.games.iter().any(|game| game.info.name == name) {
            Some("there are two games of this name".to_owned())
        } else if !(1..=tickwire_protocol::limits::TICK_HZ_MAX).contains(&G::TICK_HZ) {
            Some("TICK_HZ is not within 1 to 240".to_owned())
        } else {
            entry.as_ref().err().map(|error| format!("its schema: {error}"))
        };
        match (why, entry) {
            (None, Ok(entry)) => self.games.push(entry),
            (why, _) => {
                let why = why.unwrap_or_default();
                self.problem.get_or_insert(StartError::Game { name, why });
            }
        }
        self
    }

    /// Sets the web pages that it serves; by default those that are built in.
    pub fn pages(mut self, pages: Pages) -> Builder {
        self.pages = pages;
        self
    }

    /// Sets everything else.
    pub fn config(mut self, config: Config) -> Builder {
        self.config = config;
        self
    }

    /// Lets frames go that nobody has acknowledged, however many. Only for the
    /// benchmark that shows what credit is good for.
    #[doc(hidden)]
    pub fn without_credit(mut self) -> Builder {
        self.credit_off = true;
        self
    }

    /// Starts the workers and listens. Connections are only served by
    /// [`Server::run_until`].
    ///
    /// # Errors
    /// If something is wrong with a game or the settings, or the address is taken.
    pub async fn bind(self) -> Result<Server, StartError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let accept = Accept::new(&self.config)?;
        let memory = self.config.huge_pages.then(tickwire_memory::keep);
        let memory = memory.transpose().map_err(StartError::System)?.flatten();
        let address = self.config.listen;
        let listener = net::bind(address)
            .and_then(|listener| Ok((listener.local_addr()?, listener)))
            .map_err(|error| StartError::Listen { address, error });
        let (address, listener) = listener?;
        let mut setup = node::Setup::new(self.config, self.games, self.pages, address)?;
        setup.credit = !self.credit_off;
        let mut workers = Vec::new();
        for index in 0..setup.workers() {
            let worker = Worker::start(index, setup.common.clone()).await;
            workers.push(worker.map_err(StartError::System)?);
        }
        let mailboxes = workers.iter().map(|worker| worker.mailbox.clone()).collect();
        let node = setup.finish(mailboxes);
        Ok(Server { listener, accept, address, node, workers, _memory: memory })
    }

    /// A server of one worker without threads and sockets: streams are handed to it
    /// with [`Handle::serve`]. For simulated networks; needs the clock of Tokio.
    ///
    /// # Errors
    /// If something is wrong with a game.
    pub fn local(self) -> Result<Local, StartError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let address = self.config.listen;
        let setup = node::Setup::new(self.config, self.games, self.pages, address)?;
        let (mailbox, orders) = Mailbox::new();
        let (common, alarm) = (setup.common.clone(), Alarm::Tokio);
        let host = LocalHost { common, mailbox: mailbox.clone(), orders, alarm };
        Ok(Local { node: setup.finish(vec![mailbox]), host })
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    accept: Accept,
    address: SocketAddr,
    node: Arc<Node>,
    workers: Vec<Worker>,
    _memory: Option<tickwire_memory::Keeper>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Begins a server: add games and settings, then bind it.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser.
    pub fn url(&self) -> &str {
        self.node.url()
    }

    /// A way to the server while it runs.
    pub fn handle(&self) -> Handle {
        Handle { node: Arc::clone(&self.node) }
    }

    /// Serves until `shutdown` is ready, then ends in order: it listens no more;
    /// games are told and clients get a `Bye`; what was written arrives, or the
    /// deadline does.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let Server { listener, accept, node, workers, _memory, .. } = self;
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept.run(&listener, &node, &mut connections) => {}
            () = shutdown => {}
        }
        drop(listener);
        tracing::info!("the server stops");
        node.drain();
        let drain = node.config.drain;
        for worker in &workers {
            worker.mailbox.stop(CloseReason::Restart, node.config.retry_after).await;
        }
        let ended = timeout(drain + STRAGGLERS, async {
            for worker in workers {
                worker.finished().await;
            }
            while connections.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("a worker or a connection did not end in time");
        }
        tracing::info!("the server has stopped");
    }
}

/// Time for workers to end by themselves after their connections' deadline.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// A way to a server: cheap to clone, good for any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    node: Arc<Node>,
}

impl Handle {
    /// Makes a room of a game, with its options (null for the default ones).
    ///
    /// # Errors
    /// If the game or the server does not want it.
    pub async fn create_room(
        &self,
        game: &str,
        options: Value,
        private: bool,
    ) -> Result<RoomId, JoinRefused> {
        self.node.open(game, options, private, None).await
    }

    /// Keeps a seat for somebody.
    ///
    /// # Errors
    /// If there is none.
    pub async fn join(&self, wish: Wish) -> Result<Ticket, JoinRefused> {
        self.node.join(wish).await
    }

    /// Ends a room; its clients are told `Normal`.
    pub async fn close_room(&self, room: RoomId) {
        if let Some(entry) = self.node.common.directory.get(room) {
            self.node.workers[entry.worker].close(room, CloseReason::Normal).await;
        }
    }

    /// What is known of a room.
    pub fn room(&self, id: RoomId) -> Option<RoomEntry> {
        self.node.common.directory.get(id)
    }

    /// Connections that the server has now, of any kind.
    pub fn connections(&self) -> usize {
        self.node.connections()
    }

    /// What happened so far. Workers that have stopped are not in it.
    pub async fn metrics(&self) -> Metrics {
        let mut workers = Vec::new();
        for worker in &self.node.workers {
            workers.extend(worker.metrics().await);
        }
        Metrics { connections: self.connections(), front: self.node.front(), workers }
    }

    /// How late ticks began so far, on all workers.
    pub async fn lateness(&self) -> Lateness {
        self.metrics().await.lateness()
    }

    /// Serves a stream as if it had been accepted.
    pub async fn serve<T: Transport>(&self, stream: T) {
        front::serve(Arc::clone(&self.node), stream).await;
    }
}

/// A server on the caller's runtime.
pub struct Local {
    node: Arc<Node>,
    host: LocalHost,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Local")
    }
}

struct LocalHost {
    common: crate::worker::Common,
    mailbox: Mailbox,
    orders: mpsc::Receiver<Order>,
    alarm: Alarm,
}

impl Local {
    /// Waits with the timer that workers with a thread have, which a simulation cannot
    /// turn. Only for the benchmark that compares the two.
    ///
    /// # Errors
    /// If the operating system has no timer to give.
    #[doc(hidden)]
    pub fn precise(mut self) -> io::Result<Local> {
        self.host.alarm = Alarm::precise()?;
        Ok(self)
    }

    /// A way to the server.
    pub fn handle(&self) -> Handle {
        Handle { node: Arc::clone(&self.node) }
    }

    /// Runs the worker until `shutdown` is ready and all connections have ended. Within
    /// something that takes local tasks: a `LocalRuntime` or a `LocalSet`.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let Local { node, host } = self;
        let LocalHost { common, mailbox, orders, alarm } = host;
        let worker = Host::new(0, common, Arc::clone(&mailbox.load)).run(orders, alarm);
        let stop = async {
            shutdown.await;
            node.drain();
            mailbox.stop(CloseReason::Restart, node.config.retry_after).await;
        };
        tokio::join!(worker, stop);
    }
}
