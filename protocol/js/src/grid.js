/**
 * Quantisation: floats and angles as integers on a grid. A cell counts steps
 * from the origin, the point nearest to zero.
 *
 * @module
 */

const TAU = 2 * Math.PI;
/** Beyond it a position on a ring has no meaning left. */
const AROUND_MAX = 9e15;

/** The points that a quantised float can take. */
export class Grid {
  /**
   * The grid from `min` to `max`. In a ring, `max` is the same point as `min`.
   *
   * @param {number} min
   * @param {number} max
   * @param {number} step
   * @param {boolean} ring
   */
  constructor(min, max, step, ring) {
    const steps = Math.round((max - min) / step);
    this.min = min;
    this.step = step;
    /** Whether the point after the last is the first. */
    this.ring = ring;
    /** How many points there are. */
    this.count = ring ? steps : steps + 1;
    /** The index of the point nearest to 0. */
    this.origin = Math.min(Math.max(Math.round(-min / step), 0), this.count - 1);
  }

  /**
   * The grid of an angle in radians, from 0 to just below a full turn.
   *
   * @param {number} bits
   */
  static angle(bits) {
    return new Grid(0, TAU, TAU / 2 ** bits, true);
  }

  get lowest() {
    return 0 - this.origin;
  }

  get highest() {
    return this.count - 1 - this.origin;
  }

  /**
   * The cell nearest to `value`: halves go up, what is outside goes to the edge
   * or around the ring, NaN to the origin.
   *
   * @param {number} value
   */
  cell(value) {
    const index = (value - this.min) / this.step + 0.5;
    if (Number.isNaN(index)) return 0;
    if (index >= 0 && index < this.count) return Math.floor(index) - this.origin;
    if (!this.ring) return index < 0 ? this.lowest : this.highest;
    const around = Math.min(Math.max(Math.floor(index), -AROUND_MAX), AROUND_MAX) % this.count;
    // Not -0, which a remainder can be.
    return (around < 0 ? around + this.count : around) - this.origin + 0;
  }

  /**
   * The value of a cell.
   *
   * @param {number} cell
   */
  value(cell) {
    return this.min + (cell + this.origin) * this.step;
  }
}
