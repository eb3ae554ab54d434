//! One-off events on their way from a step to the frames.
//!
//! Each is encoded once. A transient one stays for the frames of one send of the
//! room; a reliable one goes to the outbox of everybody whom it is for.

use bytes::Bytes;
use tickwire_protocol::frame::{Event, write_event};
use tickwire_protocol::limits::{EVENT_BYTES_MAX, EVENTS_PER_FRAME_MAX};
use tickwire_protocol::{Message, Scope, Tick};

use super::Counters;
use super::arena::Arena;
use crate::game::{Class, Outgoing, PlayerId, To};

/// Runs of transient events in one window. At the limit further ones are dropped.
const RUNS_MAX: usize = 4 * EVENTS_PER_FRAME_MAX;
/// Events of one run: a run fits a frame.
const RUN_EVENTS_MAX: usize = EVENTS_PER_FRAME_MAX / 8;

/// The transient events of the ticks since the room's last send.
#[derive(Debug, Default)]
pub(super) struct Window {
    runs: Vec<Run>,
    arena: Arena,
    /// The run under way.
    run: Vec<u8>,
    body: Vec<u8>,
}

/// Consecutive events of one tick for the same clients.
#[derive(Debug)]
pub(super) struct Run {
    to: To,
    tick: Tick,
    pub(super) count: usize,
    pub(super) bytes: Bytes,
}

impl Window {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The next ticks are those of another send.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.arena.begin();
    }

    /// Encodes the events of a step. `reliable` gets those that wait.
    pub(super) fn publish<E: Message>(
        &mut self,
        events: &mut Vec<Outgoing<E>>,
        tick: Tick,
        counters: &mut Counters,
        mut reliable: impl FnMut(To, Bytes),
    ) {
        let mut open: Option<(To, usize)> = None;
        for Outgoing { to, class, event } in events.drain(..) {
            self.body.clear();
            event.encode(&mut self.body);
            if self.body.len() > EVENT_BYTES_MAX {
                counters.events_too_big += 1;
                continue;
            }
            let event = Event { tick, reliable: class == Class::Reliable, body: &self.body };
            if event.reliable {
                let mut own = Vec::with_capacity(self.body.len() + 6);
                write_event(&event, &mut own);
                reliable(to, own.into());
                continue;
            }
            match &mut open {
                Some((whose, count)) if *whose == to && *count < RUN_EVENTS_MAX => *count += 1,
                other => {
                    let (before, tick) = (other.replace((to, 1)), tick);
                    self.seal(before, tick, counters);
                }
            }
            let event = Event { tick, reliable: false, body: &self.body };
            write_event(&event, &mut self.run);
        }
        self.seal(open, tick, counters);
    }

    /// Ends a run.
    fn seal(&mut self, run: Option<(To, usize)>, tick: Tick, counters: &mut Counters) {
        let Some((to, count)) = run else { return };
        if self.runs.len() == RUNS_MAX {
            counters.transient_dropped += count as u64;
        } else {
            let bytes = self.arena.put(&self.run);
            self.runs.push(Run { to, tick, count, bytes });
        }
        self.run.clear();
    }

    /// What a client gets that watches `wants`, and has seen all until `after`.
    pub(super) fn runs(
        &self,
        player: PlayerId,
        wants: &[Scope],
        after: Tick,
    ) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.tick > after && concerns(run.to, player, wants))
    }
}

/// Whether an event is for a player who watches `wants`.
pub(super) fn concerns(to: To, player: PlayerId, wants: &[Scope]) -> bool {
    match to {
        To::Player(whose) => whose == player,
        To::Scope(scope) => wants.binary_search(&scope).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(window: &mut Window, tick: u32, events: &[(To, Class)]) -> (Vec<To>, Counters) {
        let (mut counters, mut reliable) = (Counters::default(), Vec::new());
        let outgoing = events.iter().map(|&(to, class)| Outgoing { to, class, event: () });
        window
            .publish(&mut outgoing.collect(), Tick(tick), &mut counters, |to, _| reliable.push(to));
        (reliable, counters)
    }

    #[test]
    fn events_for_the_same_clients_go_together_and_to_nobody_else() {
        use Class::{Reliable, Transient};
        let (all, ada) = (To::Scope(Scope::ROOM), To::Player(PlayerId(1)));
        let mut window = Window::default();
        let events = [(all, Transient), (all, Transient), (ada, Transient), (all, Reliable)];
        let (reliable, _) = publish(&mut window, 1, &events);
        assert_eq!(reliable, [all]);
        publish(&mut window, 2, &[(all, Transient)]);
        let counts = |player, wants: &[Scope], after| {
            let runs = window.runs(PlayerId(player), wants, Tick(after));
            runs.map(|run| run.count).collect::<Vec<_>>()
        };
        assert_eq!(counts(1, &[Scope::ROOM], 0), [2, 1, 1]);
        assert_eq!(counts(2, &[Scope::ROOM], 0), [2, 1]);
        assert_eq!(counts(2, &[Scope::ROOM], 1), [1]);
        assert_eq!(counts(1, &[Scope(7)], 0), [1]);
    }

    #[test]
    fn a_flood_of_events_is_bounded_and_counted() {
        let players = |n: usize| To::Player(PlayerId(n as u32));
        let events: Vec<_> = (0..RUNS_MAX + 10).map(|n| (players(n), Class::Transient)).collect();
        let mut window = Window::default();
        let (_, counters) = publish(&mut window, 1, &events);
        assert_eq!((window.runs.len(), counters.transient_dropped), (RUNS_MAX, 10));
        window.clear();
        let room = vec![(To::Scope(Scope::ROOM), Class::Transient); 1000];
        publish(&mut window, 2, &room);
        assert!(window.runs.iter().all(|run| run.count <= RUN_EVENTS_MAX));
        assert_eq!(window.runs.iter().map(|run| run.count).sum::<usize>(), 1000);
    }
}
