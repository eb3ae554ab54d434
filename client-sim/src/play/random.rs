//! Any controls that a schema allows: for games that were never seen.

use tickwire_protocol::codec::Writer;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::limits::INPUT_BYTES_MAX;
use tickwire_protocol::schema::{Field, Kind, Schema};

use super::Move;
use crate::dice::Dice;

/// Random controls hold for so many ticks.
const HOLD_TICKS: (i128, i128) = (4, 24);
/// Elements of a random list, bytes of a random text.
const LENGTH_MAX: u64 = 8;
/// Controls that are still too long after so many draws are left at rest.
const DRAWS_MAX: usize = 4;

/// Controls at rest, for good.
pub(super) fn idle(schema: &Schema) -> Move {
    Move {
        body: encoded(&schema.input, &Value::default_of(&schema.input)),
        ticks: u32::MAX,
        thrust: None,
    }
}

/// Any controls.
pub(super) fn any(schema: &Schema, dice: &mut Dice) -> Move {
    let ticks = dice.within(HOLD_TICKS.0, HOLD_TICKS.1) as u32;
    for _ in 0..DRAWS_MAX {
        let body = encoded(&schema.input, &value(&schema.input, dice));
        if body.len() <= INPUT_BYTES_MAX {
            return Move { body, ticks, thrust: None };
        }
    }
    Move { ticks, ..idle(schema) }
}

/// A value as a message has it.
pub(super) fn encoded(kind: &Kind, value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    value.write(kind, &mut Writer::new(&mut body));
    body
}

/// Any value of a kind; the ends of a range come more often than by chance, since
/// that is where games are wrong.
fn value(kind: &Kind, dice: &mut Dice) -> Value {
    match kind {
        Kind::Bool => Value::Bool(dice.chance(0.5)),
        Kind::Int { min, max, .. } => Value::Int(match dice.below(8) {
            0 => *min,
            1 => *max,
            2 => 0.clamp(*min, *max),
            _ => dice.within(*min, *max),
        }),
        Kind::Float(_) => Value::Float((dice.unit() - 0.5) * 2.0),
        Kind::Quantised { min, max, .. } => Value::Float(min + (max - min) * dice.unit()),
        Kind::Angle { .. } => Value::Float(dice.unit() * std::f64::consts::TAU),
        Kind::Text { max } => {
            let length = dice.below(u64::from(*max).min(LENGTH_MAX) + 1);
            Value::Text((0..length).map(|_| (b'a' + dice.below(26) as u8) as char).collect())
        }
        Kind::Bytes { max } => {
            let length = dice.below(u64::from(*max).min(LENGTH_MAX) + 1);
            Value::Bytes((0..length).map(|_| dice.below(256) as u8).collect())
        }
        // Nobody: an entity that is not there says no more.
        Kind::Ref { .. } => Value::Ref { slot: 0, generation: 0 },
        Kind::Option(of) => Value::Option(dice.chance(0.5).then(|| Box::new(value(of, dice)))),
        Kind::Struct(fields) => Value::Struct(named(fields, dice)),
        Kind::Enum(variants) => {
            let index = dice.below(variants.len() as u64) as usize;
            match variants.get(index) {
                Some(variant) => Value::Enum(variant.name.clone(), named(&variant.fields, dice)),
                None => Value::default_of(kind),
            }
        }
        Kind::List { of, max } => {
            let length = dice.below(u64::from(*max).min(LENGTH_MAX) + 1);
            Value::List((0..length).map(|_| value(of, dice)).collect())
        }
        Kind::Array { of, len } => Value::List((0..*len).map(|_| value(of, dice)).collect()),
    }
}

fn named(fields: &[Field], dice: &mut Dice) -> Vec<(String, Value)> {
    fields.iter().map(|field| (field.name.clone(), value(&field.kind, dice))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_protocol::codec::Reader;
    use tickwire_protocol::{Message, Value as Part};

    #[derive(Message, Default, Debug)]
    struct Everything {
        flag: bool,
        #[net(min = -3, max = 3)]
        turn: i8,
        big: u64,
        #[net(min = -1.0, max = 1.0, step = 0.25)]
        stick: f32,
        #[net(angle, bits = 8)]
        aim: f32,
        #[net(max_bytes = 16)]
        word: String,
        maybe: Option<u16>,
        what: What,
        three: [u8; 3],
    }

    #[derive(Part, Default, Debug)]
    enum What {
        #[default]
        Nothing,
        Point {
            x: i32,
        },
    }

    fn schema() -> Schema {
        Schema { input: Everything::schema(), ..Schema::default() }
    }

    #[test]
    fn whatever_is_drawn_is_what_the_game_would_take() {
        let (schema, mut dice) = (schema(), Dice::new(3));
        let (mut bodies, mut points) = (Vec::new(), 0);
        for _ in 0..500 {
            let drawn = any(&schema, &mut dice);
            assert!((4..=24).contains(&drawn.ticks));
            let mut reader = Reader::new(&drawn.body);
            let value = Value::read(&schema.input, &mut reader).unwrap();
            points += usize::from(
                matches!(value.get("what"), Some(Value::Enum(name, _)) if name == "Point"),
            );
            let read = Everything::decode(&drawn.body).unwrap();
            assert!((-3..=3).contains(&read.turn), "{read:?}");
            bodies.push(drawn.body);
        }
        bodies.sort();
        bodies.dedup();
        assert!(bodies.len() > 490 && points > 150, "{} {points}", bodies.len());
    }

    #[test]
    fn the_same_dice_draw_the_same_controls() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..50).map(|_| any(&schema(), &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
