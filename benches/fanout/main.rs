//! The fan-out: what it costs to tell everybody in a room what everybody does.
//!
//! `cargo bench --bench fanout` measures, in turns and on the same work, *the
//! ceiling* (a bare epoll loop: what the kernel alone takes), Tickwire, and where
//! Node is there `ws`, Socket.IO and Colyseus; and prints a table. Servers run on
//! core 0, the load on core 1. Options after `--`:
//!
//! ```text
//!   --quick          one short round of the least of it
//!   --rounds N       rounds of each setting (5)
//!   --hz 20,60       tick rates
//!   --players 8,50   players of a room
//!   --clients N      clients in the part `fanout` (30,000 / Hz)
//!   --peers ws,…     what to compare with: ws, socketio, colyseus, none
//!   --parts a,b      of: check, fanout, peers, load, capacity, memory, workers, growth
//!                    (and growth/players, growth/rooms, growth/rate, growth/entities);
//!                    none: only the summary of `--with`
//!   --out FILE       the results as JSON, for `benches/fanout/plot.py`
//!   --with a,b       results of earlier runs, for the summary
//! ```
//!
//! How it measures: docs/PERFORMANCE.md.

#[cfg(target_os = "linux")]
mod capacity;
#[cfg(target_os = "linux")]
mod ceiling;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod dialect;
#[cfg(target_os = "linux")]
mod game;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod parts;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod spread;
#[cfg(target_os = "linux")]
mod summary;
#[cfg(target_os = "linux")]
mod verify;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: the fan-out is measured on Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().map_err(std::io::Error::other);
    match words[..] {
        ["serve", "ceiling", players, hz, _, npcs] => {
            ceiling::serve(number(players)?, number(hz)? as u32, number(npcs)?)
        }
        ["serve", "tickwire", players, hz, workers, npcs] => host::serve(
            number(players)?,
            number(hz)? as u32,
            number(workers)?,
            number(npcs)? as u32,
        ),
        _ => parts::run(&words),
    }
}
