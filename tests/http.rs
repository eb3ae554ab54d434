//! The HTTP side: lists, joining, errors, origins, and the door to the WebSocket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod play;
mod wire;

use play::*;
use serde_json::{Value as Json, json};
use tickwire::config::{AllowedOrigins, Config};

const JSON: &str = "Content-Type: application/json\r\n";

/// The code and field of an error, which has a message and nothing else.
fn error(body: &Json) -> (&str, Option<&str>) {
    let body = body.as_object().unwrap();
    let known = ["code", "message", "field"];
    assert!(body.keys().all(|key| known.contains(&key.as_str())), "{body:?}");
    assert!(!body["message"].as_str().unwrap().is_empty());
    (body["code"].as_str().unwrap(), body.get("field").map(|field| field.as_str().unwrap()))
}

#[tokio::test]
async fn the_server_says_that_it_is_well_and_what_it_has() {
    let server = Running::start(config()).await;
    assert_eq!(server.get("/healthz").await, (200, json!({"status": "ok"})));
    let (status, games) = server.get("/api/games").await;
    let game = &games["games"][0];
    assert_eq!((status, &game["name"]), (200, &json!("tally")));
    assert_eq!((&game["tick_hz"], &game["seats_max"]), (&json!(100), &json!(2)));
    assert_eq!(game["schema"].as_str().unwrap().len(), 16);
    assert_eq!(server.get("/api/rooms").await, (200, json!({"rooms": []})));
    server.stop().await;
}

#[tokio::test]
async fn a_seat_is_an_address_and_a_token() {
    let server = Running::start(config()).await;
    let (status, seat) = server.join(json!({"game": "tally", "name": " Ann "})).await;
    assert_eq!(status, 200, "{seat}");
    assert_eq!(seat["url"], "ws://play.test:1234/ws");
    assert_eq!((&seat["game"], &seat["expires_s"]), (&json!("tally"), &json!(15)));
    assert_eq!(seat["room"].as_str().unwrap().len(), 32);
    assert_eq!(seat["token"].as_str().unwrap().len(), tickwire_protocol::token::TOKEN_CHARS);
    let url = Some("https://play.example".to_owned());
    let behind = Running::start(Config { public_url: url, ..config() }).await;
    let (_, seat) = behind.join(json!({"game": "tally"})).await;
    assert_eq!(seat["url"], "wss://play.example/ws");
    server.stop().await;
    behind.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_have_the_shape_of_any_error() {
    let server = Running::start(config()).await;
    for path in ["/nope", "/api/nope", "/admin", "/metrics", "/api/rooms/", "/api/join/x"] {
        let (status, body) = server.get(path).await;
        assert_eq!((status, error(&body)), (404, ("not_found", None)), "{path}");
    }
    let calls = [("DELETE", "/api/rooms", "GET,HEAD"), ("GET", "/api/join", "POST")];
    for (method, path, allowed) in calls {
        let (status, head, body) = server.request(method, path, "", "").await;
        let body = serde_json::from_str(&body).unwrap();
        assert_eq!((status, error(&body)), (405, ("method", None)), "{path}");
        assert!(head.to_lowercase().contains(&format!("allow: {}\r\n", allowed.to_lowercase())));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_not_good_names_its_field() {
    let server = Running::start(config()).await;
    let id = "0".repeat(32);
    let long = "x".repeat(65);
    let cases = [
        (json!({}), "bad_request", Some("game")),
        (json!({"room": id, "game": "tally"}), "bad_request", Some("game")),
        (json!({"game": 7}), "bad_request", Some("game")),
        (json!({"room": "7"}), "bad_request", Some("room")),
        (json!({"room": "A".repeat(32)}), "bad_request", Some("room")),
        (json!({"room": id, "options": {}}), "bad_request", Some("options")),
        (json!({"room": id, "private": true}), "bad_request", Some("private")),
        (json!({"game": "tally", "private": "yes"}), "bad_request", Some("private")),
        (json!({"game": "tally", "name": long}), "bad_request", Some("name")),
        (json!({"game": "tally", "name": "\u{1b}[31m"}), "bad_request", Some("name")),
        (json!({"game": "tally", "options": {"size": 1}}), "bad_request", Some("options")),
        (json!({"game": "tally", "options": 7}), "bad_request", Some("options")),
        (json!({"game": "tally", "gmae": 1}), "bad_request", None),
        (json!([]), "bad_request", None),
        (json!("tally"), "bad_request", None),
    ];
    for (body, code, field) in cases {
        let (status, answer) = server.join(body.clone()).await;
        assert_eq!((status, error(&answer)), (400, (code, field)), "{body}");
    }
    let (_, answer) =
        server.join(json!({"game": "tally", "options": {"\u{1b}[2J\u{202e}x": 1}})).await;
    let message = answer["message"].as_str().unwrap();
    assert!(message.starts_with("unknown field `[2Jx`"), "what was sent comes back: {message:?}");
    let (status, answer) = server.join(json!({"game": "chess"})).await;
    assert_eq!((status, error(&answer)), (404, ("no_such_game", Some("game"))));
    let refused = json!({"game": "tally", "options": {"refuse": true}});
    let (status, answer) = server.join(refused).await;
    assert_eq!((status, error(&answer)), (403, ("refused", Some("options"))));
    assert_eq!(answer["message"], "not like this");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let server = Running::start(config()).await;
    let deep = "[".repeat(10_000);
    let big = format!("{{\"game\": \"{}\"}}", "x".repeat(16 * 1024));
    let cases = [
        (JSON, "", 400, "bad_request"),
        (JSON, "{", 400, "bad_request"),
        (JSON, "{} {}", 400, "bad_request"),
        (JSON, "\u{feff}{}", 400, "bad_request"),
        (JSON, &deep, 400, "bad_request"),
        (JSON, &big, 413, "too_large"),
        ("", "{}", 415, "media_type"),
        ("Content-Type: text/plain\r\n", "{}", 415, "media_type"),
    ];
    for (headers, body, expected, code) in cases {
        let (status, _, answer) = server.request("POST", "/api/join", headers, body).await;
        let answer = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, error(&answer)), (expected, (code, None)), "{headers}{body:.20}");
    }
    server.stop().await;
}

#[tokio::test]
async fn parameters_that_are_not_known_are_refused() {
    let server = Running::start(config()).await;
    for (query, expected, code) in [
        ("?gmae=tally", 400, "bad_request"),
        ("?game=tally&game=tally", 400, "bad_request"),
        ("?game=chess", 404, "no_such_game"),
        ("?game=", 404, "no_such_game"),
    ] {
        let (status, body) = server.get(&format!("/api/rooms{query}")).await;
        assert_eq!((status, error(&body).0), (expected, code), "{query}");
    }
    assert_eq!(server.get("/api/rooms?game=t%61lly").await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn the_answer_for_no_such_room_is_always_the_same() {
    let server = Running::start(config()).await;
    let options = json!(null);
    let ended = server.handle.create_room("tally", options, true).await.unwrap();
    let (_player, living) = server.player().await;
    server.handle.close_room(ended).await;
    let mut answers = Vec::new();
    for room in [ended.to_string(), "0".repeat(32), "f".repeat(32)] {
        // The order to end the room comes before this one.
        let (status, answer) = server.join(json!({"room": room})).await;
        assert_eq!((status, error(&answer)), (404, ("no_such_room", Some("room"))));
        answers.push(answer);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert!(!answers[0].to_string().contains(&living));
    server.stop().await;
}

#[tokio::test]
async fn foreign_pages_get_no_websocket_and_change_nothing() {
    let origins = AllowedOrigins::Only(vec!["https://good.example".to_owned()]);
    let server = Running::start(Config { origins, ..config() }).await;
    let own = format!("http://{}", server.address);
    for origin in [
        "https://evil.example",
        "https://good.example.evil.com",
        "http://good.example",
        "null",
        "http://play.test",
    ] {
        let mut client = server.raw().await;
        client.send(handshake(&format!("Origin: {origin}\r\n")).as_bytes()).await;
        let response = client.read_response().await;
        assert!(response.starts_with("HTTP/1.1 403 "), "{origin}: {response}");
        let body: Json = serde_json::from_slice(&client.read_to_end().await).unwrap();
        assert_eq!(error(&body).0, "origin");
        let headers = format!("{JSON}Origin: {origin}\r\n");
        let body = "{\"game\": \"tally\"}";
        let (status, head, _) = server.request("POST", "/api/join", &headers, body).await;
        assert_eq!(status, 403, "{origin}");
        assert!(!head.to_lowercase().contains("access-control"), "{head}");
        let (status, ..) = server.request("OPTIONS", "/api/join", &headers, "").await;
        assert_eq!(status, 403, "{origin}");
    }
    for origin in ["https://good.example", &own] {
        let mut client = server.raw().await;
        client.send(handshake(&format!("Origin: {origin}\r\n")).as_bytes()).await;
        let response = client.read_response().await;
        assert!(response.starts_with("HTTP/1.1 101 "), "{origin}: {response}");
        let headers = format!("{JSON}Origin: {origin}\r\n");
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        for (method, expected) in [("OPTIONS", 204), ("POST", 200)] {
            let body = if method == "POST" { "{\"game\": \"tally\"}" } else { "" };
            let (status, head, _) = server.request(method, "/api/join", &headers, body).await;
            assert_eq!(status, expected, "{origin}");
            assert!(head.contains(&allowed) && head.contains("vary: origin\r\n"), "{head}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn clients_without_an_origin_are_let_in_or_not_by_setting() {
    let server = Running::start(Config { origin_required: true, ..config() }).await;
    let mut client = server.raw().await;
    client.send(handshake("").as_bytes()).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 403 "));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_a_good_handshake_has_the_shape_of_any_error() {
    let server = Running::start(config()).await;
    let good = handshake("");
    let cases = [
        (good.replace("Version: 13", "Version: 12"), 426, "version"),
        (good.replace("tickwire.1", "chat"), 400, "subprotocol"),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400, "key"),
        (good.replace("Upgrade: websocket", "X: y"), 400, "not_upgrade"),
        (good.replace("GET /ws", "POST /ws"), 405, "method"),
    ];
    for (request, expected, code) in cases {
        let mut client = server.raw().await;
        client.send(request.as_bytes()).await;
        let response = client.read_response().await;
        assert!(response.starts_with(&format!("HTTP/1.1 {expected} ")), "{response}");
        if expected == 426 {
            assert!(response.contains("sec-websocket-version: 13\r\n"), "{response}");
        }
        let body: Json = serde_json::from_slice(&client.read_to_end().await).unwrap();
        assert_eq!(error(&body), (code, None));
    }
    server.stop().await;
}
