//! HTTP: what a client does before it has a WebSocket, and the pages of games.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | whether it takes players |
//! | `GET /api/games` | the games |
//! | `GET /api/rooms` | the public rooms, also `?game=` |
//! | `POST /api/join` | a seat: an address and a token |
//! | `GET /ws` | the WebSocket |
//! | `GET` anything else | the web pages, of which `/` is the front page |
//!
//! Every error has the one shape of [`ApiError`]. What decides about a request
//! before its route does, such as its origin (and, later, who sent it and how
//! often they do), is in [`answer`]. What is absent: rooms; they are asked through
//! [`Node`].

mod error;
mod join;
mod lists;
mod origin;
pub(crate) mod page;
mod socket;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use tower_service::Service;

use crate::net::Transport;
use crate::server::{Node, UpgradeSlot};
use error::{ApiError, ErrorCode};

/// Nothing is loaded, framed or sent anywhere by what a browser takes for a page. The
/// pages have a policy of their own.
const CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is the same for every response.
const HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, CSP),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// Answers a request. An upgrade that is accepted is left in the slot.
pub(crate) async fn answer<T: Transport>(
    node: Arc<Node>,
    slot: UpgradeSlot<T>,
    request: Request<Incoming>,
) -> Response<Body> {
    let origin = origin::Origin::of(&node, &request);
    let mut response = match origin.judge(&request) {
        Some(response) => response,
        None => {
            let mut routes = routes::<T>().layer(Extension(slot)).with_state(node.clone());
            let Ok(response) = routes.call(request).await;
            response
        }
    };
    if let Some(ErrorCode(code)) = response.extensions_mut().remove() {
        tracing::debug!(code, status = response.status().as_u16(), "a request was refused");
        node.count(|front| front.requests_refused.count(code));
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    origin.mark(headers);
    response
}

fn routes<T: Transport>() -> Router<Arc<Node>> {
    Router::new()
        .route("/healthz", get(health))
        .route("/api/games", get(lists::games))
        .route("/api/rooms", get(lists::rooms))
        .route("/api/join", post(join::join))
        .route("/ws", any(socket::upgrade::<T>))
        .fallback(page::any)
        .method_not_allowed_fallback(not_allowed)
}

async fn health(State(node): State<Arc<Node>>) -> Response<Body> {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
    }
    if node.drains() {
        ApiError::stopping().into_response()
    } else {
        json(StatusCode::OK, &Health { status: "ok" })
    }
}

async fn not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "not with this method")
}

/// A response in JSON.
fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // Structs of text and numbers can always be written.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
