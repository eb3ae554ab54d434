//! Losing a connection, and going on.

use tickwire_protocol::Tick;
use tickwire_protocol::client::mirror::{MirrorError, What};
use tickwire_protocol::client::reconnect::Policy;
use tickwire_protocol::client::{Cause, Phase, SessionError, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::frame::{self, Header, Step};
use tickwire_protocol::message::ServerMessage;
use tickwire_protocol::schema::{Kind, Schema};

use crate::server::{Pair, Server, Ship, bytes, config, ms, sent, sent_but_pings};
use crate::tells;

#[test]
fn a_lost_client_goes_on_from_the_tick_it_has() {
    let mut pair = Pair::joined();
    pair.session.input(&[1, 0], ms(1000)).unwrap();
    pair.run(1050, 2000);
    pair.session.handle_lost(ms(2000));
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Lost, then: Then::Reconnect(_) });
    let at = pair.reconnect();
    assert!(at <= 2250, "full jitter below the first bound");
    assert_eq!(sent(&mut pair.session), ["hello resume 1 Some(119)"]);

    // Meanwhile the server went on.
    let missed = (at - 1950) as u32 / 50;
    pair.server.world.ships.get_mut(pair.ship).unwrap().x = 9.0;
    let clock_tick = pair.server.tick.after(missed);
    pair.take(at, |server| {
        let sent = std::mem::replace(&mut server.tick, clock_tick);
        let welcome = server.welcome(Some(sent), false);
        server.tick = sent;
        welcome
    })
    .unwrap();
    tells!(pair.session, SessionEvent::Joined { player: 3, resumed: true });
    let words = sent_but_pings(&mut pair.session);
    assert_eq!(words.len(), 1);
    assert!(words[0].starts_with("input ack 119 1@"), "sequence numbers go on: {words:?}");
    pair.frame(missed + 1, at + 10);
    let mirror = pair.session.mirror().unwrap();
    let ship = mirror.table("ships").unwrap().next().unwrap();
    assert_eq!(ship.get("x"), Some(Value::Float(9.0)));
    assert!(
        matches!(mirror.changes().rows[..], [change] if matches!(change.what, What::Changed(_)))
    );
    assert_eq!(pair.session.counters().resumes, 1);
}

#[test]
fn beyond_the_history_the_whole_state_comes_and_rows_keep_their_identity() {
    let mut pair = Pair::joined();
    pair.session.input(&[1, 0], ms(1000)).unwrap();
    sent(&mut pair.session);
    let gone = pair.server.world.ships.spawn(Ship { x: 2.0, name: "Grace".into() });
    pair.frame(1, 1050);
    pair.session.handle_close(4408, "too slow", ms(1060));
    let at = {
        while !matches!(pair.session.poll_event(), Some(SessionEvent::Closed { .. })) {}
        pair.reconnect()
    };
    sent(&mut pair.session);

    pair.server.world.ships.despawn(gone);
    pair.server.tick = Tick(900);
    pair.take(at, |server| server.welcome(None, false)).unwrap();
    tells!(pair.session, SessionEvent::Joined { resumed: false, .. });
    assert_eq!(pair.session.mirror().unwrap().table("ships").unwrap().count(), 2, "still readable");
    assert!(sent_but_pings(&mut pair.session).is_empty(), "no input for a state that is not here");
    pair.take(at, Server::full).unwrap();
    let mirror = pair.session.mirror().unwrap();
    let removed = mirror.changes().rows.iter().filter(|row| matches!(row.what, What::Removed(_)));
    assert_eq!(removed.map(|row| row.slot).collect::<Vec<_>>(), [gone.slot()]);
    assert!(!mirror.changes().rows.iter().any(|row| row.what == What::Added));
    let words = sent_but_pings(&mut pair.session);
    assert!(words[0].starts_with("input ack 900 1@90"), "stamps follow the new clock: {words:?}");
}

#[test]
fn each_connection_uses_the_newest_token() {
    let mut pair = Pair::joined();
    pair.take(1050, |_| bytes(&ServerMessage::Token { token: "resume 2" })).unwrap();
    pair.session.handle_lost(ms(1060));
    tells!(pair.session, SessionEvent::Closed { .. });
    pair.reconnect();
    assert_eq!(sent(&mut pair.session), ["hello resume 2 Some(100)"]);
    pair.session.handle_lost(ms(1500));
    tells!(pair.session, SessionEvent::Closed { .. });
    pair.reconnect();
    assert_eq!(sent(&mut pair.session), ["hello resume 2 Some(100)"]);
}

#[test]
fn a_room_that_moved_is_followed() {
    let mut pair = Pair::joined();
    let moved = bytes(&ServerMessage::Moved { address: "wss://two", token: "there" });
    pair.take(1050, |_| moved).unwrap();
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Moved, then: Then::Reconnect(_) });
    let Phase::Waiting(at) = pair.session.phase() else { panic!() };
    pair.session.handle_timeout(at);
    tells!(pair.session, SessionEvent::Connect { address: "wss://two" });
    pair.session.handle_open(at);
    assert_eq!(sent(&mut pair.session), ["hello there Some(100)"]);
}

#[test]
fn who_was_replaced_stays_away() {
    let mut pair = Pair::joined();
    let (code, text) = (CloseReason::Replaced.code(), CloseReason::Replaced.text());
    pair.session.handle_close(code, text, ms(1100));
    tells!(
        pair.session,
        SessionEvent::Closed { cause: Cause::Server(CloseReason::Replaced), then: Then::End }
    );
    assert_eq!((pair.session.phase(), pair.session.deadline()), (Phase::Ended, None));
}

#[test]
fn a_restart_is_waited_for_as_long_as_the_server_asks() {
    let mut pair = Pair::joined();
    let bye = ServerMessage::Bye { reason: CloseReason::Restart, text: "", retry_after_ms: 5000 };
    pair.take(1050, |_| bytes(&bye)).unwrap();
    tells!(pair.session, SessionEvent::Closed { then: Then::Reconnect(_), .. });
    let at = pair.session.deadline().unwrap();
    assert!((ms(6050)..=ms(6300)).contains(&at), "{at:?}");
    // The close frame behind the Bye says nothing new.
    pair.session.handle_close(1012, "the server restarts", ms(1051));
    assert!(pair.session.poll_event().is_none());
    pair.session.handle_timeout(at);
    tells!(pair.session, SessionEvent::Connect { .. });
}

#[test]
fn a_seat_that_is_gone_is_asked_for_and_replaced() {
    let mut pair = Pair::joined();
    pair.server.processed = Some(9);
    pair.frame(1, 1050);
    tells!(pair.session, SessionEvent::Frame { .. });
    pair.session.handle_close(4401, "", ms(1100));
    tells!(pair.session, SessionEvent::Closed { then: Then::NeedSeat { .. }, .. });
    assert_eq!(pair.session.phase(), Phase::NeedSeat);
    assert_eq!(pair.session.deadline(), None);
    assert!(pair.session.rejoin("wss://three", "another seat", ms(1500)));
    assert!(!pair.session.rejoin("wss://four", "and another", ms(1500)));
    tells!(pair.session, SessionEvent::Connect { address: "wss://three" });
    pair.session.handle_open(ms(1600));
    assert_eq!(sent(&mut pair.session), ["hello another seat None"]);
    pair.take(1600, |server| server.welcome(None, false)).unwrap();
    assert_eq!(pair.session.processed(), None, "of that seat's inputs");
    assert_eq!(pair.session.mirror().unwrap().tick(), None, "another seat, another view");
}

#[test]
fn after_malformed_data_everything_begins_anew() {
    let mut pair = Pair::joined();
    let error = pair.take(1050, |_| vec![99]).unwrap_err();
    assert_eq!(error.close_code(), 4400);
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Error(ref it), .. } if *it == error);
    // What else was on the way.
    pair.frame(1, 1051);
    assert!(pair.session.poll_event().is_none());
    let at = pair.reconnect();
    assert_eq!(sent(&mut pair.session), ["hello resume 1 None"]);
    let lie = pair.take(at, |server| server.welcome(Some(Tick(101)), false));
    assert_eq!(lie, Err(SessionError::BadBaseline));
}

#[test]
fn the_session_gives_up_when_the_policy_says_so() {
    let policy = Policy { attempts_max: 2, ..Policy::default() };
    let mut pair = Pair::with(tickwire_protocol::client::Config { policy, ..config() }, 1);
    pair.session.handle_lost(ms(1100));
    for _ in 0..2 {
        tells!(pair.session, SessionEvent::Closed { then: Then::Reconnect(_), .. });
        let at = pair.reconnect();
        pair.session.handle_lost(ms(at));
    }
    tells!(pair.session, SessionEvent::Closed { then: Then::GiveUp, .. });
    assert_eq!(pair.session.phase(), Phase::Ended);
    // The player asks for it.
    assert!(pair.session.rejoin("wss://one", "seat", ms(99_000)));
    pair.session.handle_lost(ms(99_000));
    tells!(pair.session, SessionEvent::Connect { .. });
    tells!(pair.session, SessionEvent::Closed { then: Then::Reconnect(_), .. });
}

#[test]
fn two_seeds_do_not_come_back_in_step() {
    let wait = |seed| {
        let mut pair = Pair::with(tickwire_protocol::client::Config { seed, ..config() }, 1);
        pair.session.handle_lost(ms(1100));
        tells!(pair.session, SessionEvent::Closed { .. });
        pair.session.deadline()
    };
    assert_ne!(wait(1), wait(2));
    assert_eq!(wait(3), wait(3));
}

/// Loses the connection and resumes at once; gives when.
fn resume(pair: &mut Pair, at_ms: u64) -> u64 {
    pair.session.handle_lost(ms(at_ms));
    while !matches!(pair.session.poll_event(), Some(SessionEvent::Closed { .. })) {}
    let at = pair.reconnect();
    sent(&mut pair.session);
    pair.take(at, |server| server.welcome(Some(server.tick), false)).unwrap();
    tells!(pair.session, SessionEvent::Joined { resumed: true, .. });
    at
}

#[test]
fn a_part_of_the_state_does_not_do_where_the_whole_was_announced() {
    let mut pair = Pair::joined();
    pair.session.handle_lost(ms(1050));
    tells!(pair.session, SessionEvent::Closed { .. });
    let at = pair.reconnect();
    sent(&mut pair.session);
    pair.take(at, |server| server.welcome(None, false)).unwrap();
    let error = pair.take(at, |server| server.advance(1));
    assert_eq!(error, Err(SessionError::State(MirrorError::NoBaseline)));
}

#[test]
fn no_straight_line_leads_from_one_connection_into_the_next() {
    let mut pair = Pair::joined();
    pair.run(1050, 1300);
    let at = resume(&mut pair, 1300);
    let (processed, depth, hash) = (None, None, None);
    let header = Header { step: Step::Advance(1), predicted: true, processed, depth, hash };
    let mut predicted = Vec::new();
    frame::write_header(&header, [].into_iter(), 0, &mut predicted);
    let error = pair.session.handle_message(&predicted, ms(at));
    assert_eq!(error, Err(SessionError::State(MirrorError::NoMotion)));
}

#[test]
fn the_pace_holds_on_every_connection() {
    let mut pair = Pair::joined();
    pair.session.pace(3);
    assert_eq!(sent(&mut pair.session), ["pace 3"]);
    resume(&mut pair, 1100);
    assert_eq!(sent_but_pings(&mut pair.session), ["pace 3"]);
}

#[test]
fn a_whole_state_that_was_wanted_is_still_wanted_if_the_old_one_goes_on() {
    let mut pair = Pair::joined();
    assert!(pair.session.refresh(ms(1050)));
    let at = resume(&mut pair, 1050);
    assert_eq!(sent_but_pings(&mut pair.session), ["refresh"]);
    assert!(pair.session.refresh(ms(at + 5000)));
    pair.session.handle_lost(ms(at + 5000));
    tells!(pair.session, SessionEvent::Closed { .. });
    let at = pair.reconnect();
    sent(&mut pair.session);
    pair.take(at, |server| server.welcome(None, false)).unwrap();
    assert!(sent_but_pings(&mut pair.session).is_empty(), "it comes anyway");
}

#[test]
fn what_was_learnt_of_the_link_outlives_a_resume() {
    let mut pair = Pair::joined();
    pair.run(1050, 2000);
    pair.server.depth = Some(-2);
    pair.frame(1, 2000);
    let lead = pair.session.input_tick(ms(2000)).unwrap().since(pair.server.tick);
    let at = resume(&mut pair, 2000);
    let now = pair.session.server_tick(ms(at)).unwrap().tick();
    let after = pair.session.input_tick(ms(at)).unwrap().since(now);
    assert!((lead - 1..=lead + 1).contains(&after), "{lead} ticks ahead, then {after}");
}

#[test]
fn a_connection_that_held_ends_the_outage() {
    let policy = Policy { attempts_max: 1, ..Policy::default() };
    let mut pair = Pair::with(tickwire_protocol::client::Config { policy, ..config() }, 1);
    let mut at = 1000;
    for _ in 0..5 {
        at = resume(&mut pair, at + 11_000);
    }
    assert_eq!(pair.session.phase(), Phase::Joined);
}

#[test]
fn frames_of_two_connections_are_told_apart() {
    let mut pair = Pair::joined();
    pair.frame(1, 1050);
    pair.session.handle_lost(ms(1060));
    let Phase::Waiting(at) = pair.session.phase() else { panic!() };
    pair.session.handle_timeout(at);
    pair.session.handle_open(at);
    sent(&mut pair.session);
    pair.take(at.0 / 1000, |server| server.welcome(Some(server.tick), false)).unwrap();
    pair.frame(1, at.0 / 1000);
    tells!(pair.session, SessionEvent::Frame { tick: Tick(101), merged: 1 });
    tells!(pair.session, SessionEvent::Closed { .. });
    tells!(pair.session, SessionEvent::Connect { .. });
    tells!(pair.session, SessionEvent::Joined { .. });
    tells!(pair.session, SessionEvent::Frame { tick: Tick(102), merged: 1 });
}

#[test]
fn an_input_in_the_words_of_another_schema_is_not_sent() {
    let mut pair = Pair::with(tickwire_protocol::client::Config::new("wss://one", "seat", 7), 1);
    pair.session.input(&[1, 0], ms(1000)).unwrap();
    sent(&mut pair.session);
    pair.session.handle_lost(ms(1100));
    tells!(pair.session, SessionEvent::Closed { .. });
    let at = pair.reconnect();
    sent(&mut pair.session);
    // The server came back with another version of the game.
    let mut schema = Schema::clone(&pair.server.schema);
    schema.input = Kind::Bool;
    pair.server.schema = schema.into();
    pair.take(at, |server| server.welcome(None, true)).unwrap();
    pair.take(at, Server::full).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 100"]);
}

#[test]
fn a_room_that_counts_lower_ticks_now_gets_inputs_for_them_at_once() {
    let mut pair = Pair::joined();
    pair.session.input(&[1, 0], ms(1000)).unwrap();
    pair.run(1050, 2000);
    pair.session.handle_close(1012, "the server restarts", ms(2000));
    tells!(pair.session, SessionEvent::Closed { .. });
    let at = pair.reconnect();
    sent(&mut pair.session);
    pair.server.tick = Tick(10);
    pair.take(at, |server| server.welcome(None, false)).unwrap();
    pair.take(at, Server::full).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 10 1@12[1, 0]"]);
}

#[test]
fn a_welcome_that_is_of_no_use_has_spent_the_token_all_the_same() {
    let mut server = Pair::joined().server;
    let unasked = server.welcome(Some(Tick(9)), false);
    let mut schema = Schema::clone(&server.schema);
    schema.event = Kind::Bool;
    server.schema = schema.into();
    for useless in [unasked, server.welcome(None, false)] {
        let mut session = tickwire_protocol::client::Session::new(config(), ms(0));
        tells!(session, SessionEvent::Connect { .. });
        session.handle_open(ms(0));
        assert_eq!(sent(&mut session), ["hello seat None"]);
        session.handle_message(&useless, ms(10)).unwrap_err();
        tells!(session, SessionEvent::Closed { then: Then::Reconnect(_), .. });
        let Phase::Waiting(at) = session.phase() else { panic!() };
        session.handle_timeout(at);
        session.handle_open(at);
        assert_eq!(sent(&mut session), ["hello resume 1 None"]);
    }
}
