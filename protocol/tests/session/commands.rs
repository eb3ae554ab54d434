//! Commands, replies, chat, events.

use core::time::Duration;

use tickwire_protocol::Tick;
use tickwire_protocol::client::session::{COMMANDS_MAX, CommandId};
use tickwire_protocol::client::{Cause, NoReply, Phase, SendError, SessionEvent, Then};
use tickwire_protocol::limits::{CHAT_BYTES_MAX, COMMAND_BYTES_MAX};
use tickwire_protocol::message::{Chat, Refusal, ServerMessage};

use crate::server::{Pair, bytes, ms, sent, sent_but_pings};
use crate::tells;

const SECOND: Duration = Duration::from_secs(1);

fn reply(id: CommandId, outcome: Result<&'static [u8], Refusal<'static>>) -> Vec<u8> {
    bytes(&ServerMessage::Reply { id: id.0, outcome })
}

#[test]
fn a_command_is_sent_once_and_its_reply_is_told_once() {
    let mut pair = Pair::joined();
    let id = pair.session.command(&[7, 8], SECOND, ms(1000)).unwrap();
    assert_eq!(sent(&mut pair.session), ["command 0 [7, 8]"]);
    pair.take(1040, |_| reply(id, Ok(&[1, 2]))).unwrap();
    tells!(pair.session, SessionEvent::Reply { id: it, outcome: Ok([1, 2]) } if it == id);
    pair.take(1050, |_| reply(id, Ok(&[1, 2]))).unwrap();
    pair.session.handle_timeout(ms(5000));
    assert!(pair.session.poll_event().is_none());
    assert_eq!(pair.session.counters().strays, 1);
}

#[test]
fn a_refusal_tells_why() {
    let mut pair = Pair::joined();
    let id = pair.session.command(&[], SECOND, ms(1000)).unwrap();
    let refusal = Refusal { code: 104, text: "too dear" };
    pair.take(1040, |_| reply(id, Err(refusal))).unwrap();
    tells!(
        pair.session,
        SessionEvent::Reply { outcome: Err(NoReply::Refused(it)), .. } if it == refusal
    );
}

#[test]
fn a_command_without_a_reply_times_out() {
    let mut pair = Pair::joined();
    let id = pair.session.command(&[], SECOND / 10, ms(1000)).unwrap();
    let late = pair.session.command(&[], SECOND, ms(1000)).unwrap();
    sent(&mut pair.session);
    assert_eq!(pair.session.deadline(), Some(ms(1100)));
    pair.session.handle_timeout(ms(1100));
    tells!(pair.session, SessionEvent::Reply { id: it, outcome: Err(NoReply::TimedOut) } if it == id);
    pair.take(1110, |_| reply(id, Ok(&[]))).unwrap();
    assert!(pair.session.poll_event().is_none(), "it came too late");
    pair.session.handle_timeout(ms(2000));
    tells!(pair.session, SessionEvent::Reply { id: it, .. } if it == late);
}

#[test]
fn commands_under_way_are_lost_with_the_connection_and_not_sent_again() {
    let mut pair = Pair::joined();
    let first = pair.session.command(&[1], SECOND * 60, ms(1000)).unwrap();
    sent(&mut pair.session);
    let second = pair.session.command(&[2], SECOND * 60, ms(1000)).unwrap();
    pair.session.chat("never said").unwrap();
    pair.session.handle_lost(ms(1010));
    for lost in [first, second] {
        tells!(
            pair.session,
            SessionEvent::Reply { id, outcome: Err(NoReply::ConnectionLost) } if id == lost
        );
    }
    tells!(pair.session, SessionEvent::Closed { .. });
    assert_eq!(pair.session.command(&[3], SECOND, ms(1010)), Err(SendError::NotJoined));
    let at = pair.reconnect();
    sent(&mut pair.session);
    pair.take(at, |server| server.welcome(Some(Tick(100)), false)).unwrap();
    tells!(pair.session, SessionEvent::Joined { resumed: true, .. });
    assert!(sent_but_pings(&mut pair.session).is_empty());
    assert!(pair.session.poll_event().is_none());
}

#[test]
fn commands_and_chat_keep_their_order() {
    let mut pair = Pair::joined();
    pair.session.chat("buying").unwrap();
    pair.session.command(&[1], SECOND, ms(1000)).unwrap();
    pair.session.chat("bought").unwrap();
    assert_eq!(sent(&mut pair.session), ["chat buying", "command 0 [1]", "chat bought"]);
}

#[test]
fn what_is_over_a_limit_is_refused() {
    let mut pair = Pair::joined();
    let long = vec![0; COMMAND_BYTES_MAX + 1];
    assert_eq!(pair.session.command(&long, SECOND, ms(1000)), Err(SendError::TooLong));
    assert_eq!(pair.session.chat(&"x".repeat(CHAT_BYTES_MAX + 1)), Err(SendError::TooLong));
    for _ in 0..COMMANDS_MAX {
        pair.session.command(&[], SECOND, ms(1000)).unwrap();
    }
    assert_eq!(sent(&mut pair.session).len(), COMMANDS_MAX);
    assert_eq!(pair.session.command(&[], SECOND, ms(1000)), Err(SendError::Busy));
}

#[test]
fn events_follow_the_frame_that_brought_them() {
    let mut pair = Pair::joined();
    pair.server.events = vec![(true, vec![1]), (false, vec![2, 2])];
    pair.frame(1, 1050);
    tells!(pair.session, SessionEvent::Frame { tick: Tick(101), .. });
    tells!(pair.session, SessionEvent::Event { tick: Tick(101), reliable: true, body: [1] });
    tells!(pair.session, SessionEvent::Event { reliable: false, body: [2, 2], .. });
    assert!(pair.session.poll_event().is_none());
}

#[test]
fn chat_is_told_as_it_was_said() {
    let mut pair = Pair::joined();
    let chat = Chat { player: 9, name: "Grace", tick: Tick(99), text: "hello" };
    pair.take(1050, |_| bytes(&ServerMessage::Chat(chat))).unwrap();
    tells!(pair.session, SessionEvent::Chat(it) if it == chat);
}

#[test]
fn leaving_says_what_was_queued_and_then_bye() {
    let mut pair = Pair::joined();
    pair.session.chat("good night").unwrap();
    pair.session.leave();
    assert_eq!(pair.session.chat("more"), Err(SendError::NotJoined));
    assert_eq!(sent(&mut pair.session), ["chat good night", "bye"]);
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Left, then: Then::End });
    assert_eq!((pair.session.phase(), pair.session.deadline()), (Phase::Ended, None));
}

#[test]
fn leaving_without_a_connection_takes_effect_at_once() {
    let mut pair = Pair::joined();
    pair.session.handle_lost(ms(1100));
    pair.session.leave();
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Lost, .. });
    tells!(pair.session, SessionEvent::Closed { cause: Cause::Left, then: Then::End });
    let mut leaving = Pair::joined();
    leaving.session.leave();
    leaving.session.handle_lost(ms(1100));
    tells!(leaving.session, SessionEvent::Closed { cause: Cause::Lost, then: Then::End });
}
