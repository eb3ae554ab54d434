//! A report in the terminal.

use std::fmt::{self, Write};

use crate::report::{Group, Report};

/// The report as text, most important first.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    for line in &report.verdict {
        writeln!(out, "! {line}")?;
    }
    let Report { bots, frames, events, hash, run, server, generator, .. } = report;
    writeln!(
        out,
        "{} bots in {} rooms of {} for {:.1} s: {} got in, {} in their rooms at the end",
        bots.requested,
        report.config.rooms,
        server.game,
        run.seconds,
        bots.connected,
        bots.connected_at_end
    )?;
    writeln!(
        out,
        "frames     {} received, {} coalesced ({:.2}%), {} full; {:.1} bytes each, {:.0} B/s a bot",
        frames.received,
        frames.coalesced,
        frames.coalesced_share * 100.0,
        frames.full,
        frames.bytes_per_frame,
        frames.wire_bytes_per_bot_s
    )?;
    writeln!(out, "hash       {} checked, {} mismatched", hash.checked, hash.mismatched)?;
    writeln!(out, "events     {} received, {} lost", events.received, events.lost)?;
    if bots.resumed + bots.rejoined + bots.left > 0 {
        let (resumed, rejoined, left) = (bots.resumed, bots.rejoined, bots.left);
        writeln!(out, "seats      {resumed} resumed, {rejoined} taken anew, {left} left")?;
    }
    group(out, &format!("healthy ({})", bots.healthy), &report.healthy)?;
    if bots.faulty > 0 {
        group(out, &format!("faulty ({})", bots.faulty), &report.faulty)?;
    }
    if report.hostile.sent > 0 {
        let codes: Vec<_> =
            report.hostile.closed_by_code.iter().map(|(code, n)| format!("{code}: {n}")).collect();
        writeln!(
            out,
            "hostile    {} malformed messages: closed {} ({}), dropped {}, unanswered {}",
            report.hostile.sent,
            report.hostile.closed,
            codes.join(", "),
            report.hostile.dropped,
            report.hostile.unanswered
        )?;
    }
    let errors = report.errors.iter().filter(|(_, count)| **count > 0);
    let errors: Vec<_> = errors.map(|(kind, count)| format!("{kind} {count}")).collect();
    let errors = if errors.is_empty() { "none".to_owned() } else { errors.join(", ") };
    writeln!(out, "errors     {errors}")?;
    for (reason, count) in report.error_texts.iter().take(5) {
        writeln!(out, "           {count} x {reason}")?;
    }
    write!(
        out,
        "generator  {:.1} s of CPU, busiest second {:.0}% of a core, late p99 {:.1} ms",
        generator.cpu_seconds,
        generator.busy_max * 100.0,
        generator.late_ms_p99
    )?;
    if let Some(bytes) = generator.memory_bytes_per_bot {
        write!(out, ", {:.1} KiB a bot", bytes as f64 / 1024.0)?;
    }
    out.write_char('\n')
}

fn group(out: &mut String, title: &str, group: &Group) -> fmt::Result {
    writeln!(
        out,
        "{title:<26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "p50", "p90", "p99", "p99.9", "max", "count"
    )?;
    for (name, times) in group.measures() {
        if times.count == 0 {
            continue;
        }
        write!(out, "  {name:<24}")?;
        for time in [times.p50, times.p90, times.p99, times.p999, times.max] {
            write!(out, " {:>9}", time.map_or("-".to_owned(), |ms| format!("{ms:.1}")))?;
        }
        writeln!(out, " {:>10}", times.count)?;
    }
    Ok(())
}
