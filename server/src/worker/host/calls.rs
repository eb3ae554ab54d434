//! A room is called: what a panic, an end or a long call leads to.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tickwire_protocol::Time;

use super::{Host, Hosted};
use crate::room::{AnyRoom, RoomState};
use crate::worker::records::LONG_CALL;

/// Whose code a call of a room runs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Asks {
    /// The game's too: it may take long, and change what the directory shows.
    Game,
    /// The room's alone. What follows from it shows with the next step.
    Room,
}

impl Host {
    /// Calls a room, and sees to what follows. Nothing if it has ended or panics.
    pub(super) fn with<R>(
        &self,
        hosted: &Rc<Hosted>,
        call: impl FnOnce(&mut dyn AnyRoom, Time) -> R,
    ) -> Option<R> {
        self.call(hosted, Asks::Game, self.common.clock.time(), call)
    }

    /// [`with`](Self::with), at a time, and of whom.
    pub(super) fn call<R>(
        &self,
        hosted: &Rc<Hosted>,
        asks: Asks,
        now: Time,
        call: impl FnOnce(&mut dyn AnyRoom, Time) -> R,
    ) -> Option<R> {
        let mut place = hosted.room.borrow_mut();
        let room = place.as_mut()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let answer = call(room.as_mut(), now);
            (answer, room.state())
        }));
        if asks == Asks::Game {
            self.took(hosted, now);
        }
        match outcome {
            Ok((answer, RoomState::Over)) => {
                let ended = place.take();
                drop(place);
                self.ended(hosted, ended);
                Some(answer)
            }
            Ok((answer, RoomState::Playing)) if asks == Asks::Room => Some(answer),
            Ok((answer, state)) => {
                self.publish(hosted, room.as_ref());
                if state == RoomState::Playing && hosted.timeline.get().is_none() {
                    self.schedule(hosted);
                }
                Some(answer)
            }
            Err(panic) => {
                let (what, game) = (told(&*panic), hosted.entry.borrow().game);
                tracing::error!(room = %hosted.id, game, what, "a game panicked, its room ends");
                self.records.borrow_mut().of(game).rooms_panicked += 1;
                let failed = place.take();
                drop(place);
                self.ended(hosted, failed);
                None
            }
        }
    }

    /// A call of a room is over. One that took long is named: nobody else on this
    /// thread was served meanwhile.
    fn took(&self, hosted: &Hosted, began: Time) {
        let took = self.common.clock.time().since(began);
        if took > LONG_CALL {
            let game = hosted.entry.borrow().game;
            let took_ms = took.as_millis();
            tracing::warn!(room = %hosted.id, game, took_ms, "a game held its worker up");
            self.records.borrow_mut().of(game).long_calls += 1;
        }
    }

    /// Forgets a room. Links that it did not close tell their peers that it failed.
    fn ended(&self, hosted: &Hosted, room: Option<Box<dyn AnyRoom>>) {
        let game = hosted.entry.borrow().game;
        self.common.directory.remove(hosted.id);
        self.rooms.borrow_mut().remove(&hosted.id);
        self.load.set_rooms(self.rooms.borrow().len());
        if let Some(room) = &room {
            self.records.borrow_mut().close(game, room.as_ref());
            if let Some(why) = room.failure() {
                tracing::error!(room = %hosted.id, game, %why, "a room cannot go on");
                self.records.borrow_mut().of(game).rooms_failed += 1;
            }
        }
        // A game may panic in its destructor as well.
        if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
            tracing::error!(room = %hosted.id, game, "a game panicked when it was dropped");
        }
        tracing::info!(room = %hosted.id, game, "a room is over");
    }

    /// Writes the directory's entry anew if the room has changed.
    fn publish(&self, hosted: &Hosted, room: &dyn AnyRoom) {
        let mut entry = hosted.entry.borrow_mut();
        let (players, seats, listing) = (room.players(), room.seats(), room.listing());
        let private = hosted.private || listing.private;
        let same = (entry.players, entry.seats_taken) == (players, seats.taken)
            && entry.seats_max == seats.most
            && entry.locked == listing.locked
            && entry.private == private
            && entry.title == listing.title;
        if !same {
            (entry.players, entry.seats_taken) = (players, seats.taken);
            entry.seats_max = seats.most;
            entry.locked = listing.locked;
            entry.private = private;
            entry.title.clone_from(&listing.title);
            self.common.directory.put(hosted.id, entry.clone());
        }
    }
}

/// What a panic says.
pub(super) fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}
