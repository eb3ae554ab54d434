//! The second half of a step: what happened goes to the clients.
//!
//! A client gets a frame if one is due, its link is free, and it has credit. If
//! not, it stays due, and gets the state of the tick at which it can take it: in
//! a later step, or between two as soon as an acknowledgement or the link makes
//! it possible.

use std::time::Duration;

use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::ServerClock;
use tickwire_protocol::{Scope, Tick, Time};

use super::events::{Window, concerns};
use super::outbox::{Client, Over};
use super::replicate::Replicator;
use super::seats::{Seat, Seats};
use super::{Counters, Endings, Failure, Joined, Room, SeatKey};
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
        let sends = self.sends();
        let (seats, endings, mut offers) = self.offers(now);
        for slot in 0..seats.slots() {
            if slot.is_multiple_of(WARMED_AT_ONCE) {
                seats.some(slot, WARMED_AT_ONCE).for_each(Seat::warm);
            }
            let Some((key, seat)) = seats.at_mut(slot) else { continue };
            let Some(client) = &mut seat.client else { continue };
            let owed = client.owes(sends);
            match offers.offer(seat) {
                Ok(false) if owed => offers.counters.coalesced += 1,
                Ok(_) => {}
                Err(over) => {
                    endings.push((Joined { seat: key, connection: seat.connection }, over));
                }
            }
        }
        self.replicator.rest();
        self.window_over = sends.is_some();
        self.end_connections(now);
    }

    /// Leaves what each client is due for the next step. Nobody has missed this tick's events
    /// by that: they are sent with those of the next.
    pub(super) fn put_off(&mut self, now: Time) {
        self.end_connections(now);
        let sends = self.sends();
        for seat in self.seats.iter_mut() {
            let owed = seat.client.as_mut().is_some_and(|client| client.owes(sends));
            self.counters.coalesced += u64::from(owed);
        }
    }

    /// Which of the room's sends this tick is, if it is one.
    fn sends(&self) -> Option<u32> {
        let every = G::SEND_EVERY.saturating_mul(self.thinned);
        self.tick.0.is_multiple_of(every).then(|| self.tick.0 / every)
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

    /// Offers one client what waits for it, between two steps.
    pub(super) fn offer(&mut self, key: SeatKey, now: Time) -> Result<(), Over> {
        let client = self.seats.get(key).and_then(|seat| seat.client.as_ref());
        if !client.is_some_and(Client::waits) {
            return Ok(());
        }
        let (seats, _, mut offers) = self.offers(now);
        let sent = seats.get_mut(key).map_or(Ok(false), |seat| offers.offer(seat));
        self.replicator.rest();
        sent.map(drop)
    }

    /// The seats, and all that it takes to offer their clients something now.
    fn offers(&mut self, now: Time) -> (&mut Seats<G::Input>, &mut Endings, Offers<'_>) {
        let hash_ticks = Self::ticks(self.config.hash_every).clamp(1, u64::from(u32::MAX)) as u32;
        let offers = Offers {
            now,
            tick: self.tick,
            clock: self.clock(now),
            interval: self.send_interval(1),
            send_every: G::SEND_EVERY,
            hashed_since: Tick(self.tick.0 - self.tick.0 % hash_ticks),
            moved_since: now - self.config.stale_after,
            credit: self.config.credit,
            replicator: &mut self.replicator,
            window: &self.window,
            counters: &mut self.counters,
            scratch: &mut self.scratch,
            failure: &mut self.failure,
        };
        (&mut self.seats, &mut self.endings, offers)
    }
}

/// What all clients are offered at one time.
struct Offers<'a> {
    now: Time,
    tick: Tick,
    clock: ServerClock,
    /// How far apart the room's frames are.
    interval: Duration,
    /// In ticks, as the game says.
    send_every: u32,
    /// Who has no frame since this tick gets a hash with the next one.
    hashed_since: Tick,
    /// Who has not moved since then is too slow.
    moved_since: Time,
    /// Whether credit limits what is on the way.
    credit: bool,
    replicator: &'a mut Replicator,
    window: &'a Window,
    counters: &'a mut Counters,
    scratch: &'a mut Vec<u8>,
    failure: &'a mut Option<Failure>,
}

impl Offers<'_> {
    /// Gives a client what waits for it, as far as its link and its credit allow;
    /// whether a frame was sent.
    fn offer<I: Clone + Default + PartialEq>(&mut self, seat: &mut Seat<I>) -> Result<bool, Over> {
        let tick = self.tick;
        let Some(client) = &mut seat.client else { return Ok(false) };
        client.flush(self.clock, self.now, self.scratch)?;
        if client.is_stale(&seat.trail, self.moved_since) {
            return Err(Over::Because(CloseReason::TooSlow));
        }
        let new = client.frame.is_none_or(|frame| frame < tick);
        let credit = !self.credit || client.has_credit(&seat.trail, self.interval);
        if !(client.owed && new && client.is_clear() && credit) {
            return Ok(false);
        }
        let with_hash = client.frame.is_none_or(|frame| frame < self.hashed_since);
        let (processed, depth) = seat.inbox.report();
        let reliable = self.fill(seat, with_hash);
        self.replicator.finish(processed, depth);
        if !self.replicator.fits() {
            self.counters.frames_too_big += 1;
            *self.failure = Some(Failure::FrameTooBig { bytes: self.replicator.bytes() });
            return Err(Over::Because(CloseReason::Failed));
        }
        let Some(client) = &mut seat.client else { return Ok(false) };
        let (own, shared) = self.replicator.parts();
        client.send(own, shared, self.now)?;
        self.counters.frame_bytes += self.replicator.bytes() as u64;
        let full = self.replicator.commit(&mut client.view, &seat.wants);
        self.counters.frames += 1;
        self.counters.frames_full += u64::from(full);
        seat.reliable.commit(reliable, tick);
        let expected = self.send_every * u32::from(client.pace);
        let merged = full || client.frame.is_none_or(|before| before.until(tick) > expected);
        seat.trail.send(tick, self.now, &seat.wants, merged);
        client.frame = Some(tick);
        (client.owed, client.whole) = (false, false);
        Ok(true)
    }

    /// Puts into a frame what a seat's client is to have; gives how many reliable events
    /// are in it.
    fn fill<I>(&mut self, seat: &Seat<I>, with_hash: bool) -> usize {
        let Some((client, player)) = seat.client.as_ref().zip(seat.player) else { return 0 };
        let Offers { replicator, window, counters, .. } = self;
        replicator.begin(&client.view, &seat.wants, client.whole, with_hash, counters);
        let unsent = seat.reliable.unsent();
        let reliable = unsent.take_while(|event| replicator.event(event, 1)).count();
        if !window.is_empty() {
            let after = client.frame.unwrap_or(Tick(self.tick.0.saturating_sub(1)));
            for run in window.runs(player, &seat.wants, after) {
                if !replicator.event(&run.bytes, run.count) {
                    counters.transient_dropped += run.count as u64;
                }
            }
        }
        reliable
    }
}

impl<I: Clone + Default + PartialEq> Seat<I> {
    /// The next frame comes soon.
    fn warm(&self) {
        self.client.iter().for_each(|client| client.warm(&self.trail));
    }
}
