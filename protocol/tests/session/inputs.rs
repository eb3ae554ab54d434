//! Stamps of inputs, over a whole session.

use tickwire_protocol::client::session::InputStamp;
use tickwire_protocol::client::{SendError, SessionEvent};
use tickwire_protocol::limits::INPUT_BYTES_MAX;
use tickwire_protocol::message::ClientMessage;
use tickwire_protocol::{Tick, Time};

use crate::server::{Pair, Server, ms, sent_but_pings};
use crate::tells;

#[test]
fn an_input_is_for_the_tick_at_its_arrival_and_a_margin() {
    let mut pair = Pair::joined();
    pair.run(1050, 2000);
    // At 2000 ms tick 120 begins; the way takes no time; the margin is two ticks.
    let stamp = pair.session.input(&[1, 0], ms(2000)).unwrap().unwrap();
    assert_eq!(stamp, InputStamp { sequence: 0, tick: Tick(122) });
    assert_eq!(pair.session.input_tick(ms(2010)), Some(Tick(122)));
    assert_eq!(pair.session.input(&[1, 0], ms(2010)), Ok(None), "held");
}

#[test]
fn reports_of_late_inputs_widen_the_margin() {
    let mut pair = Pair::joined();
    pair.run(1050, 2000);
    pair.server.depth = Some(-2);
    pair.frame(1, 2000);
    assert_eq!(pair.session.input_tick(ms(2000)), Some(Tick(125)));
    pair.frame(1, 2050);
    assert_eq!(pair.session.input_tick(ms(2050)), Some(Tick(126)), "no report, no change");
}

#[test]
fn a_hasty_player_sends_one_input_a_tick_and_stamps_never_go_back() {
    let mut pair = Pair::joined();
    let (mut out, mut stamps) = (Vec::new(), Vec::new());
    for at in 1000..3000u64 {
        if at % 50 == 0 {
            pair.frame(1, at);
        }
        pair.session.input(&at.to_le_bytes()[..2], ms(at)).unwrap();
        pair.session.handle_timeout(ms(at));
        while pair.session.poll_transmit(&mut out) {
            if let ClientMessage::Input(inputs) = ClientMessage::read(&out).unwrap() {
                assert!(inputs.len() <= 1);
                stamps.extend(inputs.iter().map(|(sequence, tick, _)| (sequence, tick.0)));
            }
        }
    }
    assert!((39..=42).contains(&stamps.len()), "{}", stamps.len());
    let sequences = stamps.iter().map(|stamp| stamp.0);
    assert!(sequences.eq(0..stamps.len() as u32));
    assert!(stamps.is_sorted_by(|a, b| a.1 < b.1), "{stamps:?}");
}

#[test]
fn on_a_stall_inputs_fold_into_one_message() {
    let mut pair = Pair::joined();
    for step in 0..100u8 {
        pair.session.input(&[step, 0], ms(1000 + 50 * u64::from(step))).unwrap();
    }
    let words = sent_but_pings(&mut pair.session);
    assert_eq!(words.len(), 1);
    assert_eq!(words[0].matches('@').count(), 16);
    assert!(words[0].ends_with("15@201[99, 0]"), "{words:?}");
}

#[test]
fn an_input_over_the_limit_is_refused_and_the_one_in_force_holds() {
    let mut pair = Pair::joined();
    pair.session.input(&[1], Time(0)).unwrap();
    let long = [0; INPUT_BYTES_MAX + 1];
    assert_eq!(pair.session.input(&long, ms(1000)), Err(SendError::TooLong));
    assert_eq!(pair.session.input(&[1], ms(1000)), Ok(None));
}

#[test]
fn a_room_that_goes_back_in_time_gets_inputs_for_its_present() {
    let mut pair = Pair::joined();
    pair.run(1050, 2000);
    pair.session.input(&[1, 0], ms(2000)).unwrap();
    sent_but_pings(&mut pair.session);
    // The room was restored from an earlier state.
    pair.server.tick = Tick(50);
    pair.take(2050, Server::full).unwrap();
    assert_eq!(pair.session.mirror().unwrap().tick(), Some(Tick(50)));
    assert_eq!(pair.session.input_tick(ms(2050)), None, "until the server says what time it is");
    let log = pair.run(2051, 2300);
    assert_eq!(log[0], (2051, "input ack 51 1@53[1, 0]".into()), "the input in force goes again");
    assert!(pair.session.render_position(ms(2300)).unwrap().since(pair.server.tick) < 1.0);
}

#[test]
fn an_input_given_before_the_first_frame_is_stamped_when_that_comes() {
    let mut pair = Pair::joined();
    pair.session.input(&[1, 0], ms(1000)).unwrap();
    sent_but_pings(&mut pair.session);
    pair.session.handle_lost(ms(1010));
    tells!(pair.session, SessionEvent::Closed { .. });
    let at = pair.reconnect();
    sent_but_pings(&mut pair.session);
    pair.server.tick = Tick(200);
    pair.take(at, |server| server.welcome(None, false)).unwrap();
    pair.session.input(&[2, 0], ms(at)).unwrap();
    assert!(sent_but_pings(&mut pair.session).is_empty());
    // A large state on a slow link.
    pair.take(at + 1000, Server::full).unwrap();
    assert_eq!(sent_but_pings(&mut pair.session), ["input ack 200 1@222[2, 0]"]);
}

#[test]
fn the_server_says_which_inputs_it_has_used() {
    let mut pair = Pair::joined();
    assert_eq!(pair.session.processed(), None);
    pair.server.processed = Some(4);
    pair.frame(1, 1050);
    pair.frame(1, 1100);
    assert_eq!(pair.session.processed(), Some(4));
}
