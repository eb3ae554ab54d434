//! Where the server is in time, as far as this client can tell.

use core::time::Duration;

use super::acks::Arrival;
use crate::client::clock::{Clock, InputLead};
use crate::client::interpolate::Playhead;
use crate::time::{Tick, Time};

/// A room's tick axis: its rates, and what is estimated on it.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub(super) tick_interval: Duration,
    /// A frame every so many ticks, if the client asked for all of them.
    send_every: u8,
    pub(super) clock: Clock,
    pub(super) lead: InputLead,
    pub(super) playhead: Playhead,
}

impl Timeline {
    pub(super) fn new(tick_hz: u16, send_every: u8) -> Timeline {
        let tick_interval = interval(tick_hz);
        Timeline {
            tick_interval,
            send_every,
            clock: Clock::new(tick_interval),
            lead: InputLead::new(tick_interval),
            playhead: Playhead::new(tick_interval, tick_interval * u32::from(send_every)),
        }
    }

    /// Whether it is one of a room with these rates.
    pub(super) fn fits(&self, tick_hz: u16, send_every: u8) -> bool {
        self.tick_interval == interval(tick_hz) && self.send_every == send_every
    }

    /// The server went back to an earlier tick: nothing that was measured holds,
    /// and what never goes backwards has to begin anew.
    pub(super) fn restart(&mut self) {
        let (length, send_every) = (self.tick_interval, self.send_every);
        self.clock = Clock::new(length);
        self.lead = InputLead::new(length);
        self.playhead = Playhead::new(length, length * u32::from(send_every));
    }

    /// What is expected of a frame that goes `ahead`, at a pace of every `pace`th.
    pub(super) fn arrival(&self, ahead: Option<u32>, pace: u8) -> Arrival {
        let ahead_expected = u32::from(self.send_every) * u32::from(pace);
        Arrival { ahead, ahead_expected, gap_expected: self.tick_interval * ahead_expected }
    }

    /// The tick that an input made now is for.
    pub(super) fn input_tick(&mut self, now: Time) -> Option<Tick> {
        self.lead.stamp(&self.clock, now)
    }
}

/// How long a tick lasts; a rate is at least 1.
fn interval(tick_hz: u16) -> Duration {
    Duration::from_secs(1) / u32::from(tick_hz.max(1))
}
