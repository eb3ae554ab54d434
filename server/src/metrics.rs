//! What happened on a server, in numbers: a snapshot that anybody may ask for.
//!
//! ```text
//!  room ─ Counters ─┐
//!  connection ends ─┼─ worker ─ WorkerMetrics ─┐
//!  steps ───────────┘                          ├─ Metrics ─ samples
//!  accept, HTTP, upgrade, Hello ─ FrontMetrics ┘
//! ```
//!
//! Nothing is shared while it is counted: a room counts in plain numbers, and a
//! worker adds them up when it is asked, between two steps. What is absent: how a
//! snapshot is shown. [`Metrics::samples`] has a name, an explanation and labels
//! for each number, as any format of metrics wants them.

use std::collections::BTreeMap;

use tickwire_protocol::close::CloseReason;

use crate::room::Counters;
pub use crate::worker::{Lateness, Reading, Shedding};

/// Counts by cause. Causes are constants of the code, so there are few.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// It happened once more.
    pub(crate) fn count(&mut self, cause: &'static str) {
        *self.counts.entry(cause).or_default() += 1;
    }

    /// How often it happened.
    pub fn of(&self, cause: &str) -> u64 {
        self.counts.get(cause).copied().unwrap_or_default()
    }

    /// All causes that there were, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(&cause, &count)| (cause, count))
    }

    fn add(&mut self, other: &Tally) {
        for (cause, count) in other.iter() {
            *self.counts.entry(cause).or_default() += count;
        }
    }
}

/// What became of connections on their way to a room.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FrontMetrics {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those that were sent away because there were as many as there may be.
    pub no_place: u64,
    /// Requests that got an error, by the code of the answer.
    pub requests_refused: Tally,
    /// Connections that ended before or in a request, by cause.
    pub http_failed: Tally,
    /// Connections that became WebSockets.
    pub upgraded: u64,
    /// WebSockets that did not get as far as a room, by cause.
    pub hellos_refused: Tally,
    /// How WebSockets ended that did not get as far as a worker, by cause.
    pub ended: Tally,
}

/// What a worker and its rooms did.
#[derive(Clone, Debug, Default)]
pub struct WorkerMetrics {
    /// The share of time that it is busy, 0 to 1, over the last seconds.
    pub busy: f64,
    /// What it gives up, because steps begin too late.
    pub sheds: Shedding,
    /// When it reads what comes.
    pub reading: Reading,
    /// How late ticks began.
    pub lateness: Lateness,
    /// How connections ended, by cause.
    pub ended: Tally,
    /// What its rooms did, by game; those that are over too.
    pub games: BTreeMap<&'static str, GameMetrics>,
}

/// What the rooms of one game did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GameMetrics {
    /// Rooms that there are.
    pub rooms: u64,
    /// Players who have a seat.
    pub players: u64,
    /// Rooms that were made.
    pub rooms_made: u64,
    /// Rooms that ended because their game panicked.
    pub rooms_panicked: u64,
    /// Rooms that ended because they could not go on in another way.
    pub rooms_failed: u64,
    /// Calls of the game that took longer than
    /// [`LONG_CALL`](crate::worker::LONG_CALL).
    pub long_calls: u64,
    /// What happened in the rooms.
    pub counters: Counters,
}

impl GameMetrics {
    fn add(&mut self, other: &GameMetrics) {
        self.rooms += other.rooms;
        self.players += other.players;
        self.rooms_made += other.rooms_made;
        self.rooms_panicked += other.rooms_panicked;
        self.rooms_failed += other.rooms_failed;
        self.long_calls += other.long_calls;
        self.counters += other.counters;
    }
}

/// What happened on a server since it began, and what is there now.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Connections that there are, of any kind.
    pub connections: usize,
    /// On the way to a room.
    pub front: FrontMetrics,
    /// By worker.
    pub workers: Vec<WorkerMetrics>,
}

impl Metrics {
    /// What the rooms of a game did, on all workers.
    pub fn game(&self, name: &str) -> GameMetrics {
        let mut all = GameMetrics::default();
        for worker in &self.workers {
            if let Some(game) = worker.games.get(name) {
                all.add(game);
            }
        }
        all
    }

    /// What all rooms did.
    pub fn rooms(&self) -> GameMetrics {
        let mut all = GameMetrics::default();
        self.workers.iter().flat_map(|worker| worker.games.values()).for_each(|it| all.add(it));
        all
    }

    /// How WebSockets ended, by cause.
    pub fn ended(&self) -> Tally {
        let mut all = self.front.ended.clone();
        self.workers.iter().for_each(|worker| all.add(&worker.ended));
        all
    }

    /// How late ticks began, on all workers.
    pub fn lateness(&self) -> Lateness {
        let mut all = Lateness::default();
        self.workers.iter().for_each(|worker| all.add(&worker.lateness));
        all
    }

    /// Every number, with its name. Those of one name follow each other.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Samples::default();
        self.front_samples(&mut samples);
        samples.tally("sockets_ended", "How WebSockets ended.", "cause", &self.ended());
        for (index, worker) in self.workers.iter().enumerate() {
            let help = "The share of time that a worker is busy.";
            samples.gauge("worker_busy", help, vec![("worker", index.to_string())], worker.busy);
        }
        for (index, worker) in self.workers.iter().enumerate() {
            let help =
                "What a worker gives up: 1 every second frame, 2 more and new rooms, 3 joins.";
            let sheds = f64::from(worker.sheds as u8);
            samples.gauge("worker_sheds", help, vec![("worker", index.to_string())], sheds);
        }
        for (index, worker) in self.workers.iter().enumerate() {
            let help = "When a worker reads what comes: 0 at once, 1 with each step of the room, 2 with \
                        every second.";
            let reading = f64::from(worker.reading as u8);
            samples.gauge("worker_reading", help, vec![("worker", index.to_string())], reading);
        }
        let names: Vec<_> = self.workers.iter().flat_map(|it| it.games.keys().copied()).collect();
        let mut games: Vec<_> = names.into_iter().map(|name| (name, self.game(name))).collect();
        games.sort_unstable_by_key(|(name, _)| *name);
        games.dedup_by_key(|(name, _)| *name);
        game_samples(&games, &mut samples);
        samples.all
    }

    fn front_samples(&self, samples: &mut Samples) {
        let FrontMetrics { accepted, no_place, upgraded, .. } = self.front;
        samples.gauge("connections", "Connections of any kind.", vec![], self.connections as f64);
        samples.count("connections_accepted", "Connections that were accepted.", vec![], accepted);
        let help = "Connections for which there was no place.";
        samples.count("connections_refused", help, vec![], no_place);
        let help = "Requests that got an error.";
        samples.tally("requests_refused", help, "code", &self.front.requests_refused);
        let help = "Connections that ended before or in a request.";
        samples.tally("http_failed", help, "cause", &self.front.http_failed);
        samples.count("upgrades", "Connections that became WebSockets.", vec![], upgraded);
        let help = "WebSockets that did not get as far as a room.";
        samples.tally("hellos_refused", help, "cause", &self.front.hellos_refused);
    }
}

fn game_samples(games: &[(&'static str, GameMetrics)], samples: &mut Samples) {
    type Field = (&'static str, &'static str, fn(&GameMetrics) -> u64);
    const GAUGES: [Field; 2] = [
        ("rooms", "Rooms that there are.", |it| it.rooms),
        ("players", "Players who have a seat.", |it| it.players),
    ];
    const COUNTS: [Field; 4] = [
        ("rooms_made", "Rooms that were made.", |it| it.rooms_made),
        ("rooms_panicked", "Rooms whose game panicked.", |it| it.rooms_panicked),
        ("rooms_failed", "Rooms that could not go on.", |it| it.rooms_failed),
        ("long_calls", "Calls of a game that took long.", |it| it.long_calls),
    ];
    let label = |name: &str| vec![("game", name.to_owned())];
    for (metric, help, field) in GAUGES {
        for (name, game) in games {
            samples.gauge(metric, help, label(name), field(game) as f64);
        }
    }
    for (metric, help, field) in COUNTS {
        for (name, game) in games {
            samples.count(metric, help, label(name), field(game));
        }
    }
    for (at, (metric, help, _)) in Counters::default().each().enumerate() {
        for (name, game) in games {
            let count = game.counters.each().nth(at).map_or(0, |(_, _, count)| count);
            samples.count(&format!("room_{metric}"), help, label(name), count);
        }
    }
}

/// One number of a snapshot.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// `tickwire_…`, of lowercase letters and `_`; what only grows ends in `_total`.
    pub name: String,
    /// What it is, for people.
    pub help: &'static str,
    /// Whether it only grows.
    pub grows: bool,
    /// What tells it from others of its name.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

#[derive(Default)]
struct Samples {
    all: Vec<Sample>,
}

impl Samples {
    fn gauge(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Vec<(&'static str, String)>,
        value: f64,
    ) {
        let name = format!("tickwire_{name}");
        self.all.push(Sample { name, help, grows: false, labels, value });
    }

    fn count(
        &mut self,
        name: &str,
        help: &'static str,
        labels: Vec<(&'static str, String)>,
        count: u64,
    ) {
        let name = format!("tickwire_{name}_total");
        self.all.push(Sample { name, help, grows: true, labels, value: count as f64 });
    }

    fn tally(&mut self, name: &str, help: &'static str, label: &'static str, tally: &Tally) {
        for (cause, count) in tally.iter() {
            self.count(name, help, vec![(label, cause.to_owned())], count);
        }
    }
}

/// The label of a reason to close.
pub(crate) fn cause(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Normal => "normal",
        CloseReason::Protocol => "protocol",
        CloseReason::Unsupported => "unsupported",
        CloseReason::BadText => "bad_text",
        CloseReason::Policy => "policy",
        CloseReason::TooBig => "too_big",
        CloseReason::Failed => "failed",
        CloseReason::Restart => "restart",
        CloseReason::TryLater => "try_later",
        CloseReason::BadMessage => "bad_message",
        CloseReason::NotAuthenticated => "not_authenticated",
        CloseReason::Refused => "refused",
        CloseReason::NoSuchRoom => "no_such_room",
        CloseReason::Replaced => "replaced",
        CloseReason::TooSlow => "too_slow",
        CloseReason::SeatUsed => "seat_used",
        CloseReason::WrongNode => "wrong_node",
        CloseReason::Other(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn worker(rooms: u64) -> WorkerMetrics {
        let counters = Counters { frames: 7 * rooms, ..Counters::default() };
        let game = GameMetrics { rooms, counters, ..GameMetrics::default() };
        let mut worker = WorkerMetrics { games: [("arena", game)].into(), ..Default::default() };
        worker.ended.count("eof");
        worker
    }

    #[test]
    fn what_workers_counted_adds_up() {
        let mut metrics = Metrics { workers: vec![worker(1), worker(2)], ..Metrics::default() };
        metrics.front.ended.count("eof");
        metrics.front.ended.count("unmasked");
        assert_eq!((metrics.game("arena").rooms, metrics.rooms().counters.frames), (3, 21));
        assert_eq!(metrics.game("chess"), GameMetrics::default());
        assert_eq!(metrics.ended().iter().collect::<Vec<_>>(), [("eof", 3), ("unmasked", 1)]);
    }

    #[test]
    fn every_sample_has_a_good_name_and_is_there_once() {
        let mut metrics = Metrics { workers: vec![worker(1), worker(2)], ..Metrics::default() };
        metrics.workers[1].games.insert("plaza", GameMetrics::default());
        metrics.front.http_failed.count("headers_late");
        let samples = metrics.samples();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let mut seen = BTreeSet::new();
        let mut names = Vec::new();
        for sample in &samples {
            assert!(sample.name.bytes().all(good) && sample.name.starts_with("tickwire_"));
            assert_eq!(sample.grows, sample.name.ends_with("_total"), "{}", sample.name);
            assert!(!sample.help.is_empty() && sample.help.ends_with('.'), "{sample:?}");
            assert!(seen.insert((&sample.name, &sample.labels)), "{sample:?} is there twice");
            if names.last() != Some(&&sample.name) {
                names.push(&sample.name);
            }
        }
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "those of one name follow each other");
        let frames = samples.iter().find(|sample| sample.name == "tickwire_room_frames_total");
        assert_eq!(frames.map(|sample| sample.value), Some(21.0));
    }
}
