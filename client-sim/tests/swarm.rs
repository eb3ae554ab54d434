//! The swarm against real servers, good and bad: what it reports, and how it ends.
//!
//! Nothing here depends on how long anything takes: a report's counts are checked, never
//! its times.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use server::{Silent, Stranger, TestServer, closed_port, wait_until};

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("client-sim-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn report(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.0.join("report.json")).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it would only lie about in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(url: &str, flags: &str, folder: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client-sim"));
    command.args(["--url", url]).args(flags.split_whitespace()).stdin(Stdio::null());
    if let Some(folder) = folder {
        command.arg("--report").arg(folder);
    }
    command
}

fn run(url: &str, flags: &str, folder: Option<&Path>) -> Output {
    command(url, flags, folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The count at a path.
fn count(report: &Value, path: &str) -> u64 {
    let found = path.split('.').fold(report, |place, name| &place[name]);
    found.as_u64().unwrap_or_else(|| panic!("{path} is {found}"))
}

fn errors(report: &Value) -> u64 {
    report["errors"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn healthy_bots_all_get_in_and_agree_with_the_server() {
    let (server, folder) = (TestServer::start(), Folder::new("healthy"));
    let flags = "--game arena --bots 30 --rooms 3 --seconds 4 --threads 2";
    let output = run(&server.url, flags, Some(&folder.0));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = folder.report();
    assert_eq!((count(&report, "bots.connected"), count(&report, "bots.failed")), (30, 0));
    assert_eq!(count(&report, "bots.connected_at_end"), 30);
    assert_eq!((errors(&report), count(&report, "hash.mismatched")), (0, 0), "{report}");
    for some in ["hash.checked", "frames.received", "frames.bytes", "inputs.sent"] {
        assert!(count(&report, some) > 0, "{some}");
    }
    assert_eq!(count(&report, "frames.full"), 30);
    for measure in ["frame_interval_ms", "staleness_ms", "input_ack_ms", "connect_ms", "join_ms"] {
        assert!(count(&report, &format!("healthy.{measure}.count")) > 0, "{measure}");
        assert_eq!(count(&report, &format!("faulty.{measure}.count")), 0, "{measure}");
    }
    assert_eq!(report["series"]["connected"][3], 30);
    assert!(text(&output.stdout).contains("30 got in"));
    let page = std::fs::read_to_string(folder.0.join("report.html")).unwrap();
    assert!(page.contains("<!doctype html>") && page.contains("--bots 30"));
}

#[test]
fn a_game_that_was_never_seen_is_played_from_its_schema() {
    let (server, folder) = (TestServer::start(), Folder::new("pond"));
    let flags =
        "--game pond --bots 12 --players-per-room 6 --seconds 3 --decode sample:50% --quiet";
    let output = run(&server.url, flags, Some(&folder.0));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
    let report = folder.report();
    assert_eq!(report["config"]["behaviour"], "random");
    assert_eq!(count(&report, "config.rooms"), 2);
    assert_eq!((count(&report, "bots.decoding"), count(&report, "bots.counting_only")), (6, 6));
    assert!(count(&report, "inputs.sent") > 12, "{report}");
    assert_eq!(errors(&report), 0, "every input is one that the game takes: {report}");
    let verdict = report["verdict"].to_string();
    assert!(verdict.contains("6 of 12 bots only counted frames"), "{verdict}");
}

#[test]
fn every_fault_at_once_leaves_the_healthy_bots_alone() {
    let (server, folder) = (TestServer::start(), Folder::new("faults"));
    let flags = "--game arena --bots 60 --rooms 2 --seconds 8 --stall 10%:500ms --slow 10%:2kB/s \
                 --lag 10%:40ms+-20ms --cut 10%:1s --hostile 10%";
    let output = run(&server.url, flags, Some(&folder.0));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = folder.report();
    assert_eq!((count(&report, "bots.healthy"), count(&report, "bots.faulty")), (30, 30));
    assert_eq!((count(&report, "healthy.errors"), count(&report, "hash.mismatched")), (0, 0));
    for some in ["faults.stalls", "faults.cuts", "bots.resumed", "hostile.sent", "hostile.closed"] {
        assert!(count(&report, some) > 0, "{some}: {report}");
    }
    assert_eq!(count(&report, "hostile.unanswered"), 0, "{report}");
    for measure in ["frame_interval_ms", "staleness_ms", "resume_ms"] {
        assert!(count(&report, &format!("faulty.{measure}.count")) > 0, "{measure}");
    }
    assert_eq!(count(&report, "healthy.resume_ms.count"), 0);
}

#[test]
fn who_leaves_comes_back_to_a_new_seat_or_to_the_same() {
    let server = TestServer::start();
    for (flags, back) in [("", "bots.rejoined"), ("--resume", "bots.resumed")] {
        let folder = Folder::new(if flags.is_empty() { "churn" } else { "resume" });
        // Nearly everybody leaves within the time.
        let flags = format!("--game arena --bots 60 --rooms 2 --seconds 12 --churn 100% {flags}");
        let output = run(&server.url, &flags, Some(&folder.0));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let report = folder.report();
        assert!(count(&report, "bots.left") > 0 && count(&report, back) > 0, "{report}");
        assert_eq!((errors(&report), count(&report, "hash.mismatched")), (0, 0), "{report}");
    }
}

#[test]
fn a_server_that_is_killed_is_noted_and_the_report_written() {
    let (mut server, folder) = (TestServer::start(), Folder::new("killed"));
    let mut swarm = spawn(&server.url, "--game arena --bots 20 --seconds 6 --plain", &folder.0);
    wait_until_connected(&mut swarm, 20);
    server.kill();
    let output = swarm.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = folder.report();
    assert_eq!(
        (count(&report, "bots.connected"), count(&report, "bots.connected_at_end")),
        (20, 0)
    );
    assert_eq!(count(&report, "errors.lost"), 20, "{report}");
    assert!(count(&report, "errors.connect_failed") > 0, "they tried again: {report}");
    assert!(
        report["verdict"].to_string().contains("20 of 20 healthy bots were not in their rooms")
    );
    // Who waits in vain is not left out: the gap since the last frame counts.
    let longest = report["healthy"]["frame_interval_ms"]["max"].as_f64().unwrap();
    let typical = report["healthy"]["frame_interval_ms"]["p50"].as_f64().unwrap();
    assert!(longest > typical, "{longest} {typical}");
}

#[test]
fn what_is_no_tickwire_server_ends_with_2_and_a_sentence() {
    let (stranger, silent) = (Stranger::start(), Silent::start());
    let cases = [
        (stranger.url.clone(), "not a Tickwire server: /api/games was answered with 404 Not Found"),
        (silent.url.clone(), "a connection, but no answer"),
        (format!("http://127.0.0.1:{}", closed_port()), "Start one (cargo run --release)"),
    ];
    for (url, sentence) in cases {
        let output = run(&url, "--bots 5 --seconds 1", None);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence) && said.contains(&url), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn what_the_server_does_not_have_ends_with_2_and_a_sentence() {
    let server = TestServer::start();
    let cases = [
        ("", "name one game with --game: arena, pond"),
        ("--game chess", "the server has no game `chess`; it has: arena, pond"),
        ("--game pond --behaviour hunt", "pond has --behaviour random"),
        ("--game pond --room-options {\"closed\":true}", "the pond is closed"),
        ("--game pond --room-options {\"depth\":1}", "Check --room-options"),
    ];
    for (flags, sentence) in cases {
        let output = run(&server.url, &format!("{flags} --bots 5 --seconds 2 --quiet"), None);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags}: {said}");
        assert!(said.contains(sentence), "{flags}: {said}");
    }
}

#[test]
fn a_gate_decides_the_exit_code_and_says_why() {
    let server = TestServer::start();
    let gate = |conditions: &str| {
        let mut command = command(&server.url, "--game pond --bots 4 --seconds 2 --quiet", None);
        command.args(["--assert", conditions]).output().unwrap()
    };
    assert_eq!(gate("bots.connected == 4, hash.mismatched == 0").status.code(), Some(0));
    let failed = gate("bots.connected > 4, hash.checked > 0");
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stderr), "client-sim: bots.connected > 4 does not hold: it is 4\n");
    let unmeasured = gate("resume.p99 < 1s");
    assert_eq!(unmeasured.status.code(), Some(1));
    assert!(text(&unmeasured.stderr).contains("nothing was measured"));
    let wrong = gate("bots.conected == 4");
    assert_eq!(wrong.status.code(), Some(2));
    let said = text(&wrong.stderr);
    assert!(said.contains("no key `bots.conected`") && said.contains("bots.{arrived,connected,"));
}

#[test]
fn an_interrupt_ends_the_run_early_and_the_report_is_written() {
    let (server, folder) = (TestServer::start(), Folder::new("interrupt"));
    let mut swarm = spawn(&server.url, "--game pond --bots 10 --seconds 600 --plain", &folder.0);
    wait_until_connected(&mut swarm, 10);
    kill_process(Pid::from_child(&swarm), Signal::INT).unwrap();
    let output = swarm.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = folder.report();
    assert_eq!(report["run"]["ended"], "interrupted");
    assert_eq!(count(&report, "bots.connected"), 10);
}

#[test]
fn two_reports_are_compared() {
    let (server, folder) = (TestServer::start(), Folder::new("compare"));
    for name in ["a", "b"] {
        let folder = folder.0.join(name);
        let output = run(&server.url, "--game pond --bots 5 --seconds 2 --quiet", Some(&folder));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let (a, b) = (folder.0.join("a/report.json"), folder.0.join("b/report.json"));
    let compare = |b: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_client-sim"));
        command.arg("compare").arg(&a).arg(b).arg("--report").arg(folder.0.join("diff"));
        command.output().unwrap()
    };
    let output = compare(&b);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = text(&output.stdout);
    assert!(table.contains("frame_interval.p99") && table.contains("bots.connected"), "{table}");
    let page = std::fs::read_to_string(folder.0.join("diff/compare.html")).unwrap();
    assert_eq!(page.matches("\"format\":1").count(), 2);
    let output = compare(Path::new("Cargo.toml"));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Cargo.toml is not a report.json"));
}

#[test]
fn help_explains_every_flag_with_examples() {
    let output = Command::new(env!("CARGO_BIN_EXE_client-sim")).arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for flag in [
        "--url",
        "--game",
        "--bots",
        "--rooms",
        "--players-per-room",
        "--room-options",
        "--seconds",
        "--seed",
        "--ramp",
        "--churn",
        "--resume",
        "--behaviour",
        "--decode",
        "--stall",
        "--slow",
        "--lag",
        "--cut",
        "--hostile",
        "--threads",
        "--report",
        "--assert",
        "--quiet",
        "--plain",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(help.contains("Examples:") && help.contains("Exit codes:"));
}

fn spawn(url: &str, flags: &str, folder: &Path) -> Child {
    command(url, flags, Some(folder)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads lines of progress until all bots are there.
fn wait_until_connected(swarm: &mut Child, bots: usize) {
    let sign = format!("{bots} in rooms");
    wait_until(swarm.stdout.as_mut().unwrap(), |line| line.contains(&sign));
}
