//! Which web pages may use the API: those that may open a WebSocket.
//!
//! Browsers name the origin of a page; the answer says whether the page may read
//! it. What changes something is refused to a foreign page outright, because some
//! of it needs no permission of the browser's.

use axum::body::Body;
use axum::response::IntoResponse;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::error::ApiError;
use crate::server::Node;

/// The origin of a request.
pub(super) enum Origin {
    /// None: it is not a page's.
    Absent,
    /// A page's that may use the API.
    Allowed(HeaderValue),
    /// Another page's.
    Foreign,
}

impl Origin {
    pub(super) fn of<B>(node: &Node, request: &Request<B>) -> Origin {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Origin::Absent,
            (Some(origin), None)
                if origin.to_str().is_ok_and(|origin| node.allows_origin(origin)) =>
            {
                Origin::Allowed(origin.clone())
            }
            (Some(_), _) => Origin::Foreign,
        }
    }

    /// The answer, if the origin decides it.
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        match (self, request.method()) {
            // The WebSocket's own policy refuses it.
            (Origin::Foreign, &Method::GET | &Method::HEAD) => None,
            (Origin::Foreign, _) => {
                let why = "this origin is not allowed";
                Some(ApiError::new(StatusCode::FORBIDDEN, "origin", why).into_response())
            }
            (Origin::Allowed(_), &Method::OPTIONS) => {
                let mut response = StatusCode::NO_CONTENT.into_response();
                let headers = response.headers_mut();
                let allow = |text| HeaderValue::from_static(text);
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow("GET, POST"));
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allow("content-type"));
                headers.insert(ACCESS_CONTROL_MAX_AGE, allow("600"));
                Some(response)
            }
            (Origin::Allowed(_) | Origin::Absent, _) => None,
        }
    }

    /// Tells the browser whether the page may read the answer.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if let Origin::Allowed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
}
