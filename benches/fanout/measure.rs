//! One measurement: a server, a crowd, and what both saw.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire::config::Config;

use super::crowd::{Crowd, Play, Seen};
use super::late::Told;
use super::machine::{ALL_CORES, Spare, pace};
use super::server::{Peer, Server};
use super::spread::quantile_ms;

/// Of a core, what others on this machine may use, and what the machine below may
/// take of both.
const OTHERS_MAX: f64 = 0.12;
const STOLEN_MAX: f64 = 0.12;

/// Of a core, how far a load may be from the one that is wanted.
const LOAD_OFF_MAX: f64 = 0.05;

/// A server is full that uses so much of what is there, and still delivers so many of the frames.
const FULL_FROM: f64 = 0.97;
const FULL_DELIVERED: f64 = 0.92;
const OVER_FULL: f64 = 1.02;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) peer: Peer,
    pub(crate) play: Play,
    pub(crate) players: usize,
    pub(crate) clients: usize,
    pub(crate) hz: u32,
    pub(crate) workers: usize,
    /// Entities of a room that are nobody's; of Tickwire, and as bytes of the ceiling.
    pub(crate) npcs: u32,
    /// What is added to the niceness of the server; Tickwire's workers add it themselves.
    #[serde(default)]
    pub(crate) nice: i32,
}

impl Setting {
    /// All that is usual.
    pub(crate) fn of(peer: Peer, players: usize, clients: usize, hz: u32) -> Setting {
        let (play, nice) = (Play::EveryTick, Config::default().worker_nice);
        Setting { peer, play, players, clients, hz, workers: 1, npcs: 0, nice }
    }

    /// The same with as many clients as would load the server so far, going by a sample.
    pub(crate) fn with_load(self, share: f64, sample: &Sample) -> Setting {
        self.with_clients(sample.clients as f64 * share / sample.load)
    }

    /// The same with another number of clients, in whole rooms.
    pub(crate) fn with_clients(self, clients: f64) -> Setting {
        let rooms = (clients / self.players as f64).round().max(1.0) as usize;
        Setting { clients: rooms * self.players, ..self }
    }
}

/// How long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
}

/// The middle of a distribution, and what 99 of 100 do not exceed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Quantiles {
    fn of_ns(ns: &[u64]) -> Option<Quantiles> {
        let at = |share| quantile_ms(ns, share);
        (!ns.is_empty()).then(|| Quantiles { p50: at(0.5), p99: at(0.99) })
    }
}

/// A piece of a window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// How late 99 of 100 ticks began at most.
    pub(crate) late_us: f64,
    /// Seconds that the machine below took from the server's core.
    pub(crate) stolen: f64,
}

/// What one round of a setting gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) clients: usize,
    /// Processor time of the server for each frame that a client got, in µs.
    pub(crate) cpu_us: f64,
    /// Frames that clients got in a second.
    pub(crate) frames: f64,
    /// The share of the frames that the rate promises.
    pub(crate) delivered: f64,
    /// Connections that ended.
    pub(crate) lost: usize,
    /// Cores that the server kept busy.
    pub(crate) load: f64,
    /// Sampled at the timer's interrupts: good for shares of many seconds.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    /// Bytes of a client-frame.
    pub(crate) bytes: f64,
    /// Resident bytes for each client.
    pub(crate) memory: f64,
    pub(crate) interval_ms: Option<Quantiles>,
    pub(crate) echo_ms: Option<Quantiles>,
    /// How late ticks began; of Tickwire and the ceiling.
    pub(crate) late_us: Option<Quantiles>,
    /// The same by pieces of half a second.
    #[serde(default)]
    pub(crate) pieces: Vec<Piece>,
    /// Cores that the load's generator used, and how far it was behind its plan.
    pub(crate) generator: f64,
    pub(crate) behind_ms: f64,
    /// Cores on which the server may run.
    pub(crate) cores: usize,
    /// Of those, what was not there to be used.
    pub(crate) stolen: f64,
    /// The same of all cores, and what was there and used by nobody.
    pub(crate) stolen_of_all: f64,
    pub(crate) idle_of_all: f64,
    /// Milliseconds of a fixed piece of work on each core, before and after.
    pub(crate) pace_ms: [[f64; 2]; 2],
    /// Cores that neither server nor generator used.
    pub(crate) others: f64,
    /// The most that a worker says that it is busy, 0 to 1; of Tickwire.
    pub(crate) busy: Option<f64>,
    /// The most that a worker gives up at the end; of Tickwire.
    #[serde(default)]
    pub(crate) sheds: Option<f64>,
    /// Nothing came in between in the whole round.
    pub(crate) steady: bool,
    /// What else is to be said of it.
    pub(crate) note: Option<String>,
}

impl Sample {
    /// Cores that were there for the server: what the load's generator took of its
    /// cores, and what was stolen, is not counted.
    fn cores_there(&self) -> f64 {
        let shared = if self.cores > 1 { self.generator } else { 0.0 };
        self.cores as f64 - shared - self.stolen
    }

    /// Frames a second for each core that was there.
    pub(crate) fn work_per_core(&self) -> f64 {
        self.frames / self.cores_there()
    }

    /// Whether the server had no time left, and not much more to do than that.
    pub(crate) fn is_full(&self) -> bool {
        self.load >= self.cores_there() * FULL_FROM && self.delivered >= FULL_DELIVERED
    }

    /// The clients that would fill the server, and a few more.
    pub(crate) fn filling_clients(&self) -> f64 {
        let fill = self.clients as f64 * self.delivered.min(1.0) * self.cores_there() / self.load;
        fill * OVER_FULL
    }

    /// Whether it loaded the server about so far.
    pub(crate) fn loads(&self, share: f64) -> bool {
        (self.load - share).abs() <= LOAD_OFF_MAX
    }

    /// Whether somebody else had much of the cores.
    pub(crate) fn disturbed(&self) -> Option<&'static str> {
        if self.others > OTHERS_MAX {
            Some("others used a core")
        } else {
            (self.stolen_of_all > STOLEN_MAX).then_some("a core was taken away")
        }
    }

    /// What the clients did not get that a game needs, if anything.
    pub(crate) fn short_of(&self, hz: u32) -> Option<String> {
        let two_ticks_ms = 2000.0 / f64::from(hz);
        let p99 = self.interval_ms.map_or(f64::INFINITY, |interval| interval.p99);
        let what = if self.lost > 0 {
            format!("{} connections ended", self.lost)
        } else if self.delivered < 0.95 {
            format!("{:.0} % of the frames", self.delivered * 100.0)
        } else if p99 >= two_ticks_ms {
            format!("p99 of the interval {p99:.0} ms")
        } else {
            return None;
        };
        let generator = self.generator * 100.0;
        let limit = if self.generator > 0.93 { "; the load's core was the limit" } else { "" };
        let sheds = if self.sheds > Some(0.0) { ", the server gives up frames" } else { "" };
        Some(format!("{what}{sheds}, generator {generator:.0} %{limit}"))
    }
}

/// A server and its crowd, which can grow.
pub(crate) struct Stage {
    setting: Setting,
    server: Server,
    crowd: Crowd,
    /// Resident bytes of the server, and its clients, from which memory is counted.
    base: (u64, usize),
}

impl Stage {
    pub(crate) fn set(setting: &Setting) -> io::Result<Stage> {
        let mut server = Server::start(setting)?;
        let base = (server.resident()?, 0);
        let crowd = Crowd::join(&mut server, setting)?;
        Ok(Stage { setting: *setting, server, crowd, base })
    }

    pub(crate) fn play(&mut self, time: Duration) -> io::Result<Seen> {
        self.crowd.play(time)
    }

    /// More clients join while the others play on.
    pub(crate) fn grow(&mut self, clients: usize) -> io::Result<()> {
        self.crowd.grow(&mut self.server, clients)
    }

    /// Memory is from now on what those need who join later.
    pub(crate) fn count_memory_from_here(&mut self) -> io::Result<()> {
        self.base = (self.server.resident()?, self.crowd.clients());
        Ok(())
    }

    /// Plays, and measures what it took.
    pub(crate) fn window(&mut self, time: Duration) -> io::Result<Sample> {
        let Stage { server, crowd, setting, base } = self;
        let tells = !setting.peer.in_node();
        if tells {
            server.ask("mark")?;
        }
        let spares = |server: &Server| -> io::Result<[Spare; 2]> {
            Ok([Spare::of(server.cores())?, Spare::of(&ALL_CORES)?])
        };
        let (cpu, before) = (server.cpu()?, spares(server)?);
        let seen = crowd.play(time)?;
        let cpu = server.cpu()?.since(cpu);
        let after = spares(server)?;
        let [spare, spare_all] = [after[0].since(before[0]), after[1].since(before[1])];
        let told =
            if tells { serde_json::from_str(&server.ask("late")?)? } else { Told::default() };
        let clients = crowd.clients();
        let (seconds, frames) = (seen.took.as_secs_f64(), seen.frames.max(1) as f64);
        let (load, generator) =
            (cpu.all_ns as f64 / 1e9 / seconds, seen.cpu.as_secs_f64() / seconds);
        let used = ALL_CORES.len() as f64 - (spare_all.idle + spare_all.stolen) / seconds;
        let grown = server.resident()?.saturating_sub(base.0) as f64;
        Ok(Sample {
            clients,
            cpu_us: cpu.all_ns as f64 / 1000.0 / frames,
            frames: frames / seconds,
            delivered: frames / (clients as f64 * f64::from(setting.hz) * seconds),
            lost: seen.lost,
            load,
            user_ticks: cpu.user_ticks,
            system_ticks: cpu.system_ticks,
            bytes: seen.bytes as f64 / frames,
            memory: grown / (clients - base.1).max(1) as f64,
            interval_ms: Quantiles::of_ns(&seen.intervals),
            echo_ms: Quantiles::of_ns(&seen.echoes),
            late_us: told.late_us,
            pieces: told.pieces,
            generator,
            behind_ms: seen.behind.as_secs_f64() * 1000.0,
            cores: server.cores().len(),
            stolen: spare.stolen / seconds,
            stolen_of_all: spare_all.stolen / seconds,
            idle_of_all: spare_all.idle / seconds,
            pace_ms: [[f64::NAN; 2]; 2],
            others: used - load - generator,
            busy: told.busy,
            sheds: told.sheds,
            steady: true,
            note: None,
        })
    }
}

/// Measures with the pace of the machine before and after.
pub(crate) fn paced(measure: impl FnOnce() -> io::Result<Sample>) -> io::Result<Sample> {
    let before = pace()?;
    let sample = measure()?;
    Ok(Sample { pace_ms: [before, pace()?], ..sample })
}

/// Measures a setting once.
pub(crate) fn once(setting: &Setting, time: Time) -> io::Result<Sample> {
    paced(|| {
        let mut stage = Stage::set(setting)?;
        stage.play(time.warm)?;
        stage.window(time.window)
    })
}
