//! One HTTP/1.1 exchange on a connection of its own, by hyper's client.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::Address;
use super::stream::{Stream, connect};

/// How long the answer to a request may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer's body.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// No connection.
    Connect(io::Error),
    /// A connection, and silence.
    Silent,
    /// The connection ended, or what came is not HTTP.
    Broken(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                f.write_str("no connection in time")
            }
            HttpError::Connect(error) if error.kind() == io::ErrorKind::Unsupported => error.fmt(f),
            HttpError::Connect(error) => write!(f, "no connection: {error}"),
            HttpError::Silent => f.write_str("a connection, but no answer"),
            HttpError::Broken(why) => write!(f, "no answer in HTTP: {why}"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// Null if the body is not JSON.
    pub(super) body: Value,
}

/// Sends a request and reads the answer.
pub(super) async fn ask(
    address: &Address,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, HttpError> {
    let stream = connect(address, false).await.map_err(HttpError::Connect)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(address.below(path))
        .header(HOST, address.authority())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(broken)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => HttpError::Broken("the answer is too long".to_owned()),
            false => HttpError::Broken(error.to_string()),
        })?;
        let seconds = parts.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        Ok(Answer {
            status: parts.status,
            retry_after: seconds.map(Duration::from_secs),
            body: serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
        })
    };
    let both = alongside(exchange, connection);
    timeout(ANSWER_WITHIN, both).await.map_err(|_| HttpError::Silent)?
}

/// Waits for `wanted` while `connection` is driven.
pub(super) async fn alongside<T>(
    wanted: impl Future<Output = T>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> T {
    let (mut wanted, mut connection) = (pin!(wanted), pin!(connection));
    tokio::select! {
        biased;
        done = &mut wanted => return done,
        // What went wrong with it comes out of the exchange, too.
        _ = &mut connection => {}
    }
    wanted.await
}

pub(super) fn broken(error: impl fmt::Display) -> HttpError {
    HttpError::Broken(error.to_string())
}

/// A stream for hyper, and back.
pub(super) type Io = TokioIo<Stream>;
