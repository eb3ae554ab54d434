//! The part of the guard that takes tools: system calls by `strace`, instructions by
//! `valgrind`. Where one is missing or not permitted, this says so and goes on.
//!
//!   cargo bench -p tickwire --bench counts                 holds them against committed.json
//!   cargo bench -p tickwire --bench counts -- --update     writes that, with all its figures
//!
//! With `-p`, the server has the features that it is shipped with: others of this workspace
//! would have it use a system call that valgrind 3.19 does not know.

#![allow(clippy::unwrap_used, reason = "a check fails by panicking")]

#[path = "../slow/client.rs"]
mod client;
#[path = "../slow/clockwork.rs"]
mod clockwork;
mod crowd;
#[path = "../dice/mod.rs"]
mod dice;
mod figures;
#[path = "../../benches/fanout/game.rs"]
mod game;
mod tools;

use std::process::ExitCode;

use crowd::play;
use figures::{BYTES_TICKS, Figures, SIZES, agrees, compiler};

/// Players of the room whose system calls and instructions are counted.
const PLAYERS: usize = 50;
/// Ticks in which they are.
const TICKS: u32 = 100;
/// How far instructions may be from what was committed: code that did not change moves by
/// less when something beside it does.
const INSTRUCTIONS_SHARE: f64 = 0.05;

fn main() -> ExitCode {
    // Cargo says `--bench`.
    let args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match &*args.iter().map(String::as_str).collect::<Vec<_>>() {
        [tools::PLAY] => {
            play(PLAYERS, TICKS);
            ExitCode::SUCCESS
        }
        [] => check(),
        ["--update"] => update(),
        _ => {
            eprintln!("counts: unknown arguments {args:?}; there is --update");
            ExitCode::from(2)
        }
    }
}

/// Counts what a tick takes, and says whether it is as committed.
fn check() -> ExitCode {
    let committed = Figures::read();
    let mut problems = Vec::new();
    let mut hold = |what: &str, counted: f64, committed: f64, share: f64| {
        println!("{what:<32}{counted:>10.2}{committed:>12.2} committed");
        problems.extend(agrees(what, counted, committed, share).err());
    };
    match tools::system_calls(PLAYERS, TICKS) {
        Ok(counted) => {
            let of = committed.system_calls;
            hold("sends per client and tick", counted.sends, of.sends, 0.0);
            hold("receives per client and tick", counted.receives, of.receives, 0.0);
            hold("other system calls per tick", counted.others, of.others, 0.0);
        }
        Err(why) => println!("skipped: system calls ({why})"),
    }
    match tools::instructions(PLAYERS, TICKS) {
        Ok(counted) => {
            let same = compiler() == committed.compiler;
            let share = if same { INSTRUCTIONS_SHARE } else { f64::INFINITY };
            let of = committed.instructions_per_client_frame;
            hold("instructions per client-frame", counted, of, share);
            if !same {
                println!("not compared: {} is not {}", compiler(), committed.compiler);
            }
        }
        Err(why) => println!("skipped: instructions ({why})"),
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Commits all that can be counted here.
fn update() -> ExitCode {
    let mut figures = Figures::read();
    for players in SIZES {
        let bytes = play(players, BYTES_TICKS).bytes_per_client_frame();
        figures.bytes_per_client_frame.insert(players, bytes);
    }
    match tools::system_calls(PLAYERS, TICKS) {
        Ok(counted) => figures.system_calls = counted,
        Err(why) => println!("system calls stay as they were ({why})"),
    }
    match tools::instructions(PLAYERS, TICKS) {
        Ok(counted) => {
            figures.instructions_per_client_frame = counted.round();
            figures.compiler = compiler();
        }
        Err(why) => println!("instructions stay as they were ({why})"),
    }
    figures.write();
    ExitCode::SUCCESS
}
