//! Which rooms there are, and where: the only thing that workers share.
//!
//! A worker writes the entry of its room when something in it changes; no tick
//! touches it otherwise. Who reads it sees how things were a moment ago: a seat
//! is only granted by the room itself.
//!
//! Invariant: no reference into the map leaves this file, so none is held across
//! an await or another call to the map.

use std::fmt;
use std::str::FromStr;

use dashmap::DashMap;

use crate::room::RoomId;

/// What is known of a room outside of its worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoomEntry {
    /// The name of its game.
    pub game: &'static str,
    /// The number of the worker that owns it.
    pub worker: usize,
    /// A line for people; empty shows the game's name.
    pub title: String,
    /// Players who have come and have a seat.
    pub players: usize,
    /// Seats that are taken, or kept for somebody who has not come yet.
    pub seats_taken: usize,
    /// Most seats.
    pub seats_max: usize,
    /// Only who knows its id can find it.
    pub private: bool,
    /// Nobody else may join.
    pub locked: bool,
    /// It was made with options of its own: who only names the game is not sent there.
    pub custom: bool,
}

impl RoomEntry {
    /// Whether somebody who only names its game may be sent there.
    fn open(&self) -> bool {
        !self.private && !self.locked && !self.custom && self.seats_taken < self.seats_max
    }
}

/// The rooms of this server.
#[derive(Debug, Default)]
pub struct Directory {
    rooms: DashMap<RoomId, RoomEntry>,
}

impl Directory {
    /// A room, if it exists.
    pub fn get(&self, id: RoomId) -> Option<RoomEntry> {
        self.rooms.get(&id).map(|entry| entry.clone())
    }

    /// How many rooms there are.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// The rooms that listings show, the fullest first; at most `count_max`.
    pub fn listed(&self, game: Option<&str>, count_max: usize) -> Vec<(RoomId, RoomEntry)> {
        let mut rooms: Vec<_> = self
            .rooms
            .iter()
            .filter(|entry| !entry.private && game.is_none_or(|game| entry.game == game))
            .map(|entry| (*entry.key(), entry.value().clone()))
            .collect();
        rooms.sort_by_key(|(id, entry)| (usize::MAX - entry.players, *id));
        rooms.truncate(count_max);
        rooms
    }

    /// A room for somebody who only names the game, with its worker: the fullest that
    /// has a seat, except those that were `tried`.
    pub fn open_room(&self, game: &str, tried: &[RoomId]) -> Option<(RoomId, usize)> {
        self.rooms
            .iter()
            .filter(|entry| entry.game == game && entry.open() && !tried.contains(entry.key()))
            .max_by_key(|entry| (entry.seats_taken, *entry.key()))
            .map(|entry| (*entry.key(), entry.worker))
    }

    /// Adds a room, or writes its entry anew.
    pub(crate) fn put(&self, id: RoomId, entry: RoomEntry) {
        self.rooms.insert(id, entry);
    }

    /// Removes a room.
    pub(crate) fn remove(&self, id: RoomId) {
        self.rooms.remove(&id);
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not the id of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadRoomId;

impl fmt::Display for BadRoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the id of a room")
    }
}

impl std::error::Error for BadRoomId {}

impl FromStr for RoomId {
    type Err = BadRoomId;

    /// Reads 32 hexadecimal digits, lowercase: a room has one text.
    fn from_str(text: &str) -> Result<RoomId, BadRoomId> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(digit) {
            return Err(BadRoomId);
        }
        u128::from_str_radix(text, 16).map(RoomId).map_err(|_| BadRoomId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(players: usize) -> RoomEntry {
        RoomEntry {
            game: "arena",
            worker: 0,
            title: String::new(),
            players,
            seats_taken: players,
            seats_max: 4,
            private: false,
            locked: false,
            custom: false,
        }
    }

    #[test]
    fn who_names_a_game_is_sent_to_the_fullest_room_with_a_seat() {
        let directory = Directory::default();
        directory.put(RoomId(1), entry(4));
        directory.put(RoomId(2), entry(1));
        directory.put(RoomId(3), entry(2));
        directory.put(RoomId(4), RoomEntry { private: true, ..entry(3) });
        directory.put(RoomId(5), RoomEntry { locked: true, ..entry(3) });
        directory.put(RoomId(6), RoomEntry { custom: true, ..entry(3) });
        directory.put(RoomId(7), RoomEntry { game: "plaza", ..entry(3) });
        assert_eq!(directory.open_room("arena", &[]), Some((RoomId(3), 0)));
        assert_eq!(directory.open_room("arena", &[RoomId(3)]), Some((RoomId(2), 0)));
        assert_eq!(directory.open_room("chess", &[]), None);
    }

    #[test]
    fn private_rooms_are_not_listed() {
        let directory = Directory::default();
        directory.put(RoomId(1), entry(0));
        directory.put(RoomId(2), entry(3));
        directory.put(RoomId(3), RoomEntry { private: true, ..entry(3) });
        let ids = |game| -> Vec<_> {
            directory.listed(game, 10).into_iter().map(|(id, _)| id.0).collect()
        };
        assert_eq!(ids(None), [2, 1]);
        assert_eq!(ids(Some("arena")), [2, 1]);
        assert_eq!(ids(Some("plaza")), [] as [u128; 0]);
        assert_eq!(directory.listed(None, 1).len(), 1);
    }

    #[test]
    fn a_room_id_has_one_text() {
        let id = RoomId(0xABC);
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "abc", "00000000000000000000000000000ABC", &"0".repeat(33)] {
            assert_eq!(bad.parse::<RoomId>(), Err(BadRoomId), "{bad}");
        }
        assert_eq!(format!("+{}", "0".repeat(31)).parse::<RoomId>(), Err(BadRoomId));
    }
}
