//! How old the state is that a client has, on a link that is too narrow for all frames.
//!
//! `cargo bench --bench staleness`, as root on Linux: two network namespaces are joined by
//! a link of 512 kbit/s behind a queue of 256 KB, as a home router has. A game whose
//! frames are twice too many for it runs at one end, a client at the other, and the age
//! of the client's state is looked at every 5 ms; then the same without credit, when only
//! the kernel's buffers bound what is on the way. The target is a median under 0.25 s.
//! `-- --quick` looks for 5 seconds instead of 20. Where namespaces are not permitted,
//! it says so and does nothing.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "staleness/client.rs"]
mod client;
#[path = "staleness/game.rs"]
mod game;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use game::Tide;
use tickwire::config::Config;
use tickwire::game::Game;
use tickwire::server::{Place, Server, Wish};

const SERVER_IP: &str = "10.231.77.1";
const CLIENT_IP: &str = "10.231.77.2";
const PORT: u16 = 7601;
/// The link, as `tc` understands it.
const SHAPE: [&str; 7] = ["tbf", "rate", "512kbit", "burst", "1600", "limit", "262144"];
const TARGET_MS: f64 = 250.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", credit] => serve(credit == "on"),
        ["play", token, seconds] => play(token, Duration::from_secs(seconds.parse().unwrap())),
        _ => compare(if words.contains(&"--quick") { 5 } else { 20 }),
    }
}

// ------------------------------------------------------------- both ends of the link

/// The server, until its standard input ends. Prints a token.
fn serve(credit: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listen = SocketAddr::new(SERVER_IP.parse().unwrap(), PORT);
        let config = Config { listen, workers: 1, ..Config::default() };
        let builder = Server::builder().game::<Tide>().config(config);
        let builder = if credit { builder } else { builder.without_credit() };
        let server = builder.bind().await.unwrap();
        let name = Tide::NAME.to_owned();
        let place = Place::Game { name, options: ().into(), private: false };
        let ticket = server.handle().join(Wish { place, name: String::new() }).await.unwrap();
        println!("{}", ticket.token);
        let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        server.run_until(async { drop(over.await) }).await;
    });
}

/// A client. Prints what it has seen.
fn play(token: &str, time: Duration) {
    let address = SocketAddr::new(SERVER_IP.parse().unwrap(), PORT);
    let seen = client::play(address, token, time).unwrap();
    let quantile = |share: f64| {
        let at = ((seen.ages.len() - 1) as f64 * share).round() as usize;
        seen.ages[at] as f64 / 1000.0
    };
    let seconds = time.as_secs_f64();
    println!(
        "{} {} {} {} {}",
        quantile(0.5),
        quantile(0.95),
        quantile(1.0),
        seen.frames as f64 / seconds,
        seen.bytes as f64 * 8.0 / 1000.0 / seconds,
    );
}

// ------------------------------------------------------------------------- the link

/// Two namespaces and the link between them; gone when it is dropped.
struct Link {
    server: String,
    client: String,
}

impl Link {
    fn make() -> Result<Link, String> {
        let name = |end: &str| format!("tickwire-{}-{end}", std::process::id());
        let link = Link { server: name("s"), client: name("c") };
        run("ip", &["netns", "add", &link.server])?;
        run("ip", &["netns", "add", &link.client])?;
        let veth = ["link", "add", "end", "netns", &link.server, "type", "veth"];
        run("ip", &[&veth[..], &["peer", "name", "end", "netns", &link.client]].concat())?;
        for (namespace, ip) in [(&link.server, SERVER_IP), (&link.client, CLIENT_IP)] {
            run("ip", &["-n", namespace, "addr", "add", &format!("{ip}/24"), "dev", "end"])?;
            run("ip", &["-n", namespace, "link", "set", "end", "up"])?;
        }
        let queue = ["-n", &link.server, "qdisc", "add", "dev", "end", "root"];
        run("tc", &[&queue[..], &SHAPE].concat())?;
        Ok(link)
    }

    /// This program in one of the namespaces.
    fn spawn(&self, namespace: &str, words: &[&str]) -> Child {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.client] {
            if let Err(why) = run("ip", &["netns", "del", namespace]) {
                eprintln!("{why}");
            }
        }
    }
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", words.join(" "), why.trim()))
}

// ------------------------------------------------------------------- the comparison

fn compare(seconds: u64) {
    println!("Age of the state on a link of 512 kbit/s behind 256 KB, ms; {seconds} s each");
    println!(
        "{:<14}{:>8}{:>8}{:>8}{:>12}{:>10}",
        "", "median", "p95", "most", "frames/s", "kbit/s"
    );
    for (name, credit) in [("credit", "on"), ("no credit", "off")] {
        // A link of its own for each: no queue is left from before.
        let link = match Link::make() {
            Ok(link) => link,
            Err(why) => return println!("skipped: no network namespaces here ({why})"),
        };
        let mut server = link.spawn(&link.server, &["serve", credit]);
        let mut token = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut token).unwrap();
        let client = link.spawn(&link.client, &["play", token.trim(), &seconds.to_string()]);
        let output = client.wait_with_output().unwrap();
        drop(server.stdin.take());
        server.wait().unwrap();
        let figures = String::from_utf8(output.stdout).unwrap();
        let figures: Vec<f64> =
            figures.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        let [median, p95, most, frames, kbit] = figures[..] else {
            panic!("the client has failed: {}", String::from_utf8_lossy(&output.stderr));
        };
        let note = match credit {
            "on" => format!("    target: median under {TARGET_MS}"),
            _ => String::new(),
        };
        println!("{name:<14}{median:>8.0}{p95:>8.0}{most:>8.0}{frames:>12.1}{kbit:>10.0}{note}");
    }
}
