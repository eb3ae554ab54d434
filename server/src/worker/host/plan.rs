//! When the rooms of a worker step, and on which grid.

use std::cmp::Reverse;
use std::time::Duration;

use super::{Host, Hosted};
use crate::room::{RoomId, RoomState};
use crate::worker::clock::{Nanos, Raster, Timeline};
use crate::worker::load::Busy;
use crate::worker::reading::Reading;

impl Host {
    /// Steps the room from now on.
    pub(super) fn schedule(&self, hosted: &Hosted) {
        let phase = self.phases.next();
        let now = self.common.clock.now();
        let timeline = Timeline::new(now, hosted.tick_hz, phase, self.grid.get());
        hosted.timeline.set(Some(timeline));
        self.plan.borrow_mut().push(Reverse((timeline.next(), hosted.id)));
        self.replanned.notify_one();
    }

    /// One step of every room that is due, or will be within `lead`; how long the
    /// first of them took to read.
    pub(super) fn tick(&self, lead: Duration) -> Duration {
        let clock = self.common.clock;
        let until = clock.now().after(lead);
        let mut first = None;
        while let Some(room) = self.due(until) {
            let Some(hosted) = self.find(room) else { continue };
            let before = clock.now();
            if self.reading.get().is_due(&hosted.passed) {
                self.read(&hosted);
            }
            let Some(mut timeline) = hosted.timeline.take() else { continue };
            let now = clock.now();
            first.get_or_insert(now.since(before));
            let begun = timeline.begin(now);
            self.records.borrow_mut().lateness.record(begun.late, begun.lost);
            let mut steps = self.steps.get();
            steps.count(begun.behind);
            self.steps.set(steps);
            hosted.timeline.set(Some(timeline));
            let state = self.with(&hosted, |room, _| room.step(begun.deadline.time()));
            if state == Some(RoomState::Playing) {
                self.plan.borrow_mut().push(Reverse((timeline.next(), room)));
            } else {
                hosted.timeline.set(None);
            }
        }
        first.unwrap_or_default()
    }

    /// Reads the clients of a room who wait for it.
    pub(super) fn read(&self, hosted: &Hosted) {
        if let Some(Some(group)) = hosted.group.get()
            && self.reading.get() != Reading::AtOnce
        {
            self.sockets.read(group, || self.common.clock.time());
        }
    }

    /// Takes a room out of the plan whose step was due.
    fn due(&self, now: Nanos) -> Option<RoomId> {
        let mut plan = self.plan.borrow_mut();
        let Reverse((deadline, room)) = *plan.peek()?;
        if deadline > now {
            return None;
        }
        plan.pop();
        Some(room)
    }

    /// Whether the next step is due already.
    pub(super) fn behind(&self) -> bool {
        let next = self.plan.borrow().peek().map(|Reverse((deadline, _))| *deadline);
        next.is_some_and(|next| next <= self.common.clock.now())
    }

    /// The load was measured: frames are sent less often if steps are late.
    pub(super) fn measured(&self, busy: Busy) {
        let steps = self.steps.take();
        self.load.set_busy(busy.load);
        let before = self.load.shedding();
        let now = self.ladder.borrow_mut().second(steps);
        if now != before {
            let (worker, load) = (self.index, busy.load);
            let (of, behind) = (steps.all, steps.behind);
            tracing::warn!(worker, load, behind, of, gave_up = ?before, gives_up = ?now, "overload");
            self.load.set_shedding(now);
            for hosted in self.hosted(|_| true) {
                self.with(&hosted, |room, _| room.thin(now.send_every()));
            }
        }
        self.reads_after(busy);
        self.keep_to(self.grid.get().suited(busy.newest, steps.all));
    }

    fn reads_after(&self, busy: Busy) {
        let before = self.reading.get();
        let now = before.after(busy.newest);
        if now != before {
            tracing::debug!(worker = self.index, load = busy.newest, ?before, ?now, "reading");
            self.reading.set(now);
            self.sockets.look_at_groups(now == Reading::AtOnce);
            self.load.set_reading(now);
        }
    }

    /// Moves the deadlines of all rooms to a grid.
    fn keep_to(&self, grid: Raster) {
        if self.grid.replace(grid) == grid {
            return;
        }
        let mut plan = self.plan.borrow_mut();
        plan.clear();
        for (id, hosted) in self.rooms.borrow().iter() {
            let Some(mut timeline) = hosted.timeline.get() else { continue };
            timeline.keep_to(grid);
            hosted.timeline.set(Some(timeline));
            plan.push(Reverse((timeline.next(), *id)));
        }
    }
}
