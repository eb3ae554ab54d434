//! A server with two games: the arena, and a small one that no bot has ever seen.
//!
//! What the swarm's tests run against, and what its cost is measured with:
//!
//! ```text
//! cargo run --release -p tickwire-client-sim --example pond -- --listen 127.0.0.1:0
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Deserialize;
use tickwire::config::Config;
use tickwire::game::{Cx, Game, Inputs, Leave, PlayerId, Refusal};
use tickwire::games::arena::Arena;
use tickwire::server::Server;
use tickwire_protocol::{Entity, Id, Message, Table, Value, World};

/// All that swims.
#[derive(World)]
struct Water {
    fish: Table<Fish>,
}

/// A player's fish.
#[derive(Entity, Clone, PartialEq, Default)]
struct Fish {
    player: u32,
    #[net(min = -100, max = 100, step = 0.125, motion)]
    x: f32,
    #[net(min = -100, max = 100, step = 0.125, motion)]
    y: f32,
    #[net(max_bytes = 64)]
    name: String,
}

/// Where to swim.
#[derive(Message, Clone, PartialEq, Default)]
struct Swim {
    #[net(min = -1, max = 1, step = 0.25)]
    x: f32,
    #[net(min = -1, max = 1, step = 0.25)]
    y: f32,
    splash: Option<u8>,
    mood: Mood,
}

#[derive(Value, Clone, PartialEq, Default)]
enum Mood {
    #[default]
    Calm,
    Hungry {
        for_what: u8,
    },
}

#[derive(Message, Clone, PartialEq, Default)]
struct Nothing {}

/// Somebody splashed.
#[derive(Message, Clone, PartialEq)]
struct Splash {
    player: u32,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Nobody comes in.
    closed: bool,
}

struct Pond {
    fish: BTreeMap<PlayerId, Id<Fish>>,
}

impl Game for Pond {
    const NAME: &'static str = "pond";
    const TICK_HZ: u32 = 20;
    const SEATS_MAX: usize = 200;
    type World = Water;
    type Input = Swim;
    type Command = Nothing;
    type Reply = Nothing;
    type Event = Splash;
    type Options = Options;

    fn create(options: Options, _: &mut Cx<Self>) -> Result<Self, Refusal> {
        if options.closed {
            return Err(Refusal::new(100, "the pond is closed"));
        }
        Ok(Pond { fish: BTreeMap::new() })
    }

    fn join(&mut self, cx: &mut Cx<Self>, player: PlayerId) -> Result<(), Refusal> {
        let name = cx.player(player).map(|it| it.name.clone()).unwrap_or_default();
        let fish = cx.world.fish.spawn(Fish { player: player.0, name, ..Fish::default() });
        self.fish.insert(player, fish);
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, inputs: &Inputs<Swim>) {
        for (&player, &fish) in &self.fish {
            let swim = inputs.of(player);
            let slow = if let Mood::Hungry { for_what } = swim.mood { for_what & 1 } else { 0 };
            if let Some(fish) = cx.world.fish.get_mut(fish) {
                fish.x = (fish.x + swim.x - f32::from(slow) * 0.125).clamp(-100.0, 100.0);
                fish.y = (fish.y + swim.y).clamp(-100.0, 100.0);
            }
            if swim.splash == Some(0) {
                cx.events.emit(Splash { player: player.0 });
            }
        }
    }

    fn leave(&mut self, cx: &mut Cx<Self>, player: PlayerId, _: Leave) {
        if let Some(fish) = self.fish.remove(&player) {
            cx.world.fish.despawn(fish);
        }
    }
}

fn main() -> ExitCode {
    let config = match Config::from_sources(std::env::args_os(), |name| std::env::var_os(name)) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            let server = Server::builder().game::<Pond>().game::<Arena>().config(config);
            let server = server.bind().await.map_err(|error| error.to_string())?;
            println!("ponds are at {}", server.url());
            server.run_until(std::future::pending::<()>()).await;
            Ok(())
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
