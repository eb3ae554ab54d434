/**
 * Where what drifts is drawn. Its way is a straight line, so it is known for any time: rocks and own
 * shots are drawn in the time of the own ship, which is ahead, so that they meet where it seems.
 */

import { SHOT_RADIUS, SHOT_TICKS, rockRadius } from "./flight.js";
import { distance, place } from "./space.js";

/** Ticks in which another's shot goes from the time of its ship to that of the own. */
const OVERTAKING_TICKS = 14;

/** @typedef {{ x: number, y: number, vx: number, vy: number }} Drifting in units, and sixteenths per tick */

/** @param {Drifting} it @param {number} ticks from its row's time on */
export function drifted(it, ticks) {
  return { x: place(it.x + (it.vx * ticks) / 16), y: place(it.y + (it.vy * ticks) / 16) };
}

/**
 * The time in which another's shot is drawn: it leaves the gun of a ship that is drawn in the past,
 * and threatens one that is drawn ahead.
 *
 * @param {number} until the tick in which it fades
 * @param {number} past
 * @param {number} ahead
 */
export function timeOf(until, past, ahead) {
  const age = past - (until - SHOT_TICKS);
  return past + (ahead - past) * Math.min(Math.max(age / OVERTAKING_TICKS, 0), 1);
}

/** Own shots that have met a rock as it is drawn: the server will say so in a moment. */
export class Spent {
  /** @type {Set<number>} by the tick of their birth */
  #shots = new Set();

  /**
   * @param {number} born
   * @param {{ x: number, y: number }} at
   * @param {{ x: number, y: number, size: number }[]} rocks
   * @param {(x: number, y: number) => void} meet called once
   */
  has(born, at, rocks, meet) {
    if (this.#shots.has(born)) return true;
    const meets = rocks.some((rock) => distance(at, rock) < rockRadius(rock.size) + SHOT_RADIUS);
    if (!meets) return false;
    this.#shots.add(born);
    meet(at.x, at.y);
    return true;
  }

  /** @param {number} tick shots of other times are forgotten */
  forget(tick) {
    for (const born of this.#shots) if (Math.abs(tick - born) > 2 * SHOT_TICKS) this.#shots.delete(born);
  }
}
