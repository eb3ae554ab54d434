//! `POST /api/join`: a seat in a room, or in any room of a game.
//!
//! ```text
//! {"room": "…32 hexadecimal digits…", "name"?}
//! {"game": "arena", "name"?, "options"?, "private"?}
//!   → {"url": "ws://…/ws", "token", "room", "game", "expires_s": 15}
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use tickwire_protocol::limits::PLAYER_NAME_BYTES_MAX;
use tokio::time::timeout;

use super::error::ApiError;
use super::json;
use crate::server::{Node, Place, SEAT_TOKEN_FOR, Wish};
use crate::text::clean_within;

/// Bytes of a request's body. More: 413.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Time for the body to arrive. Then: 408.
const BODY_WITHIN: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Seat<'a> {
    url: String,
    token: &'a str,
    room: String,
    game: &'static str,
    /// Seconds until the token is void.
    expires_s: u64,
}

pub(super) async fn join(
    State(node): State<Arc<Node>>,
    request: Request<Body>,
) -> Result<Response<Body>, ApiError> {
    let host = host(request.headers());
    let wish = wish(read(request).await?)?;
    let ticket = node.join(wish).await?;
    Ok(json(
        StatusCode::OK,
        &Seat {
            url: node.socket_url(host.as_deref()),
            token: &ticket.token,
            room: ticket.room.to_string(),
            game: ticket.game,
            expires_s: SEAT_TOKEN_FOR.as_secs(),
        },
    ))
}

/// What the client calls this server.
fn host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(known)).then(|| host.to_owned())
}

/// The JSON object that is the body.
async fn read(request: Request<Body>) -> Result<Map<String, Value>, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::new(status, "media_type", "the body must be application/json"));
    }
    let body = timeout(BODY_WITHIN, Limited::new(request.into_body(), BODY_BYTES_MAX).collect());
    let body = match body.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let why = format!("the body has more than {BODY_BYTES_MAX} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why));
        }
        Ok(Err(_)) => return Err(ApiError::bad_request("the body ended early")),
        Err(_) => {
            let why = "the body did not arrive in time";
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", why));
        }
    };
    match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(ApiError::bad_request("the body must be an object")),
        Err(error) => Err(ApiError::bad_request(format!("the body is not JSON: {error}"))),
    }
}

/// What a client asks for.
fn wish(mut fields: Map<String, Value>) -> Result<Wish, ApiError> {
    let room = text(&mut fields, "room")?;
    let game = text(&mut fields, "game")?;
    let name = name(&text(&mut fields, "name")?.unwrap_or_default())?;
    let options = fields.remove("options").unwrap_or_default();
    let private = match fields.remove("private") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(private)) => Some(private),
        Some(_) => return Err(ApiError::field("private", "must be true or false")),
    };
    if let Some(unknown) = fields.keys().next() {
        // What a client sends is not for the terminals of others.
        let shown = clean_within(unknown, 64);
        return Err(ApiError::bad_request(format!("there is no field `{shown}`")));
    }
    let place = match (room, game) {
        (Some(_), Some(_)) => return Err(ApiError::field("game", "either a room or a game")),
        (None, None) => return Err(ApiError::field("game", "a room or a game must be named")),
        (Some(_), None) if !options.is_null() => {
            return Err(ApiError::field("options", "the room has its options already"));
        }
        (Some(_), None) if private.is_some() => {
            return Err(ApiError::field("private", "the room is what it is"));
        }
        (Some(room), None) => Place::Room(room.parse().map_err(|_| {
            ApiError::field("room", "the id of a room is 32 hexadecimal digits, lowercase")
        })?),
        (None, Some(name)) => Place::Game { name, options, private: private.unwrap_or_default() },
    };
    Ok(Wish { place, name })
}

/// A field that is text, if it is there.
fn text(fields: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>, ApiError> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::field(field, "must be text")),
    }
}

/// A name that others may be shown.
fn name(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.len() > PLAYER_NAME_BYTES_MAX {
        let why = format!("a name has at most {PLAYER_NAME_BYTES_MAX} bytes");
        return Err(ApiError::field("name", why));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::field("name", "a name has no control characters"));
    }
    Ok(text.to_owned())
}
