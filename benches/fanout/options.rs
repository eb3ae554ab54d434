//! What is asked for on the command line.

use std::io;
use std::time::Duration;

use super::measure::Time;
use super::rows::Rounds;
use super::server::Peer;

const PARTS: &str = "check,fanout,peers,load,neighbour,capacity,memory,workers,growth";
const GROWTH: [&str; 4] = ["growth/players", "growth/rooms", "growth/rate", "growth/entities"];

pub(crate) const HELP: &str = "\
  --quick          one short round of the least of it
  --rounds N       rounds of each setting (5)
  --hz 20,60       tick rates
  --players 8,50   players of a room
  --clients N      clients in the part `fanout` (30,000 / Hz)
  --peers ws,…     what to compare with: ws, socketio, colyseus, none
  --parts a,b      of: check, fanout, peers, load, neighbour, capacity, memory,
                   workers, growth (and growth/players, growth/rooms, growth/rate,
                   growth/entities); none: only the summary of `--with`
  --out FILE       the results as JSON, for `benches/fanout/plot.py`
  --with a,b       results of earlier runs, for the summary
";

/// Options that a value follows.
const WITH_VALUE: [&str; 8] =
    ["--rounds", "--hz", "--players", "--clients", "--peers", "--parts", "--out", "--with"];

/// What to measure.
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: Rounds,
    pub(crate) hz: Vec<u32>,
    pub(crate) players: Vec<usize>,
    /// Clients of the settings whose cost is compared with the ceiling's.
    pub(crate) clients: Option<usize>,
    pub(crate) peers: Vec<Peer>,
    parts: Vec<String>,
    /// Where the results go.
    pub(crate) out: Option<String>,
    /// Results of earlier runs, for the summary.
    pub(crate) with: Vec<String>,
}

impl Options {
    pub(crate) fn read(words: &[&str]) -> io::Result<Options> {
        known(words)?;
        let quick = words.contains(&"--quick");
        let value = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let list = |name: &str, usual: &str| -> Vec<String> {
            let given = value(name).unwrap_or(usual);
            given.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let numbers = |name: &str, usual: &str| -> io::Result<Vec<usize>> {
            let all = list(name, usual);
            all.iter().map(|word| word.parse().map_err(io::Error::other)).collect()
        };
        let rounds = numbers("--rounds", if quick { "1" } else { "5" })?;
        let hz = numbers("--hz", if quick { "20" } else { "20,60" })?;
        Ok(Options {
            quick,
            rounds: Rounds {
                count: rounds.first().copied().unwrap_or(1),
                tries_max: if quick { 1 } else { 3 },
            },
            hz: hz.iter().map(|hz| *hz as u32).collect(),
            players: numbers("--players", if quick { "50" } else { "8,50,200" })?,
            clients: numbers("--clients", "")?.first().copied(),
            peers: peers(&list("--peers", "ws,socketio,colyseus"))?,
            parts: parts(list("--parts", if quick { "check,fanout" } else { PARTS }))?,
            out: value("--out").map(str::to_owned),
            with: list("--with", ""),
        })
    }

    /// Whether a part is asked for, or the whole that it belongs to.
    pub(crate) fn has(&self, part: &str) -> bool {
        let whole = part.split('/').next();
        self.parts.iter().any(|asked| asked == part || Some(asked.as_str()) == whole)
    }

    /// Whether anything of a whole is asked for.
    pub(crate) fn has_any(&self, whole: &str) -> bool {
        self.parts.iter().any(|asked| asked.split('/').next() == Some(whole))
    }

    pub(crate) fn time(&self) -> Time {
        // A server may take a second or two to get used to its load.
        let (warm, window) = if self.quick { (600, 800) } else { (2000, 1500) };
        Time { warm: Duration::from_millis(warm), window: Duration::from_millis(window) }
    }
}

/// The named servers that run in Node; the others are always there.
fn peers(names: &[String]) -> io::Result<Vec<Peer>> {
    let named = |name: &String| {
        let peer = Peer::named(name).filter(|peer| peer.in_node());
        peer.ok_or_else(|| io::Error::other(format!("--peers {name}: no such server; try --help")))
    };
    names.iter().filter(|name| *name != "none").map(named).collect()
}

/// The parts, if there are such.
fn parts(names: Vec<String>) -> io::Result<Vec<String>> {
    let is_part = |name: &str| {
        name == "none" || GROWTH.contains(&name) || PARTS.split(',').any(|part| part == name)
    };
    match names.iter().find(|name| !is_part(name)) {
        Some(name) => Err(io::Error::other(format!("--parts {name}: no such part; try --help"))),
        None => Ok(names),
    }
}

/// Whether every word is an option, or the value of one.
fn known(words: &[&str]) -> io::Result<()> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let fine = match *word {
            // Cargo says this to every benchmark.
            "--quick" | "--bench" => true,
            word => WITH_VALUE.contains(&word) && words.next().is_some(),
        };
        if !fine {
            return Err(io::Error::other(format!("{word}: not understood; try --help")));
        }
    }
    Ok(())
}
