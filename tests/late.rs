//! A worker that was held up, over real sockets: clients get one frame for all the steps
//! that it makes up for, and the present.

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
use game::Weather;
use tokio::runtime::Builder;
use tokio::time::timeout;

const ROOMS: usize = 3;
const SEATS: usize = 4;
/// Steps after which every client gets a frame with each.
const WARM_STEPS: u32 = 20;
/// How many steps are due when the worker gets to them.
const DUE: [u32; 9] = [1, 2, 1, 3, 1, 8, 1, 2, 1];
/// A worker makes up for two of them, and others are lost.
const TAKEN_MAX: u32 = 3;
/// Fails a test that hangs; nothing else depends on it.
const GUARD: Duration = Duration::from_secs(60);

async fn join(server: &Clockwork) -> Vec<Client> {
    let mut clients = Vec::new();
    for token in &server.tokens {
        clients.push(Client::join(server.address, token, false).await.unwrap());
    }
    // Rooms step at different times, so one step more is on its way than was read.
    server.step();
    server.step();
    for client in &mut clients {
        assert_eq!(client.frame().await.unwrap(), None, "the first frame has it all");
        client.ack().await.unwrap();
    }
    clients
}

/// Reads one frame of each client: how many steps it stands for.
async fn frames(clients: &mut [Client]) -> Vec<u32> {
    let mut steps = Vec::new();
    for client in clients {
        steps.push(client.frame().await.unwrap().unwrap());
        client.ack().await.unwrap();
    }
    steps
}

async fn play(mut server: Clockwork) -> Clockwork {
    let mut clients = join(&server).await;
    server.in_lock_step();
    for _ in 0..WARM_STEPS {
        server.step();
        frames(&mut clients).await;
    }
    let mut seen = vec![Vec::new(); clients.len()];
    for due in DUE {
        server.step_late(due);
        let steps = frames(&mut clients).await;
        seen.iter_mut().zip(steps).for_each(|(seen, steps)| seen.push(steps));
    }
    let taken = DUE.map(|due| due.min(TAKEN_MAX));
    let first = taken.iter().position(|&steps| steps > 1).unwrap();
    for seen in seen {
        // Who still had frames of steps before reads those first.
        let at = seen.iter().position(|&steps| steps > 1).unwrap_or(seen.len());
        assert!((first..=first + 2).contains(&at), "{seen:?}");
        let old = at - first;
        assert_eq!(seen[old..], taken[..taken.len() - old]);
    }
    server
}

#[test]
fn steps_that_are_made_up_for_share_a_frame() {
    let server = Clockwork::start::<Weather>(1, ROOMS, SEATS);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async { timeout(GUARD, play(server)).await.unwrap() });
    server.part_is_over();
    server.thread.join().unwrap();
}
