//! The game, driven without a room: a [`Match`] is a game, its context, and the
//! controls that it holds for each player.

use std::fmt::Write as _;
use std::path::Path;

use tickwire_protocol::Scope;
use tickwire_protocol::heap::Heap;
use tickwire_protocol::table::Capture;

use super::*;
use crate::game::{Class, Player, schema_of};
use crate::world::Ledger;

mod combat;

const BURN: Steer = Steer { turn: 0, thrust: true, fire: false };
const FIRE: Steer = Steer { turn: 0, thrust: false, fire: true };
const HANDS_OFF: Steer = Steer { turn: 0, thrust: false, fire: false };

struct Match {
    game: Arena,
    cx: Cx<Arena>,
    inputs: Inputs<Steer>,
    ledger: Ledger,
}

impl Match {
    fn new(seed: u64, options: Options) -> Match {
        let mut cx = Cx::new(seed);
        let game = Arena::create(options, &mut cx).unwrap();
        let schema = schema_of::<Arena>().unwrap();
        let inputs = Inputs::new(HANDS_OFF);
        Match { game, cx, inputs, ledger: Ledger::new(&schema, 1) }
    }

    /// Two players in a space without rocks, neither of them safe.
    fn duel() -> (Match, PlayerId, PlayerId) {
        let mut duel = Match::new(1, Options { rocks: 0, ..Options::default() });
        let (ada, bob) = (duel.join("Ada"), duel.join("Bob"));
        duel.steps(SAFE_TICKS);
        duel.place(ada, (0.0, 0.0), 0);
        duel.place(bob, (200.0, 0.0), 0);
        (duel, ada, bob)
    }

    fn try_join(&mut self, name: &str) -> Result<PlayerId, Refusal> {
        let id = PlayerId(self.cx.scopes + 1);
        let private = self.cx.new_scope();
        let player = Player { id, name: name.to_owned(), connected: true, private };
        self.cx.players.insert(id, player);
        self.game.join(&mut self.cx, id).inspect_err(|_| drop(self.cx.players.remove(&id)))?;
        self.inputs.hold(id, HANDS_OFF);
        Ok(id)
    }

    fn join(&mut self, name: &str) -> PlayerId {
        self.try_join(name).unwrap()
    }

    fn leave(&mut self, player: PlayerId) {
        self.game.leave(&mut self.cx, player, Leave::Left);
        self.inputs.forget(player);
        self.cx.players.remove(&player);
    }

    fn rename(&mut self, player: PlayerId, name: &str) -> Result<String, u16> {
        let command = Command::Rename { name: name.to_owned() };
        match self.game.command(&mut self.cx, player, command) {
            Ok(Reply::Renamed { name }) => Ok(name),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn steer(&mut self, player: PlayerId, steer: Steer) {
        self.inputs.hold(player, steer);
    }

    fn step(&mut self) -> Vec<(Class, Event)> {
        self.cx.begin(self.cx.tick.after(1));
        self.game.step(&mut self.cx, &self.inputs);
        self.cx.events.outgoing.drain(..).map(|sent| (sent.class, sent.event)).collect()
    }

    fn steps(&mut self, count: u32) -> Vec<(Class, Event)> {
        (0..count).flat_map(|_| self.step()).collect()
    }

    /// Records the step and gives the hash of all that any client sees.
    fn hash(&mut self) -> u32 {
        self.ledger.record(&mut self.cx.world, self.cx.tick);
        let private = self.cx.players.values().map(|player| player.private);
        self.ledger.hash(&std::iter::once(Scope::ROOM).chain(private).collect::<Vec<_>>())
    }

    fn ship(&mut self, player: PlayerId) -> Option<&mut Ship> {
        self.cx.world.ships.get_mut(self.game.pilots[&player].ship)
    }

    fn gear(&mut self, player: PlayerId) -> &mut Gear {
        self.cx.world.gear.get_mut(self.game.pilots[&player].gear).unwrap()
    }

    fn score(&self, player: PlayerId) -> Score {
        self.cx.world.scores.get(self.game.pilots[&player].score).unwrap().clone()
    }

    fn body(&mut self, player: PlayerId) -> Body {
        let gear = *self.gear(player);
        Body::of(self.ship(player).unwrap(), &gear)
    }

    /// Puts a ship to rest in a place; nothing protects it.
    fn place(&mut self, player: PlayerId, (x, y): (f32, f32), heading: u8) {
        let body = Body { x: cell(x), y: cell(y), vx: 0, vy: 0, heading };
        let (mut ship, mut gear) = (*self.ship(player).unwrap(), *self.gear(player));
        body.show(&mut ship, &mut gear);
        (ship.safe, gear.safe_until) = (false, Tick(0));
        *self.ship(player).unwrap() = ship;
        *self.gear(player) = gear;
    }

    fn rock(&mut self, x: f32, y: f32, size: u8) -> Id<Rock> {
        self.cx.world.rocks.spawn(Rock { x, y, vx: 0, vy: 0, size })
    }
}

/// splitmix64, for controls at random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % n
    }

    fn steer(&mut self) -> Steer {
        let turn = self.below(3) as i8 - 1;
        Steer { turn, thrust: self.below(2) == 0, fire: self.below(3) > 0 }
    }
}

fn kills(events: &[(Class, Event)]) -> Vec<(Option<PlayerId>, PlayerId)> {
    let kills = events.iter().filter_map(|(class, event)| match event {
        Event::Kill { killer, victim } => {
            assert_eq!(*class, Class::Reliable);
            Some((killer.as_ref().map(|who| who.player), victim.player))
        }
        _ => None,
    });
    kills.collect()
}

// ---------------------------------------------------------------------- flight

#[test]
fn a_turn_is_64_ticks_and_comes_back() {
    let mut body = Body::default();
    for tick in 1..=64u8 {
        fly(&mut body, Steer { turn: 1, ..HANDS_OFF });
        assert_eq!(body.heading, tick.wrapping_mul(4));
    }
    fly(&mut body, Steer { turn: -1, ..HANDS_OFF });
    assert_eq!(body, Body { heading: 252, ..Body::default() });
}

#[test]
fn the_engine_pushes_where_the_nose_points_up_to_a_top_speed_and_drag_ends_it() {
    for heading in 0..=255 {
        let mut body = Body { heading, ..Body::default() };
        (0..300).for_each(|_| fly(&mut body, BURN));
        let (vx, vy) = (f64::from(body.vx), f64::from(body.vy));
        let angle = f64::from(heading) * std::f64::consts::TAU / 256.0;
        let (aside, ahead) =
            (vy * angle.cos() - vx * angle.sin(), vx * angle.cos() + vy * angle.sin());
        assert!((11_800.0..11_950.0).contains(&ahead), "{heading}: {ahead}");
        assert!(aside.abs() < 60.0, "{heading}: {aside}");
        (0..400).for_each(|_| fly(&mut body, HANDS_OFF));
        assert_eq!((body.vx, body.vy), (0, 0), "it comes to rest");
    }
}

#[test]
fn sines_are_near_and_symmetric() {
    for heading in 0..=255u8 {
        let exact = (f64::from(heading) * std::f64::consts::TAU / 256.0).sin();
        assert!((f64::from(sine(heading)) / 4096.0 - exact).abs() < 0.0017, "{heading}");
        assert_eq!(sine(heading), -sine(heading.wrapping_add(128)));
    }
}

#[test]
fn a_ship_that_leaves_one_side_enters_on_the_other() {
    let (mut duel, ada, _) = Match::duel();
    duel.place(ada, (2047.0, -1000.0), 0);
    duel.steer(ada, BURN);
    duel.steps(60);
    let ship = *duel.ship(ada).unwrap();
    assert!((-2048.0..-1400.0).contains(&ship.x), "{ship:?}");
    assert_eq!((ship.y, ship.thrust), (-1000.0, true));
}

#[test]
fn rows_hold_a_body_exactly_also_when_they_have_travelled() {
    let mut dice = Dice(3);
    for i in 0..10_000u64 {
        let body = Body {
            x: dice.below(65_536) as i16,
            y: dice.below(65_536) as i16,
            vx: (dice.below(32_769) as i32 - 16_384) as i16,
            vy: 0,
            heading: i as u8,
        };
        let (mut ship, mut gear) = (Ship::default(), Gear::default());
        body.show(&mut ship, &mut gear);
        let (ship, gear) = (travelled(&ship), travelled(&gear));
        assert_eq!(Body::of(&ship, &gear), body);
    }
}

/// A row as a client has it.
fn travelled<T: Entity>(row: &T) -> T {
    use tickwire_protocol::heap::Heap;
    use tickwire_protocol::value::Attr;
    let (mut cells, mut heap) = (vec![0; T::cells(&Attr::PLAIN)], Heap::default());
    row.store(&Attr::PLAIN, &mut cells, &mut heap);
    T::load(&Attr::PLAIN, &cells, &heap)
}

#[test]
fn a_client_that_flies_its_own_rows_is_where_the_server_is() {
    let (mut duel, ada, _) = Match::duel();
    let mut predicted = duel.body(ada);
    let mut dice = Dice(9);
    for _ in 0..500 {
        let steer = Steer { fire: false, ..dice.steer() };
        duel.steer(ada, steer);
        duel.step();
        fly(&mut predicted, steer);
        assert_eq!(duel.body(ada), predicted);
    }
}

/// A body as the vectors write it: x, y, vx, vy, heading.
fn shown(Body { x, y, vx, vy, heading }: Body) -> String {
    format!("[{x}, {y}, {vx}, {vy}, {heading}]")
}

/// A gun as the vectors write it: ammo, ready_at, reload_at.
fn shown_gun(gear: &Gear) -> String {
    format!("[{}, {}, {}]", gear.ammo, gear.ready_at, gear.reload_at)
}

/// Steps from extreme and from random bodies, and long flights; then what guns do.
fn vectors() -> String {
    let about = "a body is [x, y, vx, vy, heading], a part of a flight [turn, thrust, ticks], \
                 a shot [x, y, vx, vy], a gun [ammo, ready_at, reload_at], \
                 a part of a volley [fire, ticks]";
    let mut out = format!("{{\n  \"about\": \"{about}\",\n  \"sine\": [");
    for heading in 0..=255u8 {
        out.push_str(if heading == 0 { "" } else { "," });
        out.push_str(if heading % 16 == 0 { "\n    " } else { " " });
        write!(out, "{}", sine(heading)).unwrap();
    }
    out.push_str("\n  ],\n  \"flights\": [\n");
    let mut dice = Dice(2026);
    let edges = [i16::MIN, -16_384, -33, -32, -1, 0, 1, 31, 32, 16_384, i16::MAX];
    let mut flights = Vec::new();
    for (i, v) in edges.into_iter().enumerate() {
        let place = edges[(i * 3) % edges.len()];
        for (turn, thrust) in [(-1, false), (0, true), (1, true), (0, false)] {
            let heading = (i * 24) as u8;
            let start = Body { x: place, y: v, vx: v, vy: -v.max(-i16::MAX), heading };
            flights.push((start, vec![(turn, thrust, 1)]));
        }
    }
    for _ in 0..24 {
        let mut any = || dice.below(65_536) as u16 as i16;
        let start = Body { x: any(), y: any(), vx: any() / 4, vy: any() / 4, heading: any() as u8 };
        let parts = (0..24).map(|_| {
            let Steer { turn, thrust, .. } = dice.steer();
            (turn, thrust, 1 + dice.below(40))
        });
        flights.push((start, parts.collect()));
    }
    for (i, (start, parts)) in flights.iter().enumerate() {
        let mut body = *start;
        write!(out, "    {{\"from\": {}, \"steer\": [", shown(body)).unwrap();
        for (j, &(turn, thrust, ticks)) in parts.iter().enumerate() {
            (0..ticks).for_each(|_| fly(&mut body, Steer { turn, thrust, fire: false }));
            let comma = if j == 0 { "" } else { ", " };
            write!(out, "{comma}[{turn}, {thrust}, {ticks}]").unwrap();
        }
        let comma = if i + 1 < flights.len() { "," } else { "" };
        writeln!(out, "], \"to\": {}}}{comma}", shown(body)).unwrap();
    }
    out.push_str("  ],\n  \"shots\": [\n");
    for (i, (start, _)) in flights.iter().enumerate() {
        let Shot { x, y, vx, vy, .. } = shot_from(*start, PlayerId(1), Tick(0));
        let shot = format!("[{}, {}, {vx}, {vy}]", cell(x), cell(y));
        let comma = if i + 1 < flights.len() { "," } else { "" };
        writeln!(out, "    {{\"from\": {}, \"shot\": {shot}}}{comma}", shown(*start)).unwrap();
    }
    out.push_str("  ],\n  \"volleys\": [\n");
    let volleys = [
        vec![(true, 300)],
        vec![(true, 1), (false, 400), (true, 20)],
        (0..60).map(|_| (dice.below(2) == 0, 1 + dice.below(30))).collect(),
    ];
    for (i, parts) in volleys.iter().enumerate() {
        let comma = if i + 1 < volleys.len() { "," } else { "" };
        writeln!(out, "    {}{comma}", volley(parts)).unwrap();
    }
    out.push_str("  ]\n}\n");
    out
}

/// A gun from the tick `from` on, the ticks in which it fires, and the gun at the end.
fn volley(parts: &[(bool, u64)]) -> String {
    let (mut duel, ada, _) = Match::duel();
    duel.place(ada, (0.0, 500.0), 64);
    let (from, start) = (duel.cx.tick.0, shown_gun(duel.gear(ada)));
    let (mut steer, mut fired_in) = (Vec::new(), Vec::new());
    for &(fire, ticks) in parts {
        steer.push(format!("[{fire}, {ticks}]"));
        duel.steer(ada, Steer { fire, ..HANDS_OFF });
        for _ in 0..ticks {
            if duel.step().contains(&(Class::Transient, Event::Fired { player: ada })) {
                fired_in.push(duel.cx.tick.0);
            }
        }
    }
    let end = shown_gun(duel.gear(ada));
    format!(
        "{{\"from\": {from}, \"gun\": {start}, \"steer\": [{}], \"fired\": {fired_in:?}, \
         \"to\": {end}}}",
        steer.join(", ")
    )
}

/// `TICKWIRE_BLESS=1` writes the file anew.
#[test]
fn flights_are_those_of_the_shared_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fly.json");
    let vectors = vectors();
    serde_json::from_str::<serde_json::Value>(&vectors).expect("it is JSON");
    if std::env::var_os("TICKWIRE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &vectors).unwrap();
    }
    let written = std::fs::read_to_string(&path).expect("server/fixtures/fly.json");
    for (line, (written, now)) in written.lines().zip(vectors.lines()).enumerate() {
        assert_eq!(written, now, "line {}", line + 1);
    }
    assert_eq!(written.len(), vectors.len());
}

// ------------------------------------------------------------------ the players

#[test]
fn who_leaves_takes_all_rows_along() {
    let mut crowd = Match::new(2, Options { rocks: 0, ..Options::default() });
    let players: Vec<PlayerId> = (0..8).map(|_| crowd.join("Ada")).collect();
    for &player in &players {
        crowd.steer(player, FIRE);
    }
    crowd.steps(20);
    assert!(crowd.cx.world.shots.iter().any(|(_, shot)| shot.player == players[3]));
    crowd.leave(players[3]);
    let gone = players[3];
    let world = &crowd.cx.world;
    assert!(world.ships.iter().all(|(_, ship)| ship.player != gone));
    assert!(world.shots.iter().all(|(_, shot)| shot.player != gone));
    assert!(world.scores.iter().all(|(_, score)| score.player != gone));
    assert_eq!((world.scores.len(), world.gear.len()), (7, 7));

    // One who waits for a ship leaves; the ship does not come.
    crowd.game.harm(&mut crowd.cx, players[0], HP, None);
    crowd.leave(players[0]);
    crowd.steps(LAUNCH_TICKS + 1);
    for &player in &players {
        crowd.leave(player);
    }
    let world = &crowd.cx.world;
    assert_eq!((world.ships.len(), world.shots.len()), (0, 0));
    assert_eq!((world.scores.len(), world.gear.len()), (0, 0));
    assert!(crowd.game.pilots.is_empty());
}

#[test]
fn gear_is_seen_by_its_pilot_only() {
    let (duel, ada, _) = Match::duel();
    let scope = duel.cx.world.gear.scope(duel.game.pilots[&ada].gear);
    assert_eq!(scope, Some(duel.cx.players[&ada].private));
    assert_ne!(scope, Some(Scope::ROOM));
}

#[test]
fn who_is_dropped_is_shown_as_away_and_drifts_on() {
    let (mut duel, ada, _) = Match::duel();
    duel.steer(ada, BURN);
    duel.steps(20);
    duel.game.presence(&mut duel.cx, ada, Presence::Dropped);
    duel.steer(ada, HANDS_OFF);
    let before = duel.body(ada).x;
    duel.step();
    assert!(duel.score(ada).away && duel.body(ada).x > before);
    duel.game.presence(&mut duel.cx, ada, Presence::Resumed);
    assert!(!duel.score(ada).away);
}

#[test]
fn names_are_short_visible_and_each_only_once() {
    let (mut duel, ada, bob) = Match::duel();
    assert_eq!(duel.rename(ada, "  Grace "), Ok("Grace".to_owned()));
    assert_eq!(duel.score(ada).name, "Grace");
    assert_eq!(duel.rename(ada, "GRACE"), Ok("GRACE".to_owned()), "one's own name is free");
    assert_eq!(duel.rename(bob, "grace"), Err(NAME_TAKEN));
    assert_eq!(duel.rename(bob, " \t "), Err(NAME_EMPTY));
    for hidden in ['\u{202e}', '\u{ad}', '\u{61c}', '\u{3164}', '\u{fe0f}', '\u{e0041}'] {
        assert_eq!(duel.rename(bob, &format!("gra{hidden}ce")), Err(NAME_EMPTY), "{hidden:?}");
    }
    assert_eq!(duel.rename(bob, "seventeen letters"), Err(NAME_TOO_LONG));
    assert_eq!(duel.rename(bob, "sixteen žletters").as_deref(), Ok("sixteen žletters"));
    assert_eq!(duel.rename(PlayerId(99), "Nobody").as_deref(), Ok("Nobody"));
    assert_eq!(duel.cx.world.scores.len(), 2);
    for (wish, name) in [
        ("Grace", "Grace 1"),
        ("", "Pilot 1"),
        ("\u{200b}", "Pilot 2"),
        ("a name that is far too long", "a name that is f"),
        ("a name that is far too wide", "a name that 1"),
    ] {
        let player = duel.join(wish);
        assert_eq!(duel.score(player).name, name);
    }
}

#[test]
fn options_have_defaults_and_ranges_and_no_others() {
    let parse = serde_json::from_str::<Options>;
    assert_eq!(parse("{}").unwrap(), Options::default());
    let some = parse(r#"{"seats": 2, "rocks": 0, "score_limit": 9}"#).unwrap();
    assert_eq!(some, Options { seats: 2, rocks: 0, score_limit: Some(9) });
    assert!(parse(r#"{"speed": 9}"#).is_err());
    for bad in [
        Options { seats: 1, ..Options::default() },
        Options { seats: 201, ..Options::default() },
        Options { rocks: 65, ..Options::default() },
        Options { score_limit: Some(0), ..Options::default() },
    ] {
        let refusal = Arena::create(bad, &mut Cx::new(0)).unwrap_err();
        assert_eq!(refusal.code, BAD_OPTION);
    }
    assert_eq!(Match::new(0, some).cx.listing.seats_max, 2);
}

#[test]
fn neutral_controls_are_hands_off_and_turns_are_clamped_on_the_way() {
    assert_eq!(Steer::default(), HANDS_OFF);
    let mut bytes = Vec::new();
    Steer { turn: 100, thrust: true, fire: false }.encode(&mut bytes);
    assert_eq!(Steer::decode(&bytes), Ok(Steer { turn: 1, thrust: true, fire: false }));
}

// ---------------------------------------------------------------- whole matches

#[test]
fn the_same_seed_and_controls_give_the_same_match() {
    let play = |seed| {
        let mut arena = Match::new(seed, Options::default());
        let mut dice = Dice(77);
        let mut hashes = Vec::new();
        let mut players: Vec<PlayerId> = (0..12).map(|_| arena.join("Ada")).collect();
        for tick in 0..2000u32 {
            if tick % 5 == 0 {
                let player = players[dice.below(12) as usize];
                arena.steer(player, dice.steer());
            }
            if tick % 301 == 300 {
                let place = dice.below(12) as usize;
                arena.leave(players[place]);
                players[place] = arena.join("Bob");
            }
            arena.step();
            hashes.push(arena.hash());
        }
        (hashes, arena.cx.rng.next_u64())
    };
    let (first, again, other) = (play(1), play(1), play(2));
    assert!(first == again);
    assert_ne!(first.0.last(), other.0.last());
}

#[test]
fn two_hundred_fly_at_random_and_nothing_leaves_its_bounds() {
    let options = Options { seats: 200, rocks: 64, score_limit: Some(200) };
    let mut arena = Match::new(3, options);
    let mut dice = Dice(1);
    let players: Vec<PlayerId> = (0..200).map(|_| arena.join("Pilot")).collect();
    let (mut most_shots, mut most_rocks, mut all_kills) = (0, 0, 0);
    for _ in 0..1000 {
        for _ in 0..30 {
            let player = players[dice.below(200) as usize];
            arena.steer(player, dice.steer());
        }
        let events = arena.step();
        all_kills += kills(&events).len();
        let world = &arena.cx.world;
        let ships = world.ships.iter().map(|(_, it)| (it.x, it.y));
        let shots = world.shots.iter().map(|(_, it)| (it.x, it.y));
        let rocks = world.rocks.iter().map(|(_, it)| (it.x, it.y));
        for (x, y) in ships.chain(shots).chain(rocks) {
            assert!((-2048.0..2048.0).contains(&x) && (-2048.0..2048.0).contains(&y));
        }
        most_shots = most_shots.max(world.shots.len());
        most_rocks = most_rocks.max(world.rocks.len());
        assert!(world.ships.len() <= 200);
        assert_eq!((world.scores.len(), world.gear.len()), (200, 200));
    }
    assert!((100..=SHOTS_MAX).contains(&most_shots), "{most_shots}");
    assert!((64..=ROCKS_MAX).contains(&most_rocks), "{most_rocks}");
    assert!(all_kills > 100, "{all_kills}");
    assert!(arena.game.contacts.is_empty());
}

#[test]
fn a_ship_at_rest_is_not_touched() {
    let (mut duel, ..) = Match::duel();
    duel.hash();
    duel.steps(5);
    for table in 0..Space::TABLES {
        let (mut cells, mut touched) = (Vec::new(), Capture::default());
        duel.cx.world.table_mut(table).capture(&mut cells, &mut touched, &mut Heap::default());
        assert!(touched.rows().is_empty(), "{touched:?}");
    }
}
