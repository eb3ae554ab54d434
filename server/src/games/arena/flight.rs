//! How a ship flies. Clients run the same rules to predict their own ship, so
//! they are integers only, the same on every machine and in every language.

use std::f32::consts::TAU;

use super::{Gear, Ship, Steer};

/// What the rules of flight work on. A client puts it together from its own rows
/// of `ships` and `gear`, and gets just what the server has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Body {
    /// In sixteenths of a unit; it wraps where the space does.
    pub x: i16,
    /// In sixteenths of a unit.
    pub y: i16,
    /// In 1024ths of a unit per tick: finer than places, so that little pushes count.
    pub vx: i16,
    /// In 1024ths of a unit per tick.
    pub vy: i16,
    /// In 256ths of a turn: 0 is along x, 64 along y.
    pub heading: u8,
}

/// How far a ship turns in a tick, in 256ths of a turn: 169 degrees a second.
pub const TURN: i8 = 4;
/// How much faster the engine makes a ship in a tick, in 1024ths of a unit per tick.
pub const THRUST: i32 = 384;
/// The share of its speed that a ship keeps, in 32nds. With the engine on, it comes
/// to 11.6 units per tick (349 a second); without, it comes to rest.
pub const KEEP: i32 = 31;
/// No ship is faster along x or y, whatever happens, in 1024ths of a unit per tick.
pub const SPEED_MAX: i32 = 16_384;

/// One tick of a ship's flight.
///
/// `fixtures/fly.json` has examples that a copy of it in another language must
/// agree with.
pub fn fly(body: &mut Body, steer: Steer) {
    body.heading = body.heading.wrapping_add_signed(steer.turn.clamp(-1, 1) * TURN);
    let thrust = if steer.thrust { THRUST } else { 0 };
    body.vx = speed(body.vx, along(thrust, cosine(body.heading)));
    body.vy = speed(body.vy, along(thrust, sine(body.heading)));
    body.x = body.x.wrapping_add(sixteenths(body.vx));
    body.y = body.y.wrapping_add(sixteenths(body.vy));
}

/// A speed after a push and a tick of drag; division drops the fraction.
fn speed(v: i16, push: i32) -> i16 {
    ((i32::from(v) + push) * KEEP / 32).clamp(-SPEED_MAX, SPEED_MAX) as i16
}

/// A ship's speed in whole sixteenths of a unit per tick: halves go up.
pub(super) fn sixteenths(v: i16) -> i16 {
    ((i32::from(v) + 32) >> 6) as i16
}

/// The part of a length that lies along an axis: halves go up.
pub(super) fn along(length: i32, share: i32) -> i32 {
    (length * share + 2048) >> 12
}

/// The sine of a heading, in 4096ths, by Bhaskara's formula: off by at most 0.0017.
pub(super) fn sine(heading: u8) -> i32 {
    let part = i32::from(heading & 127); // of a half turn, which has 128
    let arc = part * (128 - part);
    let sine = 4096 * 4 * arc / (20_480 - arc);
    if heading < 128 { sine } else { -sine }
}

/// The cosine of a heading, in 4096ths.
pub(super) fn cosine(heading: u8) -> i32 {
    sine(heading.wrapping_add(64))
}

impl Body {
    /// The body that two rows show.
    pub(super) fn of(ship: &Ship, gear: &Gear) -> Body {
        let heading = (ship.heading * (256.0 / TAU)).round() as u8;
        Body { x: cell(ship.x), y: cell(ship.y), vx: gear.vx, vy: gear.vy, heading }
    }

    /// Shows it in its rows.
    pub(super) fn show(self, ship: &mut Ship, gear: &mut Gear) {
        (ship.x, ship.y) = (units(self.x), units(self.y));
        ship.heading = f32::from(self.heading) * (TAU / 256.0);
        (gear.vx, gear.vy) = (self.vx, self.vy);
    }
}

/// A coordinate of a row in sixteenths; exact, as all of them lie on this grid.
pub(super) fn cell(units: f32) -> i16 {
    (units * 16.0) as i16
}

/// Sixteenths as a coordinate of a row.
pub(super) fn units(cell: i16) -> f32 {
    f32::from(cell) / 16.0
}
