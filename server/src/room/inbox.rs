//! The controls of one player on their way into the steps.
//!
//! ```text
//!   batch ── numbers seen before: out ──► waiting ── its tick has come ──► held ──► step
//! ```
//!
//! A client sends changes, each stamped with the tick that it is for; what is in
//! force holds until the next one. Each input is used at most once: its number
//! must be above all before it on the connection, and it leaves `waiting` when
//! its tick comes. Of several for one step the newest wins.

use std::collections::VecDeque;
use std::hint::black_box;

use tickwire_protocol::{Tick, Time};

use super::Counters;

/// Inputs that wait for their tick. At the limit the newest takes the place of
/// the one before it.
pub(super) const INPUTS_WAITING_MAX: usize = 16;

/// The inputs of a seat.
#[derive(Debug)]
pub(super) struct Inbox<I> {
    /// Ticks and numbers ascend.
    waiting: VecDeque<(u32, Tick, I)>,
    /// The highest number of this connection.
    newest: Option<u32>,
    /// What the player holds, in force unless the client is silent.
    held: I,
    /// Whether the client is silent, so that neutral is in force.
    silent: bool,
    /// Whether the step does not know yet what is in force.
    changed: bool,
    /// When the client was last heard.
    heard: Time,
    /// The number of the last input that was used, if no frame has told yet.
    processed: Option<u32>,
    /// How far ahead the newest input came, if no frame has told yet.
    depth: Option<i32>,
}

impl<I: Clone + Default + PartialEq> Inbox<I> {
    pub(super) fn new() -> Inbox<I> {
        Inbox {
            waiting: VecDeque::with_capacity(INPUTS_WAITING_MAX),
            newest: None,
            held: I::default(),
            silent: false,
            changed: false,
            heard: Time(0),
            processed: None,
            depth: None,
        }
    }

    /// A new connection begins: with its hands off, and with numbers of its own.
    pub(super) fn connected(&mut self, now: Time) {
        self.waiting.clear();
        self.newest = None;
        self.held = I::default();
        (self.silent, self.changed) = (false, true);
        self.heard = now;
        (self.processed, self.depth) = (None, None);
    }

    /// The client said something of its controls, if only that they are as before.
    pub(super) fn heard(&mut self, now: Time) {
        self.heard = self.heard.max(now);
    }

    /// Brings it into the processor's cache.
    pub(super) fn warm(&self) {
        black_box((self.heard, self.waiting.front().map(|(number, ..)| *number)));
    }

    /// Whether an input with this number is news.
    pub(super) fn is_new(&self, sequence: u32) -> bool {
        // Numbers may wrap: the nearer way round decides.
        self.newest.is_none_or(|newest| sequence.wrapping_sub(newest) as i32 > 0)
    }

    /// Takes an input that is for `tick`; the next step is that of `next`. One
    /// that is for a tick more than `ahead_max` later is ignored.
    pub(super) fn take(
        &mut self,
        sequence: u32,
        tick: Tick,
        input: I,
        next: Tick,
        ahead_max: u32,
        counters: &mut Counters,
    ) {
        if !self.is_new(sequence) {
            counters.inputs_duplicate += 1;
            return;
        }
        self.newest = Some(sequence);
        if next.until(tick) > ahead_max {
            counters.inputs_absurd += 1;
            return;
        }
        let ahead = tick.since(next);
        self.depth = Some(ahead.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
        counters.inputs_late += u64::from(ahead < 0);
        let tick = self.waiting.back().map_or(tick, |(_, last, _)| tick.max(*last));
        if self.waiting.len() == INPUTS_WAITING_MAX {
            self.waiting.pop_back();
            counters.inputs_folded += 1;
        }
        self.waiting.push_back((sequence, tick, input));
    }

    /// What the player's controls are from the step of `tick` on, if that is news. A client
    /// that was last heard before `silent_since` is silent.
    pub(super) fn apply(
        &mut self,
        tick: Tick,
        silent_since: Time,
        counters: &mut Counters,
    ) -> Option<I> {
        let mut used = 0;
        while let Some((sequence, _, input)) = self.waiting.pop_front_if(|it| it.1 <= tick) {
            self.held = input;
            self.processed = Some(sequence);
            self.changed = true;
            used += 1;
        }
        counters.inputs_folded += u64::saturating_sub(used, 1);
        let silent = self.heard < silent_since;
        counters.neutral += u64::from(silent && !self.silent);
        let news = self.changed || silent != self.silent;
        (self.silent, self.changed) = (silent, false);
        news.then(|| if silent { I::default() } else { self.held.clone() })
    }

    /// What a frame has to tell: the number of the last input that was used, and
    /// how far ahead the newest one came. Each is told once.
    pub(super) fn report(&mut self) -> (Option<u32>, Option<i32>) {
        (self.processed.take(), self.depth.take())
    }

    #[cfg(test)]
    fn step(&mut self, tick: u32, ms: u64, counters: &mut Counters) -> I {
        self.changed = true;
        let silent_since = Time::from_millis(ms) - std::time::Duration::from_millis(500);
        self.apply(Tick(tick), silent_since, counters).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox() -> (Inbox<u8>, Counters) {
        let mut inbox = Inbox::new();
        inbox.connected(Time(0));
        (inbox, Counters::default())
    }

    #[test]
    fn an_input_holds_from_its_tick_on() {
        let (mut inbox, mut counters) = inbox();
        inbox.take(0, Tick(3), 7, Tick(1), 60, &mut counters);
        assert_eq!(inbox.step(2, 0, &mut counters), 0);
        assert_eq!(inbox.report(), (None, Some(2)));
        assert_eq!(inbox.step(3, 0, &mut counters), 7);
        assert_eq!(inbox.step(4, 0, &mut counters), 7);
        assert_eq!(inbox.report(), (Some(0), None));
        assert_eq!(inbox.report(), (None, None), "told once");
    }

    #[test]
    fn late_inputs_are_used_at_once_and_the_newest_of_a_step_wins() {
        let (mut inbox, mut counters) = inbox();
        for (sequence, tick) in [(0, 5), (1, 6), (2, 9)] {
            inbox.take(sequence, Tick(tick), 10 + sequence as u8, Tick(10), 60, &mut counters);
        }
        assert_eq!(inbox.report(), (None, Some(-1)));
        assert_eq!(inbox.step(10, 0, &mut counters), 12);
        assert_eq!((counters.inputs_late, counters.inputs_folded), (3, 2));
        assert_eq!(inbox.report(), (Some(2), None));
    }

    #[test]
    fn duplicates_and_absurd_ticks_are_ignored_and_counted() {
        let (mut inbox, mut counters) = inbox();
        inbox.take(u32::MAX, Tick(1), 1, Tick(1), 60, &mut counters);
        inbox.take(u32::MAX, Tick(1), 2, Tick(1), 60, &mut counters);
        inbox.take(0, Tick(1), 3, Tick(1), 60, &mut counters);
        inbox.take(u32::MAX - 5, Tick(1), 4, Tick(1), 60, &mut counters);
        inbox.take(1, Tick(1_000_001), 5, Tick(1), 60, &mut counters);
        assert_eq!(inbox.step(1, 0, &mut counters), 3, "numbers may wrap");
        assert_eq!((counters.inputs_duplicate, counters.inputs_absurd), (2, 1));
    }

    #[test]
    fn at_most_sixteen_wait() {
        let (mut inbox, mut counters) = inbox();
        for sequence in 0..100u32 {
            let tick = Tick(10 + sequence / 4);
            inbox.take(sequence, tick, sequence as u8, Tick(1), 60, &mut counters);
            assert!(inbox.waiting.len() <= INPUTS_WAITING_MAX);
        }
        assert_eq!(inbox.step(60, 0, &mut counters), 99, "the newest is in force");
        assert_eq!(inbox.report().0, Some(99));
        assert_eq!(counters.inputs_folded, 99);
    }

    #[test]
    fn a_silent_client_is_neutral_until_it_is_heard() {
        let (mut inbox, mut counters) = inbox();
        inbox.take(0, Tick(1), 7, Tick(1), 60, &mut counters);
        assert_eq!(inbox.step(1, 500, &mut counters), 7);
        assert_eq!(inbox.step(2, 501, &mut counters), 0);
        assert_eq!(inbox.step(3, 520, &mut counters), 0);
        inbox.heard(Time::from_millis(530));
        assert_eq!(inbox.step(4, 540, &mut counters), 7);
        assert_eq!(counters.neutral, 1);
    }

    #[test]
    fn another_connection_begins_with_hands_off() {
        let (mut inbox, mut counters) = inbox();
        inbox.take(9, Tick(1), 7, Tick(1), 60, &mut counters);
        inbox.take(10, Tick(5), 8, Tick(1), 60, &mut counters);
        inbox.step(1, 0, &mut counters);
        inbox.connected(Time(0));
        assert_eq!(inbox.step(6, 0, &mut counters), 0);
        inbox.take(0, Tick(7), 3, Tick(7), 60, &mut counters);
        assert_eq!(inbox.step(7, 0, &mut counters), 3);
    }
}
