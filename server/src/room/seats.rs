//! The seats of a room: kept for somebody, taken, left alone for a while, taken
//! again by a newer connection, given up.
//!
//! ```text
//!   reserve ─► kept ── seat token ─► connected ◄── resume token ── dropped ─► given up
//!                │                      │  ▲                          ▲          ▲
//!                └─ reserved_for over   │  └─ resume token: replaced  │          │
//!                                       ├──────── link lost ──────────┘          │
//!                                       └──────── Bye, removed ──────────────────┘
//! ```
//!
//! A slot is used again with another generation, so that an old key finds nobody.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tickwire_protocol::close::CloseReason;
use tickwire_protocol::{Scope, Time};

use super::credit::Trail;
use super::inbox::Inbox;
use super::outbox::{Client, Reliable};
use super::rate::Limiter;
use super::{RoomFull, SeatId, SeatKey};
use crate::game::PlayerId;

/// A place in the room.
pub(super) struct Seat<I> {
    pub(super) id: SeatId,
    pub(super) name: String,
    /// Who took it; none while it is only kept.
    pub(super) player: Option<PlayerId>,
    /// Until when a seat token is good, if there is one that was not used.
    ticket: Option<Time>,
    /// The serial number of the newest resume token.
    pub(super) serial: u64,
    /// Whether the token before it is good too: the client may not have got the
    /// newest, because its connection was lost before it said anything.
    before_too: bool,
    /// Counts the connections.
    pub(super) connection: u32,
    pub(super) client: Option<Client>,
    /// Since when there is none.
    pub(super) since: Time,
    pub(super) inbox: Inbox<I>,
    /// The scopes to show, ascending: as of the last step.
    pub(super) wants: Rc<[Scope]>,
    pub(super) trail: Trail,
    pub(super) reliable: Reliable,
    /// How often the player may ask and speak, on all connections together.
    pub(super) commands: Limiter,
    pub(super) chat: Limiter,
}

impl<I> Seat<I> {
    /// The connection is lost.
    pub(super) fn drop_client(&mut self, now: Time) -> Option<Client> {
        let client = self.client.take()?;
        self.since = now;
        self.before_too = !client.heard && self.serial > 1;
        Some(client)
    }

    /// Gives the serial number of a new resume token: those before are void.
    pub(super) fn rotate(&mut self) -> u64 {
        self.serial += 1;
        self.before_too = false;
        self.serial
    }

    /// Whether a resume token is good.
    fn admits(&self, serial: u64) -> bool {
        let before = self.before_too && self.client.is_none() && serial + 1 == self.serial;
        self.player.is_some() && (serial == self.serial || before)
    }

    /// When the seat is given up, if nobody comes.
    fn expires(&self, kept_for: Duration) -> Option<Time> {
        match (self.player, &self.client) {
            (_, Some(_)) => None,
            (None, _) => Some(self.ticket.unwrap_or(self.since)),
            (Some(_), None) => {
                Some(self.ticket.map_or(Time(0), |it| it).max(self.since + kept_for))
            }
        }
    }
}

struct Slot<I> {
    generation: u32,
    seat: Option<Seat<I>>,
}

/// All seats. Never more than it is told at each reservation.
pub(super) struct Seats<I> {
    slots: Vec<Slot<I>>,
    free: Vec<u32>,
    by_id: BTreeMap<SeatId, SeatKey>,
}

impl<I: Clone + Default + PartialEq> Seats<I> {
    pub(super) fn new() -> Seats<I> {
        Seats { slots: Vec::new(), free: Vec::new(), by_id: BTreeMap::new() }
    }

    /// Keeps a seat until `until`. One that is there already can be taken once
    /// more, by the same player.
    pub(super) fn reserve(
        &mut self,
        id: SeatId,
        name: String,
        until: Time,
        seats_max: usize,
    ) -> Result<(), RoomFull> {
        if let Some(seat) = self.by_id.get(&id).copied().and_then(|key| self.get_mut(key)) {
            seat.ticket = Some(until);
            return Ok(());
        }
        if self.by_id.len() >= seats_max {
            return Err(RoomFull);
        }
        let seat = Seat {
            id,
            name,
            player: None,
            ticket: Some(until),
            serial: 0,
            before_too: false,
            connection: 0,
            client: None,
            since: until,
            inbox: Inbox::new(),
            wants: Rc::new([]),
            trail: Trail::new(),
            reliable: Reliable::default(),
            commands: Limiter::new(20, 10),
            chat: Limiter::new(5, 1),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, seat: None });
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        place.generation += 1;
        place.seat = Some(seat);
        self.by_id.insert(id, SeatKey { slot, generation: place.generation });
        Ok(())
    }

    /// The seat that a genuine token opens now. A seat token is used up.
    pub(super) fn open(
        &mut self,
        id: SeatId,
        resume: bool,
        serial: u64,
        now: Time,
    ) -> Result<SeatKey, CloseReason> {
        let key = self.by_id.get(&id).copied().ok_or(CloseReason::NotAuthenticated)?;
        let seat = self.get_mut(key).ok_or(CloseReason::NotAuthenticated)?;
        let good = match (resume, seat.ticket) {
            (true, _) => seat.admits(serial),
            (false, None) => return Err(CloseReason::SeatUsed),
            (false, Some(until)) => now <= until,
        };
        if !good {
            return Err(CloseReason::NotAuthenticated);
        }
        if !resume {
            seat.ticket = None;
        }
        Ok(key)
    }

    pub(super) fn get(&self, key: SeatKey) -> Option<&Seat<I>> {
        let slot = self.slots.get(key.slot as usize)?;
        slot.seat.as_ref().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn get_mut(&mut self, key: SeatKey) -> Option<&mut Seat<I>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.seat.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// Gives a seat up.
    pub(super) fn remove(&mut self, key: SeatKey) -> Option<Seat<I>> {
        self.get(key)?;
        let seat = self.slots[key.slot as usize].seat.take()?;
        self.free.push(key.slot);
        self.by_id.remove(&seat.id);
        Some(seat)
    }

    /// How many slots there are: keys of all seats are among [`Seats::key_at`].
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The seat in a slot, and its key.
    pub(super) fn at_mut(&mut self, slot: usize) -> Option<(SeatKey, &mut Seat<I>)> {
        let place = self.slots.get_mut(slot)?;
        let key = SeatKey { slot: slot as u32, generation: place.generation };
        Some((key, place.seat.as_mut()?))
    }

    /// The key of the seat in a slot.
    pub(super) fn key_at(&self, slot: usize) -> Option<SeatKey> {
        let place = self.slots.get(slot).filter(|place| place.seat.is_some())?;
        Some(SeatKey { slot: slot as u32, generation: place.generation })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Seat<I>> {
        self.slots.iter().filter_map(|slot| slot.seat.as_ref())
    }

    /// The seats in `count` slots from `first` on.
    pub(super) fn some(&self, first: usize, count: usize) -> impl Iterator<Item = &Seat<I>> {
        self.slots.iter().skip(first).take(count).filter_map(|slot| slot.seat.as_ref())
    }

    /// In the order of the slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seat<I>> {
        self.slots.iter_mut().filter_map(|slot| slot.seat.as_mut())
    }

    /// The key of a player's seat.
    pub(super) fn of(&self, player: PlayerId) -> Option<SeatKey> {
        self.by_id
            .values()
            .copied()
            .find(|&key| self.get(key).is_some_and(|seat| seat.player == Some(player)))
    }

    /// A seat whose time is over.
    pub(super) fn expired(&self, kept_for: Duration, now: Time) -> Option<SeatKey> {
        (0..self.slots.len()).filter_map(|slot| self.key_at(slot)).find(|&key| {
            let expires = self.get(key).and_then(|seat| seat.expires(kept_for));
            expires.is_some_and(|expires| expires < now)
        })
    }

    /// When the next seat's time is over.
    pub(super) fn next_expiry(&self, kept_for: Duration) -> Option<Time> {
        self.iter().filter_map(|seat| seat.expires(kept_for)).min()
    }

    /// Seats that are kept or taken.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_secs(30);

    fn at(s: u64) -> Time {
        Time::from_millis(s * 1000)
    }

    fn seats() -> Seats<u8> {
        let mut seats = Seats::new();
        seats.reserve(SeatId(7), "Ada".into(), at(15), 2).unwrap();
        seats
    }

    #[test]
    fn a_seat_token_is_good_once_and_in_time() {
        let mut seats = seats();
        let key = seats.open(SeatId(7), false, 0, at(15)).unwrap();
        seats.get_mut(key).unwrap().player = Some(PlayerId(1));
        assert_eq!(seats.open(SeatId(7), false, 0, at(15)), Err(CloseReason::SeatUsed));
        assert_eq!(seats.open(SeatId(8), false, 0, at(0)), Err(CloseReason::NotAuthenticated));
        seats.reserve(SeatId(8), "Bob".into(), at(15), 2).unwrap();
        assert_eq!(seats.open(SeatId(8), false, 0, at(16)), Err(CloseReason::NotAuthenticated));
        assert_eq!(seats.reserve(SeatId(9), "Eve".into(), at(15), 2), Err(RoomFull));
        // The same player asks again: the same seat.
        seats.reserve(SeatId(7), "Ada".into(), at(30), 2).unwrap();
        assert_eq!(seats.open(SeatId(7), false, 0, at(30)), Ok(key));
    }

    #[test]
    fn only_the_newest_resume_token_is_good() {
        let mut seats = seats();
        let key = seats.open(SeatId(7), false, 0, at(0)).unwrap();
        let seat = seats.get_mut(key).unwrap();
        seat.player = Some(PlayerId(1));
        assert_eq!((seat.rotate(), seat.rotate()), (1, 2));
        assert_eq!(seats.open(SeatId(7), true, 1, at(0)), Err(CloseReason::NotAuthenticated));
        assert_eq!(seats.open(SeatId(7), true, 3, at(0)), Err(CloseReason::NotAuthenticated));
        assert_eq!(seats.open(SeatId(7), true, 2, at(0)), Ok(key));
    }

    #[test]
    fn seats_are_given_up_in_time_and_old_keys_find_nobody() {
        let mut seats = seats();
        let key = seats.open(SeatId(7), false, 0, at(0)).unwrap();
        let seat = seats.get_mut(key).unwrap();
        (seat.player, seat.since) = (Some(PlayerId(1)), at(100));
        assert_eq!(seats.next_expiry(KEPT), Some(at(130)));
        assert_eq!(seats.expired(KEPT, at(130)), None);
        assert_eq!(seats.expired(KEPT, at(131)), Some(key));
        seats.remove(key).unwrap();
        seats.reserve(SeatId(9), "Eve".into(), at(15), 2).unwrap();
        let other = seats.open(SeatId(9), false, 0, at(0)).unwrap();
        assert_eq!(other.slot, key.slot);
        assert!(seats.get(key).is_none() && seats.get(other).is_some());
        assert!(seats.remove(key).is_none());
    }
}
