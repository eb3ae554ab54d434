//! The real server and real client sessions over a simulated network: whatever
//! happens to links, clients and the server, after each applied frame a client has
//! exactly what the room had at that tick.
//!
//! Each seed is a story of a virtual minute: HTTP, upgrade, Hello and play over
//! links that delay, hold and lose what is sent, one way or both; clients that
//! sleep, read slowly, cut their connections, leave; a server that crashes or
//! restarts. Then the weather clears. Checked with each frame: all rows, and the
//! state hash; with each event: that none is missing or doubled; in the game: no
//! input comes into force twice, no command is carried out twice. At the end all
//! are joined, at the present, and their last input is in force.
//!
//! `TICKWIRE_SEED=n cargo test --test network` tells one story again. It is the
//! same one up to the order in which Tokio polls what is ready at the same time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "network/bot.rs"]
mod bot;
mod dice;
#[path = "network/game.rs"]
mod game;
#[path = "network/socket.rs"]
mod socket;
mod wire;

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bot::{Bot, Season, Stats};
use dice::Dice;
use game::{CLIENTS, Ledger, Record, record};
use socket::{PORT, SERVER};
use tickwire::config::{Config, SecretKey};
use tickwire::net::Stays;
use tickwire::server::Server;
use tokio::sync::Notify;
use turmoil::net::TcpListener;
use turmoil::{Builder, Sim};

const SEEDS: u64 = 400;
/// How far time goes at once: what is sent meanwhile arrives in the next step.
const STEP: Duration = Duration::from_millis(5);
/// From here on nothing goes wrong any more. The time-outs of both sides pass after it.
const CALM_AFTER: Duration = Duration::from_secs(34);
/// From here on nobody plays any more.
const QUIET_AFTER: Duration = Duration::from_secs(58);
const OVER_AFTER: Duration = Duration::from_secs(60);

/// What is wrong with a link, and until when.
#[derive(Clone, Copy)]
enum Link {
    Good,
    /// Loses everything, one way or both.
    Parted(Duration),
    /// Delivers nothing before then.
    Held(Duration),
}

/// What is wrong with the server, and until when.
#[derive(Clone, Copy)]
enum Host {
    Up,
    /// It was asked to stop.
    Stopping(Duration),
    Down(Duration),
}

struct Story {
    dice: Dice,
    sim: Sim<'static>,
    season: Rc<Season>,
    stats: Rc<Cell<Stats>>,
    stop: Rc<Notify>,
    links: [Link; CLIENTS],
    host: Host,
    /// In thousandths, each second.
    storms: u64,
    crashes: u64,
}

fn name(client: usize) -> String {
    format!("client-{client}")
}

/// A server's life, from its start to when it is asked to stop.
async fn serve(config: Config, stop: Rc<Notify>) -> turmoil::Result {
    let local = Server::builder().game::<Ledger>().config(config).local()?;
    let handle = local.handle();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let accept = tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::task::spawn_local(async move { handle.serve(Stays(stream)).await });
        }
    });
    local.run_until(stop.notified()).await;
    accept.abort();
    Ok(())
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut dice = Dice(seed);
        Record::begin(seed);
        let mut sim = Builder::new()
            .rng_seed(seed)
            .epoch(SystemTime::UNIX_EPOCH)
            .tick_duration(STEP)
            .simulation_duration(OVER_AFTER * 2)
            .min_message_latency(dice.time(0, 30))
            .max_message_latency(dice.time(30, 250))
            .tcp_capacity([16, 32, 64][dice.below(3) as usize])
            .enable_random_order()
            .build();
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            secret_key: Some(SecretKey([7; 32])),
            seat_kept_for: dice.time(2_000, 30_000),
            stale_after: dice.time(2_000, 10_000),
            drain: Duration::from_secs(1),
            ..Config::default()
        };
        let stop = Rc::new(Notify::new());
        let asked = Rc::clone(&stop);
        sim.host(SERVER, move || serve(config.clone(), Rc::clone(&asked)));
        let (season, stats) = (Rc::<Season>::default(), Rc::<Cell<Stats>>::default());
        for client in 0..CLIENTS {
            let bot = Bot::new(client as u8, dice.roll(), Rc::clone(&season), Rc::clone(&stats));
            sim.client(name(client), async move {
                bot.await.play().await;
                Ok(())
            });
        }
        let links = [Link::Good; CLIENTS];
        let (storms, crashes) = (dice.below(200), dice.below(60));
        Story { dice, sim, season, stats, stop, links, host: Host::Up, storms, crashes }
    }

    fn run(mut self) -> Stats {
        let mut forecast = Duration::ZERO;
        while self.sim.elapsed() < OVER_AFTER {
            let now = self.sim.elapsed();
            self.season.calm.set(now >= CALM_AFTER);
            self.season.quiet.set(now >= QUIET_AFTER);
            if now >= forecast {
                forecast = now + Duration::from_secs(1);
                self.harm(now);
            }
            self.mend(now);
            self.step();
        }
        self.season.over.set(true);
        let end = OVER_AFTER + Duration::from_secs(1);
        while !self.step() {
            assert!(self.sim.elapsed() < end, "every client comes to its end");
        }
        let (inputs, commands) = record(|it| (it.applied, it.asked.len() as u64));
        Stats { inputs, commands, ..self.stats.get() }
    }

    fn step(&mut self) -> bool {
        let over = self.sim.step().expect("no host fails");
        record(|it| assert_eq!(it.faults, [""; 0]));
        over
    }

    /// Lets things go wrong.
    fn harm(&mut self, now: Duration) {
        if self.season.calm.get() {
            return;
        }
        for client in 0..CLIENTS {
            if matches!(self.links[client], Link::Good) && self.dice.chance(self.storms) {
                let long = self.dice.chance(200);
                let until = now + self.dice.time(100, if long { 20_000 } else { 4_000 });
                self.links[client] = self.part(&name(client), until);
            }
        }
        if matches!(self.host, Host::Up) && now.as_secs() > 2 && self.dice.chance(self.crashes) {
            if self.dice.chance(500) {
                self.stop.notify_one();
                self.host = Host::Stopping(now + self.dice.time(1_200, 5_000));
            } else {
                self.sim.crash(SERVER);
                self.host = Host::Down(now + self.dice.time(20, 5_000));
            }
        }
    }

    fn part(&mut self, client: &str, until: Duration) -> Link {
        match self.dice.below(4) {
            0 => self.sim.partition(client, SERVER),
            1 => self.sim.partition_oneway(client, SERVER),
            2 => self.sim.partition_oneway(SERVER, client),
            _ => {
                self.sim.hold(client, SERVER);
                return Link::Held(until);
            }
        }
        Link::Parted(until)
    }

    /// Repairs what was broken for long enough, and in the end everything.
    fn mend(&mut self, now: Duration) {
        let calm = self.season.calm.get();
        for (client, link) in self.links.iter_mut().enumerate() {
            match *link {
                Link::Parted(until) if until <= now || calm => {
                    self.sim.repair(name(client), SERVER);
                }
                Link::Held(until) if until <= now || calm => {
                    self.sim.release(name(client), SERVER);
                }
                _ => continue,
            }
            *link = Link::Good;
        }
        match self.host {
            Host::Stopping(until) if until <= now => {
                assert!(!self.sim.is_host_running(SERVER), "it ends within its deadlines");
                self.host = Host::Down(now);
            }
            Host::Down(until) if until <= now => {
                self.sim.bounce(SERVER);
                self.host = Host::Up;
            }
            _ => {}
        }
    }
}

/// Names the seed of a story that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("TICKWIRE_SEED={} cargo test --test network", self.0);
        }
    }
}

fn tell(seed: u64) -> Stats {
    let _named = Named(seed);
    Story::new(seed).run()
}

#[test]
fn clients_agree_with_the_server_whatever_the_network_does() {
    if let Ok(seed) = std::env::var("TICKWIRE_SEED") {
        let seed = seed.parse().expect("TICKWIRE_SEED is a number");
        println!("{:#?}", tell(seed));
        return;
    }
    let all = (0..SEEDS).map(tell).fold(Stats::default(), Stats::and);
    println!("{all:#?}");
    let rare = [all.resumed, all.restored, all.too_slow, all.restarts, all.lost, all.silent];
    assert!(rare.iter().all(|count| *count > SEEDS / 10), "hardly anything went wrong");
    let usual = [all.frames, all.hashes, all.merged, all.inputs, all.commands, all.news];
    assert!(usual.iter().all(|count| *count > SEEDS * 10), "hardly anything happened");
}
