//! What was measured in rounds, as lines of the table.

use std::io;

use serde::{Deserialize, Serialize};

use super::crowd::Play;
use super::measure::{Quantiles, Sample, Setting};
use super::spread::Spread;

/// Two measurements of a core's pace that differ by more are of two machines.
const DRIFT_MAX: f64 = 0.15;

/// One setting after all rounds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) part: String,
    pub(crate) setting: Setting,
    pub(crate) samples: Vec<Sample>,
    /// Rounds that were made again because something came in between.
    again: usize,
}

/// Settings that are compared with each other: measured one right after the other.
pub(crate) struct Group {
    part: String,
    settings: Vec<Setting>,
}

impl Group {
    pub(crate) fn new(part: &str, settings: impl Into<Vec<Setting>>) -> Group {
        Group { part: part.to_owned(), settings: settings.into() }
    }
}

/// How often each group is measured.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    /// A round is made at most so often to get one in which nothing comes in between.
    pub(crate) tries_max: usize,
}

/// Measures groups in turns, so that what the machine does meets them all. A group
/// in whose round the machine changed its pace, or others used it, is measured again.
pub(crate) fn in_rounds(
    groups: &[Group],
    rounds: Rounds,
    measure: impl Fn(&Setting) -> io::Result<Sample>,
) -> io::Result<Vec<Row>> {
    let Rounds { count, tries_max } = rounds;
    let empty = |group: &Group| -> Vec<Row> {
        let part = &group.part;
        let row = |&setting| Row { part: part.clone(), setting, samples: Vec::new(), again: 0 };
        group.settings.iter().map(row).collect()
    };
    let mut all: Vec<Vec<Row>> = groups.iter().map(empty).collect();
    for _ in 0..count {
        for rows in &mut all {
            let mut tries = 1;
            let mut samples = round(rows, &measure)?;
            while let Some(why) = unsteady(&samples)
                && tries < tries_max
            {
                eprintln!("{}: {why}, once more", rows[0].part);
                samples = round(rows, &measure)?;
                tries += 1;
            }
            let steady = unsteady(&samples).is_none();
            for (row, sample) in rows.iter_mut().zip(samples) {
                row.samples.push(Sample { steady, ..sample });
                row.again += tries - 1;
            }
        }
    }
    let rows: Vec<Row> = all.into_iter().flatten().collect();
    rows.iter().for_each(Row::print);
    Ok(rows)
}

fn round(
    rows: &[Row],
    measure: impl Fn(&Setting) -> io::Result<Sample>,
) -> io::Result<Vec<Sample>> {
    rows.iter().map(|row| measure(&row.setting)).collect()
}

/// What came in between: a core changed its pace from the first of these to the
/// last, or was somebody else's.
fn unsteady(samples: &[Sample]) -> Option<&'static str> {
    let drifted = (0..2).any(|core| {
        let paces = samples.iter().flat_map(|sample| sample.pace_ms).map(|pace| pace[core]);
        Spread::of(paces).is_some_and(|pace| pace.most > pace.least * (1.0 + DRIFT_MAX))
    });
    if drifted {
        Some("a core changed its pace")
    } else {
        samples.iter().find_map(Sample::disturbed)
    }
}

impl Row {
    /// The samples that count: of steady rounds, or all where there is no steady one.
    fn counted(&self) -> impl Iterator<Item = &Sample> {
        let any = self.samples.iter().any(|sample| sample.steady);
        self.samples.iter().filter(move |sample| sample.steady || !any)
    }

    /// A figure over all rounds; None if it was not measured.
    pub(crate) fn spread(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.counted().filter_map(of))
    }

    pub(crate) fn middle(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.spread(|sample| Some(of(sample))).map_or(f64::NAN, |spread| spread.middle)
    }

    /// A figure of this row over that of another one, in pairs of one round each.
    pub(crate) fn ratio(&self, to: &Row, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        let pairs: Vec<_> = self.samples.iter().zip(&to.samples).collect();
        let good = |pair: &(&Sample, &Sample)| pair.0.steady && pair.1.steady;
        let any = pairs.iter().any(good);
        let pairs = pairs.into_iter().filter(|pair| good(pair) || !any);
        Spread::of(pairs.filter_map(|(this, that)| Some(of(this)? / of(that)?)))
    }

    /// The share of the server's time that was spent outside of the kernel.
    pub(crate) fn user_share(&self) -> f64 {
        let sum = |of: fn(&Sample) -> u64| self.counted().map(of).sum::<u64>() as f64;
        let user = sum(|sample| sample.user_ticks);
        user / (user + sum(|sample| sample.system_ticks))
    }

    /// Rounds that count, and what became of the others.
    pub(crate) fn rounds(&self) -> String {
        let steady = self.samples.iter().filter(|sample| sample.steady).count();
        let again = if self.again > 0 { format!(" +{}", self.again) } else { String::new() };
        match self.samples.len() {
            all if steady == all => format!("{all}{again}"),
            all if steady == 0 => format!("{all} UNSTEADY{again}"),
            all => format!("{steady} of {all}{again}"),
        }
    }

    pub(crate) fn title() {
        println!(
            "Times are medians of steady rounds, with the least and the greatest. Rounds: those that\n\
             count, + those that were made again because a core changed its pace by over 15 %, or\n\
             others had over 12 % of one.\n"
        );
        println!(
            "{:<15} {:<9} {:<5} {:>7} {:>7} {:>3} {:>18} {:>5} {:>5} {:>5} {:>6} {:>6} {:>8} {:>12} {:>12} {:>11} rounds",
            "part",
            "server",
            "play",
            "players",
            "clients",
            "Hz",
            "CPU µs",
            "user%",
            "load%",
            "gen%",
            "steal%",
            "bytes",
            "KiB each",
            "interval ms",
            "echo ms",
            "late µs"
        );
    }

    fn print(&self) {
        let Setting { peer, play, players, hz, workers, nice, .. } = self.setting;
        let play = if play == Play::Held { "held" } else { "every" };
        let name = match self.part.as_str() {
            "neighbour" => format!("nice {nice:+}"),
            _ if workers > 1 => format!("{peer} x{workers}"),
            _ => peer.name().to_owned(),
        };
        let quantiles = |of: fn(&Sample) -> Option<Quantiles>, digits: usize| {
            let p50 = self.spread(|sample| Some(of(sample)?.p50));
            let p99 = self.spread(|sample| Some(of(sample)?.p99));
            p50.zip(p99).map_or("-".to_owned(), |(p50, p99)| {
                format!("{:.digits$}/{:.digits$}", p50.middle, p99.middle)
            })
        };
        let cpu = self.spread(|sample| Some(sample.cpu_us));
        println!(
            "{:<15} {name:<9} {play:<5} {players:>7} {:>7.0} {hz:>3} {:>18} {:>5.0} {:>5.0} {:>5.0} {:>6.1} {:>6.1} {:>8.1} {:>12} {:>12} {:>11} {}",
            self.part,
            self.middle(|sample| sample.clients as f64),
            cpu.map_or(String::new(), |cpu| cpu.shown(2)),
            self.user_share() * 100.0,
            self.middle(|sample| sample.load) * 100.0,
            self.middle(|sample| sample.generator) * 100.0,
            self.middle(|sample| sample.stolen) * 100.0,
            self.middle(|sample| sample.bytes),
            self.middle(|sample| sample.memory) / 1024.0,
            quantiles(|sample| sample.interval_ms, 1),
            quantiles(|sample| sample.echo_ms, 1),
            quantiles(|sample| sample.late_us, 0),
            self.rounds(),
        );
        let notes = self.samples.iter().filter_map(|sample| sample.note.as_ref());
        for note in notes {
            println!("{:15} {note}", "");
        }
        let delivered = self.middle(|sample| sample.delivered);
        if delivered < 0.95 && self.setting.workers == 1 && self.part != "workers" {
            let behind = self.middle(|sample| sample.behind_ms);
            println!(
                "{:15} only {:.0} % of the frames; the load was {behind:.0} ms behind",
                "",
                delivered * 100.0
            );
        }
    }
}
