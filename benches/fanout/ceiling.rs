//! The ceiling: what the kernel alone takes.
//!
//! A bare epoll loop. For each room and tick there is one frame, encoded before;
//! each client gets it with one write, and what it sends is taken with one read.
//! Sockets are edge-triggered, and a read that did not fill the buffer is the last.
//! Like Tickwire's (`host`) it understands `mark` and `late`.

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::Timespec;

use super::late::Ticks;
use super::machine::{SERVER_CORE, pin, raise_file_limit};

const EVENTS_MAX: usize = 512;
const LISTENER: u64 = u64::MAX;
const PARENT: u64 = u64::MAX - 1;
/// Deadlines of rooms are this far apart or the same.
const APART: Duration = Duration::from_micros(500);
/// The same where rooms share few, as Tickwire's do.
const APART_SHARED: Duration = Duration::from_millis(8);
const PLAYER_BYTES: usize = 8;
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\n\r\n";

/// What every room is like.
#[derive(Clone, Copy)]
struct Plan {
    players: usize,
    /// What a frame tells of: the players, and what is nobody's.
    entities: usize,
    period: Duration,
    /// How far deadlines of rooms are apart, if they are not the same.
    apart: Duration,
}

struct Client {
    stream: TcpStream,
    /// The HTTP request has been answered.
    upgraded: bool,
}

struct Room {
    frame: Vec<u8>,
    tick: u32,
    next: Instant,
    clients: Vec<Client>,
}

/// Serves rooms of `players` and `npcs`, which may share deadlines, until its parent ends
/// it, or ends.
pub(crate) fn serve(players: usize, hz: u32, npcs: usize, shared: bool) -> io::Result<()> {
    pin(&[SERVER_CORE])?;
    raise_file_limit()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    epoll::add(&poll, io::stdin(), epoll::EventData::new_u64(PARENT), epoll::EventFlags::IN)?;
    println!("ready {}", listener.local_addr()?);

    let apart = if shared { APART_SHARED } else { APART };
    let period = Duration::from_secs(1) / hz;
    let plan = Plan { players, entities: players + npcs, period, apart };
    let begun = Instant::now();
    let mut rooms: Vec<Room> = Vec::new();
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut buffer = [0; 2048];
    let mut ticks = Ticks::begin();
    loop {
        let next = rooms.iter().map(|room| room.next).min();
        let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => accept(&listener, &poll, plan, begun, &mut rooms)?,
                PARENT => {
                    let mut order = String::new();
                    io::stdin().lock().read_line(&mut order)?;
                    match order.trim_end() {
                        "mark" => {
                            ticks = Ticks::begin();
                            println!("marked");
                        }
                        "late" => println!("{}", serde_json::json!(ticks.told())),
                        _ => return Ok(()),
                    }
                }
                data => {
                    let (room, client) = ((data >> 32) as usize, data as u32 as usize);
                    rooms[room].clients[client].read(&mut buffer)?;
                }
            }
        }
        let now = Instant::now();
        ticks.divide(now);
        for room in rooms.iter_mut().filter(|room| room.next <= now) {
            ticks.record(room.next.elapsed());
            room.tick(period);
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &rustix::fd::OwnedFd,
    plan: Plan,
    begun: Instant,
    rooms: &mut Vec<Room>,
) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        if rooms.last().is_none_or(|room| room.clients.len() == plan.players) {
            rooms.push(Room::new(plan, rooms.len() as u32, begun));
        }
        let number = rooms.len() - 1;
        let clients = &mut rooms[number].clients;
        let data = epoll::EventData::new_u64((number as u64) << 32 | clients.len() as u64);
        epoll::add(poll, &stream, data, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        clients.push(Client { stream, upgraded: false });
    }
}

impl Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match (&self.stream).read(buffer) {
            // The request is short and comes whole.
            Ok(1..) if !self.upgraded => {
                self.upgraded = true;
                (&self.stream).write_all(SWITCHING)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Room {
    fn new(plan: Plan, number: u32, begun: Instant) -> Room {
        let Plan { players, entities, period, apart } = plan;
        let payload = 4 + PLAYER_BYTES * entities;
        let mut frame = Vec::new();
        tickwire::net::put_server_header(&mut frame, tickwire::net::Opcode::Binary, payload);
        frame.resize(frame.len() + payload, 7);
        // The golden section spreads any number of rooms.
        let slots = (period.as_nanos() / apart.as_nanos()).max(1) as u64;
        let slot = (slots * u64::from(number.wrapping_mul(2_654_435_769))) >> 32;
        let whole = period * (begun.elapsed().as_nanos() / period.as_nanos() + 1) as u32;
        let next = begun + whole + period * slot as u32 / slots as u32;
        Room { frame, tick: 0, next, clients: Vec::with_capacity(players) }
    }

    fn tick(&mut self, period: Duration) {
        self.tick += 1;
        self.next += period;
        let at = self.frame.len() - PLAYER_BYTES;
        self.frame[at..at + 4].copy_from_slice(&self.tick.to_le_bytes());
        for client in self.clients.iter().filter(|client| client.upgraded) {
            // A client that has gone or is full goes without.
            let _ = (&client.stream).write(&self.frame);
        }
    }
}
