//! From an accepted stream to a worker: TLS, HTTP, the upgrade, and Hello.
//!
//! All of a connection up to Hello is one task, within deadlines; nothing of it
//! is left behind when it has moved to its worker.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::service::service_fn;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ClientMessage, VERSION};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Node, StartError};
use crate::config::Config;
use crate::http;
use crate::metrics::cause;
use crate::net::{self, HttpLimits, Message, Transport, Upgrading, WebSocket, serve_http_until};
use crate::room::RoomId;
use crate::token::unix_seconds;
use crate::worker::{Greeting, LIMITS, Place, farewell};

/// Time from the upgrade to Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(2);
/// Time for the handshake of TLS.
#[cfg(feature = "tls")]
const TLS_WITHIN: Duration = Duration::from_secs(5);
/// Pause after the system had no descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection gets for which there is no place.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// Where an accepted upgrade waits until HTTP is done with the stream.
pub(crate) type UpgradeSlot<T> = Arc<Mutex<Option<Upgrading<T>>>>;

/// Turns sockets into streams.
pub(super) struct Accept {
    #[cfg(feature = "tls")]
    tls: Option<net::TlsAcceptor>,
}

impl Accept {
    #[cfg(feature = "tls")]
    pub(super) fn new(config: &Config) -> Result<Accept, StartError> {
        let tls = config.tls.as_ref().map(|files| net::acceptor(&files.certificates, &files.key));
        let tls = tls.transpose().map_err(|error| StartError::Tls(error.to_string()))?;
        Ok(Accept { tls })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn new(config: &Config) -> Result<Accept, StartError> {
        match config.tls {
            Some(_) => Err(StartError::Tls("this program was built without it".to_owned())),
            None => Ok(Accept {}),
        }
    }

    /// Accepts connections until it is dropped.
    pub(super) async fn run(
        &self,
        listener: &TcpListener,
        node: &Arc<Node>,
        connections: &mut JoinSet<()>,
    ) {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.accepted(stream, node, connections),
                    Err(error) if of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::error!(%error, "no connection can be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn accepted(&self, stream: TcpStream, node: &Arc<Node>, connections: &mut JoinSet<()>) {
        if net::accepted(&stream).is_err() {
            // The peer is gone already.
            return;
        }
        let node = Arc::clone(node);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            // A handshake costs more than any answer: who has no place gets none.
            let Some(place) = place(&node) else { return };
            let accepting = tls.accept(net::Portable::new(stream));
            connections.spawn(async move {
                match timeout(TLS_WITHIN, accepting).await {
                    Ok(Ok(stream)) => serve_placed(node, stream, place).await,
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "no TLS");
                        node.count(|front| front.http_failed.count("tls"));
                    }
                    Err(_) => {
                        tracing::debug!("no TLS in time");
                        node.count(|front| front.http_failed.count("tls_late"));
                    }
                }
            });
            return;
        }
        connections.spawn(serve(node, stream));
    }
}

/// Whether an error of `accept` is about the connection, not the listener.
fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Counts a connection, and gives it a place if there is one.
fn place(node: &Node) -> Option<Place> {
    let place = node.place();
    node.count(|front| {
        front.accepted += 1;
        front.no_place += u64::from(place.is_none());
    });
    place
}

/// Serves a stream until it ends or is its worker's.
pub(super) async fn serve<T: Transport>(node: Arc<Node>, mut stream: T) {
    match place(&node) {
        Some(place) => serve_placed(node, stream, place).await,
        None => {
            // It is short: the kernel takes it whole, or the peer goes without.
            let _ = timeout(Duration::from_secs(1), stream.write_all(NO_PLACE)).await;
        }
    }
}

async fn serve_placed<T: Transport>(node: Arc<Node>, stream: T, place: Place) {
    let slot: UpgradeSlot<T> = Arc::default();
    let service = service_fn(|request| {
        let answer = http::answer(Arc::clone(&node), Arc::clone(&slot), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let served = serve_http_until(stream, &HttpLimits::default(), service, node.stopped()).await;
    if let Err(error) = served {
        let cause = net::http_cause(&error);
        tracing::debug!(cause, "HTTP ended");
        node.count(|front| front.http_failed.count(cause));
    }
    let upgrading = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(upgrading) = upgrading {
        greet(&node, upgrading, place).await;
    }
}

/// Waits for Hello, and hands the connection to the worker of its room.
async fn greet<T: Transport>(node: &Node, upgrading: Upgrading<T>, place: Place) {
    let Ok(upgraded) = upgrading.stream().await else { return };
    node.count(|front| front.upgraded += 1);
    let mut socket = upgraded.stream.into_socket(&upgraded.unread, &LIMITS);
    let heard = tokio::select! {
        biased;
        heard = timeout(HELLO_WITHIN, hello(node, &mut socket)) => {
            heard.unwrap_or(Err(Some(CloseReason::NotAuthenticated)))
        }
        () = node.stopped() => Err(Some(CloseReason::Restart)),
    };
    let (worker, mut greeting) = match heard {
        Ok(heard) => heard,
        Err(reason) => {
            if let Some(reason) = reason {
                node.count(|front| front.hellos_refused.count(cause(reason)));
                farewell(&mut socket, reason, reason.text(), retry_after(node, reason));
            }
            let ended = socket.finish().await.label();
            node.count(|front| front.ended.count(ended));
            let reason = reason.map_or("", cause);
            return tracing::debug!(reason, cause = ended, "no hello");
        }
    };
    greeting.place = Some(place);
    // It was flushed, so only an end that came meanwhile keeps it here.
    let Some((stream, unread)) = T::from_socket(socket) else { return };
    if let Err(error) = node.workers[worker].connect(stream, unread, greeting).await {
        tracing::debug!(%error, "a connection could not move to its worker");
    }
}

/// The worker that a connection belongs to, and what it said; or why it has to go,
/// if the server decides so.
async fn hello<R, W>(
    node: &Node,
    socket: &mut WebSocket<R, W>,
) -> Result<(usize, Greeting), Option<CloseReason>>
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let Ok(Message::Binary(message)) = socket.next().await else { return Err(None) };
    let greeting = judge(node, message)?;
    let entry = node.common.directory.get(RoomId(greeting.token.room));
    let entry = entry.ok_or(CloseReason::NoSuchRoom)?;
    // A pong may wait; a socket that has something to write cannot move.
    socket.flush().await.map_err(|_| None)?;
    Ok((entry.worker, greeting))
}

/// Reads a Hello, and checks its token.
fn judge(node: &Node, message: Bytes) -> Result<Greeting, CloseReason> {
    let Ok(ClientMessage::Hello(hello)) = ClientMessage::read(&message) else {
        return Err(CloseReason::BadMessage);
    };
    if hello.version != VERSION {
        return Err(CloseReason::BadMessage);
    }
    let token = node
        .common
        .signer
        .verify(hello.token, unix_seconds())
        .map_err(|_| CloseReason::NotAuthenticated)?;
    Ok(Greeting { token, hello: message, place: None })
}

fn retry_after(node: &Node, reason: CloseReason) -> Duration {
    if reason == CloseReason::Restart { node.config.retry_after } else { Duration::ZERO }
}
