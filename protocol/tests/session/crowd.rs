//! Many clients in one program: what they share, and those that only count.

use std::sync::Arc;

use tickwire_protocol::client::session::Config;
use tickwire_protocol::client::{Cause, Session, SessionEvent, Then};
use tickwire_protocol::message::ClientMessage;
use tickwire_protocol::{Tick, Time};

use crate::server::{Pair, arena, config, ms, sent, sent_but_pings};
use crate::tells;

#[test]
fn what_one_session_was_told_another_need_not_ask_for() {
    let first = Pair::with(Config::new("wss://one", "seat", 7), 1);
    let known = first.session.known();
    assert!(known.is_some());
    let told = Config { known, ..Config::new("wss://one", "seat", 8) };
    let second = Pair::with(told, 1);
    let (one, other) = (first.session.mirror().unwrap(), second.session.mirror().unwrap());
    assert!(Arc::ptr_eq(one.schema(), other.schema()) && Arc::ptr_eq(one.layout(), other.layout()));
    assert_eq!(other.table("ships").unwrap().count(), 1, "and it has the state all the same");
}

#[test]
fn a_session_that_was_told_of_another_schema_takes_the_servers() {
    let first = Pair::with(Config::new("wss://one", "seat", 7), 1);
    let mut other = (*arena()).clone();
    other.tables[0].fields[0].name = "longitude".into();
    let server = crate::server::Server::<crate::server::Space>::new(Arc::new(other));
    let known = first.session.known();
    let mut session =
        Session::new(Config { known, ..Config::new("wss://one", "seat", 8) }, Time(0));
    session.handle_open(Time(0));
    let mut out = Vec::new();
    assert!(session.poll_transmit(&mut out));
    let ClientMessage::Hello(hello) = ClientMessage::read(&out).unwrap() else { panic!() };
    assert_eq!(hello.schema, Some(arena().hash()));
    session.handle_message(&server.welcome(None, true), ms(5)).unwrap();
    assert_eq!(session.schema().unwrap().tables[0].fields[0].name, "longitude");
}

#[test]
fn a_blind_session_follows_the_ticks_and_reads_no_chunk() {
    let mut pair = Pair::with(Config { blind: true, ..config() }, 1);
    pair.server.hash = Some(1);
    pair.frame(1, 1050);
    // Chunks that nobody could read do not matter to it.
    pair.server.world.ships.get_mut(pair.ship).unwrap().x = 9.0;
    let mut broken = pair.server.advance(1);
    let end = broken.len() - 1;
    broken[end] ^= 0xff;
    pair.session.handle_message(&broken, ms(1100)).unwrap();
    let mirror = pair.session.mirror().unwrap();
    assert_eq!((mirror.tick(), mirror.changes().hash_agrees), (Some(Tick(102)), None));
    assert_eq!(mirror.table("ships").unwrap().count(), 0);
    let counters = pair.session.counters();
    assert_eq!((counters.frames, counters.frames_whole, counters.diverged), (3, 1, 0));
    pair.session.handle_timeout(ms(1200));
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 102"]);
}

#[test]
fn a_blind_session_resumes_from_the_tick_that_it_counted() {
    let mut pair = Pair::with(Config { blind: true, ..config() }, 1);
    pair.frame(1, 1050);
    while pair.session.poll_event().is_some() {}
    pair.session.handle_lost(ms(1060));
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Lost, then: Then::Reconnect(_) });
    let at = pair.reconnect();
    assert_eq!(sent(&mut pair.session), ["hello resume 1 Some(101)"]);
    pair.take(at, |server| server.welcome(Some(server.tick), false)).unwrap();
    tells!(pair.session, SessionEvent::Joined { resumed: true, .. });
    pair.frame(3, at + 10);
    assert_eq!(pair.session.mirror().unwrap().tick(), Some(Tick(104)));
}
