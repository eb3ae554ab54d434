//! What bots do: controls for a number of ticks, and then others.
//!
//! Drawn from the bot's dice alone, except for a hunter, who looks at what it sees:
//! so the same seed gives the same inputs, as far as they do not follow from what
//! a server says.

mod arena;
mod random;

use std::rc::Rc;
use std::sync::Arc;

use tickwire_protocol::client::{Known, Mirror, Session};
use tickwire_protocol::schema::Schema;

use crate::dice::Dice;
use crate::settings::Behaviour;

pub(crate) use arena::Sight;

/// What is known of a game once its schema is.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) schema: Arc<Schema>,
    /// The same, for the next session.
    pub(crate) known: Known,
    /// None if it is not an arena.
    pub(crate) sight: Option<Sight>,
}

impl Rules {
    /// None before the session was welcomed.
    pub(crate) fn of(session: &Session) -> Option<Rules> {
        let (schema, known) = (session.schema()?.clone(), session.known()?);
        Some(Rules { sight: Sight::new(&schema), schema, known })
    }
}

/// Somebody who plays.
#[derive(Debug)]
pub(crate) struct Player {
    behaviour: Behaviour,
    dice: Dice,
    rules: Rc<Rules>,
}

/// Controls, and for how many ticks they hold.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Move {
    /// Encoded, as the schema has them.
    pub(crate) body: Vec<u8>,
    pub(crate) ticks: u32,
    /// What the arena's ship should show.
    pub(crate) thrust: Option<bool>,
}

impl Player {
    pub(crate) fn new(behaviour: Behaviour, dice: Dice, rules: Rc<Rules>) -> Player {
        Player { behaviour, dice, rules }
    }

    /// What comes next. `view` is what it sees, if it looks; `me` is its number.
    pub(crate) fn next(&mut self, view: Option<&Mirror>, me: u32) -> Move {
        let Player { behaviour, dice, rules } = self;
        match (*behaviour, &rules.sight) {
            (Behaviour::Idle, _) => random::idle(&rules.schema),
            (Behaviour::Hunt, Some(sight)) => {
                let seen = view.and_then(|mirror| sight.look(mirror, me));
                sight.hunt(seen, dice)
            }
            (Behaviour::Wander, Some(sight)) => sight.wander(dice),
            _ => random::any(&rules.schema, dice),
        }
    }
}
