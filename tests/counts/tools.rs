//! This program again, under tools that count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::figures::SystemCalls;

/// The argument that has this program do what is counted.
pub(crate) const PLAY: &str = "play";
/// What the server's thread is called while it does.
const PART: &str = "prctl(PR_SET_NAME, \"part-3\"";
/// And after it.
const OVER: &str = "prctl(PR_SET_NAME, \"between\"";
/// Calls of the clockwork around the server: it sleeps, and is named.
const CLOCKWORK: [&str; 2] = ["futex", "prctl"];

/// What the server's thread asks of the kernel, or why that cannot be counted here.
pub(crate) fn system_calls(players: usize, ticks: u32) -> Result<SystemCalls, String> {
    let mut probe = Command::new("strace");
    permitted(probe.args(["-f", "-o", "/dev/null", "true"]))?;
    let trace = place("trace");
    let mut strace = Command::new("strace");
    run(strace.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(&trace));
    let trace = fs::read_to_string(&trace).unwrap();
    let counts = in_part(&trace);
    println!("in {ticks} ticks of {players} players: {counts:?}");
    let of = |names: &[&str]| names.iter().filter_map(|name| counts.get(*name)).sum::<u64>() as f64;
    let (sends, receives) = (of(&["sendto", "sendmsg"]), of(&["recvfrom", "recvmsg"]));
    let others = of(&counts.keys().copied().collect::<Vec<_>>()) - sends - receives;
    let (ticks, players) = (f64::from(ticks), players as f64);
    Ok(SystemCalls {
        sends: sends / ticks / players,
        receives: receives / ticks / players,
        others: (others - of(&CLOCKWORK)) / ticks,
    })
}

/// How often each call is in a trace, by the thread and in the part that is counted.
fn in_part(trace: &str) -> BTreeMap<&str, u64> {
    let mut lines = trace.lines().map(|line| line.split_once(' ').unwrap_or_default());
    let begin = |(_, call): &(&str, &str)| call.trim_start().starts_with(PART);
    let (thread, _) = lines.find(begin).expect("the thread is named for its part");
    let calls = lines.filter(|(whose, _)| *whose == thread).map(|(_, call)| call.trim_start());
    let mut counts = BTreeMap::new();
    // What was interrupted in the trace goes on in a line that begins with `<...`.
    for call in calls.take_while(|call| !call.starts_with(OVER)) {
        if let Some((name, _)) = call.split_once('(').filter(|_| !call.starts_with('<')) {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

/// Instructions of the server's thread for each frame of a client, or why they cannot be
/// counted here.
pub(crate) fn instructions(players: usize, ticks: u32) -> Result<f64, String> {
    permitted(Command::new("valgrind").args(["--tool=callgrind", "--version"]))?;
    let out = place("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--toggle-collect=*::conduct", "--dump-after=*::conduct"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    run(&mut valgrind);
    // One file for each part.
    let told = fs::read_to_string(out.with_extension("3")).unwrap();
    let total = told.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: f64 = total.and_then(|total| total.trim().parse().ok()).expect("a total");
    Ok(total / players as f64 / f64::from(ticks))
}

/// A file that a tool writes.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Whether a tool is there and may do what it does.
fn permitted(tool: &mut Command) -> Result<(), String> {
    let name = tool.get_program().to_string_lossy().into_owned();
    let done = tool.output().map_err(|error| format!("{name}: {error}"))?;
    let told = String::from_utf8_lossy(&done.stderr);
    let why = told.lines().next().unwrap_or("it fails").to_owned();
    if done.status.success() { Ok(()) } else { Err(why) }
}

/// Runs this program under a tool.
fn run(tool: &mut Command) {
    let program = std::env::current_exe().unwrap();
    tool.arg(program).arg(PLAY).stdout(Stdio::null());
    let done = tool.output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{tool:?}: {}\n{told}", done.status);
}
