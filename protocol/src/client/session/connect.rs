//! The life of a connection: how it begins, how it ends, and what follows.

use core::time::Duration;

use super::events::Queued;
use super::{Acks, Cause, Phase, Seat, Session, SessionError, Then};
use crate::client::reconnect::{Next, Reconnect};
use crate::close::{Advice, CloseReason};
use crate::time::Time;

/// How long the application may take to open a socket.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take to answer Hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// The socket that [`SessionEvent::Connect`](super::SessionEvent::Connect) asked for is open.
    pub fn handle_open(&mut self, now: Time) {
        self.at(now);
        if matches!(self.phase, Phase::Connecting(_)) {
            self.hello = None;
            self.phase = Phase::Greeting(now + HELLO_TIMEOUT);
        }
    }

    /// The server closed the socket, with the code and text of its close frame.
    pub fn handle_close(&mut self, code: u16, text: &str, now: Time) {
        self.at(now);
        let reason = CloseReason::from_code(code, text);
        self.end(Cause::by_server(reason, text), reason.advice(), None);
    }

    /// The socket failed, ended without a close frame, or could not be opened.
    pub fn handle_lost(&mut self, now: Time) {
        self.at(now);
        self.end(Cause::Lost, Advice::Resume, None);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        self.at(now);
        match self.phase {
            Phase::Waiting(until) if until <= now => self.connect(),
            Phase::Connecting(until) if until <= now => {
                self.end(Cause::NotOpened, Advice::Resume, None);
            }
            Phase::Greeting(until) if until <= now => {
                self.end(Cause::NotWelcomed, Advice::Resume, None);
            }
            Phase::Joined => {
                while let Some(id) = self.requests.expired(now) {
                    self.tell(Queued::TimedOut { id });
                }
                self.acks.check(now);
                self.inputs.check(now);
                if !self.pings.check(now) {
                    self.end(Cause::Silent, Advice::Resume, None);
                }
            }
            _ => {}
        }
    }

    /// When [`Session::handle_timeout`] has something to do, if nothing else
    /// happens. While events are unread it is the present: sending, too, can
    /// raise one.
    pub fn deadline(&self) -> Option<Time> {
        if !self.events.is_empty() {
            return Some(self.now);
        }
        match self.phase {
            Phase::Waiting(until) | Phase::Connecting(until) | Phase::Greeting(until) => {
                Some(until)
            }
            Phase::Joined => {
                let mine = [self.acks.deadline(), self.inputs.deadline(), self.requests.deadline()];
                mine.into_iter().flatten().chain([self.pings.deadline()]).min()
            }
            Phase::NeedSeat | Phase::Ended => None,
        }
    }

    /// Leaves the room for good. What was queued before still goes, and a Bye
    /// after it; then, or at once if there is no connection, the session is over.
    pub fn leave(&mut self) {
        match self.phase {
            Phase::Joined => self.wishes.leave = true,
            Phase::Ended => {}
            _ => {
                self.phase = Phase::Ended;
                self.tell(Queued::Closed { cause: Cause::Left, then: Then::End });
            }
        }
    }

    /// Goes on with another seat: after [`Then::NeedSeat`], or when the session
    /// is over. `false`, and nothing happens, at other times or while events of
    /// a session that ended with [`SessionError::Backlog`] are unread.
    pub fn rejoin(
        &mut self,
        address: impl Into<String>,
        token: impl Into<String>,
        now: Time,
    ) -> bool {
        self.at(now);
        let ended = self.phase == Phase::Ended;
        if !(ended || self.phase == Phase::NeedSeat) || !self.events.reopen() {
            return false;
        }
        if ended {
            self.reconnect = Reconnect::new(self.policy);
        }
        self.seat = Seat { address: address.into(), token: token.into(), joined: false };
        self.wishes.leave = false;
        self.connect();
        true
    }

    /// Ends the connection because of something that the server said. For what
    /// only the application can judge: the body of an event or a reply.
    pub fn reject(&mut self, error: SessionError) {
        if !matches!(self.phase, Phase::Greeting(_) | Phase::Joined) {
            return;
        }
        let advice = error.advice();
        if let (Advice::Resume, Some(mirror)) = (advice, &self.mirror) {
            // What such a server said before is not to be believed either.
            self.mirror = Some(self.new_mirror(mirror.schema().clone(), mirror.layout().clone()));
            self.mirrors = self.mirrors.wrapping_add(1);
        }
        self.end(Cause::Error(error), advice, None);
    }

    /// Asks for a socket.
    pub(super) fn connect(&mut self) {
        self.phase = Phase::Connecting(self.now + CONNECT_TIMEOUT);
        self.events.tidy();
        let address = self.events.keep(self.seat.address.as_bytes());
        self.tell(Queued::Connect { address });
    }

    /// The connection, or the attempt at one, is over.
    pub(super) fn end(&mut self, cause: Cause, advice: Advice, retry_after: Option<Duration>) {
        if !matches!(self.phase, Phase::Connecting(_) | Phase::Greeting(_) | Phase::Joined) {
            return;
        }
        while let Some(id) = self.requests.lost() {
            self.tell(Queued::ConnectionLost { id });
        }
        self.acks = Acks::default();
        self.inputs.lost();
        let then = if self.wishes.leave { Then::End } else { self.then(advice, retry_after) };
        self.phase = match then {
            Then::Reconnect(at) => Phase::Waiting(at),
            Then::NeedSeat { .. } => Phase::NeedSeat,
            Then::End | Then::GiveUp => Phase::Ended,
        };
        self.tell(Queued::Closed { cause, then });
    }

    fn then(&mut self, advice: Advice, retry_after: Option<Duration>) -> Then {
        if advice == Advice::Stop {
            return Then::End;
        }
        match (self.reconnect.lost(self.now, retry_after, self.random.next()), advice) {
            (Next::At(at), Advice::Resume) => Then::Reconnect(at),
            (Next::At(at), _) => Then::NeedSeat { not_before: at },
            (Next::OutOfAttempts | Next::OutOfTime, _) => Then::GiveUp,
        }
    }
}
