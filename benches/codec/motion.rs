//! Recorded motion: what ships and walkers do, as positions per tick.
//!
//! Ships turn, thrust, drift with drag, bounce off each other, and wrap around
//! the edges; their pilots change their minds four times a second. Walkers walk
//! at one speed, stop, and go on in another direction.

use std::f32::consts::TAU;

/// The room's edge, in units; positions are from its negative to it.
pub(crate) const EDGE: f32 = 2048.0;

/// One entity at one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pose {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) heading: f32,
}

/// splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.roll() >> 40) as f32 / (1 << 24) as f32
    }
    pub(crate) fn range(&mut self, from: f32, to: f32) -> f32 {
        from + self.unit() * (to - from)
    }
}

/// Ticks of poses; the inner lists are by entity.
pub(crate) type Recording = Vec<Vec<Pose>>;

/// `count` ships for `ticks` ticks of 1/`hz` seconds. A ship's top speed is 30
/// units a second: 8 sixteenths of a unit a tick at 60 Hz.
pub(crate) fn ships(count: usize, ticks: usize, hz: f32, seed: u64) -> Recording {
    const TOP_SPEED: f32 = 30.0;
    struct Ship {
        pose: Pose,
        vx: f32,
        vy: f32,
        turn: f32,
        thrust: bool,
    }
    let mut dice = Dice(seed);
    let spread = 40.0 * (count as f32).sqrt();
    let mut ships: Vec<Ship> = (0..count)
        .map(|_| Ship {
            pose: Pose {
                x: dice.range(-spread, spread),
                y: dice.range(-spread, spread),
                heading: dice.range(0.0, TAU),
            },
            vx: dice.range(-20.0, 20.0),
            vy: dice.range(-20.0, 20.0),
            turn: 0.0,
            thrust: true,
        })
        .collect();
    let dt = 1.0 / hz;
    let mut recording = Vec::new();
    for _ in 0..ticks {
        for ship in &mut ships {
            if dice.unit() < 4.0 * dt {
                ship.turn = [-3.0, 0.0, 3.0][(dice.roll() % 3) as usize];
                ship.thrust = dice.unit() < 0.6;
            }
            ship.pose.heading += ship.turn * dt;
            if ship.thrust {
                ship.vx += ship.pose.heading.cos() * 25.0 * dt;
                ship.vy += ship.pose.heading.sin() * 25.0 * dt;
            }
            let drag = 1.0 - 0.4 * dt;
            (ship.vx, ship.vy) = (ship.vx * drag, ship.vy * drag);
            let speed = ship.vx.hypot(ship.vy);
            if speed > TOP_SPEED {
                (ship.vx, ship.vy) = (ship.vx * TOP_SPEED / speed, ship.vy * TOP_SPEED / speed);
            }
            ship.pose.x = wrap(ship.pose.x + ship.vx * dt);
            ship.pose.y = wrap(ship.pose.y + ship.vy * dt);
        }
        for i in 0..ships.len() {
            for j in 0..i {
                let (dx, dy) =
                    (ships[i].pose.x - ships[j].pose.x, ships[i].pose.y - ships[j].pose.y);
                if dx * dx + dy * dy < 16.0 {
                    let (vx, vy) = (ships[i].vx, ships[i].vy);
                    (ships[i].vx, ships[i].vy) = (ships[j].vx, ships[j].vy);
                    (ships[j].vx, ships[j].vy) = (vx, vy);
                }
            }
        }
        recording.push(ships.iter().map(|ship| ship.pose).collect());
    }
    recording
}

/// `count` walkers for `ticks` ticks of 1/`hz` seconds, at 5 units a second.
pub(crate) fn walkers(count: usize, ticks: usize, hz: f32, seed: u64) -> Recording {
    let mut dice = Dice(seed);
    let mut walkers: Vec<(Pose, bool)> = (0..count)
        .map(|_| {
            let (x, y) = (dice.range(-200.0, 200.0), dice.range(-200.0, 200.0));
            (Pose { x, y, heading: dice.range(0.0, TAU) }, true)
        })
        .collect();
    let dt = 1.0 / hz;
    let mut recording = Vec::new();
    for _ in 0..ticks {
        for (pose, walks) in &mut walkers {
            if dice.unit() < 0.8 * dt {
                *walks = !*walks;
            }
            if dice.unit() < 0.7 * dt {
                pose.heading = dice.range(0.0, TAU);
            }
            if *walks {
                pose.x = wrap(pose.x + pose.heading.cos() * 5.0 * dt);
                pose.y = wrap(pose.y + pose.heading.sin() * 5.0 * dt);
            }
        }
        recording.push(walkers.iter().map(|(pose, _)| *pose).collect());
    }
    recording
}

fn wrap(x: f32) -> f32 {
    (x + EDGE).rem_euclid(2.0 * EDGE) - EDGE
}
