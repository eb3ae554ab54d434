//! A worker without its thread: rooms, their clocks, and orders.
//!
//! Invariants: a room is never borrowed across an await, nor while another room
//! is; a panic in a room ends this room and nothing else; the directory is only
//! written when what it shows of a room has changed.

mod calls;
mod plan;

use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tickwire_protocol::Time;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::ClientMessage;
use tickwire_protocol::token::TokenKind;
use tokio::sync::{Notify, mpsc};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::clock::{Alarm, Nanos, Phases, Raster, Timeline};
use super::connection::{Buffers, Connection, Heard, RoomLink};
use super::lead::Lead;
use super::load::{BusyMeter, Ladder, Load, Steps};
use super::reading::{self, Reading};
use super::records::Records;
use super::{Common, Greeting, NotOpened, NotReserved, Order, RoomSpec};
use crate::directory::RoomEntry;
use crate::metrics::WorkerMetrics;
use crate::net::{Group, Ready, Settled, Sockets};
use crate::room::{AnyRoom, Joined, RoomFull, RoomId, SeatId};
use calls::{Asks, told};
use plan::Planned;

/// How often rooms without anybody are looked at, and the load is measured.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// After the sockets were read because something came, they are left alone for so
/// long, unless a step is due: whoever plays sends for steps, and a wake-up costs as
/// much as a few frames.
const LOOK_PAUSE: Duration = Duration::from_millis(4);
/// When nothing has come for so long, the worker waits to be woken: to arm the bell and to
/// disarm it again takes two system calls.
const SILENCE: Duration = Duration::from_millis(100);

/// The owner of rooms and all of their connections, on one thread.
pub(crate) struct Host {
    index: usize,
    common: Common,
    load: Arc<Load>,
    rooms: RefCell<HashMap<RoomId, Rc<Hosted>>>,
    /// The next deadline of each room that somebody is in.
    plan: RefCell<BinaryHeap<Reverse<Planned>>>,
    /// A room was added to the plan from outside of the loop.
    replanned: Notify,
    records: RefCell<Records>,
    phases: Phases,
    raster: Cell<Raster>,
    /// The steps since the load was measured.
    steps: Cell<Steps>,
    ladder: RefCell<Ladder>,
    /// Why the worker stops, once it does.
    stops: Cell<Option<CloseReason>>,
    /// The sockets that are read here, and not by Tokio.
    sockets: Sockets,
    buffers: Rc<Buffers>,
    /// When the sockets were looked at last, and when something had come last.
    looked: Cell<Nanos>,
    found: Cell<Nanos>,
    /// How long that takes before a step.
    lead: Lead,
    /// Whether all are read then, or those of a room before its step.
    reading: Cell<Reading>,
    /// Connections whose drivers have not ended.
    connections: Cell<usize>,
    /// The last of them has.
    idle: Notify,
}

/// A room on its worker.
struct Hosted {
    id: RoomId,
    tick_hz: u32,
    /// Nothing once the room has ended.
    room: RefCell<Option<Box<dyn AnyRoom>>>,
    timeline: Cell<Option<Timeline>>,
    /// Its clients' sockets, if they may be read with its steps; made for the first.
    group: OnceCell<Option<Rc<Group>>>,
    /// They were not read before the last step.
    passed: Cell<bool>,
    /// What the directory shows.
    entry: RefCell<RoomEntry>,
    /// It is private by its creation, whatever the game says.
    private: bool,
}

impl Host {
    pub(crate) fn new(index: usize, common: Common, load: Arc<Load>) -> Rc<Host> {
        Rc::new(Host {
            index,
            common,
            load,
            rooms: RefCell::default(),
            plan: RefCell::default(),
            replanned: Notify::new(),
            records: RefCell::default(),
            phases: Phases::default(),
            raster: Cell::default(),
            steps: Cell::default(),
            ladder: RefCell::default(),
            stops: Cell::new(None),
            sockets: Sockets::default(),
            buffers: Buffers::new(),
            looked: Cell::default(),
            found: Cell::default(),
            lead: Lead::default(),
            reading: Cell::default(),
            connections: Cell::new(0),
            idle: Notify::new(),
        })
    }

    /// Follows orders and the clock until it is told to stop.
    pub(crate) async fn run(self: Rc<Self>, mut orders: mpsc::Receiver<Order>, mut alarm: Alarm) {
        // A share of the first moment would say nothing of the load.
        let mut upkeep = interval_at(Instant::now() + UPKEEP_EVERY, UPKEEP_EVERY);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut meter = BusyMeter::new();
        let clock = self.common.clock;
        if !alarm.is_precise() {
            // A clock that a simulation turns might not end a pause.
            self.sockets.ring_always();
        }
        loop {
            // A clock that a simulation turns stands still while sockets are read.
            let lead = if alarm.is_precise() { self.lead.time() } else { Duration::ZERO };
            let step = self.next_from().map(|from| from.before(lead));
            let pauses = alarm.is_precise() && self.hears();
            let look = pauses.then(|| self.looked.get().after(LOOK_PAUSE));
            let next = step.into_iter().chain(look).min();
            // Whichever is ready, in no order: a worker that is never done with its steps
            // still follows orders, and notices.
            tokio::select! {
                () = alarm.until(&clock, next.unwrap_or_default()), if next.is_some() => {
                    let looking = self.look();
                    let reading = self.tick(lead);
                    if next == step {
                        self.lead.took(looking + reading);
                    }
                    // Drivers and orders have their turn, also when the next step is due.
                    if self.behind() {
                        yield_now().await;
                    }
                }
                () = self.sockets.listen(|| clock.time()), if look.is_none() => {
                    self.looked_now(true);
                }
                () = self.replanned.notified() => {}
                order = orders.recv() => match order {
                    Some(Order::Stop { reason, retry_after }) => {
                        orders.close();
                        self.stops.set(Some(reason));
                        // What was sent before the end is answered.
                        while let Ok(order) = orders.try_recv() {
                            self.follow(order);
                        }
                        return self.stop(reason, retry_after).await;
                    }
                    Some(order) => self.follow(order),
                    // Nobody can reach this worker any more.
                    None => return self.stop(CloseReason::Restart, Duration::ZERO).await,
                },
                _ = upkeep.tick() => {
                    self.measured(meter.measure());
                    self.look_after();
                }
            }
        }
    }

    fn follow(self: &Rc<Self>, order: Order) {
        // Who does not wait for an answer any more does not get one.
        match order {
            Order::Open { spec, done } => {
                let _ = done.send(self.open(&spec));
            }
            Order::Reserve { room, seat, name, done } => {
                let _ = done.send(self.reserve(room, seat, &name));
            }
            Order::Connect(enter) => enter(self),
            Order::Close { room, reason } => self.close(room, reason, Duration::ZERO),
            Order::Metrics { done } => {
                let _ = done.send(self.metrics());
            }
            // A second one changes nothing.
            Order::Stop { .. } => {}
        }
    }

    fn open(&self, spec: &RoomSpec) -> Result<(), NotOpened> {
        if self.stops.get().is_some() {
            return Err(NotOpened::Stopping);
        }
        let signer = self.common.signer.clone();
        let sign = Box::new(move |token: &_| signer.sign(token));
        let game = spec.game.info.name;
        let now = self.common.clock.time();
        let made = catch_unwind(AssertUnwindSafe(|| {
            let mut room = (spec.game.make)(spec, sign, now)?;
            let first = spec.first.as_ref();
            match first.map_or(Ok(()), |(seat, name)| room.reserve(*seat, name, now)) {
                Ok(()) => Ok(room),
                Err(RoomFull) => Err(NotOpened::Full),
            }
        }));
        let mut room = match made {
            Ok(made) => made?,
            Err(panic) => {
                let what = told(&*panic);
                tracing::error!(room = %spec.id, game, what, "the game panicked at its creation");
                self.records.borrow_mut().of(game).rooms_panicked += 1;
                return Err(NotOpened::Failed);
            }
        };
        room.thin(self.load.shedding().send_every());
        let (listing, seats) = (room.listing().clone(), room.seats());
        let entry = RoomEntry {
            game,
            worker: self.index,
            title: listing.title,
            players: room.players(),
            seats_taken: seats.taken,
            seats_max: seats.most,
            private: spec.private || listing.private,
            locked: listing.locked,
            custom: spec.custom,
        };
        self.common.directory.put(spec.id, entry.clone());
        let tick_hz = room.tick_hz();
        let hosted = Hosted {
            id: spec.id,
            tick_hz,
            room: RefCell::new(Some(room)),
            timeline: Cell::new(None),
            group: OnceCell::new(),
            passed: Cell::default(),
            entry: RefCell::new(entry),
            private: spec.private,
        };
        self.rooms.borrow_mut().insert(spec.id, Rc::new(hosted));
        self.load.set_rooms(self.rooms.borrow().len());
        self.records.borrow_mut().of(game).rooms_made += 1;
        tracing::info!(room = %spec.id, game, worker = self.index, "a room begins");
        Ok(())
    }

    fn reserve(&self, room: RoomId, seat: SeatId, name: &str) -> Result<(), NotReserved> {
        let hosted = self.find(room).ok_or(NotReserved::NoRoom)?;
        if hosted.entry.borrow().locked {
            return Err(NotReserved::Locked);
        }
        match self.with(&hosted, |room, now| room.reserve(seat, name, now)) {
            Some(kept) => kept.map_err(|_| NotReserved::Full),
            None => Err(NotReserved::NoRoom),
        }
    }

    /// Takes over a connection whose stream is on this thread.
    pub(crate) fn connect<T: Settled>(
        self: &Rc<Self>,
        stream: T,
        unread: &[u8],
        greeting: Greeting,
    ) {
        let key = stream.key();
        let connection = Connection::new(stream, unread, Rc::clone(&self.buffers));
        let joined = self.join(&connection, &greeting);
        if let Err(reason) = &joined {
            connection.close(*reason, reason.text(), Duration::ZERO);
        }
        self.connections.set(self.connections.get() + 1);
        let host = Rc::clone(self);
        spawn_local(async move {
            if let Ok((hosted, joined)) = joined {
                let reader = Reader {
                    connection: Rc::clone(&connection),
                    host: Rc::clone(&host),
                    hosted: Rc::clone(&hosted),
                    joined,
                };
                let _owned =
                    key.map(|key| host.sockets.own(key, Rc::new(reader), host.group(&hosted)));
                let hear = |heard: Heard<'_>, now| host.hear(&hosted, joined, heard, now);
                connection.drive(|| host.common.clock.time(), hear).await;
            }
            connection.finish().await;
            drop(greeting.place);
            host.connections.set(host.connections.get() - 1);
            if host.connections.get() == 0 {
                host.idle.notify_one();
            }
        });
    }

    fn join<T: Settled>(
        &self,
        connection: &Rc<Connection<T>>,
        greeting: &Greeting,
    ) -> Result<(Rc<Hosted>, Joined), CloseReason> {
        if let Some(reason) = self.stops.get() {
            return Err(reason);
        }
        let Ok(ClientMessage::Hello(hello)) = ClientMessage::read(&greeting.hello) else {
            return Err(CloseReason::BadMessage);
        };
        let token = &greeting.token;
        let hosted = self.find(RoomId(token.room)).ok_or(CloseReason::NoSuchRoom)?;
        let link = Box::new(RoomLink::new(Rc::clone(connection)));
        let resume = token.kind == TokenKind::Resume;
        let seat = SeatId(token.seat);
        let joined = self
            .with(&hosted, |room, now| room.connect(seat, resume, token.serial, &hello, link, now))
            .ok_or(CloseReason::Failed)??;
        connection.joined();
        Ok((hosted, joined))
    }

    /// Something came from a connection.
    fn hear(&self, hosted: &Rc<Hosted>, whose: Joined, heard: Heard<'_>, now: Time) {
        if let Heard::Ended(ended) = &heard {
            self.records.borrow_mut().ended.count(ended.label());
        }
        let asks = match heard {
            Heard::Message(message) if ClientMessage::is_input(message) => Asks::Room,
            _ => Asks::Game,
        };
        // A room that has ended has closed its links: their drivers end by that.
        let _ = self.call(hosted, asks, now, |room, now| match heard {
            // So has one that does not take the message.
            Heard::Message(message) => {
                let _ = room.receive(whose, message, now);
            }
            Heard::Written => room.writable(whose, now),
            Heard::Ended(ended) => {
                tracing::debug!(room = %hosted.id, cause = ended.label(), "a connection ended");
                room.disconnect(whose, now);
            }
        });
    }

    /// Reads what has come from the peers; how long that took.
    fn look(&self) -> Duration {
        let before = self.common.clock.now();
        let found = self.sockets.look(|| self.common.clock.time());
        self.looked_now(found);
        self.looked.get().since(before)
    }

    fn looked_now(&self, found: bool) {
        let now = self.common.clock.now();
        self.looked.set(now);
        if found {
            self.found.set(now);
        }
    }

    /// Whether there may soon be more to read, so that the bell is not worth arming.
    fn hears(&self) -> bool {
        self.sockets.busy() || self.looked.get().since(self.found.get()) < SILENCE
    }

    /// The sockets that are read on this worker.
    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// A place for the sockets of a room that steps often enough for them to wait for it.
    fn group(&self, hosted: &Hosted) -> Option<Rc<Group>> {
        let made = hosted.group.get_or_init(|| {
            let group = (hosted.tick_hz >= reading::HZ_MIN).then(|| self.sockets.group());
            group.transpose().unwrap_or_else(|error| {
                tracing::warn!(%error, "the sockets of a room are read with those of others");
                None
            })
        });
        made.clone()
    }

    /// How long what is read now has waited for that, on average.
    fn waited(&self, hosted: &Hosted) -> Duration {
        let grouped = hosted.group.get().is_some_and(Option::is_some);
        let steps = if grouped { self.reading.get().steps() } else { 0 };
        Duration::from_secs(1) * steps / hosted.tick_hz / 2
    }

    /// What happened so far.
    fn metrics(&self) -> WorkerMetrics {
        let hosted = self.hosted(|_| true);
        let places: Vec<_> = hosted.iter().map(|it| (it, it.room.borrow())).collect();
        let rooms = places
            .iter()
            .filter_map(|(hosted, place)| Some((hosted.entry.borrow().game, place.as_deref()?)));
        self.records.borrow().snapshot(&self.load, rooms)
    }

    /// Wakes rooms without anybody when a kept seat's time is up, or their own.
    fn look_after(&self) {
        for hosted in self.hosted(|hosted| hosted.timeline.get().is_none()) {
            self.read(&hosted);
            self.with(&hosted, |room, now| {
                if room.wakes_at().is_some_and(|at| at <= now) {
                    room.step(now);
                }
            });
        }
    }

    fn hosted(&self, which: impl Fn(&Hosted) -> bool) -> Vec<Rc<Hosted>> {
        self.rooms.borrow().values().filter(|hosted| which(hosted)).cloned().collect()
    }

    fn find(&self, room: RoomId) -> Option<Rc<Hosted>> {
        self.rooms.borrow().get(&room).cloned()
    }

    fn close(&self, room: RoomId, reason: CloseReason, retry_after: Duration) {
        if let Some(hosted) = self.find(room) {
            self.with(&hosted, |room, now| room.close(reason, retry_after, now));
        }
    }

    /// Ends all rooms, and waits until their connections have ended.
    async fn stop(&self, reason: CloseReason, retry_after: Duration) {
        let rooms: Vec<_> = self.rooms.borrow().keys().copied().collect();
        self.sockets.look_at_groups(true);
        for room in rooms {
            self.close(room, reason, retry_after);
        }
        let drained = timeout(self.common.drain, async {
            while self.connections.get() > 0 {
                tokio::select! {
                    () = self.idle.notified() => {}
                    () = self.sockets.listen(|| self.common.clock.time()) => {}
                }
            }
        });
        let drained = drained.await;
        let lateness = &self.records.borrow().lateness;
        tracing::info!(
            worker = self.index,
            ticks = lateness.ticks(),
            late_p50_us = lateness.quantile(0.5).as_micros(),
            late_p99_us = lateness.quantile(0.99).as_micros(),
            lost_ms = lateness.lost().as_millis(),
            "a worker has stopped"
        );
        if drained.is_err() {
            let left = self.connections.get();
            tracing::warn!(left, worker = self.index, "connections did not end in time");
        }
    }
}

/// Reads a connection in its driver's place.
struct Reader<T: Settled> {
    connection: Rc<Connection<T>>,
    host: Rc<Host>,
    hosted: Rc<Hosted>,
    joined: Joined,
}

impl<T: Settled> Ready for Reader<T> {
    fn warm(&self) {
        self.connection.warm();
        if let Some(room) = self.hosted.room.borrow().as_deref() {
            room.warm(self.joined);
        }
    }

    fn ready(self: Rc<Self>, now: Time) {
        let Reader { connection, host, hosted, joined } = &*self;
        connection.read(now, |heard, now| match heard {
            // Its answer is to say what time it was in the middle between its coming and now.
            Heard::Message(ping) if ClientMessage::is_ping(ping) => {
                host.hear(hosted, *joined, heard, now - host.waited(hosted) / 2);
            }
            heard => host.hear(hosted, *joined, heard, now),
        });
    }
}
