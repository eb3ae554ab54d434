//! Arena: ships that turn, thrust and fire among drifting rocks.
//!
//! Also the model of a game, to be read from top to bottom:
//!
//! 1. what clients see: the tables of the world, and their rows;
//! 2. what is said: controls, commands and replies, events, options;
//! 3. the numbers of the game;
//! 4. the game: who comes, what happens in a step, who goes;
//! 5. the parts of a step.
//!
//! State lives in the rows, so what clients have is what the rules work on. The
//! game itself keeps only which rows belong to whom, and lists that it uses again
//! in every step. Everybody sees the whole space; what only its pilot needs to know
//! of a ship is a row of its own, [`Gear`], in the pilot's private scope.
//!
//! Places are whole sixteenths of a unit, in the rows as in the rules: they travel
//! without loss, and what drifts moves by the same whole steps in each tick, which
//! clients foresee. The space is 65,536 sixteenths wide, so an `i16` wraps just
//! where the space does.
//!
//! How a ship flies is in `flight.rs`: clients run it too. What follows where things
//! meet is in `combat.rs`, `grid.rs` finds who meets whom, and `names.rs` knows what a
//! name may be.

mod combat;
mod flight;
mod grid;
mod names;

use std::collections::BTreeMap;

use rand_pcg::rand_core::Rng;
use serde::Deserialize;
use tickwire_protocol::limits::SLOTS_MAX;
use tickwire_protocol::{Entity, Id, Message, Table, Tick, Value, World};

use self::combat::Contacts;
use self::flight::{along, cell, cosine, sine, sixteenths, units};
use crate::game::{Cx, Game, Inputs, Leave, PlayerId, Presence, Refusal};

pub use self::flight::{Body, KEEP, SPEED_MAX, THRUST, TURN, fly};
pub use self::names::{NAME_CHARS_MAX, NAME_EMPTY, NAME_TAKEN, NAME_TOO_LONG};

// ------------------------------------------------------------ what clients see

/// All that is replicated.
#[derive(World, Debug)]
pub struct Space {
    /// Ships that are under way; who was shot down has none for a while.
    pub ships: Table<Ship>,
    /// Shots on their way: at most [`SHOTS_MAX`].
    pub shots: Table<Shot>,
    /// Rocks: at most [`ROCKS_MAX`].
    pub rocks: Table<Rock>,
    /// One row for each player, who may have no ship.
    pub scores: Table<Score>,
    /// One row for each player, which only they see.
    pub gear: Table<Gear>,
}

/// A ship.
#[derive(Entity, Clone, Copy, PartialEq, Default, Debug)]
pub struct Ship {
    /// Its pilot.
    pub player: PlayerId,
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub x: f32,
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub y: f32,
    /// Where its nose points: 0 is along x, a quarter turn along y.
    #[net(angle, bits = 8, motion)]
    pub heading: f32,
    /// Whether its engine burns.
    pub thrust: bool,
    /// Whether nothing can hit it for now.
    pub safe: bool,
    /// Hits that it still takes; with none it is gone.
    #[net(max = 3)]
    pub hp: u8,
}

/// A shot.
#[derive(Entity, Clone, Copy, PartialEq, Debug)]
pub struct Shot {
    /// Who fired it.
    pub player: PlayerId,
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub x: f32,
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub y: f32,
    /// How it moves, in sixteenths of a unit per tick.
    pub vx: i16,
    /// How it moves, in sixteenths of a unit per tick.
    pub vy: i16,
    /// The tick in which it fades.
    pub until: Tick,
}

/// A rock.
#[derive(Entity, Clone, Copy, PartialEq, Debug)]
pub struct Rock {
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub x: f32,
    /// Where it is, in units.
    #[net(min = -2048, max = 2048, step = 0.0625, ring, motion)]
    pub y: f32,
    /// How it moves, in sixteenths of a unit per tick.
    #[net(min = -64, max = 64)]
    pub vx: i16,
    /// How it moves, in sixteenths of a unit per tick.
    #[net(min = -64, max = 64)]
    pub vy: i16,
    /// 1 to 3: its radius is 20, 40 or 80 units, and it hits a ship as often.
    #[net(min = 1, max = 3)]
    pub size: u8,
}

/// A line of the leaderboard.
#[derive(Entity, Clone, PartialEq, Default, Debug)]
pub struct Score {
    /// The player.
    pub player: PlayerId,
    /// The name that they go by here.
    #[net(max_bytes = 64)]
    pub name: String,
    /// What it is all about.
    pub points: u32,
    /// Ships shot down.
    pub kills: u32,
    /// Ships lost.
    pub deaths: u32,
    /// Whether they have no connection now.
    pub away: bool,
}

/// What only a ship's pilot sees. Times are ticks that come, so that a row changes
/// when something happens and not in every tick.
#[derive(Entity, Clone, Copy, PartialEq, Default, Debug)]
pub struct Gear {
    /// How the ship moves, in 1024ths of a unit per tick: see [`Body`].
    #[net(min = -16384, max = 16384)]
    pub vx: i16,
    /// How the ship moves, in 1024ths of a unit per tick.
    #[net(min = -16384, max = 16384)]
    pub vy: i16,
    /// Shots that are loaded.
    #[net(max = 12)]
    pub ammo: u8,
    /// From when on it can fire.
    pub ready_at: Tick,
    /// When one more shot is loaded, unless all are.
    pub reload_at: Tick,
    /// Until when nothing hits it.
    pub safe_until: Tick,
    /// When a lost ship is replaced.
    pub launch_at: Tick,
}

// ---------------------------------------------------------------- what is said

/// A pilot's controls. The default is hands off.
#[derive(Message, Clone, Copy, PartialEq, Default, Debug)]
pub struct Steer {
    /// -1 lowers the heading, 1 raises it.
    #[net(min = -1, max = 1)]
    pub turn: i8,
    /// Burn the engine.
    pub thrust: bool,
    /// Fire as often as possible.
    pub fire: bool,
}

/// What a pilot may ask for.
#[derive(Message, Clone, PartialEq, Debug)]
pub enum Command {
    /// To go by another name.
    Rename {
        /// The name. More than the game allows, so that it can say what is wrong.
        #[net(max_bytes = 256)]
        name: String,
    },
}

/// The answers.
#[derive(Message, Clone, PartialEq, Debug)]
pub enum Reply {
    /// Done.
    Renamed {
        /// The name as it is now.
        name: String,
    },
}

/// What clients are told. All but a shot and an explosion is reliable.
#[derive(Message, Clone, PartialEq, Debug)]
pub enum Event {
    /// A ship has fired.
    Fired {
        /// Whose.
        player: PlayerId,
    },
    /// Something burst.
    Explosion {
        /// Where, in units.
        #[net(min = -2048, max = 2048, step = 0.0625, ring)]
        x: f32,
        /// Where, in units.
        #[net(min = -2048, max = 2048, step = 0.0625, ring)]
        y: f32,
        /// The size of the rock; 0 for a ship.
        #[net(max = 3)]
        size: u8,
    },
    /// A ship is lost.
    Kill {
        /// Who shot it; nobody if it met a rock.
        killer: Option<Who>,
        /// Whose it was.
        victim: Who,
    },
    /// Somebody has as many points as it takes. All begin again at 0.
    Won {
        /// The winner.
        who: Who,
    },
}

/// A player as events name them: they may be gone when it is read.
#[derive(Value, Clone, PartialEq, Debug)]
pub struct Who {
    /// Who.
    pub player: PlayerId,
    /// Their name at that time.
    pub name: String,
}

/// What an arena can be created with.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Most players: 2 to 200.
    pub seats: usize,
    /// Large rocks to begin with, 0 to 64. What is shot comes back in time.
    pub rocks: usize,
    /// Points to win; without, there is no end.
    pub score_limit: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Options { seats: 64, rocks: 24, score_limit: None }
    }
}

/// An option is not within its range.
pub const BAD_OPTION: u16 = 100;

// --------------------------------------------------------- numbers of the game

const SEATS_MAX: usize = 200;

const HP: u8 = 3;
const SHIP_RADIUS: i16 = 14 * 16;
/// From the loss of a ship to the next: 3 s.
const LAUNCH_TICKS: u32 = 90;
/// A new ship is safe for 2 s, or until it fires.
const SAFE_TICKS: u32 = 60;
/// A ship that survives a rock is safe from its pieces.
const CRASH_SAFE_TICKS: u32 = 20;

const AMMO: u8 = 12;
const RELOAD_TICKS: u32 = 20;
const COOLDOWN_TICKS: u32 = 8;
const SHOT_TICKS: u32 = 40;
const SHOT_RADIUS: i16 = 2 * 16;
/// In sixteenths of a unit per tick; the ship's own speed comes on top.
const SHOT_SPEED: i32 = 20 * 16;
/// Most shots at a time: everybody fires as often as possible.
pub const SHOTS_MAX: usize = SEATS_MAX * SHOT_TICKS.div_ceil(COOLDOWN_TICKS) as usize;

const ROCK_SIZE_MAX: u8 = 3;
const ROCK_SPEED_MAX: i16 = 64;
/// A shot rock leaves two of the next smaller size.
const ROCK_PIECES: usize = 2;
const LARGE_ROCKS_MAX: usize = 64;
/// Most rocks: all of them in their smallest pieces.
pub const ROCKS_MAX: usize = LARGE_ROCKS_MAX * weight(ROCK_SIZE_MAX);
/// How often a rock may come back: 3 s.
const ROCK_TICKS: u32 = 90;

const KILL_POINTS: u32 = 5;
const ROCK_POINTS: u32 = 1;

/// The timer for a new rock. Any other number is a player, who gets a new ship.
const NEW_ROCK: u64 = u64::MAX;

const _: () = {
    assert!(SHOTS_MAX <= SLOTS_MAX as usize);
    assert!(ROCKS_MAX <= SLOTS_MAX as usize);
    assert!(NAME_CHARS_MAX * 4 <= 64, "a name fits its field, whatever its characters");
    assert!(LAUNCH_TICKS >= COOLDOWN_TICKS, "a new ship does not fire sooner than the old one");
    let step = SHOT_SPEED + (SPEED_MAX >> 6);
    let reach = step + (radius(ROCK_SIZE_MAX) + SHOT_RADIUS) as i32;
    assert!(reach <= grid::REACH, "whatever a shot can hit is in the squares around it");
    assert!(SPEED_MAX >> 6 < 2 * SHIP_RADIUS as i32, "no ship jumps over the end of a shot's way");
};

/// A rock's radius, in sixteenths.
const fn radius(size: u8) -> i16 {
    (20 * 16) << (size - 1)
}

/// The smallest pieces that are in a rock.
const fn weight(size: u8) -> usize {
    ROCK_PIECES.pow(size as u32 - 1)
}

// -------------------------------------------------------------------- the game

/// The game.
#[derive(Debug)]
pub struct Arena {
    options: Options,
    pilots: BTreeMap<PlayerId, Pilot>,
    contacts: Contacts,
}

/// The rows of a player.
#[derive(Debug)]
struct Pilot {
    /// Nobody while they wait for a new one.
    ship: Id<Ship>,
    gear: Id<Gear>,
    score: Id<Score>,
}

impl Game for Arena {
    const NAME: &'static str = "arena";
    const TICK_HZ: u32 = 30;
    const SEATS_MAX: usize = SEATS_MAX;
    type World = Space;
    type Input = Steer;
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    type Options = Options;

    fn create(options: Options, cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        if !(2..=SEATS_MAX).contains(&options.seats)
            || options.rocks > LARGE_ROCKS_MAX
            || options.score_limit == Some(0)
        {
            let ranges = format!("seats: 2 to {SEATS_MAX}; rocks: 0 to {LARGE_ROCKS_MAX}");
            return Err(Refusal::new(BAD_OPTION, format!("{ranges}; score_limit: from 1")));
        }
        if let Some(limit) = options.score_limit {
            cx.listing.title = format!("Arena: first to {limit}");
        }
        cx.listing.seats_max = options.seats;
        for _ in 0..options.rocks {
            add_rock(cx);
        }
        cx.timers.after(ROCK_TICKS, NEW_ROCK);
        Ok(Arena { options, pilots: BTreeMap::new(), contacts: Contacts::default() })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        let Some(own) = cx.player(player) else {
            return Err(Refusal::new(Refusal::UNKNOWN, "no such player"));
        };
        let (private, name) = (own.private, names::free(&cx.world, player, &own.name));
        cx.rename(player, &name);
        let score = cx.world.scores.spawn(Score { player, name, ..Score::default() });
        let gear = cx.world.gear.spawn_in(private, Gear::default());
        self.pilots.insert(player, Pilot { ship: Id::NONE, gear, score });
        self.launch(cx, player);
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Steer>) {
        while let Some(timer) = cx.timers.due() {
            match timer {
                NEW_ROCK => self.replenish(cx),
                player => self.launch(cx, PlayerId(player as u32)),
            }
        }
        for (&player, pilot) in &self.pilots {
            pilot.act(cx, player, *inputs.of(player));
        }
        self.drift(cx);
        self.fight(cx);
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, _why: Leave) {
        let Some(pilot) = self.pilots.remove(&player) else { return };
        cx.world.ships.despawn(pilot.ship);
        cx.world.gear.despawn(pilot.gear);
        cx.world.scores.despawn(pilot.score);
        cx.world.shots.retain(|_, shot| shot.player != player);
    }

    // The ship of a dropped player drifts on: the room holds neutral controls for it.
    fn presence(&mut self, cx: &mut Cx<Self>, player: PlayerId, presence: Presence) {
        if let Some(score) = self.score(cx, player) {
            score.away = presence == Presence::Dropped;
        }
    }

    fn command(
        &mut self,
        cx: &mut Cx<Self>,
        player: PlayerId,
        Command::Rename { name }: Command,
    ) -> Result<Reply, Refusal> {
        let name = names::check(&cx.world, player, &name)?.to_owned();
        cx.rename(player, &name);
        if let Some(score) = self.score(cx, player) {
            score.name.clone_from(&name);
        }
        Ok(Reply::Renamed { name })
    }
}

// ------------------------------------------------------------- parts of a step

impl Pilot {
    /// Flies and fires.
    fn act(&self, cx: &mut Cx<Arena>, player: PlayerId, steer: Steer) {
        let world = &cx.world;
        let (Some(&ship), Some(&gear)) = (world.ships.get(self.ship), world.gear.get(self.gear))
        else {
            return;
        };
        let (mut ship, mut gear, now) = (ship, gear, cx.tick);
        let mut body = Body::of(&ship, &gear);
        fly(&mut body, steer);
        body.show(&mut ship, &mut gear);
        if gear.ammo < AMMO && now >= gear.reload_at {
            gear.ammo += 1;
            gear.reload_at = now.after(RELOAD_TICKS);
        }
        if steer.fire && gear.ammo > 0 && now >= gear.ready_at {
            if gear.ammo == AMMO {
                gear.reload_at = now.after(RELOAD_TICKS);
            }
            gear.ammo -= 1;
            gear.ready_at = now.after(COOLDOWN_TICKS);
            gear.safe_until = gear.safe_until.min(now);
            cx.world.shots.spawn(shot_from(body, player, now.after(SHOT_TICKS)));
            cx.events.emit(Event::Fired { player });
        }
        ship.thrust = steer.thrust;
        ship.safe = now < gear.safe_until;
        put(&mut cx.world.ships, self.ship, ship);
        put(&mut cx.world.gear, self.gear, gear);
    }
}

/// Writes a row back; a row that is the same is not even touched.
fn put<T: PartialEq>(table: &mut Table<T>, id: Id<T>, row: T) {
    if table.get(id).is_some_and(|old| *old != row)
        && let Some(old) = table.get_mut(id)
    {
        *old = row;
    }
}

/// A shot from the nose of a ship.
fn shot_from(body: Body, player: PlayerId, until: Tick) -> Shot {
    let (cos, sin) = (cosine(body.heading), sine(body.heading));
    let nose = i32::from(SHIP_RADIUS);
    Shot {
        player,
        x: units(body.x.wrapping_add(along(nose, cos) as i16)),
        y: units(body.y.wrapping_add(along(nose, sin) as i16)),
        vx: sixteenths(body.vx) + along(SHOT_SPEED, cos) as i16,
        vy: sixteenths(body.vy) + along(SHOT_SPEED, sin) as i16,
        until,
    }
}

/// A large rock somewhere.
fn add_rock(cx: &mut Cx<Arena>) {
    let mut roll = || cx.rng.next_u32() as i16;
    let (x, y) = (units(roll()), units(roll()));
    let [vx, vy] = [roll(), roll()].map(|any| any % (ROCK_SPEED_MAX / 2));
    cx.world.rocks.spawn(Rock { x, y, vx, vy, size: ROCK_SIZE_MAX });
}

impl Arena {
    /// Gives a player a new ship.
    fn launch(&mut self, cx: &mut Cx<Self>, player: PlayerId) {
        let Some(pilot) = self.pilots.get_mut(&player) else { return };
        let mut roll = || cx.rng.next_u32();
        let (x, y, heading) = (roll() as i16, roll() as i16, roll() as u8);
        let mut ship = Ship { player, safe: true, hp: HP, ..Ship::default() };
        let safe_until = cx.tick.after(SAFE_TICKS);
        let mut gear = Gear { ammo: AMMO, safe_until, ..Gear::default() };
        Body { x, y, heading, vx: 0, vy: 0 }.show(&mut ship, &mut gear);
        pilot.ship = cx.world.ships.spawn(ship);
        put(&mut cx.world.gear, pilot.gear, gear);
    }

    /// Adds a rock if a whole one is missing, and looks again later.
    fn replenish(&self, cx: &mut Cx<Self>) {
        let there: usize = cx.world.rocks.iter().map(|(_, rock)| weight(rock.size)).sum();
        if there + weight(ROCK_SIZE_MAX) <= self.options.rocks * weight(ROCK_SIZE_MAX) {
            add_rock(cx);
        }
        cx.timers.after(ROCK_TICKS, NEW_ROCK);
    }

    /// Moves what nobody steers.
    fn drift(&mut self, cx: &mut Cx<Self>) {
        cx.world.shots.retain(|_, shot| cx.tick < shot.until);
        for (_, shot) in cx.world.shots.iter_mut() {
            shot.x = units(cell(shot.x).wrapping_add(shot.vx));
            shot.y = units(cell(shot.y).wrapping_add(shot.vy));
        }
        for (_, rock) in cx.world.rocks.iter_mut() {
            rock.x = units(cell(rock.x).wrapping_add(rock.vx));
            rock.y = units(cell(rock.y).wrapping_add(rock.vy));
        }
    }

    /// A player's line of the leaderboard.
    fn score<'a>(&self, cx: &'a mut Cx<Self>, player: PlayerId) -> Option<&'a mut Score> {
        cx.world.scores.get_mut(self.pilots.get(&player)?.score)
    }

    fn who(&self, cx: &Cx<Self>, player: PlayerId) -> Who {
        let score = self.pilots.get(&player).and_then(|pilot| cx.world.scores.get(pilot.score));
        Who { player, name: score.map(|score| score.name.clone()).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests;
