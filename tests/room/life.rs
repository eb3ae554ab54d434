//! How a room stands still, ends and fails.

use std::time::Duration;

use tickwire::room::{AnyRoom, Failure, RoomConfig, RoomFull, RoomState, SeatId};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::{Tick, Time};

use crate::dots::Wish;
use crate::hall::{Hall, clogged, config, hall};

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
