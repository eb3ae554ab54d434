//! What hostile and unlucky clients do before they speak WebSocket, and what they get.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::time::Duration;

use tickwire::net::{HttpLimits, Origins, UpgradePolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use wire::*;

const HEADER_DEADLINE: Duration = Duration::from_millis(200);

async fn impatient() -> Server {
    let http = HttpLimits { header_deadline: HEADER_DEADLINE, ..HttpLimits::default() };
    Server::with(game(), http, policy()).await
}

/// The response to the usual handshake after `edit`.
async fn response(server: &Server, edit: impl FnOnce(String) -> String) -> String {
    let mut client = server.connected().await;
    client.send(format!("{}\r\n", edit(HANDSHAKE.to_owned())).as_bytes()).await;
    client.read_response().await.to_ascii_lowercase()
}

/// The status of [`response`].
async fn status(server: &Server, edit: impl FnOnce(String) -> String) -> u16 {
    let response = response(server, edit).await;
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Adds a header.
fn with(header: &str) -> impl FnOnce(String) -> String {
    move |request| format!("{request}{header}\r\n")
}

/// Takes a header away.
fn without(name: &str) -> impl FnOnce(String) -> String {
    move |request| {
        let lines = request.split_inclusive("\r\n").filter(|line| !line.starts_with(name));
        let rest: String = lines.collect();
        assert_ne!(rest, request);
        rest
    }
}

/// Replaces a part, which must be there.
fn replacing(old: &str, new: &str) -> impl FnOnce(String) -> String {
    move |request| {
        assert!(request.contains(old));
        request.replace(old, new)
    }
}

#[tokio::test]
async fn a_good_handshake_is_accepted_with_its_key_and_subprotocol() {
    let server = Server::start(game()).await;
    let response = response(&server, |request| request).await;
    assert!(response.starts_with("http/1.1 101 "), "{response}");
    assert!(response.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
    assert!(response.contains("\r\nsec-websocket-protocol: tickwire.test\r\n"));
}

#[tokio::test]
async fn header_bytes_that_trickle_on_many_sockets_are_cut_off_at_the_deadline() {
    let server = impatient().await;
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let mut stream = server.connected().await.stream;
        clients.spawn(guard(async move {
            let (mut read, mut write) = stream.split();
            let mut pace = interval(HEADER_DEADLINE / 10);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let trickle = async {
                // Never complete, and far longer than the deadline at this pace.
                for byte in format!("{HANDSHAKE}X-Long: {}", "x".repeat(4000)).bytes() {
                    pace.tick().await;
                    if write.write_all(&[byte]).await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            };
            let mut answer = Vec::new();
            tokio::select! {
                end = read.read_to_end(&mut answer) => drop(end),
                () = trickle => {}
            }
            answer
        }));
    }
    for answer in clients.join_all().await {
        assert_eq!(answer, b"", "a request that was never complete was answered");
    }
}

#[tokio::test]
async fn silence_is_cut_off_at_the_deadline() {
    let server = impatient().await;
    let mut client = server.connected().await;
    assert_eq!(client.read_to_end().await, b"");
}

#[tokio::test]
async fn too_many_header_bytes_are_431_and_the_answer_arrives() {
    let server = Server::start(game()).await;
    let long_value = format!("X-Long: {}\r\n", "x".repeat(64 * 1024));
    let many_bytes = format!("X-Much: {}\r\n", "x".repeat(2000)).repeat(32);
    let many_lines = "X: y\r\n".repeat(1000);
    for headers in [long_value, many_bytes, many_lines] {
        let mut client = server.connected().await;
        client.send_until_closed(format!("{HANDSHAKE}{headers}\r\n").as_bytes()).await;
        let response = client.read_response().await;
        assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
    }
}

#[tokio::test]
async fn foreign_origins_are_403() {
    let server = Server::start(game()).await;
    for origin in [
        "https://evil.com",
        "null",
        "https://good.example.evil.com",
        "https://good.example:8080",
        "http://good.example",
        "https://good.example/",
        "",
    ] {
        assert_eq!(status(&server, with(&format!("Origin: {origin}"))).await, 403, "{origin}");
    }
    let twice = "Origin: https://good.example\r\nOrigin: https://good.example";
    assert_eq!(status(&server, with(twice)).await, 403);
    assert_eq!(status(&server, with("Origin: https://good.example")).await, 101);
}

#[tokio::test]
async fn a_missing_origin_is_judged_by_the_setting() {
    for (origin_required, expected) in [(false, 101), (true, 403)] {
        let policy = UpgradePolicy { origin_required, ..policy() };
        let server = Server::with(game(), HttpLimits::default(), policy).await;
        assert_eq!(status(&server, |request| request).await, expected);
    }
}

#[tokio::test]
async fn any_origin_is_accepted_when_the_setting_says_so() {
    let policy = UpgradePolicy { origins: Origins::Any, ..policy() };
    let server = Server::with(game(), HttpLimits::default(), policy).await;
    assert_eq!(status(&server, with("Origin: https://evil.com")).await, 101);
}

#[tokio::test]
async fn another_version_is_426_with_the_one_that_works() {
    let server = Server::start(game()).await;
    for version in ["12", "8", "14", "13, 8", ""] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        let edit = replacing("Sec-WebSocket-Version: 13\r\n", &line);
        let response = response(&server, edit).await;
        assert!(response.starts_with("http/1.1 426 "), "{version}: {response}");
        assert!(response.contains("\r\nsec-websocket-version: 13\r\n"), "{response}");
    }
    assert_eq!(status(&server, without("Sec-WebSocket-Version")).await, 426);
}

#[tokio::test]
async fn keys_that_are_missing_or_not_16_bytes_are_400() {
    let server = Server::start(game()).await;
    assert_eq!(status(&server, without("Sec-WebSocket-Key")).await, 400);
    for key in ["c2hvcnQ=", "", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n", "!!!!!!!!!!!!!!!!!!!!!!=="] {
        let edit = replacing("dGhlIHNhbXBsZSBub25jZQ==", key);
        assert_eq!(status(&server, edit).await, 400, "{key}");
    }
    let second = with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(status(&server, second).await, 400);
}

#[tokio::test]
async fn requests_that_are_no_upgrade_are_400_or_405() {
    let server = Server::start(game()).await;
    assert_eq!(status(&server, without("Upgrade")).await, 400);
    assert_eq!(status(&server, without("Connection")).await, 400);
    assert_eq!(status(&server, replacing("websocket\r", "h2c\r")).await, 400);
    assert_eq!(status(&server, replacing("HTTP/1.1", "HTTP/1.0")).await, 400);
    assert_eq!(status(&server, with("Content-Length: 4")).await, 400);
    for method in ["POST", "PUT", "OPTIONS", "HEAD"] {
        let response = response(&server, replacing("GET", method)).await;
        assert!(response.starts_with("http/1.1 405 "), "{response}");
        assert!(response.contains("\r\nallow: get\r\n"), "{response}");
    }
}

#[tokio::test]
async fn upgrade_tokens_may_stand_in_lists_and_in_any_case() {
    let server = Server::start(game()).await;
    let edit = replacing("Connection: Upgrade", "Connection: keep-alive, uPGRADE");
    assert_eq!(status(&server, edit).await, 101);
    let edit = replacing("Upgrade: websocket", "Upgrade: h2c, WebSocket");
    assert_eq!(status(&server, edit).await, 101);
}

#[tokio::test]
async fn no_common_subprotocol_is_400() {
    let server = Server::start(game()).await;
    assert_eq!(status(&server, without("Sec-WebSocket-Protocol")).await, 400);
    assert_eq!(status(&server, replacing("tickwire.test", "tickwire.other")).await, 400);
    let edit = replacing("tickwire.test", "other, tickwire.test");
    let response = response(&server, edit).await;
    assert!(response.contains("\r\nsec-websocket-protocol: tickwire.test\r\n"), "{response}");
}

#[tokio::test]
async fn compression_is_offered_in_vain() {
    let server = Server::start(game()).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let response = response(&server, with(offer)).await;
    assert!(response.starts_with("http/1.1 101 "), "{response}");
    assert!(!response.contains("sec-websocket-extensions"), "{response}");
}

#[tokio::test]
async fn a_refused_request_ends_its_connection() {
    let server = Server::start(game()).await;
    let mut client = server.connected().await;
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("this is a WebSocket\n"), "{answer}");
}
