//! Servers that lie.

use proptest::prelude::*;
use tickwire_protocol::client::session::{CommandId, Config, EVENTS_BYTES_MAX, EVENTS_MAX};
use tickwire_protocol::client::{Cause, Phase, Session, SessionError, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::{EVENT_BYTES_MAX, EVENTS_PER_FRAME_MAX};
use tickwire_protocol::message::{Chat, Refusal, ServerMessage};
use tickwire_protocol::{Tick, Time};

use crate::server::{Pair, Ship, bytes, config, ms, sent};

/// One valid message of each kind that a joined client can get.
fn messages(pair: &mut Pair) -> Vec<Vec<u8>> {
    pair.server.world.ships.spawn(Ship { x: 3.0, name: "Grace".into() });
    pair.server.events = vec![(true, vec![1, 2, 3]), (false, vec![4])];
    pair.server.processed = Some(1);
    pair.server.depth = Some(-3);
    pair.server.hash = Some(5);
    let clock = pair.server.clock();
    let refusal = Refusal { code: 101, text: "no" };
    let chat = Chat { player: 1, name: "Ada", tick: Tick(9), text: "hi" };
    let bye = ServerMessage::Bye { reason: CloseReason::Restart, text: "", retry_after_ms: 10 };
    vec![
        pair.server.advance(1),
        pair.server.full(),
        pair.server.welcome(None, true),
        pair.server.welcome(Some(Tick(100)), false),
        bytes(&ServerMessage::Reply { id: 0, outcome: Ok(&[1, 2]) }),
        bytes(&ServerMessage::Reply { id: 1, outcome: Err(refusal) }),
        bytes(&ServerMessage::Chat(chat)),
        bytes(&ServerMessage::Pong { stamp: 1_000_000, clock }),
        bytes(&bye),
        bytes(&ServerMessage::Moved { address: "wss://two", token: "t" }),
        bytes(&ServerMessage::Token { token: "t" }),
    ]
}

fn session_in(phase: u8) -> Session {
    let mut session = match phase {
        0 => Session::new(config(), ms(1000)),
        1 => Session::new(Config::new("wss://one", "seat", 7), ms(1000)),
        _ => {
            let mut pair = Pair::joined();
            for _ in 0..2 {
                pair.session.command(&[], std::time::Duration::MAX, ms(1000)).unwrap();
            }
            pair.session
        }
    };
    session.handle_open(ms(1000));
    sent(&mut session);
    session
}

/// Whatever came, the session goes on as it should.
fn lives(session: &mut Session, mut now: Time) {
    let mut out = Vec::new();
    for _ in 0..200 {
        while session.poll_transmit(&mut out) {}
        while let Some(event) = session.poll_event() {
            if let SessionEvent::Connect { .. } = event {
                session.handle_open(now);
            }
        }
        session.handle_timeout(now);
        let Some(at) = session.deadline() else { return };
        now = now.max(at);
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_an_error_or_a_message() {
    let all = messages(&mut Pair::joined());
    for phase in 0..3 {
        for message in &all {
            let cut = (0..message.len()).map(|length| message[..length].to_vec());
            let flipped = (0..message.len() * 8).map(|bit| {
                let mut flipped = message.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            });
            for bad in cut.chain(flipped) {
                let mut session = session_in(phase);
                let taken = session.handle_message(&bad, ms(1050));
                let waits = matches!(session.phase(), Phase::Waiting(_) | Phase::Ended);
                assert!(taken.is_ok() || waits, "an error ends the connection");
                lives(&mut session, ms(1050));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_messages_do_no_harm(
        phase in 0u8..3,
        messages in proptest::collection::vec(
            (0u8..10, proptest::collection::vec(any::<u8>(), 0..40), 0u64..3000),
            1..30,
        ),
    ) {
        let mut session = session_in(phase);
        let mut now = ms(1000);
        for (tag, mut message, wait) in messages {
            message.insert(0, tag);
            now = now + std::time::Duration::from_millis(wait);
            let _ = session.handle_message(&message, now);
            session.handle_timeout(now);
        }
        lives(&mut session, now);
    }

    #[test]
    fn messages_in_any_order_do_no_harm(
        order in proptest::collection::vec((0usize..11, 0u64..400), 1..60),
    ) {
        let mut pair = Pair::joined();
        let all = messages(&mut pair);
        let mut now = ms(1000);
        for (index, wait) in order {
            now = now + std::time::Duration::from_millis(wait);
            let _ = pair.session.handle_message(&all[index], now);
            pair.session.handle_timeout(now);
            if matches!(pair.session.phase(), Phase::Connecting(_)) {
                pair.session.handle_open(now);
                sent(&mut pair.session);
            }
            #[cfg(debug_assertions)]
            if let Some(mirror) = pair.session.mirror().filter(|mirror| mirror.tick().is_some()) {
                mirror.check();
            }
        }
        lives(&mut pair.session, now);
    }
}

#[test]
fn a_server_that_always_errs_is_not_asked_for_ever() {
    let mut session = Session::new(config(), Time(0));
    let (mut now, mut attempts) = (Time(0), 0);
    loop {
        session.handle_timeout(now);
        match session.poll_event() {
            Some(SessionEvent::Connect { .. }) => {
                attempts += 1;
                session.handle_open(now);
                session.handle_message(&[42], now).unwrap_err();
            }
            Some(SessionEvent::Closed { then: Then::GiveUp, .. }) => break,
            Some(_) => {}
            None => now = session.deadline().unwrap(),
        }
    }
    assert_eq!(attempts, 21, "the first, and as many as the policy allows");
}

#[test]
fn unread_chat_is_dropped_and_counted_at_the_limit() {
    let mut pair = Pair::joined();
    let text = "x".repeat(500);
    let chat = ServerMessage::Chat(Chat { player: 1, name: "Ada", tick: Tick(1), text: &text });
    let chat = bytes(&chat);
    for _ in 0..20_000 {
        pair.session.handle_message(&chat, ms(1100)).unwrap();
    }
    let mut kept = 0;
    while let Some(SessionEvent::Chat(chat)) = pair.session.poll_event() {
        assert_eq!(chat.text, text);
        kept += 1;
    }
    assert_eq!(kept, EVENTS_MAX);
    assert_eq!(pair.session.counters().events_dropped, 20_000 - kept as u64);
    assert_eq!(pair.session.phase(), Phase::Joined);
}

#[test]
fn unread_reliable_events_end_the_session_at_the_limit_and_transient_ones_are_dropped() {
    let frames = |reliable: bool, length: usize, count: usize| {
        let mut pair = Pair::joined();
        for at in 0..40 {
            pair.server.events = vec![(reliable, vec![7; length]); count];
            if let Err(error) = pair.take(1050 + 50 * at, |server| server.advance(1)) {
                assert_eq!(error, SessionError::Backlog);
                break;
            }
        }
        pair
    };
    for (length, count) in [(0, EVENTS_PER_FRAME_MAX), (EVENT_BYTES_MAX, 100)] {
        let mut lossy = frames(false, length, count);
        assert_eq!(lossy.session.phase(), Phase::Joined);
        let (mut kept, mut sum) = (0, 0);
        while let Some(event) = lossy.session.poll_event() {
            kept += 1;
            if let SessionEvent::Event { body, .. } = event {
                sum += body.len();
            }
        }
        assert!(
            kept <= EVENTS_MAX
                && sum <= EVENTS_BYTES_MAX
                && lossy.session.counters().events_dropped > 0
        );

        let mut strict = frames(true, length, count);
        assert_eq!(strict.session.phase(), Phase::Ended);
        assert!(!strict.session.rejoin("wss://one", "seat", ms(9000)), "events are unread");
        let mut last = None;
        while let Some(event) = strict.session.poll_event() {
            last = Some(matches!(
                event,
                SessionEvent::Closed {
                    cause: Cause::Error(SessionError::Backlog),
                    then: Then::End
                }
            ));
        }
        assert_eq!(last, Some(true));
        assert!(strict.session.rejoin("wss://one", "seat", ms(9000)));
    }
}

#[test]
fn replies_to_commands_that_were_never_sent_are_counted_only() {
    let mut pair = Pair::joined();
    for id in [0, 1, u32::MAX] {
        let stray = bytes(&ServerMessage::Reply { id, outcome: Ok(&[]) });
        pair.session.handle_message(&stray, ms(1100)).unwrap();
    }
    assert!(pair.session.poll_event().is_none());
    assert_eq!(pair.session.counters().strays, 3);
    let id = pair.session.command(&[], std::time::Duration::from_secs(1), ms(1100));
    assert_eq!(id, Ok(CommandId(0)));
}

#[test]
fn extreme_times_are_taken_as_they_come() {
    for now in [Time(0), Time(1), ms(1000), Time(u64::MAX)] {
        let mut pair = Pair::joined();
        pair.frame(1, now.0 / 1000);
        pair.session.input(&[1], now).unwrap();
        pair.session.command(&[], std::time::Duration::MAX, now).unwrap();
        sent(&mut pair.session);
        pair.session.handle_timeout(now);
        pair.session.handle_lost(now);
        lives(&mut pair.session, now);
        assert!(pair.session.poll_event().is_none());
    }
}
