//! A game that does to its server what a bad one would, on demand.

use std::time::{Duration, Instant};

use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire_protocol::{Entity, Message, Table, World};

/// More entities than a frame has place for, and fewer than a table.
const MANY: u32 = 60_000;
/// More than a table has place for.
const TOO_MANY: u32 = 1_000_000;

#[derive(World)]
pub(crate) struct Yard {
    things: Table<Thing>,
}

#[derive(Entity, Default)]
struct Thing {
    a: u32,
    b: u32,
    c: u32,
    d: u32,
    e: u32,
    f: u32,
    g: u32,
    h: u32,
}

/// The controls: there is no place in them for another player's number.
#[derive(Message, Clone, PartialEq, Default)]
pub(crate) struct Turn {
    pub(crate) by: i8,
}

#[derive(Message, Clone, Copy, PartialEq, Debug)]
pub(crate) enum Ask {
    /// What the game has seen of the player who asks.
    Tell,
    /// To panic at once, or in the next step.
    Panic,
    PanicInStep,
    /// To take a second for the next step.
    Loop,
    /// To fill the world.
    SpawnMany,
    SpawnTooMany,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Told {
    /// The controls in force.
    pub(crate) by: i8,
    /// How often they changed.
    pub(crate) changes: u32,
}

pub(crate) struct Mischief {
    /// What each player was told.
    turns: Vec<(PlayerId, Told)>,
    next: Option<Ask>,
}

impl Game for Mischief {
    const NAME: &'static str = "mischief";
    const TICK_HZ: u32 = 50;
    const SEATS_MAX: usize = 4;
    type World = Yard;
    type Input = Turn;
    type Command = Ask;
    type Reply = Told;
    type Event = Turn;
    type Options = ();

    fn create((): (), _: &mut Cx<Self>) -> Result<Self, Refusal> {
        Ok(Mischief { turns: Vec::new(), next: None })
    }

    fn join(&mut self, _: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        self.turns.push((player, Told { by: 0, changes: 0 }));
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Turn>) {
        for (player, told) in &mut self.turns {
            let by = inputs.of(*player).by;
            told.changes += u32::from(told.by != by);
            told.by = by;
        }
        match self.next.take() {
            Some(Ask::PanicInStep) => panic!("the game was asked to panic in a step"),
            Some(Ask::Loop) => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(1) {}
            }
            Some(Ask::SpawnMany) => spawn(cx, MANY),
            Some(Ask::SpawnTooMany) => spawn(cx, TOO_MANY),
            _ => {}
        }
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}

    fn command(&mut self, _: &mut Cx<Self>, who: PlayerId, ask: Ask) -> Result<Told, Refusal> {
        match ask {
            Ask::Panic => panic!("the game was asked to panic"),
            Ask::Tell => {}
            later => self.next = Some(later),
        }
        let told = self.turns.iter().find(|(player, _)| *player == who);
        told.map(|(_, told)| told.clone()).ok_or_else(|| Refusal::new(100, "who is that?"))
    }
}

fn spawn(cx: &mut Cx<Mischief>, count: u32) {
    for n in 0..count {
        let a = n.wrapping_mul(2_654_435_761);
        let [b, c, d, e, f, g, h] = [3, 5, 7, 11, 13, 17, 19].map(|by| a.wrapping_mul(by));
        cx.world.things.spawn(Thing { a, b, c, d, e, f, g, h });
    }
}
