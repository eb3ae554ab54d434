//! A small game: every player has a dot that moves, and a wish for anything else.

use tickwire::game::{Class, Cx, Game, Inputs, Leave, PlayerId, Presence, Refusal, To};
use tickwire_protocol::{Entity, Id, Message, Scope, Table, World};

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Dot {
    #[net(min = -512, max = 512, step = 0.125, motion)]
    pub(crate) x: f32,
    pub(crate) owner: u32,
}

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Secret {
    pub(crate) owner: u32,
}

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Wall {
    #[net(max_bytes = 4096)]
    pub(crate) text: String,
}

#[derive(World, Debug)]
pub(crate) struct Board {
    pub(crate) dots: Table<Dot>,
    pub(crate) secrets: Table<Secret>,
    pub(crate) walls: Table<Wall>,
}

#[derive(Message, Clone, PartialEq, Debug, Default)]
pub(crate) struct Push {
    pub(crate) by: i8,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Wish {
    /// Answered with the same number.
    Echo(u32),
    /// Refused.
    No,
    /// So many events of so many bytes, to the room.
    Shout {
        events: u16,
        bytes: u16,
        reliable: bool,
    },
    /// Puts up so many walls of 4 KB each.
    Build(u16),
    /// Removes a player.
    Kick(u32),
    /// Ends the room.
    End,
    Lock,
    /// Sets how many seats there are.
    Seats(u16),
    /// The player who asks goes by another name.
    Rename(String),
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Noise {
    pub(crate) number: u32,
    #[net(max_bytes = 4096)]
    pub(crate) text: String,
}

/// The answer to a wish.
#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Granted(u32);

/// What the game was told.
pub(crate) type Diary = Vec<String>;

pub(crate) struct Dots {
    dots: Vec<(PlayerId, Id<Dot>)>,
    noises: u32,
    pub(crate) diary: Diary,
    /// The controls of the last step.
    pub(crate) pushes: Vec<i8>,
}

impl Game for Dots {
    const NAME: &'static str = "dots";
    const TICK_HZ: u32 = 20;
    const SEATS_MAX: usize = 64;
    type World = Board;
    type Input = Push;
    type Command = Wish;
    type Reply = Granted;
    type Event = Noise;
    type Options = ();

    fn create(_: (), cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        for n in 0..4 {
            cx.world.dots.spawn(Dot { x: n as f32, owner: 0 });
        }
        Ok(Dots { dots: Vec::new(), noises: 0, diary: Diary::new(), pushes: Vec::new() })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        let seat = cx.player(player).expect("joins");
        if seat.name == "Eve" {
            return Err(Refusal::new(100, "not you"));
        }
        let private = seat.private;
        cx.world.secrets.spawn_in(private, Secret { owner: player.0 });
        let dot = cx.world.dots.spawn(Dot { x: 0.0, owner: player.0 });
        self.dots.push((player, dot));
        self.diary.push(format!("join {}", player.0));
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Push>) {
        self.pushes.clear();
        self.pushes.extend(inputs.iter().map(|(_, push)| push.by));
        for (player, dot) in &self.dots {
            let by = inputs.of(*player).by;
            if let Some(dot) = cx.world.dots.get_mut(*dot) {
                dot.x = (dot.x + 0.25 + f32::from(by)) % 500.0;
            }
        }
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, why: Leave) {
        self.diary.push(format!("leave {} {why:?}", player.0));
        self.dots.retain(|(whose, dot)| {
            let stays = *whose != player;
            if !stays {
                cx.world.dots.despawn(*dot);
            }
            stays
        });
    }

    fn presence(&mut self, _: &mut Cx<Self>, player: PlayerId, presence: Presence) {
        self.diary.push(format!("{presence:?} {}", player.0));
    }

    fn command(
        &mut self,
        cx: &mut Cx<Self>,
        player: PlayerId,
        wish: Wish,
    ) -> Result<Granted, Refusal> {
        match wish {
            Wish::Echo(number) => return Ok(Granted(number)),
            Wish::No => return Err(Refusal::new(100, "no")),
            Wish::Shout { events, bytes, reliable } => {
                for _ in 0..events {
                    let text = "x".repeat(bytes.into());
                    let noise = Noise { number: self.noises, text };
                    self.noises += 1;
                    let class = if reliable { Class::Reliable } else { Class::Transient };
                    cx.events.emit_to(To::Scope(Scope::ROOM), class, noise);
                }
            }
            Wish::Build(walls) => {
                for wall in 0..walls {
                    cx.world.walls.spawn(Wall { text: format!("{wall:04096}") });
                }
            }
            Wish::Kick(player) => cx.remove(PlayerId(player)),
            Wish::End => cx.end(),
            Wish::Lock => cx.listing.locked = true,
            Wish::Seats(count) => cx.listing.seats_max = count.into(),
            Wish::Rename(name) => drop(cx.rename(player, &name)),
        }
        Ok(Granted(0))
    }

    fn chat(&mut self, _: &mut Cx<Self>, _: PlayerId, text: &str) -> Result<(), Refusal> {
        if text == "rude" { Err(Refusal::new(100, "not here")) } else { Ok(()) }
    }

    fn dispose(&mut self, _: &mut Cx<Self>) {
        self.diary.push("dispose".into());
    }
}
