//! The command line.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use super::{
    BOTS_MAX, Decode, Faults, Lagged, Mix, PerSecond, Settings, Share, Slowed, THREADS_MAX, Timed,
};
use crate::net::Address;

const EXAMPLES: &str = "\
Examples:
  client-sim --url http://127.0.0.1:7777 --game arena --bots 500 --rooms 10 --report out/
      500 bots in 10 rooms for 30 seconds, and out/report.html at the end
  client-sim --url http://127.0.0.1:7777 --bots 200 --stall 10%:5s --slow 5%:20kB/s \\
             --lag 10%:100ms±30ms --cut 5%:10s --hostile 2%
      the same with trouble; the healthy bots are reported apart
  client-sim --url http://127.0.0.1:7777 --quiet \\
             --assert \"frame_interval.p99 < 60ms, hash.mismatched == 0\"
      a gate: exits with 1 and the reason if one does not hold
  client-sim compare before/report.json after/report.json --report diff/
      two runs side by side

Exit codes: 0 fine; 1 an assertion failed, or bots disagreed with the server;
2 bad arguments, or no server there; 130 the second Ctrl-C.
All keys of the report are in docs/SWARM.md.";

/// A swarm of bots that loads a Tickwire server and reports what each of them saw.
#[derive(Parser, Debug)]
#[command(
    name = "client-sim",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    order: Option<Compares>,
    #[command(flatten)]
    run: Flags,
}

#[derive(Subcommand, Debug)]
enum Compares {
    /// Prints two reports side by side, and draws them
    Compare(Compare),
}

/// Two reports.
#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// The report.json of the first run
    pub(crate) a: PathBuf,
    /// The report.json of the second run
    pub(crate) b: PathBuf,
    /// A folder for compare.html, with both runs in each chart
    #[arg(long, value_name = "FOLDER")]
    pub(crate) report: Option<PathBuf>,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Order {
    Run(Box<Settings>),
    Compare(Compare),
}

#[derive(Args, Debug)]
struct Flags {
    /// The server, as http://HOST:PORT
    #[arg(long, value_name = "URL", required = true)]
    url: Option<Address>,
    /// The game to play; not needed if the server has only one
    #[arg(long, value_name = "NAME")]
    game: Option<String>,
    /// How many bots
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = count::<BOTS_MAX>)]
    bots: usize,
    /// How many rooms they are spread over [default: 1]
    #[arg(long, value_name = "COUNT", conflicts_with = "players_per_room",
          value_parser = count::<BOTS_MAX>)]
    rooms: Option<usize>,
    /// As many rooms as it takes with so many bots in each
    #[arg(long, value_name = "COUNT", value_parser = count::<BOTS_MAX>)]
    players_per_room: Option<usize>,
    /// The options that rooms are made with, as JSON, such as '{"seats": 200}'
    #[arg(long, value_name = "JSON", value_parser = json)]
    room_options: Option<serde_json::Value>,
    /// How long the run takes, with the arrivals
    #[arg(long, value_name = "COUNT", default_value = "30", value_parser = count::<86_400>)]
    seconds: usize,
    /// The same seed gives the same bots, inputs and faults
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    seed: u64,
    /// How many bots arrive a second
    #[arg(long, value_name = "RATE", default_value = "200/s")]
    ramp: PerSecond,
    /// The share of the bots that leaves within a minute and comes back after a while, such as 20%
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    churn: Share,
    /// Who comes back from --churn resumes its seat, rather than taking a new one
    #[arg(long)]
    resume: bool,
    /// How bots play: wander, hunt, idle (the arena's), random (any game's), or shares of them,
    /// such as wander:50%,hunt:50% [default: what suits the game]
    #[arg(long, value_name = "MIX")]
    behaviour: Option<Mix>,
    /// Who decodes the state and checks its hash: all, none, or sample:10%. The others only
    /// count frames, which costs less
    #[arg(long, value_name = "WHO", default_value = "all")]
    decode: Decode,
    /// Bots that hang for a time, again and again: they neither read nor write, such as 10%:5s
    #[arg(long, value_name = "SHARE:TIME")]
    stall: Option<Timed>,
    /// Bots that read slowly, such as 5%:20kB/s
    #[arg(long, value_name = "SHARE:RATE")]
    slow: Option<Slowed>,
    /// Bots with a delay in each direction, such as 10%:100ms±30ms (or +-)
    #[arg(long, value_name = "SHARE:TIME")]
    lag: Option<Lagged>,
    /// Bots whose TCP connection is cut about so often, and that resume, such as 5%:10s
    #[arg(long, value_name = "SHARE:TIME")]
    cut: Option<Timed>,
    /// Bots that send malformed messages, such as 2%; that they are closed is expected
    #[arg(long, value_name = "SHARE")]
    hostile: Option<Share>,
    /// How many threads the bots run on; a room's bots are on one
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = count::<THREADS_MAX>)]
    threads: usize,
    /// A folder for report.json and report.html
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// What must hold at the end, such as "frame_interval.p99 < 60ms, hash.mismatched == 0"
    #[arg(long = "assert", value_name = "CONDITIONS")]
    assertions: Vec<String>,
    /// Prints nothing but what went wrong
    #[arg(long)]
    quiet: bool,
    /// Prints lines of progress, also where a full-screen view could be shown
    #[arg(long)]
    plain: bool,
}

impl Arguments {
    /// What the arguments ask for.
    pub(crate) fn order(self) -> Result<Order, clap::Error> {
        match self.order {
            Some(Compares::Compare(compare)) => Ok(Order::Compare(compare)),
            None => self.run.settings().map(|settings| Order::Run(Box::new(settings))),
        }
    }
}

impl Flags {
    fn settings(self) -> Result<Settings, clap::Error> {
        let wrong = |text: &str| Arguments::command().error(ErrorKind::ValueValidation, text);
        let command = self.command();
        let Flags { stall, slow, lag, cut, hostile, .. } = self;
        let faults = Faults { stall, slow, lag, cut, hostile };
        if faults.total() > 1.0 + 1e-9 {
            return Err(wrong(
                "the shares of --stall, --slow, --lag, --cut and --hostile are more \
                              than 100% together: a bot has one fault at most",
            ));
        }
        let rooms = match (self.rooms, self.players_per_room) {
            (Some(rooms), _) => rooms,
            (None, Some(players)) => self.bots.div_ceil(players),
            (None, None) => 1,
        };
        if rooms > self.bots {
            return Err(wrong("there are more --rooms than --bots: each room needs somebody"));
        }
        let url = self.url.ok_or_else(|| wrong("--url is missing"))?;
        if url.tls {
            return Err(wrong(
                "bots speak no TLS: give the server's own address, as http://HOST:PORT",
            ));
        }
        Ok(Settings {
            url,
            game: self.game,
            bots: self.bots,
            rooms,
            room_options: self.room_options.unwrap_or_default(),
            seconds: Duration::from_secs(self.seconds as u64),
            seed: self.seed,
            ramp: self.ramp,
            churn: self.churn,
            resume: self.resume,
            behaviour: self.behaviour,
            decode: self.decode,
            faults,
            threads: self.threads.min(rooms),
            report: self.report,
            assertions: self.assertions,
            quiet: self.quiet,
            plain: self.plain,
            command,
        })
    }

    /// The flags that make the same run, for a shell.
    fn command(&self) -> String {
        let mut line = "client-sim".to_owned();
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(line, " --{name} {}", quoted(&value));
            }
        };
        flag("url", self.url.as_ref().map(ToString::to_string));
        flag("game", self.game.clone());
        flag("bots", Some(self.bots.to_string()));
        flag("rooms", self.rooms.map(|rooms| rooms.to_string()));
        flag("players-per-room", self.players_per_room.map(|players| players.to_string()));
        flag("room-options", self.room_options.as_ref().map(ToString::to_string));
        flag("seconds", Some(self.seconds.to_string()));
        flag("seed", Some(self.seed.to_string()));
        flag("ramp", Some(self.ramp.to_string()));
        flag("churn", (self.churn != Share::default()).then(|| self.churn.to_string()));
        flag("behaviour", self.behaviour.as_ref().map(ToString::to_string));
        flag("decode", Some(self.decode.to_string()));
        flag("stall", self.stall.map(|it| it.to_string()));
        flag("slow", self.slow.map(|it| it.to_string()));
        flag("lag", self.lag.map(|it| it.to_string()));
        flag("cut", self.cut.map(|it| it.to_string()));
        flag("hostile", self.hostile.map(|it| it.to_string()));
        flag("threads", Some(self.threads.to_string()));
        if self.resume {
            line.push_str(" --resume");
        }
        line
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:%,+[]".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A number from 1 to `MAX`.
fn count<const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MAX}"))
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Result<Settings, String> {
        let words = line.split_whitespace();
        let parsed = Arguments::try_parse_from(words).and_then(Arguments::order);
        match parsed.map_err(|error| error.to_string())? {
            Order::Run(settings) => Ok(*settings),
            Order::Compare(_) => Err("compare".to_owned()),
        }
    }

    #[test]
    fn the_command_of_a_run_makes_the_same_run() {
        let line = "client-sim --url http://[::1]:7777 --game arena --bots 50 \
                    --players-per-room 20 --room-options {\"seats\":64} --seconds 5 --seed 9 \
                    --churn 20% --resume --behaviour wander:50%,hunt:50% --decode sample:10% \
                    --stall 10%:5s --slow 5%:20kB/s --lag 10%:100ms±30ms --cut 5%:10s --hostile 2%";
        let first = settings(line).unwrap();
        assert_eq!((first.rooms, first.threads), (3, 1));
        let again = settings(&first.command.replace('\'', "")).unwrap();
        assert_eq!(first.command, again.command);
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }

    #[test]
    fn the_documentation_has_every_flag_and_no_other() {
        let page = include_str!("../../../docs/SWARM.md");
        let table = page.split("| flag | what |").nth(1).unwrap();
        let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let words = lines.filter_map(|line| line.split(['`', ' ']).find(|it| it.starts_with("--")));
        let mut documented: Vec<String> = words.map(|word| word[2..].to_owned()).collect();
        let command = Arguments::command();
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        let own = flags.filter(|flag| !["help", "version"].contains(flag));
        let mut all: Vec<String> = own.map(str::to_owned).collect();
        documented.sort();
        all.sort();
        assert_eq!(documented, all);
    }

    #[test]
    fn the_flags_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let error = |rest: &str| settings(&format!("client-sim {rest}")).unwrap_err();
        assert!(error("--bots 5").contains("--url"));
        let url = "--url http://x";
        assert!(error(&format!("{url} --bots 0")).contains("a number from 1 to"));
        assert!(error(&format!("{url} --bots 2 --rooms 3")).contains("each room needs somebody"));
        assert!(error(&format!("{url} --stall 60%:1s --cut 50%:1s")).contains("one fault"));
        assert!(error(&format!("{url} --rooms 2 --players-per-room 3")).contains("cannot be used"));
        assert!(error(&format!("{url} --lag 10%:x")).contains("is not a time"));
        assert!(error("--url nowhere").contains("http://127.0.0.1:7777"));
        assert!(error("--url https://play.example").contains("no TLS"));
        assert_eq!(error("compare a.json b.json"), "compare");
    }
}
