//! A swarm of bots that loads a Tickwire server and reports what each of them saw.
//!
//! ```text
//! flags ─► settings ─► plan ─► swarm of bots ─► tallies ─► course ─► live view
//!                                                  └───────► report ─► json, html, gate
//! ```

mod bot;
mod course;
mod crew;
mod dice;
mod meter;
mod net;
mod plan;
mod play;
mod settings;
mod swarm;
mod tally;

use clap::Parser;
use settings::{Arguments, Order, Mix};

fn main() {
    let order = Arguments::parse().order().unwrap_or_else(|error| error.exit());
    let Order::Run(settings) = order else { return };
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let door = net::Door::new(settings.url.clone());
        let games = door.games().await.unwrap();
        let game = games[0].clone();
        let mix = settings.behaviour.clone().unwrap_or_else(|| Mix::for_game(&game.name));
        let plans = plan::plan(&settings, &mix);
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let mut course = course::Course::new(settings.threads);
        let swarm = swarm::Swarm::start(&settings, &game, plans, std::time::Instant::now(), &tx).unwrap();
        drop(tx);
        while let Some(b) = rx.recv().await {
            if course.add(&b) {
                let p = course.points.last().unwrap();
                println!("{:?} mem {:?}", p, meter::memory());
            }
        }
        let out = swarm.join().unwrap();
        for o in out {
            println!("{:?} arrived {} failed {} refused {:?} failures {:?} {:?} hostile {:?} lost {}", o.gauges, o.arrived, o.failed, o.refused, o.tally.failures, o.tally.examples, o.tally.hostile, o.tally.events_lost);
            for g in [&o.tally.healthy, &o.tally.faulty] { for m in tally::Measure::ALL { let t = g.of(m); println!("{m:?} n {} p50 {} p99 {} max {}", t.len(), t.value_at_quantile(0.5), t.value_at_quantile(0.99), t.max()); } }
            println!("late p99 {}", o.tally.late.value_at_quantile(0.99));
        }
    });
}
