//! Who comes, comes back, is replaced and is gone.

use std::rc::Rc;
use std::time::Duration;

use tickwire::room::{AnyRoom, Room, RoomConfig, RoomFull, RoomId, SeatId};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, Hello, VERSION};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Scope, Tick, Time};

use crate::dots::Wish;
use crate::hall::{Hall, Peer, clogged, config, hall, unclog};

#[test]
fn the_welcome_comes_first_then_the_chat_then_the_state() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.say(&ada, ClientMessage::Chat { text: " ahoy\x1b[2J\n " }).unwrap();
    hall.play(&mut [&mut ada]);
    assert_eq!(ada.heard(), ["welcome", "chat Ada: ahoy[2J", "frame"]);
    let mut bob = hall.join(2);
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!(bob.heard(), ["welcome", "chat Ada: ahoy[2J", "frame"]);
    assert_eq!(bob.headers[0].step, Step::Full(Tick(2)));
    assert_eq!(ada.headers[1].step, Step::Advance(1));
    let scopes = |peer: &Peer| peer.mirror.scopes().to_vec();
    assert_eq!((scopes(&ada)[0], scopes(&ada).len()), (Scope::ROOM, 2));
    assert_ne!(scopes(&ada)[1], scopes(&bob)[1], "each has a scope of their own");
    assert_eq!(bob.mirror.rows(1).count(), 1, "and sees no other's");
}

#[test]
fn a_client_of_another_schema_gets_a_description_and_the_whole_state() {
    let mut hall = hall();
    hall.room.reserve(SeatId(1), "Ada", hall.now).unwrap();
    let hello = Hello { schema: Some(7), ..Hall::hello() };
    let mut ada = hall.connect(1, None, hello, &Rc::default()).unwrap();
    assert_eq!(ada.heard(), ["welcome described"]);
    hall.play(&mut [&mut ada]);
    hall.room.disconnect(ada.joined, hall.now);
    let hello = Hello { schema: Some(7), applied: Some(ada.tick()), ..Hall::hello() };
    let ada = hall.connect(1, Some(1), hello, &Rc::default()).unwrap();
    assert_eq!(ada.baseline, None);
}

#[test]
fn tokens_are_good_once_and_for_their_seat() {
    let mut hall = hall();
    let ada = hall.join(1);
    let mut turned_away = |seat, resume, hello| {
        let link = Rc::default();
        let reason = hall.connect(seat, resume, hello, &link).err();
        assert_eq!(link.borrow().closed, reason, "the link is closed with the reason");
        assert!(link.borrow().messages.is_empty());
        reason
    };
    let hello = Hall::hello();
    assert_eq!(turned_away(1, None, hello), Some(CloseReason::SeatUsed));
    assert_eq!(turned_away(2, None, hello), Some(CloseReason::NotAuthenticated));
    assert_eq!(turned_away(1, Some(0), hello), Some(CloseReason::NotAuthenticated));
    assert_eq!(turned_away(1, Some(2), hello), Some(CloseReason::NotAuthenticated));
    let old = Hello { version: VERSION + 1, ..hello };
    assert_eq!(turned_away(1, Some(1), old), Some(CloseReason::BadMessage));
    assert_eq!(ada.closed(), None, "nobody else is concerned");
    assert_eq!(ada.token.unwrap().serial, 1);
}

#[test]
fn tokens_say_nothing_of_the_seed_of_the_game() {
    let nonce = |seed| {
        let sign = Box::new(|token: &Token| token.to_text(&[0; 32]));
        let now = Time::from_millis(0);
        let room = Room::new(RoomId(5), seed, (), config(), sign, now).unwrap();
        Hall { room, now }.join(1).token.unwrap().nonce
    };
    assert_eq!(nonce(1), nonce(2));
}

#[test]
fn a_resume_token_is_void_once_there_is_a_newer_one() {
    let mut hall = hall();
    let ada = hall.join(1);
    let mut second = hall.resume(1, ada).unwrap();
    assert_eq!(second.token.unwrap().serial, 2);
    hall.play(&mut [&mut second]);
    hall.room.disconnect(second.joined, hall.now);
    let link = Rc::default();
    let again = hall.connect(1, Some(1), Hall::hello(), &link);
    assert_eq!(again.err(), Some(CloseReason::NotAuthenticated));
}

#[test]
fn a_lost_welcome_does_not_cost_the_seat() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    // The next connection dies before anything of it arrives.
    let lost = hall.connect(1, Some(1), Hall::hello(), &Rc::default()).unwrap();
    hall.room.disconnect(lost.joined, hall.now);
    let ada = hall.resume(1, ada).unwrap();
    assert_eq!(ada.token.unwrap().serial, 3);
}

#[test]
fn the_newer_connection_of_a_player_replaces_the_older() {
    let mut hall = hall();
    let mut first = hall.join(1);
    hall.play(&mut [&mut first]);
    let link = first.link.clone();
    let old = first.joined;
    let mut second = hall.resume(1, first).unwrap();
    assert_eq!(link.borrow().closed, Some(CloseReason::Replaced));
    assert_eq!(hall.room.receive(old, &[7], hall.now), Err(CloseReason::Replaced));
    hall.room.disconnect(old, hall.now);
    hall.play(&mut [&mut second]);
    assert_eq!(second.headers[0].step, Step::Advance(1), "the newer is not concerned");
    assert_eq!(hall.room.players(), 1);
    assert_eq!(hall.room.game().diary, ["join 1", "Dropped 1", "Resumed 1"]);
    // The same player asks for a seat on another machine.
    hall.room.reserve(SeatId(1), "Ada", hall.now).unwrap();
    let third = hall.connect(1, None, Hall::hello(), &Rc::default()).unwrap();
    assert_eq!((second.closed(), third.player), (Some(CloseReason::Replaced), 1));
}

#[test]
fn a_dropped_client_goes_on_within_the_history_and_anew_beyond_it() {
    let mut hall = Hall::new(RoomConfig { history_ticks: 10, ..config() });
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.room.disconnect(ada.joined, hall.now);
    (0..8).for_each(|_| hall.play(&mut [&mut bob]));
    let mut ada = hall.resume(1, ada).unwrap();
    assert_eq!(ada.baseline, Some(Tick(1)));
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!(ada.headers[0].step, Step::Advance(9));
    hall.room.disconnect(ada.joined, hall.now);
    (0..20).for_each(|_| hall.play(&mut [&mut bob]));
    let mut ada = hall.resume(1, ada).unwrap();
    assert_eq!(ada.baseline, None);
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!(ada.headers[0].step, Step::Full(hall.room.tick()));
    assert_eq!(hall.room.counters().resumed_with_baseline, 1);
}

#[test]
fn nothing_comes_before_the_welcome_of_a_resume_whatever_waits() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.room.disconnect(ada.joined, hall.now);
    let speak = |hall: &mut Hall, bob: &mut Peer, text: &str| {
        for reliable in [true, false] {
            hall.wish(bob, 0, Wish::Shout { events: 1, bytes: 5, reliable });
        }
        hall.say(bob, ClientMessage::Chat { text }).unwrap();
        hall.play(&mut [bob]);
    };
    speak(&mut hall, &mut bob, "while she is away");
    let mut ada = hall.resume_over(&clogged(), 1, ada).unwrap();
    speak(&mut hall, &mut bob, "while her Welcome is on its way");
    hall.wish(&ada, 9, Wish::Echo(4));
    hall.say(&ada, ClientMessage::Ping { stamp: 3 }).unwrap();
    hall.play(&mut [&mut bob]);
    assert_eq!(ada.link.borrow().count, 1);
    assert_eq!(ada.heard(), ["welcome"]);
    unclog(&mut hall, &ada);
    let then = [
        "chat Ada: while she is away",
        "chat Ada: while her Welcome is on its way",
        "reply 9 [4]",
        "pong 3 4 0",
        "frame",
    ];
    assert_eq!(ada.heard(), then);
    assert_eq!(ada.headers[0].step, Step::Advance(3));
    assert_eq!(ada.noises, [0, 2], "the reliable ones, in order");
}

#[test]
fn a_seat_is_given_up_after_its_time() {
    let mut hall = Hall::new(RoomConfig { seat_kept_for: Duration::from_secs(1), ..config() });
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.room.disconnect(ada.joined, hall.now);
    (0..20).for_each(|_| hall.play(&mut [&mut bob]));
    assert_eq!(hall.room.players(), 2);
    hall.play(&mut [&mut bob]);
    assert_eq!(hall.room.players(), 1);
    assert_eq!(hall.room.game().diary[2..], ["Dropped 1", "leave 1 TimedOut"]);
    assert_eq!(hall.resume(1, ada).err(), Some(CloseReason::NotAuthenticated));
    hall.say(&bob, ClientMessage::Bye).unwrap();
    assert_eq!(bob.closed(), Some(CloseReason::Normal));
    assert_eq!(hall.room.game().diary[4..], ["leave 2 Left"]);
}

#[test]
fn the_room_is_full_at_its_limit_and_closed_when_locked() {
    let mut hall = Hall::new(RoomConfig { seats_max: 2, ..config() });
    let ada = hall.join(1);
    hall.room.reserve(SeatId(2), "Bob", hall.now).unwrap();
    assert_eq!(hall.room.reserve(SeatId(3), "Cid", hall.now), Err(RoomFull));
    // Bob does not come.
    hall.now = hall.now + Duration::from_secs(16);
    hall.step();
    hall.room.reserve(SeatId(3), "Cid", hall.now).unwrap();
    hall.wish(&ada, 1, Wish::Lock);
    assert_eq!(hall.room.reserve(SeatId(4), "Dan", hall.now), Err(RoomFull));
    assert_eq!(hall.room.reserve(SeatId(1), "Ada", hall.now), Ok(()));
}

#[test]
fn a_seat_that_is_kept_counts_as_taken_and_the_game_says_how_many_there_are() {
    let seats = |hall: &Hall| {
        let count = hall.room.seats();
        (hall.room.players(), count.taken, count.most)
    };
    let mut hall = Hall::new(RoomConfig { seats_max: 5, ..config() });
    let ada = hall.join(1);
    hall.room.reserve(SeatId(2), "Bob", hall.now).unwrap();
    assert_eq!(seats(&hall), (1, 2, 5));
    hall.wish(&ada, 1, Wish::Seats(3));
    hall.room.reserve(SeatId(3), "Cid", hall.now).unwrap();
    assert_eq!(hall.room.reserve(SeatId(4), "Dan", hall.now), Err(RoomFull));
    assert_eq!(seats(&hall), (1, 3, 3));
    hall.wish(&ada, 2, Wish::Seats(2));
    assert_eq!(seats(&hall), (1, 3, 2), "nobody loses a seat");
    hall.wish(&ada, 3, Wish::Seats(u16::MAX));
    assert_eq!(seats(&hall), (1, 3, 5), "the server allows no more");
}

#[test]
fn who_is_renamed_speaks_under_the_new_name() {
    let mut hall = hall();
    let (mut ada, bob) = (hall.join(1), hall.join(2));
    ada.control();
    for name in ["Grace\u{1b}[31m", &"x".repeat(100)] {
        hall.wish(&bob, 1, Wish::Rename(name.to_owned()));
        hall.say(&bob, ClientMessage::Chat { text: "hi" }).unwrap();
    }
    hall.step();
    let long = format!("chat {}: hi", "x".repeat(64));
    assert_eq!(ada.control(), ["chat Grace[31m: hi", &long]);
}

#[test]
fn whom_the_game_refuses_never_was_here_and_whom_it_removes_is_gone() {
    let mut hall = hall();
    hall.room.reserve(SeatId(1), "Eve", hall.now).unwrap();
    let link = Rc::default();
    let eve = hall.connect(1, None, Hall::hello(), &link);
    assert_eq!(eve.err(), Some(CloseReason::Refused));
    assert_eq!(link.borrow().last_words, "not you", "in the game's own words");
    assert_eq!((hall.room.players(), hall.room.seats().taken), (0, 0));
    assert_eq!(hall.room.counters().joins_refused, 1);
    let (mut ada, mut bob) = (hall.join(2), hall.join(3));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.wish(&ada, 1, Wish::Kick(bob.player));
    hall.step();
    assert_eq!(bob.closed(), Some(CloseReason::Refused));
    assert_eq!(hall.resume(3, bob).err(), Some(CloseReason::NotAuthenticated));
    assert_eq!(hall.room.players(), 1);
}
