//! The swarm: threads of bots, from the first arrival to the end of the run.
//!
//! Each thread has its own runtime, its own rooms and its own tally, and shares
//! nothing with the others. It hands over a [`Beat`] a second, and its [`Outcome`]
//! in the end.

use std::io;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::bot::Bot;
use crate::crew::Crew;
use crate::meter::thread_cpu;
use crate::net::{Door, Game};
use crate::plan::BotPlan;
use crate::settings::Settings;
use crate::tally::{Gauges, Second, Tally};

/// How often a thread looks at the clock, to know how late it is.
const PULSE: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

/// A second of one thread.
#[derive(Debug)]
pub(crate) struct Beat {
    /// Which second of the run.
    pub(crate) index: usize,
    pub(crate) second: Second,
}

/// What a thread has to say in the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// How things stood when the run ended.
    pub(crate) gauges: Gauges,
    /// Bots that had arrived.
    pub(crate) arrived: u64,
    /// Those of them that never were in a room.
    pub(crate) failed: u64,
    /// Why the server makes no room, if it says that it never will.
    pub(crate) refused: Option<String>,
}

/// Threads that run.
#[derive(Debug)]
pub(crate) struct Swarm {
    threads: Vec<JoinHandle<io::Result<Outcome>>>,
    stop: watch::Sender<bool>,
}

/// What a thread is given.
struct Job {
    plans: Vec<BotPlan>,
    door: Door,
    game: Game,
    settings: Settings,
    began: Instant,
    beats: mpsc::UnboundedSender<Beat>,
    stop: watch::Receiver<bool>,
}

impl Swarm {
    /// Starts all threads.
    pub(crate) fn start(
        settings: &Settings,
        game: &Game,
        plans: Vec<BotPlan>,
        began: Instant,
        beats: &mpsc::UnboundedSender<Beat>,
    ) -> io::Result<Swarm> {
        let (stop, stopped) = watch::channel(false);
        let mut shares: Vec<Vec<BotPlan>> = vec![Vec::new(); settings.threads];
        for plan in plans {
            // All of a room are on one thread.
            shares[plan.room % settings.threads].push(plan);
        }
        let threads = shares.into_iter().enumerate().map(|(index, plans)| {
            let job = Job {
                plans,
                door: Door::new(settings.url.clone()),
                game: game.clone(),
                settings: settings.clone(),
                began,
                beats: beats.clone(),
                stop: stopped.clone(),
            };
            thread::Builder::new().name(format!("bots-{index}")).spawn(move || run(job))
        });
        Ok(Swarm { threads: threads.collect::<io::Result<_>>()?, stop })
    }

    /// Ends the run early.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for all threads, which end by themselves.
    pub(crate) fn join(self) -> io::Result<Vec<Outcome>> {
        let joined = self.threads.into_iter().map(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    }
}

fn run(job: Job) -> io::Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    Ok(runtime.block_on(drive(job)))
}

/// The life of a thread.
async fn drive(job: Job) -> Outcome {
    let Job { plans, door, game, settings, began, beats, mut stop } = job;
    let Settings { room_options, rooms, resume, seconds, .. } = settings;
    let crew = Rc::new(Crew::new(door, game, room_options, rooms, resume, began));
    let refused = crew.end.notified();
    tokio::pin!(refused);
    let mut bots = JoinSet::new();
    let mut plans = plans.into_iter().peekable();
    let mut beat = Heart { began, beats, index: 0, cpu: thread_cpu() };
    let (until, mut pulse, mut arrived) = (began + seconds, began, 0);
    loop {
        let now = Instant::now();
        while pulse <= now {
            // Each pulse that was missed counts: how late a thread is does not hide how often.
            crew.tally.borrow_mut().late(now.duration_since(pulse));
            pulse += PULSE;
        }
        while let Some(plan) = plans.next_if(|plan| began + plan.arrives <= now) {
            bots.spawn_local(Bot::new(plan, crew.clone(), crew.now()).play());
            arrived += 1;
        }
        if beat.next() <= now {
            beat.strike(&crew);
            continue;
        }
        if until <= now {
            break;
        }
        let arrival = plans.peek().map_or(until, |plan| began + plan.arrives);
        let wake = pulse.min(beat.next()).min(arrival.max(now)).min(until);
        tokio::select! {
            () = sleep_until(wake.into()) => {}
            // The sender lives as long as the run.
            _ = stop.changed() => break,
            () = &mut refused => break,
        }
    }
    let gauges = crew.tally.borrow().gauges;
    crew.stop();
    let mut failed = 0;
    while let Some(ended) = bots.join_next().await {
        match ended {
            Ok(joined) => failed += u64::from(!joined),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    crew.tally.borrow_mut().gauges = gauges;
    beat.strike(&crew);
    let mut tally = crew.tally.borrow().clone();
    tally.events_lost = crew.events_lost();
    let refused = crew.refused.borrow().clone();
    Outcome { tally, gauges, arrived, failed, refused }
}

/// Hands over the seconds.
struct Heart {
    began: Instant,
    beats: mpsc::UnboundedSender<Beat>,
    /// Which second is under way.
    index: usize,
    /// CPU time of the thread when it began.
    cpu: Duration,
}

impl Heart {
    /// When the second is over.
    fn next(&self) -> Instant {
        self.began + SECOND * (self.index as u32 + 1)
    }

    fn strike(&mut self, crew: &Crew) {
        let mut second = crew.tally.borrow_mut().turn();
        let cpu = thread_cpu();
        second.cpu = cpu.saturating_sub(std::mem::replace(&mut self.cpu, cpu));
        // Nobody listens only if the program is about to end.
        let _ = self.beats.send(Beat { index: self.index, second });
        self.index += 1;
    }
}
