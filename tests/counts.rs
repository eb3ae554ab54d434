//! Counts that do not depend on the machine's mood: what a tick allocates from the
//! bytes of the inputs to the bytes of the frames, and how long frames are.
//!
//! A room of 50 players who all steer at every step, over real sockets. The clock is
//! turned by hand, so the counts are the same in each run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "slow/client.rs"]
mod client;
#[path = "slow/clockwork.rs"]
mod clockwork;
#[path = "../benches/fanout/game.rs"]
mod game;

use std::time::Duration;

use client::Client;
use clockwork::Clockwork;
use game::{Race, Steer};
use tickwire_protocol::Message;
use tickwire_protocol::message::{ClientMessage, Inputs};
use tokio::runtime::Builder;
use tokio::time::timeout;

const PLAYERS: usize = 50;
type Fifty = Race<50>;
/// Steps until the history is full and every buffer has its size.
const WARM_STEPS: u32 = 300;
const MEASURED_STEPS: u32 = 200;
const MEASURED_SECONDS: u64 = (MEASURED_STEPS / 50) as u64;
/// Payload of one frame, without the header of the WebSocket: a packed snapshot of
/// 8 bytes a player takes 404.
const FRAME_BYTES_MAX: f64 = 0.45 * 404.0;
/// Fails a test that hangs; nothing else depends on it.
const GUARD: Duration = Duration::from_secs(120);

#[test]
fn a_tick_allocates_nothing_from_bytes_to_bytes() {
    let server = Clockwork::start::<Fifty>(2, 1, PLAYERS);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (server, bytes) = runtime.block_on(async {
        timeout(GUARD, play(server)).await.expect("somebody waits for what does not come")
    });
    let measured = server.thread.join().unwrap();
    let allocations = measured[1].count_total;
    let frame = bytes as f64 / f64::from(MEASURED_STEPS) / PLAYERS as f64;
    println!("{allocations} allocations in {MEASURED_STEPS} ticks; {frame:.2} bytes a frame");
    // What a worker does once a second is not a tick's.
    assert!(allocations <= MEASURED_SECONDS, "{allocations} in {MEASURED_STEPS} ticks");
    assert!(frame <= FRAME_BYTES_MAX, "{frame} bytes a frame");
}

/// Plays, and counts the bytes of the measured frames.
async fn play(server: Clockwork) -> (Clockwork, usize) {
    let mut clients = Vec::new();
    for token in &server.tokens {
        clients.push(Client::join(server.address, token, false).await.unwrap());
    }
    server.step();
    server.step();
    for client in &mut clients {
        assert_eq!(client.frame().await.unwrap(), None, "the first frame has it all");
    }
    let mut bytes = 0;
    for step in 0..WARM_STEPS + MEASURED_STEPS {
        if step == WARM_STEPS {
            server.part_is_over();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            steer(client, step, number).await;
        }
        server.step();
        for client in &mut clients {
            assert_eq!(client.frame().await.unwrap(), Some(1));
            bytes += if step >= WARM_STEPS { client.frame_bytes() } else { 0 };
        }
    }
    server.part_is_over();
    (server, bytes)
}

/// Sends an input for the next step, unlike the one before.
async fn steer(client: &mut Client, step: u32, number: usize) {
    let turn = (step.wrapping_mul(31) + number as u32 * 7) % 17;
    let mut body = Vec::new();
    Steer { turn: turn as i8 - 8 }.encode(&mut body);
    let mut inputs = Inputs::ack(client.tick);
    assert!(inputs.push(step, client.tick.after(2), &body));
    client.say(&ClientMessage::Input(inputs)).await.unwrap();
}
