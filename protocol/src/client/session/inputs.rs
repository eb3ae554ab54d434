//! The player's controls on their way to the server.
//!
//! ```text
//!   set ──► held (what is in force) ──► waiting (changes, each for a tick) ──► one batch
//! ```
//!
//! An input holds until the next one, so only changes travel, and a tick has
//! one input: a change for a tick whose input was not sent yet replaces it, and
//! one for a tick whose input is on its way is for the tick after, and waits
//! that long. So however often an application sets it, an input travels at most
//! once a tick.
//!
//! Invariants: sequence numbers count up by one and ticks never go back, over
//! all connections of a session; `waiting` has at most
//! [`INPUTS_PER_BATCH_MAX`] places, so it always fits one message.

use core::time::Duration;
use std::collections::VecDeque;

use crate::limits::{INPUT_BYTES_MAX, INPUTS_PER_BATCH_MAX};
use crate::message::Inputs;
use crate::time::{Tick, Time};

/// What became of an input that changed something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputStamp {
    /// Its number: what [`Session::processed`](super::Session::processed) speaks of.
    /// A change that replaced one which was not sent yet has that one's.
    pub sequence: u32,
    /// The tick that it is for.
    pub tick: Tick,
}

/// The body of an input, in place.
#[derive(Clone, Copy)]
struct Body {
    len: usize,
    bytes: [u8; INPUT_BYTES_MAX],
}

impl Body {
    const EMPTY: Body = Body { len: 0, bytes: [0; INPUT_BYTES_MAX] };

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn set(&mut self, bytes: &[u8]) {
        self.len = bytes.len();
        self.bytes[..self.len].copy_from_slice(bytes);
    }
}

impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.get().fmt(f)
    }
}

#[derive(Clone, Debug)]
pub(super) struct InputQueue {
    /// What the application wants to be in force; none before it said so.
    held: Option<Body>,
    /// Whether `held` is still to be put into `waiting`.
    changed: bool,
    waiting: VecDeque<(InputStamp, Body)>,
    /// The number of the next input.
    next: u32,
    /// When `waiting` may be sent.
    due: Time,
    ready: bool,
    /// The last tick that an input was sent for, and when; none on a new time line.
    last: Option<(Tick, Time)>,
}

impl InputQueue {
    pub(super) fn new() -> InputQueue {
        InputQueue {
            held: None,
            changed: false,
            waiting: VecDeque::new(),
            next: 0,
            due: Time(0),
            ready: false,
            last: None,
        }
    }

    /// Puts an input into force. It fits [`INPUT_BYTES_MAX`].
    pub(super) fn set(&mut self, body: &[u8]) {
        if self.held.as_ref().is_none_or(|held| held.get() != body) {
            self.held.get_or_insert(Body::EMPTY).set(body);
            self.changed = true;
        }
    }

    /// Whether an input is in force that the application has set.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the input in force has to be stamped.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Queues the input in force. `tick` is the one that an input made now is for.
    pub(super) fn stamp(&mut self, tick: Tick, now: Time, interval: Duration) -> InputStamp {
        self.changed = false;
        let body = self.held.unwrap_or(Body::EMPTY);
        let full = self.waiting.len() == INPUTS_PER_BATCH_MAX;
        if let Some((stamp, waiting)) = self.waiting.back_mut()
            && (full || tick <= stamp.tick)
        {
            stamp.tick = stamp.tick.max(tick);
            *waiting = body;
            return *stamp;
        }
        let (tick, due) = match self.last {
            Some((last, sent)) if self.waiting.is_empty() && tick <= last => {
                (last.max(tick.after(1)), sent + interval)
            }
            _ => (tick, now),
        };
        self.due = due;
        self.check(now);
        let stamp = InputStamp { sequence: self.next, tick };
        self.next = self.next.wrapping_add(1);
        self.waiting.push_back((stamp, body));
        stamp
    }

    /// Time has passed.
    pub(super) fn check(&mut self, now: Time) {
        self.ready |= self.due <= now;
    }

    /// Whether there is something to send.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && !self.waiting.is_empty()
    }

    /// When there will be something to send.
    pub(super) fn deadline(&self) -> Option<Time> {
        (!self.ready && !self.waiting.is_empty()).then_some(self.due)
    }

    /// Fills a batch with what is to be sent.
    pub(super) fn fill(&self, batch: &mut Inputs<'_>) {
        for (stamp, body) in self.waiting.iter().filter(|_| self.ready) {
            let fits = batch.push(stamp.sequence, stamp.tick, body.get());
            debug_assert!(fits, "a batch has a place for each that waits");
        }
    }

    /// What [`InputQueue::fill`] gave is sent.
    pub(super) fn sent(&mut self, now: Time) {
        if let Some((stamp, _)) = self.waiting.back().filter(|_| self.ready) {
            self.last = Some((stamp.tick, now));
            self.waiting.clear();
            self.ready = false;
        }
    }

    /// What was on its way may not have arrived: the input in force has to be sent again.
    pub(super) fn lost(&mut self) {
        self.waiting.clear();
        self.ready = false;
        self.changed = self.held.is_some();
    }

    /// The server counts other ticks now than before.
    pub(super) fn new_time_line(&mut self) {
        self.lost();
        self.last = None;
    }

    /// The input in force means nothing any more: the schema is another one.
    pub(super) fn forget(&mut self) {
        self.held = None;
        self.new_time_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    /// A queue, and ticks that follow the time.
    struct Player(InputQueue);

    impl Player {
        fn press(&mut self, body: u8, ms: u64) -> Option<(u32, u32)> {
            self.0.set(&[body]);
            let tick = Tick((ms / 50) as u32);
            let stamp =
                self.0.is_changed().then(|| self.0.stamp(tick, Time::from_millis(ms), TICK));
            stamp.map(|stamp| (stamp.sequence, stamp.tick.0))
        }

        fn send(&mut self, ms: u64) -> Vec<(u32, u32, u8)> {
            self.0.check(Time::from_millis(ms));
            let mut batch = Inputs::ack(Tick(0));
            self.0.fill(&mut batch);
            let sent = batch.iter().map(|(seq, tick, body)| (seq, tick.0, body[0])).collect();
            self.0.sent(Time::from_millis(ms));
            sent
        }
    }

    #[test]
    fn only_changes_are_queued() {
        let mut player = Player(InputQueue::new());
        assert_eq!(player.press(1, 100), Some((0, 2)));
        assert_eq!(player.press(1, 150), None);
        assert_eq!(player.send(150), [(0, 2, 1)]);
        assert_eq!(player.press(1, 200), None);
        assert_eq!(player.press(0, 250), Some((1, 5)));
        assert_eq!(player.send(250), [(1, 5, 0)]);
        assert_eq!(player.send(300), []);
    }

    #[test]
    fn a_tick_has_one_input_and_one_more_change_waits_for_the_next() {
        let mut player = Player(InputQueue::new());
        player.press(1, 100);
        assert_eq!(player.press(2, 110), Some((0, 2)), "not sent yet: replaced");
        assert_eq!(player.send(110), [(0, 2, 2)]);
        assert_eq!(player.press(3, 120), Some((1, 3)));
        assert_eq!(player.press(4, 130), Some((1, 3)));
        assert_eq!(player.send(140), []);
        assert_eq!(player.0.deadline(), Some(Time::from_millis(160)));
        assert_eq!(player.send(160), [(1, 3, 4)]);
        assert_eq!(player.0.deadline(), None);
    }

    #[test]
    fn ticks_never_go_back_and_run_no_further_ahead_than_one() {
        let mut player = Player(InputQueue::new());
        player.press(1, 1000);
        player.send(1000);
        // The clock was set back by half a second.
        let mut last = 20;
        for step in 0..30 {
            let ms = 500 + step * 50;
            let (_, tick) = player.press(2 + step as u8, ms).unwrap();
            assert!(tick >= last && u64::from(tick) <= (ms / 50 + 1).max(20), "{tick} at {ms}");
            last = tick;
            player.send(ms + 1000);
        }
    }

    #[test]
    fn when_nothing_can_be_sent_the_newest_state_wins_and_the_queue_stays_small() {
        let mut player = Player(InputQueue::new());
        for step in 0..100 {
            player.press(step, 50 * u64::from(step));
        }
        let sent = player.send(5000);
        assert_eq!(sent.len(), INPUTS_PER_BATCH_MAX);
        assert_eq!(sent.last(), Some(&(15, 99, 99)));
        assert!(sent.is_sorted());
        assert_eq!(player.press(1, 5050), Some((16, 101)));
    }

    #[test]
    fn after_a_loss_the_input_in_force_goes_again_under_the_next_number() {
        let mut player = Player(InputQueue::new());
        player.press(7, 100);
        player.send(100);
        player.0.lost();
        assert_eq!(player.press(7, 200), Some((1, 4)));
        player.0.new_time_line();
        assert_eq!(player.press(7, 50), Some((2, 1)), "on another time line ticks may be lower");
        player.0.forget();
        assert!(!player.0.is_changed());
    }
}
