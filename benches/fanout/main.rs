//! The fan-out: what a client-frame costs.

#![cfg_attr(not(target_os = "linux"), allow(unused))]

mod ceiling;
mod crowd;
mod dialect;
mod game;
mod host;
mod machine;
mod measure;
mod server;

use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().map_err(io::Error::other);
    match words[..] {
        ["serve", "ceiling", players, hz, _] => {
            ceiling::serve(number(players)?, number(hz)? as u32)
        }
        ["serve", "tickwire", players, hz, workers] => {
            host::serve(number(players)?, number(hz)? as u32, number(workers)?)
        }
        ["probe", peer, play, players, clients, hz, secs, ..] => {
            machine::raise_file_limit()?;
            let setting = measure::Setting {
                peer: server::Peer::named(peer).unwrap(),
                play: if play == "held" { crowd::Play::Held } else { crowd::Play::EveryTick },
                players: number(players)?,
                clients: number(clients)?,
                hz: number(hz)? as u32,
                workers: 1,
            };
            let time = measure::Time {
                warm: Duration::from_millis(700),
                window: Duration::from_millis((secs.parse::<f64>().unwrap() * 1000.0) as u64),
            };
            let s = measure::measure(&setting, time)?;
            println!(
                "{peer:9} {play} {players}x{clients}@{hz}: cpu {:.2} us, user {:.0}%, load {:.2}, bytes {:.1}, mem {:.1} KiB, p50 {:.2} p99 {:.2} ms, echo {:.2}/{:.2}, delivered {:.3}, lost {}, gen cpu {:.2}, behind {:?}, late {:?}",
                s.cpu_us(),
                s.cpu.user_share() * 100.0,
                s.load(),
                s.bytes(),
                s.memory / 1024.0,
                measure::quantile_ms(&s.seen.intervals, 0.5),
                measure::quantile_ms(&s.seen.intervals, 0.99),
                measure::quantile_ms(&s.seen.echoes, 0.5),
                measure::quantile_ms(&s.seen.echoes, 0.99),
                s.delivered(),
                s.seen.lost,
                s.seen.cpu.as_secs_f64() / s.seen.took.as_secs_f64(),
                s.seen.behind,
                s.late
            );
            Ok(())
        }
        _ => Ok(()),
    }
}
