//! The fan-out: what it costs to tell everybody in a room what everybody does.
//!
//! `cargo bench --bench fanout` measures, in turns and on the same work, *the
//! ceiling* (a bare epoll loop: what the kernel alone takes), Tickwire, and where
//! Node is there `ws`, Socket.IO and Colyseus; and prints a table. Servers run on
//! core 0, the load on core 1. Options come after `--`; `--help` tells them.
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
mod late;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod neighbour;
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
fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().map_err(std::io::Error::other);
    match words[..] {
        ["serve", ceiling @ ("ceiling" | "shared"), players, hz, _, npcs, _] => {
            ceiling::serve(number(players)?, number(hz)? as u32, number(npcs)?, ceiling == "shared")
        }
        ["serve", "tickwire", players, hz, workers, npcs, nice] => host::serve(
            number(players)?,
            number(hz)? as u32,
            number(workers)?,
            number(npcs)? as u32,
            nice.parse().map_err(std::io::Error::other)?,
        ),
        ["neighbour"] => neighbour::live(),
        _ if words.contains(&"--help") => {
            print!("cargo bench --bench fanout -- OPTIONS\n\n{}", options::HELP);
            Ok(())
        }
        _ => parts::run(&words),
    }
}
