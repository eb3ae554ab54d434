//! Tickwire as a server of the benchmark: a process of its own that makes rooms
//! when it is told to.
//!
//! On its standard input, a line `room` makes a room and prints the tokens of its
//! seats; `mark` begins a measurement, and `late` prints how late ticks began since
//! then, how busy the busiest worker is and how much a worker gives up; the end ends it.

use std::io::{self, BufRead};
use std::time::Duration;

use tickwire::config::{Config, LogLevel};
use tickwire::game::Game;
use tickwire::server::{Handle, Place, Server, Wish};
use tickwire::worker::Lateness;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::game::Race;
use super::machine::raise_file_limit;

/// Serves rooms of `players` at `hz` on the cores that it was started on.
pub(crate) fn serve(players: usize, hz: u32, workers: usize, npcs: u32) -> io::Result<()> {
    raise_file_limit()?;
    if workers > 1 {
        // The load is on the same cores: it comes first, or there would be none.
        rustix::process::nice(5)?;
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match hz {
            1 => run::<Race<1>>(players, workers, npcs).await,
            10 => run::<Race<10>>(players, workers, npcs).await,
            20 => run::<Race<20>>(players, workers, npcs).await,
            30 => run::<Race<30>>(players, workers, npcs).await,
            60 => run::<Race<60>>(players, workers, npcs).await,
            120 => run::<Race<120>>(players, workers, npcs).await,
            _ => Err(io::Error::other("the rates are 1, 10, 20, 30, 60 and 120")),
        }
    })
}

async fn run<G: Game>(players: usize, workers: usize, npcs: u32) -> io::Result<()> {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        workers,
        rooms_max: 100_000,
        connections_max: 100_000,
        seats_max: players,
        drain: Duration::ZERO,
        log_level: LogLevel::Error,
        ..Config::default()
    };
    let server = Server::builder().game::<G>().config(config).bind().await;
    let server = server.map_err(io::Error::other)?;
    println!("ready {}", server.addr());
    let handle = server.handle();
    let mut marked = Lateness::default();
    let (orders, mut inbox) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if orders.send(line).is_err() {
                break;
            }
        }
    });
    server
        .run_until(async move {
            while let Some(order) = inbox.recv().await {
                match order.as_str() {
                    "room" => println!("{}", room(&handle, G::NAME, players, npcs).await.join(" ")),
                    "mark" => {
                        marked = handle.lateness().await;
                        println!("marked");
                    }
                    "late" => {
                        let metrics = handle.metrics().await;
                        let late = metrics.lateness().since(&marked);
                        let us = |share| late.quantile(share).as_micros();
                        let busy = metrics.workers.iter().map(|it| it.busy).fold(0.0, f64::max);
                        let sheds = metrics.workers.iter().map(|it| it.sheds as u8).max();
                        println!("{} {} {busy:.3} {}", us(0.5), us(0.99), sheds.unwrap_or(0));
                    }
                    _ => {}
                }
            }
        })
        .await;
    Ok(())
}

/// The tokens of a new room's seats.
async fn room(handle: &Handle, game: &str, players: usize, npcs: u32) -> Vec<String> {
    let options = serde_json::json!({ "npcs": npcs });
    let Ok(room) = handle.create_room(game, options, false).await else { return Vec::new() };
    let mut tokens = Vec::new();
    for _ in 0..players {
        let wish = Wish { place: Place::Room(room), name: String::new() };
        if let Ok(ticket) = handle.join(wish).await {
            tokens.push(ticket.token);
        }
    }
    tokens
}
