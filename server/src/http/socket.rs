//! `GET /ws`: the way to a WebSocket.

use std::sync::{Arc, PoisonError};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Request, Response};

use super::error::ApiError;
use crate::net::{Transport, accept_upgrade};
use crate::server::{Node, UpgradeSlot};

/// Judges the request. The stream is taken over by the connection's own task,
/// when the response is written.
pub(super) async fn upgrade<T: Transport>(
    State(node): State<Arc<Node>>,
    Extension(slot): Extension<UpgradeSlot<T>>,
    mut request: Request<Body>,
) -> Response<Body> {
    match accept_upgrade::<T, _>(&mut request, &node.policy) {
        Ok((response, upgrading)) => {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrading);
            response.map(Body::new)
        }
        Err(refusal) => {
            // Its headers say what would be right; the body has the shape of any error.
            let (parts, _) = refusal.response().into_parts();
            let error = ApiError::new(refusal.status(), refusal.label(), refusal.to_string());
            let mut response = error.into_response();
            for (name, value) in &parts.headers {
                if name != CONTENT_TYPE && name != CONTENT_LENGTH {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            response
        }
    }
}
