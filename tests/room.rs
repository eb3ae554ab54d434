//! A room as its worker and its clients see it, without sockets.

#[path = "room/hall.rs"]
mod hall;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hall::{Hall, Peer, TICK, Taken, Wish, config, header};
use tickwire::room::{AnyRoom, Failure, Room, RoomConfig, RoomFull, RoomId, RoomState, SeatId};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, Hello, Inputs, VERSION};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Scope, Tick, Time};

fn hall() -> Hall {
    Hall::new(config())
}

fn clogged() -> Rc<RefCell<Taken>> {
    Rc::new(RefCell::new(Taken { clogged: true, ..Taken::default() }))
}

// ---- coming and going ----

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

// ---- the life of a room ----

#[test]
fn an_empty_room_stands_still_and_ends_after_its_time() {
    let mut hall = Hall::new(RoomConfig {
        seat_kept_for: Duration::from_secs(3),
        dispose_after: Duration::from_secs(5),
        ..config()
    });
    assert_eq!(hall.room.state(), RoomState::Empty);
    let mut ada = hall.join(1);
    assert_eq!(hall.room.state(), RoomState::Playing);
    assert_eq!(hall.room.wakes_at(), None);
    hall.play(&mut [&mut ada]);
    hall.room.disconnect(ada.joined, hall.now);
    assert_eq!(hall.room.state(), RoomState::Empty);
    let kept = hall.room.wakes_at().unwrap();
    assert_eq!(kept, Time((hall.now + Duration::from_secs(3)).0 + 1));
    assert_eq!(hall.step(), RoomState::Empty);
    assert_eq!(hall.room.tick(), Tick(1), "nobody sees it");
    assert_eq!(hall.room.step(kept), RoomState::Empty);
    assert_eq!(hall.room.players(), 0);
    let end = hall.room.wakes_at().unwrap();
    assert_eq!(end, kept + Duration::from_secs(5));
    assert_eq!(hall.room.step(Time(end.0 - 1)), RoomState::Empty);
    assert_eq!(hall.room.step(end), RoomState::Over);
    assert_eq!(hall.room.game().diary.last().unwrap(), "dispose");
    assert_eq!(hall.room.reserve(SeatId(2), "Bob", end), Err(RoomFull));
}

#[test]
fn a_room_that_ends_says_bye() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    let stuck = clogged();
    hall.room.reserve(SeatId(2), "Bob", hall.now).unwrap();
    hall.connect(2, None, Hall::hello(), &stuck).unwrap();
    hall.play(&mut [&mut ada]);
    hall.room.close(CloseReason::Restart, Duration::from_secs(3), hall.now);
    assert_eq!(ada.control().last().unwrap(), "bye Restart 3000");
    assert_eq!(ada.closed(), Some(CloseReason::Restart));
    assert_eq!(stuck.borrow().closed, Some(CloseReason::Restart), "without a Bye");
    assert_eq!(hall.step(), RoomState::Over);

    let mut hall = self::hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    hall.wish(&ada, 1, Wish::End);
    assert_eq!(hall.step(), RoomState::Over);
    assert_eq!(ada.control(), ["welcome", "reply 1 [0]", "bye Normal 0"]);
}

// ---- what clients say ----

#[test]
fn commands_are_answered_and_malformed_ones_too() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.wish(&ada, 7, Wish::Echo(9));
    hall.wish(&ada, 8, Wish::No);
    hall.say(&ada, ClientMessage::Command { id: 9, body: &[99] }).unwrap();
    assert_eq!(ada.control(), ["welcome", "reply 7 [9]", "refused 8 100", "refused 9 2"]);
    (0..30).for_each(|id| hall.wish(&ada, id, Wish::Echo(0)));
    let refused = ada.control().iter().filter(|word| word.ends_with(" 3")).count();
    assert_eq!(refused, 13, "beyond the burst of 20");
}

#[test]
fn a_pong_tells_the_clock_and_only_the_newest_waits() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    hall.now = hall.now + Duration::from_micros(1234);
    hall.say(&ada, ClientMessage::Ping { stamp: 5 }).unwrap();
    assert_eq!(ada.control(), ["welcome", "pong 5 1 1234"]);
    ada.link.borrow_mut().clogged = true;
    hall.step();
    (6..50).for_each(|stamp| hall.say(&ada, ClientMessage::Ping { stamp }).unwrap());
    assert_eq!(ada.control(), [""; 0]);
    unclog(&mut hall, &ada);
    assert_eq!(ada.control(), ["pong 49 2 0"]);
}

/// The link takes everything again.
fn unclog(hall: &mut Hall, peer: &Peer) {
    peer.link.borrow_mut().unclog();
    hall.room.writable(peer.joined, hall.now);
}

#[test]
fn inputs_hold_and_are_reported() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    hall.push(&ada, 0, 2, 5);
    for expected in [0, 0, 5, 5] {
        hall.play(&mut [&mut ada]);
        assert_eq!(hall.room.game().pushes, [expected]);
    }
    let told = |index: usize| (ada.headers[index].processed, ada.headers[index].depth);
    assert_eq!(
        [told(1), told(2), told(3), told(4)],
        [(None, Some(2)), (None, None), (Some(0), None), (None, None)]
    );
    hall.push(&ada, 0, 0, 9);
    hall.push(&ada, 1, 1_000_000, 9);
    hall.play(&mut [&mut ada]);
    let counters = hall.room.counters();
    assert_eq!((counters.inputs_duplicate, counters.inputs_absurd), (1, 1));
    assert_eq!(hall.room.game().pushes, [5]);
}

#[test]
fn a_silent_client_lets_go_of_the_controls() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.push(&ada, 0, 0, 5);
    (0..11).for_each(|_| hall.play(&mut [&mut bob]));
    assert_eq!(hall.room.game().pushes, [5, 0]);
    (0..2).for_each(|_| hall.play(&mut [&mut bob]));
    assert_eq!(hall.room.game().pushes, [0, 0]);
    ada.read();
    hall.ack(&mut ada);
    hall.play(&mut [&mut bob]);
    assert_eq!(hall.room.game().pushes, [5, 0]);
}

#[test]
fn what_is_not_of_the_protocol_ends_the_connection_and_keeps_the_seat() {
    let hello = {
        let mut bytes = Vec::new();
        ClientMessage::Hello(Hall::hello()).write(&mut bytes);
        bytes
    };
    for bad in [&[99][..], &[7, 7], &[1, 0, 1, 0, 0, 2, 1, 1], &hello] {
        let mut hall = hall();
        let mut ada = hall.join(1);
        hall.play(&mut [&mut ada]);
        let taken = hall.room.receive(ada.joined, bad, hall.now);
        assert_eq!(taken, Err(CloseReason::BadMessage), "{bad:?}");
        assert_eq!(ada.closed(), Some(CloseReason::BadMessage));
        assert_eq!((hall.room.players(), hall.room.counters().closed_bad_message), (1, 1));
        assert!(hall.resume(1, ada).is_ok());
    }
}

#[test]
fn a_flood_is_dropped_over_the_budget_and_then_ends_the_connection() {
    let mut hall = Hall::new(RoomConfig::default());
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    let mut taken = 0;
    let ended = 'flood: loop {
        hall.play(&mut [&mut bob]);
        for _ in 0..10 {
            let message = ClientMessage::Input(Inputs::ack(Tick(0)));
            if let Err(reason) = hall.say(&ada, message) {
                break 'flood reason;
            }
            taken += 1;
            assert!(taken < 10_000, "ten times the rate goes on for ever");
        }
    };
    assert_eq!(ended, CloseReason::Policy);
    ada.read();
    assert_eq!(ada.closed(), Some(CloseReason::Policy));
    let counters = hall.room.counters();
    assert!(counters.messages_dropped > 50 && counters.closed_policy == 1, "{counters:?}");
    // Nothing at all, again and again, is a flood too.
    let mut nothing = 0;
    while hall.room.receive(bob.joined, &[], hall.now).is_ok() {
        nothing += 1;
    }
    assert!((100..1000).contains(&nothing) && bob.closed() == Some(CloseReason::Policy));
}

#[test]
fn the_whole_state_is_sent_on_demand_once_in_two_seconds() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    (0..50).for_each(|_| {
        hall.play(&mut [&mut ada]);
        hall.say(&ada, ClientMessage::Refresh).unwrap();
    });
    let full = ada.headers.iter().filter(|it| matches!(it.step, Step::Full(_))).count();
    assert_eq!((full, hall.room.counters().refreshes_refused), (3, 48));
}

#[test]
fn chat_has_a_rate_and_a_bounded_memory() {
    let mut hall = Hall::new(RoomConfig { chat_lines_max: 3, ..config() });
    let ada = hall.join(1);
    for _ in 0..100 {
        hall.say(&ada, ClientMessage::Chat { text: "x" }).unwrap();
    }
    hall.say(&ada, ClientMessage::Chat { text: "\n" }).unwrap();
    let mut bob = hall.join(2);
    assert_eq!(bob.control().len(), 1 + 3);
    assert_eq!(hall.room.counters().chat_dropped, 96);
}

#[test]
fn a_crowd_that_speaks_at_once_costs_nobody_the_connection() {
    let mut hall = hall();
    let mut peers: Vec<_> = (1..=60).map(|seat| hall.join(seat)).collect();
    hall.play(&mut peers.iter_mut().collect::<Vec<_>>());
    for peer in &peers {
        for _ in 0..5 {
            hall.say(peer, ClientMessage::Chat { text: "x" }).unwrap();
        }
    }
    hall.step();
    assert_eq!(peers.iter().filter(|peer| peer.closed().is_some()).count(), 0);
    let words = peers[0].control();
    let lines = words.iter().filter(|word| word.starts_with("chat")).count() as u64;
    assert_eq!(lines + hall.room.counters().chat_dropped, 300);
    assert!((50..128).contains(&lines), "{lines}");
}

#[test]
fn a_new_connection_of_a_player_may_not_say_more_than_the_old_one() {
    let mut hall = hall();
    let (mut bob, mut ada) = (hall.join(1), hall.join(2));
    for _ in 0..10 {
        for _ in 0..5 {
            hall.say(&ada, ClientMessage::Chat { text: "x" }).unwrap();
        }
        for id in 0..20 {
            hall.wish(&ada, id, Wish::Echo(1));
        }
        ada = hall.resume(2, ada).unwrap();
    }
    hall.play(&mut [&mut bob]);
    let lines = bob.control().iter().filter(|word| word.starts_with("chat")).count();
    assert_eq!((lines, hall.room.counters().chat_dropped), (5, 45));
    assert_eq!(hall.room.counters().commands_refused, 180);
}

// ---- frames, credit and the slow ----

#[test]
fn a_client_gets_no_more_frames_than_it_has_credit_for_and_then_the_present() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    hall.steps(20);
    ada.read();
    let frames = ada.headers.len();
    assert_eq!(frames, 1 + 3, "a round trip of nothing and 100 ms at 50 ms each");
    // One acknowledgement, and the present comes at once: not with the next tick.
    hall.ack(&mut ada);
    ada.read();
    assert_eq!(ada.headers.len(), frames + 1);
    assert_eq!(ada.tick(), hall.room.tick());
    assert!(hall.room.counters().coalesced >= 17);
}

#[test]
fn a_longer_way_gets_more_credit() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    // The first frame is acknowledged 300 ms later.
    hall.steps(7);
    ada.read();
    let mut first = Vec::new();
    ClientMessage::Input(Inputs::ack(Tick(1))).write(&mut first);
    hall.room.receive(ada.joined, &first, hall.now).unwrap();
    hall.steps(30);
    ada.read();
    assert_eq!(ada.headers.len(), 1 + 9, "1 + (300 + 100) / 50 after it");
}

#[test]
fn a_client_that_never_acknowledges_is_too_slow_and_keeps_its_seat() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    (0..41).for_each(|_| hall.play(&mut [&mut bob]));
    assert_eq!(ada.closed(), None);
    hall.play(&mut [&mut bob]);
    assert_eq!(ada.closed(), Some(CloseReason::TooSlow));
    assert_eq!(ada.control().last().unwrap(), "bye TooSlow 0");
    assert_eq!(hall.room.players(), 2);
    let ada = hall.resume(1, ada).unwrap();
    assert!(ada.baseline.is_some(), "it goes on from what it has applied");
}

#[test]
fn a_link_that_does_not_move_is_too_slow() {
    let mut hall = hall();
    let mut bob = hall.join(2);
    let stuck = clogged();
    hall.room.reserve(SeatId(1), "Ada", hall.now).unwrap();
    hall.connect(1, None, Hall::hello(), &stuck).unwrap();
    (0..40).for_each(|_| hall.play(&mut [&mut bob]));
    assert_eq!((stuck.borrow().count, stuck.borrow().closed), (1, None), "the Welcome waits");
    hall.play(&mut [&mut bob]);
    assert_eq!(stuck.borrow().closed, Some(CloseReason::TooSlow));
}

#[test]
fn a_busy_link_gets_the_present_when_it_is_free() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    ada.link.borrow_mut().clogged = true;
    (0..10).for_each(|_| hall.play(&mut [&mut bob]));
    ada.read();
    assert_eq!(ada.headers.len(), 2, "one frame is with the link");
    hall.ack(&mut ada);
    unclog(&mut hall, &ada);
    ada.read();
    assert_eq!(ada.headers.last().unwrap().step, Step::Advance(9));
    assert_eq!(ada.tick(), hall.room.tick());
}

#[test]
fn a_link_that_is_gone_drops_the_client() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    ada.link.borrow_mut().gone = true;
    hall.play(&mut [&mut bob]);
    assert_eq!(hall.room.game().diary.last().unwrap(), "Dropped 1");
    assert_eq!(ada.closed(), None);
    hall.room.disconnect(ada.joined, hall.now);
    assert!(hall.resume(1, ada).unwrap().baseline.is_some());
}

#[test]
fn a_client_that_asks_for_less_gets_less() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.say(&ada, ClientMessage::Pace { every: 5 }).unwrap();
    (0..50).for_each(|_| hall.play(&mut [&mut ada, &mut bob]));
    assert_eq!((ada.headers.len(), bob.headers.len()), (11, 50));
    hall.room.thin(2);
    (0..50).for_each(|_| hall.play(&mut [&mut ada, &mut bob]));
    assert_eq!((ada.headers.len(), bob.headers.len()), (11 + 5, 50 + 25));
}

#[test]
fn transient_events_are_for_who_is_there_and_reliable_ones_wait() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    ada.link.borrow_mut().clogged = true;
    hall.play(&mut [&mut ada, &mut bob]);
    for reliable in [false, true, false, true] {
        hall.wish(&bob, 0, Wish::Shout { events: 1, bytes: 5, reliable });
        hall.play(&mut [&mut bob]);
    }
    unclog(&mut hall, &ada);
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!((&ada.noises, &bob.noises), (&vec![1, 3], &vec![0, 1, 2, 3]));
    assert_eq!(hall.room.counters().transient_dropped, 2);
}

#[test]
fn reliable_events_survive_a_lost_connection_once_each() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    let shout = |hall: &mut Hall, bob: &mut Peer| {
        hall.wish(bob, 0, Wish::Shout { events: 1, bytes: 5, reliable: true });
        hall.play(&mut [bob]);
    };
    shout(&mut hall, &mut bob);
    ada.read();
    // This one is on the way when the connection breaks, the next comes after that.
    shout(&mut hall, &mut bob);
    hall.room.disconnect(ada.joined, hall.now);
    shout(&mut hall, &mut bob);
    let mut ada = hall.resume(1, ada).unwrap();
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!(ada.noises, [0, 1, 2]);
}

#[test]
fn more_reliable_events_than_there_is_place_for_end_the_connection() {
    let mut hall = Hall::new(RoomConfig { reliable_bytes_max: 2000, ..config() });
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    ada.link.borrow_mut().clogged = true;
    for _ in 0..6 {
        hall.wish(&bob, 0, Wish::Shout { events: 1, bytes: 300, reliable: true });
        hall.play(&mut [&mut bob]);
    }
    assert_eq!(ada.closed(), None);
    hall.wish(&bob, 0, Wish::Shout { events: 1, bytes: 300, reliable: true });
    hall.play(&mut [&mut bob]);
    assert_eq!(ada.closed(), Some(CloseReason::TooSlow));
    let mut ada = hall.resume(1, ada).unwrap();
    assert_eq!(ada.baseline, None, "it cannot have them all, so it begins anew");
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!((ada.closed(), bob.noises.len()), (None, 7));
}

#[test]
fn events_beyond_a_frame_wait_or_are_counted_as_lost() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    hall.wish(&ada, 0, Wish::Shout { events: 3000, bytes: 1, reliable: false });
    hall.play(&mut [&mut ada]);
    assert_eq!((ada.noises.len(), hall.room.counters().transient_dropped), (1024, 3000 - 1024));
    ada.noises.clear();
    hall.wish(&ada, 0, Wish::Shout { events: 90, bytes: 4000, reliable: true });
    hall.step();
    assert_eq!(ada.closed(), Some(CloseReason::TooSlow), "over the bytes of its outbox");
}

#[test]
fn a_state_over_the_limit_of_a_message_ends_the_room() {
    let mut hall = hall();
    let (mut ada, mut bob) = (hall.join(1), hall.join(2));
    hall.play(&mut [&mut ada, &mut bob]);
    hall.wish(&ada, 0, Wish::Build(200));
    hall.play(&mut [&mut ada, &mut bob]);
    assert_eq!((ada.closed(), ada.mirror.rows(2).count()), (None, 200));
    hall.wish(&ada, 0, Wish::Build(300));
    hall.step();
    assert_eq!(
        (ada.closed(), bob.closed()),
        (Some(CloseReason::Failed), Some(CloseReason::Failed))
    );
    assert_eq!((hall.room.state(), hall.room.counters().frames_too_big), (RoomState::Over, 2));
    let Some(Failure::FrameTooBig { bytes }) = hall.room.failure() else { panic!("no failure") };
    assert!(bytes > 300 * 4096, "{bytes}");
    assert_eq!(hall.room.reserve(SeatId(3), "Cid", hall.now), Err(RoomFull));
}

// ---- healthy clients and slow ones ----

/// A room of five who keep up and one who does or does not: all the bytes of the five.
fn bytes_of_the_healthy(sixth_keeps_up: bool) -> Vec<Vec<Vec<u8>>> {
    let mut hall = hall();
    let mut healthy: Vec<Peer> = (1..=5).map(|seat| hall.join(seat)).collect();
    let mut sixth = hall.join(6);
    let mut bytes = vec![Vec::new(); 5];
    for tick in 0..39 {
        hall.step();
        if tick % 3 == 0 {
            let wish = Wish::Shout { events: 3, bytes: 200, reliable: tick % 2 == 0 };
            hall.wish(&healthy[0], tick, wish);
        }
        for (peer, bytes) in healthy.iter_mut().zip(&mut bytes) {
            bytes.extend(peer.link.borrow().messages.iter().cloned());
            peer.read();
            hall.ack(peer);
        }
        if sixth_keeps_up {
            sixth.read();
            hall.ack(&mut sixth);
        }
    }
    assert_eq!(sixth.closed(), None);
    bytes
}

#[test]
fn healthy_clients_get_the_same_bytes_whether_another_stalls_or_not() {
    let (with, without) = (bytes_of_the_healthy(false), bytes_of_the_healthy(true));
    assert_eq!(with, without);
    let frames = with[0].iter().filter(|message| header(message).is_some());
    assert_eq!(frames.count(), 39);
}

/// Bytes that a room holds more after a while of play with a client that takes nothing.
fn memory_of_a_stall(ticks: u64) -> i64 {
    let mut hall = Hall::new(RoomConfig { stale_after: Duration::from_secs(9999), ..config() });
    let mut healthy: Vec<Peer> = (1..=4).map(|seat| hall.join(seat)).collect();
    let stalled = hall.join(5);
    let mut play = |hall: &mut Hall, ticks: u64| {
        for _ in 0..ticks {
            hall.step();
            if hall.room.tick().0.is_multiple_of(10) {
                let wish = Wish::Shout { events: 10, bytes: 100, reliable: false };
                hall.wish(&healthy[0], 0, wish);
            }
            for peer in &mut healthy {
                peer.read();
                (peer.headers, peer.noises, peer.words) = Default::default();
                hall.ack(peer);
            }
        }
    };
    play(&mut hall, 200);
    stalled.link.borrow_mut().clogged = true;
    let info = allocation_counter::measure(|| play(&mut hall, ticks));
    assert_eq!(stalled.closed(), None);
    info.bytes_current
}

#[test]
fn a_stalled_client_costs_memory_that_does_not_grow_with_time() {
    let (short, long) = (memory_of_a_stall(200), memory_of_a_stall(4000));
    assert!(long <= short.max(0) + 4096, "{short} then {long}");
}

#[test]
fn a_tick_allocates_nothing_once_a_room_has_settled() {
    let mut hall = hall();
    let mut peers: Vec<Peer> = (1..=20).map(|seat| hall.join(seat)).collect();
    for peer in &peers {
        peer.link.borrow_mut().deaf = true;
    }
    let mut allocations = Vec::new();
    let mut ack = Vec::with_capacity(64);
    for _ in 0..600 {
        let info = allocation_counter::measure(|| hall.steps(1));
        allocations.push(info.count_total);
        ack.clear();
        ClientMessage::Input(Inputs::ack(hall.room.tick())).write(&mut ack);
        for peer in &mut peers {
            let info = allocation_counter::measure(|| {
                hall.room.receive(peer.joined, &ack, hall.now).expect("is welcome");
            });
            assert_eq!(info.count_total, 0, "an acknowledgement allocates nothing");
        }
    }
    let settled: u64 = allocations[300..].iter().sum();
    assert_eq!(settled, 0, "{allocations:?}");
    assert_eq!(peers[0].link.borrow().count, 601, "the Welcome and a frame each tick");
    let counters = hall.room.counters();
    let shared = counters.frames * 2 - counters.chunks_encoded;
    assert!(counters.chunks_encoded * 100 > counters.frames, "{counters:?}");
    assert!(shared * 10 > counters.frames * 8, "the room's chunk is shared: {counters:?}");
    assert_eq!(TICK * 20, Duration::from_secs(1));
}
