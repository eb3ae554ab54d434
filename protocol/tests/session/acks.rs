//! When the server learns what was applied.

use tickwire_protocol::Tick;
use tickwire_protocol::client::SessionEvent;
use tickwire_protocol::client::session::ACK_INTERVAL;

use crate::server::{Pair, ms, sent, sent_but_pings};
use crate::tells;

#[test]
fn an_idle_client_acknowledges_ten_times_a_second() {
    let log = Pair::joined().run(1050, 2050);
    let times: Vec<u64> = log.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [1150, 1300, 1450, 1600, 1750, 1900]);
    assert_eq!(log[0].1, "input ack 103", "the frame that came at the same time counts");
}

#[test]
fn an_acknowledgement_is_due_within_the_interval() {
    let mut pair = Pair::joined();
    pair.frame(1, 1050);
    while pair.session.poll_event().is_some() {}
    pair.session.handle_timeout(ms(1100));
    assert!(sent_but_pings(&mut pair.session).is_empty());
    assert_eq!(pair.session.deadline(), Some(ms(1050) + ACK_INTERVAL));
    pair.session.handle_timeout(ms(1150));
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 101"]);
    assert!(pair.session.deadline() > Some(ms(1150)));
}

#[test]
fn an_input_carries_it_and_starts_the_interval_anew() {
    let mut pair = Pair::joined();
    pair.frame(1, 1050);
    pair.session.input(&[1, 0], ms(1060)).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 101 0@103[1, 0]"]);
    pair.session.handle_timeout(ms(1200));
    assert!(sent_but_pings(&mut pair.session).is_empty(), "nothing new was applied");
}

#[test]
fn a_merged_frame_is_acknowledged_at_once() {
    let mut pair = Pair::with(crate::server::config(), 2);
    pair.frame(2, 1100);
    assert!(sent_but_pings(&mut pair.session).is_empty());
    pair.frame(4, 1200);
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 106"]);
    assert_eq!(pair.session.counters().frames_merged, 1);
}

#[test]
fn a_late_frame_is_acknowledged_at_once() {
    let mut pair = Pair::joined();
    pair.frame(1, 1075);
    assert!(sent_but_pings(&mut pair.session).is_empty());
    pair.frame(1, 1151);
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 102"]);
}

#[test]
fn who_holds_an_input_is_heard_five_times_a_second_however_few_frames_come() {
    let mut pair = Pair::joined();
    pair.session.pace(40);
    pair.frame(1, 1050);
    pair.session.input(&[1, 0], ms(1060)).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 101 0@103[1, 0]", "pace 40"]);
    let mut times = Vec::new();
    for at in 1060..2000 {
        while pair.session.poll_event().is_some() {}
        pair.session.handle_timeout(ms(at));
        for word in sent_but_pings(&mut pair.session) {
            assert_eq!(word, "input ack 101");
            times.push(at);
        }
    }
    assert_eq!(times, [1260, 1460, 1660, 1860]);
}

#[test]
fn a_pace_that_was_asked_for_makes_no_frame_late() {
    let mut pair = Pair::joined();
    pair.session.pace(4);
    assert_eq!(sent(&mut pair.session), ["pace 4"]);
    pair.frame(4, 1200);
    assert!(sent_but_pings(&mut pair.session).is_empty());
}

#[test]
fn frames_handed_over_at_once_are_all_applied_and_acknowledged_together() {
    let mut pair = Pair::joined();
    for _ in 0..40 {
        pair.server.world.ships.get_mut(pair.ship).unwrap().x += 1.0;
        pair.frame(1, 3050);
    }
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 140"]);
    tells!(pair.session, SessionEvent::Frame { tick: Tick(140), merged: 40 });
    assert!(pair.session.poll_event().is_none());
    let ship = pair.session.mirror().unwrap().table("ships").unwrap().next().unwrap();
    assert_eq!(ship.get("x"), Some(tickwire_protocol::dynamic::Value::Float(41.0)));
}

#[test]
fn a_socket_that_takes_nothing_makes_no_busy_loop() {
    let mut pair = Pair::joined();
    pair.frame(3, 1150);
    pair.session.input(&[1, 1], ms(1150)).unwrap();
    for at in 1150..9000 {
        while pair.session.poll_event().is_some() {}
        pair.session.handle_timeout(ms(at));
        assert!(pair.session.deadline() > Some(ms(at)));
    }
    let words = sent(&mut pair.session);
    assert_eq!(words.len(), 2, "one ping and one input: {words:?}");
}
