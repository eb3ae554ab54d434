//! A game whose frames are about twice what the link carries, and say when they were made.

use std::time::{SystemTime, UNIX_EPOCH};

use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire_protocol::client::GameTypes;
use tickwire_protocol::{Entity, Message, Table, World};

/// Rows of noise: a frame of them has about 4 KB.
const CELLS: u32 = 800;

#[derive(World)]
pub(crate) struct Sea {
    pub(crate) stamps: Table<Stamp>,
    cells: Table<Cell>,
}

/// When the state was made.
#[derive(Entity)]
pub(crate) struct Stamp {
    pub(crate) micros: u64,
}

#[derive(Entity)]
struct Cell {
    height: u32,
}

#[derive(Message, Clone, PartialEq, Default)]
pub(crate) struct Nothing {}

pub(crate) struct Tide;

/// Microseconds on a clock that the processes of one machine share.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Game for Tide {
    const NAME: &'static str = "tide";
    const TICK_HZ: u32 = 30;
    type World = Sea;
    type Input = Nothing;
    type Command = ();
    type Reply = ();
    type Event = ();
    type Options = ();

    fn create((): (), cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        cx.world.stamps.spawn(Stamp { micros: now_us() });
        for _ in 0..CELLS {
            cx.world.cells.spawn(Cell { height: 0 });
        }
        Ok(Tide)
    }

    fn join(&mut self, _: &mut Cx<Self>, _: PlayerId) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, _: &Inputs<Nothing>) {
        for (_, stamp) in cx.world.stamps.iter_mut() {
            stamp.micros = now_us();
        }
        for (at, (_, cell)) in (0u32..).zip(cx.world.cells.iter_mut()) {
            // Knuth's multiplier: no run of values to make a chunk short.
            cell.height = (cx.tick.0 ^ at << 16).wrapping_mul(2_654_435_761);
        }
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}
}

impl GameTypes for Tide {
    type World = Sea;
    type Input = Nothing;
    type Command = ();
    type Reply = ();
    type Event = ();
}
