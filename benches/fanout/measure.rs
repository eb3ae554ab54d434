//! One measurement: a server, a crowd, and what both saw.

use std::io;
use std::time::Duration;

use super::crowd::{Crowd, Play, Seen};
use super::machine::{Cpu, pace, steady};
use super::server::{Peer, Server};

/// Tries to find a time in which the machine keeps its pace.
const TRIES_MAX: usize = 4;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Setting {
    pub(crate) peer: Peer,
    pub(crate) play: Play,
    pub(crate) players: usize,
    pub(crate) clients: usize,
    pub(crate) hz: u32,
    pub(crate) workers: usize,
    /// Entities of a room that are nobody's; of Tickwire.
    pub(crate) npcs: u32,
}

impl Setting {
    /// All that is usual.
    pub(crate) fn of(peer: Peer, players: usize, clients: usize, hz: u32) -> Setting {
        Setting { peer, play: Play::EveryTick, players, clients, hz, workers: 1, npcs: 0 }
    }
}

/// How long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
}

/// What one round of a setting gave.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) seen: Seen,
    pub(crate) cpu: Cpu,
    pub(crate) clients: usize,
    pub(crate) hz: u32,
    /// Resident bytes for each client.
    pub(crate) memory: f64,
    /// Tick lateness, p50 and p99, µs; of Tickwire.
    pub(crate) late: Option<(u64, u64)>,
}

impl Sample {
    /// Processor time of the server for each frame that a client got, in µs.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.all_ns as f64 / 1000.0 / self.seen.frames.max(1) as f64
    }

    pub(crate) fn bytes(&self) -> f64 {
        self.seen.bytes as f64 / self.seen.frames.max(1) as f64
    }

    /// The share of the server's core or cores that was busy.
    pub(crate) fn load(&self) -> f64 {
        self.cpu.all_ns as f64 / self.seen.took.as_nanos() as f64
    }

    /// The share of the frames that the rate promises.
    pub(crate) fn delivered(&self) -> f64 {
        let promised = self.clients as f64 * f64::from(self.hz) * self.seen.took.as_secs_f64();
        self.seen.frames as f64 / promised
    }

    /// Whether the clients got what a game needs.
    pub(crate) fn playable(&self) -> bool {
        let two_ticks_ms = 2000.0 / f64::from(self.hz);
        quantile_ms(&self.seen.intervals, 0.99) < two_ticks_ms
            && self.delivered() >= 0.95
            && self.seen.lost == 0
    }
}

/// The value that this share does not exceed, in milliseconds.
pub(crate) fn quantile_ms(ns: &[u64], share: f64) -> f64 {
    let mut sorted = ns.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// Measures once, at a steady pace of the machine; the last try counts even so.
pub(crate) fn measure(setting: &Setting, time: Time) -> io::Result<Sample> {
    let mut tried = 0;
    loop {
        let before = pace()?;
        let sample = once(setting, time)?;
        tried += 1;
        if steady(before, pace()?) || tried == TRIES_MAX {
            return Ok(sample);
        }
        eprintln!("{}: the machine changed its pace, once more", setting.peer);
    }
}

fn once(setting: &Setting, time: Time) -> io::Result<Sample> {
    let Setting { peer, play, players, clients, hz, .. } = *setting;
    let mut server = Server::start(setting)?;
    let empty = server.resident()?;
    let mut crowd = Crowd::join(&mut server, peer, play, clients, players, hz)?;
    crowd.play(time.warm)?;
    let before = server.cpu()?;
    let seen = crowd.play(time.window)?;
    let cpu = server.cpu()?.since(before);
    let memory = server.resident()?.saturating_sub(empty) as f64 / clients as f64;
    let late = if peer == Peer::Tickwire { lateness(&mut server)? } else { None };
    Ok(Sample { seen, cpu, clients, hz, memory, late })
}

fn lateness(server: &mut Server) -> io::Result<Option<(u64, u64)>> {
    let line = server.ask("late")?;
    let mut numbers = line.split_whitespace().filter_map(|number| number.parse().ok());
    Ok(numbers.next().zip(numbers.next()))
}
