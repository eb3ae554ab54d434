//! The load: all clients of one server, in one thread.
//!
//! Most connections are read in batches, a few frames at a time, well before a
//! server would wait for an acknowledgement; reading each frame by itself would
//! cost this side more than writing it costs the server. About a hundred are
//! *watched*: read every millisecond, by the kernel's own time stamps, which do not care
//! when this thread had time for them.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use rustix::event::epoll;
use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use super::dialect::{Heard, Input, Shown, State, TURNS, greet, put_frame, split_frame};
use super::machine::own_cpu;
use super::measure::Setting;
use super::server::{Peer, Server};

/// Clients that are watched.
const WATCHED: usize = 100;
/// At most so long goes by between two reads of a connection, unless it speaks less often.
const READ_EVERY: Duration = Duration::from_millis(55);
/// Sleep of the loop. Nothing wakes it: that would be the server's work, an interrupt
/// of another core for each frame of a watched client, and the time stamps are the
/// kernel's anyway.
const NAP: Duration = Duration::from_millis(1);
/// What real play sends: acknowledgements, and with so many of them the controls change.
const HELD_HZ: u32 = 10;
const HELD_CHANGES_HZ: u32 = 4;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// Bytes of one read.
const BUFFER_BYTES: usize = 64 * 1024;

/// How clients play.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Play {
    /// An input for every tick, each with another turn.
    #[serde(rename = "every")]
    EveryTick,
    /// Inputs that are held, changed 4 times a second, with acknowledgements at 10 Hz.
    Held,
}

/// What the clients have seen in a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frames: u64,
    /// Bytes of TCP's payload, whatever they were.
    pub(crate) bytes: u64,
    /// Nanoseconds between two frames, of the watched clients.
    pub(crate) intervals: Vec<u64>,
    /// Nanoseconds from an input to the frame that shows it.
    pub(crate) echoes: Vec<u64>,
    /// Connections that ended.
    pub(crate) lost: usize,
    /// How far the load was behind its own plan, at the most.
    pub(crate) behind: Duration,
    pub(crate) cpu: Duration,
    pub(crate) took: Duration,
}

struct Client {
    stream: TcpStream,
    state: State,
    /// The beginning of a frame whose rest has not come.
    pending: Vec<u8>,
    messages: u64,
    watch: Option<Watch>,
    /// All messages, if they are kept.
    kept: Option<Vec<Vec<u8>>>,
    lost: bool,
}

/// What is kept of a watched client.
#[derive(Default)]
struct Watch {
    last: Option<u64>,
    /// The last inputs that no frame has shown, and when they were sent.
    inputs: VecDeque<(Input, u64)>,
}

/// All clients.
pub(crate) struct Crowd {
    peer: Peer,
    play: Play,
    players: usize,
    clients: Vec<Client>,
    /// Tokens of the newest room's seats that are free (Tickwire).
    tokens: VecDeque<String>,
    /// Messages of each client a second.
    rate: u32,
    read_every: u64,
    poll: OwnedFd,
    /// One in so many is watched.
    watch_every: usize,
    begun: Instant,
    turns: u64,
    buffer: Vec<u8>,
    out: Vec<u8>,
    seen: Seen,
}

impl Crowd {
    /// Connects the clients of a setting.
    pub(crate) fn join(server: &mut Server, setting: &Setting) -> io::Result<Crowd> {
        let Setting { peer, play, players, clients, hz, .. } = *setting;
        let rate = if play == Play::Held { HELD_HZ } else { hz };
        let mut crowd = Crowd {
            peer,
            play,
            players,
            clients: Vec::with_capacity(clients),
            tokens: VecDeque::new(),
            rate,
            read_every: (READ_EVERY.as_secs_f64() * f64::from(rate)).max(1.0) as u64,
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            watch_every: (clients / WATCHED).max(1),
            begun: Instant::now(),
            turns: 0,
            buffer: vec![0; BUFFER_BYTES],
            out: Vec::new(),
            seen: Seen::default(),
        };
        for number in 0..clients {
            let client = crowd.newcomer(server, number)?;
            crowd.clients.push(client);
        }
        Ok(crowd)
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// More clients join while the others play on.
    pub(crate) fn grow(&mut self, server: &mut Server, more: usize) -> io::Result<()> {
        let mut joined = Vec::with_capacity(more);
        for number in self.clients.len()..self.clients.len() + more {
            joined.push(self.newcomer(server, number)?);
            self.take_turns()?;
            self.watch()?;
        }
        self.clients.extend(joined);
        (self.begun, self.turns) = (Instant::now(), 0);
        Ok(())
    }

    fn newcomer(&mut self, server: &mut Server, number: usize) -> io::Result<Client> {
        if self.peer == Peer::Tickwire && self.tokens.is_empty() {
            self.tokens = server.ask("room")?.split_whitespace().map(str::to_owned).collect();
        }
        let token = self.tokens.pop_front().unwrap_or_default();
        let state = State::new(number, self.players);
        let mut client = Client::join(self.peer, server.address, number, &token, state)?;
        if number.is_multiple_of(self.watch_every) {
            client.watch = Some(Watch::default());
            setsockopt(&client.stream, sockopt::ReceiveTimestampns, &true)?;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&self.poll, &client.stream, data, epoll::EventFlags::IN)?;
        }
        Ok(client)
    }

    /// Keeps what is sent to one client from its beginning.
    pub(crate) fn keep_messages(&mut self, client: usize) {
        self.clients[client].kept = Some(Vec::new());
    }

    /// What was sent to it.
    pub(crate) fn take_messages(&mut self, client: usize) -> Vec<Vec<u8>> {
        self.clients[client].kept.take().unwrap_or_default()
    }

    /// Plays for a time, and tells what was seen in it.
    pub(crate) fn play(&mut self, time: Duration) -> io::Result<Seen> {
        self.seen = Seen::default();
        let (begun, cpu) = (Instant::now(), own_cpu());
        if self.turns == 0 {
            self.begun = begun;
        }
        while begun.elapsed() < time {
            self.take_turns()?;
            self.watch()?;
            thread::sleep(NAP);
        }
        self.seen.took = begun.elapsed();
        self.seen.cpu = own_cpu() - cpu;
        Ok(std::mem::take(&mut self.seen))
    }

    /// Every client whose turn has come speaks, and is read every so often.
    fn take_turns(&mut self) -> io::Result<()> {
        let all = self.clients.len() as u64;
        let per_second = all * u64::from(self.rate);
        let due = (self.begun.elapsed().as_nanos() * u128::from(per_second) / 1_000_000_000) as u64;
        let behind = Duration::from_nanos(
            due.saturating_sub(self.turns).saturating_mul(1_000_000_000) / per_second,
        );
        self.seen.behind = self.seen.behind.max(behind);
        while self.turns < due {
            // A stride through the rooms: neighbours in time are not neighbours in a room.
            let at = (self.turns % all) as usize;
            if (self.turns / all + at as u64).is_multiple_of(self.read_every) {
                self.read(at);
            }
            self.speak(at);
            self.turns += 1;
            if self.turns.is_multiple_of(256) {
                self.watch()?;
            }
        }
        Ok(())
    }

    fn speak(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.lost {
            return;
        }
        let held = self.play == Play::Held && !changes(client.messages);
        client.messages += 1;
        let input = client.state.speak(self.peer, held, &mut self.out);
        if let (Some(input), Some(watch)) = (input, &mut client.watch) {
            watch.spoke(input, wall_ns());
        }
        if (&client.stream).write(&self.out).is_err() {
            client.lost = true;
            self.seen.lost += 1;
        }
    }

    /// Reads what has come for a client that is not watched.
    fn read(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.lost || client.watch.is_some() {
            return;
        }
        match (&client.stream).read(&mut self.buffer) {
            Ok(0) => client.lost(&mut self.seen),
            Ok(count) => client.take(self.peer, &self.buffer[..count], None, &mut self.seen),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => client.lost(&mut self.seen),
        }
    }

    /// Takes the frames of watched clients, with the time when the kernel got them.
    fn watch(&mut self) -> io::Result<()> {
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 2 * WATCHED];
        let count = epoll::wait(&self.poll, &mut events[..], Some(&AT_ONCE))?;
        for event in &events[..count] {
            let at = event.data.u64() as usize;
            // One that has just joined does not play yet.
            let Some(client) = self.clients.get_mut(at) else { continue };
            match receive(&client.stream, &mut self.buffer) {
                Ok((0, _)) => {
                    epoll::delete(&self.poll, &client.stream)?;
                    client.lost(&mut self.seen);
                }
                Ok((count, stamp)) => {
                    client.take(self.peer, &self.buffer[..count], stamp, &mut self.seen);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    epoll::delete(&self.poll, &client.stream)?;
                    client.lost(&mut self.seen);
                }
            }
        }
        Ok(())
    }
}

impl Client {
    fn join(
        peer: Peer,
        address: SocketAddr,
        number: usize,
        token: &str,
        state: State,
    ) -> io::Result<Client> {
        // Thousands of connections want more ports than one address has, and a
        // server may limit what comes from one.
        let from = Ipv4Addr::new(127, 1, (number / 250 % 250) as u8, (1 + number % 250) as u8);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
        socket.connect(&address.into())?;
        let stream: TcpStream = socket.into();
        stream.set_nodelay(true)?;
        let mut pending = Vec::new();
        greet(peer, address, &stream, token, &mut pending)?;
        stream.set_nonblocking(true)?;
        Ok(Client {
            stream,
            state,
            pending,
            messages: number as u64,
            watch: None,
            kept: None,
            lost: false,
        })
    }

    fn lost(&mut self, seen: &mut Seen) {
        self.lost = true;
        seen.lost += 1;
    }

    /// Takes bytes of the server; `stamp` is when the last of them came.
    fn take(&mut self, peer: Peer, bytes: &[u8], stamp: Option<u64>, seen: &mut Seen) {
        seen.bytes += bytes.len() as u64;
        let joined;
        let mut rest = if self.pending.is_empty() {
            bytes
        } else {
            self.pending.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.pending);
            &joined[..]
        };
        while let Some((opcode, payload, length)) = split_frame(rest) {
            rest = &rest[length..];
            if let Some(kept) = &mut self.kept {
                kept.push(payload.to_vec());
            }
            match self.state.hear(peer, opcode, payload, self.watch.is_some()) {
                Heard::Frame(shown) => {
                    seen.frames += 1;
                    if let (Some(watch), Some(stamp)) = (&mut self.watch, stamp) {
                        watch.frame(shown, stamp, seen);
                    }
                }
                Heard::Ask(opcode, answer) => {
                    let mut out = Vec::new();
                    put_frame(opcode, answer, &mut out);
                    // If it is lost, the next turn notices.
                    let _ = (&self.stream).write(&out);
                }
                Heard::Nothing => {}
                Heard::End => self.lost(seen),
            }
        }
        self.pending.extend_from_slice(rest);
    }
}

impl Watch {
    fn spoke(&mut self, input: Input, now: u64) {
        // A turn tells an input only among so many.
        if self.inputs.len() == TURNS as usize - 1 {
            self.inputs.pop_front();
        }
        self.inputs.push_back((input, now));
    }

    fn frame(&mut self, shown: Shown, stamp: u64, seen: &mut Seen) {
        if let Some(last) = self.last.replace(stamp) {
            seen.intervals.push(stamp.saturating_sub(last));
        }
        let is_shown = |input: &Input| match shown {
            Shown::Nothing => false,
            Shown::Sequence(sequence) => input.sequence == sequence,
            Shown::Turn(turn) => input.turn == turn,
        };
        // Those before it were overtaken by it.
        if let Some(at) = self.inputs.iter().position(|(input, _)| is_shown(input)) {
            seen.echoes.push(stamp.saturating_sub(self.inputs[at].1));
            self.inputs.drain(..=at);
        }
    }
}

/// Whether a message of real play has other controls than those before.
fn changes(message: u64) -> bool {
    let (all, changes) = (u64::from(HELD_HZ), u64::from(HELD_CHANGES_HZ));
    message * changes % all < changes
}

/// Reads a socket, with the kernel's time of what was read.
fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
    let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let stamp = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::ScmTimestampns(time) => {
            Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
        }
        _ => None,
    });
    Ok((message.bytes, stamp))
}

/// The clock that the kernel stamps with.
fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}
