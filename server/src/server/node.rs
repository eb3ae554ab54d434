//! What a server knows of itself: its settings, games, rooms and workers. Shared
//! by the front's tasks; nothing in it is touched by a tick.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HeaderValue;
use tickwire_protocol::message::SUBPROTOCOL;
use tokio::sync::{Semaphore, watch};

use super::StartError;
use crate::config::{AllowedOrigins, Config};
use crate::http::page;
use crate::metrics::FrontMetrics;
use crate::net::{Origins, UpgradePolicy};
use crate::pages::Pages;
use crate::room::RoomConfig;
use crate::token::{Signer, random_key};
use crate::worker::{Clock, Common, GameEntry, Mailbox, Place};

/// A game that is registered.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) entry: GameEntry,
    /// Held while a room is made for somebody who would have taken any: those who
    /// come meanwhile wait, and find it.
    pub(crate) making: tokio::sync::Mutex<()>,
}

/// See the module.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) common: Common,
    pub(crate) games: BTreeMap<&'static str, Registered>,
    pub(crate) workers: Vec<Mailbox>,
    /// Which requests become WebSockets, and which pages may use the API.
    pub(crate) policy: UpgradePolicy,
    pub(crate) pages: Pages,
    /// What the pages may do.
    pub(crate) page_policy: HeaderValue,
    url: String,
    /// Whether rooms hold frames back: see `RoomConfig::credit`.
    credit: bool,
    places: Arc<Semaphore>,
    /// What became of connections before they were a worker's. No tick touches it.
    front: Mutex<FrontMetrics>,
    draining: watch::Sender<bool>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A node whose workers are being started.
pub(super) struct Setup {
    config: Config,
    pub(super) common: Common,
    games: Vec<GameEntry>,
    pages: Pages,
    /// Whether rooms hold frames back: see `RoomConfig::credit`.
    pub(super) credit: bool,
    address: SocketAddr,
}

impl Setup {
    pub(super) fn new(
        config: Config,
        games: Vec<GameEntry>,
        pages: Pages,
        address: SocketAddr,
    ) -> Result<Setup, StartError> {
        let key = match &config.secret_key {
            Some(key) => key.0,
            None => {
                tracing::info!("no secret key is set: tokens are void after a restart");
                random_key().map_err(StartError::System)?
            }
        };
        let common = Common {
            clock: Clock::new(),
            directory: Arc::default(),
            signer: Signer::new(&key),
            drain: config.drain,
            nice: config.worker_nice,
        };
        Ok(Setup { config, common, games, pages, credit: true, address })
    }

    /// How many workers there are to be.
    pub(super) fn workers(&self) -> usize {
        match self.config.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        }
    }

    pub(super) fn finish(self, workers: Vec<Mailbox>) -> Arc<Node> {
        let Setup { config, common, games, pages, credit, address } = self;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let games = games
            .into_iter()
            .map(|entry| {
                (entry.info.name, Registered { entry, making: tokio::sync::Mutex::default() })
            })
            .collect();
        Arc::new(Node {
            policy: UpgradePolicy {
                origins: origins(&config, scheme, address),
                origin_required: config.origin_required,
                subprotocols: &[SUBPROTOCOL],
                subprotocol_required: true,
            },
            credit,
            places: Arc::new(Semaphore::new(config.connections_max)),
            front: Mutex::default(),
            draining: watch::Sender::new(false),
            page_policy: page::policy(config.public_url.as_deref()),
            pages,
            config,
            common,
            games,
            workers,
            url,
        })
    }
}

/// The origins that may connect: an exact list, never what a request says.
fn origins(config: &Config, scheme: &str, address: SocketAddr) -> Origins {
    let mut all = BTreeSet::new();
    match &config.origins {
        AllowedOrigins::Any => return Origins::Any,
        AllowedOrigins::Own => {}
        AllowedOrigins::Only(list) => all.extend(list.iter().cloned()),
    }
    all.extend(config.public_url.clone());
    if address.ip().is_loopback() {
        let port = address.port();
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            all.insert(format!("{scheme}://{host}:{port}"));
        }
    }
    Origins::Only(all)
}

impl Node {
    /// What to open in a browser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address of the WebSocket, for a client that has connected to `host`.
    pub(crate) fn socket_url(&self, host: Option<&str>) -> String {
        let base = match (host, &self.config.public_url) {
            (Some(host), None) if self.config.tls.is_some() => format!("https://{host}"),
            (Some(host), None) => format!("http://{host}"),
            _ => self.url.clone(),
        };
        // `http` becomes `ws`, and `https` becomes `wss`.
        format!("ws{}/ws", base.strip_prefix("http").unwrap_or(&base))
    }

    /// Whether a page of this origin may use the API.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        match &self.policy.origins {
            Origins::Any => true,
            Origins::Only(allowed) => allowed.contains(origin),
        }
    }

    /// A place for a connection, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Arc::new)
    }

    /// Connections that have a place.
    pub(crate) fn connections(&self) -> usize {
        self.config.connections_max - self.places.available_permits()
    }

    /// Counts something on the way to a room.
    pub(crate) fn count(&self, count: impl FnOnce(&mut FrontMetrics)) {
        count(&mut self.front.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was counted so far.
    pub(crate) fn front(&self) -> FrontMetrics {
        self.front.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on nobody is let in, and who is at the door is sent away.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub(crate) fn drains(&self) -> bool {
        *self.draining.borrow()
    }

    /// Ready once the server stops.
    pub(crate) async fn stopped(&self) {
        // The sender is in `self`: it lives.
        let _ = self.draining.subscribe().wait_for(|drains| *drains).await;
    }

    /// What rooms are told at their creation.
    pub(crate) fn room_config(&self) -> RoomConfig {
        RoomConfig {
            seats_max: self.config.seats_max,
            reserved_for: super::SEAT_TOKEN_FOR,
            seat_kept_for: self.config.seat_kept_for,
            stale_after: self.config.stale_after,
            dispose_after: self.config.dispose_after,
            credit: self.credit,
            ..RoomConfig::default()
        }
    }
}
