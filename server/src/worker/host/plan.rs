//! When the rooms of a worker step.

use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

use super::{Host, Hosted};
use crate::room::{RoomId, RoomState};
use crate::worker::clock::{Nanos, Raster, Timeline};
use crate::worker::load::Busy;
use crate::worker::reading::Reading;

/// So long at most the worker goes through a train before others have their turn: drivers,
/// orders, and who has sent something.
const TURN: Duration = Duration::from_millis(2);

/// A room's next step. Ordered by deadline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Planned {
    deadline: Nanos,
    /// It can begin from here on, if it is its turn.
    pub(super) from: Nanos,
    room: RoomId,
}

impl Planned {
    fn new(timeline: &Timeline, room: RoomId) -> Reverse<Planned> {
        Reverse(Planned { deadline: timeline.next(), from: timeline.point(), room })
    }
}

impl Host {
    /// Steps the room from now on.
    pub(super) fn schedule(&self, hosted: &Hosted) {
        let phase = self.phases.next();
        let now = self.common.clock.now();
        let timeline = Timeline::new(now, hosted.tick_hz, phase, self.raster.get());
        hosted.timeline.set(Some(timeline));
        self.plan.borrow_mut().push(Planned::new(&timeline, hosted.id));
        self.replanned.notify_one();
    }

    /// A step of every room that can begin, or could within `lead`, until others have to
    /// have their turn; how long the first of them took to read.
    pub(super) fn tick(&self, lead: Duration) -> Duration {
        let clock = self.common.clock;
        let began = clock.now();
        let until = began.after(lead);
        let mut first = None;
        while let Some(room) = self.due(until) {
            let Some(hosted) = self.find(room) else { continue };
            let before = clock.now();
            if self.reading.get().is_due(&hosted.passed) {
                self.read(&hosted);
            }
            let Some(timeline) = hosted.timeline.take() else { continue };
            let now = clock.now();
            first.get_or_insert(now.since(before));
            self.step(&hosted, timeline, now);
            if now.since(began) >= TURN {
                break;
            }
        }
        first.unwrap_or_default()
    }

    /// The next step of a room, and those after it that can begin already at `now`: clients get
    /// the frame of the last, which stands for all.
    fn step(&self, hosted: &Rc<Hosted>, mut timeline: Timeline, now: Nanos) {
        loop {
            let begun = timeline.begin(now);
            self.records.borrow_mut().lateness.record(begun.late, begun.lost);
            let mut steps = self.steps.get();
            steps.count(begun.behind);
            self.steps.set(steps);
            hosted.timeline.set(Some(timeline));
            // A step that is early must not give a frame a time that is to come.
            let time = begun.deadline.min(now).time();
            let state = self.with(hosted, |room, _| match begun.behind {
                true => room.step_behind(time),
                false => room.step(time),
            });
            if state != Some(RoomState::Playing) {
                hosted.timeline.set(None);
                return;
            }
            if !begun.behind || self.common.clock.now().since(now) >= TURN {
                self.plan.borrow_mut().push(Planned::new(&timeline, hosted.id));
                return;
            }
        }
    }

    /// Reads the clients of a room who wait for it.
    pub(super) fn read(&self, hosted: &Hosted) {
        if let Some(Some(group)) = hosted.group.get()
            && self.reading.get() != Reading::AtOnce
        {
            self.sockets.read(group, || self.common.clock.time());
        }
    }

    /// Takes a room out of the plan whose step could begin at `until`.
    fn due(&self, until: Nanos) -> Option<RoomId> {
        let mut plan = self.plan.borrow_mut();
        let Reverse(next) = *plan.peek()?;
        if next.from > until {
            return None;
        }
        plan.pop();
        Some(next.room)
    }

    /// From when on the next step can begin.
    pub(super) fn next_from(&self) -> Option<Nanos> {
        self.plan.borrow().peek().map(|Reverse(next)| next.from)
    }

    /// Whether the next step can begin already.
    pub(super) fn behind(&self) -> bool {
        self.next_from().is_some_and(|from| from <= self.common.clock.now())
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
        self.keep_to(self.raster.get().suited(busy.newest));
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

    /// Moves the deadlines of all rooms to a raster.
    fn keep_to(&self, raster: Raster) {
        if self.raster.replace(raster) == raster {
            return;
        }
        let mut plan = self.plan.borrow_mut();
        plan.clear();
        for (id, hosted) in self.rooms.borrow().iter() {
            let Some(mut timeline) = hosted.timeline.get() else { continue };
            timeline.keep_to(raster);
            hosted.timeline.set(Some(timeline));
            plan.push(Planned::new(&timeline, *id));
        }
    }
}
