//! The two edges of a room: towards the worker that runs it, and towards the
//! connections that it writes to.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::Time;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::SERVER_MESSAGE_BYTES_MAX as BYTES_MAX;
use tickwire_protocol::message::Hello;

use super::Counters;
use crate::game::Listing;

/// Names a room in addresses and tokens: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoomId(pub u128);

/// Names a seat in tokens: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeatId(pub u128);

/// A seat's place in its room, as long as the seat exists: slot and generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeatKey {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// What a room was told at its creation.
#[derive(Clone, Debug)]
pub struct RoomConfig {
    /// Most seats.
    pub seats_max: usize,
    /// How many ticks back a client may be and still get a difference.
    pub history_ticks: u32,
    /// How long a seat waits for its player to take it.
    pub reserved_for: Duration,
    /// How long a seat waits for its player to come back.
    pub seat_kept_for: Duration,
    /// Without an acknowledgement for so long, a connection ends.
    pub stale_after: Duration,
    /// Without input or acknowledgement for so long, a player's controls are neutral.
    pub neutral_after: Duration,
    /// How long an empty room stays.
    pub dispose_after: Duration,
    /// Reliable events that may wait for one client, in bytes.
    pub reliable_bytes_max: usize,
    /// Chat lines that newcomers see; at most 128.
    pub chat_lines_max: usize,
    /// A frame tells the hash of the client's state about this often.
    pub hash_every: Duration,
    /// Whether frames that are not acknowledged hold back those after them. Only a
    /// benchmark that shows what this is good for switches it off: the age of what
    /// clients see, and the memory of a client that does not read, are not bounded then.
    #[doc(hidden)]
    pub credit: bool,
}

impl Default for RoomConfig {
    fn default() -> Self {
        RoomConfig {
            seats_max: usize::MAX,
            history_ticks: 120,
            reserved_for: Duration::from_secs(15),
            seat_kept_for: Duration::from_secs(30),
            stale_after: Duration::from_secs(10),
            neutral_after: Duration::from_millis(500),
            dispose_after: Duration::from_secs(10),
            reliable_bytes_max: 64 * 1024,
            chat_lines_max: 50,
            hash_every: Duration::from_secs(1),
            credit: true,
        }
    }
}

/// All seats are taken, or the room is locked or over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoomFull;

/// How full a room is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeatCount {
    /// Seats that are taken, or kept for somebody who has not come yet.
    pub taken: usize,
    /// How many there may be.
    pub most: usize,
}

/// Why a room cannot go on, though its game did not panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A client's frame is over the limit of a message
    /// ([`SERVER_MESSAGE_BYTES_MAX`](tickwire_protocol::limits::SERVER_MESSAGE_BYTES_MAX)).
    /// A difference is never much longer than the state that it leads to: it is the
    /// world that has grown too big, so that nobody could come in or come back.
    FrameTooBig {
        /// How much it is.
        bytes: usize,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::FrameTooBig { bytes } => {
                write!(f, "a frame has {bytes} bytes, and a message at most {BYTES_MAX}")
            }
        }
    }
}

/// Whether a room goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomState {
    /// Somebody is here: it steps.
    Playing,
    /// Nobody is connected: it need not step until somebody is.
    Empty,
    /// It is over, and can be dropped.
    Over,
}

/// What became of a message that was handed to a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The kernel has all of it: the next one may come.
    All,
    /// The link holds a rest; [`AnyRoom::writable`] tells when it is gone.
    Waits,
    /// The connection is gone.
    Gone,
}

/// A connection, as a room sees it: takes whole messages, one at a time.
pub trait Link {
    /// Sends one binary message: `own`, then the shared parts. Only called when
    /// the one before was taken in full.
    fn send(&mut self, own: &[u8], shared: &[Bytes]) -> Sent;

    /// Brings what `send` needs into the processor's cache, and changes nothing. A
    /// room asks this of all links before it sends to any: so the waits for memory
    /// overlap, which would else come one by one, after each system call.
    fn warm(&self) {}

    /// Ends the connection, in these words; what was sent before still goes out.
    fn close(&mut self, reason: CloseReason, text: &str);
}

/// A seat after a Hello.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The seat.
    pub seat: SeatKey,
    /// Which of the seat's connections this is: what comes from an older one is void.
    pub connection: u32,
}

/// A room, whatever its game.
pub trait AnyRoom {
    /// Keeps a seat for somebody who will connect with the seat's id.
    /// A locked room keeps only the seats that it has.
    fn reserve(&mut self, seat: SeatId, name: &str, now: Time) -> Result<(), RoomFull>;

    /// Somebody says hello, with a token that is genuine and names `seat`;
    /// `resume` says which kind it was and `serial` which of the seat's tokens.
    fn connect(
        &mut self,
        seat: SeatId,
        resume: bool,
        serial: u64,
        hello: &Hello<'_>,
        link: Box<dyn Link>,
        now: Time,
    ) -> Result<Joined, CloseReason>;

    /// A message of a connection comes soon: brings what it meets into the processor's cache.
    fn warm(&self, from: Joined);

    /// A message of a connection. An error ends it; the room has closed its link.
    fn receive(&mut self, from: Joined, message: &[u8], now: Time) -> Result<(), CloseReason>;

    /// A connection has taken what it held back.
    fn writable(&mut self, whose: Joined, now: Time);

    /// A connection is gone.
    fn disconnect(&mut self, whose: Joined, now: Time);

    /// One tick, whose deadline was `now`, or which begins before it. While nobody is
    /// connected the game and its ticks stand still, and this only gives up seats and, in the end,
    /// the room.
    fn step(&mut self, now: Time) -> RoomState;

    /// The same when the tick after it is due already: what clients would get waits for that
    /// one's frame, which would replace this one's at once.
    fn step_behind(&mut self, now: Time) -> RoomState;

    /// When an empty room has to be stepped, though nobody is connected; none
    /// while it plays.
    fn wakes_at(&self) -> Option<Time>;

    /// Whether it goes on; also without a step.
    fn state(&self) -> RoomState;

    /// Why it is over, if that is because it failed.
    fn failure(&self) -> Option<Failure>;

    /// Ticks a second.
    fn tick_hz(&self) -> u32;

    /// Players who have come and have a seat.
    fn players(&self) -> usize;

    /// How full it is.
    fn seats(&self) -> SeatCount;

    /// What listings show.
    fn listing(&self) -> &Listing;

    /// What has happened so far.
    fn counters(&self) -> Counters;

    /// Has frames come only every so many of the game's sends, from now on: what
    /// an overloaded worker asks for first. 1 is as the game says.
    fn thin(&mut self, times: u32);

    /// Ends all connections with a reason, and the room. The game is told, unless
    /// the reason is that it failed.
    fn close(&mut self, reason: CloseReason, retry_after: Duration, now: Time);
}
