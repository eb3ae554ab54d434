//! How connections end, players go, and the room is over.

use std::time::Duration;

use tickwire_protocol::Time;
use tickwire_protocol::close::CloseReason;

use super::outbox::{Client, Over};
use super::{Room, SeatKey};
use crate::game::{Game, Leave, PlayerId, Presence};

impl<G: Game> Room<G> {
    /// Gives up the seats whose time is over.
    pub(super) fn give_up_seats(&mut self, now: Time) {
        if self.over {
            return;
        }
        // Who is connected keeps the seat.
        while self.seats.len() > self.connected
            && let Some(key) = self.seats.expired(self.config.seat_kept_for, now)
        {
            self.remove(key, Leave::TimedOut, now);
        }
        if self.seats.len() > 0 {
            self.deserted = now;
        } else if now.since(self.deserted) >= self.config.dispose_after {
            self.dispose(CloseReason::Normal, Duration::ZERO, now);
        }
    }

    /// Ends the connections that were found to be over, unless newer ones have
    /// their places.
    pub(super) fn end_connections(&mut self, now: Time) {
        while let Some((whose, over)) = self.endings.pop() {
            if self.client(whose).is_some() {
                self.end_connection(whose.seat, over, Duration::ZERO, now);
            }
        }
    }

    /// Ends a seat's connection, if it has one. The seat stays.
    pub(super) fn end_connection(
        &mut self,
        key: SeatKey,
        over: Over,
        retry_after: Duration,
        now: Time,
    ) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        let Some(client) = seat.drop_client(now) else { return };
        let player = seat.player;
        self.connected -= 1;
        self.close_link(client, over, retry_after);
        if let Some(id) = player
            && let Some(player) = self.cx.players.get_mut(&id)
        {
            player.connected = false;
            self.game.presence(&mut self.cx, id, Presence::Dropped);
        }
    }

    pub(super) fn close_link(&mut self, mut client: Client, over: Over, retry_after: Duration) {
        let Over::Because(reason) = over else { return };
        match reason {
            CloseReason::TooSlow => self.counters.closed_too_slow += 1,
            CloseReason::BadMessage => self.counters.closed_bad_message += 1,
            CloseReason::Policy => self.counters.closed_policy += 1,
            CloseReason::Replaced => self.counters.replaced += 1,
            _ => {}
        }
        client.close(reason, retry_after);
    }

    /// Takes a player out of the room, and gives the seat up.
    pub(super) fn remove(&mut self, key: SeatKey, why: Leave, now: Time) {
        let Some(seat) = self.seats.remove(key) else { return };
        self.deserted = now;
        if let Some(client) = seat.client {
            self.connected -= 1;
            let reason = match why {
                Leave::Removed => CloseReason::Refused,
                _ => CloseReason::Normal,
            };
            self.close_link(client, Over::Because(reason), Duration::ZERO);
        }
        if let Some(player) = seat.player {
            self.game.leave(&mut self.cx, player, why);
            self.forget(player);
        }
    }

    /// Forgets a player.
    pub(super) fn forget(&mut self, player: PlayerId) {
        self.cx.players.remove(&player);
        self.cx.watches.remove(&player);
        self.inputs.forget(player);
    }

    /// Does what the game asked for in the step: removes players, ends.
    pub(super) fn obey(&mut self, now: Time) {
        while let Some(player) = self.cx.removals.pop() {
            if let Some(key) = self.seats.of(player) {
                self.remove(key, Leave::Removed, now);
            }
        }
        if self.cx.ends {
            self.dispose(CloseReason::Normal, Duration::ZERO, now);
        }
    }

    /// Ends a room that was found unable to go on.
    pub(super) fn fail_if_it_must(&mut self, now: Time) {
        if self.failure.is_some() {
            self.dispose(CloseReason::Failed, Duration::ZERO, now);
        }
    }

    /// Ends the room. A game that failed is not asked anything any more.
    pub(super) fn dispose(&mut self, reason: CloseReason, retry_after: Duration, now: Time) {
        if self.over {
            return;
        }
        self.over = true;
        if reason != CloseReason::Failed {
            self.game.dispose(&mut self.cx);
        }
        self.connected = 0;
        for slot in 0..self.seats.slots() {
            let seat = self.seats.key_at(slot).and_then(|key| self.seats.get_mut(key));
            if let Some(client) = seat.and_then(|seat| seat.drop_client(now)) {
                self.close_link(client, Over::Because(reason), retry_after);
            }
        }
    }
}
