//! Shots, hits, crashes, points.

use super::*;
use crate::games::arena::combat::split;

#[test]
fn firing_waits_for_the_cooldown_and_uses_ammunition_that_comes_back() {
    let (mut duel, ada, _) = Match::duel();
    duel.place(ada, (0.0, 500.0), 64);
    duel.steer(ada, FIRE);
    let mut fired_at = Vec::new();
    for tick in 0..400u32 {
        let fired = duel.step().iter().any(|(class, event)| {
            *class == Class::Transient && *event == Event::Fired { player: ada }
        });
        if fired {
            fired_at.push(tick);
        }
        assert!(duel.cx.world.shots.len() <= 5);
    }
    let gaps: Vec<u32> = fired_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps[..12], [COOLDOWN_TICKS; 12], "while there is ammunition");
    assert_eq!(gaps[gaps.len() - 5..], [RELOAD_TICKS; 5], "then as fast as it is loaded");
    assert_eq!(duel.gear(ada).ammo, 0);
    duel.steer(ada, HANDS_OFF);
    duel.steps(RELOAD_TICKS * u32::from(AMMO));
    assert_eq!(duel.gear(ada).ammo, AMMO);
    let resting = *duel.gear(ada);
    duel.steps(50);
    assert_eq!(*duel.gear(ada), resting, "a full row rests");
    assert_eq!(duel.cx.world.shots.len(), 0, "shots fade");
}

#[test]
fn three_hits_are_one_kill() {
    let (mut duel, ada, bob) = Match::duel();
    duel.steer(ada, FIRE);
    let mut events = Vec::new();
    while duel.score(ada).kills == 0 {
        events.extend(duel.step());
        assert!(events.len() < 100);
    }
    duel.steer(ada, HANDS_OFF);
    events.extend(duel.steps(LAUNCH_TICKS - 1));
    assert_eq!(kills(&events), [(Some(ada), bob)]);
    let names = events.iter().find_map(|(_, event)| match event {
        Event::Kill { killer: Some(killer), victim } => Some([&*killer.name, &*victim.name]),
        _ => None,
    });
    assert_eq!(names, Some(["Ada", "Bob"]));
    let bursts = events.iter().filter(|(_, event)| matches!(event, Event::Explosion { .. }));
    assert_eq!(bursts.count(), 1);
    let (winner, loser) = (duel.score(ada), duel.score(bob));
    assert_eq!((winner.points, winner.kills, winner.deaths), (KILL_POINTS, 1, 0));
    assert_eq!((loser.points, loser.kills, loser.deaths), (0, 0, 1));
}

#[test]
fn two_who_kill_in_the_same_step_share_one_kill() {
    let (mut duel, ada, bob) = Match::duel();
    let eve = duel.join("Eve");
    duel.steps(SAFE_TICKS);
    duel.place(ada, (-100.0, 0.0), 0);
    duel.place(eve, (100.0, 0.0), 128);
    duel.place(bob, (0.0, 0.0), 0);
    duel.ship(bob).unwrap().hp = 1;
    duel.steer(ada, FIRE);
    duel.steer(eve, FIRE);
    duel.step();
    duel.steer(ada, HANDS_OFF);
    duel.steer(eve, HANDS_OFF);
    let events = duel.steps(20);
    assert_eq!(kills(&events).len(), 1);
    assert_eq!(duel.score(ada).kills + duel.score(eve).kills, 1);
    assert_eq!(duel.score(bob).deaths, 1);
}

#[test]
fn a_lost_ship_comes_back_whole_loaded_and_safe_until_it_fires() {
    let (mut duel, ada, bob) = Match::duel();
    let old = duel.game.pilots[&bob].ship;
    assert!(duel.game.harm(&mut duel.cx, bob, HP, Some(ada)));
    assert!(!duel.game.harm(&mut duel.cx, bob, HP, Some(ada)), "it is gone");
    let due = duel.cx.tick.after(LAUNCH_TICKS);
    assert_eq!(duel.gear(bob).launch_at, due, "its pilot knows when");
    duel.steps(LAUNCH_TICKS - 1);
    assert!(duel.ship(bob).is_none());
    duel.step();
    let ship = *duel.ship(bob).unwrap();
    assert!(ship.safe && ship.hp == HP && duel.game.pilots[&bob].ship != old);
    assert_eq!((duel.gear(bob).ammo, duel.gear(bob).launch_at), (AMMO, Tick(0)));

    let aim = |duel: &mut Match| {
        let (mut ship, gear) = (*duel.ship(bob).unwrap(), *duel.gear(bob));
        (ship.x, ship.y) = (200.0, 0.0);
        *duel.ship(bob).unwrap() = ship;
        *duel.gear(bob) = gear;
    };
    aim(&mut duel);
    duel.steer(ada, FIRE);
    duel.steps(COOLDOWN_TICKS * 3);
    assert_eq!(duel.ship(bob).unwrap().hp, HP, "shots pass it");
    duel.steer(ada, HANDS_OFF);
    duel.steer(bob, FIRE);
    duel.step();
    assert!(!duel.ship(bob).unwrap().safe);
}

#[test]
fn shots_hit_around_the_edge_and_not_their_own_ship() {
    let (mut duel, ada, bob) = Match::duel();
    duel.place(ada, (2000.0, 0.0), 0);
    duel.place(bob, (-2000.0, 0.0), 0);
    duel.steer(ada, FIRE);
    duel.steps(12);
    assert!(duel.ship(bob).unwrap().hp < HP);
    assert_eq!(duel.ship(ada).unwrap().hp, HP);
}

#[test]
fn rocks_split_into_two_smaller_until_nothing_is_left() {
    let (mut duel, ada, bob) = Match::duel();
    duel.place(bob, (0.0, -1500.0), 0);
    duel.rock(300.0, 0.0, 3);
    let mut bursts = [0; 4];
    duel.steer(ada, FIRE);
    for _ in 0..40 {
        for (class, event) in duel.step() {
            if let Event::Explosion { size, .. } = event {
                assert_eq!(class, Class::Transient);
                bursts[usize::from(size)] += 1;
            }
        }
        if bursts[3] == 1 {
            break;
        }
    }
    assert_eq!(bursts, [0, 0, 0, 1]);
    assert_eq!(duel.score(ada).points, ROCK_POINTS);
    let sizes =
        |duel: &Match| duel.cx.world.rocks.iter().map(|(_, it)| it.size).collect::<Vec<_>>();
    assert_eq!(sizes(&duel), [2, 2]);
    for expected in [2, 1] {
        for id in duel.cx.world.rocks.ids().collect::<Vec<_>>() {
            assert_eq!(split(&mut duel.cx, id), Some(expected));
            assert_eq!(split(&mut duel.cx, id), None, "once");
        }
    }
    assert!(duel.cx.world.rocks.is_empty());
}

#[test]
fn a_rock_breaks_on_a_ship_and_a_large_one_breaks_the_ship_too() {
    for (size, left) in [(1, Some(2)), (2, Some(1)), (3, None)] {
        let (mut duel, ada, bob) = Match::duel();
        duel.place(bob, (0.0, -1500.0), 0);
        duel.rock(10.0, 0.0, size);
        let mut events = duel.step();
        assert_eq!(duel.ship(ada).map(|ship| ship.hp), left);
        let pieces = if size == 1 { 0 } else { 2 };
        assert_eq!(duel.cx.world.rocks.len(), pieces);
        events.extend(duel.steps(CRASH_SAFE_TICKS - 1));
        assert_eq!(duel.ship(ada).map(|ship| ship.hp), left, "its pieces do nothing for a while");
        let killed = if left.is_none() { vec![(None, ada)] } else { vec![] };
        assert_eq!(kills(&events), killed);
        assert_eq!(duel.score(ada).points, 0);
    }
}

#[test]
fn rocks_come_back_up_to_their_number() {
    let mut calm = Match::new(5, Options { rocks: 3, ..Options::default() });
    for id in calm.cx.world.rocks.ids().take(2).collect::<Vec<_>>() {
        calm.cx.world.rocks.despawn(id);
    }
    calm.steps(ROCK_TICKS);
    assert_eq!(calm.cx.world.rocks.len(), 2);
    calm.steps(ROCK_TICKS * 5);
    assert_eq!(calm.cx.world.rocks.len(), 3);
}

#[test]
fn who_reaches_the_limit_wins_and_all_begin_again() {
    let options = Options { rocks: 0, score_limit: Some(8), ..Options::default() };
    let mut race = Match::new(4, options);
    let (ada, bob) = (race.join("Ada"), race.join("Bob"));
    assert_eq!(race.cx.listing.title, "Arena: first to 8");
    let mut wins = 0;
    for _ in 0..2 {
        race.game.harm(&mut race.cx, bob, HP, Some(ada));
        let told = race.steps(LAUNCH_TICKS);
        race.game.harm(&mut race.cx, bob, HP, Some(ada));
        assert_eq!(kills(&told).len(), 1);
        let events = race.steps(LAUNCH_TICKS);
        let won = Event::Won { who: Who { player: ada, name: "Ada".to_owned() } };
        wins += events.iter().filter(|told| **told == (Class::Reliable, won.clone())).count();
        assert_eq!((race.score(ada).points, race.score(bob).deaths), (0, 0));
    }
    assert_eq!(wins, 2);
}
