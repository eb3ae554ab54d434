/**
 * A table compiled for the decoder.
 *
 * @module
 */

import { COUNT, NEAR } from "./scalar.js";

/** Where a mean starts for motion that is predicted. */
const MEAN_PREDICTED = 1;

/** A leaf that chunks may predict. */
class Motion {
  /**
   * @param {number} at its cell in the row
   * @param {number} bit its bit in a mask of leaves
   * @param {import("./scalar.js").Scalar} scalar
   */
  constructor(at, bit, scalar) {
    this.at = at;
    // A mask's halves are two numbers.
    this.low = bit < 32 ? 1 << bit : 0;
    this.high = bit < 32 ? 0 : 1 << (bit - 32);
    this.scalar = scalar;
  }
}

export class TableLayout {
  /** The leaves that are motion. @type {Motion[]} */
  motions = [];
  /** The same as the two halves of a mask. */
  motionLow = 0;
  motionHigh = 0;

  /** @param {import("./kinds.js").TableSchema} table */
  constructor(table) {
    /** The entity's leaves. */
    this.record = table;
    /** Cells of a row. */
    this.cells = table.cells;
    /** Where the running means start in a plain section. */
    this.means = Int32Array.from(table.means, (start) => 8 * start);
    /** The same for a section of predicted updates. */
    this.meansPredicted = this.means.slice();
    /** All leaves as a mask; one bit if there are none. */
    const leaves = Math.max(table.leaves.length, 1);
    this.allLow = ones(leaves);
    this.allHigh = ones(leaves - 32);
    table.leaves.forEach(({ at, motion, scalar }, bit) => {
      if (!motion || scalar === undefined) return;
      const found = new Motion(at, bit, scalar);
      this.motions.push(found);
      this.motionLow |= found.low;
      this.motionHigh |= found.high;
      if (scalar.code === NEAR || scalar.code === COUNT) this.meansPredicted[scalar.mean] = 8 * MEAN_PREDICTED;
    });
  }
}

/** A half of a mask with so many bits set. @param {number} bits */
function ones(bits) {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : (1 << bits) - 1;
}
