/** A space without edges: what leaves one side enters on the other. Lengths are in units. */

import { SPACE } from "./flight.js";

const HALF = SPACE / 2;

/** The short way along an axis, -2048 to 2048. @param {number} from @param {number} to */
export function way(from, to) {
  const far = (to - from) % SPACE;
  return far >= HALF ? far - SPACE : far < -HALF ? far + SPACE : far;
}

/** A place within -2048 to 2048. @param {number} place */
export function place(place) {
  return way(0, place);
}

/** The short way between two angles, in radians. @param {number} from @param {number} to */
export function turn(from, to) {
  const around = 2 * Math.PI;
  const far = (((to - from) % around) + around) % around;
  return far > Math.PI ? far - around : far;
}

/** @param {{ x: number, y: number }} a @param {{ x: number, y: number }} b */
export function distance(a, b) {
  return Math.hypot(way(a.x, b.x), way(a.y, b.y));
}
