/**
 * The mirror: a client's copy of what it is allowed to see, by the schema alone.
 *
 * A frame is applied in one go, and leaves {@link Changes}. A row that leaves one
 * scope and enters another in the same frame is neither added nor removed.
 *
 * Invariants: a row is in one watched scope. Between frames a row that is not in
 * its table's moving list stands still: its past is what it is. After an error
 * the mirror is broken, and refuses every further frame.
 *
 * @module
 */

import { ChunkDecoder } from "../chunk.js";
import { CHANGE, LEAVE, WHOLE } from "../frame.js";
import { hashRow } from "../hash.js";
import { PREDICTED_TICKS_MAX, SCOPES_WATCHED_MAX, TICK_MAX } from "../limits.js";
import { mirrorFault } from "../malformed.js";
import { TableLayout } from "../schema/layout.js";
import { Texts } from "../store.js";
import { Changes } from "./changes.js";
import { TableRows } from "./rows.js";

/**
 * @typedef {import("../frame.js").Frame} Frame
 * @typedef {import("../schema/kinds.js").Schema} Schema
 */

export class Mirror {
  #decoder = new ChunkDecoder();
  #texts = new Texts();
  /** The tick before `tick`, if motion may be drawn through both. @type {number | undefined} */
  #before;
  #broken = false;

  /** @param {Schema} schema */
  constructor(schema) {
    /** What the rows are of. */
    this.schema = schema;
    /** What the last frame did. */
    this.changes = new Changes();
    /** The rows of each table, in the schema's order. */
    this.tables = schema.tables.map((table, index) => {
      return new TableRows(new TableLayout(table), index, this.#texts, this.changes);
    });
    /** The scopes that the server shows. @type {Set<number>} */
    this.scopes = new Set();
    /** The tick that the state is of; nothing before the first frame. @type {number | undefined} */
    this.tick = undefined;
  }

  /** The bytes that rows and texts take, as far as they are counted. */
  get bytes() {
    return this.#texts.bytes;
  }

  /**
   * The connection ended and a new one goes on from the present tick: the state
   * stays, straight lines do not reach across.
   */
  resume() {
    this.#before = undefined;
    for (const rows of this.tables) rows.standStill();
  }

  /**
   * Applies a frame. After an error, only a new mirror helps.
   *
   * @param {Frame} frame
   * @returns {Changes}
   */
  apply(frame) {
    if (this.#broken) mirrorFault("Broken");
    // Stays so if anything fails.
    this.#broken = true;
    const tick = this.#begin(frame);
    this.#doubtSections(frame);
    for (const { scope, form, chunk } of frame.sections) {
      this.#watch(scope, form);
      if (form === LEAVE) continue;
      this.#decoder.apply(this.tables, chunk, scope, frame.predicted);
    }
    this.#end(tick);
    if (frame.hash !== undefined) this.changes.hashAgrees = frame.hash === this.hash();
    this.#broken = false;
    return this.changes;
  }

  /** The state hash of everything that is here. */
  hash() {
    let sum = 0;
    for (const rows of this.tables) {
      for (const row of rows.inOrder()) sum = (sum + hashRow(rows, row)) >>> 0;
    }
    return sum;
  }

  /**
   * Checks the frame's step, buries the dead of the last frame, and lets motion
   * go on or stand still; gives the new tick.
   *
   * @param {Frame} frame
   * @returns {number}
   */
  #begin({ full, predicted, step }) {
    for (const rows of this.tables) rows.bury();
    this.changes.clear();
    this.changes.from = this.tick;
    if (full) {
      this.scopes.clear();
      this.tick = undefined;
      for (const rows of this.tables) {
        rows.doubt(undefined);
        rows.standStill();
      }
      return step;
    }
    if (this.tick === undefined) mirrorFault("NoBaseline");
    const tick = this.tick + step;
    if (tick > TICK_MAX) mirrorFault("BadTick");
    if (!predicted) {
      for (const rows of this.tables) rows.standStill();
      return tick;
    }
    const apart = this.#before === undefined ? 0 : this.tick - this.#before;
    if (apart < 1 || Math.max(apart, step) > PREDICTED_TICKS_MAX) mirrorFault("NoMotion");
    for (const rows of this.tables) rows.goOn(apart, step);
    return tick;
  }

  /**
   * Rows of scopes that come anew or are left are gone unless the frame brings
   * them again. All at once, before the first section: a section can do the same
   * to a row of another scope whether that is in doubt already or not.
   *
   * @param {Frame} frame
   */
  #doubtSections({ full, sections }) {
    if (full) return;
    const scopes = new Set();
    for (const { scope, form } of sections) {
      if (form !== CHANGE && this.scopes.has(scope)) scopes.add(scope);
    }
    if (scopes.size === 0) return;
    for (const rows of this.tables) rows.doubt(scopes);
  }

  /** @param {number} scope @param {number} form */
  #watch(scope, form) {
    const watched = this.scopes.has(scope);
    const mayBegin = form === WHOLE && this.scopes.size < SCOPES_WATCHED_MAX;
    if (!watched && !mayBegin) mirrorFault("BadScope");
    if (form === LEAVE) this.scopes.delete(scope);
    else this.scopes.add(scope);
  }

  /** Lists what happened, and moves the tick on. @param {number} tick */
  #end(tick) {
    for (const rows of this.tables) rows.settle();
    this.#before = this.tick;
    this.tick = tick;
    this.changes.tick = tick;
  }
}
