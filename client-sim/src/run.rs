//! A run, from asking the server what it has to the report.

use std::fmt;
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::course::Course;
use crate::meter::{memory, process_cpu};
use crate::net::{Door, DoorError, Game};
use crate::plan::plan;
use crate::report::{Ending, Findings, Report, build};
use crate::settings::{Mix, Settings};
use crate::signals::Signals;
use crate::swarm::{Beat, Outcome, Swarm};
use crate::view::{Scene, View};

/// How often a view is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// What a program exits with that is interrupted.
const INTERRUPTED: i32 = 130;

/// Why there is no run. Each says what to do.
#[derive(Debug)]
pub(crate) enum RunError {
    /// Nobody is there, or somebody else.
    Door {
        url: String,
        error: DoorError,
    },
    /// No such game, or several.
    Game(String),
    /// The settings do not fit the game.
    Settings(String),
    /// The server makes no such room.
    Refused(String),
    System(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Door { url, error: DoorError::Stranger(what) } => write!(
                f,
                "there is something at {url}, but not a Tickwire server: {what}. Check --url"
            ),
            RunError::Door { url, error: DoorError::Http(error) } => write!(
                f,
                "no server at {url}: {error}. Start one (cargo run --release), or give its \
                 address with --url"
            ),
            RunError::Game(why) | RunError::Settings(why) => f.write_str(why),
            RunError::Refused(why) => {
                write!(f, "the server makes no such room: {why}. Check --room-options")
            }
            RunError::System(error) => write!(f, "the system has no thread to give: {error}"),
        }
    }
}

/// Runs the swarm and reports.
pub(crate) async fn run(settings: &Settings) -> Result<Report, RunError> {
    let mut signals = Signals::new().map_err(RunError::System)?;
    let door = Door::new(settings.url.clone());
    let games = tokio::select! {
        games = door.games() => games,
        () = signals.next() => std::process::exit(INTERRUPTED),
    };
    let games = games.map_err(|error| RunError::Door { url: settings.url.to_string(), error })?;
    let game = choose(&games, settings.game.as_deref())?;
    let mix = settings.behaviour.clone().unwrap_or_else(|| Mix::for_game(&game.name));
    if game.name != "arena" && mix.0.iter().any(|(behaviour, _)| behaviour.is_arena()) {
        let why =
            format!("wander and hunt are for the arena; {} has --behaviour random", game.name);
        return Err(RunError::Settings(why));
    }
    let plans = plan(settings, &mix);
    let (memory_before, cpu_before) = (memory(), process_cpu());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (beats, mut told) = mpsc::unbounded_channel();
    let began = Instant::now();
    let swarm = Swarm::start(settings, game, plans.clone(), began, &beats);
    let swarm = swarm.map_err(RunError::System)?;
    drop(beats);
    let mut course = Course::new(settings.threads);
    let stage = Stage { settings, game, began };
    let (ending, memory_after) = stage.watch(&swarm, &mut course, &mut told, &mut signals).await;
    let outcomes = swarm.join().map_err(RunError::System)?;
    course.finish();
    if let Some(why) = refusal(&outcomes) {
        return Err(RunError::Refused(why));
    }
    Ok(build(&Findings {
        settings,
        mix: &mix,
        game,
        plans: &plans,
        course: &course,
        outcomes: &outcomes,
        started_unix_ms: u64::try_from(started.as_millis()).unwrap_or_default(),
        took: began.elapsed(),
        ending,
        cpu: process_cpu().saturating_sub(cpu_before),
        memory: memory_before.zip(memory_after),
    }))
}

/// The game that was named, or the only one.
fn choose<'a>(games: &'a [Game], name: Option<&str>) -> Result<&'a Game, RunError> {
    let names = || games.iter().map(|game| game.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, games) {
        (None, [only]) => Ok(only),
        (None, []) => Err(RunError::Game("the server has no games".to_owned())),
        (None, _) => Err(RunError::Game(format!("name one game with --game: {}", names()))),
        (Some(name), _) => games.iter().find(|game| game.name == name).ok_or_else(|| {
            RunError::Game(format!("the server has no game `{name}`; it has: {}", names()))
        }),
    }
}

/// Why no room can be made, if nobody got in for that.
fn refusal(outcomes: &[Outcome]) -> Option<String> {
    let nobody = outcomes.iter().all(|outcome| outcome.failed == outcome.arrived);
    outcomes.iter().find_map(|outcome| outcome.refused.clone()).filter(|_| nobody)
}

/// What a view is told of, whatever happens.
struct Stage<'a> {
    settings: &'a Settings,
    game: &'a Game,
    began: Instant,
}

impl Stage<'_> {
    /// Follows the run until all threads have ended. The second request to stop ends
    /// the program.
    async fn watch(
        &self,
        swarm: &Swarm,
        course: &mut Course,
        told: &mut mpsc::UnboundedReceiver<Beat>,
        signals: &mut Signals,
    ) -> (Ending, Option<u64>) {
        let mut view = View::new(self.settings);
        let (mut ending, mut memory_most) = (Ending::Time, None);
        let mut draw = interval(DRAW_EVERY);
        draw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut complete = false;
            tokio::select! {
                beat = told.recv() => match beat {
                    Some(beat) => {
                        complete = course.add(&beat);
                        memory_most = memory_most.max(memory());
                    }
                    None => break,
                },
                () = signals.next() => self.interrupt(swarm, &mut ending, &mut view),
                () = view.interrupted() => self.interrupt(swarm, &mut ending, &mut view),
                _ = draw.tick() => {}
            }
            let scene = Scene {
                settings: self.settings,
                game: &self.game.name,
                course,
                elapsed: self.began.elapsed(),
                stopping: ending == Ending::Interrupted,
            };
            view.show(&scene, complete);
        }
        view.close();
        (ending, memory_most)
    }

    fn interrupt(&self, swarm: &Swarm, ending: &mut Ending, view: &mut View) {
        if *ending == Ending::Interrupted {
            view.close();
            std::process::exit(INTERRUPTED);
        }
        *ending = Ending::Interrupted;
        swarm.stop();
    }
}
