//! What is measured, in which order.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process;
use serde::{Deserialize, Serialize};
use tickwire::config::Config;

use super::capacity;
use super::crowd::Play;
use super::machine::{description, raise_file_limit};
use super::measure::{Sample, Setting, Stage, Time, once, paced};
use super::neighbour::Neighbour;
use super::options::Options;
use super::rows::{Group, Rounds, Row, in_rounds};
use super::server::{Peer, node_folder};
use super::summary;
use super::verify::everybody_moves;

/// Clients that load a core by about a third, by tick rate.
const CLIENTS_FOR: fn(u32) -> usize = |hz| 30_000 / hz as usize;
/// Connections whose memory is measured where nearly nothing goes on.
const IDLE_CLIENTS: usize = 10_000;
/// Clients of a server that is compared with others: few, and as many as the slowest serves.
pub(crate) const COMPARED_CLIENTS: [usize; 2] = [600, 1200];
/// The share of a core at which the lateness of ticks is judged.
pub(crate) const SEVEN: f64 = 0.7;
/// Clients of a server whose memory is compared with others'.
const GROWN_CLIENTS: usize = 600;

/// Everything that a run gave, or several.
#[derive(Serialize, Deserialize)]
struct Results {
    machine: String,
    rows: Vec<Row>,
}

/// Measures one part.
type Part = fn(&Options) -> io::Result<Vec<Row>>;

/// Measures all that is asked for.
pub(crate) fn run(words: &[&str]) -> io::Result<()> {
    let mut options = Options::read(words)?;
    raise_file_limit()?;
    if !options.peers.is_empty() && !node_is_ready() {
        options.peers.clear();
    }
    println!("Fan-out on {}; {} rounds", description(), options.rounds.count);
    if options.has("check") {
        for peer in [Peer::Tickwire].into_iter().chain(options.peers.iter().copied()) {
            everybody_moves(peer)?;
        }
    }
    let mut results = Results { machine: description(), rows: Vec::new() };
    Row::title();
    let parts: [(&str, Part); 8] = [
        ("fanout", fanout),
        ("peers", peers),
        ("load", load),
        ("neighbour", neighbour),
        ("capacity", capacity),
        ("memory", memory),
        ("workers", workers),
        ("growth", growth),
    ];
    for (name, part) in parts {
        if options.has_any(name) {
            results.rows.extend(part(&options)?);
        }
    }
    if let Some(out) = &options.out {
        fs::write(out, serde_json::to_string_pretty(&results)?)?;
    }
    for earlier in &options.with {
        let earlier: Results = serde_json::from_str(&fs::read_to_string(earlier)?)?;
        results.rows.extend(earlier.rows);
    }
    summary::print(&results.rows);
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
    let mut groups = Vec::new();
    for &hz in &options.hz {
        for &players in &options.players {
            let own = Setting::of(Peer::Tickwire, players, 0, hz);
            let clients = options.clients.unwrap_or(CLIENTS_FOR(hz));
            let own = own.with_clients(clients as f64);
            let ceiling = Setting { peer: Peer::Ceiling, ..own };
            let held = |of| Setting { play: Play::Held, ..of };
            let shared = Setting { peer: Peer::Shared, ..own };
            let all = [ceiling, own, held(own), held(ceiling), shared];
            groups.push(Group::new("fanout", all));
        }
    }
    in_rounds(&groups, options.rounds, |setting| once(setting, options.time()))
}

/// All servers, the ceiling first.
fn all_servers(options: &Options, of: impl Fn(Peer) -> Setting) -> Vec<Setting> {
    let own = [Peer::Ceiling, Peer::Tickwire];
    own.into_iter().chain(options.peers.iter().copied()).map(of).collect()
}

/// Against what others use, at 20 Hz, all with the same clients.
fn peers(options: &Options) -> io::Result<Vec<Row>> {
    let mut groups = Vec::new();
    for clients in COMPARED_CLIENTS {
        for players in [50, 200] {
            let of = |peer| Setting::of(peer, players, clients, 20);
            groups.push(Group::new("peers", all_servers(options, of)));
        }
    }
    in_rounds(&groups, options.rounds, |setting| once(setting, options.time()))
}

/// Frames' regularity at half load, and ticks' at seven tenths.
fn load(options: &Options) -> io::Result<Vec<Row>> {
    let time = Time { window: 2 * options.time().window, ..options.time() };
    let (mut half, mut seven) = (Vec::new(), Vec::new());
    for &hz in &options.hz {
        let first = Setting::of(Peer::Tickwire, 50, CLIENTS_FOR(hz), hz);
        let found = loaded(first, 0.5, options.time())?;
        let ceiling = Setting { peer: Peer::Ceiling, ..found };
        half.push(Group::new("load/half", [ceiling, found]));
        let more = [loaded(ceiling, SEVEN, options.time())?, loaded(found, SEVEN, options.time())?];
        seven.push(Group::new("load/seven", more));
    }
    let mut rows = in_rounds(&half, options.rounds, |setting| once(setting, time))?;
    rows.extend(in_rounds(&seven, options.rounds, |setting| at_load(setting, SEVEN, time))?);
    Ok(rows)
}

/// How late ticks begin beside a process that has something to do once in a while: of workers
/// that come first, and of others.
fn neighbour(options: &Options) -> io::Result<Vec<Row>> {
    let first = Config::default().worker_nice;
    if process::nice(first).and_then(|_| process::nice(-first)).is_err() {
        println!("skipped: workers may not come first here, that takes CAP_SYS_NICE");
        return Ok(Vec::new());
    }
    let time = Time { window: 2 * options.time().window, ..options.time() };
    let mut groups = Vec::new();
    for &hz in &options.hz {
        let first = Setting::of(Peer::Tickwire, 50, CLIENTS_FOR(hz), hz);
        let found = loaded(first, SEVEN, options.time())?;
        groups.push(Group::new("neighbour", [Setting { nice: 0, ..found }, found]));
    }
    let _neighbour = Neighbour::start()?;
    in_rounds(&groups, options.rounds, |setting| at_load(setting, SEVEN, time))
}

/// The setting with as many clients as load the server so far; the cost of a
/// client changes with their number, so this is looked for in two steps.
fn loaded(setting: Setting, share: f64, time: Time) -> io::Result<Setting> {
    let mut found = setting;
    for _ in 0..2 {
        found = found.with_load(share, &once(&found, time)?);
    }
    Ok(found)
}

/// Measures once, and again with more or fewer clients if the machine is not as fast as it
/// was when they were counted.
fn at_load(setting: &Setting, share: f64, time: Time) -> io::Result<Sample> {
    let mut sample = once(setting, time)?;
    for _ in 0..2 {
        if sample.loads(share) {
            break;
        }
        sample = once(&setting.with_load(share, &sample), time)?;
    }
    Ok(sample)
}

/// How many clients one core serves. Each server is a group of its own: looking for
/// the most takes long, and disturbed windows are left out within it.
fn capacity(options: &Options) -> io::Result<Vec<Row>> {
    let mut groups = Vec::new();
    for &hz in &options.hz {
        let of = |peer: Peer| {
            let clients = if peer.in_node() { 8_000 } else { 24_000 } / hz as usize;
            Setting::of(peer, 50, 0, hz).with_clients(clients as f64)
        };
        let alone = |setting| Group::new("capacity", [setting]);
        groups.extend(all_servers(options, of).into_iter().map(alone));
    }
    let rounds = Rounds { tries_max: 2, ..options.rounds };
    in_rounds(&groups, rounds, |setting| capacity::most(setting, options.time()))
}

/// Memory of connections in rooms where nearly nothing goes on, and of players.
fn memory(options: &Options) -> io::Result<Vec<Row>> {
    let idle = Setting::of(Peer::Tickwire, 50, IDLE_CLIENTS, 1);
    let playing = Setting::of(Peer::Tickwire, 50, 1500, 20);
    let time = Time { warm: Duration::from_secs(2), ..options.time() };
    let groups = [Group::new("memory/idle", [idle]), Group::new("memory/playing", [playing])];
    let mut rows = in_rounds(&groups, options.rounds, |setting| once(setting, time))?;
    let of = |peer| Setting::of(peer, 50, GROWN_CLIENTS / 3, 20);
    let group = Group::new("memory/grown", all_servers(options, of));
    rows.extend(in_rounds(&[group], options.rounds, |setting| grown(setting, time))?);
    Ok(rows)
}

/// The memory of those who join a server that is warm: what it needs without
/// clients, which is much in Node, is not theirs.
fn grown(setting: &Setting, time: Time) -> io::Result<Sample> {
    paced(|| {
        let mut stage = Stage::set(setting)?;
        stage.play(time.warm)?;
        stage.count_memory_from_here()?;
        stage.grow(GROWN_CLIENTS - setting.clients)?;
        stage.play(time.warm)?;
        stage.window(time.window)
    })
}

/// Two workers on both cores against one on one of them, all with as much to do as they can.
fn workers(options: &Options) -> io::Result<Vec<Row>> {
    let time = Time { warm: Duration::from_secs(1), window: Duration::from_secs(2) };
    let one = Setting::of(Peer::Tickwire, 50, 7000, 20);
    let group = Group::new("workers", [one, Setting { workers: 2, nice: 0, ..one }]);
    in_rounds(&[group], options.rounds, |setting| full(setting, time))
}

/// Measures with as many clients as leave the server no time, or a few more: what is
/// too much is merged, but with many more, steps would be taken for frames that are not sent.
fn full(setting: &Setting, time: Time) -> io::Result<Sample> {
    let mut sample = once(setting, time)?;
    for _ in 0..3 {
        if sample.is_full() {
            break;
        }
        sample = once(&setting.with_clients(sample.filling_clients()), time)?;
    }
    Ok(sample)
}

/// How the cost grows, one thing at a time.
fn growth(options: &Options) -> io::Result<Vec<Row>> {
    let usual = Setting::of(Peer::Tickwire, 50, 1000, 20);
    let curves = [
        (
            "growth/players",
            [5, 10, 25, 50, 100, 200].map(|players| Setting { players, ..usual }).to_vec(),
        ),
        (
            "growth/rooms",
            [1, 4, 10, 20, 40].map(|rooms| Setting { clients: 50 * rooms, ..usual }).to_vec(),
        ),
        (
            "growth/rate",
            [10, 20, 30, 60, 120].map(|hz| Setting { hz, clients: 400, ..usual }).to_vec(),
        ),
        (
            "growth/entities",
            [0, 50, 200, 500].map(|npcs| Setting { npcs, clients: 500, ..usual }).to_vec(),
        ),
    ];
    let mut groups = Vec::new();
    for (part, settings) in curves.iter().filter(|(part, _)| options.has(part)) {
        for &own in settings {
            groups.push(Group::new(part, [Setting { peer: Peer::Ceiling, ..own }, own]));
        }
    }
    in_rounds(&groups, options.rounds, |setting| once(setting, options.time()))
}
