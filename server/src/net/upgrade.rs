//! From an HTTP request to a raw stream that speaks WebSocket.
//!
//! fastwebsockets answers the handshake, but looks at the version and at the
//! presence of a key only; everything else is judged here first. Extensions are
//! never negotiated: an offer of compression is ignored, as the standard allows.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use http_body_util::Full;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::linger::Linger;

/// Which web pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Those of any origin.
    Any,
    /// Those of exactly these origins, such as `https://play.example`.
    Only(BTreeSet<String>),
}

/// Which requests become WebSockets.
#[derive(Debug, Clone)]
pub struct UpgradePolicy {
    /// The origins of web pages.
    pub origins: Origins,
    /// Whether a request without an origin, which no browser sends, is refused.
    pub origin_required: bool,
    /// The subprotocols that the server speaks, the best first.
    pub subprotocols: &'static [&'static str],
    /// Whether a request that offers none of them is refused.
    pub subprotocol_required: bool,
}

/// Why a request does not become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not a GET: 405.
    Method,
    /// No upgrade to a WebSocket over HTTP/1.1 is asked for: 400.
    NotUpgrade,
    /// The request has a body, which would be taken for frames: 400.
    Body,
    /// Another version than 13: 426.
    Version,
    /// No key, several, or not 16 bytes: 400.
    Key,
    /// The origin is foreign, or missing where it must not be: 403.
    Origin,
    /// No common subprotocol: 400.
    Subprotocol,
}

impl Refusal {
    /// The status that the client reads.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::NotUpgrade | Self::Body | Self::Key | Self::Subprotocol => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The label of the case in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::NotUpgrade => "not_upgrade",
            Self::Body => "body",
            Self::Version => "version",
            Self::Key => "key",
            Self::Origin => "origin",
            Self::Subprotocol => "subprotocol",
        }
    }

    /// The response that the client reads; the connection ends with it.
    pub fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.text()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::Version => {
                headers.insert(CONNECTION, HeaderValue::from_static("close, upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::NotUpgrade | Self::Body | Self::Key | Self::Origin | Self::Subprotocol => {}
        }
        response
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Method => "a WebSocket begins with GET\n",
            Self::NotUpgrade => "this is a WebSocket\n",
            Self::Body => "a WebSocket begins without a body\n",
            Self::Version => "the WebSocket version is 13\n",
            Self::Key => "the WebSocket key is not 16 bytes\n",
            Self::Origin => "this origin is not allowed\n",
            Self::Subprotocol => "none of the subprotocols is known\n",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().trim_end())
    }
}

impl std::error::Error for Refusal {}

/// An accepted upgrade, until the response is written.
pub struct Upgrading<T> {
    upgrade: UpgradeFut,
    subprotocol: Option<&'static str>,
    stream: PhantomData<fn() -> T>,
}

/// A stream that speaks WebSocket. It is the stream that was given to
/// [`serve_http`](super::serve_http), so it may move to another runtime.
#[derive(Debug)]
pub struct Upgraded<T> {
    /// The stream.
    pub stream: T,
    /// Bytes of the peer that were read with the request.
    pub unread: Bytes,
    /// The subprotocol that was agreed on.
    pub subprotocol: Option<&'static str>,
}

/// The stream did not come back: the peer went away before the response was
/// written, or the stream is of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpgradeLost;

impl fmt::Display for UpgradeLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer went away during the upgrade")
    }
}

impl std::error::Error for UpgradeLost {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Upgrading<T> {
    /// Waits until the response is written, then gives the stream. Call it in a task
    /// of its own: the response is only written after the handler has returned it.
    pub async fn stream(self) -> Result<Upgraded<T>, UpgradeLost> {
        let socket = self.upgrade.await.map_err(|_| UpgradeLost)?;
        let upgraded = socket.into_inner().into_inner();
        let parts = upgraded.downcast::<TokioIo<Linger<T>>>().map_err(|_| UpgradeLost)?;
        Ok(Upgraded {
            stream: parts.io.into_inner().into_inner(),
            unread: parts.read_buf,
            subprotocol: self.subprotocol,
        })
    }
}

/// Judges a request for a WebSocket. If it is accepted, the response must be
/// returned from the handler and the [`Upgrading`] awaited beside it.
pub fn accept_upgrade<T, B>(
    request: &mut Request<B>,
    policy: &UpgradePolicy,
) -> Result<(Response<Full<Bytes>>, Upgrading<T>), Refusal> {
    let subprotocol = judge(request, policy)?;
    let (response, upgrade) = upgrade(request).map_err(|_| Refusal::NotUpgrade)?;
    let mut response = response.map(|_| Full::default());
    if let Some(name) = subprotocol {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    Ok((response, Upgrading { upgrade, subprotocol, stream: PhantomData }))
}

/// The subprotocol of a request that may become a WebSocket.
fn judge<B>(request: &Request<B>, policy: &UpgradePolicy) -> Result<Option<&'static str>, Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal::Method);
    }
    if request.version() != Version::HTTP_11 || !is_upgrade_request(request) {
        return Err(Refusal::NotUpgrade);
    }
    let empty = headers.get_all(CONTENT_LENGTH).iter().all(|length| length == "0");
    if headers.contains_key(TRANSFER_ENCODING) || !empty {
        return Err(Refusal::Body);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    if !single(headers, &SEC_WEBSOCKET_KEY).is_some_and(|key| is_16_bytes(key.as_bytes())) {
        return Err(Refusal::Key);
    }
    if !origin_allowed(headers, policy) {
        return Err(Refusal::Origin);
    }
    let subprotocol = choose_subprotocol(headers, policy.subprotocols);
    if subprotocol.is_none() && policy.subprotocol_required {
        return Err(Refusal::Subprotocol);
    }
    Ok(subprotocol)
}

/// The value of a header that is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a key is the base64 of 16 bytes: 22 digits, which hold 128 bits and
/// four to spare, and the padding.
fn is_16_bytes(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|digits| digits.len() == 22 && digits.iter().all(digit))
}

fn origin_allowed(headers: &HeaderMap, policy: &UpgradePolicy) -> bool {
    if !headers.contains_key(ORIGIN) {
        return !policy.origin_required;
    }
    match &policy.origins {
        Origins::Any => true,
        Origins::Only(allowed) => single(headers, &ORIGIN)
            .and_then(|origin| origin.to_str().ok())
            .is_some_and(|origin| allowed.contains(origin)),
    }
}

/// The server's best subprotocol among those that the client offers.
fn choose_subprotocol(headers: &HeaderMap, known: &[&'static str]) -> Option<&'static str> {
    let offered = |name: &str| {
        let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let mut names =
            lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
        names.any(|offer| offer.trim() == name)
    };
    known.iter().copied().find(|name| offered(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: UpgradePolicy = UpgradePolicy {
        origins: Origins::Any,
        origin_required: false,
        subprotocols: &["new.2", "old.1"],
        subprotocol_required: true,
    };

    /// A request that is accepted, with some of its headers replaced.
    fn request(replaced: &[(HeaderName, &[&'static str])]) -> Request<()> {
        let usual = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            (SEC_WEBSOCKET_PROTOCOL, "other, old.1"),
        ];
        let mut request = Request::new(());
        let headers = request.headers_mut();
        for (name, value) in usual {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, values) in replaced {
            headers.remove(name);
            for value in *values {
                headers.append(name, HeaderValue::from_static(value));
            }
        }
        request
    }

    fn judged(name: HeaderName, values: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        judge(&request(&[(name, values)]), &POLICY)
    }

    #[test]
    fn the_servers_best_common_subprotocol_is_chosen() {
        let judged = |values| judged(SEC_WEBSOCKET_PROTOCOL, values);
        assert_eq!(judged(&["old.1, new.2"]), Ok(Some("new.2")));
        assert_eq!(judged(&["old.1", "new.2"]), Ok(Some("new.2")));
        assert_eq!(judged(&["old.1"]), Ok(Some("old.1")));
        for none in [&["old", "old.12"][..], &["OLD.1"], &[""], &[]] {
            assert_eq!(judged(none), Err(Refusal::Subprotocol), "{none:?}");
        }
        let policy = UpgradePolicy { subprotocol_required: false, ..POLICY };
        let request = request(&[(SEC_WEBSOCKET_PROTOCOL, &["unknown"])]);
        assert_eq!(judge(&request, &policy), Ok(None));
    }

    #[test]
    fn upgrade_and_connection_are_lists_in_any_case() {
        for accepted in [&["upgrade"][..], &["close", "UPGRADE"], &["a , uPgRaDe,b"]] {
            assert!(judged(CONNECTION, accepted).is_ok(), "{accepted:?}");
        }
        for refused in [&["keep-alive"][..], &["upgrades"], &[""], &[]] {
            assert_eq!(judged(CONNECTION, refused), Err(Refusal::NotUpgrade), "{refused:?}");
        }
        assert!(judged(UPGRADE, &["h2c, websocket"]).is_ok());
        assert_eq!(judged(UPGRADE, &["websocket2"]), Err(Refusal::NotUpgrade));
    }

    #[test]
    fn the_key_is_one_and_of_16_bytes() {
        let good = "AAAAAAAAAAAAAAAAAAAAAA==";
        assert!(judged(SEC_WEBSOCKET_KEY, &[good]).is_ok());
        let refused: [&[&str]; 7] = [
            &[],
            &[""],
            &[good, good],
            &["AAAAAAAAAAAAAAAAAAAAAAA="],
            &["AAAAAAAAAAAAAAAAAAAA=="],
            &["AAAAAAAAAAAAAAAAAAAAA!=="],
            &["AAAAAAAAAAAAAAAAAAAAAAAA"],
        ];
        for key in refused {
            assert_eq!(judged(SEC_WEBSOCKET_KEY, key), Err(Refusal::Key), "{key:?}");
        }
    }

    #[test]
    fn a_request_with_a_body_is_refused() {
        assert!(judged(CONTENT_LENGTH, &["0"]).is_ok());
        assert_eq!(judged(CONTENT_LENGTH, &["5"]), Err(Refusal::Body));
        assert_eq!(judged(CONTENT_LENGTH, &["5", "5"]), Err(Refusal::Body));
        assert_eq!(judged(TRANSFER_ENCODING, &["chunked"]), Err(Refusal::Body));
    }

    #[test]
    fn origins_are_compared_exactly() {
        let only = Origins::Only(BTreeSet::from(["https://good.example".to_owned()]));
        let policy = UpgradePolicy { origins: only, origin_required: true, ..POLICY };
        let judged = |values| judge(&request(&[(ORIGIN, values)]), &policy);
        assert!(judged(&["https://good.example"]).is_ok());
        let refused: [&[&str]; 7] = [
            &["null"],
            &["https://good.example.evil.com"],
            &["http://good.example"],
            &["https://good.example:8443"],
            &["https://evil.com", "https://good.example"],
            &["https://GOOD.example"],
            &[],
        ];
        for origin in refused {
            assert_eq!(judged(origin), Err(Refusal::Origin), "{origin:?}");
        }
    }
}
