//! The whole server: rooms, seats, workers, and the ends of things.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod play;
#[path = "server/tls.rs"]
mod tls;
mod wire;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use play::*;
use serde_json::json;
use tickwire::config::Config;
use tickwire::room::RoomId;
use tickwire::server::{JoinRefused, Place, Server, StartError, Wish};
use tickwire::token::{Signer, unix_seconds};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::token::{Token, TokenKind};
use tokio::net::TcpStream;
use wire::{BINARY, CLOSE, TEXT, frame, guard};

#[tokio::test]
async fn a_player_joins_connects_and_sees_ticks_go_by() {
    let server = Running::start(config()).await;
    let (mut player, room) = server.player().await;
    let first = player.next_frame().await;
    for _ in 0..50 {
        let before = player.tick;
        assert!(player.next_frame().await > before);
    }
    assert!(player.tick.since(first) >= 50);
    let (_, rooms) = server.get("/api/rooms?game=tally").await;
    let expected = json!([{"id": room, "game": "tally", "title": "tally", "players": 1,
                           "seats_max": 2, "locked": false}]);
    assert_eq!(rooms["rooms"], expected);
    assert!(server.handle.lateness().await.ticks() >= 50);
    server.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn workers_add_to_the_niceness_and_the_rest_of_the_server_does_not() {
    use std::fs;
    let server = Running::start(Config { worker_nice: 7, workers: 2, ..config() }).await;
    let own = rustix::process::getpriority_process(None).unwrap();
    let mut seen = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        // A thread of another test may end meanwhile.
        let Ok(stat) = fs::read_to_string(task.unwrap().path().join("stat")) else { continue };
        let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
        // After the name comes field 3, and 19 is the niceness.
        let nice: i32 = rest.split_ascii_whitespace().nth(16).unwrap().parse().unwrap();
        seen.push((name.to_owned(), nice));
    }
    for index in 0..2 {
        let worker = (format!("worker-{index}"), (own + 7).min(19));
        assert!(seen.contains(&worker), "{seen:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn rooms_of_several_workers_all_play() {
    let server = Running::start(Config { workers: 3, ..config() }).await;
    let mut tokens = Vec::new();
    let mut workers = std::collections::BTreeSet::new();
    // Nobody is in these rooms yet, so no worker is busier than the others for long.
    while workers.len() < 3 {
        let (token, room) = server.seat(json!({"game": "tally", "private": true})).await;
        workers.insert(server.handle.room(room.parse().unwrap()).unwrap().worker);
        tokens.push(token);
    }
    for token in tokens {
        let mut player = server.connect(&token).await;
        player.welcome().await;
        for _ in 0..5 {
            player.next_frame().await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_seat_token_is_good_once() {
    let server = Running::start(config()).await;
    let (token, _) = server.seat(json!({"game": "tally"})).await;
    let mut first = server.connect(&token).await;
    first.welcome().await;
    let second = server.connect(&token).await;
    assert_eq!(second.ending().await, CloseReason::SeatUsed);
    first.next_frame().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_a_good_token_is_not_authenticated() {
    let server = Running::start(config()).await;
    let (token, _) = server.seat(json!({"game": "tally"})).await;
    let (good, _) = Token::from_text(&token).unwrap();
    let mut flipped = token.clone().into_bytes();
    flipped[40] ^= 1;
    let expired = Token { expires_s: unix_seconds() - 1, ..good };
    let bad = [
        String::new(),
        "nonsense".to_owned(),
        String::from_utf8(flipped).unwrap(),
        signer().sign(&expired),
        Signer::new(&[8; 32]).sign(&good),
        // It was not given out as this.
        signer().sign(&Token { kind: TokenKind::Resume, serial: 1, ..good }),
        signer().sign(&Token { seat: good.seat + 1, ..good }),
    ];
    for bad in bad {
        let player = server.connect(&bad).await;
        assert_eq!(player.ending().await, CloseReason::NotAuthenticated, "{bad}");
    }
    server.connect(&token).await.welcome().await;
    server.stop().await;
}

#[tokio::test]
async fn a_token_for_a_room_that_is_not_here_finds_none() {
    let server = Running::start(config()).await;
    let (token, _) = server.seat(json!({"game": "tally"})).await;
    let (good, _) = Token::from_text(&token).unwrap();
    let elsewhere = signer().sign(&Token { room: good.room + 1, ..good });
    assert_eq!(server.connect(&elsewhere).await.ending().await, CloseReason::NoSuchRoom);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_a_hello_is_a_bad_message() {
    let server = Running::start(config()).await;
    let mut early = Vec::new();
    ClientMessage::Refresh.write(&mut early);
    let mut trailing = hello("token", None);
    trailing.push(0);
    for bytes in [&early[..], &trailing, b"\xff", b"\x00"] {
        let mut player = Player::upgraded(server.raw().await.stream).await;
        player.raw.send(&frame(BINARY, bytes)).await;
        assert_eq!(player.ending().await, CloseReason::BadMessage, "{bytes:?}");
    }
    let mut player = Player::upgraded(server.raw().await.stream).await;
    player.raw.send(&frame(TEXT, b"hello")).await;
    assert_eq!(player.raw.read_close_code().await, 1003);
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_client_resumes_its_seat() {
    let server = Running::start(config()).await;
    let (token, _) = server.seat(json!({"game": "tally"})).await;
    let mut player = server.connect(&token).await;
    let number = player.welcome().await;
    player.next_frame().await;
    let resume = player.token.clone();
    drop(player);
    let mut again = server.connect(&resume).await;
    assert_eq!(again.welcome().await, number);
    assert_ne!(again.token, resume);
    again.next_frame().await;
    server.stop().await;
}

#[tokio::test]
async fn bytes_right_after_hello_move_along() {
    let server = Running::start(config()).await;
    let (token, _) = server.seat(json!({"game": "tally"})).await;
    let mut player = Player::upgraded(server.raw().await.stream).await;
    let mut ping = Vec::new();
    ClientMessage::Ping { stamp: 42 }.write(&mut ping);
    let both = [frame(BINARY, &hello(&token, None)), frame(BINARY, &ping)].concat();
    player.raw.send(&both).await;
    player.welcome().await;
    loop {
        let message = player.message().await;
        if let ServerMessage::Pong { stamp, .. } = ServerMessage::read(&message).unwrap() {
            break assert_eq!(stamp, 42);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_room_and_no_other() {
    let server = Running::start(config()).await;
    let (mut bystander, _) = server.player_of(json!({"game": "tally", "private": true})).await;
    let (mut victim, room) = server.player_of(json!({"game": "tally", "private": true})).await;
    let (token, _) = server.seat(json!({"room": room})).await;
    let mut other = server.connect(&token).await;
    other.welcome().await;
    bystander.next_frame().await;
    victim.next_frame().await;
    victim.ask(Ask::Panic).await;
    assert_eq!(victim.ending().await, CloseReason::Failed);
    assert_eq!(other.ending().await, CloseReason::Failed);
    for _ in 0..20 {
        bystander.next_frame().await;
    }
    assert_eq!(server.handle.room(room.parse().unwrap()), None);
    let (status, answer) = server.join(json!({"room": room})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("no_such_room")));
    server.stop().await;
}

#[tokio::test]
async fn a_game_that_panics_at_its_creation_is_refused() {
    let server = Running::start(config()).await;
    let options = json!({"panic": true});
    let made = server.handle.create_room("tally", options, false).await;
    assert_eq!(made, Err(JoinRefused::Failed));
    server.player().await.0.next_frame().await;
    server.stop().await;
}

#[tokio::test]
async fn a_full_room_is_left_alone_and_another_one_made() {
    let server = Running::start(config()).await;
    let (_first, room) = server.player().await;
    let (_second, same) = server.player().await;
    assert_eq!(room, same);
    let (_third, other) = server.player().await;
    assert_ne!(room, other);
    let (status, answer) = server.join(json!({"room": room})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("room_full")));
    server.stop().await;
}

#[tokio::test]
async fn many_who_come_at_once_share_rooms() {
    let server = Running::start(config()).await;
    let seats = futures_of(8, || server.seat(json!({"game": "tally"})));
    let mut rooms = std::collections::BTreeMap::<String, usize>::new();
    for (_, room) in guard(seats).await {
        *rooms.entry(room).or_default() += 1;
    }
    assert_eq!(rooms.into_values().collect::<Vec<_>>(), [2; 4]);
    server.stop().await;
}

/// Lets others go on until something is the case.
async fn until(is: impl Fn() -> bool) {
    while !is() {
        tokio::task::yield_now().await;
    }
}

/// Runs several of a future at once.
async fn futures_of<F: Future>(count: usize, make: impl Fn() -> F) -> Vec<F::Output> {
    let mut pending: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut outputs = Vec::new();
    poll_fn(|cx| {
        pending.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            Poll::Pending => true,
        });
        if pending.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs
}

#[tokio::test]
async fn a_locked_room_lets_nobody_in() {
    let server = Running::start(config()).await;
    let (mut player, room) = server.player().await;
    player.ask(Ask::Lock).await;
    // The reply says that the room has heard it.
    while !matches!(ServerMessage::read(&player.message().await), Ok(ServerMessage::Reply { .. })) {
    }
    let (status, answer) = server.join(json!({"room": room})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("room_locked")));
    let (_, other) = server.player().await;
    assert_ne!(room, other);
    server.stop().await;
}

#[tokio::test]
async fn private_rooms_and_rooms_with_options_are_for_those_who_know_them() {
    let server = Running::start(config()).await;
    let (_a, private) = server.player_of(json!({"game": "tally", "private": true})).await;
    let options = json!({"title": "<b>Friday</b>"});
    let (_b, custom) = server.player_of(json!({"game": "tally", "options": options})).await;
    let (_c, any) = server.player().await;
    assert!(any != private && any != custom);
    let (_, listed) = server.get("/api/rooms").await;
    let listed: Vec<_> = listed["rooms"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert!(listed.contains(&&json!(custom)) && !listed.contains(&&json!(private)));
    server.seat(json!({"room": private})).await;
    server.seat(json!({"room": custom})).await;
    server.stop().await;
}

#[tokio::test]
async fn a_room_that_ends_itself_says_goodbye() {
    let server = Running::start(config()).await;
    let options = json!({"title": "over"});
    let (mut player, room) = server.player_of(json!({"game": "tally", "options": options})).await;
    player.ask(Ask::End).await;
    assert_eq!(player.ending().await, CloseReason::Normal);
    assert!(DISPOSED.lock().unwrap().contains(&"over".to_owned()));
    assert_eq!(server.handle.room(room.parse().unwrap()), None);
    server.stop().await;
}

#[tokio::test]
async fn more_rooms_than_the_server_may_have_are_refused() {
    let server = Running::start(Config { rooms_max: 1, ..config() }).await;
    server.handle.create_room("tally", json!(null), true).await.unwrap();
    let (status, answer) = server.join(json!({"game": "tally"})).await;
    assert_eq!((status, &answer["code"]), (503, &json!("too_many_rooms")));
    server.stop().await;
}

#[tokio::test]
async fn more_connections_than_the_server_may_have_are_sent_away() {
    let server = Running::start(Config { connections_max: 2, ..config() }).await;
    let (mut player, _) = server.player().await;
    // The connection that asked for the seat ends a little later.
    guard(until(|| server.handle.connections() == 1)).await;
    let _idle = server.raw().await;
    guard(until(|| server.handle.connections() == 2)).await;
    let mut late = server.raw().await;
    late.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let response = late.read_response().await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("Retry-After: "), "{response}");
    player.next_frame().await;
    server.stop().await;
}

#[tokio::test]
async fn an_overloaded_worker_sends_less_then_refuses_rooms_then_players() {
    let server = Running::start(config()).await;
    let (mut player, room) = server.player().await;
    player.ask(Ask::Burn).await;
    let create = || server.handle.create_room("tally", json!(null), true);
    guard(async { while create().await != Err(JoinRefused::Overloaded) {} }).await;
    let join = || {
        let place = Place::Room(room.parse().unwrap());
        server.handle.join(Wish { place, name: String::new() })
    };
    guard(async { while join().await != Err(JoinRefused::Overloaded) {} }).await;
    assert_eq!(create().await, Err(JoinRefused::Overloaded));
    // Who is here plays on. What was sent before, which credit bounds, comes first;
    // then every fourth tick is sent.
    for _ in 0..20 {
        player.next_frame().await;
    }
    let first = player.tick;
    for _ in 0..8 {
        player.next_frame().await;
    }
    assert!(player.tick.since(first) >= 7 * 4, "{first} to {}", player.tick);
    assert!(server.handle.lateness().await.reanchored() > 0);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_tells_games_and_clients_and_waits_for_them() {
    let drain = Duration::from_secs(30);
    let server = Running::start(Config { drain, ..config() }).await;
    let address = server.address;
    let options = json!({"title": "shut down"});
    let (mut player, _) = server.player_of(json!({"game": "tally", "options": options})).await;
    player.next_frame().await;
    let at_the_door = Player::upgraded(server.raw().await.stream).await;
    let idle = server.raw().await;
    let handle = server.handle.clone();
    let done = server.begin_to_stop();
    assert_eq!(player.ending().await, CloseReason::Restart);
    assert_eq!(at_the_door.ending().await, CloseReason::Restart);
    assert!(DISPOSED.lock().unwrap().contains(&"shut down".to_owned()));
    drop(idle);
    guard(done).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert_eq!(handle.connections(), 0);
    let place = Place::Game { name: "tally".to_owned(), options: json!(null), private: false };
    let late = handle.join(Wish { place, name: String::new() }).await;
    assert_eq!(late, Err(JoinRefused::Stopping));
}

#[tokio::test]
async fn a_bad_set_of_games_does_not_start() {
    let twice = Server::builder().game::<Tally>().game::<Tally>().config(config()).bind().await;
    assert!(matches!(twice, Err(StartError::Game { name: "tally", .. })), "{twice:?}");
    let server = Running::start(config()).await;
    let taken = Config { listen: server.address, ..config() };
    let taken = Server::builder().config(taken).bind().await;
    assert!(matches!(taken, Err(StartError::Listen { .. })), "{taken:?}");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_runs_on_one_thread_without_sockets() {
    simulated(config(), async |handle| {
        let ticket = handle.join(any_room()).await.unwrap();
        let mut player = Player::over(stream(&handle), &ticket.token).await;
        player.welcome().await;
        let begun = tokio::time::Instant::now();
        let first = player.next_frame().await;
        while player.tick.since(first) < 100 {
            player.next_frame().await;
        }
        assert_eq!(begun.elapsed().as_secs(), 1, "a hundred ticks are a second");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_never_says_hello_is_not_authenticated() {
    simulated(config(), async |handle| {
        let player = Player::upgraded(stream(&handle)).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(player.ending().await, CloseReason::NotAuthenticated);
        assert_eq!(begun.elapsed().as_secs(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_room_without_players_ends_after_a_while_and_not_before() {
    simulated(config(), async |handle| {
        let ticket = handle.join(any_room()).await.unwrap();
        let mut player = Player::over(stream(&handle), &ticket.token).await;
        player.welcome().await;
        player.next_frame().await;
        drop(player);
        tokio::time::sleep(config().seat_kept_for).await;
        assert!(handle.room(ticket.room).is_some(), "the seat is kept");
        tokio::time::sleep(config().dispose_after + Duration::from_secs(5)).await;
        assert_eq!(handle.room(ticket.room), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rooms_with_nobody_in_them_take_no_step_and_no_timer() {
    const ROOMS: u64 = 500;
    simulated(config(), async |handle| {
        for _ in 0..ROOMS {
            handle.create_room("tally", json!(null), false).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(9)).await;
        let metrics = handle.metrics().await;
        let game = metrics.game("tally");
        assert_eq!((game.rooms, game.counters.ticks), (ROOMS, 0));
        assert_eq!(metrics.lateness().ticks(), 0, "no deadline was waited for");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_nobody_takes_is_given_up() {
    simulated(config(), async |handle| {
        let room = handle.create_room("tally", json!(null), false).await.unwrap();
        let wish = || Wish { place: Place::Room(room), name: String::new() };
        handle.join(wish()).await.unwrap();
        handle.join(wish()).await.unwrap();
        assert_eq!(handle.join(wish()).await, Err(JoinRefused::RoomFull));
        tokio::time::sleep(Duration::from_secs(17)).await;
        handle.join(wish()).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_given_up() {
    let config = Config { stale_after: Duration::from_secs(3600), ..config() };
    simulated(config, async |handle| {
        let ticket = handle.join(any_room()).await.unwrap();
        let mut player = Player::over(stream(&handle), &ticket.token).await;
        player.welcome().await;
        // It answers pings, and so it lives, though it says nothing else.
        for _ in 0..5 {
            loop {
                let (first, payload) = player.raw.read_frame().await;
                assert_ne!(first, CLOSE, "{payload:?}");
                if first == wire::PING {
                    break player.raw.send(&frame(wire::PONG, &payload)).await;
                }
            }
        }
        assert_eq!(player.ending().await, CloseReason::TooSlow);
    })
    .await;
}

#[tokio::test]
async fn a_room_can_be_closed_by_its_host() {
    let server = Running::start(config()).await;
    let (player, room) = server.player().await;
    let id: RoomId = room.parse().unwrap();
    server.handle.close_room(id).await;
    assert_eq!(player.ending().await, CloseReason::Normal);
    server.stop().await;
}
