//! A game whose whole state changes at every step, so that frames are long.

use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire_protocol::{Entity, Message, Table, World};

/// Players of a room.
pub(crate) const SEATS: usize = 50;
/// Rows that change at every step.
const CELLS: usize = 2048;

#[derive(World)]
pub(crate) struct Sky {
    cells: Table<Cell>,
}

#[derive(Entity)]
struct Cell {
    light: u32,
}

#[derive(Message, Clone, PartialEq, Default)]
pub(crate) struct Nothing {}

/// Noise at 50 Hz.
pub(crate) struct Weather;

impl Game for Weather {
    const NAME: &'static str = "weather";
    const TICK_HZ: u32 = 50;
    const SEATS_MAX: usize = SEATS;
    type World = Sky;
    type Input = Nothing;
    type Command = Nothing;
    type Reply = Nothing;
    type Event = Nothing;
    type Options = ();

    fn create((): (), cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        for _ in 0..CELLS {
            cx.world.cells.spawn(Cell { light: 0 });
        }
        Ok(Weather)
    }

    fn join(&mut self, _: &mut Cx<Self>, _: PlayerId) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, _: &Inputs<Nothing>) {
        let tick = cx.tick.0;
        for (at, (_, cell)) in (0u32..).zip(cx.world.cells.iter_mut()) {
            // Knuth's multiplier: no run of values to make a chunk short.
            cell.light = (tick ^ at << 16).wrapping_mul(2_654_435_761);
        }
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}
}
