//! Tickwire as a server of the benchmark: a process of its own that makes rooms
//! when it is told to.
//!
//! On its standard input, a line `room` makes a room and prints the tokens of its
//! seats; `mark` begins a measurement, and `late` prints how late ticks began since
//! then (`Told`, as JSON); the end ends it.

use std::io::{self, BufRead};
use std::time::Duration;

use tickwire::config::{Config, LogLevel};
use tickwire::game::Game;
use tickwire::server::{Handle, Place, Server, Wish};
use tickwire::worker::Lateness;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use super::game::Race;
use super::late::{PIECE, Told, spare};
use super::machine::{Spare, raise_file_limit};
use super::measure::{Piece, Quantiles};

/// Serves rooms of `players` at `hz` on the cores that it was started on.
pub(crate) fn serve(
    players: usize,
    hz: u32,
    workers: usize,
    npcs: u32,
    worker_nice: i32,
) -> io::Result<()> {
    raise_file_limit()?;
    if workers > 1 {
        // The load is on the same cores: it comes first, or there would be none.
        rustix::process::nice(5)?;
    }
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        workers,
        worker_nice,
        rooms_max: 100_000,
        connections_max: 100_000,
        seats_max: players,
        drain: Duration::ZERO,
        log_level: LogLevel::Error,
        ..Config::default()
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match hz {
            1 => run::<Race<1>>(npcs, config).await,
            10 => run::<Race<10>>(npcs, config).await,
            20 => run::<Race<20>>(npcs, config).await,
            30 => run::<Race<30>>(npcs, config).await,
            60 => run::<Race<60>>(npcs, config).await,
            120 => run::<Race<120>>(npcs, config).await,
            _ => Err(io::Error::other("the rates are 1, 10, 20, 30, 60 and 120")),
        }
    })
}

async fn run<G: Game>(npcs: u32, config: Config) -> io::Result<()> {
    let players = config.seats_max;
    let server = Server::builder().game::<G>().config(config).bind().await;
    let server = server.map_err(io::Error::other)?;
    println!("ready {}", server.addr());
    let handle = server.handle();
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
            let mut watch = Watch::begin(&handle).await;
            let mut piece = interval_at(Instant::now() + PIECE, PIECE);
            loop {
                let order = tokio::select! {
                    order = inbox.recv() => order,
                    _ = piece.tick() => {
                        watch.end_piece(&handle).await;
                        continue;
                    }
                };
                match order.as_deref() {
                    Some("room") => {
                        println!("{}", room(&handle, G::NAME, players, npcs).await.join(" "));
                    }
                    Some("mark") => {
                        watch = Watch::begin(&handle).await;
                        piece.reset();
                        println!("marked");
                    }
                    Some("late") => println!("{}", serde_json::json!(watch.told(&handle).await)),
                    Some(_) => {}
                    None => return,
                }
            }
        })
        .await;
    Ok(())
}

/// How late ticks begin, from a mark on.
struct Watch {
    marked: Lateness,
    /// At the begin of the piece that goes on.
    before: (Lateness, Spare),
    pieces: Vec<Piece>,
}

impl Watch {
    async fn begin(handle: &Handle) -> Watch {
        let marked = handle.lateness().await;
        Watch { before: (marked.clone(), spare()), marked, pieces: Vec::new() }
    }

    async fn end_piece(&mut self, handle: &Handle) {
        let now = (handle.lateness().await, spare());
        let late = now.0.since(&self.before.0);
        let stolen = now.1.since(self.before.1).stolen;
        self.pieces.push(Piece { late_us: us(&late, 0.99), stolen });
        self.before = now;
    }

    async fn told(&self, handle: &Handle) -> Told {
        let metrics = handle.metrics().await;
        let late = metrics.lateness().since(&self.marked);
        Told {
            late_us: Some(Quantiles { p50: us(&late, 0.5), p99: us(&late, 0.99) }),
            pieces: self.pieces.clone(),
            busy: metrics.workers.iter().map(|it| it.busy).reduce(f64::max),
            sheds: metrics.workers.iter().map(|it| f64::from(it.sheds as u8)).reduce(f64::max),
        }
    }
}

fn us(late: &Lateness, share: f64) -> f64 {
    late.quantile(share).as_micros() as f64
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
