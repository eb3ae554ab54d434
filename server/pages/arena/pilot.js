/**
 * The own ship, ahead of the server: it flies by the same rules with the controls as they are now,
 * and is put right by what the server says.
 *
 * ```text
 *    frame of tick 41       ticks 42 to 46 are flown here        what is drawn: between 45 and 46
 *   ───────┬──────────────────────────────────────────────┬────────►
 *    what the server had                         the tick that controls made now are for
 * ```
 *
 * A correction is never drawn as a jump: what was drawn stays, and glides to where it should be.
 */

import { Predictor, Smoother } from "/client/index.js";
import { SHOT_TICKS, fly, shotFrom, work } from "./flight.js";
import { place, turn, way } from "./space.js";

/** How fast a correction is made up for: to 37 % in this time. */
const GLIDE_MS = 90;
/** Further away, in units, the ship is somewhere else for good. */
const JUMP = 160;
const HEADING_STEP = (2 * Math.PI) / 256;
/** Flown ticks whose states are kept: what is drawn is never further from the newest. */
const KEPT_TICKS = 64;

/**
 * @typedef {import("./flight.js").Body} Body
 * @typedef {import("./flight.js").Gun} Gun
 * @typedef {import("./flight.js").Steer} Steer
 * @typedef {{ body: Body, gun: Gun }} State
 * @typedef {{ x: number, y: number, heading: number }} Row of the table of ships, as the client has it
 * @typedef {{ x: number, y: number, vx: number, vy: number, born: number, until: number }} Ghost
 */

export class Pilot {
  /** @type {Predictor<State, Steer> | null} nothing while there is no ship */
  #predictor = null;
  /** The bodies after the last ticks, by the tick. @type {Map<number, Body>} */
  #bodies = new Map();
  /** Along both axes, and of the heading. */
  #glide = glides();
  /** Shots that the server has not spoken of yet, by the tick of their birth. @type {Map<number, Ghost>} */
  ghosts = new Map();
  /** The ticks that the server has spoken of. */
  #settled = -1;

  /** What the ship carries and when it fires, as far as it is known. */
  get gun() {
    return this.#predictor?.state.gun ?? null;
  }

  /** The newest heading, in radians. */
  get heading() {
    return (this.#predictor?.state.body.heading ?? 0) * HEADING_STEP;
  }

  get flies() {
    return this.#predictor !== null;
  }

  /**
   * A frame came. Gives by how much the prediction was wrong, in units.
   *
   * @param {number} tick of the frame
   * @param {Row | undefined} ship
   * @param {(Gun & { vx: number, vy: number }) | undefined} gear
   * @param {number} position what is drawn now, see `at`
   * @param {number} now in milliseconds
   */
  frame(tick, ship, gear, position, now) {
    // Another room, or this one from an earlier time: what was predicted means nothing.
    const again = tick < this.#settled;
    this.#settled = tick;
    for (const born of this.ghosts.keys()) if (born <= tick) this.ghosts.delete(born);
    if (again || !ship || !gear) {
      this.#predictor = null;
      this.#bodies.clear();
      this.ghosts.clear();
    }
    if (!ship || !gear) return 0;
    const state = stateOf(ship, gear);
    if (!this.#predictor) {
      this.#predictor = new Predictor({ step: this.#step, isSame }, tick, state);
      this.#bodies.set(tick, state.body);
      this.#glide = glides();
      return 0;
    }
    const before = this.at(position, now);
    const { result } = this.#predictor.reconcile(tick, state);
    this.#bodies.set(tick, state.body);
    for (const flown of this.#bodies.keys()) if (flown < tick - KEPT_TICKS) this.#bodies.delete(flown);
    if (result !== "corrected" || !before) return 0;
    const after = this.at(position, now);
    if (!after) return 0;
    const [dx, dy] = [way(after.x, before.x), way(after.y, before.y)];
    this.#glide.place.corrected([dx, dy], now);
    this.#glide.heading.corrected([turn(after.heading, before.heading)], now);
    return Math.hypot(dx, dy);
  }

  /** Flies a tick; gives whether the gun fires in it. @param {number} tick @param {Steer} steer */
  fly(tick, steer) {
    this.#predictor?.push(tick, steer);
    return this.ghosts.has(tick);
  }

  /**
   * Where the ship is drawn. Through the tick T, the position goes from T to T + 1, and the ship from
   * where it was before that tick to where it is after it.
   *
   * @param {number} position
   * @param {number} now in milliseconds
   */
  at(position, now) {
    if (!this.#predictor) return null;
    const tick = Math.floor(position);
    const newest = this.#predictor.state.body;
    const to = this.#bodies.get(tick) ?? newest;
    // A tick that nothing was flown for: a gap in what came, at the beginning or after a pause.
    const from = this.#bodies.get(tick - 1) ?? to;
    const part = position - tick;
    const [dx = 0, dy = 0] = this.#glide.place.offset(now);
    const [dh = 0] = this.#glide.heading.offset(now);
    const step = { x: moved(from.x, to.x), y: moved(from.y, to.y) };
    return {
      x: place((from.x + step.x * part) / 16 + dx),
      y: place((from.y + step.y * part) / 16 + dy),
      heading: (from.heading + turned(from.heading, to.heading) * part) * HEADING_STEP + dh,
      vx: step.x / 16,
      vy: step.y / 16,
    };
  }

  /** One tick, also once more after a correction. */
  #step = (/** @type {State} */ state, /** @type {Steer} */ steer, /** @type {number} */ tick) => {
    const body = fly(state.body, steer);
    const { fired, ...gun } = work(state.gun, steer.fire, tick);
    if (fired && tick > this.#settled) {
      const shot = shotFrom(body);
      this.ghosts.set(tick, { ...shot, x: shot.x / 16, y: shot.y / 16, born: tick, until: tick + SHOT_TICKS });
    } else {
      this.ghosts.delete(tick);
    }
    this.#bodies.set(tick, body);
    return { body, gun };
  };
}

function glides() {
  return { place: new Smoother(GLIDE_MS, JUMP), heading: new Smoother(GLIDE_MS, Math.PI) };
}

/** @param {Row} ship @param {Gun & { vx: number, vy: number }} gear @returns {State} */
function stateOf(ship, gear) {
  const { vx, vy, ammo, ready_at, reload_at } = gear;
  const heading = Math.round(ship.heading / HEADING_STEP) & 255;
  return { body: { x: ship.x * 16, y: ship.y * 16, vx, vy, heading }, gun: { ammo, ready_at, reload_at } };
}

/** @param {State} a @param {State} b */
function isSame(a, b) {
  const [p, q, g, h] = [a.body, b.body, a.gun, b.gun];
  const flight = p.x === q.x && p.y === q.y && p.vx === q.vx && p.vy === q.vy && p.heading === q.heading;
  return flight && g.ammo === h.ammo && g.ready_at === h.ready_at && g.reload_at === h.reload_at;
}

/** From one place to another in sixteenths, the short way. @param {number} from @param {number} to */
function moved(from, to) {
  return ((to - from) << 16) >> 16;
}

/** From one heading to another, the short way. @param {number} from @param {number} to */
function turned(from, to) {
  return ((to - from) << 24) >> 24;
}
