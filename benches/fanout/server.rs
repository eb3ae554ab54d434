//! The servers under test, each a process of its own.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process;
use serde::{Deserialize, Serialize};

use super::machine::{Cpu, LOAD_CORE, SERVER_CORE, pin, resident};
use super::measure::Setting;

/// Who is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    Ceiling,
    /// The ceiling, whose rooms share deadlines.
    Shared,
    Tickwire,
    Ws,
    SocketIo,
    Colyseus,
}

impl Peer {
    pub(crate) const ALL: [Peer; 6] =
        [Peer::Ceiling, Peer::Shared, Peer::Tickwire, Peer::Ws, Peer::SocketIo, Peer::Colyseus];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ceiling => "ceiling",
            Peer::Shared => "shared",
            Peer::Tickwire => "tickwire",
            Peer::Ws => "ws",
            Peer::SocketIo => "socketio",
            Peer::Colyseus => "colyseus",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Peer> {
        Peer::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// Whether it runs in Node.
    pub(crate) fn in_node(self) -> bool {
        !matches!(self, Peer::Ceiling | Peer::Shared | Peer::Tickwire)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the servers for Node and their packages are.
pub(crate) fn node_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fanout/peers")
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    cores: Vec<usize>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server; with more than one worker it has all cores.
    pub(crate) fn start(setting: &Setting) -> io::Result<Server> {
        let Setting { peer, workers, nice, .. } = *setting;
        let (players, hz) = (setting.players.to_string(), setting.hz.to_string());
        let mut command = if peer.in_node() {
            let mut command = Command::new("node");
            command.arg(node_folder().join(format!("{peer}.mjs"))).args([&players, &hz]);
            command.env("NODE_ENV", "production");
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            let (workers, npcs) = (workers.to_string(), setting.npcs.to_string());
            let nice = nice.to_string();
            command.args(["serve", peer.name(), &players, &hz, &workers, &npcs, &nice]);
            command
        };
        let cores = if workers > 1 { vec![SERVER_CORE, LOAD_CORE] } else { vec![SERVER_CORE] };
        // A process begins where its parent is, and as nice. Tickwire's workers come first by
        // themselves, as far as they may; the others are to have that too.
        pin(&cores)?;
        let added = peer != Peer::Tickwire && process::nice(nice).is_ok();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        if added {
            process::nice(-nice)?;
        }
        pin(&[LOAD_CORE])?;
        let mut child = child?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a server without pipes"));
        };
        let mut stdout = BufReader::new(stdout);
        let address = loop {
            let mut line = String::new();
            if stdout.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("{peer} did not start")));
            }
            if let Some(address) = line.strip_prefix("ready ") {
                break address.trim().parse().map_err(io::Error::other)?;
            }
        };
        Ok(Server { child, stdin: Some(stdin), stdout, cores, address })
    }

    /// Tells Tickwire or the ceiling something, and gives its answer.
    pub(crate) fn ask(&mut self, order: &str) -> io::Result<String> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        writeln!(stdin, "{order}")?;
        stdin.flush()?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line)
    }

    /// Where it may run.
    pub(crate) fn cores(&self) -> &[usize] {
        &self.cores
    }

    pub(crate) fn cpu(&self) -> io::Result<Cpu> {
        Cpu::of(self.child.id(), &self.cores)
    }

    pub(crate) fn resident(&self) -> io::Result<u64> {
        resident(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
