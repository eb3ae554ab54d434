//! A bot's mind: the session, who plays, and what is noted of what happens.
//!
//! Messages and times go in, notes go to the tally, and what is to be done about the
//! socket comes out as [`Order`]s. It knows nothing of sockets.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tickwire_protocol::client::reconnect::Policy;
use tickwire_protocol::client::session::Counters;
use tickwire_protocol::client::{Cause, Config, Phase, Session, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::ServerMessage;
use tickwire_protocol::{Tick, Time};

use super::watch::Watch;
use crate::crew::{Crew, LedgerId};
use crate::dice::Dice;
use crate::net::Seat;
use crate::plan::{BotPlan, Trouble};
use crate::play::{Player, Rules};
use crate::settings::Behaviour;
use crate::tally::Failure;

/// Bots come back sooner than a player's client would, and never give up: what a run shows
/// is the server, not how patient its clients are.
const POLICY: Policy = Policy {
    delay_base: Duration::from_millis(250),
    delay_cap: Duration::from_secs(2),
    attempts_max: u32::MAX,
    outage_max: Duration::MAX,
    stable_after: Duration::from_secs(1),
};

/// What is to be done about the socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Open one to this address.
    Connect(String),
    /// Close it, if there is one, with this code; then `next`.
    Close { code: u16, next: Next },
}

/// What follows on the end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// The session asks for another one.
    Session,
    /// Another seat, not before this time.
    Seat(Time),
    /// It left as it was asked to.
    Left,
    /// Nothing.
    Nothing,
}

pub(super) struct Mind {
    pub(super) crew: Rc<Crew>,
    pub(super) watch: Watch,
    /// None before the first seat.
    session: Option<Session>,
    ledger: Option<LedgerId>,
    player: Option<Player>,
    behaviour: Behaviour,
    dice: Dice,
    seed: u64,
    decodes: bool,
    faulty: bool,
    pub(super) hostile: bool,
    /// Whether it is in its room.
    connected: bool,
    ever: bool,
    counters: Counters,
    pub(super) orders: VecDeque<Order>,
    /// When the controls change next; none before the room was entered.
    pub(super) moves_at: Option<Time>,
    /// Whether a loss is not to be noted as one.
    quiet: bool,
    /// Whether a malformed message was sent on this connection.
    pub(super) attacked: Option<Time>,
}

impl Mind {
    pub(super) fn new(plan: &BotPlan, crew: Rc<Crew>) -> Mind {
        let faulty = plan.trouble.is_some();
        Mind {
            crew,
            watch: Watch::new(faulty),
            session: None,
            ledger: None,
            player: None,
            behaviour: plan.behaviour,
            dice: plan.play_dice(),
            seed: plan.session_seed(),
            decodes: plan.decodes,
            faulty,
            hostile: plan.trouble == Some(Trouble::Hostile),
            connected: false,
            ever: false,
            counters: Counters::default(),
            orders: VecDeque::new(),
            moves_at: None,
            quiet: false,
            attacked: None,
        }
    }

    pub(super) fn is_joined(&self) -> bool {
        self.connected
    }

    /// Whether it was in its room at some time.
    pub(super) fn was_joined(&self) -> bool {
        self.ever
    }

    /// A seat is there: the session begins, or begins again.
    pub(super) fn seated(&mut self, seat: Seat, ledger: LedgerId, now: Time) {
        self.ledger = Some(ledger);
        let again = match &mut self.session {
            Some(session) => session.rejoin(seat.address.as_str(), seat.token.as_str(), now),
            None => false,
        };
        if again {
            self.crew.tally.borrow_mut().counts().rejoined += 1;
        } else {
            let known = self.crew.rules.borrow().as_ref().map(|rules| rules.known.clone());
            let config = Config {
                known,
                policy: POLICY,
                blind: !self.decodes,
                ..Config::new(seat.address, seat.token, self.seed)
            };
            self.session = Some(Session::new(config, now));
            self.counters = Counters::default();
        }
        self.hear(now);
    }

    pub(super) fn opened(&mut self, now: Time) {
        if let Some(session) = &mut self.session {
            session.handle_open(now);
        }
    }

    /// The socket is gone, or did not open.
    pub(super) fn lost(&mut self, now: Time) {
        if let Some(session) = &mut self.session {
            session.handle_lost(now);
        }
        self.hear(now);
    }

    /// The socket did not open, and that was noted.
    pub(super) fn lost_before(&mut self, now: Time) {
        self.quietly(now);
    }

    /// The connection was cut on purpose.
    pub(super) fn cut(&mut self, now: Time) {
        self.quietly(now);
    }

    fn quietly(&mut self, now: Time) {
        self.quiet = true;
        self.lost(now);
        self.quiet = false;
    }

    pub(super) fn closed(&mut self, code: u16, text: &str, now: Time) {
        if self.attacked.is_some() {
            return self.answered(code, now);
        }
        if let Some(session) = &mut self.session {
            session.handle_close(code, text, now);
        }
        self.hear(now);
    }

    pub(super) fn leave(&mut self, now: Time) {
        if let Some(session) = &mut self.session {
            session.leave();
        }
        self.hear(now);
    }

    /// The server has closed for what it was sent. The bot comes back to its seat, where a
    /// client that meant well would not.
    fn answered(&mut self, code: u16, now: Time) {
        self.attacked = None;
        *self.crew.tally.borrow_mut().hostile.closed.entry(code).or_default() += 1;
        self.quietly(now);
    }

    /// It wants no frames for a while.
    pub(super) fn rest(&mut self) {
        let stay = self.watch.left();
        self.crew.settle(stay);
        self.set_connected(false);
    }

    /// Takes in a message; whether more may follow.
    pub(super) fn message(&mut self, bytes: &[u8], now: Time) -> bool {
        if self.attacked.is_some()
            && let Ok(ServerMessage::Bye { reason, .. }) = ServerMessage::read(bytes)
        {
            self.answered(reason.code(), now);
            return false;
        }
        let Some(session) = &mut self.session else { return false };
        // An error ends the connection, and the session tells of it.
        let _ = session.handle_message(bytes, now);
        let frames = session.counters().frames;
        self.hear(now);
        if frames > self.counters.frames {
            self.framed(bytes.len(), now);
        }
        self.orders.is_empty()
    }

    /// Time has passed.
    pub(super) fn pass(&mut self, now: Time) {
        if let Some(session) = &mut self.session
            && session.deadline().is_some_and(|at| at <= now)
        {
            session.handle_timeout(now);
            self.hear(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let session = self.session.as_ref().and_then(Session::deadline);
        let moves = self.moves_at.filter(|_| self.connected);
        [session, moves].into_iter().flatten().min()
    }

    /// The next message for the server.
    pub(super) fn transmit(&mut self, message: &mut Vec<u8>) -> bool {
        self.session.as_mut().is_some_and(|session| session.poll_transmit(message))
    }

    /// Changes the controls, if it is time.
    pub(super) fn play(&mut self, now: Time) {
        let Some(due) = self.moves_at.filter(|due| *due <= now && self.connected) else { return };
        self.crew.tally.borrow_mut().late(now.since(due));
        let (Some(session), Some(player)) = (&mut self.session, &mut self.player) else { return };
        let view = session.mirror().filter(|_| self.decodes);
        let me = session.player().unwrap_or_default();
        let next = player.next(view, me);
        // From when it was due: the bot's pace does not follow from how late it is.
        let holds = self.crew.frame_every / self.crew.game.send_every * next.ticks.min(1 << 20);
        self.moves_at = Some(due + holds);
        self.watch_effect(next.thrust, now);
        let Some(session) = &mut self.session else { return };
        if let Ok(Some(stamp)) = session.input(&next.body, now) {
            self.watch.input(stamp.sequence, now);
            self.crew.tally.borrow_mut().counts().inputs += 1;
        }
    }

    /// Begins to wait for the engine to show what was asked of it, if it shows another
    /// thing now.
    fn watch_effect(&mut self, thrust: Option<bool>, now: Time) {
        if let (Some(wanted), Some(shown)) = (thrust, self.shown_thrust())
            && wanted != shown
        {
            self.watch.expect(wanted, now);
        }
    }

    /// What the own ship's engine shows; none without a ship, or without looking.
    fn shown_thrust(&self) -> Option<bool> {
        let session = self.session.as_ref().filter(|_| self.decodes)?;
        let (mirror, me) = (session.mirror()?, session.player()?);
        let rules = self.crew.rules.borrow();
        rules.as_ref()?.sight.as_ref()?.thrust(mirror, me)
    }

    /// Notes the frame that was applied.
    fn framed(&mut self, bytes: usize, now: Time) {
        let Some(session) = &mut self.session else { return };
        let counters = session.counters();
        let before = std::mem::replace(&mut self.counters, counters);
        let interval = session.tick_interval().unwrap_or_default();
        let Some((tick, hash)) =
            session.mirror().map(|it| (it.changes().tick, it.changes().hash_agrees))
        else {
            return;
        };
        let age = session.server_tick(now).map(|at| at.since(tick).max(0.0));
        let processed = session.processed();
        let tally = &mut *self.crew.tally.borrow_mut();
        if let Some(age) = age {
            tally.staleness(self.faulty, interval.mul_f64(age));
        }
        let counts = tally.counts();
        counts.frames += counters.frames - before.frames;
        counts.coalesced += counters.frames_merged - before.frames_merged;
        counts.full += counters.frames_whole - before.frames_whole;
        counts.frame_bytes += bytes as u64;
        counts.hash_checked += u64::from(hash.is_some());
        counts.hash_mismatched += u64::from(hash == Some(false));
        if let Some(processed) = processed {
            self.watch.processed(processed, tally, now);
        }
    }

    /// Takes in what the session tells.
    pub(super) fn hear(&mut self, now: Time) {
        let mut ended = None;
        let mut joined = None;
        let Some(session) = &mut self.session else { return };
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Connect { address } => {
                    self.orders.push_back(Order::Connect(address.to_owned()));
                    self.watch.opening(now);
                }
                SessionEvent::Joined { resumed, .. } => {
                    joined = Some(resumed);
                    self.watch.joined(resumed);
                }
                SessionEvent::Frame { tick, .. } => {
                    if let Some(ledger) = self.ledger {
                        self.watch.frame(tick, ledger, &self.crew, now);
                    }
                }
                SessionEvent::Event { tick, reliable, .. } => {
                    self.crew.tally.borrow_mut().counts().events += 1;
                    if !reliable {
                        self.watch.event(tick, &self.crew);
                    }
                }
                SessionEvent::Reply { .. } | SessionEvent::Chat(_) => {}
                SessionEvent::Closed { cause, then } => ended = Some((cause, then)),
            }
        }
        if let Some(resumed) = joined {
            self.joined(resumed, now);
        }
        if let Some((cause, then)) = ended {
            self.ended(&cause, then, now);
        }
        if self.watch.expects() {
            let shown = self.shown_thrust();
            self.watch.shows(shown, &mut self.crew.tally.borrow_mut(), now);
        }
    }

    fn joined(&mut self, resumed: bool, now: Time) {
        self.learn();
        // Nobody was there to play meanwhile: that is not lateness.
        self.moves_at = Some(self.moves_at.map_or(now, |at| at.max(now)));
        self.set_connected(true);
        self.crew.tally.borrow_mut().counts().resumed += u64::from(resumed);
    }

    /// Knows the rules, from the first bot that was told, and can play.
    fn learn(&mut self) {
        let rules = &mut *self.crew.rules.borrow_mut();
        if rules.is_none() {
            *rules = self.session.as_ref().and_then(Rules::of).map(Rc::new);
        }
        if let (None, Some(rules)) = (&self.player, rules) {
            self.player = Some(Player::new(self.behaviour, self.dice.clone(), rules.clone()));
        }
    }

    fn ended(&mut self, cause: &Cause, then: Then, now: Time) {
        self.set_connected(false);
        let kept = matches!(then, Then::Reconnect(_));
        let stay = self.watch.lost(kept, now);
        self.crew.settle(stay);
        let attacked = self.attacked.take().is_some();
        let next = match then {
            _ if *cause == Cause::Left => Next::Left,
            Then::Reconnect(_) => Next::Session,
            Then::NeedSeat { not_before } => Next::Seat(not_before),
            // An attacker comes again.
            Then::End | Then::GiveUp if self.hostile => Next::Seat(now),
            Then::End | Then::GiveUp => Next::Nothing,
        };
        self.orders.push_back(Order::Close { code: cause.close_code(), next });
        if attacked && *cause == Cause::Lost {
            self.crew.tally.borrow_mut().hostile.dropped += 1;
        } else if let Some(failure) = failure(cause).filter(|_| !self.quiet) {
            self.failed(failure, cause.to_string());
        }
    }

    pub(super) fn failed(&mut self, failure: Failure, text: String) {
        self.crew.tally.borrow_mut().failed(self.faulty, failure, text);
    }

    fn set_connected(&mut self, connected: bool) {
        let gauges = &mut self.crew.tally.borrow_mut().gauges;
        if connected != self.connected {
            gauges.moved(connected, !self.faulty);
        }
        gauges.ever += u64::from(connected && !self.ever);
        self.ever |= connected;
        self.connected = connected;
    }

    /// The run is over.
    pub(super) fn finish(&mut self, now: Time) {
        let stay = self.watch.finish(&self.crew, now);
        self.crew.settle(stay);
        if let Some(session) = &mut self.session
            && session.phase() == Phase::Joined
        {
            session.leave();
        }
    }
}

/// The kind of a loss; none if it is as it should be.
fn failure(cause: &Cause) -> Option<Failure> {
    Some(match cause {
        Cause::Server(CloseReason::Restart) => Failure::ClosedRestart,
        Cause::Server(CloseReason::TooSlow) => Failure::ClosedTooSlow,
        Cause::Server(CloseReason::Failed) => Failure::ClosedFailed,
        Cause::Server(_) | Cause::Refused(_) => Failure::ClosedOther,
        Cause::Lost => Failure::Lost,
        Cause::NotOpened => Failure::ConnectFailed,
        Cause::NotWelcomed => Failure::NotWelcomed,
        Cause::Silent => Failure::Silent,
        Cause::Error(_) => Failure::Protocol,
        Cause::Moved | Cause::Left => return None,
    })
}

impl Crew {
    /// Counts the events that a stay should have brought, once the run is over: until
    /// then others may not have got them yet.
    pub(super) fn settle(&self, stay: Option<super::Stay>) {
        self.stays.borrow_mut().extend(stay);
    }

    /// The transient events that bots did not get and others in their rooms did.
    pub(crate) fn events_lost(&self) -> u64 {
        let stays = self.stays.borrow();
        let lost = stays.iter().map(|&(ledger, after, until, got): &(_, Tick, Tick, u64)| {
            self.events_between(ledger, after, until).saturating_sub(got)
        });
        lost.sum()
    }
}
