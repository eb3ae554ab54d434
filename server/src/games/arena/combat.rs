//! What follows where things meet: shots hit, ships crash, rocks burst, points are won.

use rand_pcg::rand_core::Rng;
use tickwire_protocol::{Id, Scope};

use super::flight::cell;
use super::grid::Grid;
use super::{
    Arena, CRASH_SAFE_TICKS, Event, Gear, KILL_POINTS, LAUNCH_TICKS, ROCK_POINTS, ROCK_SPEED_MAX,
    Rock, SHIP_RADIUS, SHOT_RADIUS, Shot, Space, put, radius,
};
use crate::game::{Class, Cx, PlayerId, To};

/// What can be hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thing {
    Ship(PlayerId),
    Rock(Id<Rock>),
}

/// Who meets whom in one step: lists that are filled again in each.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    /// What can be hit, where it is now.
    grid: Grid<Thing>,
    hits: Vec<(Id<Shot>, PlayerId, Thing)>,
    crashes: Vec<(PlayerId, Id<Rock>)>,
}

impl Contacts {
    /// Whether all of it is dealt with.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.crashes.is_empty()
    }
}

impl Arena {
    /// Lets things meet that have moved.
    pub(super) fn fight(&mut self, cx: &mut Cx<Self>) {
        self.chart(&cx.world);
        self.shoot(cx);
        self.crash(cx);
    }

    /// Notes where everything is that can be hit.
    fn chart(&mut self, world: &Space) {
        let grid = &mut self.contacts.grid;
        grid.clear();
        for (_, ship) in world.ships.iter().filter(|(_, ship)| !ship.safe) {
            grid.add(Thing::Ship(ship.player), (cell(ship.x), cell(ship.y)), SHIP_RADIUS);
        }
        for (id, rock) in world.rocks.iter() {
            grid.add(Thing::Rock(id), (cell(rock.x), cell(rock.y)), radius(rock.size));
        }
    }

    /// Lets shots hit what was in the way of their last move.
    fn shoot(&mut self, cx: &mut Cx<Self>) {
        let Contacts { grid, hits, .. } = &mut self.contacts;
        for (id, shot) in cx.world.shots.iter() {
            let shooter = shot.player;
            let other = |thing| thing != Thing::Ship(shooter);
            let from = (cell(shot.x).wrapping_sub(shot.vx), cell(shot.y).wrapping_sub(shot.vy));
            let hit = grid.first(from, (shot.vx, shot.vy), SHOT_RADIUS, other);
            hits.extend(hit.map(|thing| (id, shooter, thing)));
        }
        let mut hits = std::mem::take(hits);
        for (shot, shooter, thing) in hits.drain(..) {
            // Two shots may meet the same thing: what the first destroys, the second misses.
            let stopped = match thing {
                Thing::Ship(victim) => self.harm(cx, victim, 1, Some(shooter)),
                Thing::Rock(rock) => split(cx, rock).is_some_and(|_| {
                    self.award(cx, shooter, ROCK_POINTS);
                    true
                }),
            };
            if stopped {
                cx.world.shots.despawn(shot);
            }
        }
        self.contacts.hits = hits;
    }

    /// Lets ships meet rocks. Ships pass each other.
    fn crash(&mut self, cx: &mut Cx<Self>) {
        let Contacts { grid, crashes, .. } = &mut self.contacts;
        for (_, ship) in cx.world.ships.iter().filter(|(_, ship)| !ship.safe) {
            let is_rock = |thing| matches!(thing, Thing::Rock(_));
            let at = (cell(ship.x), cell(ship.y));
            if let Some(Thing::Rock(rock)) = grid.first(at, (0, 0), SHIP_RADIUS, is_rock) {
                crashes.push((ship.player, rock));
            }
        }
        let mut crashes = std::mem::take(crashes);
        for (player, rock) in crashes.drain(..) {
            let Some(size) = split(cx, rock) else { continue };
            let until = cx.tick.after(CRASH_SAFE_TICKS);
            let gear = self.pilots.get(&player).map(|pilot| pilot.gear).unwrap_or_default();
            if let Some(gear) = cx.world.gear.get_mut(gear) {
                gear.safe_until = until;
            }
            self.harm(cx, player, size, None);
        }
        self.contacts.crashes = crashes;
    }

    /// Hits a ship; `false` if it is gone.
    pub(super) fn harm(
        &mut self,
        cx: &mut Cx<Self>,
        victim: PlayerId,
        hits: u8,
        killer: Option<PlayerId>,
    ) -> bool {
        let Some(pilot) = self.pilots.get_mut(&victim) else { return false };
        let Some(ship) = cx.world.ships.get_mut(pilot.ship) else { return false };
        ship.hp = ship.hp.saturating_sub(hits);
        if ship.hp > 0 {
            return true;
        }
        let (x, y) = (ship.x, ship.y);
        cx.events.emit(Event::Explosion { x, y, size: 0 });
        cx.world.ships.despawn(pilot.ship);
        pilot.ship = Id::NONE;
        let gear = Gear { launch_at: cx.tick.after(LAUNCH_TICKS), ..Gear::default() };
        put(&mut cx.world.gear, pilot.gear, gear);
        cx.timers.after(LAUNCH_TICKS, u64::from(victim.0));

        let who = self.who(cx, victim);
        let kill = Event::Kill { killer: killer.map(|killer| self.who(cx, killer)), victim: who };
        cx.events.emit_to(To::Scope(Scope::ROOM), Class::Reliable, kill);
        if let Some(score) = self.score(cx, victim) {
            score.deaths += 1;
        }
        if let Some(killer) = killer {
            if let Some(score) = self.score(cx, killer) {
                score.kills += 1;
            }
            self.award(cx, killer, KILL_POINTS);
        }
        true
    }

    /// Gives a player points, with which they may win.
    fn award(&self, cx: &mut Cx<Self>, player: PlayerId, points: u32) {
        let Some(score) = self.score(cx, player) else { return };
        score.points += points;
        if self.options.score_limit.is_none_or(|limit| score.points < limit) {
            return;
        }
        let won = Event::Won { who: self.who(cx, player) };
        cx.events.emit_to(To::Scope(Scope::ROOM), Class::Reliable, won);
        for (_, score) in cx.world.scores.iter_mut() {
            (score.points, score.kills, score.deaths) = (0, 0, 0);
        }
    }
}

/// Bursts a rock into its pieces, and gives its size; nothing if it is gone.
pub(super) fn split(cx: &mut Cx<Arena>, rock: Id<Rock>) -> Option<u8> {
    let rock = cx.world.rocks.despawn(rock)?;
    cx.events.emit(Event::Explosion { x: rock.x, y: rock.y, size: rock.size });
    if rock.size > 1 {
        let mut roll = || cx.rng.next_u32() as i16 % (ROCK_SPEED_MAX / 2);
        let (sx, sy) = (roll(), roll());
        for (sx, sy) in [(sx, sy), (-sx, -sy)] {
            let vx = (rock.vx + sx).clamp(-ROCK_SPEED_MAX, ROCK_SPEED_MAX);
            let vy = (rock.vy + sy).clamp(-ROCK_SPEED_MAX, ROCK_SPEED_MAX);
            cx.world.rocks.spawn(Rock { vx, vy, size: rock.size - 1, ..rock });
        }
    }
    Some(rock.size)
}
