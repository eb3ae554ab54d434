//! The plan: which bot does what, and when, drawn from the seed before anything runs.
//!
//! Pure: the same settings and seed give the same plan. What a run cannot decide
//! beforehand (when a server answers) is not in it; times count from when a bot is
//! first in its room, or from the start of the run for arrivals.

use std::time::Duration;

use crate::dice::Dice;
use crate::settings::{Behaviour, ByteRate, Delay, Mix, Settings};

/// What each draw is for: bots do not change when another kind of draw is added.
mod purpose {
    pub(super) const FAULTS: u64 = 1;
    pub(super) const DECODE: u64 = 2;
    pub(super) const BEHAVIOUR: u64 = 3;
    pub(super) const NAME: u64 = 4;
    pub(super) const EPISODES: u64 = 5;
    pub(super) const CHURN: u64 = 6;
    pub(super) const SESSION: u64 = 7;
    pub(super) const PLAY: u64 = 8;
    pub(super) const LINK: u64 = 9;
    pub(super) const ATTACK: u64 = 10;
}

/// Who leaves stays away for so long.
const AWAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
/// A hostile bot waits for so long between two attacks.
const BETWEEN_ATTACKS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// What is wrong with a bot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Trouble {
    /// Hangs for so long, again and again.
    Stall(Duration),
    /// Reads at most so much.
    Slow(ByteRate),
    /// Everything arrives later.
    Lag(Delay),
    /// Loses its connection about so often.
    Cut(Duration),
    /// Sends what no client sends.
    Hostile,
}

/// One bot.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct BotPlan {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) room: usize,
    /// From the start of the run.
    pub(crate) arrives: Duration,
    pub(crate) behaviour: Behaviour,
    pub(crate) trouble: Option<Trouble>,
    /// Whether it decodes the state.
    pub(crate) decodes: bool,
    /// The mean time between its departures; none if it stays.
    pub(crate) leaves_every: Option<Duration>,
    seed: u64,
}

/// All bots, in the order of their arrival.
pub(crate) fn plan(settings: &Settings, mix: &Mix) -> Vec<BotPlan> {
    let count = settings.bots;
    let troubles = troubles(settings);
    let decodes = chosen(settings.seed, purpose::DECODE, count, settings.decode.0.of(count));
    let behaviours = behaviours(settings, mix);
    // A share c of the bots leaves within a minute: each on average once in 1/c minutes.
    let churn = settings.churn.fraction();
    let leaves_every = (churn > 0.0).then(|| Duration::from_secs(60).div_f64(churn));
    let bot = |index| BotPlan {
        index,
        name: name(settings.seed, index),
        room: index % settings.rooms,
        arrives: Duration::from_secs_f64(index as f64 / settings.ramp.0),
        behaviour: behaviours[index],
        trouble: troubles[index],
        decodes: decodes[index],
        leaves_every,
        seed: settings.seed,
    };
    (0..count).map(bot).collect()
}

/// The fault of each bot: exact shares of a shuffled crowd.
fn troubles(settings: &Settings) -> Vec<Option<Trouble>> {
    let faults = &settings.faults;
    let kinds = [
        faults.stall.map(|it| (it.share, Trouble::Stall(it.span.0))),
        faults.slow.map(|it| (it.share, Trouble::Slow(it.rate))),
        faults.lag.map(|it| (it.share, Trouble::Lag(it.delay))),
        faults.cut.map(|it| (it.share, Trouble::Cut(it.span.0))),
        faults.hostile.map(|share| (share, Trouble::Hostile)),
    ];
    let mut crowd: Vec<usize> = (0..settings.bots).collect();
    Dice::of(settings.seed, purpose::FAULTS, 0).shuffle(&mut crowd);
    let mut crowd = crowd.into_iter();
    let mut troubles = vec![None; settings.bots];
    for (share, trouble) in kinds.into_iter().flatten() {
        for index in crowd.by_ref().take(share.of(settings.bots)) {
            troubles[index] = Some(trouble);
        }
    }
    troubles
}

/// `take` of `count`, by chance.
fn chosen(seed: u64, purpose: u64, count: usize, take: usize) -> Vec<bool> {
    let mut chosen: Vec<bool> = (0..count).map(|index| index < take).collect();
    Dice::of(seed, purpose, 0).shuffle(&mut chosen);
    chosen
}

fn behaviours(settings: &Settings, mix: &Mix) -> Vec<Behaviour> {
    let last = mix.0.last().map_or(Behaviour::Random, |it| it.0);
    let parts = mix.0.iter();
    let mut behaviours: Vec<Behaviour> = parts
        .flat_map(|(behaviour, share)| vec![*behaviour; share.of(settings.bots)])
        .chain(std::iter::repeat(last))
        .take(settings.bots)
        .collect();
    Dice::of(settings.seed, purpose::BEHAVIOUR, 0).shuffle(&mut behaviours);
    behaviours
}

fn name(seed: u64, index: usize) -> String {
    const FIRST: [&str; 16] = [
        "Amber", "Brisk", "Calm", "Deft", "Eager", "Fleet", "Glad", "Hardy", "Idle", "Jolly",
        "Keen", "Lucky", "Mild", "Nimble", "Odd", "Proud",
    ];
    const LAST: [&str; 16] = [
        "Auk", "Bison", "Crane", "Dingo", "Egret", "Finch", "Gecko", "Heron", "Ibis", "Jackal",
        "Kite", "Lynx", "Mole", "Newt", "Otter", "Plover",
    ];
    let mut dice = Dice::of(seed, purpose::NAME, index);
    let mut word = |words: [&'static str; 16]| words[dice.below(16) as usize];
    format!("{} {} {index}", word(FIRST), word(LAST))
}

impl BotPlan {
    /// For the session's own choices, such as when to reconnect.
    pub(crate) fn session_seed(&self) -> u64 {
        self.dice(purpose::SESSION).next()
    }

    /// What the controls are drawn with.
    pub(crate) fn play_dice(&self) -> Dice {
        self.dice(purpose::PLAY)
    }

    /// What delays and masks are drawn with.
    pub(crate) fn link_dice(&self) -> Dice {
        self.dice(purpose::LINK)
    }

    /// What malformed messages are drawn with.
    pub(crate) fn attack_dice(&self) -> Dice {
        self.dice(purpose::ATTACK)
    }

    /// When something happens to it.
    pub(crate) fn episodes(&self) -> Episodes {
        Episodes { trouble: self.trouble, dice: self.dice(purpose::EPISODES) }
    }

    /// When it leaves, and how long it stays away.
    pub(crate) fn departures(&self) -> Departures {
        Departures { every: self.leaves_every, dice: self.dice(purpose::CHURN) }
    }

    fn dice(&self, purpose: u64) -> Dice {
        Dice::of(self.seed, purpose, self.index)
    }
}

/// What happens to a bot whose trouble comes and goes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Episode {
    /// It hangs for so long.
    Stall(Duration),
    /// Its connection is gone.
    Cut,
    /// It sends something malformed.
    Attack,
}

/// Draws a bot's episodes, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Episodes {
    trouble: Option<Trouble>,
    dice: Dice,
}

impl Episodes {
    /// The next, and how long it is to it from the end of the one before.
    pub(crate) fn next(&mut self) -> Option<(Duration, Episode)> {
        match self.trouble? {
            Trouble::Stall(span) => {
                Some((self.dice.time(span / 2, span * 3 / 2), Episode::Stall(span)))
            }
            Trouble::Cut(every) => Some((self.dice.time(every / 2, every * 3 / 2), Episode::Cut)),
            Trouble::Hostile => {
                let (low, high) = BETWEEN_ATTACKS;
                Some((self.dice.time(low, high), Episode::Attack))
            }
            Trouble::Slow(_) | Trouble::Lag(_) => None,
        }
    }
}

/// Draws a bot's departures, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Departures {
    every: Option<Duration>,
    dice: Dice,
}

impl Departures {
    /// How long it stays, and then stays away.
    pub(crate) fn next(&mut self) -> Option<(Duration, Duration)> {
        let every = self.every?;
        Some((self.dice.wait(every), self.dice.time(AWAY.0, AWAY.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Arguments, Order};
    use clap::Parser;

    fn settings(rest: &str) -> Settings {
        let line = format!("client-sim --url http://x {rest}");
        match Arguments::try_parse_from(line.split_whitespace()).unwrap().order().unwrap() {
            Order::Run(settings) => *settings,
            Order::Compare(_) => unreachable!("no such word in the line"),
        }
    }

    fn drawn(rest: &str) -> Vec<BotPlan> {
        plan(&settings(rest), &Mix::for_game("arena"))
    }

    const ALL_FAULTS: &str = "--bots 200 --rooms 7 --stall 10%:5s --slow 5%:20kB/s \
                              --lag 10%:100ms --cut 5%:10s --hostile 2% --churn 30%";

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_gives_another() {
        let (a, b) = (drawn(ALL_FAULTS), drawn(ALL_FAULTS));
        assert_eq!(a, b);
        for (a, b) in a.iter().zip(&b) {
            let (mut one, mut other) = (a.episodes(), b.episodes());
            let (mut goes, mut leaves) = (a.departures(), b.departures());
            for _ in 0..20 {
                assert_eq!(one.next(), other.next());
                assert_eq!(goes.next(), leaves.next());
            }
        }
        assert_ne!(a, drawn(&format!("{ALL_FAULTS} --seed 2")));
    }

    #[test]
    fn shares_are_exact_and_rooms_equally_full() {
        let plan = drawn(ALL_FAULTS);
        let count =
            |is: fn(Trouble) -> bool| plan.iter().filter(|bot| bot.trouble.is_some_and(is)).count();
        assert_eq!(count(|it| matches!(it, Trouble::Stall(_))), 20);
        assert_eq!(count(|it| matches!(it, Trouble::Slow(_))), 10);
        assert_eq!(count(|it| matches!(it, Trouble::Lag(_))), 20);
        assert_eq!(count(|it| matches!(it, Trouble::Cut(_))), 10);
        assert_eq!(count(|it| matches!(it, Trouble::Hostile)), 4);
        for room in 0..7 {
            let players = plan.iter().filter(|bot| bot.room == room).count();
            assert!((28..=29).contains(&players), "{players} in room {room}");
        }
        let sample = drawn("--bots 200 --decode sample:10%");
        assert_eq!(sample.iter().filter(|bot| bot.decodes).count(), 20);
    }

    #[test]
    fn a_fault_more_does_not_change_how_anybody_plays() {
        let (calm, faulty) = (drawn("--bots 100"), drawn("--bots 100 --cut 50%:1s"));
        for (calm, faulty) in calm.iter().zip(&faulty) {
            assert_eq!((&calm.name, calm.behaviour), (&faulty.name, faulty.behaviour));
            assert_eq!(calm.play_dice(), faulty.play_dice());
        }
    }

    #[test]
    fn departures_are_as_often_as_the_churn_says() {
        let plan = drawn("--bots 50 --churn 50%");
        let mut stays = Duration::ZERO;
        for bot in &plan {
            let mut departures = bot.departures();
            stays += (0..40).map(|_| departures.next().unwrap().0).sum::<Duration>();
        }
        let mean = stays.as_secs_f64() / (50.0 * 40.0);
        assert!((mean - 120.0).abs() < 12.0, "{mean} s");
        assert_eq!(drawn("--bots 2")[1].departures().next(), None);
    }
}
