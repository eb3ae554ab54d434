//! Clients that stop reading, over real sockets: nobody else can tell, and what the
//! server keeps for them does not grow with time.
//!
//! The server has a thread to itself, and a clock that stands still unless the
//! clients' thread moves it, by a step at a time and after all who read have read.
//! So eight seconds pass in as long as it takes to send the frames, what is counted
//! is the same in each run, and nothing depends on how busy the machine is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "slow/client.rs"]
mod client;
#[path = "slow/clockwork.rs"]
mod clockwork;
#[path = "slow/game.rs"]
mod game;

use std::time::Duration;

use client::Client;
use clockwork::Clockwork;
use game::{SEATS, Weather};
use tickwire::game::Game;
use tickwire_protocol::limits::CREDIT_MAX;
use tokio::runtime::Builder;
use tokio::time::timeout;

const CLIENTS: usize = 200;
/// One in ten stops.
const STALLED_EVERY: usize = 10;
const STALLED: usize = CLIENTS / STALLED_EVERY;
/// Steps before somebody stops: the history is full, and every buffer has its size.
const WARM_STEPS: u32 = 300;
/// Eight seconds in two halves, of which the first fills what can fill.
const HALF_STALL_STEPS: u32 = 4 * Weather::TICK_HZ;
/// Steps after it.
const LAST_STEPS: u32 = 25;
/// What may wait for one client here: the rest of a frame, which holds on to the
/// chunks of its tick, and the place that the socket's backlog needs.
const OUTBOX_BYTES_MAX: u64 = 32 * 1024;
/// What the buffers that all clients share may come to hold, by chance: a stalled client
/// that took one more frame keeps the buffer of its room, and the room gets another.
const SHARED_BYTES_MAX: i64 = 80 * 1024;
/// Fails a test that hangs; nothing else depends on it.
const GUARD: Duration = Duration::from_secs(120);

/// All clients and what they have seen.
struct Crowd {
    server: Clockwork,
    healthy: Vec<Client>,
    stalled: Vec<Client>,
}

impl Crowd {
    async fn join(server: Clockwork) -> Crowd {
        let (mut healthy, mut stalled) = (Vec::new(), Vec::new());
        for (at, token) in server.tokens.iter().enumerate() {
            let stalls = at % STALLED_EVERY == 0;
            let client = Client::join(server.address, token, stalls).await.unwrap();
            if stalls { stalled.push(client) } else { healthy.push(client) }
        }
        // Rooms step at different times, so one step more is on its way than was read.
        server.step();
        let mut crowd = Crowd { server, healthy, stalled };
        crowd.server.step();
        for client in crowd.healthy.iter_mut().chain(&mut crowd.stalled) {
            assert_eq!(client.frame().await.unwrap(), None, "the first frame has it all");
            client.ack().await.unwrap();
        }
        crowd
    }

    /// Takes steps in which those who are healthy, or all, read and acknowledge.
    async fn steps(&mut self, steps: u32, all: bool) {
        for _ in 0..steps {
            self.server.step();
            let stalled = self.stalled.iter_mut().filter(|_| all);
            for client in self.healthy.iter_mut().chain(stalled) {
                let by = client.frame().await.unwrap();
                assert_eq!(by, Some(1), "a frame of tick {} is missed", client.tick);
                client.ack().await.unwrap();
            }
        }
    }

    /// Those who had stopped read again.
    async fn resume(&mut self) {
        let present = self.healthy.iter().map(|client| client.tick).min().unwrap();
        for client in &mut self.stalled {
            let mut old = 0;
            // What was on the way when it stopped: credit bounds it.
            while client.frame().await.unwrap() == Some(1) {
                old += 1;
                client.ack().await.unwrap();
                assert!(old <= CREDIT_MAX, "it is sent history");
            }
            assert!(client.tick >= present, "{} is not the present: {present}", client.tick);
            client.ack().await.unwrap();
        }
    }
}

#[test]
fn clients_that_stop_reading_cost_a_constant_and_nobody_else_can_tell() {
    // To join, warm up, stall in two halves, resume.
    let server = Clockwork::start::<Weather>(4, CLIENTS / SEATS, SEATS);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let play = async {
            let mut crowd = Crowd::join(server).await;
            crowd.steps(WARM_STEPS, true).await;
            crowd.server.part_is_over();
            crowd.steps(HALF_STALL_STEPS, false).await;
            crowd.server.part_is_over();
            crowd.steps(HALF_STALL_STEPS, false).await;
            crowd.server.part_is_over();
            crowd.resume().await;
            crowd.steps(LAST_STEPS, false).await;
            crowd.server.part_is_over();
            crowd.server
        };
        timeout(GUARD, play).await.expect("somebody waits for what does not come")
    });
    let measured = server.thread.join().unwrap();
    let growth: Vec<_> = measured.iter().map(|info| info.bytes_current).collect();
    println!("bytes that the server's thread has more after each part: {growth:?}");
    let bound = STALLED as u64 * OUTBOX_BYTES_MAX;
    assert!(growth[1] <= bound as i64, "{} for {STALLED} clients", growth[1]);
    assert!(measured[1].bytes_max <= bound, "{} at some time", measured[1].bytes_max);
    assert!(growth[2] <= SHARED_BYTES_MAX, "it grows with time, by {}", growth[2]);
}
