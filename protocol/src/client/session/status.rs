//! What a session shows of itself.

use core::time::Duration;
use std::sync::Arc;

use super::{Known, Session};
use crate::client::clock::{Clock, TickTime};
use crate::client::interpolate::Playhead;
use crate::client::mirror::Mirror;
use crate::schema::Schema;
use crate::time::{Tick, Time};

/// Where a session is; the module's page has the picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// There is no connection until this time.
    Waiting(Time),
    /// The application opens a socket; it has until this time.
    Connecting(Time),
    /// The socket is open; the server has until this time to answer Hello.
    Greeting(Time),
    /// In the room.
    Joined,
    /// [`Session::rejoin`] with another seat goes on from here.
    NeedSeat,
    /// Over.
    Ended,
}

/// What happened, in numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames that were applied.
    pub frames: u64,
    /// Those of them that stood for several sends.
    pub frames_merged: u64,
    /// Those of them that brought the whole state.
    pub frames_whole: u64,
    /// Welcomes that went on from the state that was here.
    pub resumes: u64,
    /// Frames after which the state was not the server's.
    pub diverged: u64,
    /// Chat and transient events that found no place among unread events.
    pub events_dropped: u64,
    /// Pongs and replies that nobody waited for.
    pub strays: u64,
}

impl Session {
    /// Where the session is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The state of the room; none before the first Welcome. Between two
    /// connections it is the last that was known.
    pub fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_ref()
    }

    /// The schema of the server's messages. Before the first Welcome it is the
    /// client's own, if it has one.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref().map(|known| &known.schema)
    }

    /// The same, for the [`Config`](super::Config) of other sessions.
    pub fn known(&self) -> Option<Known> {
        self.schema.clone()
    }

    /// The number of this player's seat, known to all in the room.
    pub fn player(&self) -> Option<u32> {
        self.room.as_ref().map(|room| room.player)
    }

    /// The name of the game.
    pub fn game(&self) -> Option<&str> {
        self.room.as_ref().map(|room| room.game.as_str())
    }

    /// How long a tick lasts.
    pub fn tick_interval(&self) -> Option<Duration> {
        self.timeline.as_ref().map(|timeline| timeline.tick_interval)
    }

    /// The clock, for its round trip times.
    pub fn clock(&self) -> Option<&Clock> {
        self.timeline.as_ref().map(|timeline| &timeline.clock)
    }

    /// Where the server's clock stands.
    pub fn server_tick(&mut self, now: Time) -> Option<TickTime> {
        self.timeline.as_mut()?.clock.server_tick(now)
    }

    /// The tick that an input made now is for: how far to predict.
    pub fn input_tick(&mut self, now: Time) -> Option<Tick> {
        self.timeline.as_mut()?.input_tick(now)
    }

    /// The number of the last input that the server has used, as of the last frame.
    pub fn processed(&self) -> Option<u32> {
        self.processed
    }

    /// What tells a [`Track`](crate::client::interpolate::Track) how frames came.
    pub fn playhead(&self) -> Option<&Playhead> {
        self.timeline.as_ref().map(|timeline| &timeline.playhead)
    }

    /// The point in server time to render at `now`.
    pub fn render_position(&mut self, now: Time) -> Option<TickTime> {
        self.timeline.as_mut()?.playhead.position(now)
    }

    /// What happened so far, in numbers.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
