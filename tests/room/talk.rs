//! What clients say, and how often they may.

use std::time::Duration;

use tickwire::room::{AnyRoom, RoomConfig};
use tickwire_protocol::Tick;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, Inputs};

use crate::dots::Wish;
use crate::hall::{Hall, config, hall, unclog};

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
fn inputs_that_come_at_once_after_a_stall_are_folded_into_the_newest() {
    let mut hall = hall();
    let mut ada = hall.join(1);
    hall.play(&mut [&mut ada]);
    for sequence in 0..40 {
        hall.push(&ada, sequence, 0, sequence as i8);
    }
    hall.play(&mut [&mut ada]);
    assert_eq!(hall.room.game().pushes, [39]);
    assert_eq!(ada.headers[1].processed, Some(39));
    assert_eq!(hall.room.counters().inputs_folded, 39);
    // Ticks of their own help nobody to a longer queue: 16 wait, the last of them the newest.
    for sequence in 40..80 {
        hall.push(&ada, sequence, i64::from(sequence) - 40, sequence as i8);
    }
    let mut used = Vec::new();
    for _ in 0..40 {
        hall.play(&mut [&mut ada]);
        used.extend_from_slice(&hall.room.game().pushes);
    }
    used.dedup();
    assert_eq!(used, (40..55).chain([79]).collect::<Vec<_>>());
    assert_eq!(hall.room.counters().inputs_folded, 39 + 24);
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
fn who_has_said_too_much_may_say_more_with_time() {
    let mut hall = Hall::new(RoomConfig::default());
    let (ada, mut bob) = (hall.join(1), hall.join(2));
    let mut before = 0;
    let mut granted = |hall: &mut Hall| {
        for id in 0..40 {
            hall.wish(&ada, id, Wish::Shout { events: 0, bytes: 0, reliable: true });
        }
        for _ in 0..10 {
            hall.say(&ada, ClientMessage::Chat { text: "x" }).unwrap();
        }
        hall.now = hall.now + Duration::from_millis(1);
        hall.room.step(hall.now);
        let lines = bob.control().iter().filter(|word| word.starts_with("chat")).count();
        let refused = hall.room.counters().commands_refused;
        (lines, 40 - (refused - std::mem::replace(&mut before, refused)))
    };
    assert_eq!(granted(&mut hall), (5, 20), "the bursts");
    hall.now = hall.now + Duration::from_secs(1);
    assert_eq!(granted(&mut hall), (1, 10), "a second's worth");
    hall.now = hall.now + Duration::from_secs(1);
    assert_eq!(granted(&mut hall), (1, 10));
}

#[test]
fn what_the_game_does_not_let_pass_is_not_said() {
    let mut hall = hall();
    let (ada, mut bob) = (hall.join(1), hall.join(2));
    for text in ["rude", "kind"] {
        hall.say(&ada, ClientMessage::Chat { text }).unwrap();
    }
    hall.step();
    assert_eq!(bob.control(), ["welcome", "chat Ada: kind"]);
    assert_eq!(hall.join(3).heard(), ["welcome", "chat Ada: kind"], "nor later");
    assert_eq!(hall.room.counters().chat_dropped, 1);
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
