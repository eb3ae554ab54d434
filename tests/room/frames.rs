//! When a client gets a frame: links, credit and pace.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tickwire::game::{Cx, Game, Inputs as Controls, Leave, PlayerId, Refusal};
use tickwire::room::{AnyRoom, Room, RoomId, SeatId};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, Hello, Inputs, ServerMessage, VERSION};
use tickwire_protocol::token::Token;
use tickwire_protocol::{Tick, Time};

use crate::dots::{Board, Noise, Push, Wish};
use crate::hall::{End, Hall, Taken, clogged, config, hall, unclog};

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
fn steps_that_are_behind_leave_their_frames_to_the_one_after_them() {
    let mut hall = hall();
    let (mut ada, mut bob, mut joe) = (hall.join(1), hall.join(2), hall.join(3));
    hall.say(&joe, ClientMessage::Pace { every: 4 }).unwrap();
    (0..5).for_each(|_| hall.play(&mut [&mut ada, &mut bob, &mut joe]));
    let before = hall.room.counters();
    for reliable in [false, true, false] {
        hall.wish(&bob, 0, Wish::Shout { events: 1, bytes: 5, reliable });
    }
    for _ in 0..3 {
        hall.step_behind();
    }
    assert_eq!(hall.room.counters().frames, before.frames);
    hall.play(&mut [&mut ada, &mut bob, &mut joe]);
    let after = hall.room.counters();
    assert_eq!(after.frames - before.frames, 3);
    assert_eq!(after.coalesced - before.coalesced, 3 + 3 + 1, "of Joe only that of tick 8");
    for peer in [&ada, &bob] {
        assert_eq!(peer.headers.last().unwrap().step, Step::Advance(4));
    }
    assert_eq!((joe.headers.last().unwrap().step, joe.tick()), (Step::Advance(5), Tick(9)));
    for mut peer in [ada, bob, joe] {
        peer.noises.sort_unstable();
        assert_eq!(peer.noises, [0, 1, 2], "no event is missing");
    }
    assert_eq!(after.transient_dropped, 0);
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

/// A game that says something in each step, and sends every third.
struct Thirds;

impl Game for Thirds {
    const NAME: &'static str = "thirds";
    const TICK_HZ: u32 = 60;
    const SEND_EVERY: u32 = 3;
    type World = Board;
    type Input = Push;
    type Command = ();
    type Reply = ();
    type Event = Noise;
    type Options = ();

    fn create((): (), _: &mut Cx<Self>) -> Result<Self, Refusal> {
        Ok(Thirds)
    }

    fn join(&mut self, _: &mut Cx<Self>, _: PlayerId) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, _: &Controls<Push>) {
        cx.events.emit(Noise { number: cx.tick.0, text: String::new() });
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}
}

#[test]
fn a_game_may_step_more_often_than_it_sends() {
    let sign = Box::new(|token: &Token| token.to_text(&[0; 32]));
    let mut now = Time::from_millis(10_000);
    let mut room = Room::<Thirds>::new(RoomId(5), 1, (), config(), sign, now).unwrap();
    room.reserve(SeatId(1), "Ada", now).unwrap();
    let link = Rc::<RefCell<Taken>>::default();
    let hello = Hello { version: VERSION, schema: None, token: "", applied: None };
    let end = Box::new(End(link.clone()));
    let ada = room.connect(SeatId(1), false, 0, &hello, end, now).unwrap();
    let mut sent = Vec::new();
    for _ in 0..12 {
        now = now + Duration::from_micros(16_667);
        room.step(now);
        for message in link.borrow_mut().messages.drain(..) {
            if let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(&message) {
                sent.push((room.tick().0, frame.events(room.tick()).count()));
            }
        }
        let mut ack = Vec::new();
        ClientMessage::Input(Inputs::ack(room.tick())).write(&mut ack);
        room.receive(ada, &ack, now).unwrap();
    }
    // The first comes at once; no step's event is missing.
    assert_eq!(sent, [(1, 1), (3, 2), (6, 3), (9, 3), (12, 3)]);
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
