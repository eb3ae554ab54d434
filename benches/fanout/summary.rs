//! The numbers that the server is held to, and the servers side by side, as
//! Markdown.

use super::crowd::Play;
use super::measure::{Quantiles, Sample, Setting};
use super::neighbour::BUSY;
use super::parts::{COMPARED_CLIENTS, SEVEN};
use super::rows::Row;
use super::server::Peer;
use super::spread::Spread;

/// What a number must be.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// It is only told.
    None,
}

impl Target {
    fn shown(self, unit: &str) -> String {
        match self {
            Target::AtMost(most) => format!("≤ {most}{unit}"),
            Target::AtLeast(least) => format!("≥ {least}{unit}"),
            Target::None => String::new(),
        }
    }

    fn met(self, value: f64) -> &'static str {
        match self {
            Target::AtMost(most) if value <= most => "yes",
            Target::AtLeast(least) if value >= least => "yes",
            Target::None => "",
            _ => "**no**",
        }
    }
}

/// Prints what there is to say of these rows.
pub(crate) fn print(rows: &[Row]) {
    let rows = Rows(rows);
    rows.numbers();
    rows.servers();
}

struct Rows<'a>(&'a [Row]);

impl Rows<'_> {
    fn find(&self, part: &str, is: impl Fn(&Setting) -> bool) -> Option<&Row> {
        self.0.iter().find(|row| row.part == part && is(&row.setting))
    }

    fn of(&self, part: &str, peer: Peer, players: usize, hz: u32) -> Option<&Row> {
        self.find(part, |it| {
            it.peer == peer && it.players == players && it.hz == hz && it.play == Play::EveryTick
        })
    }

    /// The table of numbers; a line for each that was measured.
    fn numbers(&self) {
        let mut lines = Vec::new();
        self.against_ceiling(&mut lines);
        self.against_others(&mut lines);
        self.under_load(&mut lines);
        self.memory(&mut lines);
        self.two_workers(&mut lines);
        if lines.is_empty() {
            return;
        }
        println!("\n| what | target | measured | rounds | met |\n|---|---|---|---|---|");
        lines.iter().for_each(|line| println!("{line}"));
    }

    fn against_ceiling(&self, lines: &mut Vec<String>) {
        let fanout = || self.0.iter().filter(|row| row.part == "fanout");
        let own = fanout().filter(|row| row.setting.peer == Peer::Tickwire);
        for row in own {
            let Setting { play, players, hz, .. } = row.setting;
            let ceiling = self.of("fanout", Peer::Ceiling, players, hz);
            let ratio = ceiling.and_then(|it| row.ratio(it, |sample| Some(sample.cpu_us)));
            let (how, target) = match play {
                Play::EveryTick => ("", Target::AtMost(1.15)),
                Play::Held if hz == 60 => (" with real play", Target::AtMost(0.8)),
                Play::Held => (" with real play", Target::None),
            };
            let what = format!(
                "CPU of a client-frame{how}, times the ceiling's: rooms of {players}, {hz} Hz"
            );
            lines.extend(line(&what, target, "", 2, ratio, row));
            let shared = self.of("fanout", Peer::Shared, players, hz);
            let ratio = shared.and_then(|it| row.ratio(it, |sample| Some(sample.cpu_us)));
            let what = format!(
                "the same, times that of a ceiling whose rooms share deadlines: rooms of \
                 {players}, {hz} Hz"
            );
            lines.extend(line(&what, Target::None, "", 2, ratio, row));
            // What the kernel alone takes of real play: no server gets below it.
            let floor = fanout().find(|floor| {
                floor.setting == Setting { peer: Peer::Ceiling, ..row.setting }
                    && play == Play::Held
            });
            let ratio = floor.and_then(|it| row.ratio(it, |sample| Some(sample.cpu_us)));
            let what = format!(
                "the same, times the ceiling's with real play: rooms of {players}, {hz} Hz"
            );
            lines.extend(line(&what, Target::None, "", 2, ratio, row));
        }
        let every = fanout()
            .filter(|row| row.setting.peer == Peer::Tickwire)
            .filter(|row| row.setting.play == Play::EveryTick);
        let shares = Spread::of(every.clone().map(|row| row.user_share() * 100.0));
        if let Some(row) = every.clone().next() {
            let what = "user space's share of the server's CPU, over the settings above";
            lines.extend(line(what, Target::AtMost(25.0), " %", 0, shares, row));
        }
    }

    /// Of those that are compared with each other.
    fn compared(&self, peer: Peer, players: usize, clients: usize) -> Option<&Row> {
        let is = |it: &Setting| (it.peer, it.players, it.clients) == (peer, players, clients);
        self.find("peers", is)
    }

    fn against_others(&self, lines: &mut Vec<String>) {
        let compared = COMPARED_CLIENTS.map(|clients| [50, 200].map(|players| (players, clients)));
        for (players, clients) in compared.into_iter().flatten() {
            let row = |peer| self.compared(peer, players, clients);
            let Some(own) = row(Peer::Tickwire) else { continue };
            let cpu = |other| own.ratio(other, |sample| Some(sample.cpu_us));
            let bytes = |other| own.ratio(other, |sample| Some(sample.bytes));
            let rooms = format!("rooms of {players}, {clients} clients, 20 Hz");
            if let Some(other) = row(Peer::Colyseus) {
                let what = format!("CPU of a client-frame, times Colyseus': {rooms}");
                lines.extend(line(&what, Target::AtMost(0.33), "", 2, cpu(other), own));
                let what = format!("bytes of a client-frame, times Colyseus': {rooms}");
                lines.extend(line(&what, Target::AtMost(0.45), "", 2, bytes(other), own));
            }
            if let Some(other) = row(Peer::Ceiling) {
                let what = format!("bytes, times the packed snapshot's: {rooms}");
                lines.extend(line(&what, Target::AtMost(0.45), "", 2, bytes(other), own));
            }
        }
        for hz in [20, 60] {
            let row = |peer| self.of("capacity", peer, 50, hz);
            let (Some(own), Some(other)) = (row(Peer::Tickwire), row(Peer::Colyseus)) else {
                continue;
            };
            let ratio = own.ratio(other, |sample| Some(sample.clients as f64));
            let target = if hz == 20 { Target::AtLeast(4.0) } else { Target::None };
            let what = format!("clients of one core, times Colyseus': rooms of 50, {hz} Hz");
            lines.extend(line(&what, target, "", 2, ratio, own));
        }
    }

    fn under_load(&self, lines: &mut Vec<String>) {
        for hz in [20, 60] {
            let row = |peer| self.of("load/half", peer, 50, hz);
            if let (Some(own), Some(ceiling)) = (row(Peer::Tickwire), row(Peer::Ceiling)) {
                let ratio = own.ratio(ceiling, |sample| Some(sample.interval_ms?.p99));
                let load = own.middle(|sample| sample.load) * 100.0;
                let what = format!(
                    "p99 of the frame interval at {load:.0} % load, times the ceiling's: {hz} Hz"
                );
                lines.extend(line(&what, Target::AtMost(1.1), "", 3, ratio, own));
            }
            for (peer, target) in
                [(Peer::Tickwire, Target::AtMost(1.0)), (Peer::Ceiling, Target::None)]
            {
                if let Some(row) = self.of("load/seven", peer, 50, hz) {
                    let of = if peer == Peer::Tickwire { "" } else { " of the ceiling" };
                    lines.extend(lateness(row, of, target));
                }
            }
            let beside = self.0.iter().filter(|row| row.part == "neighbour");
            for row in beside.filter(|row| row.setting.hz == hz) {
                let (ms, nice) = (BUSY.as_millis(), row.setting.nice);
                let of = format!(" beside who is busy {ms} ms a second, niceness {nice},");
                lines.extend(lateness(row, &of, Target::None));
            }
        }
    }

    fn memory(&self, lines: &mut Vec<String>) {
        let parts = [
            ("memory/idle", "memory of an idle connection, of 10,000", 12.0),
            ("memory/playing", "memory of a playing client, of 1500", 24.0),
        ];
        for (part, what, most) in parts {
            let Some(row) = self.find(part, |_| true) else { continue };
            let memory = row.spread(|sample| Some(sample.memory / 1024.0));
            lines.extend(line(what, Target::AtMost(most), " KiB", 1, memory, row));
        }
    }

    fn two_workers(&self, lines: &mut Vec<String>) {
        let row = |workers| self.find("workers", |it| it.workers == workers);
        let (Some(one), Some(two)) = (row(1), row(2)) else { return };
        let ratio = two.ratio(one, |sample| Some(sample.work_per_core()));
        let ratio = ratio.map(|ratio| ratio.times(2.0));
        lines.extend(line("work of 2 workers, times 1", Target::AtLeast(1.7), "", 2, ratio, two));
    }

    /// The servers, a line for each: rooms of 50 at 20 Hz.
    fn servers(&self) {
        for clients in COMPARED_CLIENTS {
            let there = |peer: &Peer| self.compared(*peer, 50, clients).is_some();
            let all: Vec<Peer> = Peer::ALL.into_iter().filter(there).collect();
            if all.len() < 2 {
                continue;
            }
            println!(
                "\nRooms of 50 at 20 Hz, {clients} clients; clients of one core at 20 / 60 Hz.\n\n\
                 | | CPU µs per client-frame | user % | clients of one core | bytes per \
                 client-frame | KiB per client | frame interval p50 / p99, ms | input to echo p50 / \
                 p99, ms |\n|---|---|---|---|---|---|---|---|"
            );
            all.into_iter().for_each(|peer| self.server(peer, clients));
        }
    }

    fn server(&self, peer: Peer, clients: usize) {
        let Some(row) = self.compared(peer, 50, clients) else { return };
        let most = [20, 60].map(|hz| {
            let row = self.of("capacity", peer, 50, hz);
            let clients = row.map(|row| row.middle(|sample| sample.clients as f64));
            clients.map_or("-".to_owned(), |clients| format!("{clients:.0}"))
        });
        let memory = self.find("memory/grown", |it| it.peer == peer);
        let memory = memory.map(|row| row.middle(|sample| sample.memory / 1024.0));
        let cpu = row.spread(|sample| Some(sample.cpu_us));
        println!(
            "| {peer} | {} | {:.0} | {} | {:.0} | {} | {} | {} |",
            cpu.map_or("-".to_owned(), |cpu| cpu.shown(1)),
            row.user_share() * 100.0,
            most.join(" / "),
            row.middle(|sample| sample.bytes),
            memory.map_or("-".to_owned(), |memory| format!("{memory:.1}")),
            quantiles(row, |sample| sample.interval_ms),
            quantiles(row, |sample| sample.echo_ms),
        );
    }
}

/// By half seconds from which the machine below took nothing that the kernel noticed: a
/// core that is taken away for 20 ms makes more than a hundredth of a window's steps late.
/// Windows with another load than the one that was wanted are left out.
fn lateness(row: &Row, of: &str, target: Target) -> Vec<String> {
    let (load, hz) = (row.middle(|sample| sample.load) * 100.0, row.setting.hz);
    let what = format!("p99 of a tick's lateness{of} at {load:.0} % load: {hz} Hz");
    let loaded = || row.samples.iter().filter(|sample| sample.loads(SEVEN));
    let pieces = || loaded().flat_map(|sample| &sample.pieces);
    let whole: Vec<_> = pieces().filter(|piece| piece.stolen == 0.0).collect();
    let whole = whole.iter().map(|piece| piece.late_us / 1000.0).collect::<Vec<_>>();
    let halves = format!("{what}, {} of {} half seconds", whole.len(), pieces().count());
    let windows: Vec<_> = loaded().filter_map(|it| Some(it.late_us?.p99 / 1000.0)).collect();
    let windows_told = format!("{what}, whole windows");
    let judged = line(&halves, target, " ms", 2, Spread::of(whole), row);
    let told = line(&windows_told, Target::None, " ms", 2, Spread::of(windows), row);
    judged.into_iter().chain(told).collect()
}

fn quantiles(row: &Row, of: fn(&Sample) -> Option<Quantiles>) -> String {
    let p50 = row.spread(|sample| Some(of(sample)?.p50));
    let p99 = row.spread(|sample| Some(of(sample)?.p99));
    p50.zip(p99)
        .map_or("-".to_owned(), |(p50, p99)| format!("{:.1} / {:.1}", p50.middle, p99.middle))
}

/// None for what was not measured.
fn line(
    what: &str,
    target: Target,
    unit: &str,
    digits: usize,
    measured: Option<Spread>,
    row: &Row,
) -> Option<String> {
    let measured = measured?;
    Some(format!(
        "| {what} | {} | {}{unit} | {} | {} |",
        target.shown(unit),
        measured.shown(digits),
        row.rounds(),
        target.met(measured.middle)
    ))
}
