/**
 * How a ship flies and fires: the rules of `server/src/games/arena` once more, for a pilot who does
 * not want to wait for the server. All numbers are integers; `server/fixtures/fly.json` holds both
 * versions together.
 */

/**
 * @typedef {object} Body
 * @property {number} x in sixteenths of a unit, -32768 to 32767; it wraps where the space does
 * @property {number} y in sixteenths of a unit
 * @property {number} vx in 1024ths of a unit per tick
 * @property {number} vy in 1024ths of a unit per tick
 * @property {number} heading in 256ths of a turn: 0 is along x, 64 along y
 */

/** @typedef {{ turn: number, thrust: boolean, fire: boolean }} Steer */

/** @typedef {{ ammo: number, ready_at: number, reload_at: number }} Gun */

/** @typedef {{ x: number, y: number, vx: number, vy: number }} Shot all in sixteenths, and per tick */

/** The width of the space, in units. */
export const SPACE = 4096;
export const SHIP_RADIUS = 14;
export const SHOT_RADIUS = 2;
export const AMMO = 12;
export const SHOT_TICKS = 40;

const TURN = 4;
const THRUST = 384;
const KEEP = 31;
const SPEED_MAX = 16384;
const SHOT_SPEED = 20 * 16;
const COOLDOWN_TICKS = 8;
const RELOAD_TICKS = 20;

/** A rock's radius, in units. @param {number} size 1 to 3 */
export function rockRadius(size) {
  return 20 << (size - 1);
}

/**
 * One tick of a ship's flight.
 *
 * @param {Body} body
 * @param {Steer} steer
 * @returns {Body}
 */
export function fly(body, steer) {
  const turn = Math.max(-1, Math.min(1, steer.turn));
  const heading = (body.heading + turn * TURN) & 255;
  const thrust = steer.thrust ? THRUST : 0;
  const vx = speed(body.vx, along(thrust, cosine(heading)));
  const vy = speed(body.vy, along(thrust, sine(heading)));
  return { x: wrap(body.x + sixteenths(vx)), y: wrap(body.y + sixteenths(vy)), vx, vy, heading };
}

/**
 * A gun in the tick after, and whether it has fired.
 *
 * @param {Gun} gun
 * @param {boolean} fire
 * @param {number} tick
 * @returns {Gun & { fired: boolean }}
 */
export function work({ ammo, ready_at, reload_at }, fire, tick) {
  if (ammo < AMMO && tick >= reload_at) {
    ammo += 1;
    reload_at = tick + RELOAD_TICKS;
  }
  const fired = fire && ammo > 0 && tick >= ready_at;
  if (fired) {
    if (ammo === AMMO) reload_at = tick + RELOAD_TICKS;
    ammo -= 1;
    ready_at = tick + COOLDOWN_TICKS;
  }
  return { ammo, ready_at, reload_at, fired };
}

/**
 * The shot that leaves a ship's nose.
 *
 * @param {Body} body
 * @returns {Shot}
 */
export function shotFrom(body) {
  const [cos, sin] = [cosine(body.heading), sine(body.heading)];
  const nose = SHIP_RADIUS * 16;
  return {
    x: wrap(body.x + along(nose, cos)),
    y: wrap(body.y + along(nose, sin)),
    vx: sixteenths(body.vx) + along(SHOT_SPEED, cos),
    vy: sixteenths(body.vy) + along(SHOT_SPEED, sin),
  };
}

/** A speed after a push and a tick of drag; division drops the fraction. @param {number} v @param {number} push */
function speed(v, push) {
  const kept = Math.trunc(((v + push) * KEEP) / 32);
  // Never -0, which no integer is.
  return Math.max(-SPEED_MAX, Math.min(SPEED_MAX, kept)) + 0;
}

/** A ship's speed in whole sixteenths of a unit per tick: halves go up. @param {number} v */
function sixteenths(v) {
  return (v + 32) >> 6;
}

/** The part of a length that lies along an axis: halves go up. @param {number} length @param {number} share */
function along(length, share) {
  return (length * share + 2048) >> 12;
}

/** The sine of a heading, in 4096ths, by Bhaskara's formula. @param {number} heading */
export function sine(heading) {
  const part = heading & 127;
  const arc = part * (128 - part);
  const sine = Math.trunc((4096 * 4 * arc) / (20480 - arc));
  return (heading & 128 ? -sine : sine) + 0;
}

/** The cosine of a heading, in 4096ths. @param {number} heading */
export function cosine(heading) {
  return sine(heading + 64);
}

/** A place as the 16 bits that it has. @param {number} place */
function wrap(place) {
  return (place << 16) >> 16;
}
