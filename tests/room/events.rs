//! Events: who gets them, what waits, and what is lost.

use tickwire::room::{AnyRoom, RoomConfig};
use tickwire_protocol::close::CloseReason;

use crate::dots::Wish;
use crate::hall::{Hall, Peer, config, hall, unclog};

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
