//! A bot: a socket, a mind, and what happens to it. One Tokio task each, polled by hand.
//!
//! A poll reads what is there into the thread's buffer, hands it to the mind, does what
//! is due, and gives the kernel what is to be sent. Between two polls a bot has no
//! memory but its session's, the rest of a frame that has not arrived whole, and
//! itself.

mod hostile;
mod mind;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tickwire_protocol::Time;
use tokio::time::{Sleep, sleep_until};

use crate::crew::{Crew, LedgerId};
use crate::dice::Dice;
use crate::net::{Came, JoinError, Link, Lost, OpenError, Opened, Seat, open};
use crate::plan::{BotPlan, Departures, Episode, Episodes, Trouble};
use crate::tally::{Failure, Measure};

use hostile::{Attack, attack};
use mind::{Mind, Next, Order};

pub(crate) use watch::Stay;

/// A bot that is still busy after so many rounds lets others run.
const ROUNDS_MAX: usize = 16;
/// When a seat that was refused is asked for again.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(800), Duration::from_millis(1600));
/// A malformed message that nothing follows for so long is not answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

type Soon<T> = Pin<Box<dyn Future<Output = T>>>;

/// Where a bot is.
enum Stage {
    /// Not there until this time; then it asks for a seat.
    Away(Time),
    /// Not there until this time; then it comes back to its seat.
    Resting(Time),
    Asking(Soon<Result<(Seat, LedgerId), JoinError>>),
    Opening(Soon<Result<Opened, OpenError>>),
    Open(Box<Link>),
    /// Its session waits.
    Waiting,
    /// It will not come again.
    Gone,
}

/// A bot.
pub(crate) struct Bot {
    plan: BotPlan,
    stage: Stage,
    mind: Mind,
    episodes: Episodes,
    /// The next episode; none before the room was entered, or if there are none.
    episode: Option<(Time, Episode)>,
    /// Until when it hangs.
    hangs: Option<Time>,
    departures: Departures,
    /// When it leaves, and for how long; none before the room was entered, or if it stays.
    departs: Option<(Time, Duration)>,
    away: Duration,
    link_dice: Dice,
    attack_dice: Dice,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires, or has.
    timer_at: Time,
}

impl Bot {
    pub(crate) fn new(plan: BotPlan, crew: Rc<Crew>, now: Time) -> Bot {
        Bot {
            stage: Stage::Away(now),
            timer: Box::pin(sleep_until(crew.instant(now))),
            timer_at: now,
            mind: Mind::new(&plan, crew),
            episodes: plan.episodes(),
            episode: None,
            hangs: None,
            departures: plan.departures(),
            departs: None,
            away: Duration::ZERO,
            link_dice: plan.link_dice(),
            attack_dice: plan.attack_dice(),
            plan,
        }
    }

    /// Plays until the run is over; whether it was ever in its room.
    pub(crate) async fn play(mut self) -> bool {
        let crew = self.mind.crew.clone();
        let end = crew.end.notified();
        if !crew.over.get() {
            tokio::select! {
                biased;
                () = std::future::poll_fn(|cx| self.poll(cx)) => {}
                () = end => {}
            }
        }
        self.finish(crew.now()).await;
        self.mind.was_joined()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS_MAX {
            let now = self.mind.crew.now();
            if !self.advance(cx, now) && self.is_set(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does what can be done now; whether there may be more.
    fn advance(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        if self.hangs.is_some_and(|until| now < until) {
            return false;
        }
        if self.hangs.take().is_some() {
            self.wake_up(now);
        }
        let moved = self.step(cx, now);
        self.mind.pass(now);
        self.happen(now);
        if self.hangs.is_some() {
            return false;
        }
        self.mind.play(now);
        self.transmit(cx, now);
        let ordered = !self.mind.orders.is_empty();
        while let Some(order) = self.mind.orders.pop_front() {
            self.obey(cx, order, now);
        }
        moved || ordered
    }

    /// Whether the timer is set for what is due next; if not, it is due already.
    fn is_set(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(wanted) = self.deadline() else { return true };
        // A timer that fires too early costs less than setting it for each message.
        if wanted < self.timer_at || self.timer.is_elapsed() {
            self.timer_at = wanted;
            self.timer.as_mut().reset(self.mind.crew.instant(wanted));
        }
        self.timer.as_mut().poll(cx).is_pending()
    }

    fn deadline(&self) -> Option<Time> {
        if self.hangs.is_some() {
            return self.hangs;
        }
        let stage = match &self.stage {
            Stage::Away(until) | Stage::Resting(until) => return Some(*until),
            Stage::Gone => return None,
            Stage::Open(link) => link.deadline(),
            Stage::Asking(_) | Stage::Opening(_) | Stage::Waiting => None,
        };
        let here = self.mind.is_joined();
        let episode = self.episode.map(|it| it.0).filter(|_| here);
        let departs = self.departs.map(|it| it.0).filter(|_| here);
        [stage, self.mind.deadline(), episode, departs].into_iter().flatten().min()
    }

    /// Goes on from where it is; whether that changed anything.
    fn step(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        match &mut self.stage {
            Stage::Away(until) if *until <= now => self.ask(now),
            Stage::Resting(until) if *until <= now => {
                self.stage = Stage::Waiting;
                self.mind.cut(now);
                true
            }
            Stage::Asking(asking) => match asking.as_mut().poll(cx) {
                Poll::Ready(seat) => self.asked(seat),
                Poll::Pending => false,
            },
            Stage::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(opened) => self.opened(opened),
                Poll::Pending => false,
            },
            Stage::Open(_) => self.receive(cx, now),
            _ => false,
        }
    }

    fn ask(&mut self, now: Time) -> bool {
        let crew = self.mind.crew.clone();
        let (room, name) = (self.plan.room, self.plan.name.clone());
        self.mind.watch.join = Some(now);
        self.stage = Stage::Asking(Box::pin(async move { crew.seat(room, &name).await }));
        true
    }

    fn asked(&mut self, seat: Result<(Seat, LedgerId), JoinError>) -> bool {
        let now = self.mind.crew.now();
        let since = self.mind.watch.join.take();
        match seat {
            Ok((seat, ledger)) => {
                if let Some(since) = since {
                    let tally = &mut *self.mind.crew.tally.borrow_mut();
                    let group = tally.group(self.plan.trouble.is_some());
                    group.record(Measure::Join, now.since(since));
                }
                self.stage = Stage::Waiting;
                self.mind.seated(seat, ledger, now);
            }
            Err(error) => {
                let (failure, wait) = match &error {
                    JoinError::Http(_) => (Failure::JoinFailed, Duration::ZERO),
                    JoinError::Refused { retry_after, .. } => {
                        (Failure::JoinRefused, retry_after.unwrap_or_default())
                    }
                };
                self.mind.failed(failure, format!("no seat: {error}"));
                let again = self.link_dice.time(ASK_AGAIN.0, ASK_AGAIN.1);
                self.stage = Stage::Away(now + again.max(wait));
            }
        }
        true
    }

    fn opened(&mut self, opened: Result<Opened, OpenError>) -> bool {
        let now = self.mind.crew.now();
        match opened {
            Ok(opened) => {
                let dice = Dice::new(self.link_dice.next());
                let link = Link::new(opened, self.plan.trouble, dice, now);
                self.stage = Stage::Open(Box::new(link));
                self.mind.opened(now);
            }
            Err(error) => {
                let failure = match &error {
                    OpenError::Connect(_) | OpenError::Silent => Failure::ConnectFailed,
                    OpenError::Refused(_) | OpenError::Broken(_) => Failure::UpgradeFailed,
                };
                self.mind.failed(failure, error.to_string());
                self.stage = Stage::Waiting;
                self.mind.lost_before(now);
            }
        }
        true
    }

    fn receive(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let Bot { stage: Stage::Open(link), mind, .. } = self else { return false };
        let crew = mind.crew.clone();
        let buffer = &mut *crew.buffer.borrow_mut();
        let received = link.receive(cx, buffer, now, |came| match came {
            Came::Message(bytes) => mind.message(bytes, now),
            Came::Close(code, text) => {
                mind.closed(code, text, now);
                false
            }
            Came::Ping(_) => true,
        });
        match received {
            Poll::Pending => !mind.orders.is_empty(),
            Poll::Ready(Ok(bytes)) => {
                crew.tally.borrow_mut().counts().wire_bytes += bytes as u64;
                true
            }
            Poll::Ready(Err(lost)) => {
                self.stage = Stage::Waiting;
                if let Lost::Breach(breach) = lost {
                    mind.failed(Failure::Protocol, format!("the server sent {breach}"));
                }
                mind.lost(now);
                true
            }
        }
    }

    fn transmit(&mut self, cx: &mut Context<'_>, now: Time) {
        let Stage::Open(link) = &mut self.stage else { return };
        let crew = self.mind.crew.clone();
        let message = &mut *crew.message.borrow_mut();
        while self.mind.transmit(message) {
            link.send(message, now);
        }
        self.mind.hear(now);
        if let Poll::Ready(Err(_)) = link.flush(cx, now)
            && self.mind.orders.is_empty()
            && !self.hears_why(cx, now)
        {
            self.stage = Stage::Waiting;
            self.mind.lost(now);
        }
    }

    /// Reads what came before a connection failed; whether it told why.
    fn hears_why(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        while self.receive(cx, now) {
            if !matches!(self.stage, Stage::Open(_)) || !self.mind.orders.is_empty() {
                return true;
            }
        }
        false
    }

    /// What fate has for it.
    fn happen(&mut self, now: Time) {
        if !self.mind.is_joined() {
            return;
        }
        if self.departs.is_none() {
            self.departs = self.departures.next().map(|(stay, away)| (now + stay, away));
        }
        if self.episode.is_none() {
            self.episode = self.episodes.next().map(|(wait, what)| (now + wait, what));
        }
        if let Some((_, away)) = self.departs.take_if(|(at, _)| *at <= now) {
            self.depart(away, now);
        } else if let Some((_, what)) = self.episode.take_if(|(at, _)| *at <= now) {
            self.suffer(what, now);
        }
    }

    fn depart(&mut self, away: Duration, now: Time) {
        self.mind.crew.tally.borrow_mut().counts().left += 1;
        self.away = away;
        if self.mind.crew.resume {
            // The seat is kept: nothing is said.
            self.mind.rest();
            self.stage = Stage::Resting(now + away);
        } else {
            self.mind.leave(now);
        }
    }

    fn suffer(&mut self, what: Episode, now: Time) {
        let crew = self.mind.crew.clone();
        match what {
            Episode::Stall(span) => {
                self.hangs = Some(now + span);
                let tally = &mut *crew.tally.borrow_mut();
                tally.counts().stalls += 1;
                tally.gauges.stalled += 1;
            }
            Episode::Cut => {
                if let Stage::Open(link) = std::mem::replace(&mut self.stage, Stage::Waiting) {
                    link.cut();
                    crew.tally.borrow_mut().counts().cuts += 1;
                    self.mind.cut(now);
                }
            }
            Episode::Attack => self.attack(now),
        }
    }

    fn wake_up(&mut self, now: Time) {
        self.mind.crew.tally.borrow_mut().gauges.stalled -= 1;
        // Nobody was there to play: that is not lateness.
        self.mind.moves_at = self.mind.moves_at.map(|at| at.max(now));
    }

    fn attack(&mut self, now: Time) {
        let Stage::Open(link) = &mut self.stage else { return };
        let tally = &mut *self.mind.crew.tally.borrow_mut();
        match self.mind.attacked {
            Some(since) if now.since(since) < ANSWER_WITHIN => return,
            Some(_) => tally.hostile.unanswered += 1,
            None => {}
        }
        match attack(&mut self.attack_dice) {
            Attack::Message(bytes) => link.send(&bytes, now),
            Attack::Raw(bytes) => link.send_raw(&bytes),
        }
        tally.hostile.sent += 1;
        tally.counts().attacks += 1;
        self.mind.attacked = Some(now);
    }

    fn obey(&mut self, cx: &mut Context<'_>, order: Order, now: Time) {
        match order {
            Order::Connect(address) => {
                let narrow = matches!(self.plan.trouble, Some(Trouble::Slow(_)));
                let opening = async move { open(&address, narrow).await };
                self.stage = Stage::Opening(Box::pin(opening));
            }
            Order::Close { code, next } => {
                if let Stage::Open(mut link) = std::mem::replace(&mut self.stage, Stage::Waiting) {
                    link.send_close(code);
                    // Closing the socket says the same.
                    let _ = link.flush(cx, now);
                }
                self.stage = match next {
                    Next::Session => Stage::Waiting,
                    Next::Seat(at) => {
                        let wait = self.link_dice.time(ASK_AGAIN.0 / 2, ASK_AGAIN.1);
                        Stage::Away(if self.mind.hostile { at + wait } else { at })
                    }
                    Next::Left => {
                        self.mind.rest();
                        Stage::Away(now + self.away)
                    }
                    Next::Nothing => Stage::Gone,
                };
            }
        }
    }

    /// Says goodbye, if it can be said at once.
    async fn finish(&mut self, now: Time) {
        if self.hangs.is_some() {
            self.mind.crew.tally.borrow_mut().gauges.stalled -= 1;
        }
        self.mind.finish(now);
        std::future::poll_fn(|cx| {
            self.transmit(cx, now);
            Poll::Ready(())
        })
        .await;
    }
}
