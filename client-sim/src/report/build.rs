//! From tallies to a report.

use std::time::Duration;

use super::{
    Bots, Config, Events, FORMAT, Faults, Frames, Generator, Group, Hash, Histograms, Hostile,
    Inputs, Percentiles, Report, Run, Series, Server,
};
use crate::course::{Course, Point};
use crate::net::Game;
use crate::plan::{BotPlan, Trouble};
use crate::settings::{Mix, Settings, Share};
use crate::swarm::Outcome;
use crate::tally::{self, Failure, Measure, Tally, Times};

/// A generator that is later than this at its 99th percentile measures itself.
const LATE_MS_MAX: f64 = 20.0;
/// So does one whose busiest thread takes more than this of its core …
const BUSY_MAX: f64 = 0.9;
/// … in more than this share of the seconds.
const BUSY_SECONDS_MAX: f64 = 0.1;

/// Of fewer bots, memory for each is mostly the program's own.
const MEMORY_BOTS_MIN: u64 = 500;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Time,
    Interrupted,
}

/// What there is to report.
pub(crate) struct Findings<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) mix: &'a Mix,
    pub(crate) game: &'a Game,
    pub(crate) plans: &'a [BotPlan],
    pub(crate) course: &'a Course,
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) started_unix_ms: u64,
    pub(crate) took: Duration,
    pub(crate) ending: Ending,
    pub(crate) cpu: Duration,
    /// Bytes of memory before the first bot, and at the end.
    pub(crate) memory: Option<(u64, u64)>,
}

/// The report, without assertions.
pub(crate) fn build(findings: &Findings<'_>) -> Report {
    let mut all = Tally::new();
    findings.outcomes.iter().for_each(|outcome| all.add(&outcome.tally));
    let total = findings.course.total;
    let mut report = Report {
        format: FORMAT,
        verdict: Vec::new(),
        config: config(findings.settings, findings.mix),
        run: Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: findings.started_unix_ms,
            seconds: round(findings.took.as_secs_f64()),
            ended: match findings.ending {
                Ending::Time => "time",
                Ending::Interrupted => "interrupted",
            }
            .to_owned(),
        },
        server: server(findings.game),
        bots: bots(findings),
        frames: frames(findings),
        events: Events { received: total.events, lost: all.events_lost },
        inputs: Inputs { sent: total.inputs },
        healthy: group(&all.healthy),
        faulty: group(&all.faulty),
        hash: Hash { checked: total.hash_checked, mismatched: total.hash_mismatched },
        errors: Failure::ALL
            .iter()
            .map(|(failure, name)| {
                ((*name).to_owned(), all.failures.get(failure).copied().unwrap_or_default())
            })
            .collect(),
        error_texts: all.examples.clone(),
        faults: faults(findings),
        hostile: hostile(&all.hostile),
        generator: generator(findings, &all),
        assertions: Vec::new(),
        series: series(&findings.course.points),
        histograms: Histograms {
            healthy_frame_interval: buckets(all.healthy.of(Measure::FrameInterval)),
            healthy_staleness: buckets(all.healthy.of(Measure::Staleness)),
            faulty_frame_interval: buckets(all.faulty.of(Measure::FrameInterval)),
            faulty_staleness: buckets(all.faulty.of(Measure::Staleness)),
        },
    };
    report.verdict = verdict(&report);
    report
}

fn config(settings: &Settings, mix: &Mix) -> Config {
    let faults = &settings.faults;
    Config {
        command: settings.command.clone(),
        url: settings.url.to_string(),
        bots: settings.bots as u64,
        rooms: settings.rooms as u64,
        room_options: settings.room_options.clone(),
        seconds: settings.seconds.as_secs(),
        seed: settings.seed,
        ramp_per_s: settings.ramp.0,
        churn: settings.churn.to_string(),
        resume: settings.resume,
        behaviour: mix.to_string(),
        decode: settings.decode.to_string(),
        stall: faults.stall.map(|it| it.to_string()),
        slow: faults.slow.map(|it| it.to_string()),
        lag: faults.lag.map(|it| it.to_string()),
        cut: faults.cut.map(|it| it.to_string()),
        hostile: faults.hostile.as_ref().map(Share::to_string),
        threads: settings.threads as u64,
    }
}

fn server(game: &Game) -> Server {
    Server {
        game: game.name.clone(),
        tick_hz: game.tick_hz.into(),
        send_every: game.send_every.into(),
        schema: game.schema.clone(),
    }
}

fn bots(findings: &Findings<'_>) -> Bots {
    let (plans, total) = (findings.plans, findings.course.total);
    let count = |is: fn(&BotPlan) -> bool| plans.iter().filter(|plan| is(plan)).count() as u64;
    let sum = |of: fn(&Outcome) -> u64| findings.outcomes.iter().map(of).sum::<u64>();
    let (faulty, decoding) = (count(|plan| plan.trouble.is_some()), count(|plan| plan.decodes));
    let requested = plans.len() as u64;
    Bots {
        requested,
        arrived: sum(|it| it.arrived),
        connected: sum(|it| it.arrived - it.failed),
        failed: sum(|it| it.failed),
        resumed: total.resumed,
        rejoined: total.rejoined,
        left: total.left,
        connected_at_end: sum(|it| it.gauges.connected),
        healthy_at_end: sum(|it| it.gauges.healthy),
        healthy: requested - faulty,
        faulty,
        decoding,
        counting_only: requested - decoding,
    }
}

fn frames(findings: &Findings<'_>) -> Frames {
    let total = findings.course.total;
    let share = |part: u64, of: f64| if of > 0.0 { part as f64 / of } else { 0.0 };
    // Every second counts with as many bots as were there at its end.
    let bot_seconds: u64 = findings.course.points.iter().map(|it| it.gauges.connected).sum();
    Frames {
        received: total.frames,
        coalesced: total.coalesced,
        coalesced_share: fine(share(total.coalesced, total.frames as f64)),
        full: total.full,
        bytes: total.frame_bytes,
        bytes_per_frame: round(share(total.frame_bytes, total.frames as f64)),
        wire_bytes: total.wire_bytes,
        wire_bytes_per_s: round(share(total.wire_bytes, findings.took.as_secs_f64())),
        wire_bytes_per_bot_s: round(share(total.wire_bytes, bot_seconds as f64)),
    }
}

fn group(group: &tally::Group) -> Group {
    let of = |measure| percentiles(group.of(measure));
    Group {
        errors: group.errors,
        frame_interval_ms: of(Measure::FrameInterval),
        staleness_ms: of(Measure::Staleness),
        input_ack_ms: of(Measure::InputAck),
        input_effect_ms: of(Measure::InputEffect),
        join_ms: of(Measure::Join),
        connect_ms: of(Measure::Connect),
        resume_ms: of(Measure::Resume),
    }
}

fn percentiles(times: &Times) -> Percentiles {
    if times.is_empty() {
        return Percentiles::default();
    }
    let at = |quantile| Some(ms(times.value_at_quantile(quantile)));
    Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1.0),
        count: times.len(),
    }
}

fn faults(findings: &Findings<'_>) -> Faults {
    let count = |is: fn(Trouble) -> bool| {
        findings.plans.iter().filter(|plan| plan.trouble.is_some_and(is)).count() as u64
    };
    Faults {
        stall_bots: count(|it| matches!(it, Trouble::Stall(_))),
        slow_bots: count(|it| matches!(it, Trouble::Slow(_))),
        lag_bots: count(|it| matches!(it, Trouble::Lag(_))),
        cut_bots: count(|it| matches!(it, Trouble::Cut(_))),
        hostile_bots: count(|it| it == Trouble::Hostile),
        stalls: findings.course.total.stalls,
        cuts: findings.course.total.cuts,
    }
}

fn hostile(hostile: &tally::Hostile) -> Hostile {
    Hostile {
        sent: hostile.sent,
        closed: hostile.closed.values().sum(),
        dropped: hostile.dropped,
        unanswered: hostile.unanswered,
        closed_by_code: hostile.closed.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
    }
}

fn generator(findings: &Findings<'_>, all: &Tally) -> Generator {
    let points = &findings.course.points;
    let busy = points.iter().filter(|point| point.busy > BUSY_MAX).count();
    let late = |quantile| ms(all.late.value_at_quantile(quantile));
    let often = busy as f64 > points.len() as f64 * BUSY_SECONDS_MAX;
    let bots: u64 = findings.outcomes.iter().map(|it| it.arrived).sum();
    Generator {
        bottleneck: often || late(0.99) > LATE_MS_MAX,
        cpu_seconds: fine(findings.cpu.as_secs_f64()),
        busy_max: fine(points.iter().map(|point| point.busy).fold(0.0, f64::max)),
        late_ms_p50: late(0.5),
        late_ms_p99: late(0.99),
        late_ms_max: late(1.0),
        memory_bytes: findings.memory.map(|it| it.1),
        memory_bytes_per_bot: findings
            .memory
            .filter(|_| bots >= MEMORY_BOTS_MIN)
            .and_then(|(before, after)| after.saturating_sub(before).checked_div(bots)),
    }
}

fn series(points: &[Point]) -> Series {
    // The last is what was left of a second, of which rates say nothing.
    let whole = if points.len() > 1 { &points[..points.len() - 1] } else { points };
    let counts = |of: fn(&Point) -> u64| whole.iter().map(of).collect::<Vec<_>>();
    let times = |of: fn(&Point) -> Option<f64>| whole.iter().map(of).collect::<Vec<_>>();
    let share = |it: &Point| fine(it.counts.coalesced as f64 / it.counts.frames.max(1) as f64);
    Series {
        connected: counts(|it| it.gauges.connected),
        frames: counts(|it| it.counts.frames),
        coalesced_share: whole.iter().map(share).collect(),
        full: counts(|it| it.counts.full),
        wire_bytes: counts(|it| it.counts.wire_bytes),
        frame_interval_ms_p50: times(|it| it.frame_interval.map(|it| it[0])),
        frame_interval_ms_p99: times(|it| it.frame_interval.map(|it| it[1])),
        frame_interval_ms_max: times(|it| it.frame_interval.map(|it| it[2])),
        staleness_ms_p50: times(|it| it.staleness.map(|it| it[0])),
        staleness_ms_p99: times(|it| it.staleness.map(|it| it[1])),
        staleness_ms_max: times(|it| it.staleness.map(|it| it[2])),
        errors: counts(|it| it.counts.errors),
        resumed: counts(|it| it.counts.resumed),
        left: counts(|it| it.counts.left),
        stalled: counts(|it| it.gauges.stalled),
        stalls: counts(|it| it.counts.stalls),
        cuts: counts(|it| it.counts.cuts),
        attacks: counts(|it| it.counts.attacks),
        generator_busy: whole.iter().map(|it| fine(it.busy)).collect(),
    }
}

/// Eight parts to each doubling.
fn buckets(times: &Times) -> Vec<(f64, u64)> {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for step in times.iter_recorded() {
        let eighths = ((step.value_iterated_to() as f64).log2() * 8.0).ceil();
        let upper = round((eighths / 8.0).exp2() / 1e3);
        match buckets.last_mut() {
            Some((last, count)) if *last == upper => *count += step.count_at_value(),
            _ => buckets.push((upper, step.count_at_value())),
        }
    }
    buckets
}

/// What has to be known before anything else is read.
fn verdict(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let Report { generator, bots, hash, .. } = report;
    if generator.bottleneck {
        // A thread that is late and not busy was kept from running.
        let remedy = if generator.busy_max > BUSY_MAX {
            "Try --decode sample:10%, more --threads, fewer --bots, or a machine of its own."
        } else {
            "Other programs took its time: give it a core of its own, or a machine."
        };
        lines.push(format!(
            "The generator was the bottleneck: its busiest thread took up to {:.0}% of a core, and \
             it was {:.1} ms late (p99). The times below are its own as much as the server's. {remedy}",
            generator.busy_max * 100.0,
            generator.late_ms_p99
        ));
    }
    if hash.mismatched > 0 {
        lines.push(format!(
            "Bots disagreed with the server about the state {} times, of {} checks.",
            hash.mismatched, hash.checked
        ));
    }
    if report.healthy.errors > 0 {
        let most = report.errors.iter().max_by_key(|(_, count)| **count);
        let most = most.map_or("", |(kind, _)| kind).replace('_', " ");
        lines.push(format!(
            "Something went wrong {} times for healthy bots; most often of all: {most}.",
            report.healthy.errors
        ));
    }
    if bots.failed > 0 {
        lines.push(format!("{} of {} bots never got in.", bots.failed, bots.arrived));
    }
    if bots.arrived < bots.requested {
        lines.push(format!(
            "The run ended before {} of {} bots had arrived.",
            bots.requested - bots.arrived,
            bots.requested
        ));
    }
    let away = bots.healthy.saturating_sub(bots.healthy_at_end);
    // Who has only just arrived, or leaves now and then, is not missing.
    if away > 0 && report.config.churn == "0%" && bots.arrived == bots.requested {
        lines.push(format!(
            "{away} of {} healthy bots were not in their rooms at the end.",
            bots.healthy
        ));
    }
    if bots.counting_only > 0 {
        lines.push(format!(
            "{} of {} bots only counted frames: they decoded no state and checked no hash.",
            bots.counting_only, bots.requested
        ));
    }
    lines
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// To a thousandth: reports are read by people, too.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn fine(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
