//! What comes from the server.

use core::time::Duration;
use std::sync::Arc;

use super::events::Queued;
use super::{Acks, Cause, CommandId, Known, Phase, Pings, Room, Session, SessionError, Timeline};
use crate::client::mirror::{MirrorError, compatible};
use crate::close::{Advice, CloseReason};
use crate::frame::{Frame, Step};
use crate::message::{Chat, Refusal, ServerClock, ServerMessage, VERSION, Welcome};
use crate::schema::Schema;
use crate::time::{Tick, Time};

impl Session {
    /// Takes in one binary message of the present socket. After an error the
    /// connection is over: [`SessionEvent::Closed`](super::SessionEvent::Closed)
    /// follows, with the same error. A message of a socket that is over already
    /// is ignored.
    pub fn handle_message(&mut self, bytes: &[u8], now: Time) -> Result<(), SessionError> {
        self.at(now);
        let taken = match self.phase {
            Phase::Greeting(_) => self.greeted(bytes),
            Phase::Joined => self.received(bytes),
            _ => return Ok(()),
        };
        if let Err(error) = &taken {
            self.reject(error.clone());
        } else if self.events.is_overflowed() {
            return Err(SessionError::Backlog);
        }
        taken
    }

    /// A message before the Welcome.
    fn greeted(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        match ServerMessage::read(bytes)? {
            ServerMessage::Welcome(welcome) => self.welcomed(&welcome),
            ServerMessage::Bye { reason, text, retry_after_ms } => {
                self.dismissed(reason, text, retry_after_ms);
                Ok(())
            }
            ServerMessage::Moved { address, token } => {
                self.moved(address, token);
                Ok(())
            }
            _ => Err(SessionError::BeforeWelcome),
        }
    }

    /// A message after it.
    fn received(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let message = ServerMessage::read(bytes)?;
        self.pings.heard(self.now);
        self.events.tidy();
        match message {
            ServerMessage::Frame(frame) => return self.frame(&frame),
            ServerMessage::Welcome(_) => return Err(SessionError::UnexpectedWelcome),
            ServerMessage::Reply { id, outcome } => self.reply(CommandId(id), outcome),
            ServerMessage::Chat(chat) => self.chatted(&chat),
            ServerMessage::Pong { stamp, clock } => self.pong(stamp, clock),
            ServerMessage::Bye { reason, text, retry_after_ms } => {
                self.dismissed(reason, text, retry_after_ms);
            }
            ServerMessage::Moved { address, token } => self.moved(address, token),
            ServerMessage::Token { token } => replace(&mut self.seat.token, token),
        }
        Ok(())
    }

    fn welcomed(&mut self, welcome: &Welcome<'_>) -> Result<(), SessionError> {
        let said = self.hello.ok_or(SessionError::UnexpectedWelcome)?;
        if welcome.version != VERSION {
            return Err(SessionError::Version(welcome.version));
        }
        // Even if the rest is of no use: the token that Hello named is spent.
        replace(&mut self.seat.token, welcome.token);
        let other = self.other_schema(welcome)?;
        let resumed = match welcome.baseline {
            None => false,
            Some(tick) if said.applied == Some(tick) && other.is_none() => true,
            Some(_) => return Err(SessionError::BadBaseline),
        };
        if let Some(known) = other {
            self.schema = Some(known);
            self.mirror = None;
            // It is in the words of the other schema.
            self.inputs.forget();
        }
        self.begin_state(resumed);
        self.begin_time(welcome, resumed, said.at);
        self.room = Some(Room { player: welcome.player, game: welcome.game.to_owned() });
        self.seat.joined = true;
        self.reconnect.connected(self.now);
        self.acks = Acks::default();
        self.pings = Pings::start(self.now);
        self.wishes.tell_pace = self.wishes.pace != 1;
        // If not, the whole state comes anyway.
        self.wishes.refresh &= resumed;
        self.counters.resumes += u64::from(resumed);
        self.phase = Phase::Joined;
        self.events.new_connection();
        self.tell(Queued::Joined { player: welcome.player, resumed });
        self.stamp_input();
        Ok(())
    }

    /// The server's schema, if it is another than the one that is known.
    fn other_schema(&self, welcome: &Welcome<'_>) -> Result<Option<Known>, SessionError> {
        if self.schema.as_ref().is_some_and(|known| known.hash == welcome.schema) {
            return Ok(None);
        }
        let descriptor = welcome.descriptor.ok_or(SessionError::NoDescriptor)?;
        let schema =
            Schema::from_descriptor(descriptor).map_err(|_| SessionError::BadDescriptor)?;
        if schema.hash() != welcome.schema {
            return Err(SessionError::BadDescriptor);
        }
        if let Some(own) = &self.own {
            compatible(&schema, own).map_err(SessionError::Mismatch)?;
        }
        Ok(Some(Known::new(Arc::new(schema), welcome.schema)))
    }

    /// Makes the state ready for the first frame of a connection.
    fn begin_state(&mut self, resumed: bool) {
        self.awaits_whole = !resumed;
        if !self.seat.joined {
            // Another seat, perhaps in another room: what was seen there means nothing here.
            self.mirror = None;
            self.processed = None;
        }
        match (&mut self.mirror, &self.schema) {
            (Some(mirror), _) if resumed => mirror.resume(),
            (None, Some(known)) => {
                let mirror = self.new_mirror(known.schema.clone(), known.layout.clone());
                self.mirror = Some(mirror);
                self.mirrors = self.mirrors.wrapping_add(1);
            }
            _ => {}
        }
    }

    fn begin_time(&mut self, welcome: &Welcome<'_>, resumed: bool, asked: Time) {
        let Welcome { tick_hz, send_every, clock, .. } = *welcome;
        let timeline = match &mut self.timeline {
            Some(timeline) if resumed && timeline.fits(tick_hz, send_every) => timeline,
            timeline => {
                self.inputs.new_time_line();
                timeline.insert(Timeline::new(tick_hz, send_every))
            }
        };
        timeline.clock.sample(asked, self.now, clock.tick, clock.micros);
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), SessionError> {
        let ahead = match frame.header.step {
            Step::Full(_) => None,
            Step::Advance(_) if self.awaits_whole => return Err(MirrorError::NoBaseline.into()),
            Step::Advance(ticks) => Some(ticks),
        };
        let (Some(mirror), Some(timeline)) = (&mut self.mirror, &mut self.timeline) else {
            return Err(SessionError::BeforeWelcome);
        };
        let changes = mirror.apply(frame)?;
        let tick = changes.tick;
        let diverged = changes.hash_agrees == Some(false);
        if !self.awaits_whole && changes.from.is_some_and(|before| tick < before) {
            timeline.restart();
            self.inputs.new_time_line();
            // Inputs wait for the answer.
            self.pings = Pings::start(self.now);
        }
        timeline.playhead.frame_applied(tick, self.now);
        if let Some(depth) = frame.header.depth {
            timeline.lead.depth_reported(&timeline.clock, depth, self.now);
        }
        let arrival = timeline.arrival(ahead, self.wishes.pace);
        self.acks.applied(self.now, arrival);
        self.awaits_whole = false;
        self.processed = frame.header.processed.or(self.processed);
        self.counters.frames += 1;
        self.counters.frames_whole += u64::from(ahead.is_none());
        self.counters.frames_merged +=
            u64::from(ahead.is_some_and(|ahead| ahead > arrival.ahead_expected));
        if diverged {
            self.counters.diverged += 1;
            self.refresh(self.now);
        }
        if !self.events.frame(tick) {
            self.phase = Phase::Ended;
        }
        self.game_events(frame, tick);
        self.stamp_input();
        Ok(())
    }

    fn game_events(&mut self, frame: &Frame<'_>, tick: Tick) {
        for event in frame.events(tick) {
            if !self.events.has_place(event.body.len()) && !event.reliable {
                self.counters.events_dropped += 1;
                continue;
            }
            let body = self.events.keep(event.body);
            self.tell(Queued::Event { tick: event.tick, reliable: event.reliable, body });
            if self.events.is_overflowed() {
                return;
            }
        }
    }

    fn reply(&mut self, id: CommandId, outcome: Result<&[u8], Refusal<'_>>) {
        if !self.requests.replied(id) {
            self.counters.strays += 1;
            return;
        }
        let queued = match outcome {
            Ok(body) => Queued::Reply { id, body: self.events.keep(body) },
            Err(refusal) => {
                let text = self.events.keep(refusal.text.as_bytes());
                Queued::Refused { id, code: refusal.code, text }
            }
        };
        self.tell(queued);
    }

    fn chatted(&mut self, chat: &Chat<'_>) {
        if !self.events.has_place(chat.name.len() + chat.text.len()) {
            self.counters.events_dropped += 1;
            return;
        }
        let name = self.events.keep(chat.name.as_bytes());
        let text = self.events.keep(chat.text.as_bytes());
        self.tell(Queued::Chat { player: chat.player, name, tick: chat.tick, text });
    }

    fn pong(&mut self, stamp: u64, clock: ServerClock) {
        match (self.pings.answered(stamp), &mut self.timeline) {
            (Some(sent), Some(timeline)) => {
                timeline.clock.sample(sent, self.now, clock.tick, clock.micros);
            }
            _ => self.counters.strays += 1,
        }
        // The input in force waits for a clock if the Welcome took too long.
        self.stamp_input();
    }

    /// The server's last word.
    fn dismissed(&mut self, reason: CloseReason, text: &str, retry_after_ms: u32) {
        let delay = Duration::from_millis(retry_after_ms.into());
        self.end(Cause::by_server(reason, text), reason.advice(), Some(delay));
    }

    /// The room is elsewhere: the seat is kept there.
    fn moved(&mut self, address: &str, token: &str) {
        replace(&mut self.seat.address, address);
        replace(&mut self.seat.token, token);
        self.end(Cause::Moved, Advice::Resume, None);
    }
}

/// Gives a text another content, in the same memory.
fn replace(text: &mut String, with: &str) {
    text.clear();
    text.push_str(with);
}
