//! A game that writes down what happens in it, for its clients to be compared with.
//!
//! All hosts of a simulation are on one thread, so the [`Record`] of a story is a
//! thread's own, and outlives the server that crashes. The game may not fail the
//! test by a panic, which only ends its room: what is wrong is written down too.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tickwire::game::{Class, Cx, Game, Inputs, Leave, PlayerId, Refusal, To};
use tickwire_protocol::client::GameTypes;
use tickwire_protocol::{Entity, Id, Message, Scope, Table, Tick, World};

use crate::dice::Dice;

/// Players of a story.
pub(crate) const CLIENTS: usize = 3;
pub(crate) const TICK_HZ: u32 = 20;
/// Steps from one reliable event to the next.
const NEWS_EVERY: u32 = 7;

/// The one of its kind in a room.
#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Hall {
    /// The number of the room in the record.
    pub(crate) room: u32,
    pub(crate) steps: u32,
}

/// What everybody sees of a player.
#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Mark {
    pub(crate) player: u32,
    /// The input that came into force last.
    pub(crate) pressed: u32,
}

/// What only its player sees.
#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Purse {
    pub(crate) player: u32,
    /// How many commands were carried out.
    pub(crate) asked: u32,
}

/// Something that moves.
#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Stone {
    pub(crate) number: u32,
    // Moves by multiples of its step: what is sent is what the game has.
    #[net(min = -64.0, max = 64.0, step = 0.0625, motion)]
    pub(crate) x: f32,
    pub(crate) label: String,
}

#[derive(World, Debug)]
pub(crate) struct Ground {
    pub(crate) halls: Table<Hall>,
    pub(crate) marks: Table<Mark>,
    pub(crate) purses: Table<Purse>,
    pub(crate) stones: Table<Stone>,
}

/// A player's controls: each one that a client sets has a number of its own.
#[derive(Message, Clone, PartialEq, Default, Debug)]
pub(crate) struct Press {
    pub(crate) client: u8,
    /// 0 is neutral.
    pub(crate) number: u32,
}

/// A command, with a number of its own among those of its client.
#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Ask {
    pub(crate) client: u8,
    pub(crate) number: u32,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Done {
    pub(crate) number: u32,
}

/// A reliable event; a room numbers them.
#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct News {
    pub(crate) number: u32,
}

/// The game as a client has it.
pub(crate) struct Types;

impl GameTypes for Types {
    type World = Ground;
    type Input = Press;
    type Command = Ask;
    type Reply = Done;
    type Event = News;
}

/// All rows of a world, in an order that does not depend on their slots.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rows {
    pub(crate) halls: Vec<Hall>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) purses: Vec<Purse>,
    pub(crate) stones: Vec<Stone>,
}

impl Rows {
    pub(crate) fn of(world: &Ground) -> Rows {
        fn sorted<T: Entity + Clone>(table: &Table<T>, key: impl Fn(&T) -> u32) -> Vec<T> {
            let mut rows: Vec<T> = table.iter().map(|(_, row)| row.clone()).collect();
            rows.sort_by_key(key);
            rows
        }
        Rows {
            halls: sorted(&world.halls, |hall| hall.room),
            marks: sorted(&world.marks, |mark| mark.player),
            purses: sorted(&world.purses, |purse| purse.player),
            stones: sorted(&world.stones, |stone| stone.number),
        }
    }

    /// What one player sees of them.
    pub(crate) fn seen_by(&self, player: u32) -> Rows {
        let mut seen = self.clone();
        seen.purses.retain(|purse| purse.player == player);
        seen
    }
}

/// What happened in a story.
#[derive(Default, Debug)]
pub(crate) struct Record {
    seed: u64,
    /// The rows of each room at the end of each tick, from tick 1 on.
    pub(crate) rooms: Vec<Vec<Rows>>,
    /// The last input that each client set.
    pub(crate) pressed: [u32; CLIENTS],
    /// Inputs that came into force.
    pub(crate) applied: u64,
    /// Commands that were carried out.
    pub(crate) asked: BTreeSet<(u8, u32)>,
    /// What must not be.
    pub(crate) faults: Vec<String>,
}

thread_local! {
    static RECORD: RefCell<Record> = RefCell::default();
}

/// Reads and writes the record of the story under way.
pub(crate) fn record<R>(with: impl FnOnce(&mut Record) -> R) -> R {
    RECORD.with_borrow_mut(with)
}

impl Record {
    /// Begins a story.
    pub(crate) fn begin(seed: u64) {
        RECORD.set(Record { seed, ..Record::default() });
    }

    /// What a player saw at a tick.
    pub(crate) fn past(&self, room: u32, tick: Tick, player: u32) -> Option<Rows> {
        let room = self.rooms.get(room as usize)?;
        Some(room.get((tick.0 as usize).checked_sub(1)?)?.seen_by(player))
    }
}

/// What a player is to the game.
struct Guest {
    mark: Id<Mark>,
    purse: Id<Purse>,
    /// Who set the inputs so far.
    client: Option<u8>,
    pressed: u32,
}

pub(crate) struct Ledger {
    room: u32,
    dice: Dice,
    hall: Id<Hall>,
    guests: BTreeMap<PlayerId, Guest>,
    stones: u32,
    news: u32,
}

impl Ledger {
    /// A player's controls; a new one must not have been in force before.
    fn press(&mut self, cx: &mut Cx<Self>, player: PlayerId, press: &Press) {
        let Some(guest) = self.guests.get_mut(&player) else {
            return record(|it| it.faults.push(format!("{player:?} has controls and no seat")));
        };
        if press.number == 0 || press.number == guest.pressed {
            return;
        }
        let before = guest.pressed;
        let client = *guest.client.get_or_insert(press.client);
        guest.pressed = press.number;
        if let Some(mark) = cx.world.marks.get_mut(guest.mark) {
            mark.pressed = press.number;
        }
        record(|it| {
            it.applied += 1;
            let set = it.pressed.get(usize::from(client)).copied().unwrap_or_default();
            if press.number < before || press.number > set || press.client != client {
                it.faults.push(format!(
                    "{press:?} came into force after {before} of client {client}, who has set {set}"
                ));
            }
        });
    }

    fn move_stones(&mut self, cx: &mut Cx<Self>) {
        if cx.world.stones.len() < 8 && self.dice.chance(300) {
            let number = self.stones;
            self.stones += 1;
            let x = self.dice.below(128) as f32 - 64.0;
            cx.world.stones.spawn(Stone { number, x, label: "stone".to_owned() });
        }
        for id in cx.world.stones.ids().collect::<Vec<_>>() {
            let dice = self.dice.below(100);
            let Some(stone) = cx.world.stones.get_mut(id) else { continue };
            let x = stone.x + 0.125 * (id.slot() % 4) as f32;
            stone.x = if x > 64.0 { -64.0 } else { x };
            match dice {
                0..3 => drop(cx.world.stones.despawn(id)),
                3..6 => stone.label.push('!'),
                _ => {}
            }
        }
    }
}

impl Game for Ledger {
    const NAME: &'static str = "ledger";
    const TICK_HZ: u32 = TICK_HZ;
    type World = Ground;
    type Input = Press;
    type Command = Ask;
    type Reply = Done;
    type Event = News;
    type Options = ();

    fn create(_: (), cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let (room, seed) = record(|it| {
            it.rooms.push(Vec::new());
            (it.rooms.len() as u32 - 1, it.seed)
        });
        let hall = cx.world.halls.spawn(Hall { room, steps: 0 });
        // The room's own generator is seeded by the server, at random.
        let dice = Dice(seed << 8 | u64::from(room));
        Ok(Ledger { room, dice, hall, guests: BTreeMap::new(), stones: 0, news: 0 })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        let private = cx.player(player).map_or(Scope::ROOM, |player| player.private);
        let mark = cx.world.marks.spawn(Mark { player: player.0, pressed: 0 });
        let purse = cx.world.purses.spawn_in(private, Purse { player: player.0, asked: 0 });
        self.guests.insert(player, Guest { mark, purse, client: None, pressed: 0 });
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Press>) {
        for (player, press) in inputs.iter() {
            self.press(cx, player, press);
        }
        self.move_stones(cx);
        if let Some(hall) = cx.world.halls.get_mut(self.hall) {
            hall.steps += 1;
        }
        if cx.tick.0.is_multiple_of(NEWS_EVERY) {
            self.news += 1;
            let news = News { number: self.news };
            cx.events.emit_to(To::Scope(Scope::ROOM), Class::Reliable, news);
        }
        let rows = Rows::of(&cx.world);
        record(|it| {
            let past = &mut it.rooms[self.room as usize];
            past.push(rows);
            if past.len() != cx.tick.0 as usize {
                it.faults.push(format!("room {} skipped to {}", self.room, cx.tick));
            }
        });
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, _: Leave) {
        if let Some(guest) = self.guests.remove(&player) {
            cx.world.marks.despawn(guest.mark);
            cx.world.purses.despawn(guest.purse);
        }
    }

    fn command(&mut self, cx: &mut Cx<Self>, player: PlayerId, ask: Ask) -> Result<Done, Refusal> {
        let purse = self.guests.get(&player).and_then(|it| cx.world.purses.get_mut(it.purse));
        if let Some(purse) = purse {
            purse.asked += 1;
        }
        record(|it| {
            if !it.asked.insert((ask.client, ask.number)) {
                it.faults.push(format!("{ask:?} was carried out twice"));
            }
        });
        Ok(Done { number: ask.number })
    }
}
