//! Clock, playhead, liveness, refresh.

use tickwire_protocol::Tick;
use tickwire_protocol::client::session::{PROBE_TIMEOUT, REFRESH_INTERVAL, SILENCE_MAX};
use tickwire_protocol::client::{Cause, Phase, SessionEvent, Then};
use tickwire_protocol::message::{ServerClock, ServerMessage};

use crate::server::{Pair, Server, bytes, ms, sent, sent_but_pings};
use crate::tells;

#[test]
fn the_clock_follows_the_pongs() {
    let mut pair = Pair::joined();
    pair.run(1050, 3000);
    let tick = pair.session.server_tick(ms(3000)).unwrap();
    assert!((tick.since(Tick(140))).abs() < 0.05, "{tick:?}");
    assert_eq!(pair.session.clock().unwrap().rtt().unwrap().min.as_millis(), 0);
    let shown = pair.session.render_position(ms(3000)).unwrap();
    assert!((-3.0..-0.5).contains(&shown.since(Tick(140))), "a delay behind: {shown:?}");
}

#[test]
fn pongs_that_nobody_asked_for_do_not_move_the_clock() {
    let mut pair = Pair::joined();
    let before = pair.session.server_tick(ms(1000)).unwrap();
    for stamp in [0, 1, 999_999, 1_000_001, u64::MAX] {
        let clock = ServerClock { tick: Tick(4_000_000), micros: u32::MAX };
        pair.take(1000, |_| bytes(&ServerMessage::Pong { stamp, clock })).unwrap();
    }
    assert_eq!(pair.session.server_tick(ms(1000)), Some(before));
    assert_eq!(pair.session.counters().strays, 5);
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut pair = Pair::joined();
    let asked = ms(1000) + SILENCE_MAX;
    for at in 1000..9000 {
        pair.session.handle_timeout(ms(at));
        sent(&mut pair.session);
    }
    pair.session.handle_timeout(asked);
    assert_eq!(sent(&mut pair.session), ["ping"]);
    pair.session.handle_timeout(asked + PROBE_TIMEOUT);
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Silent, then: Then::Reconnect(_) });
}

#[test]
fn a_program_that_was_not_run_finds_its_connection_alive() {
    let mut pair = Pair::joined();
    pair.session.handle_timeout(ms(600_000));
    for _ in 0..3 {
        pair.frame(1, 600_000);
    }
    pair.session.handle_timeout(ms(600_010));
    tells!(pair.session, SessionEvent::Frame { tick: Tick(103), merged: 3 });
    assert!(pair.session.poll_event().is_none());
    pair.session.handle_timeout(ms(600_000) + PROBE_TIMEOUT);
    assert!(pair.session.poll_event().is_none());
}

#[test]
fn a_connection_that_is_used_is_not_doubted() {
    let mut pair = Pair::joined();
    pair.run(1050, 30_050);
    assert_eq!(pair.session.phase(), Phase::Joined);
}

#[test]
fn the_whole_state_is_asked_for_at_most_every_two_seconds() {
    let mut pair = Pair::joined();
    assert!(pair.session.refresh(ms(1000)));
    assert!(!pair.session.refresh(ms(1100)));
    assert_eq!(sent(&mut pair.session), ["refresh"]);
    assert!(!pair.session.refresh(ms(2999)));
    assert!(pair.session.refresh(ms(1000) + REFRESH_INTERVAL));
}

#[test]
fn a_state_that_is_not_the_servers_is_fetched_anew() {
    let mut pair = Pair::joined();
    pair.server.hash = Some(pair.session.mirror().unwrap().hash());
    pair.frame(1, 1050);
    assert_eq!(pair.session.counters().diverged, 0);
    for at in [1100, 1150] {
        pair.server.hash = Some(1);
        pair.frame(1, at);
    }
    assert_eq!(pair.session.counters().diverged, 2);
    let words = sent_but_pings(&mut pair.session);
    assert_eq!(words.iter().filter(|words| *words == "refresh").count(), 1, "{words:?}");
    pair.take(1200, Server::full).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 103"], "at once");
}
