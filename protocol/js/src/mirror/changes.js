/**
 * What one frame did to rows, each row at most once.
 *
 * @module
 */

import { larger } from "../store.js";

/** What happened to a row. */
export const ADDED = 0;
/** The leaves of the mask have other values than before the frame; an empty mask is nothing. */
export const CHANGED = 1;
/** The entity does not exist any more. */
export const DESPAWNED = 2;
/** It is in a scope that this client does not watch. */
export const DEPARTED = 3;

/** @typedef {import("./rows.js").TableRows} TableRows */

/** Numbers of each change: table, row, what, and the two halves of the mask of leaves. */
const STRIDE = 5;

/** A list that is kept between frames, so that in steady state it allocates nothing. */
export class Changes {
  #list = new Int32Array(0);
  /** How many there are. */
  count = 0;
  /** The number of the frame, from 1; it may wrap. */
  #frame = 0;
  /** The tick before. @type {number | undefined} */
  from;
  /** The frame's tick. */
  tick = 0;
  /**
   * Whether the frame's state hash was the mirror's own; nothing if it had none.
   *
   * @type {boolean | undefined}
   */
  hashAgrees;

  /** Begins the list of a frame. */
  clear() {
    this.count = 0;
    this.#frame = (this.#frame + 1) >>> 0;
    this.hashAgrees = undefined;
  }

  /**
   * Calls back with each change.
   *
   * @param {(table: number, row: number, what: number, low: number, high: number) => void} each
   */
  forEach(each) {
    const list = this.#list;
    for (let at = 0; at < STRIDE * this.count; at += STRIDE) {
      each(list[at], list[at + 1], list[at + 2], list[at + 3], list[at + 4]);
    }
  }

  /**
   * Says of a row what the frame did to it, all in all.
   *
   * @param {TableRows} rows
   * @param {number} row
   * @param {number} what
   * @param {number} low
   * @param {number} high
   */
  set(rows, row, what, low, high) {
    let at = rows.listed[row];
    const isListed = rows.frames[row] === this.#frame && this.#list[at] === rows.table && this.#list[at + 1] === row;
    if (!isListed) {
      at = STRIDE * this.count;
      this.count += 1;
      if (at === this.#list.length) this.#list = larger(this.#list, 2 * at + 64 * STRIDE);
      rows.frames[row] = this.#frame;
      rows.listed[row] = at;
      this.#list[at] = rows.table;
      this.#list[at + 1] = row;
    }
    this.#list[at + 2] = what;
    this.#list[at + 3] = low;
    this.#list[at + 4] = high;
  }
}
