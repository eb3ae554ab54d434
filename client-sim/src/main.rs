//! A swarm of bots that loads a Tickwire server and reports what each of them saw.
//!
//! ```text
//! flags ─► settings ─► plan ─► swarm of bots ─► tallies ─► course ─► live view
//!                                                  └───────► report ─► json, html, gate
//! ```
//!
//! [`plan`] is pure: which bot does what, and when, follows from the settings alone.
//! What bots share on a thread is in [`crew`]; threads share nothing.

mod bot;
mod course;
mod crew;
mod dice;
mod gate;
mod meter;
mod net;
mod plan;
mod play;
mod report;
mod run;
mod settings;
mod signals;
mod summary;
mod swarm;
mod tally;
mod view;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use report::Report;
use settings::{Arguments, Compare, Order, Settings};

/// An assertion failed, or bots disagreed with the server.
const FAILED: u8 = 1;
/// Bad arguments, or no server there.
const NO_RUN: u8 = 2;

fn main() -> ExitCode {
    let order = Arguments::parse().order().unwrap_or_else(|error| error.exit());
    let done = match &order {
        Order::Run(settings) => load(settings),
        Order::Compare(compare) => side_by_side(compare),
    };
    done.unwrap_or_else(|why| {
        eprintln!("client-sim: {why}");
        ExitCode::from(NO_RUN)
    })
}

/// A run and its report.
fn load(settings: &Settings) -> Result<ExitCode, String> {
    let conditions =
        gate::conditions(&settings.assertions).map_err(|why| format!("--assert: {why}"))?;
    if let Some(folder) = &settings.report {
        prepare(folder)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut report = runtime.block_on(run::run(settings)).map_err(|error| error.to_string())?;
    let holds = gate::judge(&conditions, &mut report);
    if let Some(folder) = &settings.report {
        write(folder, &report)?;
    }
    if !settings.quiet {
        print!("{}", summary::summary(&report));
        if let Some(folder) = &settings.report {
            println!("report     {}", folder.join("report.html").display());
        }
    }
    Ok(verdict(settings, &report, holds))
}

/// The exit code, and the reason if it is not 0.
fn verdict(settings: &Settings, report: &Report, holds: bool) -> ExitCode {
    for assertion in &report.assertions {
        if !assertion.holds {
            eprintln!("client-sim: {assertion}");
        } else if !settings.quiet {
            println!("assert     {assertion}");
        }
    }
    if report.hash.mismatched > 0 {
        eprintln!(
            "client-sim: bots disagreed with the server about the state {} times",
            report.hash.mismatched
        );
    }
    if !holds || report.hash.mismatched > 0 {
        return ExitCode::from(FAILED);
    }
    if report.bots.connected == 0 && report.bots.arrived > 0 {
        let reason = report.error_texts.iter().max_by_key(|(_, count)| **count);
        let reason = reason.map_or("there was no time for it", |(text, _)| text);
        eprintln!(
            "client-sim: no bot got in: {reason}. Is the server at {} well?",
            report.config.url
        );
        return ExitCode::from(NO_RUN);
    }
    ExitCode::SUCCESS
}

/// Says before the run that a report cannot be written after it.
fn prepare(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder)
        .map_err(|error| format!("--report: cannot make {}: {error}", folder.display()))
}

fn write(folder: &Path, report: &Report) -> Result<(), String> {
    let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    let files = [("report.json", json + "\n"), ("report.html", report::page(report))];
    files.iter().try_for_each(|(name, text)| put(&folder.join(name), text))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Two reports, in the terminal and drawn.
fn side_by_side(compare: &Compare) -> Result<ExitCode, String> {
    let (a, b) = (read(&compare.a)?, read(&compare.b)?);
    print!("{}", report::table(&a, &b));
    if let Some(folder) = &compare.report {
        prepare(folder)?;
        let page = folder.join("compare.html");
        put(&page, &report::page_of_two(&a, &b))?;
        println!("report     {}", page.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Report, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not a report.json: {error}", path.display()))?;
    if report.format != report::FORMAT {
        return Err(format!(
            "{} has format {}, and this program knows {}",
            path.display(),
            report.format,
            report::FORMAT
        ));
    }
    Ok(report)
}
