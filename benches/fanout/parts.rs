//! What is measured, in which order.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::crowd::Play;
use super::machine::{description, raise_file_limit};
use super::measure::{Setting, Time, measure};
use super::rows::Row;
use super::server::{Peer, node_folder};
use super::verify::everybody_moves;

/// Clients that load a core by about a third, by tick rate.
const CLIENTS_FOR: fn(u32) -> usize = |hz| 30_000 / hz as usize;
/// Connections whose memory is measured.
const IDLE_CLIENTS: usize = 10_000;

/// What is asked for on the command line.
struct Options {
    quick: bool,
    rounds: usize,
    hz: Vec<u32>,
    players: Vec<usize>,
    peers: Vec<Peer>,
    parts: Vec<String>,
    out: Option<String>,
}

impl Options {
    fn read(words: &[&str]) -> io::Result<Options> {
        let quick = words.contains(&"--quick");
        let value = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let list = |name: &str, usual: &str| -> Vec<String> {
            let given = value(name).unwrap_or(usual);
            given.split(',').map(str::to_owned).collect()
        };
        let numbers = |name: &str, usual: &str| -> io::Result<Vec<usize>> {
            let all = list(name, usual);
            all.iter().map(|word| word.parse().map_err(io::Error::other)).collect()
        };
        let parts = if quick { "check,fanout" } else { PARTS };
        Ok(Options {
            quick,
            rounds: numbers("--rounds", if quick { "1" } else { "5" })?[0],
            hz: numbers("--hz", if quick { "20" } else { "20,60" })?
                .iter()
                .map(|hz| *hz as u32)
                .collect(),
            players: numbers("--players", if quick { "50" } else { "8,50,200" })?,
            peers: list("--peers", "ws,socketio,colyseus")
                .iter()
                .filter_map(|name| Peer::named(name))
                .collect(),
            parts: list("--parts", parts),
            out: value("--out").map(str::to_owned),
        })
    }

    fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|asked| asked == part)
    }

    fn time(&self) -> Time {
        let window = if self.quick { 800 } else { 1500 };
        Time { warm: Duration::from_millis(600), window: Duration::from_millis(window) }
    }
}

const PARTS: &str = "check,fanout,peers,load,capacity,memory,workers,growth";

/// Measures one part.
type Part = fn(&Options) -> io::Result<Vec<Row>>;

/// Measures all that is asked for.
pub(crate) fn run(words: &[&str]) -> io::Result<()> {
    let mut options = Options::read(words)?;
    raise_file_limit()?;
    if !options.peers.is_empty() && !node_is_ready() {
        options.peers.clear();
    }
    println!("Fan-out on {}; medians of {} rounds", description(), options.rounds);
    let mut rows = Vec::new();
    if options.has("check") {
        for peer in [Peer::Tickwire].into_iter().chain(options.peers.iter().copied()) {
            everybody_moves(peer)?;
        }
    }
    Row::title();
    let parts: [(&str, Part); 7] = [
        ("fanout", fanout),
        ("peers", peers),
        ("load", load),
        ("capacity", capacity),
        ("memory", memory),
        ("workers", workers),
        ("growth", growth),
    ];
    for (name, part) in parts {
        if options.has(name) {
            rows.extend(part(&options)?);
        }
    }
    if let Some(out) = &options.out {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        let all = json!({ "machine": description(), "rounds": options.rounds, "rows": rows });
        fs::write(out, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

/// Whether the servers for Node can run; installs their packages if need be.
fn node_is_ready() -> bool {
    let runs = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !runs(Command::new("node").arg("--version").stdout(Stdio::null())) {
        println!("skipped: there is no Node, so nothing to compare with");
        return false;
    }
    let installed = node_folder().join("node_modules/ws/package.json").exists()
        || runs(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--silent"])
                .current_dir(node_folder())
                .stdout(Stdio::null()),
        );
    if !installed {
        println!("skipped: npm could not install the servers to compare with");
    }
    installed
}

/// The cost of a client-frame against the ceiling's.
fn fanout(options: &Options) -> io::Result<Vec<Row>> {
    let mut all = Vec::new();
    for &hz in &options.hz {
        for &players in &options.players {
            let clients = CLIENTS_FOR(hz) / players * players;
            let own = Setting::of(Peer::Tickwire, players, clients, hz);
            let settings =
                [Setting { peer: Peer::Ceiling, ..own }, own, Setting { play: Play::Held, ..own }];
            let rows = Row::interleaved("fanout", &settings, options.rounds, options.time())?;
            println!(
                "          {players} players, {hz} Hz: {:.2} x the ceiling, real play {:.2} x",
                rows[1].ratio(&rows[0]),
                rows[2].ratio(&rows[0])
            );
            all.extend(rows);
        }
    }
    Ok(all)
}

/// Against what others use, at 20 Hz; each at about half of what it can do.
fn peers(options: &Options) -> io::Result<Vec<Row>> {
    let mut all = Vec::new();
    for players in [50, 200] {
        let mut settings = vec![Setting::of(Peer::Tickwire, players, 1200, 20)];
        for &peer in &options.peers {
            let clients = if peer == Peer::Ws { 800 } else { 400 };
            settings.push(Setting::of(peer, players, clients, 20));
        }
        let rows = Row::interleaved("peers", &settings, options.rounds, options.time())?;
        for row in &rows[1..] {
            println!(
                "          {players} players: {:.2} x the processor time and {:.2} x the bytes of {}",
                rows[0].ratio(row),
                rows[0].bytes() / row.bytes(),
                row.setting.peer
            );
        }
        all.extend(rows);
    }
    Ok(all)
}

/// Frames' regularity at half load, and ticks' at seven tenths.
fn load(options: &Options) -> io::Result<Vec<Row>> {
    let time = Time { window: 2 * options.time().window, ..options.time() };
    let half = Setting::of(Peer::Tickwire, 50, 2500, 20);
    let settings =
        [Setting { peer: Peer::Ceiling, ..half }, half, Setting { clients: 3500, ..half }];
    let rows = Row::interleaved("load", &settings, options.rounds.min(3), time)?;
    println!(
        "          p99 of the frame interval at half load: {:.3} x the ceiling's",
        rows[1].interval_p99() / rows[0].interval_p99()
    );
    Ok(rows)
}

/// How many clients one core serves: the most that still get 95 % of their frames,
/// and 99 of 100 within two ticks.
fn capacity(options: &Options) -> io::Result<Vec<Row>> {
    let all = [Peer::Ceiling, Peer::Tickwire].into_iter().chain(options.peers.iter().copied());
    let mut rows = Vec::new();
    for peer in all {
        let (players, hz) = (50, 20);
        let first = if peer.in_node() { 400 } else { 1500 };
        let setting = Setting::of(peer, players, first, hz);
        let mut found = Row::interleaved("capacity", &[setting], 1, options.time())?;
        let whole = 1e6 / (found[0].cpu_us() * f64::from(hz));
        let mut most = 0;
        for share in [0.7, 0.8, 0.9, 1.0, 1.1, 1.2] {
            let clients = (whole * share) as usize / players * players;
            let sample = measure(&Setting { clients, ..setting }, options.time())?;
            if !sample.playable() {
                break;
            }
            most = clients;
        }
        println!("          {peer}: {most} clients on one core at {hz} Hz");
        found[0].capacity = Some(most);
        rows.extend(found);
    }
    Ok(rows)
}

/// Memory of connections in rooms where nearly nothing goes on, and of players.
fn memory(options: &Options) -> io::Result<Vec<Row>> {
    let idle = Setting::of(Peer::Tickwire, 50, IDLE_CLIENTS, 1);
    let playing = Setting::of(Peer::Tickwire, 50, 1500, 20);
    let time = Time { warm: Duration::from_secs(2), ..options.time() };
    Row::interleaved("memory", &[idle, playing], 1, time)
}

/// Two workers on both cores against one on one of them.
fn workers(options: &Options) -> io::Result<Vec<Row>> {
    let one = Setting::of(Peer::Tickwire, 50, 1500, 20);
    let two = Setting { workers: 2, ..one };
    let rows = Row::interleaved("workers", &[one, two], options.rounds, options.time())?;
    println!("          2 workers do {:.2} x the work of 1", rows[1].scaling(&rows[0]));
    Ok(rows)
}

/// How the cost grows, one thing at a time.
fn growth(options: &Options) -> io::Result<Vec<Row>> {
    let usual = Setting::of(Peer::Tickwire, 50, 1000, 20);
    let mut settings = Vec::new();
    settings.extend([5, 10, 25, 100, 200].map(|players| Setting { players, ..usual }));
    settings.extend([1, 4, 10, 40].map(|rooms| Setting { clients: 50 * rooms, ..usual }));
    settings.extend([10, 30, 60, 120].map(|hz| Setting { hz, clients: 400, ..usual }));
    settings.extend([0, 50, 200, 500].map(|npcs| Setting { npcs, clients: 500, ..usual }));
    let ceiling: Vec<Setting> = settings
        .iter()
        .filter(|setting| setting.npcs == 0)
        .map(|setting| Setting { peer: Peer::Ceiling, ..*setting })
        .collect();
    settings.push(usual);
    settings.extend(ceiling);
    Row::interleaved("growth", &settings, options.rounds.min(3), options.time())
}
