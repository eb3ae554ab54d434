//! The web pages: the files of [`Pages`](crate::pages::Pages), and the page that says there is none.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use hyper::{Method, Request, Response, StatusCode};

use super::error::ApiError;
use crate::pages::File;
use crate::server::Node;

/// What people see where nothing is.
const MISSING: &str = "/404.html";

/// What a page may do: load from its own server, and connect to it. Nothing is written in a
/// page itself, and no text becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'; connect-src 'self'";

/// The policy of a server's pages. Where its address is known, the socket may be there also if
/// the page came from another one.
pub(crate) fn policy(public_url: Option<&str>) -> HeaderValue {
    let socket = public_url.map(|url| {
        let own = url.strip_prefix("http").map(|rest| format!(" ws{rest}"));
        own.unwrap_or_default()
    });
    let policy = format!("{POLICY}{}", socket.unwrap_or_default());
    // The settings only take an origin for the address.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY))
}

/// Answers what no other route does.
pub(super) async fn any(State(node): State<Arc<Node>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match node.pages.get(path) {
        Some(file) if reads => found(&node, file, request.headers()),
        Some(_) => {
            let mut response = super::not_allowed().await.into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
            response
        }
        None if reads && node.pages.get(&format!("{path}/")).is_some() => moved(path),
        None => missing(&node, &request),
    }
}

/// A file, or word that the client has it already.
fn found(node: &Node, file: &File, headers: &HeaderMap) -> Response<Body> {
    let mut response = sent(node, file);
    if has(headers, &file.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::try_from(&file.etag) {
        headers.insert(ETAG, etag);
    }
    // Kept, and asked for at each use: a new version of the program is a new version of all.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A file, with what a browser has to know of it. It takes the headers of a 304 for those of the
/// file that it has, so they are the same.
fn sent(node: &Node, file: &File) -> Response<Body> {
    let mut response = Response::new(Body::from(file.body.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    if file.kind.starts_with("text/html") {
        headers.insert(CONTENT_SECURITY_POLICY, node.page_policy.clone());
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("same-origin"));
    }
    response
}

/// Whether the client has a file of this tag. Bodies are equal to the byte, so weak tags are good.
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A folder's page is at its path with a slash, where its own links lead on.
fn moved(path: &str) -> Response<Body> {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(location) = HeaderValue::try_from(format!("{path}/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// For people a page, for programs the shape of any error.
fn missing(node: &Node, request: &Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let person = accept.is_some_and(|accept| accept.contains("text/html"));
    match node.pages.get(MISSING).filter(|_| person && !path.starts_with("/api/")) {
        Some(page) => {
            let mut response = sent(node, page);
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        None => {
            // What was asked for is the client's to know: it is not repeated.
            let what = if path.starts_with("/api/") { "no such call" } else { "no such page" };
            ApiError::new(StatusCode::NOT_FOUND, "not_found", what).into_response()
        }
    }
}
