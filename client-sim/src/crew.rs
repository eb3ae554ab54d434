//! What the bots of one thread share: rooms, what is known of the game, buffers,
//! the tally, and the time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tickwire_protocol::{Tick, Time};
use tokio::sync::Notify;

use crate::bot::Stay;
use crate::net::{Door, Game, JoinError, Place, Seat};
use crate::play::Rules;
use crate::tally::Tally;

/// Bytes that are read at once, by one bot after the other.
const READ_BYTES: usize = 64 * 1024;

/// What the bots of one thread share.
pub(crate) struct Crew {
    pub(crate) door: Door,
    pub(crate) game: Game,
    /// How far apart frames are when all is well.
    pub(crate) frame_every: Duration,
    pub(crate) resume: bool,
    pub(crate) tally: RefCell<Tally>,
    /// What a bot reads into; nothing stays in it.
    pub(crate) buffer: RefCell<Box<[u8]>>,
    /// What a bot writes a message into; nothing stays in it.
    pub(crate) message: RefCell<Vec<u8>>,
    /// None until the first bot is welcomed: who comes later need not ask.
    pub(crate) rules: RefCell<Option<Rc<Rules>>>,
    /// Whether the run is over, and who wants to know.
    pub(crate) over: Cell<bool>,
    pub(crate) end: Notify,
    /// The server refuses to make a room at all.
    pub(crate) refused: RefCell<Option<String>>,
    options: Value,
    began: Instant,
    rooms: RefCell<Vec<Room>>,
    /// A room was made, or could not be.
    made: Notify,
    ledgers: RefCell<Vec<Ledger>>,
    /// Stays in rooms that are over.
    pub(crate) stays: RefCell<Vec<Stay>>,
}

/// One of the run's rooms.
#[derive(Clone, Debug)]
enum Room {
    /// The next bot makes it.
    Unmade,
    /// A bot is making it.
    Making,
    Made {
        id: String,
        ledger: LedgerId,
    },
}

/// Names the ledger of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LedgerId(usize);

/// The most transient events of each tick that any bot of a room got.
#[derive(Debug, Default)]
struct Ledger {
    /// The tick of the first.
    first: u32,
    most: Vec<u16>,
}

/// Ticks that a ledger remembers: at 60 Hz, nearly five hours.
const LEDGER_TICKS_MAX: usize = 1 << 20;

impl Crew {
    pub(crate) fn new(
        door: Door,
        game: Game,
        options: Value,
        rooms: usize,
        resume: bool,
        began: Instant,
    ) -> Crew {
        Crew {
            frame_every: Duration::from_secs(1) * game.send_every / game.tick_hz,
            door,
            game,
            resume,
            tally: RefCell::new(Tally::new()),
            buffer: RefCell::new(vec![0; READ_BYTES].into()),
            message: RefCell::default(),
            rules: RefCell::default(),
            over: Cell::new(false),
            end: Notify::new(),
            refused: RefCell::default(),
            options,
            began,
            rooms: RefCell::new(vec![Room::Unmade; rooms]),
            made: Notify::new(),
            ledgers: RefCell::default(),
            stays: RefCell::default(),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.began + Duration::from_micros(time.0)).into()
    }

    /// A seat in a room, which is made if nobody has yet.
    pub(crate) async fn seat(
        &self,
        room: usize,
        name: &str,
    ) -> Result<(Seat, LedgerId), JoinError> {
        loop {
            let state = self.rooms.borrow()[room].clone();
            match state {
                Room::Making => self.made.notified().await,
                Room::Unmade => return self.make(room, name).await,
                Room::Made { id, ledger } => {
                    match self.door.join(Place::Room(&id), name).await {
                        // It ended while nobody was in it.
                        Err(JoinError::Refused { code, .. }) if code == "no_such_room" => {
                            self.forget(room, &id);
                        }
                        Err(error) => return Err(error),
                        Ok(seat) => return Ok((seat, ledger)),
                    }
                }
            }
        }
    }

    /// The room is gone: whoever asks next makes another one.
    fn forget(&self, room: usize, gone: &str) {
        let state = &mut self.rooms.borrow_mut()[room];
        if matches!(state, Room::Made { id, .. } if id == gone) {
            *state = Room::Unmade;
        }
    }

    async fn make(&self, room: usize, name: &str) -> Result<(Seat, LedgerId), JoinError> {
        self.rooms.borrow_mut()[room] = Room::Making;
        let place = Place::New { game: &self.game.name, options: &self.options };
        let seat = self.door.join(place, name).await;
        let state = match &seat {
            Ok(seat) => {
                let ledger = LedgerId(self.ledgers.borrow().len());
                self.ledgers.borrow_mut().push(Ledger::default());
                Room::Made { id: seat.room.clone(), ledger }
            }
            Err(error) => {
                self.judge(error);
                Room::Unmade
            }
        };
        self.rooms.borrow_mut()[room] = state.clone();
        self.made.notify_waiters();
        match (seat, state) {
            (Ok(seat), Room::Made { ledger, .. }) => Ok((seat, ledger)),
            (Ok(_), _) => unreachable!("a seat is in a room that was made"),
            (Err(error), _) => Err(error),
        }
    }

    /// Ends the run if no room can be made as it was asked for.
    fn judge(&self, error: &JoinError) {
        if let JoinError::Refused { status, .. } = error
            && matches!(status.as_u16(), 400 | 403 | 404)
        {
            self.refused.borrow_mut().get_or_insert_with(|| error.to_string());
            self.stop();
        }
    }

    /// The run is over.
    pub(crate) fn stop(&self) {
        self.over.set(true);
        self.end.notify_waiters();
    }

    /// A bot got so many transient events of a tick.
    pub(crate) fn saw_events(&self, ledger: LedgerId, tick: Tick, count: u16) {
        let ledgers = &mut *self.ledgers.borrow_mut();
        let Some(Ledger { first, most }) = ledgers.get_mut(ledger.0) else { return };
        if most.is_empty() {
            *first = tick.0;
        }
        let Some(place) = tick.0.checked_sub(*first).map(|place| place as usize) else { return };
        if place >= LEDGER_TICKS_MAX {
            return;
        }
        if most.len() <= place {
            most.resize(place + 1, 0);
        }
        most[place] = most[place].max(count);
    }

    /// The transient events that there were, as far as anybody knows, after one tick
    /// and up to another.
    pub(crate) fn events_between(&self, ledger: LedgerId, after: Tick, until: Tick) -> u64 {
        let ledgers = self.ledgers.borrow();
        let Some(Ledger { first, most }) = ledgers.get(ledger.0) else { return 0 };
        let place = |tick: Tick| (tick.0 + 1).saturating_sub(*first) as usize;
        let (from, to) = (place(after).min(most.len()), place(until).min(most.len()));
        most.get(from..to).unwrap_or_default().iter().map(|count| u64::from(*count)).sum()
    }
}
