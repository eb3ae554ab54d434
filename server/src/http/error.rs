//! The one shape of an error: `{"code", "message", "field"?}`.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::json;
use crate::server::JoinRefused;
use crate::text::clean_within;

/// When to come back, after what passes by itself.
const LATER: Duration = Duration::from_secs(5);
/// Bytes of what a game says. It may repeat what the client sent, so it is cleaned.
const WORDS_BYTES_MAX: usize = 512;

/// The code of an error, for who counts them: an extension of its response.
#[derive(Clone, Copy)]
pub(super) struct ErrorCode(pub(super) &'static str);

/// A request that was not carried out.
#[derive(Debug, Serialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    /// For programs.
    code: &'static str,
    /// For people.
    message: String,
    /// The field of the request that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError { status, code, message: message.into(), field: None, retry_after: None }
    }

    /// A field of the request is not good.
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { field: Some(field), ..ApiError::bad_request(message) }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn no_such_game() -> ApiError {
        let error = ApiError::new(StatusCode::NOT_FOUND, "no_such_game", "no such game");
        ApiError { field: Some("game"), ..error }
    }

    pub(super) fn stopping() -> ApiError {
        ApiError::later("stopping", "the server stops")
    }

    /// What may be different in a moment.
    fn later(code: &'static str, message: &'static str) -> ApiError {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        ApiError { retry_after: Some(LATER), ..error }
    }
}

impl From<JoinRefused> for ApiError {
    fn from(reason: JoinRefused) -> ApiError {
        let room = |status, code, message: &str| ApiError {
            field: Some("room"),
            ..ApiError::new(status, code, message)
        };
        match reason {
            JoinRefused::NoSuchGame => ApiError::no_such_game(),
            JoinRefused::NoSuchRoom => room(StatusCode::NOT_FOUND, "no_such_room", "no such room"),
            JoinRefused::RoomFull => room(StatusCode::CONFLICT, "room_full", "the room is full"),
            JoinRefused::RoomLocked => {
                room(StatusCode::CONFLICT, "room_locked", "the room is locked")
            }
            JoinRefused::TooManyRooms => ApiError::later("too_many_rooms", "there are too many"),
            JoinRefused::Overloaded => ApiError::later("overloaded", "the server is overloaded"),
            JoinRefused::Stopping => ApiError::stopping(),
            JoinRefused::BadOptions(why) => {
                ApiError::field("options", clean_within(&why, WORDS_BYTES_MAX))
            }
            JoinRefused::Refused(refusal) => {
                let words = clean_within(&refusal.text, WORDS_BYTES_MAX);
                let error = ApiError::new(StatusCode::FORBIDDEN, "refused", words);
                ApiError { field: Some("options"), ..error }
            }
            JoinRefused::Failed => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the game failed")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = json(self.status, &self);
        response.extensions_mut().insert(ErrorCode(self.code));
        if let Some(retry_after) = self.retry_after {
            let seconds = HeaderValue::from(retry_after.as_secs());
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
