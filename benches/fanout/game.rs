//! The game that every server of the benchmark plays: each player has a place and
//! a heading, moves on every tick, and steers. `peers/world.mjs` is the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire_protocol::table::Id;
use tickwire_protocol::{Entity, Message, Table, World};

/// A player: three numbers that change on every tick.
#[derive(Entity)]
pub(crate) struct Racer {
    #[net(motion)]
    pub(crate) x: u16,
    #[net(motion)]
    pub(crate) y: u16,
    #[net(motion)]
    pub(crate) heading: u8,
}

#[derive(World)]
pub(crate) struct Field {
    pub(crate) racers: Table<Racer>,
}

/// How much the heading changes on each tick.
#[derive(Message, Clone, PartialEq, Default)]
pub(crate) struct Steer {
    pub(crate) turn: i8,
}

/// What a room is made with.
#[derive(Deserialize, Default)]
pub(crate) struct Options {
    /// Entities beside the players, which move as well.
    npcs: u32,
}

/// The rules, at `HZ` ticks a second.
pub(crate) struct Race<const HZ: u32> {
    racers: BTreeMap<PlayerId, Id<Racer>>,
    npcs: Vec<Id<Racer>>,
    /// Sixteenths of a unit along x and y for each heading.
    steps: Vec<(i16, i16)>,
}

impl<const HZ: u32> Game for Race<HZ> {
    const NAME: &'static str = "race";
    const TICK_HZ: u32 = HZ;
    const SEATS_MAX: usize = 100_000;
    type World = Field;
    type Input = Steer;
    type Command = ();
    type Reply = ();
    type Event = ();
    type Options = Options;

    fn create(options: Options, cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let step = |heading: u16| {
            let angle = f64::from(heading) / 256.0 * std::f64::consts::TAU;
            ((40.0 * angle.cos()).round() as i16, (40.0 * angle.sin()).round() as i16)
        };
        let npcs = (0..options.npcs).map(|npc| cx.world.racers.spawn(begin(npc))).collect();
        Ok(Race { racers: BTreeMap::new(), npcs, steps: (0..256).map(step).collect() })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        self.racers.insert(player, cx.world.racers.spawn(begin(player.0)));
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Steer>) {
        let tick = cx.tick.0 as i8;
        let players = self.racers.iter().map(|(player, id)| (*id, inputs.of(*player).turn));
        let npcs = self.npcs.iter().enumerate().map(|(at, id)| (*id, (tick ^ at as i8) % 9));
        for (id, turn) in players.chain(npcs) {
            let Some(racer) = cx.world.racers.get_mut(id) else { continue };
            racer.heading = racer.heading.wrapping_add_signed(turn);
            let (x, y) = self.steps[usize::from(racer.heading)];
            racer.x = racer.x.wrapping_add_signed(x);
            racer.y = racer.y.wrapping_add_signed(y);
        }
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, _: Leave) {
        if let Some(id) = self.racers.remove(&player) {
            cx.world.racers.despawn(id);
        }
    }
}

/// Where the player with a number begins.
fn begin(number: u32) -> Racer {
    Racer {
        x: number.wrapping_mul(7919) as u16,
        y: number.wrapping_mul(104_729) as u16,
        heading: number.wrapping_mul(37) as u8,
    }
}
