//! A client program: the real session, a socket, and somebody who plays.
//!
//! It plays at random, at times reads little or nothing, cuts its connection or
//! leaves; and compares what it has with the record after each frame.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tickwire_protocol::Time;
use tickwire_protocol::client::TypedSession;
use tickwire_protocol::client::reconnect::Policy;
use tickwire_protocol::client::session::CommandId;
use tickwire_protocol::client::{Cause, Config, Mirror, NoReply, Phase, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::dice::Dice;
use crate::game::{Ask, Press, Rows, TICK_HZ, Types, record};
use crate::socket::{Came, Socket, seat};

/// How far behind the room a client may be in the end.
const BEHIND_MAX: usize = 2 * TICK_HZ as usize;
/// How long a request for a seat may take.
const SEAT_WITHIN: Duration = Duration::from_secs(3);
/// Bytes that are read at once.
const READ_BYTES: usize = 4096;

/// What is going on outside, as far as clients take part in it.
#[derive(Default, Debug)]
pub(crate) struct Season {
    /// Clients play on, and do no harm.
    pub(crate) calm: Cell<bool>,
    /// Clients play no more, and wait for the end.
    pub(crate) quiet: Cell<bool>,
    /// The story is over.
    pub(crate) over: Cell<bool>,
}

/// What happened: a test that nothing happens in proves nothing.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Stats {
    pub(crate) frames: u64,
    /// Those that stood for several.
    pub(crate) merged: u64,
    /// Those that had the hash of the state with them.
    pub(crate) hashes: u64,
    pub(crate) resumed: u64,
    /// Whole states of a seat that was joined before.
    pub(crate) restored: u64,
    pub(crate) seats: u64,
    pub(crate) news: u64,
    pub(crate) replies: u64,
    pub(crate) replies_lost: u64,
    pub(crate) too_slow: u64,
    pub(crate) restarts: u64,
    pub(crate) lost: u64,
    pub(crate) silent: u64,
    /// Inputs that came into force.
    pub(crate) inputs: u64,
    /// Commands that were carried out.
    pub(crate) commands: u64,
}

impl Stats {
    /// Both together.
    pub(crate) fn and(self, other: Stats) -> Stats {
        Stats {
            frames: self.frames + other.frames,
            merged: self.merged + other.merged,
            hashes: self.hashes + other.hashes,
            resumed: self.resumed + other.resumed,
            restored: self.restored + other.restored,
            seats: self.seats + other.seats,
            news: self.news + other.news,
            replies: self.replies + other.replies,
            replies_lost: self.replies_lost + other.replies_lost,
            too_slow: self.too_slow + other.too_slow,
            restarts: self.restarts + other.restarts,
            lost: self.lost + other.lost,
            silent: self.silent + other.silent,
            inputs: self.inputs + other.inputs,
            commands: self.commands + other.commands,
        }
    }
}

type Soon<T> = Pin<Box<dyn Future<Output = T>>>;

/// The way to the server.
enum Link {
    None,
    Seat(Soon<Option<String>>),
    Opening(Soon<io::Result<Socket>>),
    Open(Socket),
}

/// What a bot waited for.
enum Happened {
    Seat(Option<String>),
    Opened(io::Result<Socket>),
    Carried(io::Result<()>),
    Time,
}

/// How the program reads.
#[derive(Clone, Copy)]
enum Mood {
    Awake,
    /// Not at all, nor does it anything else.
    Asleep(Instant),
    /// A few bytes now and then.
    Slow(Instant),
}

pub(crate) struct Bot {
    client: u8,
    dice: Dice,
    began: Instant,
    session: TypedSession<Types>,
    link: Link,
    mood: Mood,
    acts_at: Instant,
    /// When another seat is to be asked for.
    seat_at: Option<Instant>,
    pressed: u32,
    asked: u32,
    /// Commands that wait for their outcome.
    waiting: BTreeMap<CommandId, u32>,
    /// The last reliable event of this seat.
    news: Option<u32>,
    /// Whether this seat was joined.
    joined: bool,
    season: Rc<Season>,
    stats: Rc<Cell<Stats>>,
}

impl Bot {
    /// Gets a first seat.
    pub(crate) async fn new(
        client: u8,
        seed: u64,
        season: Rc<Season>,
        stats: Rc<Cell<Stats>>,
    ) -> Bot {
        let began = Instant::now();
        let token = loop {
            match timeout(SEAT_WITHIN, seat()).await {
                Ok(Some(token)) => break token,
                _ => sleep(Duration::from_millis(200)).await,
            }
        };
        let policy =
            Policy { delay_cap: Duration::from_secs(2), attempts_max: 1000, ..Policy::default() };
        let config = Config { policy, ..Config::new("ws://server", token, seed) };
        let session = TypedSession::new(config, Time(0)).expect("the schema is within its limits");
        Bot {
            client,
            dice: Dice(seed),
            began,
            session,
            link: Link::None,
            mood: Mood::Awake,
            acts_at: began,
            seat_at: None,
            pressed: 0,
            asked: 0,
            waiting: BTreeMap::new(),
            news: None,
            joined: false,
            season,
            stats,
        }
    }

    /// Plays until the story is over.
    pub(crate) async fn play(mut self) {
        while !self.season.over.get() {
            if let Mood::Asleep(until) = self.mood {
                sleep_until(until).await;
                self.mood = Mood::Awake;
            }
            self.act();
            self.hear();
            self.transmit();
            match self.wait().await {
                Happened::Seat(token) => self.seated(token),
                Happened::Opened(Ok(socket)) => {
                    self.link = Link::Open(socket);
                    self.session.handle_open(self.now());
                }
                Happened::Carried(Ok(())) => self.take(),
                Happened::Opened(Err(_)) | Happened::Carried(Err(_)) => self.lost(),
                Happened::Time => {}
            }
            self.session.handle_timeout(self.now());
            self.hear();
        }
        self.check_the_end();
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_micros()).expect("a story is short"))
    }

    fn count(&self, what: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.get();
        what(&mut stats);
        self.stats.set(stats);
    }

    /// Waits for the link, or for the time to do something.
    async fn wait(&mut self) -> Happened {
        let session = self.session.deadline().map(|at| self.began + Duration::from_micros(at.0));
        let deadline = [session, self.seat_at].into_iter().flatten().min();
        let deadline = deadline.map_or(self.acts_at, |at| at.min(self.acts_at));
        let slow = matches!(self.mood, Mood::Slow(_));
        let link = async {
            match &mut self.link {
                Link::None => pending().await,
                Link::Seat(seat) => Happened::Seat(seat.await),
                Link::Opening(opening) => Happened::Opened(opening.await),
                Link::Open(socket) if slow => {
                    sleep(Duration::from_millis(50)).await;
                    Happened::Carried(socket.carry(40).await)
                }
                Link::Open(socket) => Happened::Carried(socket.carry(READ_BYTES).await),
            }
        };
        tokio::select! {
            biased;
            happened = link => happened,
            () = sleep_until(deadline) => Happened::Time,
        }
    }

    /// Does what somebody who plays does.
    fn act(&mut self) {
        if self.seat_at.is_some_and(|at| at <= Instant::now()) {
            self.seat_at = None;
            self.ask_for_seat();
        }
        if Instant::now() < self.acts_at {
            return;
        }
        self.acts_at = Instant::now() + self.dice.time(30, 400);
        if let Mood::Slow(until) = self.mood
            && (until <= Instant::now() || self.season.calm.get())
        {
            self.mood = Mood::Awake;
        }
        if self.season.quiet.get() {
            return;
        }
        if self.dice.chance(600) {
            self.press();
        }
        if self.dice.chance(200) {
            self.ask();
        }
        if !self.season.calm.get() {
            self.misbehave();
        }
    }

    fn press(&mut self) {
        self.pressed += 1;
        record(|it| it.pressed[usize::from(self.client)] = self.pressed);
        let press = Press { client: self.client, number: self.pressed };
        self.session.input(&press, self.now()).expect("an input is short");
    }

    fn ask(&mut self) {
        let ask = Ask { client: self.client, number: self.asked };
        if let Ok(id) = self.session.command(&ask, Duration::from_secs(5), self.now()) {
            self.waiting.insert(id, self.asked);
            self.asked += 1;
        }
    }

    fn misbehave(&mut self) {
        let now = Instant::now();
        match self.dice.below(1000) {
            0..8 => self.mood = Mood::Asleep(now + self.dice.time(200, 4_000)),
            8..10 => self.mood = Mood::Asleep(now + self.dice.time(9_000, 14_000)),
            10..18 => self.mood = Mood::Slow(now + self.dice.time(500, 12_000)),
            18..25 if matches!(self.link, Link::Open(_)) => self.lost(),
            25..27 => self.session.leave(),
            27..32 => {
                let every = self.dice.below(4) as u8;
                self.session.pace(every);
            }
            32..36 => drop(self.session.refresh(self.now())),
            _ => {}
        }
    }

    /// The connection is gone.
    fn lost(&mut self) {
        self.link = Link::None;
        self.session.handle_lost(self.now());
    }

    fn ask_for_seat(&mut self) {
        let seat = async { timeout(SEAT_WITHIN, seat()).await.ok().flatten() };
        self.link = Link::Seat(Box::pin(seat));
    }

    fn seated(&mut self, token: Option<String>) {
        self.link = Link::None;
        match token {
            Some(token) => {
                assert!(self.session.rejoin("ws://server", token, self.now()));
                self.joined = false;
                self.count(|it| it.seats += 1);
            }
            None => self.seat_at = Some(Instant::now() + Duration::from_millis(300)),
        }
    }

    fn transmit(&mut self) {
        let mut message = Vec::new();
        while let Link::Open(socket) = &mut self.link
            && self.session.poll_transmit(&mut message)
        {
            socket.send(&message);
        }
    }

    /// Hands over what came.
    fn take(&mut self) {
        while let Link::Open(socket) = &mut self.link {
            let came = socket.came();
            let now = self.now();
            match came {
                Some(Came::Message(message)) => {
                    let taken = self.session.handle_message(&message, now);
                    taken.expect("the server keeps to the rules");
                }
                Some(Came::Close(code, text)) => {
                    self.link = Link::None;
                    self.session.handle_close(code, &text, now);
                }
                None => return,
            }
            self.hear();
        }
    }

    /// Takes in what the session tells.
    fn hear(&mut self) {
        let mut frame = false;
        while let Some(event) = self.session.poll_event() {
            let mut stats = self.stats.get();
            match event {
                SessionEvent::Connect { .. } => {
                    self.link = Link::Opening(Box::pin(Socket::open()));
                }
                SessionEvent::Joined { resumed, .. } => {
                    stats.resumed += u64::from(resumed);
                    stats.restored += u64::from(!resumed && self.joined);
                    self.joined = true;
                    if !resumed {
                        self.news = None;
                    }
                }
                SessionEvent::Frame { merged, .. } => {
                    assert_eq!(merged, 1, "events are read after each message");
                    frame = true;
                }
                SessionEvent::Event { reliable, body, .. } => {
                    assert!(reliable);
                    let missed = self.news.is_some_and(|before| body.number != before + 1);
                    assert!(!missed, "event {} came after {:?}", body.number, self.news);
                    self.news = Some(body.number);
                    stats.news += 1;
                }
                SessionEvent::Reply { id, outcome } => {
                    let number = self.waiting.remove(&id).expect("one outcome each");
                    match outcome {
                        Ok(done) => assert_eq!(done.number, number),
                        Err(NoReply::TimedOut | NoReply::ConnectionLost) => {
                            stats.replies_lost += 1;
                        }
                        Err(other) => panic!("a command came to {other:?}"),
                    }
                    stats.replies += 1;
                }
                SessionEvent::Chat(chat) => panic!("nobody said {chat:?}"),
                SessionEvent::Closed { cause, then } => {
                    self.link = Link::None;
                    note(&cause, &mut stats);
                    self.seat_at = match then {
                        Then::Reconnect(_) => None,
                        Then::NeedSeat { not_before } => {
                            Some(self.began + Duration::from_micros(not_before.0))
                        }
                        Then::End => Some(Instant::now() + Duration::from_millis(100)),
                        Then::GiveUp => panic!("the session gave up after {cause}"),
                    };
                }
            }
            self.stats.set(stats);
        }
        if frame {
            self.check_frame();
        }
    }

    /// Compares the state with what the room had at its tick.
    fn check_frame(&self) {
        let session = self.session.session();
        let mirror = session.mirror().expect("joined");
        let (tick, player) = (mirror.tick().expect("a frame"), session.player().expect("joined"));
        let agrees = mirror.changes().hash_agrees;
        assert_ne!(agrees, Some(false), "the hash of tick {tick}");
        let rows = Rows::of(self.session.world());
        assert_eq!(rows.halls.len(), 1, "at tick {tick}");
        let past = record(|it| it.past(rows.halls[0].room, tick, player));
        assert_eq!(Some(&rows), past.as_ref(), "player {player} at tick {tick}");
        self.count(|it| {
            it.frames += 1;
            it.hashes += u64::from(agrees.is_some());
        });
    }

    /// In the end everybody is there, sees the present, and is seen as they are.
    fn check_the_end(&self) {
        let session = self.session.session();
        assert_eq!(session.phase(), Phase::Joined, "client {}", self.client);
        let rows = Rows::of(self.session.world());
        let tick = session.mirror().and_then(Mirror::tick).expect("a state");
        let present = record(|it| it.rooms[rows.halls[0].room as usize].len());
        assert!(tick.0 as usize + BEHIND_MAX >= present, "at {tick}, the room at {present}");
        let mark = rows.marks.iter().find(|mark| Some(mark.player) == session.player());
        assert_eq!(mark.map(|mark| mark.pressed), Some(self.pressed), "client {}", self.client);
        let counters = session.counters();
        assert_eq!((counters.diverged, counters.events_dropped), (0, 0));
        self.count(|it| it.merged += counters.frames_merged);
    }
}

/// Counts the end of a connection; some must not be.
fn note(cause: &Cause, stats: &mut Stats) {
    match cause {
        Cause::Server(CloseReason::TooSlow) => stats.too_slow += 1,
        Cause::Server(CloseReason::Restart) => stats.restarts += 1,
        Cause::Server(
            CloseReason::NoSuchRoom
            | CloseReason::NotAuthenticated
            | CloseReason::SeatUsed
            | CloseReason::Normal
            | CloseReason::TryLater,
        ) => {}
        Cause::Lost | Cause::NotOpened | Cause::NotWelcomed => stats.lost += 1,
        Cause::Silent => stats.silent += 1,
        Cause::Left => {}
        other => panic!("a connection ended: {other}"),
    }
}
