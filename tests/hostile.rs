//! What hostile and unlucky clients do before they are in a room, and to their
//! WebSocket once they are: by raw bytes, to the whole server. A comment names the row
//! of the list of abuses.
//!
//! Each test ends with [`Stage::goes_on`]: a room on the same worker plays on, and the
//! log knows neither a token nor a byte of what clients sent. `tests/abuse.rs` has the
//! rows about what clients say in the protocol; `tests/websocket_*.rs` have the corners
//! of each rule, for the socket alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod log;
mod play;
mod wire;

use std::time::Duration;

use play::*;
use serde_json::json;
use tickwire::config::{AllowedOrigins, Config};
use tickwire::metrics::Metrics;
use tickwire::server::Handle;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval};
use wire::*;

/// What these clients send that must not be in a log.
const RAW: &str = "raw-bytes-of-a-client";

/// A server with a player in another room, who watches that nothing comes of it.
struct Stage {
    server: Running,
    bystander: Player<TcpStream>,
    tokens: Vec<String>,
}

impl Stage {
    async fn set(config: Config) -> Stage {
        log::capture();
        let server = Running::start(config).await;
        let (bystander, _) = server.player_of(json!({"game": "tally", "private": true})).await;
        Stage { server, bystander, tokens: Vec::new() }
    }

    /// A player in a room.
    async fn player(&mut self) -> Player<TcpStream> {
        let (token, _) = self.server.seat(json!({"game": "tally", "private": true})).await;
        let mut player = self.server.connect(&token).await;
        player.welcome().await;
        self.tokens.extend([token, player.token.clone()]);
        player
    }

    /// The status of a request by raw bytes.
    async fn status(&self, request: &str) -> (u16, String) {
        let mut client = self.server.raw().await;
        client.send_until_closed(request.as_bytes()).await;
        let head = client.read_response().await.to_ascii_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    /// Waits until something was counted so often.
    async fn counts(&self, expected: u64, what: impl Fn(&Metrics) -> u64) {
        counted(&self.server.handle, expected, what).await;
    }

    async fn goes_on(mut self) {
        for _ in 0..20 {
            self.bystander.next_frame().await;
        }
        assert_eq!(self.server.get("/healthz").await.0, 200);
        self.server.stop().await;
        log::assert_silent_about(RAW);
        self.tokens.iter().for_each(|token| log::assert_silent_about(token));
    }
}

/// Waits until something was counted so often, and not more.
async fn counted(handle: &Handle, expected: u64, what: impl Fn(&Metrics) -> u64) {
    let counted = async {
        while what(&handle.metrics().await) < expected {
            tokio::task::yield_now().await;
        }
    };
    guard(counted).await;
    assert_eq!(what(&handle.metrics().await), expected);
}

/// Rows 1 and 3, and a minute of them in no time.
#[tokio::test(start_paused = true)]
async fn headers_that_trickle_or_never_come_are_cut_off_after_five_seconds() {
    const CLIENTS: u64 = 2000;
    log::capture();
    simulated(config(), async |handle| {
        let mut clients = JoinSet::new();
        let begun = Instant::now();
        for client in 0..CLIENTS {
            let (mut read, mut write) = tokio::io::split(stream(&handle));
            clients.spawn(async move {
                let mut pace = interval(Duration::from_secs(1));
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let trickle = async {
                    for byte in format!("GET /{RAW} HTTP/1.1\r\nHost: x").bytes().cycle() {
                        pace.tick().await;
                        if client % 2 == 0 && write.write_all(&[byte]).await.is_err() {
                            break;
                        }
                    }
                };
                let mut answer = Vec::new();
                tokio::select! {
                    end = read.read_to_end(&mut answer) => drop(end),
                    () = trickle => {}
                }
                (answer, begun.elapsed())
            });
        }
        while let Some(ended) = clients.join_next().await {
            let (answer, after) = ended.unwrap();
            assert_eq!((answer.len(), after.as_secs()), (0, 5));
        }
        counted(&handle, CLIENTS, |all| all.front.http_failed.of("headers_late")).await;
        assert_eq!(handle.connections(), 0);
    })
    .await;
    log::assert_silent_about(RAW);
    assert!(!log::lines(&["headers_late"]).is_empty());
}

/// A client that asks and asks, and reads no answer.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_an_answer_is_cut_off_after_ten_seconds() {
    simulated(config(), async |handle| {
        let mut client = stream(&handle);
        let begun = Instant::now();
        let asking =
            async { while client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {} };
        guard(asking).await;
        assert_eq!(begun.elapsed().as_secs(), 10);
        counted(&handle, 1, |all| all.front.http_failed.of("response_stalled")).await;
        assert_eq!(handle.connections(), 0);
    })
    .await;
}

/// Row 2.
#[tokio::test]
async fn too_many_headers_are_431() {
    let stage = Stage::set(config()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", RAW.repeat(3200));
    assert_eq!(stage.status(&request).await.0, 431);
    stage.counts(1, |all| all.front.http_failed.of("headers_too_large")).await;
    stage.goes_on().await;
}

/// Row 4.
#[tokio::test(start_paused = true)]
async fn who_never_says_hello_is_gone_after_two_seconds() {
    log::capture();
    simulated(config(), async |handle| {
        let player = Player::upgraded(stream(&handle)).await;
        let begun = Instant::now();
        assert_eq!(player.ending().await, CloseReason::NotAuthenticated);
        assert_eq!(begun.elapsed().as_secs(), 2);
        counted(&handle, 1, |all| all.front.hellos_refused.of("not_authenticated")).await;
        assert_eq!(handle.metrics().await.front.upgraded, 1);
    })
    .await;
}

/// Rows 5 and 6.
#[tokio::test]
async fn foreign_origins_are_403_and_none_at_all_by_setting() {
    let origins = AllowedOrigins::Only(vec!["https://good.example".to_owned()]);
    let stage = Stage::set(Config { origins: origins.clone(), ..config() }).await;
    for origin in ["https://evil.example", "null", "https://good.example.evil.com", RAW] {
        let request = handshake(&format!("Origin: {origin}\r\n"));
        assert_eq!(stage.status(&request).await.0, 403, "{origin}");
    }
    stage.counts(4, |all| all.front.requests_refused.of("origin")).await;
    assert_eq!(stage.status(&handshake("Origin: https://good.example\r\n")).await.0, 101);
    assert_eq!(stage.status(&handshake("")).await.0, 101);
    stage.goes_on().await;

    let stage = Running::start(Config { origins, origin_required: true, ..config() }).await;
    let mut client = stage.raw().await;
    client.send(handshake("").as_bytes()).await;
    assert!(client.read_response().await.starts_with("HTTP/1.1 403 "));
    counted(&stage.handle, 1, |all| all.front.requests_refused.of("origin")).await;
    stage.stop().await;
}

/// Rows 7, 8 and 9.
#[tokio::test]
async fn handshakes_that_are_not_good_are_refused_and_compression_is_ignored() {
    let stage = Stage::set(config()).await;
    let good = handshake(&format!("X-Raw: {RAW}\r\n"));
    let cases = [
        (good.replace("Version: 13", "Version: 12"), 426, "version"),
        (good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, "key"),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", RAW), 400, "key"),
        (good.replace("Upgrade: websocket\r\n", ""), 400, "not_upgrade"),
        (good.replace("GET /ws", "POST /ws"), 405, "method"),
    ];
    for (request, expected, code) in cases {
        let before = stage.server.handle.metrics().await.front.requests_refused.of(code);
        let (status, head) = stage.status(&request).await;
        assert_eq!(status, expected, "{code}");
        assert!(code != "version" || head.contains("sec-websocket-version: 13\r\n"), "{head}");
        stage.counts(before + 1, |all| all.front.requests_refused.of(code)).await;
        assert!(!log::lines(&["a request was refused", code]).is_empty(), "{code}");
    }
    let upgraded = stage.server.handle.metrics().await.front.upgraded;
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let (status, head) = stage.status(&handshake(deflate)).await;
    assert!(status == 101 && !head.contains("extensions"), "{head}");
    stage.counts(upgraded + 1, |all| all.front.upgraded).await;
    stage.goes_on().await;
}

/// Rows 13 to 19 and 21: what is not a frame of a game's client.
#[tokio::test]
async fn frames_against_the_rules_close_their_connection_with_its_code() {
    let mut stage = Stage::set(config()).await;
    let raw = RAW.as_bytes();
    let mut unmasked = vec![BINARY, raw.len() as u8];
    unmasked.extend_from_slice(raw);
    let long = CLIENT_MESSAGE_BYTES_MAX;
    let cases = [
        (unmasked, 1002, "unmasked"),
        (frame(BINARY | 0x40, raw), 1002, "reserved_bits"),
        (frame(0x83, raw), 1002, "reserved_opcode"),
        (header(BINARY, 1 << 63), 1009, "message_too_long"),
        (header(BINARY, long as u64 + 1), 1009, "message_too_long"),
        (frame(FIRST_BINARY_FRAGMENT, raw), 1003, "fragment_unsupported"),
        (frame(PING, &raw.repeat(6)), 1002, "control_too_long"),
        (frame(PING & 0x7f, raw), 1002, "control_fragmented"),
        (frame(CLOSE, &1005u16.to_be_bytes()), 1002, "close_code_invalid"),
        (frame(CLOSE, &999u16.to_be_bytes()), 1002, "close_code_invalid"),
        (frame(CLOSE, b"x"), 1002, "close_body_short"),
        (frame(TEXT, raw), 1003, "text_unsupported"),
    ];
    for (bytes, code, label) in cases {
        let mut player = stage.player().await;
        let before = stage.server.handle.metrics().await.ended().of(label);
        player.raw.send(&bytes).await;
        assert_eq!(close_code(&mut player).await, code, "{label}");
        stage.counts(before + 1, |all| all.ended().of(label)).await;
        assert!(!log::lines(&["a connection ended", label]).is_empty(), "{label}");
        // The seat is kept.
        stage.server.connect(&player.token).await.welcome().await;
    }
    // Exactly the cap is a message, if not a good one.
    let mut player = stage.player().await;
    player.raw.send(&frame(BINARY, &vec![0xff; long])).await;
    assert_eq!(close_code(&mut player).await, 4400);
    stage.counts(1, |all| all.rooms().counters.closed_bad_message).await;
    stage.goes_on().await;
}

/// The code of the close frame; nothing but frames of the game comes before it.
async fn close_code(player: &mut Player<TcpStream>) -> u16 {
    loop {
        let (first, payload) = player.raw.read_frame().await;
        match first {
            BINARY => {}
            CLOSE => return u16::from_be_bytes([payload[0], payload[1]]),
            other => panic!("{other:#x}: {payload:?}"),
        }
    }
}

/// Row 20.
#[tokio::test]
async fn ten_thousand_pings_are_1008() {
    let mut stage = Stage::set(config()).await;
    let mut player = stage.player().await;
    player.raw.send_until_closed(&frame(PING, RAW.as_bytes()).repeat(10_000)).await;
    let mut pongs = 0;
    let code = loop {
        let (first, payload) = player.raw.read_frame().await;
        match first {
            BINARY => {}
            PONG => pongs += 1,
            CLOSE => break u16::from_be_bytes([payload[0], payload[1]]),
            other => panic!("{other:#x}: {payload:?}"),
        }
    };
    assert!(code == 1008 && pongs < 100, "{code} after {pongs}");
    stage.counts(1, |all| all.ended().of("control_flood")).await;
    stage.goes_on().await;
}

/// Row 22.
#[tokio::test]
async fn ten_thousand_messages_of_nothing_are_1008() {
    let mut stage = Stage::set(config()).await;
    let mut player = stage.player().await;
    player.raw.send_until_closed(&frame(BINARY, b"").repeat(10_000)).await;
    assert_eq!(close_code(&mut player).await, 1008);
    stage.counts(1, |all| all.ended().of("empty_flood")).await;
    stage.goes_on().await;
}

/// Row 23.
#[tokio::test(start_paused = true)]
async fn a_frame_that_trickles_is_cut_off_at_its_deadline() {
    log::capture();
    simulated(config(), async |handle| {
        let ticket = handle.join(any_room()).await.unwrap();
        let mut player = Player::over(stream(&handle), &ticket.token).await;
        player.welcome().await;
        let (mut read, mut write) = tokio::io::split(player.raw.stream);
        let trickle = spawn_local(async move {
            for byte in frame(BINARY, RAW.as_bytes()) {
                if write.write_all(&[byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
        let mut all = Vec::new();
        read.read_to_end(&mut all).await.unwrap();
        counted(&handle, 1, |all| all.ended().of("frame_deadline")).await;
        trickle.abort();
        assert!(handle.room(ticket.room).is_some(), "the seat is kept");
        log::assert_silent_about(&ticket.token);
    })
    .await;
    log::assert_silent_about(RAW);
}

/// Row 24.
#[tokio::test]
async fn an_end_in_mid_frame_frees_the_connection_and_keeps_the_seat() {
    let mut stage = Stage::set(config()).await;
    let mut back = Vec::new();
    for (reset, expected) in [(false, 1), (true, 2)] {
        let mut player = stage.player().await;
        let connections = stage.server.handle.connections();
        player.raw.send(&frame(BINARY, RAW.as_bytes())[..9]).await;
        if reset {
            // What is unread makes a reset of the close.
            player.raw.stream.readable().await.unwrap();
            drop(player.raw);
        } else {
            player.raw.stream.shutdown().await.unwrap();
        }
        stage.counts(expected, |all| all.ended().of("eof") + all.ended().of("failed")).await;
        let freed = async {
            while stage.server.handle.connections() >= connections {
                tokio::task::yield_now().await;
            }
        };
        guard(freed).await;
        let mut again = stage.server.connect(&player.token).await;
        again.welcome().await;
        back.push(again);
    }
    stage.counts(2, |all| all.rooms().counters.resumed).await;
    stage.goes_on().await;
}
