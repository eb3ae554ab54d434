//! Whole sessions over a faulty link, each from a seed: messages take their
//! time, stall, and are lost with the connection; the server forgets old ticks.
//!
//! After every frame the client's state is what the server had at that tick,
//! and each command has one outcome.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use tickwire_protocol::Tick;
use tickwire_protocol::client::reconnect::Policy;
use tickwire_protocol::client::{Config, Phase, Session, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::message::{ClientMessage, ServerClock, ServerMessage};

use crate::server::{Rows, Server, Ship, Space, TICK_MS, arena, bytes, config, ms};

/// How many ticks the server can go on from.
const HISTORY: u32 = 40;
/// No faults, wishes and changes from here on …
const CALM_MS: u64 = 20_000;
/// … and all is at rest here.
const END_MS: u64 = 50_000;

struct Rng(u64);

impl Rng {
    /// Evenly below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// One way of a connection: in order, each message at its time.
#[derive(Default)]
struct Way(VecDeque<(u64, Vec<u8>)>);

impl Way {
    fn send(&mut self, rng: &mut Rng, now: u64, message: Vec<u8>) {
        let stall = if now < CALM_MS && rng.one_in(60) { rng.below(900) } else { 0 };
        let earliest = self.0.back().map_or(0, |(at, _)| *at);
        self.0.push_back(((now + 5 + rng.below(40) + stall).max(earliest), message));
    }

    fn arrived(&mut self, now: u64) -> Option<Vec<u8>> {
        self.0.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }
}

type Ships = Vec<(u32, Value, Value)>;

struct World {
    rng: Rng,
    now: u64,
    session: Session,
    server: Server<Space>,
    /// What the client was sent, by tick, and what the ships were.
    history: BTreeMap<Tick, (Rows, Ships)>,
    up: Way,
    down: Way,
    /// Whether the server has welcomed the present connection.
    welcomed: bool,
    /// Highest tick acknowledged and last frame sent, on this connection.
    acked: Tick,
    sent: Tick,
    input: Option<(u32, Tick)>,
    /// Outcomes of each command by its number.
    outcomes: BTreeMap<u32, u32>,
    frames: u32,
    resumes: u32,
}

impl World {
    fn new(seed: u64) -> World {
        // A link this bad would make the default policy wait most of the time.
        let policy = Policy {
            delay_cap: Duration::from_secs(1),
            attempts_max: u32::MAX,
            outage_max: Duration::MAX,
            ..Policy::default()
        };
        World {
            rng: Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now: 1000,
            session: Session::new(Config { seed, policy, ..config() }, ms(1000)),
            server: Server::new(arena()),
            history: BTreeMap::new(),
            up: Way::default(),
            down: Way::default(),
            welcomed: false,
            acked: Tick(0),
            sent: Tick(0),
            input: None,
            outcomes: BTreeMap::new(),
            frames: 0,
            resumes: 0,
        }
    }

    fn run(&mut self) {
        while self.now < END_MS {
            self.step(self.now < CALM_MS);
        }
    }

    fn step(&mut self, busy: bool) {
        self.now += 1;
        if self.now.is_multiple_of(TICK_MS) {
            self.tick(busy);
        }
        if busy && self.rng.one_in(1500) && self.session.phase() == Phase::Joined {
            self.cut();
        }
        if busy && self.rng.one_in(40) {
            self.play();
        }
        while let Some(message) = self.up.arrived(self.now) {
            self.serve(&message);
        }
        while let Some(message) = self.down.arrived(self.now) {
            self.session.handle_message(&message, ms(self.now)).expect("the server is honest");
            self.events();
        }
        self.session.handle_timeout(ms(self.now));
        self.events();
        let mut out = Vec::new();
        while self.session.poll_transmit(&mut out) {
            self.up.send(&mut self.rng, self.now, out.clone());
        }
        self.events();
        assert!(self.session.deadline().is_none_or(|at| at > ms(self.now)));
    }

    /// The connection ends, in one of several ways, and takes with it what was under way.
    fn cut(&mut self) {
        (self.up, self.down) = (Way::default(), Way::default());
        self.welcomed = false;
        match self.rng.below(3) {
            0 => self.session.handle_lost(ms(self.now)),
            1 => self.session.handle_close(1001, "", ms(self.now)),
            _ => {
                let bye = ServerMessage::Bye {
                    reason: CloseReason::TooSlow,
                    text: "",
                    retry_after_ms: 20,
                };
                self.session.handle_message(&bytes(&bye), ms(self.now)).unwrap();
            }
        }
    }

    /// What the player does.
    fn play(&mut self) {
        let body = [self.rng.below(3) as u8];
        self.session.input(&body, ms(self.now)).unwrap();
        if self.rng.one_in(5) {
            let timeout = Duration::from_millis(self.rng.below(2000));
            if let Ok(id) = self.session.command(&body, timeout, ms(self.now)) {
                self.outcomes.insert(id.0, 0);
            }
        }
        if self.rng.one_in(50) {
            self.session.refresh(ms(self.now));
        }
    }

    /// What the game does.
    fn tick(&mut self, busy: bool) {
        let rng = &mut self.rng;
        let ships = &mut self.server.world.ships;
        let ids: Vec<_> = ships.ids().collect();
        for id in ids.into_iter().filter(|_| busy) {
            match rng.below(12) {
                0 => drop(ships.despawn(id)),
                1 => ships.get_mut(id).unwrap().name = format!("ship {}", rng.below(9)),
                2..6 => ships.get_mut(id).unwrap().x += rng.below(64) as f32 / 4.0 - 8.0,
                _ => {}
            }
        }
        if busy && ships.len() < 12 {
            ships.spawn(Ship { x: rng.below(100) as f32, name: "new".into() });
        }
        self.server.tick = self.server.tick.after(1);
        // A credit of four frames, and a server that is busy at times.
        let skips = busy && self.rng.one_in(10);
        if self.welcomed && self.acked.until(self.sent) < 4 && !skips {
            self.send_frame();
        }
    }

    fn send_frame(&mut self) {
        let ahead = self.sent.until(self.server.tick);
        let frame = if ahead == 0 { return } else { self.server.encode(ahead) };
        self.note(frame);
    }

    /// Sends a frame, and keeps what the client then has.
    fn note(&mut self, frame: Vec<u8>) {
        self.sent = self.server.tick;
        let ships = self.server.world.ships.iter();
        let seen = ships.map(|(id, ship)| {
            (id.slot(), Value::Float(ship.x.into()), Value::Text(ship.name.clone()))
        });
        self.history.insert(self.sent, (self.server.rows(), seen.collect()));
        self.history.retain(|tick, _| tick.until(self.sent) <= HISTORY);
        self.down.send(&mut self.rng, self.now, frame);
    }

    /// What the server does with a message.
    fn serve(&mut self, message: &[u8]) {
        match ClientMessage::read(message).unwrap() {
            ClientMessage::Hello(hello) => {
                let known = hello.applied.and_then(|tick| self.history.get(&tick));
                let baseline = hello.applied.filter(|_| known.is_some());
                match (known.map(|(rows, _)| rows.clone()), baseline) {
                    (Some(rows), Some(tick)) => {
                        self.server.set_rows(rows);
                        (self.sent, self.acked) = (tick, tick);
                        self.resumes += 1;
                        self.welcome(baseline);
                    }
                    _ => {
                        self.welcome(None);
                        self.send_whole();
                        self.acked = Tick(self.sent.0 - 1);
                    }
                }
                self.welcomed = true;
            }
            ClientMessage::Input(inputs) => {
                assert!(inputs.applied <= self.sent && inputs.applied >= self.acked);
                self.acked = inputs.applied;
                for (sequence, tick, _) in inputs.iter() {
                    let (before, at) = self.input.unwrap_or((u32::MAX, Tick(0)));
                    assert!(sequence > before || before == u32::MAX, "{sequence} after {before}");
                    assert!(tick >= at, "{tick} after {at}");
                    self.input = Some((sequence, tick));
                }
            }
            ClientMessage::Command { id, .. } => {
                if !self.rng.one_in(4) {
                    let reply = bytes(&ServerMessage::Reply { id, outcome: Ok(&[]) });
                    self.down.send(&mut self.rng, self.now, reply);
                }
            }
            ClientMessage::Ping { stamp } => {
                let micros = (self.now % TICK_MS * 1000) as u32;
                let clock = ServerClock { tick: self.server.tick, micros };
                let pong = bytes(&ServerMessage::Pong { stamp, clock });
                self.down.send(&mut self.rng, self.now, pong);
            }
            ClientMessage::Refresh => self.send_whole(),
            other => panic!("{other:?}"),
        }
    }

    fn welcome(&mut self, baseline: Option<Tick>) {
        let welcome = self.server.welcome(baseline, false);
        self.down.send(&mut self.rng, self.now, welcome);
    }

    fn send_whole(&mut self) {
        let frame = self.server.full();
        self.note(frame);
    }

    fn events(&mut self) {
        let now = ms(self.now);
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Connect { .. } => {
                    if self.rng.one_in(4) {
                        self.session.handle_lost(now);
                    } else {
                        (self.up, self.down) = (Way::default(), Way::default());
                        self.welcomed = false;
                        self.session.handle_open(now);
                    }
                }
                SessionEvent::Frame { tick, merged } => {
                    assert_eq!(merged, 1);
                    self.frames += 1;
                    let mirror = self.session.mirror().unwrap();
                    let rows = mirror
                        .table("ships")
                        .unwrap()
                        .map(|row| (row.slot(), row.get("x").unwrap(), row.get("name").unwrap()));
                    assert_eq!(rows.collect::<Ships>(), self.history[&tick].1, "at {tick}");
                }
                SessionEvent::Reply { id, .. } => *self.outcomes.get_mut(&id.0).unwrap() += 1,
                SessionEvent::Closed { cause, then } => {
                    assert!(matches!(then, Then::Reconnect(_)), "{cause} {then:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_state_is_the_servers_at_every_frame_whatever_the_link_does() {
    let (mut frames, mut resumes) = (0, 0);
    for seed in 0..60 {
        let mut world = World::new(seed);
        world.run();
        assert_eq!(world.session.phase(), Phase::Joined, "seed {seed}");
        let seen = world.session.mirror().unwrap().tick().unwrap();
        assert!(seen.until(world.server.tick) <= 2, "seed {seed}: frames keep coming, {seen}");
        assert!(world.outcomes.values().all(|outcomes| *outcomes == 1), "seed {seed}");
        assert!(world.session.counters().diverged == 0 && world.outcomes.len() > 10);
        let at = world.session.server_tick(ms(world.now)).unwrap();
        assert!(at.since(world.server.tick).abs() < 2.0, "seed {seed}: {at:?}");
        frames += world.frames;
        resumes += world.resumes;
    }
    assert!(frames > 30_000 && resumes > 100, "{frames} frames, {resumes} resumes");
}

#[test]
fn a_session_is_a_function_of_its_inputs() {
    let trace = |seed| {
        let mut world = World::new(seed);
        world.run();
        format!("{:?} {:?}", world.session, world.outcomes)
    };
    assert_eq!(trace(3), trace(3));
}
