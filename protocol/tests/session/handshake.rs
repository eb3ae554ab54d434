//! From the first event to the first frame.

use tickwire_protocol::client::mirror::MirrorError;
use tickwire_protocol::client::session::{CONNECT_TIMEOUT, Config, HELLO_TIMEOUT};
use tickwire_protocol::client::{
    Cause, Phase, SendError, Session, SessionError, SessionEvent, Then,
};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::limits::REASON_BYTES_MAX;
use tickwire_protocol::message::{ClientMessage, ServerMessage, VERSION, Welcome};
use tickwire_protocol::schema::Schema;
use tickwire_protocol::{Tick, Time};

use crate::server::{Pair, Server, Ship, Space, arena, bytes, config, ms, sent};
use crate::tells;

fn greeting(config: Config) -> Session {
    let mut session = Session::new(config, Time(0));
    tells!(session, SessionEvent::Connect { address: "wss://one" });
    session.handle_open(Time(0));
    session
}

/// What Hello says of the schema.
fn asked_for(session: &mut Session) -> Option<u64> {
    let mut out = Vec::new();
    assert!(session.poll_transmit(&mut out));
    let ClientMessage::Hello(hello) = ClientMessage::read(&out).unwrap() else { panic!() };
    assert_eq!((hello.version, hello.token, hello.applied), (VERSION, "seat", None));
    hello.schema
}

/// The error of a Welcome, and the event that follows it.
fn refused(config: Config, change: impl FnOnce(&mut Welcome<'_>)) -> (SessionError, Then) {
    let mut session = greeting(config);
    asked_for(&mut session);
    let server = Server::<Space>::new(arena());
    let message = server.welcome(None, true);
    let ServerMessage::Welcome(mut welcome) = ServerMessage::read(&message).unwrap() else {
        panic!()
    };
    change(&mut welcome);
    let message = bytes(&ServerMessage::Welcome(welcome));
    let error = session.handle_message(&message, ms(5)).unwrap_err();
    match session.poll_event() {
        Some(SessionEvent::Closed { cause: Cause::Error(told), then }) => {
            assert_eq!(told, error);
            (error, then)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_with_the_servers_schema_needs_no_descriptor() {
    let mut session = greeting(config());
    assert_eq!(asked_for(&mut session), Some(arena().hash()));
    let mut server = Server::<Space>::new(arena());
    server.world.ships.spawn(Ship { x: 2.5, name: "Ada".into() });
    session.handle_message(&server.welcome(None, false), ms(20)).unwrap();
    tells!(session, SessionEvent::Joined { player: 3, resumed: false });
    assert_eq!((session.player(), session.game()), (Some(3), Some("arena")));
    session.handle_message(&server.full(), ms(30)).unwrap();
    tells!(session, SessionEvent::Frame { tick: Tick(100), merged: 1 });
    assert!(session.poll_event().is_none());
    let ship = session.mirror().unwrap().table("ships").unwrap().next().unwrap();
    assert_eq!(ship.get("x"), Some(Value::Float(2.5)));
}

#[test]
fn a_client_without_a_schema_has_it_described() {
    let mut session = greeting(Config::new("wss://one", "seat", 7));
    assert_eq!(asked_for(&mut session), None);
    let mut server = Server::<Space>::new(arena());
    server.world.ships.spawn(Ship { x: 2.5, name: "Ada".into() });
    session.handle_message(&server.welcome(None, true), ms(20)).unwrap();
    assert_eq!(session.schema(), Some(&arena()));
    session.handle_message(&server.full(), ms(30)).unwrap();
    let ship = session.mirror().unwrap().table("ships").unwrap().next().unwrap();
    assert_eq!(ship.get("name"), Some(Value::Text("Ada".into())));
}

#[test]
fn a_described_schema_is_not_asked_for_again() {
    let mut pair = Pair::with(Config::new("wss://one", "seat", 7), 1);
    pair.session.handle_lost(ms(2000));
    tells!(pair.session, SessionEvent::Closed { .. });
    pair.reconnect();
    let mut out = Vec::new();
    assert!(pair.session.poll_transmit(&mut out));
    let ClientMessage::Hello(hello) = ClientMessage::read(&out).unwrap() else { panic!() };
    assert_eq!(hello.schema, Some(arena().hash()));
}

#[test]
fn nothing_but_hello_is_sent_before_the_welcome() {
    let mut session = Session::new(config(), Time(0));
    assert!(sent(&mut session).is_empty());
    session.handle_open(Time(0));
    session.input(&[0, 0], Time(0)).unwrap();
    session.pace(2);
    assert_eq!(session.chat("hi"), Err(SendError::NotJoined));
    assert!(!session.refresh(Time(0)));
    assert_eq!(sent(&mut session), ["hello seat None"]);
    session.handle_timeout(ms(100));
    assert!(sent(&mut session).is_empty());
}

#[test]
fn inputs_wait_for_the_first_frame() {
    let mut session = greeting(config());
    session.input(&[1, 0], Time(0)).unwrap();
    asked_for(&mut session);
    let mut server = Server::<Space>::new(arena());
    session.handle_message(&server.welcome(None, false), ms(20)).unwrap();
    assert_eq!(sent(&mut session), ["ping"]);
    session.handle_message(&server.full(), ms(20)).unwrap();
    // Half a round trip of 20 ms and a margin of two ticks from tick 100 on.
    assert_eq!(sent(&mut session), ["input ack 100 0@102[1, 0]"]);
}

#[test]
fn a_server_that_does_not_answer_hello_is_given_up_for_now() {
    let mut session = greeting(config());
    asked_for(&mut session);
    while session.poll_event().is_some() {}
    assert_eq!(session.deadline(), Some(Time(0) + HELLO_TIMEOUT));
    session.handle_timeout(ms(4999));
    assert!(session.poll_event().is_none());
    session.handle_timeout(ms(5000));
    tells!(session, SessionEvent::Closed { cause: Cause::NotWelcomed, then: Then::Reconnect(_) });
}

#[test]
fn a_socket_that_does_not_open_is_given_up_for_now() {
    let mut session = Session::new(config(), Time(0));
    tells!(session, SessionEvent::Connect { .. });
    assert_eq!(session.deadline(), Some(Time(0) + CONNECT_TIMEOUT));
    session.handle_timeout(Time(0) + CONNECT_TIMEOUT);
    tells!(session, SessionEvent::Closed { cause: Cause::NotOpened, then: Then::Reconnect(_) });
    assert!(matches!(session.phase(), Phase::Waiting(_)));
    // It opened all the same, too late.
    session.handle_open(ms(10_000));
    assert!(matches!(session.phase(), Phase::Waiting(_)));
}

#[test]
fn welcomes_that_cannot_be_used_are_named() {
    let stops = |(error, then)| (error, then == Then::End);
    assert_eq!(
        stops(refused(config(), |welcome| welcome.version = 9)),
        (SessionError::Version(9), true)
    );
    assert_eq!(
        stops(refused(config(), |welcome| welcome.baseline = Some(Tick(3)))),
        (SessionError::BadBaseline, false)
    );
    assert_eq!(
        stops(refused(config(), |welcome| (welcome.schema, welcome.descriptor) = (1, None))),
        (SessionError::NoDescriptor, false)
    );
    assert_eq!(
        stops(refused(config(), |welcome| welcome.schema = 1)),
        (SessionError::BadDescriptor, false)
    );
    let garbage = |welcome: &mut Welcome<'_>| welcome.descriptor = Some(&[9, 9, 9]);
    assert_eq!(
        stops(refused(Config::new("wss://one", "seat", 7), garbage)),
        (SessionError::BadDescriptor, false)
    );
}

#[test]
fn a_schema_that_gives_a_name_another_meaning_ends_the_session() {
    let mut own = Schema::clone(&arena());
    own.tables[0].fields[1].kind = tickwire_protocol::schema::Kind::Bool;
    let config = Config { schema: Some(own.into()), ..config() };
    let (error, then) = refused(config, |_| {});
    assert_eq!(then, Then::End);
    assert_eq!(error.to_string(), "ships.name is a text on the server, and a bool in this client");
    assert_eq!(error.close_code(), 1000);
}

#[test]
fn what_comes_out_of_turn_ends_the_connection() {
    let mut server = Server::<Space>::new(arena());
    let frame = server.full();
    let mut early = greeting(config());
    asked_for(&mut early);
    assert_eq!(early.handle_message(&frame, ms(1)), Err(SessionError::BeforeWelcome));

    let mut hasty = greeting(config());
    let welcome = server.welcome(None, false);
    assert_eq!(hasty.handle_message(&welcome, ms(1)), Err(SessionError::UnexpectedWelcome));

    let mut pair = Pair::joined();
    let again = pair.take(1050, |server| server.welcome(None, false));
    assert_eq!(again, Err(SessionError::UnexpectedWelcome));

    let mut partial = greeting(config());
    asked_for(&mut partial);
    partial.handle_message(&welcome, ms(1)).unwrap();
    let error = partial.handle_message(&server.advance(1), ms(2));
    assert_eq!(error, Err(SessionError::State(MirrorError::NoBaseline)));
    assert_eq!(error.unwrap_err().close_code(), 4400);
}

#[test]
fn a_refusal_tells_what_follows() {
    let answer = |reason: CloseReason, retry_after_ms| {
        let mut session = greeting(config());
        asked_for(&mut session);
        let text = reason.text();
        let bye = bytes(&ServerMessage::Bye { reason, text, retry_after_ms });
        session.handle_message(&bye, ms(10)).unwrap();
        match session.poll_event() {
            Some(SessionEvent::Closed { cause, then }) => {
                assert_eq!(cause, Cause::Server(reason));
                then
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(answer(CloseReason::BadMessage, 0), Then::End);
    let Then::NeedSeat { not_before } = answer(CloseReason::TryLater, 3000) else { panic!() };
    assert!((ms(3010)..=ms(3260)).contains(&not_before));
    assert!(matches!(answer(CloseReason::SeatUsed, 0), Then::NeedSeat { .. }));
    assert!(matches!(answer(CloseReason::Restart, 0), Then::Reconnect(_)));
}

#[test]
fn the_words_of_a_game_that_lets_nobody_in_reach_the_application() {
    let closed = |said: &str, framed: bool| {
        let mut session = greeting(config());
        asked_for(&mut session);
        if framed {
            let reason = CloseReason::Refused;
            let bye = ServerMessage::Bye { reason, text: said, retry_after_ms: 0 };
            session.handle_message(&bytes(&bye), ms(10)).unwrap();
        } else {
            session.handle_close(4403, said, ms(10));
        }
        match session.poll_event() {
            Some(SessionEvent::Closed { cause: Cause::Refused(text), then: Then::End }) => text,
            other => panic!("{other:?}"),
        }
    };
    for framed in [true, false] {
        assert_eq!(&*closed("only Ada may play", framed), "only Ada may play");
        let long = closed(&"é".repeat(100), framed);
        assert_eq!(long.len(), REASON_BYTES_MAX);
    }
}

#[test]
fn no_token_is_shown_to_who_prints_a_session() {
    let config = Config { token: "s3cret".into(), ..config() };
    assert!(!format!("{config:?}").contains("s3cret"));
    let mut session = Session::new(config, Time(0));
    session.handle_open(Time(0));
    sent(&mut session);
    assert!(!format!("{session:?}").contains("s3cret"));
}
