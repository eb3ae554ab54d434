/**
 * Writes frames, as a server does: for benchmarks and tests of the decoder. Only
 * rows whose leaves are all scalars, in one table of the room's scope.
 */

import { counted, orderOf } from "../src/bits.js";
import { Writer } from "../src/codec.js";
import { COUNT, FLIP, NEAR } from "../src/schema/scalar.js";

/** Bits from the least significant one of each byte up. */
class BitWriter {
  /** @type {number[]} */
  bytes = [];
  at = 0;

  /** @param {number} value @param {number} count */
  put(value, count) {
    for (let bit = 0; bit < count; bit++, this.at++) {
      if ((this.at & 7) === 0) this.bytes.push(0);
      this.bytes[this.at >> 3] |= (Math.floor(value / 2 ** bit) & 1) << (this.at & 7);
    }
  }

  /**
   * A number in Golomb code; `false` if it escapes.
   *
   * @param {number} value
   * @param {number} order
   * @param {number} escape
   */
  golomb(value, order, escape) {
    const sum = value + 2 ** order;
    const digits = Math.floor(Math.log2(sum));
    const zeros = digits - order;
    this.put(0, Math.min(zeros, escape));
    if (zeros >= escape) return false;
    this.put(1, 1);
    this.put(sum - 2 ** digits, digits);
    return true;
  }

  /** @param {number} value @param {number} order */
  number(value, order) {
    this.golomb(value, order, 32);
  }
}

/** Rows of cells, by slot: what a server knows that a client has. */
export class FrameEncoder {
  /** The rows at the last tick, and at the one before. @type {number[][]} */
  #rows = [];
  /** @type {number[][]} */
  #past = [];
  /** What the client has when it reads the updates: rows, or where lines lead. @type {number[][]} */
  #base = [];
  #tick = -1;
  #frames = 0;

  /** @param {import("../src/schema/layout.js").TableLayout} layout */
  constructor(layout) {
    this.layout = layout;
    this.leaves = layout.record.leaves.map(({ scalar }) => {
      if (scalar === undefined) throw new Error("only scalars");
      return scalar;
    });
  }

  /**
   * The frame that leads to these rows at this tick: the first is full, from the
   * third on frames are predicted.
   *
   * @param {number} tick
   * @param {number[][]} rows
   */
  frame(tick, rows) {
    const first = this.#frames === 0;
    const isPredicted = this.#frames > 1;
    const bits = new BitWriter();
    const changed = first ? rows.map((_, slot) => slot) : this.#goOn(rows, isPredicted);
    if (changed.length > 0) this.#table(bits, changed, rows, first, isPredicted);
    if (bits.at > 0) bits.put(0, 1);
    this.#past = this.#rows;
    this.#rows = rows.map((row) => [...row]);
    const w = new Writer();
    w.raw([0, first ? 1 : isPredicted ? 2 : 0]);
    w.uint(first ? tick : tick - this.#tick);
    w.raw([1, first ? 1 : 0]);
    w.blob(Uint8Array.from(bits.bytes));
    this.#tick = tick;
    this.#frames += 1;
    return w.bytes();
  }

  /**
   * Moves what the client predicts; gives the rows that are then wrong.
   *
   * @param {number[][]} rows
   * @param {boolean} isPredicted
   */
  #goOn(rows, isPredicted) {
    this.#base = this.#rows.map((row, slot) => row.map((cell, leaf) => {
      const moves = isPredicted && this.layout.record.leaves[leaf].motion;
      return moves ? this.leaves[leaf].extrapolate(this.#past[slot][leaf], cell, 1, 1) : cell;
    }));
    return rows.map((_, slot) => slot).filter((slot) => this.#mask(slot, rows[slot]) !== 0);
  }

  /** @param {number} slot @param {number[]} row */
  #mask(slot, row) {
    const base = this.#base[slot] ?? row.map(() => 0);
    return row.reduce((mask, cell, leaf) => mask | (cell === base[leaf] ? 0 : 1 << leaf), 0);
  }

  /**
   * @param {BitWriter} bits
   * @param {number[]} changed
   * @param {number[][]} rows
   * @param {boolean} first
   * @param {boolean} isPredicted
   */
  #table(bits, changed, rows, first, isPredicted) {
    bits.put(1, 1);
    bits.number(0, 0);
    bits.put(0, first ? 2 : 3);
    bits.put(1, 1);
    bits.number(changed.length - 1, 3);
    const means = (isPredicted ? this.layout.meansPredicted : this.layout.means).slice();
    let [next, gaps, before] = [0, 0, 0];
    for (const slot of changed) {
      bits.number(slot - next, orderOf(gaps));
      gaps = counted(gaps, slot - next);
      next = slot + 1;
      if (first) bits.number(0, 1);
      const mask = this.#mask(slot, rows[slot]);
      bits.put(mask === before ? 1 : 0, 1);
      if (mask !== before) bits.put(mask, this.leaves.length);
      before = mask;
      this.leaves.forEach((scalar, leaf) => {
        if (((mask >> leaf) & 1) === 0) return;
        this.#cell(bits, means, scalar, this.#base[slot]?.[leaf] ?? 0, rows[slot][leaf], first);
      });
    }
    if (first) bits.put(0, 1);
  }

  /**
   * @param {BitWriter} bits
   * @param {Int32Array} means
   * @param {import("../src/schema/scalar.js").Scalar} scalar
   * @param {number} base
   * @param {number} cell
   * @param {boolean} fresh
   */
  #cell(bits, means, scalar, base, cell, fresh) {
    if (scalar.code === FLIP) return;
    if (scalar.code === COUNT || (scalar.code === NEAR && !fresh)) {
      const d = scalar.difference(base, cell);
      const value = (d < 0 ? -2 * d - 1 : 2 * d) - 1;
      const order = Math.min(orderOf(means[scalar.mean]), scalar.width);
      if (bits.golomb(value, order, ((scalar.width - order) >> 1) + 1)) {
        means[scalar.mean] = counted(means[scalar.mean], value);
        return;
      }
    }
    bits.put(cell - scalar.lowest, scalar.width);
  }
}
