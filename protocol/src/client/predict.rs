//! Prediction of the client's own entity, reconciliation with the server, and hiding the correction.
//!
//! ```text
//!   settled at 41 │ 42 43 44 45 46   pending: each tick's input, and the state after it
//!                    ▲
//!   a frame tells the state after 42: same → 42 is settled, and nothing else happens
//!                                     other → 42 is settled as told, and 43 to 46 run again
//! ```
//!
//! The rules come in as a `step` closure, the same that the server runs; what "same" means is the
//! caller's too, because the wire quantises.
//!
//! Invariants: at most [`PENDING_MAX`] ticks are pending, so no call steps more often than that; no
//! allocation after `new` (beyond what cloning a state does); the [`Smoother`] is seen by the
//! renderer only, and nothing here reads it.
//!
//! Absent: which tick an input is for (`clock`), and sending it.

use core::time::Duration;
use std::collections::VecDeque;

use crate::time::{Tick, Time};

/// How many ticks can be predicted ahead of the server: over 2 s at 60 Hz. At the limit prediction
/// stands still until the server has spoken, so that every tick it speaks of can be compared.
pub const PENDING_MAX: usize = 128;

/// What a [`Predictor::reconcile`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reconciled<S> {
    /// The tick was settled before; nothing changed.
    Stale,
    /// The prediction was right; nothing was stepped.
    Confirmed,
    /// There was no prediction for this tick or any later one: the state is the server's.
    Adopted,
    /// The prediction was wrong, or missing for this tick: later inputs were run again.
    Corrected {
        /// The newest state as it was predicted before; its distance from [`Predictor::state`] is
        /// the error to hide.
        before: S,
        /// How many ticks were run again.
        replayed: usize,
    },
}

#[derive(Clone, Debug)]
struct Pending<S, I> {
    tick: Tick,
    input: I,
    /// The state after `tick`.
    state: S,
}

/// Runs ahead of the server with the client's own inputs.
#[derive(Clone, Debug)]
pub struct Predictor<S, I> {
    /// The last tick that the server has spoken about, and the state after it.
    settled: Tick,
    base: S,
    /// The input of the last tick that left `pending`: what the server goes on repeating.
    held: Option<I>,
    /// Ticks rise strictly, all above `settled`. A tick that is missing was never predicted.
    pending: VecDeque<Pending<S, I>>,
}

impl<S: Clone, I: Clone> Predictor<S, I> {
    /// Starts from the authoritative `state` after `tick`.
    pub fn new(tick: Tick, state: S) -> Predictor<S, I> {
        let pending = VecDeque::with_capacity(PENDING_MAX);
        Predictor { settled: tick, base: state, held: None, pending }
    }

    /// Steps to `tick` with `input`, and gives the state after it.
    ///
    /// Ticks that were skipped are stepped with the input before, as the server does while an input
    /// is held. A second input for the newest tick replaces the first. A tick before that, or
    /// settled, changes nothing, and neither does one beyond [`PENDING_MAX`] pending ticks.
    pub fn push(&mut self, tick: Tick, input: I, mut step: impl FnMut(&mut S, &I, Tick)) -> &S {
        match self.pending.back() {
            Some(last) if tick < last.tick => return self.state(),
            Some(last) if tick == last.tick => {
                self.pending.pop_back();
            }
            _ if tick <= self.settled => return self.state(),
            _ => {}
        }
        if let Some(held) = self.pending.back().map(|last| &last.input).or(self.held.as_ref()) {
            let held = held.clone();
            let room = (PENDING_MAX - self.pending.len()) as u32;
            let first = self.newest().after(1);
            for skipped in first.0..tick.0.min(first.after(room).0) {
                self.advance(Tick(skipped), held.clone(), &mut step);
            }
        }
        if self.pending.len() < PENDING_MAX {
            self.advance(tick, input, &mut step);
        }
        self.state()
    }

    /// Takes in the authoritative `state` after `tick`. `is_same` is asked with the predicted and
    /// the authoritative state.
    pub fn reconcile(
        &mut self,
        tick: Tick,
        state: S,
        is_same: impl FnOnce(&S, &S) -> bool,
        mut step: impl FnMut(&mut S, &I, Tick),
    ) -> Reconciled<S> {
        if tick <= self.settled {
            return Reconciled::Stale;
        }
        self.settled = tick;
        let mut predicted = None;
        while let Some(done) = self.pending.pop_front_if(|oldest| oldest.tick <= tick) {
            predicted = (done.tick == tick).then_some(done.state);
            self.held = Some(done.input);
        }
        if let Some(predicted) = predicted.take_if(|predicted| is_same(predicted, &state)) {
            self.base = predicted;
            return Reconciled::Confirmed;
        }
        self.base = state;
        match self.pending.back().map(|last| last.state.clone()).or(predicted) {
            Some(before) => Reconciled::Corrected { before, replayed: self.replay(&mut step) },
            None => Reconciled::Adopted,
        }
    }

    /// The newest state: predicted, or the server's if nothing is pending.
    pub fn state(&self) -> &S {
        self.pending.back().map_or(&self.base, |last| &last.state)
    }

    /// The tick after which [`state`](Predictor::state) holds.
    pub fn newest(&self) -> Tick {
        self.pending.back().map_or(self.settled, |last| last.tick)
    }

    /// How many predicted ticks the server has not spoken about.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    fn advance(&mut self, tick: Tick, input: I, step: &mut impl FnMut(&mut S, &I, Tick)) {
        let mut state = self.state().clone();
        step(&mut state, &input, tick);
        self.pending.push_back(Pending { tick, input, state });
    }

    /// Runs the pending inputs again from the base.
    fn replay(&mut self, step: &mut impl FnMut(&mut S, &I, Tick)) -> usize {
        let mut state = self.base.clone();
        for pending in &mut self.pending {
            step(&mut state, &pending.input, pending.tick);
            pending.state.clone_from(&state);
        }
        self.pending.len()
    }
}

/// Hides corrections from the eye: an offset that is added to what is drawn and dies away.
///
/// It falls to 37 % in each time constant. An offset longer than the limit is a teleport and is
/// dropped at once, as is one that is not finite. In a wrapped space the caller gives the shorter
/// difference.
#[derive(Clone, Debug)]
pub struct Smoother<const N: usize> {
    /// In seconds.
    time_constant: f64,
    snap_above: f64,
    /// The offset as it was at `since`.
    offset: [f32; N],
    since: Time,
}

impl<const N: usize> Smoother<N> {
    /// A smoother without an offset.
    pub fn new(time_constant: Duration, snap_above: f32) -> Smoother<N> {
        Smoother {
            time_constant: time_constant.as_secs_f64(),
            snap_above: f64::from(snap_above),
            offset: [0.0; N],
            since: Time(0),
        }
    }

    /// The simulation was corrected at `now`; `error` is where it was drawn less where it is.
    pub fn corrected(&mut self, error: [f32; N], now: Time) {
        let left = self.offset(now);
        self.offset = core::array::from_fn(|i| left[i] + error[i]);
        self.since = self.since.max(now);
        let square: f64 = self.offset.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        // NaN, on either side, is not `<=` and snaps too.
        let keep = square <= self.snap_above * self.snap_above && self.snap_above > 0.0;
        if !(keep && square.is_finite()) {
            self.offset = [0.0; N];
        }
    }

    /// What to add to the drawn position at `now`.
    pub fn offset(&self, now: Time) -> [f32; N] {
        let age = now.since(self.since).as_secs_f64();
        let left = if age > 0.0 { (-age / self.time_constant).exp() } else { 1.0 };
        self.offset.map(|x| (f64::from(x) * left) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Debug, Default)]
    struct Body {
        x: i64,
        speed: i64,
    }

    fn step(body: &mut Body, push: &i64, _: Tick) {
        body.speed = (body.speed + push) * 7 / 8;
        body.x += body.speed;
    }

    fn never(_: &mut Body, _: &i64, tick: Tick) {
        panic!("stepped {tick}");
    }

    fn same(a: &Body, b: &Body) -> bool {
        a == b
    }

    fn xorshift(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// The server's state after each tick from 0 on, for the inputs of ticks 1, 2, …
    fn truth(inputs: &[i64]) -> Vec<Body> {
        let mut states = vec![Body::default()];
        for (i, input) in inputs.iter().enumerate() {
            let mut body = states[i];
            step(&mut body, input, Tick(i as u32 + 1));
            states.push(body);
        }
        states
    }

    fn inputs(seed: u64, count: usize) -> Vec<i64> {
        let mut state = seed;
        (0..count).map(|_| (xorshift(&mut state) % 200) as i64 - 100).collect()
    }

    #[test]
    fn a_right_prediction_costs_no_replay() {
        let inputs = inputs(3, 300);
        let server = truth(&inputs);
        let mut predictor = Predictor::new(Tick(0), Body::default());
        for (i, input) in inputs.iter().enumerate() {
            let tick = i as u32 + 1;
            assert_eq!(*predictor.push(Tick(tick), *input, step), server[i + 1]);
            if let Some(done) = tick.checked_sub(6).filter(|done| *done > 0) {
                let found = predictor.reconcile(Tick(done), server[done as usize], same, never);
                assert_eq!(found, Reconciled::Confirmed);
                assert_eq!(predictor.pending(), 6);
            }
        }
    }

    #[test]
    fn converges_after_a_mismatch() {
        for seed in 1..20 {
            let client_inputs = inputs(seed, 200);
            let mut server_inputs = client_inputs.clone();
            // This input came late: the server repeated the one before.
            server_inputs[99] = server_inputs[98];
            let server = truth(&server_inputs);
            let mut predictor = Predictor::new(Tick(0), Body::default());
            let mut corrections = Vec::new();
            for (i, input) in client_inputs.iter().enumerate() {
                let tick = i as u32 + 1;
                predictor.push(Tick(tick), *input, step);
                if let Some(done) = tick.checked_sub(5).filter(|done| *done > 0) {
                    let told = server[done as usize];
                    match predictor.reconcile(Tick(done), told, same, step) {
                        Reconciled::Corrected { replayed, .. } => {
                            corrections.push((done, replayed));
                        }
                        found => assert_eq!(found, Reconciled::Confirmed),
                    }
                    if done >= 100 {
                        assert_eq!(*predictor.state(), server[i + 1]);
                    }
                }
            }
            assert_eq!(corrections, [(100, 5)], "one correction settles it");
        }
    }

    #[test]
    fn a_correction_tells_what_was_shown_before_it() {
        let mut predictor = Predictor::new(Tick(0), Body::default());
        predictor.push(Tick(1), 8, step);
        let shown = *predictor.push(Tick(2), 8, step);
        let told = Body { x: -50, speed: 0 };
        let found = predictor.reconcile(Tick(1), told, same, step);
        assert_eq!(found, Reconciled::Corrected { before: shown, replayed: 1 });
        assert_eq!(*predictor.state(), Body { x: -43, speed: 7 });
        assert_eq!(predictor.newest(), Tick(2));
    }

    #[test]
    fn skipped_ticks_repeat_the_held_input() {
        let server = truth(&[5, 5, 5, 9, 9, 9, 1]);
        let mut predictor = Predictor::new(Tick(0), Body::default());
        predictor.push(Tick(1), 5, step);
        predictor.push(Tick(4), 9, step);
        assert_eq!(predictor.pending(), 4);
        assert_eq!(*predictor.state(), server[4]);
        // The held input outlives its acknowledgement.
        assert_eq!(predictor.reconcile(Tick(4), server[4], same, never), Reconciled::Confirmed);
        assert_eq!(*predictor.push(Tick(7), 1, step), server[7]);
    }

    #[test]
    fn a_second_input_for_a_tick_replaces_the_first_and_an_older_one_is_ignored() {
        let server = truth(&[5, 7]);
        let mut predictor = Predictor::new(Tick(0), Body::default());
        predictor.push(Tick(1), 5, step);
        predictor.push(Tick(2), 100, step);
        assert_eq!(*predictor.push(Tick(2), 7, step), server[2]);
        assert_eq!(*predictor.push(Tick(1), 100, never), server[2]);
        predictor.reconcile(Tick(2), server[2], same, never);
        assert_eq!(*predictor.push(Tick(2), 100, never), server[2]);
        assert_eq!(predictor.pending(), 0);
    }

    #[test]
    fn a_server_ahead_of_the_prediction_is_adopted_and_the_past_is_stale() {
        let mut predictor: Predictor<Body, i64> = Predictor::new(Tick(0), Body::default());
        let told = Body { x: 3, speed: 3 };
        assert_eq!(predictor.reconcile(Tick(9), told, same, never), Reconciled::Adopted);
        assert_eq!(*predictor.state(), told);
        assert_eq!(predictor.reconcile(Tick(9), Body::default(), same, never), Reconciled::Stale);
        assert_eq!(*predictor.state(), told);
    }

    #[test]
    fn a_tick_that_was_not_predicted_is_taken_from_the_server() {
        let mut predictor = Predictor::new(Tick(0), Body::default());
        // Nothing is held yet, so ticks 1 to 4 are left out.
        predictor.push(Tick(5), 8, step);
        assert_eq!(predictor.pending(), 1);
        let told = Body { x: 100, speed: 0 };
        let found = predictor.reconcile(Tick(2), told, same, step);
        assert!(matches!(found, Reconciled::Corrected { replayed: 1, .. }));
        assert_eq!(predictor.state().x, 107);
    }

    #[test]
    fn under_a_silent_server_prediction_stands_still_and_recovers() {
        let inputs = inputs(5, 400);
        let server = truth(&inputs);
        let mut predictor = Predictor::new(Tick(0), Body::default());
        let capacity = predictor.pending.capacity();
        for (i, input) in inputs[..200].iter().enumerate() {
            predictor.push(Tick(i as u32 + 1), *input, step);
        }
        assert_eq!(predictor.pending(), PENDING_MAX);
        assert_eq!(predictor.pending.capacity(), capacity, "no allocation");
        assert_eq!(*predictor.state(), server[PENDING_MAX]);
        let found = predictor.reconcile(Tick(100), server[100], same, never);
        assert_eq!(found, Reconciled::Confirmed);
        // Ticks 129 to 200 were never predicted; the held input stands in until the server speaks.
        for tick in 201..=220 {
            predictor.push(Tick(tick), inputs[tick as usize - 1], step);
        }
        predictor.reconcile(Tick(200), server[200], same, step);
        assert_eq!(*predictor.state(), server[220]);
    }

    #[test]
    fn extreme_ticks_step_a_bounded_number_of_times() {
        let mut steps = 0;
        let mut count = |_: &mut Body, _: &i64, _: Tick| steps += 1;
        let mut predictor = Predictor::new(Tick(0), Body::default());
        predictor.push(Tick(1), 0, &mut count);
        predictor.push(Tick(u32::MAX), 0, &mut count);
        predictor.push(Tick(u32::MAX - 1), 0, &mut count);
        predictor.push(Tick(0), 0, &mut count);
        assert_eq!(predictor.pending(), PENDING_MAX);
        predictor.reconcile(Tick(u32::MAX), Body::default(), same, &mut count);
        predictor.push(Tick(u32::MAX), 0, &mut count);
        assert_eq!(predictor.newest(), Tick(u32::MAX));
        let mut last: Predictor<Body, i64> = Predictor::new(Tick(u32::MAX - 1), Body::default());
        last.push(Tick(u32::MAX), 0, &mut count);
        last.push(Tick(u32::MAX), 0, &mut count);
        assert_eq!(steps, PENDING_MAX + 2);
    }

    #[test]
    fn a_correction_is_hidden_and_dies_away() {
        let mut smoother = Smoother::<2>::new(Duration::from_millis(100), 10.0);
        assert_eq!(smoother.offset(Time(5)), [0.0, 0.0]);
        smoother.corrected([4.0, -2.0], Time::from_millis(1000));
        assert_eq!(smoother.offset(Time::from_millis(1000)), [4.0, -2.0], "nothing jumps");
        assert_eq!(smoother.offset(Time::from_millis(900)), [4.0, -2.0]);
        let [x, y] = smoother.offset(Time::from_millis(1100));
        assert!((x - 4.0 * 0.3679).abs() < 0.01 && (y + 2.0 * 0.3679).abs() < 0.01);
        smoother.corrected([1.0, 0.0], Time::from_millis(1100));
        assert_eq!(smoother.offset(Time::from_millis(1100)), [x + 1.0, y], "they add up");
        assert_eq!(smoother.offset(Time(u64::MAX)), [0.0, 0.0]);
    }

    #[test]
    fn an_offset_above_the_limit_snaps() {
        let mut smoother = Smoother::<2>::new(Duration::from_millis(100), 10.0);
        smoother.corrected([8.0, 0.0], Time(0));
        smoother.corrected([3.0, 0.0], Time(0));
        assert_eq!(smoother.offset(Time(0)), [0.0, 0.0]);
    }

    #[test]
    fn extreme_offsets_stay_finite() {
        let extremes = [f32::MAX, f32::MIN, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE, 0.0];
        for limit in extremes {
            for time_constant in [Duration::ZERO, Duration::MAX, Duration::from_nanos(1)] {
                let mut smoother = Smoother::<1>::new(time_constant, limit);
                for error in extremes {
                    for now in [0, 1, u64::MAX, 7] {
                        smoother.corrected([error], Time(now));
                        assert!(smoother.offset(Time(now))[0].is_finite(), "{error} {limit}");
                        assert!(smoother.offset(Time(u64::MAX))[0].is_finite());
                    }
                }
            }
        }
    }
}
