/**
 * Integers of one cell and their codes (`docs/PROTOCOL.md`, section 5).
 *
 * @module
 */

/** Two values: that it changed says all. */
export const FLIP = 0;
/** So many bits as it has. */
export const FIXED = 1;
/** The difference to the base; plain bits in a new row. */
export const NEAR = 2;
/** The difference to the base, in a new row too. */
export const COUNT = 3;

/** Scalars of at most this many bits are written as they are. */
const FIXED_WIDTH_MAX = 4;
/** Integers of this width that use their type's whole range count from zero. */
const COUNT_WIDTH_MIN = 16;

/**
 * The code of a range.
 *
 * @param {number} width
 * @param {boolean} isWhole whether it is the whole range of an integer type
 */
function codeOf(width, isWhole) {
  if (width === 1) return FLIP;
  if (width <= FIXED_WIDTH_MAX) return FIXED;
  return isWhole && width >= COUNT_WIDTH_MIN ? COUNT : NEAR;
}

/** An integer of at most 53 bits and its code. */
export class Scalar {
  /** Where its running mean is, in the table's; -1 without. */
  mean = -1;
  /** Bits that a float may not have all set; 0 for others. */
  notFinite = 0;
  /** How many cells a ring has; 0 if this is not one. */
  around = 0;

  /**
   * @param {number} lowest the smallest cell
   * @param {number} span the largest minus the smallest
   * @param {boolean} isWhole whether it is the whole range of an integer type
   */
  constructor(lowest, span, isWhole) {
    this.lowest = lowest;
    this.highest = lowest + span;
    this.span = span;
    this.width = span.toString(2).length;
    this.code = codeOf(this.width, isWhole);
  }

  /**
   * The difference that leads from `base` to `cell`: the short way in a ring.
   *
   * @param {number} base
   * @param {number} cell
   */
  difference(base, cell) {
    const difference = cell - base;
    if (this.around === 0 || Math.abs(difference) <= Math.floor(this.around / 2)) return difference;
    return difference > 0 ? difference - this.around : difference + this.around;
  }

  /**
   * Where a straight line through the cells at two ticks leads `ahead` ticks
   * after the later one; `apart` ticks lie between the two. Only for motion, where
   * the range is below 2^32 and both spans below 2^8.
   *
   * @param {number} earlier
   * @param {number} later
   * @param {number} apart
   * @param {number} ahead
   */
  extrapolate(earlier, later, apart, ahead) {
    const moved = this.difference(earlier, later);
    const cell = later + (apart === ahead ? moved : Math.floor((moved * ahead) / apart));
    if (cell >= this.lowest && cell <= this.highest) return cell;
    if (this.around === 0) return cell < this.lowest ? this.lowest : this.highest;
    const at = (cell - this.lowest) % this.around;
    return this.lowest + (at < 0 ? at + this.around : at);
  }
}

/** An integer that needs 64 bits. */
export class Wide {
  /** Where its running mean is, in the table's; -1 without. */
  mean = -1;

  /**
   * @param {bigint} lowest
   * @param {bigint} span
   */
  constructor(lowest, span) {
    this.lowest = lowest;
    this.span = span;
    this.width = span.toString(2).length;
    this.code = codeOf(this.width, span === (1n << 64n) - 1n);
  }
}
