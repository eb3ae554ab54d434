//! A bot's stopwatches: from when on it waits for what.

use std::collections::VecDeque;
use std::time::Duration;

use tickwire_protocol::{Tick, Time};

use crate::crew::{Crew, LedgerId};
use crate::tally::{Measure, Tally};

/// Inputs whose acknowledgement is waited for. Further ones are not measured.
const INPUTS_MAX: usize = 32;
/// What is waited for longer than this when a run ends is recorded with what it has
/// waited by then: leaving it out would be kind to a server that does not answer.
const OVERDUE: Duration = Duration::from_secs(1);

/// What a bot waits for.
#[derive(Debug)]
pub(super) struct Watch {
    faulty: bool,
    /// Since the last frame; none while no frame is wanted.
    frame: Option<Time>,
    /// Since a seat was asked for.
    pub(super) join: Option<Time>,
    /// Since a socket was opened for a seat that was not lost.
    connect: Option<Time>,
    /// Since a connection was lost whose seat is kept.
    resume: Option<Time>,
    /// Inputs that were sent, by number and time, and are not acknowledged.
    inputs: VecDeque<(u32, Time)>,
    /// What the engine should show, and since when.
    effect: Option<(bool, Time)>,
    presence: Option<Presence>,
}

/// A stay in a room, for what events it should have brought.
#[derive(Clone, Copy, Debug)]
struct Presence {
    ledger: LedgerId,
    after: Tick,
    until: Tick,
    /// Transient events that came.
    events: u64,
    /// Those of the tick that was told of last.
    tick: (Tick, u16),
}

/// The stays of a bot that are over, to be settled when the run is.
pub(crate) type Stay = (LedgerId, Tick, Tick, u64);

impl Watch {
    pub(super) fn new(faulty: bool) -> Watch {
        Watch {
            faulty,
            frame: None,
            join: None,
            connect: None,
            resume: None,
            inputs: VecDeque::new(),
            effect: None,
            presence: None,
        }
    }

    /// A socket is being opened.
    pub(super) fn opening(&mut self, now: Time) {
        if self.resume.is_none() && self.connect.is_none() {
            self.connect = Some(now);
        }
    }

    /// The seat was taken; `resumed` goes on from the state that was there.
    pub(super) fn joined(&mut self, resumed: bool) {
        if !resumed {
            self.inputs.clear();
        }
    }

    /// The connection is gone, and the bot wants another one; `kept` to the same seat.
    pub(super) fn lost(&mut self, kept: bool, now: Time) -> Option<Stay> {
        self.effect = None;
        self.connect = None;
        self.resume = if kept { self.resume.or(Some(now)) } else { None };
        self.end_stay()
    }

    /// The bot does not want frames for a while.
    pub(super) fn left(&mut self) -> Option<Stay> {
        self.frame = None;
        self.connect = None;
        self.resume = None;
        self.inputs.clear();
        self.effect = None;
        self.end_stay()
    }

    fn end_stay(&mut self) -> Option<Stay> {
        let Presence { ledger, after, until, events, .. } = self.presence.take()?;
        Some((ledger, after, until, events))
    }

    /// A frame led to a tick, in a room.
    pub(super) fn frame(&mut self, tick: Tick, ledger: LedgerId, crew: &Crew, now: Time) {
        let tally = &mut *crew.tally.borrow_mut();
        if let Some(last) = self.frame.replace(now) {
            tally.frame_interval(self.faulty, now.since(last), crew.frame_every);
        }
        let group = tally.group(self.faulty);
        if let Some(began) = self.resume.take() {
            group.record(Measure::Resume, now.since(began));
        }
        if let Some(began) = self.connect.take() {
            group.record(Measure::Connect, now.since(began));
        }
        let first = Presence { ledger, after: tick, until: tick, events: 0, tick: (tick, 0) };
        self.presence.get_or_insert(first).until = tick;
    }

    /// A transient event came, after the frame that brought it.
    pub(super) fn event(&mut self, tick: Tick, crew: &Crew) {
        let Some(presence) = &mut self.presence else { return };
        // What came with the first frame is not of a tick that was waited for.
        if tick <= presence.after {
            return;
        }
        presence.events += 1;
        let count = if presence.tick.0 == tick { presence.tick.1.saturating_add(1) } else { 1 };
        presence.tick = (tick, count);
        crew.saw_events(presence.ledger, tick, count);
    }

    /// An input went out.
    pub(super) fn input(&mut self, sequence: u32, now: Time) {
        let again = self.inputs.back().is_some_and(|last| last.0 == sequence);
        if !again && self.inputs.len() < INPUTS_MAX {
            self.inputs.push_back((sequence, now));
        }
    }

    /// The server has used inputs up to one.
    pub(super) fn processed(&mut self, sequence: u32, tally: &mut Tally, now: Time) {
        let used = |input: &mut (u32, Time)| input.0 <= sequence;
        while let Some((_, sent)) = self.inputs.pop_front_if(used) {
            tally.group(self.faulty).record(Measure::InputAck, now.since(sent));
        }
    }

    /// The engine should show something else than it does.
    pub(super) fn expect(&mut self, thrust: bool, now: Time) {
        self.effect = Some((thrust, now));
    }

    pub(super) fn expects(&self) -> bool {
        self.effect.is_some()
    }

    /// What the engine shows, if there is a ship at all.
    pub(super) fn shows(&mut self, thrust: Option<bool>, tally: &mut Tally, now: Time) {
        match (self.effect, thrust) {
            (Some((wanted, since)), Some(shown)) if wanted == shown => {
                tally.group(self.faulty).record(Measure::InputEffect, now.since(since));
                self.effect = None;
            }
            (_, None) => self.effect = None,
            _ => {}
        }
    }

    /// The run is over: what was waited for in vain counts as well.
    pub(super) fn finish(&mut self, crew: &Crew, now: Time) -> Option<Stay> {
        let tally = &mut *crew.tally.borrow_mut();
        if let Some(gap) =
            self.frame.map(|last| now.since(last)).filter(|gap| *gap > crew.frame_every)
        {
            tally.frame_interval(self.faulty, gap, crew.frame_every);
        }
        let group = tally.group(self.faulty);
        let mut overdue = |measure, since: Time| {
            if now.since(since) > OVERDUE {
                group.record(measure, now.since(since));
            }
        };
        let waits = [
            (Measure::Join, self.join),
            (Measure::Connect, self.connect),
            (Measure::Resume, self.resume),
            (Measure::InputEffect, self.effect.map(|it| it.1)),
        ];
        for (measure, since) in waits {
            if let Some(since) = since {
                overdue(measure, since);
            }
        }
        for (_, sent) in self.inputs.drain(..) {
            overdue(Measure::InputAck, sent);
        }
        self.end_stay()
    }
}
