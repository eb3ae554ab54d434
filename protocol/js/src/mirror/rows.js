/**
 * The rows of one table of a mirror, and what a chunk may do to them.
 *
 * Rows are dense, and an index leads from slots to them, so that a high slot
 * costs no more than a page. What is known of a row lies in typed arrays: a row
 * that changes allocates nothing.
 *
 * @module
 */

import { MIRROR_BYTES_MAX } from "../limits.js";
import { chunkFault } from "../malformed.js";
import { Store, larger } from "../store.js";
import { ADDED, CHANGED, DEPARTED, DESPAWNED } from "./changes.js";

/** Slots of one page of the index. */
const PAGE = 128;
const NONE = -1;
/** What one row costs beside its cells, about. */
const ROW_BYTES = 64;

// Where a row is in the life of a frame.
/** Nothing special: the state of every row between frames. */
export const HERE = 0;
/** New in this frame. */
export const FRESH = 1;
/** Was here before, and came into its scope in this frame. */
export const ARRIVED = 2;
/** Will be gone at the end of the frame, unless a scope brings it again: out of view … */
export const DEPARTING = 3;
/** … or because a despawn said so. */
export const DESPAWNING = 4;
/** Gone; the row is used again after the next frame began. */
export const DEAD = 5;

export class TableRows {
  /**
   * @param {import("../schema/layout.js").TableLayout} layout
   * @param {number} table
   * @param {import("../store.js").Texts} texts
   * @param {import("./changes.js").Changes} changes
   */
  constructor(layout, table, texts, changes) {
    this.layout = layout;
    this.changes = changes;
    /** The table's index in the schema. */
    this.table = table;
    /** Cells of a row. */
    this.stride = layout.cells;
    this.store = new Store(0, texts);
    /** The motion cells of each row at the tick before the last. */
    this.past = new Float64Array(0);
    /** @type {(Int32Array | undefined)[]} */
    this.pages = [];
    /** How many rows there are, dead ones too. */
    this.count = 0;
    /** How many of them are here. */
    this.present = 0;
    this.slots = new Uint32Array(0);
    this.generations = new Uint32Array(0);
    this.scopes = new Uint32Array(0);
    this.states = new Uint8Array(0);
    /** Whether a row is in `moving`. */
    this.inMotion = new Uint8Array(0);
    /** The last frame in which a row changed, and where that frame's list has it. */
    this.frames = new Uint32Array(0);
    this.listed = new Uint32Array(0);
    /** Rows whose past differs from their cells, or may: the first `movingCount`. */
    this.moving = new Uint32Array(0);
    this.movingCount = 0;
    /** Rows that are ready for others. @type {number[]} */
    this.free = [];
    /** Rows that came into a scope in this frame. @type {number[]} */
    this.arriving = [];
    /** Rows that may be gone at the end of this frame. @type {number[]} */
    this.doubted = [];
    /** Rows that this frame has removed: their last values can still be read. @type {number[]} */
    this.dead = [];
  }

  /** The row of a slot, or -1. @param {number} slot @returns {number} */
  find(slot) {
    const page = this.pages[slot >>> 7];
    return page === undefined ? NONE : page[slot & (PAGE - 1)];
  }

  /** The rows that are here, by slot. @returns {Generator<number>} */
  *inOrder() {
    for (const page of this.pages) {
      for (const row of page ?? []) if (row !== NONE) yield row;
    }
  }

  /**
   * A row of zeros for an entity that was not here.
   *
   * @param {number} slot
   * @param {number} generation
   * @param {number} scope
   */
  #add(slot, generation, scope) {
    const row = this.free.pop() ?? this.#grow();
    this.slots[row] = slot;
    this.generations[row] = generation;
    this.scopes[row] = scope;
    this.states[row] = FRESH;
    this.inMotion[row] = 0;
    this.frames[row] = 0;
    const page = (this.pages[slot >>> 7] ??= new Int32Array(PAGE).fill(NONE));
    page[slot & (PAGE - 1)] = row;
    this.present += 1;
    return row;
  }

  #grow() {
    const row = this.count;
    this.count += 1;
    this.store.texts.bytes += ROW_BYTES + 8 * (this.stride + this.layout.motions.length);
    if (row >= this.slots.length) {
      const rows = Math.max(8, 2 * row);
      this.slots = larger(this.slots, rows);
      this.generations = larger(this.generations, rows);
      this.scopes = larger(this.scopes, rows);
      this.states = larger(this.states, rows);
      this.inMotion = larger(this.inMotion, rows);
      this.frames = larger(this.frames, rows);
      this.listed = larger(this.listed, rows);
      this.moving = larger(this.moving, rows);
      this.past = larger(this.past, rows * this.layout.motions.length);
      this.store.grow(rows * this.stride);
    }
    return row;
  }

  /** Makes the rows that the last frame removed ready for others. */
  bury() {
    for (const row of this.dead) {
      this.store.wipe(this.layout.record, row * this.stride);
      this.free.push(row);
    }
    this.dead.length = 0;
  }

  /**
   * Motion goes on along straight lines: `apart` ticks lie between the last two,
   * `ahead` between the last one and the frame's.
   *
   * @param {number} apart
   * @param {number} ahead
   */
  goOn(apart, ahead) {
    const { motions } = this.layout;
    const { cells } = this.store;
    const { past, moving } = this;
    let kept = 0;
    for (let i = 0; i < this.movingCount; i++) {
      const row = moving[i];
      if (this.states[row] === DEAD) {
        // Its cells are zero already, for whoever comes next.
        this.inMotion[row] = 0;
        continue;
      }
      let [moved, low, high] = [false, 0, 0];
      for (let m = 0, p = row * motions.length; m < motions.length; m++, p++) {
        const motion = motions[m];
        const place = row * this.stride + motion.at;
        const cell = cells[place];
        const earlier = past[p];
        past[p] = cell;
        if (cell === earlier) continue;
        moved = true;
        const next = motion.scalar.extrapolate(earlier, cell, apart, ahead);
        if (next === cell) continue;
        cells[place] = next;
        low |= motion.low;
        high |= motion.high;
      }
      if (moved) moving[kept++] = row;
      else this.inMotion[row] = 0;
      if ((low | high) !== 0) this.changes.set(this, row, CHANGED, low, high);
    }
    this.movingCount = kept;
  }

  /** Motion stops where it is. */
  standStill() {
    for (let i = 0; i < this.movingCount; i++) {
      const row = this.moving[i];
      this.inMotion[row] = 0;
      this.#stand(row);
    }
    this.movingCount = 0;
  }

  /** A row's past becomes what it is. @param {number} row */
  #stand(row) {
    const { motions } = this.layout;
    for (let m = 0, p = row * motions.length; m < motions.length; m++, p++) {
      this.past[p] = this.store.cells[row * this.stride + motions[m].at];
    }
  }

  /**
   * Marks the rows of these scopes (of all, if none are given) to be gone unless they come again.
   *
   * @param {Set<number> | undefined} scopes
   */
  doubt(scopes) {
    for (let row = 0; row < this.count; row++) {
      if (this.states[row] !== HERE) continue;
      if (scopes !== undefined && !scopes.has(this.scopes[row])) continue;
      this.states[row] = DEPARTING;
      this.doubted.push(row);
    }
  }

  /** Ends the frame: rows that did not come again are removed. */
  settle() {
    for (const row of this.doubted) {
      const state = this.states[row];
      if (state === DEPARTING || state === DESPAWNING) this.#bereave(row);
    }
    this.doubted.length = 0;
    for (const row of this.arriving) {
      if (this.states[row] === FRESH || this.states[row] === ARRIVED) this.states[row] = HERE;
    }
    this.arriving.length = 0;
  }

  /** A row is gone. @param {number} row */
  #bereave(row) {
    this.changes.set(this, row, this.states[row] === DEPARTING ? DEPARTED : DESPAWNED, 0, 0);
    this.states[row] = DEAD;
    const slot = this.slots[row];
    const page = this.pages[slot >>> 7];
    if (page && page[slot & (PAGE - 1)] === row) page[slot & (PAGE - 1)] = NONE;
    this.dead.push(row);
    this.present -= 1;
  }

  // ------------------------------------------------------------------ what a chunk says

  /**
   * The entity in a slot is gone, or left the scope.
   *
   * @param {number} slot
   * @param {number} scope whose chunk it is
   * @param {boolean} departs
   */
  remove(slot, scope, departs) {
    const row = this.find(slot);
    if (row < 0) chunkFault("NoSuchRow");
    const state = this.states[row];
    const isMine = this.scopes[row] === scope;
    if (state === HERE && isMine) {
      this.states[row] = departs ? DEPARTING : DESPAWNING;
      this.doubted.push(row);
      return;
    }
    // If another scope of this frame has brought it, or its successor, already: nothing.
    if (isMine || (state !== FRESH && state !== ARRIVED)) chunkFault("NoSuchRow");
  }

  /**
   * A new entity: gives its row, all zero and without texts.
   *
   * @param {number} slot
   * @param {number} scope
   * @param {number} generation
   */
  spawn(slot, scope, generation) {
    if (this.store.texts.bytes > MIRROR_BYTES_MAX) chunkFault("TooMuchState");
    const found = this.find(slot);
    const row = found < 0 ? this.#add(slot, generation, scope) : this.#again(found, generation, scope);
    this.arriving.push(row);
    return row;
  }

  /** A spawn where there is a row. @param {number} row @param {number} generation @param {number} scope */
  #again(row, generation, scope) {
    const state = this.states[row];
    const isLeaving = state === DEPARTING || state === DESPAWNING;
    if (!isLeaving && (state !== HERE || this.scopes[row] === scope)) chunkFault("RowTaken");
    if (this.generations[row] === generation) {
      this.states[row] = ARRIVED;
      this.scopes[row] = scope;
      this.store.wipe(this.layout.record, row * this.stride);
      return row;
    }
    // Wherever it was: who has its slot has outlived it.
    this.states[row] = DESPAWNING;
    this.#bereave(row);
    return this.#add(this.slots[row], generation, scope);
  }

  /**
   * An entity that changes: gives its row, which holds the base.
   *
   * @param {number} slot
   * @param {number} scope
   */
  update(slot, scope) {
    const row = this.find(slot);
    if (row < 0 || this.scopes[row] !== scope || this.states[row] !== HERE) chunkFault("NoSuchRow");
    return row;
  }

  /**
   * A row is complete; these of its leaves were written.
   *
   * @param {number} row
   * @param {number} low
   * @param {number} high
   * @param {boolean} predicted whether bases are where a straight line leads
   */
  written(row, low, high, predicted) {
    const { layout } = this;
    const { motions, motionLow, motionHigh } = layout;
    const state = this.states[row];
    if (state !== HERE) {
      // It stands still until the next frame says otherwise.
      this.#stand(row);
      this.changes.set(this, row, state === FRESH ? ADDED : CHANGED, layout.allLow, layout.allHigh);
      return;
    }
    if (((low & motionLow) | (high & motionHigh)) !== 0 && this.inMotion[row] === 0) {
      this.inMotion[row] = 1;
      this.moving[this.movingCount++] = row;
    }
    if (predicted) {
      // What is off its line may be where it was.
      low &= ~motionLow;
      high &= ~motionHigh;
      for (let m = 0, p = row * motions.length; m < motions.length; m++, p++) {
        if (this.store.cells[row * this.stride + motions[m].at] === this.past[p]) continue;
        low |= motions[m].low;
        high |= motions[m].high;
      }
    }
    this.changes.set(this, row, CHANGED, low, high);
  }
}
