//! What a slow client costs the others and the room.

use std::time::Duration;

use tickwire::room::{AnyRoom, RoomConfig};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ClientMessage, Inputs};

use crate::dots::Wish;
use crate::hall::{Hall, Peer, TICK, config, hall, header};

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

#[test]
fn by_default_silence_is_neutral_after_half_a_second_and_the_end_after_ten() {
    let mut hall = Hall::new(RoomConfig::default());
    let (mut here, silent) = (hall.join(1), hall.join(2));
    let joined = hall.now;
    let (mut neutral, mut ended) = (None, None);
    while ended.is_none() && hall.now.since(joined) < Duration::from_secs(20) {
        hall.play(&mut [&mut here]);
        let after = hall.now.since(joined);
        if hall.room.counters().neutral > 0 {
            neutral.get_or_insert(after);
        }
        ended = silent.closed().map(|reason| (reason, after));
    }
    // Each at the first step that is later: who gets a frame in time has the time until the
    // next one to say something, and the first frame was a step after the Welcome.
    assert_eq!(neutral, Some(Duration::from_millis(500) + 2 * TICK));
    assert_eq!(ended, Some((CloseReason::TooSlow, Duration::from_secs(10) + 2 * TICK)));
    assert_eq!((here.closed(), hall.room.counters().neutral), (None, 1));
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
