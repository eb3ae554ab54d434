//! The arena's pilots: they find their own ship and others in the rows, by name.

use std::f64::consts::{PI, TAU};

use tickwire_protocol::client::Mirror;
use tickwire_protocol::client::mirror::RowView;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::schema::{Kind, Schema};

use super::Move;
use super::random::encoded;
use crate::dice::Dice;

/// The space closes to a ring after so many units.
const WIDTH: f64 = 4096.0;
/// A ship at most this far off a hunter's nose is shot at, in radians.
const AIM: f64 = 0.12;
/// … and not farther away than this, in units.
const RANGE: f64 = 900.0;
/// A hunter looks again after so many ticks.
const LOOK_TICKS: (i128, i128) = (4, 7);
/// A wanderer goes on for so many ticks.
const WANDER_TICKS: (i128, i128) = (6, 40);

/// The arena's controls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Controls {
    pub(crate) turn: i8,
    pub(crate) thrust: bool,
    pub(crate) fire: bool,
}

/// How to find things in an arena's rows.
#[derive(Debug)]
pub(crate) struct Sight {
    ships: usize,
    input: Kind,
}

/// What a hunter sees of its prey.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Prey {
    /// How far to turn, in radians: positive raises the heading.
    turn: f64,
    distance: f64,
}

/// A ship, as far as it matters.
#[derive(Clone, Copy, Debug)]
struct Ship {
    player: u32,
    x: f64,
    y: f64,
    heading: f64,
}

impl Sight {
    /// None if the schema is not one of an arena.
    pub(super) fn new(schema: &Schema) -> Option<Sight> {
        let ships = schema.table("ships")?;
        let has = |names: &[&str], fields: &[tickwire_protocol::schema::Field]| {
            names.iter().all(|name| fields.iter().any(|field| field.name == *name))
        };
        let Kind::Struct(input) = &schema.input else { return None };
        let known = has(&["player", "x", "y", "heading", "thrust"], &schema.tables[ships].fields)
            && has(&["turn", "thrust", "fire"], input);
        known.then(|| Sight { ships, input: schema.input.clone() })
    }

    /// Whether the engine of a player's ship burns; none if it has no ship.
    pub(crate) fn thrust(&self, mirror: &Mirror, me: u32) -> Option<bool> {
        let mut ships = mirror.rows(self.ships);
        let own = ships.find(|row| number(row, "player") == Some(f64::from(me)))?;
        match own.get("thrust") {
            Some(Value::Bool(thrust)) => Some(thrust),
            _ => None,
        }
    }

    /// The nearest other ship; none if there is none, or no own one.
    pub(super) fn look(&self, mirror: &Mirror, me: u32) -> Option<Prey> {
        let ships: Vec<Ship> = mirror.rows(self.ships).filter_map(|row| ship(&row)).collect();
        let own = *ships.iter().find(|ship| ship.player == me)?;
        let others = ships.iter().filter(|ship| ship.player != me);
        let seen = others.map(|ship| {
            let (dx, dy) = (ring(ship.x - own.x), ring(ship.y - own.y));
            let turn = (dy.atan2(dx) - own.heading + PI).rem_euclid(TAU) - PI;
            Prey { turn, distance: dx.hypot(dy) }
        });
        seen.min_by(|a, b| a.distance.total_cmp(&b.distance))
    }

    pub(super) fn hunt(&self, prey: Option<Prey>, dice: &mut Dice) -> Move {
        let ticks = dice.within(LOOK_TICKS.0, LOOK_TICKS.1) as u32;
        let controls = match prey {
            None => Controls { turn: 0, thrust: true, fire: false },
            Some(prey) => Controls {
                turn: if prey.turn.abs() < AIM { 0 } else { prey.turn.signum() as i8 },
                thrust: prey.turn.abs() < 1.0 && prey.distance > 150.0,
                fire: prey.turn.abs() < AIM && prey.distance < RANGE,
            },
        };
        self.hold(controls, ticks)
    }

    pub(super) fn wander(&self, dice: &mut Dice) -> Move {
        let controls = Controls {
            turn: dice.within(-1, 1) as i8,
            thrust: dice.chance(0.5),
            fire: dice.chance(0.15),
        };
        self.hold(controls, dice.within(WANDER_TICKS.0, WANDER_TICKS.1) as u32)
    }

    fn hold(&self, controls: Controls, ticks: u32) -> Move {
        let value = Value::Struct(vec![
            ("turn".to_owned(), Value::Int(controls.turn.into())),
            ("thrust".to_owned(), Value::Bool(controls.thrust)),
            ("fire".to_owned(), Value::Bool(controls.fire)),
        ]);
        Move { body: encoded(&self.input, &value), ticks, thrust: Some(controls.thrust) }
    }
}

/// The shorter way around the ring.
fn ring(way: f64) -> f64 {
    (way + WIDTH / 2.0).rem_euclid(WIDTH) - WIDTH / 2.0
}

fn ship(row: &RowView<'_>) -> Option<Ship> {
    Some(Ship {
        player: number(row, "player")? as u32,
        x: number(row, "x")?,
        y: number(row, "y")?,
        heading: number(row, "heading")?,
    })
}

fn number(row: &RowView<'_>, field: &str) -> Option<f64> {
    match row.get(field)? {
        Value::Int(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::games::arena::{Arena, Steer};
    use tickwire_protocol::Message;

    fn sight() -> Sight {
        Sight::new(&tickwire::game::schema_of::<Arena>().unwrap()).unwrap()
    }

    fn steer(drawn: &Move) -> Steer {
        Steer::decode(&drawn.body).unwrap()
    }

    #[test]
    fn a_hunter_turns_towards_its_prey_and_fires_when_it_is_ahead() {
        let sight = sight();
        let hunt =
            |turn, distance| steer(&sight.hunt(Some(Prey { turn, distance }), &mut Dice::new(1)));
        assert_eq!(hunt(0.05, 500.0), Steer { turn: 0, thrust: true, fire: true });
        assert_eq!(hunt(2.0, 500.0), Steer { turn: 1, thrust: false, fire: false });
        assert_eq!(hunt(-0.5, 500.0), Steer { turn: -1, thrust: true, fire: false });
        assert_eq!(hunt(0.0, 1500.0), Steer { turn: 0, thrust: true, fire: false });
    }

    #[test]
    fn a_wanderer_repeats_itself_with_its_seed_and_does_all_sorts_of_things() {
        let sight = sight();
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| sight.wander(&mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let steers: Vec<Steer> = draw(1).iter().map(steer).collect();
        for turn in -1..=1 {
            assert!(steers.iter().any(|steer| steer.turn == turn && steer.thrust));
        }
        assert!(steers.iter().any(|steer| steer.fire));
    }

    #[test]
    fn distances_go_the_shorter_way_around() {
        assert_eq!(ring(4000.0), -96.0);
        assert_eq!(ring(-4000.0), 96.0);
        assert_eq!(ring(100.0), 100.0);
    }

    #[test]
    fn another_game_is_no_arena() {
        assert!(Sight::new(&Schema::default()).is_none());
    }
}
