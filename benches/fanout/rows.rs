//! What was measured, as lines of the table and of the output for the plots.

use std::io;

use serde_json::{Value, json};

use super::crowd::Play;
use super::measure::{Sample, Setting, Time, measure, median, quantile_ms};

/// One setting after all rounds.
pub(crate) struct Row {
    pub(crate) part: &'static str,
    pub(crate) setting: Setting,
    samples: Vec<Sample>,
    /// Clients that one core serves, if that was looked for.
    pub(crate) capacity: Option<usize>,
}

impl Row {
    /// Measures settings in turns, so that what the machine does meets them all.
    pub(crate) fn interleaved(
        part: &'static str,
        settings: &[Setting],
        rounds: usize,
        time: Time,
    ) -> io::Result<Vec<Row>> {
        let empty = |setting: &Setting| Row {
            part,
            setting: *setting,
            samples: Vec::new(),
            capacity: None,
        };
        let mut rows: Vec<Row> = settings.iter().map(empty).collect();
        for _ in 0..rounds {
            for row in &mut rows {
                row.samples.push(measure(&row.setting, time)?);
            }
        }
        rows.iter().for_each(Row::print);
        Ok(rows)
    }

    fn middle(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of))
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        self.middle(Sample::cpu_us)
    }

    pub(crate) fn interval_p99(&self) -> f64 {
        self.middle(|sample| quantile_ms(&sample.seen.intervals, 0.99))
    }

    pub(crate) fn bytes(&self) -> f64 {
        self.middle(Sample::bytes)
    }

    /// How many times the work per processor time the workers did of one alone, if
    /// each had a core to itself: the time that the load took is nobody's.
    pub(crate) fn scaling(&self, one: &Row) -> f64 {
        let even = self.middle(|sample| sample.cpu.all_ns as f64 / sample.cpu.busiest_ns as f64);
        even * one.cpu_us() / self.cpu_us()
    }

    /// The median of this row over that of another one, in pairs of one round each.
    pub(crate) fn ratio(&self, to: &Row) -> f64 {
        let pairs = self.samples.iter().zip(&to.samples);
        median(pairs.map(|(this, that)| this.cpu_us() / that.cpu_us()))
    }

    pub(crate) fn title() {
        println!(
            "{:<9} {:<9} {:<5} {:>7} {:>8} {:>3} {:>15} {:>6} {:>6} {:>7} {:>8} {:>14} {:>14} {:>9}",
            "part",
            "server",
            "play",
            "players",
            "clients",
            "Hz",
            "CPU µs (spread)",
            "user %",
            "load %",
            "bytes",
            "KiB each",
            "interval ms",
            "echo ms",
            "late µs"
        );
    }

    fn print(&self) {
        let Setting { peer, play, players, clients, hz, .. } = self.setting;
        let play = if play == Play::Held { "held" } else { "every" };
        let quantiles = |of: fn(&Sample) -> &[u64]| {
            let at = |share| self.middle(|sample| quantile_ms(of(sample), share));
            let (p50, p99) = (at(0.5), at(0.99));
            if p50.is_nan() { "-".to_owned() } else { format!("{p50:.1}/{p99:.1}") }
        };
        let cpu: Vec<f64> = self.samples.iter().map(Sample::cpu_us).collect();
        let least = cpu.iter().copied().fold(f64::INFINITY, f64::min);
        let most = cpu.iter().copied().fold(0.0, f64::max);
        let late = self.samples.iter().filter_map(|sample| sample.late).map(|late| late.1 as f64);
        let late = median(late);
        println!(
            "{:<9} {peer:<9} {play:<5} {players:>7} {clients:>8} {hz:>3} {:>15} {:>6.0} {:>6.0} {:>7.1} {:>8.1} {:>14} {:>14} {:>9}",
            self.part,
            format!("{:.2} ({least:.1}-{most:.1})", self.cpu_us()),
            self.middle(|sample| sample.cpu.user_share()) * 100.0,
            self.middle(Sample::load) * 100.0,
            self.bytes(),
            self.middle(|sample| sample.memory) / 1024.0,
            quantiles(|sample| &sample.seen.intervals),
            quantiles(|sample| &sample.seen.echoes),
            if late.is_nan() { "-".to_owned() } else { format!("{late:.0}") },
        );
        let worst = self.samples.iter().map(|sample| sample.seen.behind.as_millis()).max();
        let share =
            self.middle(|sample| sample.seen.cpu.as_secs_f64() / sample.seen.took.as_secs_f64());
        if self.middle(Sample::delivered) < 0.95 || share > 0.85 {
            println!(
                "          delivered {:.2} of the frames; the load used {:.0} % of its core, {} ms behind",
                self.middle(Sample::delivered),
                share * 100.0,
                worst.unwrap_or_default()
            );
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Setting { peer, play, players, clients, hz, workers, npcs } = self.setting;
        json!({
            "part": self.part, "server": peer.name(), "held": play == Play::Held,
            "players": players, "clients": clients, "hz": hz, "workers": workers, "npcs": npcs,
            "cpu_us": self.samples.iter().map(Sample::cpu_us).collect::<Vec<_>>(),
            "user": self.middle(|sample| sample.cpu.user_share()),
            "load": self.middle(Sample::load),
            "load_generator": self.middle(|sample| {
                sample.seen.cpu.as_secs_f64() / sample.seen.took.as_secs_f64()
            }),
            "bytes": self.bytes(),
            "memory": self.middle(|sample| sample.memory),
            "interval_p99_ms": self.interval_p99(),
            "delivered": self.middle(Sample::delivered),
            "capacity": self.capacity,
        })
    }
}
