//! A game in which anything may happen, and that knows what should be seen of it.

use std::collections::{BTreeMap, BTreeSet};

use tickwire::game::{Class, Cx, Game, Inputs, Leave, OWN_SCOPES, PlayerId, Presence, Refusal, To};
use tickwire_protocol::{Entity, Id, Message, Scope, Table, Value, World};

/// Scopes that players begin and cease to watch.
pub(crate) const SHARED_SCOPES: [Scope; 3] =
    [Scope(OWN_SCOPES.start), Scope(OWN_SCOPES.start + 1), Scope(OWN_SCOPES.start + 7)];

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Ship {
    #[net(min = -64.0, max = 64.0, step = 0.0625, motion, ring)]
    pub(crate) x: f32,
    #[net(min = -64.0, max = 64.0, step = 0.0625, motion)]
    pub(crate) y: f32,
    pub(crate) hp: u8,
    pub(crate) name: String,
    pub(crate) target: Id<Ship>,
    #[net(max_len = 3)]
    pub(crate) cargo: Vec<u16>,
}

#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Purse {
    pub(crate) owner: u32,
    pub(crate) coins: u32,
}

#[derive(World, Debug)]
pub(crate) struct Sea {
    pub(crate) ships: Table<Ship>,
    pub(crate) purses: Table<Purse>,
}

#[derive(Message, Clone, PartialEq, Debug, Default)]
pub(crate) struct Press {
    pub(crate) count: u32,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Order {
    Watch(u8),
    Unwatch(u8),
    Refuse,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct Done {
    pub(crate) coins: u32,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) struct News {
    pub(crate) number: u32,
    pub(crate) text: String,
}

/// An event, and who ought to get it.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) number: u32,
    pub(crate) tick: u32,
    pub(crate) reliable: bool,
    pub(crate) whom: To,
    /// Who it was for in its tick.
    pub(crate) to: Vec<u32>,
}

/// What a player is to the game.
#[derive(Debug)]
struct Mate {
    purse: Id<Purse>,
    watches: BTreeSet<Scope>,
    /// The highest input that was in force.
    pressed: u32,
    here: bool,
}

/// `EVERY` is how many steps there are to a send.
#[derive(Debug)]
pub(crate) struct Storm<const EVERY: u32> {
    mates: BTreeMap<PlayerId, Mate>,
    /// Events since the last step ended.
    fresh: Vec<(u32, To, Class)>,
    pub(crate) log: Vec<Logged>,
    events: u32,
    pub(crate) neutral: u64,
}

impl<const EVERY: u32> Storm<EVERY> {
    fn emit(&mut self, cx: &mut Cx<Self>, to: To, class: Class) {
        let number = self.events;
        self.events += 1;
        let text = "!".repeat(number as usize % 7);
        cx.events.emit_to(to, class, News { number, text });
        self.fresh.push((number, to, class));
    }

    /// The scopes that a player watches now.
    pub(crate) fn watched(&self, player: u32) -> Option<&BTreeSet<Scope>> {
        self.mates.get(&PlayerId(player)).map(|mate| &mate.watches)
    }

    fn settle(&mut self, cx: &Cx<Self>) {
        for (number, whom, class) in self.fresh.drain(..) {
            let gets = |(player, mate): (&PlayerId, &Mate)| match whom {
                To::Player(whose) => whose == *player,
                To::Scope(scope) => mate.watches.contains(&scope),
            };
            let to = self.mates.iter().filter(|it| gets(*it)).map(|(player, _)| player.0).collect();
            let (tick, reliable) = (cx.tick.0, class == Class::Reliable);
            self.log.push(Logged { number, tick, reliable, whom, to });
        }
    }

    fn weather(&mut self, cx: &mut Cx<Self>) {
        let scope = |cx: &mut Cx<Self>| {
            let all =
                [Scope::ROOM, Scope::ROOM, SHARED_SCOPES[0], SHARED_SCOPES[1], SHARED_SCOPES[2]];
            all[below(cx, 5) as usize]
        };
        if cx.world.ships.len() < 8 && below(cx, 100) < 35 {
            let scope = scope(cx);
            let name = ["", "Ada", "Žofie"][below(cx, 3) as usize].to_owned();
            let (x, y) = (below(cx, 128) as f32 - 64.0, below(cx, 128) as f32 - 64.0);
            let ship = Ship { x, y, hp: 9, name, target: Id::NONE, cargo: Vec::new() };
            cx.world.ships.spawn_in(scope, ship);
        }
        for id in cx.world.ships.ids().collect::<Vec<_>>() {
            let dice = below(cx, 200);
            let to = scope(cx);
            let other = cx.world.ships.ids().next().unwrap_or(Id::NONE);
            match dice {
                0..6 => drop(cx.world.ships.despawn(id)),
                6..16 => drop(cx.world.ships.set_scope(id, to)),
                _ => {
                    let Some(ship) = cx.world.ships.get_mut(id) else { continue };
                    if id.slot() % 3 != 0 {
                        ship.x += 0.4 * id.slot() as f32;
                        ship.x -= if ship.x > 64.0 { 128.0 } else { 0.0 };
                        ship.y = (ship.y - 0.3).max(-64.0);
                    }
                    match dice {
                        16..30 => ship.hp = ship.hp.wrapping_mul(7),
                        30..40 => ship.cargo = vec![dice as u16; dice as usize % 4],
                        40..46 => ship.target = other,
                        46..50 => ship.name.push('x'),
                        _ => {}
                    }
                }
            }
        }
    }
}

fn below<G: Game>(cx: &mut Cx<G>, n: u32) -> u32 {
    cx.random_below(n)
}

impl<const EVERY: u32> Game for Storm<EVERY> {
    const NAME: &'static str = "storm";
    const TICK_HZ: u32 = 20;
    const SEND_EVERY: u32 = EVERY;
    type World = Sea;
    type Input = Press;
    type Command = Order;
    type Reply = Done;
    type Event = News;
    type Options = ();

    fn create(_: (), _: &mut Cx<Self>) -> Result<Self, Refusal> {
        let (mates, fresh, log) = (BTreeMap::new(), Vec::new(), Vec::new());
        Ok(Storm { mates, fresh, log, events: 0, neutral: 0 })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        let private = cx.player(player).expect("it joins").private;
        let purse = Purse { owner: player.0, coins: 3 };
        let purse = cx.world.purses.spawn_in(private, purse);
        let watches = BTreeSet::from([Scope::ROOM, private]);
        self.mates.insert(player, Mate { purse, watches, pressed: 0, here: true });
        self.emit(cx, To::Scope(Scope::ROOM), Class::Reliable);
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Press>) {
        assert_eq!(inputs.iter().count(), self.mates.len(), "everybody with a seat has controls");
        for (player, press) in inputs.iter() {
            let mate = self.mates.get_mut(&player).expect("has a seat");
            if press.count == 0 {
                self.neutral += 1;
                continue;
            }
            assert!(press.count >= mate.pressed, "an input came into force again");
            mate.pressed = press.count;
            let purse = cx.world.purses.get_mut(mate.purse).expect("has a purse");
            purse.coins = press.count;
        }
        self.weather(cx);
        for _ in 0..below(cx, 4) {
            let players: Vec<PlayerId> = self.mates.keys().copied().collect();
            let to = match below(cx, 3) {
                0 => To::Scope(SHARED_SCOPES[below(cx, 3) as usize]),
                1 if !players.is_empty() => {
                    To::Player(players[below(cx, players.len() as u32) as usize])
                }
                _ => To::Scope(Scope::ROOM),
            };
            let class = [Class::Transient, Class::Reliable][below(cx, 2) as usize];
            self.emit(cx, to, class);
        }
        self.settle(cx);
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, _why: Leave) {
        let mate = self.mates.remove(&player).expect("leaves once");
        cx.world.purses.despawn(mate.purse).expect("was there");
        self.emit(cx, To::Scope(Scope::ROOM), Class::Reliable);
    }

    fn presence(&mut self, _cx: &mut Cx<Self>, player: PlayerId, presence: Presence) {
        let mate = self.mates.get_mut(&player).expect("has a seat");
        assert_eq!(mate.here, presence == Presence::Dropped, "drops and resumes take turns");
        mate.here = presence == Presence::Resumed;
    }

    fn command(
        &mut self,
        cx: &mut Cx<Self>,
        player: PlayerId,
        command: Order,
    ) -> Result<Done, Refusal> {
        let mate = self.mates.get_mut(&player).expect("has a seat");
        match command {
            Order::Watch(which) => {
                let scope = SHARED_SCOPES[usize::from(which) % 3];
                assert!(cx.watch(player, scope));
                mate.watches.insert(scope);
            }
            Order::Unwatch(which) => {
                let scope = SHARED_SCOPES[usize::from(which) % 3];
                cx.unwatch(player, scope);
                mate.watches.remove(&scope);
            }
            Order::Refuse => return Err(Refusal::new(100, "no")),
        }
        Ok(Done { coins: mate.pressed })
    }
}

/// Rows by table, slot and generation.
pub(crate) type Snapshot = BTreeMap<(usize, u32, u32), (Scope, tickwire_protocol::dynamic::Value)>;

/// What is in a table, as a client would read it.
pub(crate) fn snapshot<T: Entity>(index: usize, table: &Table<T>, into: &mut Snapshot) {
    use tickwire_protocol::dynamic;
    use tickwire_protocol::heap::Heap;
    use tickwire_protocol::value::Attr;

    let kind = T::kind(&Attr::PLAIN);
    for (id, entity) in table.iter() {
        let (mut cells, mut heap) = (vec![0; T::cells(&Attr::PLAIN)], Heap::default());
        Value::store(entity, &Attr::PLAIN, &mut cells, &mut heap);
        let value = dynamic::Value::from_cells(&kind, &cells, &heap);
        let scope = table.scope(id).expect("it is there");
        into.insert((index, id.slot(), id.generation()), (scope, value));
    }
}
