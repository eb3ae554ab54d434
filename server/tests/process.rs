//! The program: what it prints, how signals end it, and with which exit code.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TICKWIRE_") {
            command.env_remove(name);
        }
    }
    command
}

fn output(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A server that runs; killed if the test fails.
struct Running {
    child: Child,
    address: String,
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start() -> Running {
        Running::of(&mut command(&["--listen", "127.0.0.1:0", "--log-level", "info"]))
    }

    fn of(command: &mut Command) -> Running {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("Tickwire is at http://").unwrap();
        let address = address.strip_suffix('/').unwrap().to_owned();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { child, address, log }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn logged(&mut self, what: &str) {
        assert!(self.log.any(|line| line.unwrap().contains(what)), "never logged: {what}");
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_prints_what_to_open_and_answers_there() {
    let server = Running::start();
    let mut client = TcpStream::connect(&server.address).unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_limit_of_open_files_is_raised() {
    let mut low = Command::new("sh");
    low.args(["-c", "ulimit -Sn 256 && exec \"$0\" --listen 127.0.0.1:0 --connections-max 300"]);
    low.arg(env!("CARGO_BIN_EXE_tickwire")).stdin(Stdio::null());
    let server = Running::of(&mut low);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft >= 300, "{line}");
}

#[test]
fn either_signal_ends_it_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Running::start();
        server.signal(signal);
        server.logged("the server has stopped");
        assert_eq!(server.exit_code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut server = Running::start();
        // A request that is under way keeps it from ending by itself for a while.
        let mut client = TcpStream::connect(&server.address).unwrap();
        let request = "POST /api/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                       Content-Length: 10\r\nExpect: 100-continue\r\n\r\n";
        client.write_all(request.as_bytes()).unwrap();
        // The server waits for the body: the handler runs.
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100");
        server.signal(Signal::TERM);
        server.logged("the server stops");
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(code));
    }
}

#[test]
fn help_and_bad_settings_have_exit_codes() {
    let help = output(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.contains("--listen <ADDRESS>"), "{text}");
    let bad = output(&["--workers", "many"]);
    assert_eq!(bad.status.code(), Some(2));
    let text = String::from_utf8(bad.stderr).unwrap();
    assert_eq!(text, "\"many\" of the flag --workers is not a number from 0 to 1024\n");
    let unknown = output(&["--wrokers", "1"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let server = Running::start();
    let second = output(&["--listen", &server.address, "--log-level", "error"]);
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.starts_with(&format!("cannot listen on {}: ", server.address)), "{text}");
}

#[test]
fn it_prints_the_schema_of_a_game() {
    let text = output(&["schema", "arena"]);
    assert_eq!(text.status.code(), Some(0));
    assert!(text.stdout.starts_with(b"table ships Ship\n"));
    let types = output(&["schema", "arena", "--ts"]);
    assert!(String::from_utf8(types.stdout).unwrap().contains("export interface Arena {"));
    let unknown = output(&["schema", "chess"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty() && !unknown.stderr.is_empty());
}
