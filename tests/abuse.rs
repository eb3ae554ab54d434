//! What a client or a game can do to a server without breaking a rule of the wire,
//! by raw bytes to a real listener. A comment names the row of the list of abuses.
//!
//! Each test ends with [`Yard::goes_on`]: the process is alive, a room on the same
//! worker plays on, and no token is in the log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "abuse/game.rs"]
mod game;
mod log;
mod play;
mod wire;
#[path = "abuse/yard.rs"]
mod yard;

use std::time::Duration;

use game::{Ask, Mischief, Told};
use play::{Player, config};
use tickwire::config::Config;
use tickwire::game::Game;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::CREDIT_MAX;
use tickwire_protocol::message::{ClientMessage, Inputs};
use tickwire_protocol::{Message, Tick};
use tokio::net::TcpStream;
use wire::{BINARY, frame, guard};
use yard::{Yard, ask, rest, seen, told};

/// The bytes of one input, in a frame.
fn input(applied: Tick, sequence: u32, tick: Tick, by: i8) -> Vec<u8> {
    let mut body = Vec::new();
    game::Turn { by }.encode(&mut body);
    let mut inputs = Inputs::ack(applied);
    assert!(inputs.push(sequence, tick, &body));
    framed(&ClientMessage::Input(inputs))
}

fn framed(message: &ClientMessage<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    frame(BINARY, &bytes)
}

/// Plays until a frame says that this input was used.
async fn until_processed(player: &mut Player<TcpStream>, sequence: u32) {
    loop {
        let message = player.message().await;
        let Some(seen) = seen(&message, player.tick) else { continue };
        player.tick = seen.tick;
        player.say(&ClientMessage::Input(Inputs::ack(seen.tick))).await;
        if seen.processed == Some(sequence) {
            return;
        }
    }
}

/// Row 37. Ten seconds of inputs at ten times the rate, at once.
#[tokio::test]
async fn a_flood_of_inputs_ends_its_connection_and_no_other() {
    let yard = Yard::open(config()).await;
    let mut neighbour = yard.victim().await;
    let mut flooder = yard.victim().await;
    flooder.next_frame().await;
    let count = 10 * 10 * Mischief::TICK_HZ;
    let tick = flooder.tick;
    let flood: Vec<u8> = (0..count).flat_map(|n| input(tick, n, tick.after(1), 1)).collect();
    flooder.raw.send_until_closed(&flood).await;
    assert_eq!(rest(flooder).await.1, CloseReason::Policy);
    assert_eq!(CloseReason::Policy.code(), 1008);
    let counters = yard.counts().await.counters;
    // Either the room or the connection before it has had enough first.
    let ended = yard.handle.metrics().await.ended().of("by_server");
    assert!(counters.messages_dropped > 0 && ended == 1, "{counters:?}");
    for _ in 0..20 {
        neighbour.next_frame().await;
    }
    yard.goes_on().await;
}

/// Row 38.
#[tokio::test]
async fn inputs_for_absurd_ticks_and_with_old_numbers_are_ignored() {
    let yard = Yard::open(config()).await;
    let mut player = yard.victim().await;
    let now = player.next_frame().await;
    player.raw.send(&input(now, 10, now.after(1), 1)).await;
    until_processed(&mut player, 10).await;
    let now = player.tick;
    let bad = [
        // For a tick a million ahead.
        input(now, 11, now.after(1_000_000), 91),
        // Numbers that were there before.
        input(now, 10, now.after(1), 92),
        input(now, 11, now.after(1), 93),
        input(now, 3, now.after(1), 94),
    ];
    player.raw.send(&bad.concat()).await;
    // An acknowledgement of a tick that nobody has sent.
    player.say(&ClientMessage::Input(Inputs::ack(now.after(1_000_000)))).await;
    player.raw.send(&input(now, 12, now.after(1), 2)).await;
    until_processed(&mut player, 12).await;
    assert_eq!(told(&mut player).await, Told { by: 2, changes: 2 });
    // One that is as late as can be counts from now on, as any late one does.
    player.raw.send(&input(player.tick, 13, Tick(0), 3)).await;
    until_processed(&mut player, 13).await;
    assert_eq!(told(&mut player).await, Told { by: 3, changes: 3 });
    let counters = yard.counts().await.counters;
    let ignored = (counters.inputs_absurd, counters.inputs_duplicate, counters.acks_absurd);
    assert_eq!(ignored, (1, 3, 1));
    yard.goes_on().await;
}

/// Row 39. An input and a command have no place for a player's number: the seat of
/// the connection decides whose they are, so there is nothing that could be refused.
#[tokio::test]
async fn nobody_can_act_for_another_player() {
    let yard = Yard::open(config()).await;
    let (mut one, mut other) = (yard.victim().await, yard.victim().await);
    let now = one.next_frame().await;
    one.raw.send(&input(now, 0, now.after(1), 7)).await;
    until_processed(&mut one, 0).await;
    assert_eq!(told(&mut one).await, Told { by: 7, changes: 1 });
    assert_eq!(told(&mut other).await, Told { by: 0, changes: 0 });
    yard.goes_on().await;
}

/// Row 40.
#[tokio::test]
async fn a_reader_that_stops_gets_few_frames_then_the_reason_and_later_the_whole_state() {
    let stale_after = Duration::from_secs(2);
    let yard = Yard::open(Config { stale_after, ..config() }).await;
    let mut neighbour = yard.victim().await;
    let stalled = yard.victim().await;
    let token = stalled.token.clone();
    let first = neighbour.next_frame().await;
    // Two seconds of ticks in which it does not read, and some.
    while neighbour.tick.since(first) < i64::from(Mischief::TICK_HZ) * 5 / 2 {
        neighbour.next_frame().await;
    }
    let (frames, reason) = rest(stalled).await;
    assert_eq!((reason, reason.code()), (CloseReason::TooSlow, 4408));
    assert!(frames <= CREDIT_MAX, "{frames} frames were kept for it");
    // Its seat is kept, and the first that it gets is all there is.
    let mut again = yard.connect(&token).await;
    let message = again.message().await;
    let whole = seen(&message, Tick(0)).unwrap();
    assert!(whole.full && whole.tick.since(first) >= 100, "{}", whole.tick);
    let counters = yard.counts().await.counters;
    assert_eq!((counters.closed_too_slow, counters.resumed), (1, 1));
    assert!(counters.coalesced > 50, "{counters:?}");
    yard.goes_on().await;
}

/// Row 41.
#[tokio::test]
async fn a_hundred_wishes_for_the_whole_state_are_one() {
    let yard = Yard::open(config()).await;
    let mut player = yard.victim().await;
    player.next_frame().await;
    player.raw.send(&framed(&ClientMessage::Refresh).repeat(100)).await;
    let mut whole = 0;
    for _ in 0..Mischief::TICK_HZ {
        let message = player.message().await;
        let seen = seen(&message, player.tick).unwrap();
        player.tick = seen.tick;
        whole += u32::from(seen.full);
        player.say(&ClientMessage::Input(Inputs::ack(seen.tick))).await;
    }
    assert_eq!(whole, 1);
    assert_eq!(yard.counts().await.counters.refreshes_refused, 99);
    yard.goes_on().await;
}

/// Row 45: a game that panics, in a command or in a step, or because its table is
/// full of entities. Its players are told, and its room is gone.
#[tokio::test]
async fn a_game_that_panics_ends_its_room_and_no_other() {
    for what in [Ask::Panic, Ask::PanicInStep, Ask::SpawnTooMany] {
        let yard = Yard::open(config()).await;
        let (mut one, other) = (yard.victim().await, yard.victim().await);
        ask(&mut one, what).await;
        for player in [one, other] {
            let (_, reason) = rest(player).await;
            assert_eq!((reason, reason.code()), (CloseReason::Failed, 1011), "{what:?}");
        }
        assert_eq!(yard.handle.room(yard.room), None, "{what:?}");
        let counts = yard.counts().await;
        assert_eq!((counts.rooms_panicked, counts.rooms, counts.rooms_made), (1, 1, 2));
        yard.is_named("a game panicked, its room ends");
        yard.goes_on().await;
    }
}

/// Row 45: a game that takes a second for a step. The worker is late once, counts
/// the lost time, and goes on with all of its rooms; what was lost is counted.
#[tokio::test]
async fn a_game_that_loops_for_a_second_makes_its_worker_late_once() {
    let yard = Yard::open(config()).await;
    let mut player = yard.victim().await;
    player.next_frame().await;
    ask(&mut player, Ask::Loop).await;
    let lost = async {
        loop {
            player.next_frame().await;
            let lateness = yard.handle.lateness().await;
            if lateness.reanchored() > 0 {
                break lateness;
            }
        }
    };
    let lateness = guard(lost).await;
    assert!(
        lateness.lost() > Duration::ZERO && lateness.quantile(1.0) > Duration::from_millis(900)
    );
    assert_eq!(yard.counts().await.long_calls, 1);
    yard.is_named("a game held its worker up");
    for _ in 0..20 {
        player.next_frame().await;
    }
    yard.goes_on().await;
}

/// Row 45: a world that no frame has place for ends its room, which nobody could
/// come into any more.
#[tokio::test]
async fn a_world_too_big_for_a_frame_ends_its_room_and_no_other() {
    let yard = Yard::open(config()).await;
    let mut player = yard.victim().await;
    player.next_frame().await;
    ask(&mut player, Ask::SpawnMany).await;
    assert_eq!(rest(player).await.1, CloseReason::Failed);
    let counts = yard.counts().await;
    assert_eq!((counts.rooms_failed, counts.counters.frames_too_big, counts.rooms), (1, 1, 1));
    assert_eq!(yard.handle.room(yard.room), None, "no listing offers it");
    yard.is_named("a room cannot go on");
    yard.goes_on().await;
}
