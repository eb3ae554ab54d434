/**
 * A mirror's rows, as the chunk of one scope sees them: what a chunk may do to them.
 *
 * @module
 */

import { MIRROR_BYTES_MAX } from "../limits.js";
import { chunkFault } from "../malformed.js";
import { ADDED, CHANGED } from "./changes.js";
import { ARRIVED, DEPARTING, DESPAWNING, FRESH, HERE } from "./rows.js";

/** @typedef {import("./rows.js").TableRows} TableRows */

export class Target {
  /**
   * @param {TableRows[]} tables
   * @param {import("../store.js").Texts} texts
   * @param {import("./changes.js").Changes} changes
   */
  constructor(tables, texts, changes) {
    this.tables = tables;
    this.texts = texts;
    this.changes = changes;
    /** The bytes that all rows take. */
    this.rowBytes = 0;
    this.scope = 0;
    /** Whether bases are where a straight line leads. */
    this.predicted = false;
    /** The table under way; there is one before any row is named. @type {TableRows} */
    this.rows = tables[0];
    /** The row of the last spawn or update. */
    this.row = 0;
  }

  /** The store of the table under way. */
  get store() {
    return this.rows.store;
  }

  /** Chunks speak of another scope now. @param {number} scope @param {boolean} predicted */
  section(scope, predicted) {
    this.scope = scope;
    this.predicted = predicted;
  }

  /** Records are of another table now. @param {number} index */
  table(index) {
    this.rows = this.tables[index];
  }

  /** The entity in a slot is gone, or left the scope. @param {number} slot @param {boolean} departs */
  remove(slot, departs) {
    const { rows } = this;
    const row = rows.find(slot);
    if (row < 0) chunkFault("NoSuchRow");
    const state = rows.states[row];
    const mine = rows.scopes[row] === this.scope;
    if (state === HERE && mine) {
      rows.states[row] = departs ? DEPARTING : DESPAWNING;
      rows.doubted.push(row);
      return;
    }
    // If another scope of this frame has brought it, or its successor, already: nothing.
    if (mine || (state !== FRESH && state !== ARRIVED)) chunkFault("NoSuchRow");
  }

  /**
   * A new entity: gives where its cells start, all zero and without texts.
   *
   * @param {number} slot
   * @param {number} generation
   */
  spawn(slot, generation) {
    this.#afford();
    const { rows } = this;
    const found = rows.find(slot);
    this.row = found < 0 ? this.#add(slot, generation) : this.#again(found, slot, generation);
    rows.arriving.push(this.row);
    return this.row * rows.stride;
  }

  /** Errs if one more row would be more than a client gives. */
  #afford() {
    if (this.rowBytes + this.texts.bytes > MIRROR_BYTES_MAX) chunkFault("TooMuchState");
  }

  /** @param {number} slot @param {number} generation */
  #add(slot, generation) {
    const before = this.rows.count;
    const row = this.rows.add(slot, generation, this.scope);
    if (this.rows.count > before) this.rowBytes += this.rows.rowBytes;
    return row;
  }

  /** A spawn where there is a row. @param {number} row @param {number} slot @param {number} generation */
  #again(row, slot, generation) {
    const { rows } = this;
    const state = rows.states[row];
    const leaving = state === DEPARTING || state === DESPAWNING;
    if (!leaving && (state !== HERE || rows.scopes[row] === this.scope)) chunkFault("RowTaken");
    if (rows.generations[row] === generation) {
      rows.states[row] = ARRIVED;
      rows.scopes[row] = this.scope;
      rows.store.wipe(rows.layout.record, row * rows.stride);
      return row;
    }
    // Wherever it was: who has its slot has outlived it.
    rows.states[row] = DESPAWNING;
    rows.remove(row, this.changes);
    return this.#add(slot, generation);
  }

  /**
   * An entity that changes: gives where its cells start, which hold the base.
   *
   * @param {number} slot
   */
  update(slot) {
    const { rows } = this;
    const row = rows.find(slot);
    if (row < 0 || rows.scopes[row] !== this.scope || rows.states[row] !== HERE) {
      chunkFault("NoSuchRow");
    }
    this.row = row;
    return row * rows.stride;
  }

  /**
   * The row of the last spawn or update is complete; these of its leaves were written.
   *
   * @param {number} low
   * @param {number} high
   */
  written(low, high) {
    const { rows, row } = this;
    const { layout } = rows;
    const state = rows.states[row];
    if (state !== HERE) {
      // It stands still until the next frame says otherwise.
      rows.stand(row);
      this.changes.set(rows, row, state === FRESH ? ADDED : CHANGED, layout.allLow, layout.allHigh);
      return;
    }
    if (((low & layout.motionLow) | (high & layout.motionHigh)) !== 0) rows.move(row);
    if (this.predicted) {
      // What is off its line may be where it was.
      low &= ~layout.motionLow;
      high &= ~layout.motionHigh;
      const { motions } = layout;
      for (let m = 0, p = row * motions.length; m < motions.length; m++, p++) {
        if (rows.store.cells[row * rows.stride + motions[m].at] !== rows.past[p]) {
          low |= motions[m].low;
          high |= motions[m].high;
        }
      }
    }
    this.changes.set(rows, row, CHANGED, low, high);
  }
}
