//! How players come: a seat is kept, taken, and taken again.

use std::time::Duration;

use bytes::Bytes;
use rand_pcg::rand_core::Rng;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{Hello, ServerMessage, VERSION, Welcome};
use tickwire_protocol::token::{Token, TokenKind};
use tickwire_protocol::{Tick, Time};

use super::outbox::{Client, Limits, Over};
use super::rate::Limiter;
use super::replicate::View;
use super::{Joined, Link, Room, RoomFull, SeatId, SeatKey};
use crate::game::{Game, Player, PlayerId, Presence};
use crate::text::{clean_name, clean_reason};

/// Why somebody who says hello is sent away.
struct NotAdmitted {
    reason: CloseReason,
    /// What the game says to that; without, it is what the reason says.
    words: Option<String>,
}

impl From<CloseReason> for NotAdmitted {
    fn from(reason: CloseReason) -> NotAdmitted {
        NotAdmitted { reason, words: None }
    }
}

impl<G: Game> Room<G> {
    pub(super) fn reserve_seat(
        &mut self,
        seat: SeatId,
        name: &str,
        now: Time,
    ) -> Result<(), RoomFull> {
        if self.over {
            return Err(RoomFull);
        }
        // Who has a seat in a locked room may come again.
        let seats_max = match self.cx.listing.locked {
            true => 0,
            false => self.seats_limit(),
        };
        let until = now + self.config.reserved_for;
        self.seats.reserve(seat, clean_name(name), until, seats_max)
    }

    /// Answers a Hello. On an error the link is closed, and the game has not
    /// seen anybody.
    pub(super) fn greet(
        &mut self,
        seat: SeatId,
        resume: bool,
        serial: u64,
        hello: &Hello<'_>,
        mut link: Box<dyn Link>,
        now: Time,
    ) -> Result<Joined, CloseReason> {
        match self.admit(seat, resume, serial, hello, now) {
            Ok(key) => Ok(self.welcome(key, hello, link, now)),
            Err(NotAdmitted { reason, words }) => {
                match reason {
                    CloseReason::BadMessage => self.counters.closed_bad_message += 1,
                    CloseReason::Refused => self.counters.joins_refused += 1,
                    _ => self.counters.tokens_refused += 1,
                }
                link.close(reason, words.as_deref().unwrap_or(reason.text()));
                Err(reason)
            }
        }
    }

    /// The seat of who says hello; a new player has joined the game.
    fn admit(
        &mut self,
        seat: SeatId,
        resume: bool,
        serial: u64,
        hello: &Hello<'_>,
        now: Time,
    ) -> Result<SeatKey, NotAdmitted> {
        if self.over {
            return Err(CloseReason::NoSuchRoom.into());
        }
        if hello.version != VERSION {
            return Err(CloseReason::BadMessage.into());
        }
        let key = self.seats.open(seat, resume, serial, now)?;
        if self.seats.get(key).is_some_and(|seat| seat.player.is_none()) {
            self.join(key)?;
        }
        Ok(key)
    }

    /// Has the game take in the player of a seat that was only kept until now.
    fn join(&mut self, key: SeatKey) -> Result<(), NotAdmitted> {
        let Some(seat) = self.seats.get_mut(key) else {
            return Err(CloseReason::NotAuthenticated.into());
        };
        let id = PlayerId(self.next_player);
        self.next_player += 1;
        seat.player = Some(id);
        let private = self.cx.new_scope();
        let name = seat.name.clone();
        self.cx.players.insert(id, Player { id, name, connected: true, private });
        self.cx.watches.insert(id, Vec::new());
        self.cx.watches_changed = true;
        self.inputs.hold(id, G::Input::default());
        if let Err(refusal) = self.game.join(&mut self.cx, id) {
            self.forget(id);
            self.seats.remove(key);
            let words = Some(clean_reason(&refusal.text)).filter(|words| !words.is_empty());
            return Err(NotAdmitted { reason: CloseReason::Refused, words });
        }
        self.counters.joined += 1;
        Ok(())
    }

    /// Gives a seat its new connection, and the connection its Welcome.
    fn welcome(
        &mut self,
        key: SeatKey,
        hello: &Hello<'_>,
        link: Box<dyn Link>,
        now: Time,
    ) -> Joined {
        self.end_connection(key, Over::Because(CloseReason::Replaced), Duration::ZERO, now);
        if self.connected == 0 {
            // The tick under way has stood still.
            self.began = now;
        }
        let baseline = self.baseline(key, hello);
        let token = self.next_token(key);
        let seat = self.seats.get_mut(key).expect("the seat was opened by this call");
        let player = seat.player.expect("whoever opens a seat has joined");
        let first = seat.connection == 0;
        let watched = seat.trail.resume(baseline);
        let view = match (baseline, watched) {
            (Some(tick), Some(watched)) => {
                seat.reliable.resume(tick);
                View::resumed(tick, watched)
            }
            _ => {
                seat.reliable.clear();
                View::empty()
            }
        };
        seat.inbox.connected(now);
        seat.connection = seat.connection.wrapping_add(1);
        let mut client = Client::new(link, view, limits::<G>());
        let joined = Joined { seat: key, connection: seat.connection };

        let mut welcome = Vec::new();
        ServerMessage::Welcome(Welcome {
            version: VERSION,
            player: player.0,
            game: G::NAME,
            tick_hz: G::TICK_HZ as u16,
            send_every: G::SEND_EVERY as u8,
            clock: self.clock(now),
            token: &token,
            baseline,
            schema: self.schema.hash,
            descriptor: (hello.schema != Some(self.schema.hash)).then_some(&self.schema.descriptor),
        })
        .write(&mut welcome);
        // The queue is empty: the Welcome and the chat log fit.
        let messages = std::iter::once(Bytes::from(welcome)).chain(self.chat.lines().cloned());
        let told = messages.into_iter().try_for_each(|message| client.tell(message));
        if let Some(seat) = self.seats.get_mut(key) {
            seat.client = Some(client);
        }
        self.connected += 1;
        self.counters.resumed += u64::from(!first);
        self.counters.resumed_with_baseline += u64::from(baseline.is_some());
        if let Some(player) = self.cx.players.get_mut(&player) {
            player.connected = true;
        }
        if !first {
            self.game.presence(&mut self.cx, player, Presence::Resumed);
        }
        match told.and_then(|()| self.flush(key, now)) {
            Ok(()) => {}
            Err(over) => self.end_connection(key, over, Duration::ZERO, now),
        }
        joined
    }

    /// The tick that a connection can go on from: the client has applied it, we
    /// know what it watched then, and the past reaches back to it.
    fn baseline(&self, key: SeatKey, hello: &Hello<'_>) -> Option<Tick> {
        let trail = &self.seats.get(key)?.trail;
        let same = hello.schema == Some(self.schema.hash);
        hello.applied.filter(|&tick| same && trail.knows(tick) && self.replicator.reaches(tick))
    }

    /// The text of a new resume token; those before it are void.
    fn next_token(&mut self, key: SeatKey) -> String {
        let nonce = u128::from(self.nonces.next_u64()) << 64 | u128::from(self.nonces.next_u64());
        let Some(seat) = self.seats.get_mut(key) else { return String::new() };
        (self.sign)(&Token {
            kind: TokenKind::Resume,
            room: self.id.0,
            seat: seat.id.0,
            // The seat does not outlive its time, and the token not the seat.
            expires_s: u64::MAX,
            serial: seat.rotate(),
            nonce,
        })
    }

    /// Sends what waits before a frame.
    fn flush(&mut self, key: SeatKey, now: Time) -> Result<(), Over> {
        let clock = self.clock(now);
        let client = self.seats.get_mut(key).and_then(|seat| seat.client.as_mut());
        client.map_or(Ok(()), |client| client.flush(clock, now, &mut self.scratch))
    }
}

/// What a client may say that sends an input each tick, acknowledges ten times a
/// second, and catches up after four seconds without a way out.
fn limits<G: Game>() -> Limits {
    let hz = G::TICK_HZ;
    Limits {
        messages: Limiter::new(4 * hz + 100, 2 * hz + 40),
        patience: Limiter::new(4 * hz + 100, hz),
    }
}
