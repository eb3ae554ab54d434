//! HTTP/1 over one stream, with a deadline and a size for the headers.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::linger::Linger;

/// What the headers of a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Time from the connection, or the last response, to the last byte of the next
    /// request's headers. Then the connection is closed without an answer.
    pub header_deadline: Duration,
    /// Bytes of the request line and headers. More: 431.
    pub header_bytes_max: usize,
    /// Number of headers. More: 431.
    pub headers_max: usize,
    /// Time that a peer may take nothing of a response. Then the connection is cut.
    pub stall: Duration,
    /// Time that a peer which still sends is given to read the last response.
    pub linger: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            header_deadline: Duration::from_secs(5),
            header_bytes_max: 16 * 1024,
            headers_max: 64,
            stall: Duration::from_secs(10),
            linger: Duration::from_secs(1),
        }
    }
}

/// The label of the case in a metric.
pub(crate) fn http_cause(error: &hyper::Error) -> &'static str {
    if error.is_timeout() {
        "headers_late"
    } else if error.is_parse_too_large() {
        "headers_too_large"
    } else if error.is_parse() {
        "malformed"
    } else if error.is_incomplete_message() {
        "incomplete"
    } else if is_stall(error) {
        "response_stalled"
    } else {
        "failed"
    }
}

/// Whether the peer has taken nothing of a response for too long.
fn is_stall(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

/// Serves the requests of one stream until it ends or is upgraded. A handler that
/// wants a WebSocket calls [`accept_upgrade`](super::accept_upgrade) with the same
/// stream type.
pub async fn serve_http<T, S, B>(
    stream: T,
    limits: &HttpLimits,
    service: S,
) -> Result<(), hyper::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_http_until(stream, limits, service, std::future::pending()).await
}

/// [`serve_http`] that takes no further request once `stop` is ready; the one that
/// is under way is answered.
pub async fn serve_http_until<T, S, B>(
    stream: T,
    limits: &HttpLimits,
    service: S,
    stop: impl Future<Output = ()>,
) -> Result<(), hyper::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_deadline)
        .max_header_size(limits.header_bytes_max)
        .max_headers(limits.headers_max)
        .serve_connection(TokioIo::new(Linger::new(stream, limits)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        served = &mut connection => return served,
        () = stop => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
