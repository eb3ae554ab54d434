//! What clients say.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use tickwire_protocol::client::clock::MARGIN_TICKS_MAX;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::limits::REPLY_BYTES_MAX;
use tickwire_protocol::message::{Chat, ClientMessage, Inputs, Refusal as Refused, ServerMessage};
use tickwire_protocol::{Message, Time};

use super::credit::Ack;
use super::outbox::{Client, Over};
use super::seats::Seat;
use super::{Joined, Room, SeatKey};
use crate::game::{Game, Leave, PlayerId, Refusal};
use crate::text::clean;

/// A client gets the whole state on demand at most once in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// An input may be for a tick this much ahead; further is beyond reason.
const INPUT_AHEAD_MAX: Duration = Duration::from_secs(2);
/// But at least for one this many ticks ahead.
const INPUT_AHEAD_TICKS_MIN: u32 = 64;

const _: () = assert!(INPUT_AHEAD_TICKS_MIN as i64 > 2 * MARGIN_TICKS_MAX);

impl<G: Game> Room<G> {
    /// The client of a connection, unless a newer one has its place.
    pub(super) fn client(&mut self, whose: Joined) -> Option<&mut Client> {
        let seat = self.seats.get_mut(whose.seat)?;
        seat.client.as_mut().filter(|_| seat.connection == whose.connection)
    }

    pub(super) fn take_message(
        &mut self,
        from: Joined,
        message: &[u8],
        now: Time,
    ) -> Result<(), CloseReason> {
        let Some(client) = self.client(from) else { return Err(CloseReason::Replaced) };
        client.heard = true;
        if !client.limits.messages.take(now) {
            let patient = client.limits.patience.take(now);
            self.counters.messages_dropped += 1;
            return if patient { Ok(()) } else { self.refuse(from, CloseReason::Policy, now) };
        }
        if message.is_empty() {
            // Says nothing and costs next to nothing: only the rate counts.
            self.counters.messages_empty += 1;
            return Ok(());
        }
        let Ok(message) = ClientMessage::read(message) else {
            return self.refuse(from, CloseReason::BadMessage, now);
        };
        match self.handle(from, message, now) {
            Ok(()) => {}
            Err(Over::Because(reason)) => return self.refuse(from, reason, now),
            Err(Over::Gone) => self.end_connection(from.seat, Over::Gone, Duration::ZERO, now),
        }
        Ok(())
    }

    fn refuse(&mut self, from: Joined, reason: CloseReason, now: Time) -> Result<(), CloseReason> {
        self.end_connection(from.seat, Over::Because(reason), Duration::ZERO, now);
        Err(reason)
    }

    fn handle(&mut self, from: Joined, message: ClientMessage<'_>, now: Time) -> Result<(), Over> {
        match message {
            ClientMessage::Hello(_) => return Err(Over::Because(CloseReason::BadMessage)),
            ClientMessage::Input(inputs) => self.take_inputs(from.seat, &inputs, now)?,
            ClientMessage::Command { id, body } => self.command(from, id, body, now)?,
            ClientMessage::Chat { text } => self.say(from, text, now),
            ClientMessage::Ping { stamp } => {
                if let Some(client) = self.client(from) {
                    client.pong(stamp);
                }
            }
            ClientMessage::Pace { every } => {
                if let Some(client) = self.client(from) {
                    client.pace = every;
                }
            }
            ClientMessage::Refresh => self.refresh(from, now),
            ClientMessage::Bye => {
                self.remove(from.seat, Leave::Left, now);
                return Ok(());
            }
        }
        // An acknowledgement may have made room for a frame, a ping wants its pong.
        self.offer(from.seat, now)
    }

    /// Offers a client a frame between two steps.
    pub(super) fn offer_now(&mut self, key: SeatKey, now: Time) {
        if let Err(over) = self.offer(key, now) {
            self.end_connection(key, over, Duration::ZERO, now);
        }
    }

    fn take_inputs(&mut self, key: SeatKey, inputs: &Inputs<'_>, now: Time) -> Result<(), Over> {
        let next = self.tick.after(1);
        let ahead_max = Self::ticks(INPUT_AHEAD_MAX).max(INPUT_AHEAD_TICKS_MIN.into()) as u32;
        let Room { seats, counters, .. } = self;
        let Some(seat) = seats.get_mut(key) else { return Ok(()) };
        seat.inbox.heard(now);
        match seat.trail.ack(inputs.applied, now) {
            Ack::Known => {}
            Ack::Absurd => counters.acks_absurd += 1,
            Ack::Applied(tick, rtt) => {
                seat.reliable.applied(tick);
                if let (Some(rtt), Some(client)) = (rtt, &mut seat.client) {
                    client.measured(rtt);
                }
            }
        }
        for (sequence, tick, body) in inputs.iter() {
            let input =
                G::Input::decode(body).map_err(|_| Over::Because(CloseReason::BadMessage))?;
            seat.inbox.take(sequence, tick, input, next, ahead_max, counters);
        }
        Ok(())
    }

    /// A seat that somebody has taken, and who.
    fn speaker(&mut self, key: SeatKey) -> Option<(PlayerId, &mut Seat<G::Input>)> {
        let seat = self.seats.get_mut(key)?;
        Some((seat.player?, seat))
    }

    fn command(&mut self, from: Joined, id: u32, body: &[u8], now: Time) -> Result<(), Over> {
        let Some((player, seat)) = self.speaker(from.seat) else { return Ok(()) };
        let outcome = if !seat.commands.take(now) {
            Err(Refusal::new(Refusal::TOO_MANY, "too many requests"))
        } else if let Ok(command) = G::Command::decode(body) {
            self.game.command(&mut self.cx, player, command)
        } else {
            Err(Refusal::new(Refusal::MALFORMED, "not a request of this game"))
        };
        self.counters.commands_refused += u64::from(outcome.is_err());
        let mut reply = Vec::new();
        if let Ok(outcome) = &outcome {
            outcome.encode(&mut reply);
        }
        let mut message = Vec::new();
        let outcome = match &outcome {
            Err(Refusal { code, text }) => Err(Refused { code: *code, text }),
            // The game's own fault: nobody can read it.
            Ok(_) if reply.len() > REPLY_BYTES_MAX => {
                Err(Refused { code: Refusal::UNKNOWN, text: "the reply is too long" })
            }
            Ok(_) => Ok(reply.as_slice()),
        };
        ServerMessage::Reply { id, outcome }.write(&mut message);
        self.client(from).map_or(Ok(()), |client| client.tell(message.into()))
    }

    fn say(&mut self, from: Joined, text: &str, now: Time) {
        let Some((player, seat)) = self.speaker(from.seat) else { return };
        let granted = seat.chat.take(now);
        let text = clean(text);
        let said = granted
            && !text.is_empty()
            && self.chat.grant(now)
            && self.game.chat(&mut self.cx, player, &text).is_ok();
        let name = self.cx.players.get(&player).map(|player| player.name.as_str());
        let (true, Some(name)) = (said, name) else {
            self.counters.chat_dropped += 1;
            return;
        };
        let line = self.chat.say(Chat { player: player.0, name, tick: self.tick, text: &text });
        self.tell_all(&line);
    }

    /// Has everybody get a message, with the next step at the latest.
    fn tell_all(&mut self, message: &Bytes) {
        for slot in 0..self.seats.slots() {
            let Some(key) = self.seats.key_at(slot) else { continue };
            let Some(seat) = self.seats.get_mut(key) else { continue };
            let whose = Joined { seat: key, connection: seat.connection };
            let told = seat.client.as_mut().map(|client| client.tell(message.clone()));
            if let Some(Err(over)) = told {
                self.endings.push((whose, over));
            }
        }
    }

    fn refresh(&mut self, from: Joined, now: Time) {
        let Some(client) = self.client(from) else { return };
        if client.refreshed.is_some_and(|last| now.since(last) < REFRESH_INTERVAL) {
            self.counters.refreshes_refused += 1;
            return;
        }
        client.refreshed = Some(now);
        client.whole = true;
    }
}

impl<I: Clone + Default + PartialEq> Seat<I> {
    /// An input comes soon.
    pub(super) fn warm_to_receive(&self) {
        if let Some(client) = &self.client {
            black_box(client.heard);
            client.limits.messages.warm();
        }
        black_box(self.trail.oldest_unacked());
        self.inbox.warm();
    }
}
