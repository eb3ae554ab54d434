//! The second half of a step: what happened goes to the clients.
//!
//! A client gets a frame if one is due, its link is free, and it has credit. If
//! not, it stays due, and gets the state of the tick at which it can take it: in
//! a later step, or between two as soon as an acknowledgement or the link makes
//! it possible.

use tickwire_protocol::close::CloseReason;
use tickwire_protocol::{Scope, Tick, Time};

use super::events::{Window, concerns};
use super::outbox::Over;
use super::replicate::Replicator;
use super::seats::Seat;
use super::{Counters, Failure, Joined, Room, SeatKey};
use crate::game::Game;

/// Clients whose memory is fetched before the first of them gets its frame: few enough
/// that the kernel's work for the first does not evict the last from a small cache.
const WARMED_AT_ONCE: usize = 16;

impl<G: Game> Room<G> {
    /// Takes note of who watches what from this tick on.
    pub(super) fn look_around(&mut self) {
        if !std::mem::take(&mut self.cx.watches_changed) {
            return;
        }
        for seat in self.seats.iter_mut() {
            let Some(player) = seat.player.and_then(|id| self.cx.players.get(&id)) else {
                continue;
            };
            let watches = self.cx.watches.get(&player.id).map_or(&[][..], Vec::as_slice);
            let own = [Scope::ROOM, player.private];
            let all = own.len() + watches.len();
            let same = all == seat.wants.len()
                && own.iter().chain(watches).all(|scope| seat.wants.binary_search(scope).is_ok());
            if same {
                continue;
            }
            self.scopes.clear();
            self.scopes.extend(own.iter().chain(watches));
            self.scopes.sort_unstable();
            self.scopes.dedup();
            if self.scopes[..] != seat.wants[..] {
                seat.wants = self.scopes.as_slice().into();
            }
        }
    }

    /// Encodes the events of the step, and puts the reliable ones into outboxes.
    pub(super) fn publish(&mut self) {
        let Room { window, cx, tick, counters, seats, config, endings, .. } = self;
        window.publish(&mut cx.events.outgoing, *tick, counters, |to, event| {
            for slot in 0..seats.slots() {
                let Some(key) = seats.key_at(slot) else { continue };
                let Some(seat) = seats.get_mut(key) else { continue };
                let Some(player) = seat.player else { continue };
                let lost = seat.client.is_none() && seat.trail.is_empty();
                if lost || !concerns(to, player, &seat.wants) {
                    continue;
                }
                if !seat.reliable.push(event.clone(), config.reliable_bytes_max) {
                    // It cannot have them all any more, so it has to begin anew.
                    seat.reliable.clear();
                    seat.trail.resume(None);
                    let whose = Joined { seat: key, connection: seat.connection };
                    endings.push((whose, Over::Because(CloseReason::TooSlow)));
                }
            }
        });
    }

    /// Offers each client what it is due.
    pub(super) fn replicate(&mut self, now: Time) {
        // Who lost an event must not get a frame without it.
        self.end_connections(now);
        let every = G::SEND_EVERY.saturating_mul(self.thinned);
        let sends = self.tick.0.is_multiple_of(every).then(|| self.tick.0 / every);
        for slot in 0..self.seats.slots() {
            if slot.is_multiple_of(WARMED_AT_ONCE) {
                self.seats.some(slot, WARMED_AT_ONCE).for_each(Seat::warm);
            }
            let Some(key) = self.seats.key_at(slot) else { continue };
            let Some(seat) = self.seats.get_mut(key) else { continue };
            let whose = Joined { seat: key, connection: seat.connection };
            let Some(client) = &mut seat.client else { continue };
            // A new client need not wait for the room's next send, but for a step:
            // its ticks must be later than those of the connection before.
            client.owed |= client.frame.is_none()
                || sends.is_some_and(|sends| sends.is_multiple_of(client.pace.into()));
            let owed = client.owed;
            match self.offer(key, now) {
                Ok(false) if owed => self.counters.coalesced += 1,
                Ok(_) => {}
                Err(over) => self.endings.push((whose, over)),
            }
        }
        self.window_over = sends.is_some();
        self.end_connections(now);
    }

    /// If the last step's frames were a send, its transient events are over:
    /// counts what clients have missed of them.
    pub(super) fn close_window(&mut self) {
        if !std::mem::take(&mut self.window_over) || self.window.is_empty() {
            return;
        }
        let tick = self.tick;
        for seat in self.seats.iter().filter(|seat| seat.client.is_some()) {
            let Some((player, client)) = seat.player.zip(seat.client.as_ref()) else { continue };
            if client.frame.is_none_or(|frame| frame < tick) {
                let after = client.frame.unwrap_or_default();
                let missed = self.window.runs(player, &seat.wants, after).map(|run| run.count);
                self.counters.transient_dropped += missed.sum::<usize>() as u64;
            }
        }
        self.window.clear();
    }

    /// Gives a client what waits for it, as far as its link and its credit allow;
    /// whether a frame was sent.
    pub(super) fn offer(&mut self, key: SeatKey, now: Time) -> Result<bool, Over> {
        let clock = self.clock(now);
        let tick = self.tick;
        let Some(pace) = self.seats.get(key).and_then(|s| s.client.as_ref()).map(|it| it.pace)
        else {
            return Ok(false);
        };
        let interval = self.send_interval(pace);
        let hash_ticks = Self::ticks(self.config.hash_every).max(1);
        let Room { seats, replicator, window, counters, scratch, config, failure, .. } = self;
        let Some(seat) = seats.get_mut(key) else { return Ok(false) };
        let Some(client) = &mut seat.client else { return Ok(false) };
        client.flush(clock, now, scratch)?;
        if client.is_stale(&seat.trail, config.stale_after, now) {
            return Err(Over::Because(CloseReason::TooSlow));
        }
        let new = client.frame.is_none_or(|frame| frame < tick);
        let credit = !config.credit || client.has_credit(&seat.trail, interval);
        let ready = client.is_clear() && credit;
        if !(client.owed && new && ready) {
            return Ok(false);
        }
        let hashes = |tick: Tick| u64::from(tick.0) / hash_ticks;
        let with_hash = client.frame.is_none_or(|frame| hashes(frame) != hashes(tick));
        let (processed, depth) = seat.inbox.report();
        let reliable = seat.fill(replicator, window, tick, with_hash, counters);
        replicator.finish(processed, depth);
        if !replicator.fits() {
            counters.frames_too_big += 1;
            *failure = Some(Failure::FrameTooBig { bytes: replicator.bytes() });
            return Err(Over::Because(CloseReason::Failed));
        }
        let Some(client) = &mut seat.client else { return Ok(false) };
        let (own, shared) = replicator.parts();
        client.send(own, shared, now)?;
        counters.frame_bytes += replicator.bytes() as u64;
        let full = replicator.commit(&mut client.view, &seat.wants);
        counters.frames += 1;
        counters.frames_full += u64::from(full);
        seat.reliable.commit(reliable, tick);
        let expected = G::SEND_EVERY * u32::from(client.pace);
        let merged = full || client.frame.is_none_or(|before| before.until(tick) > expected);
        seat.trail.send(tick, now, &seat.wants, merged);
        client.frame = Some(tick);
        (client.owed, client.whole) = (false, false);
        Ok(true)
    }
}

impl<I: Clone + Default + PartialEq> Seat<I> {
    /// The next frame comes soon.
    fn warm(&self) {
        self.client.iter().for_each(|client| client.warm(&self.trail));
    }

    /// Puts into a frame what this seat's client is to have; gives how many reliable
    /// events are in it.
    fn fill(
        &self,
        replicator: &mut Replicator,
        window: &Window,
        tick: Tick,
        with_hash: bool,
        counters: &mut Counters,
    ) -> usize {
        let Some((client, player)) = self.client.as_ref().zip(self.player) else { return 0 };
        replicator.begin(&client.view, &self.wants, client.whole, with_hash, counters);
        let unsent = self.reliable.unsent();
        let reliable = unsent.take_while(|event| replicator.event(event, 1)).count();
        let after = client.frame.unwrap_or(Tick(tick.0.saturating_sub(1)));
        for run in window.runs(player, &self.wants, after) {
            if !replicator.event(&run.bytes, run.count) {
                counters.transient_dropped += run.count as u64;
            }
        }
        reliable
    }
}
