/**
 * What one frame did to rows, each row at most once.
 *
 * @module
 */

/** What happened to a row. */
export const ADDED = 0;
/** The leaves of the mask have other values than before the frame; an empty mask is nothing. */
export const CHANGED = 1;
/** The entity does not exist any more. */
export const DESPAWNED = 2;
/** It is in a scope that this client does not watch. */
export const DEPARTED = 3;

/** @typedef {import("./rows.js").TableRows} TableRows */

/** A list that is kept between frames, so that in steady state it allocates nothing. */
export class Changes {
  constructor() {
    /** How many there are. */
    this.count = 0;
    /** The number of the frame, from 1; it may wrap. */
    this.frame = 0;
    this.tables = new Uint8Array(0);
    this.rows = new Uint32Array(0);
    this.whats = new Uint8Array(0);
    this.lows = new Int32Array(0);
    this.highs = new Int32Array(0);
    /** The tick before. @type {number | undefined} */
    this.from = undefined;
    /** The frame's tick. */
    this.tick = 0;
    /** Whether the frame's state hash was the mirror's own; nothing if it had none. @type {boolean | undefined} */
    this.hashAgrees = undefined;
  }

  /** Begins the list of a frame. */
  clear() {
    this.count = 0;
    this.frame = (this.frame + 1) >>> 0;
    this.hashAgrees = undefined;
  }

  /** @param {TableRows} rows @param {number} row */
  added(rows, row) {
    this.#set(rows, row, ADDED, 0, 0);
  }

  /** @param {TableRows} rows @param {number} row @param {number} low @param {number} high */
  changed(rows, row, low, high) {
    this.#set(rows, row, CHANGED, low, high);
  }

  /** @param {TableRows} rows @param {number} row @param {boolean} departed */
  removed(rows, row, departed) {
    this.#set(rows, row, departed ? DEPARTED : DESPAWNED, 0, 0);
  }

  /** @param {TableRows} rows @param {number} row @param {number} what @param {number} low @param {number} high */
  #set(rows, row, what, low, high) {
    let place = rows.changes[row];
    const listed = rows.frames[row] === this.frame && place < this.count
      && this.tables[place] === rows.table && this.rows[place] === row;
    if (!listed) {
      place = this.count;
      this.count += 1;
      if (place >= this.rows.length) this.#grow();
      rows.frames[row] = this.frame;
      rows.changes[row] = place;
      this.tables[place] = rows.table;
      this.rows[place] = row;
    }
    this.whats[place] = what;
    this.lows[place] = low;
    this.highs[place] = high;
  }

  #grow() {
    const size = Math.max(64, 2 * this.rows.length);
    const { tables, rows, whats, lows, highs } = this;
    (this.tables = new Uint8Array(size)).set(tables);
    (this.rows = new Uint32Array(size)).set(rows);
    (this.whats = new Uint8Array(size)).set(whats);
    (this.lows = new Int32Array(size)).set(lows);
    (this.highs = new Int32Array(size)).set(highs);
  }
}
