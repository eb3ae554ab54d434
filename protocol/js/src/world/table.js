/**
 * A table as an application has it: its entities, and what happens to them.
 *
 * @module
 */

import { Track } from "../interpolate.js";
import { getValue } from "../value.js";
import { Entity, View } from "./entity.js";
import { Listeners, guarded } from "./listeners.js";

/** Bytes that the tracks of one table may take, about. Rows beyond are drawn where they are. */
const TRACKS_BYTES_MAX = 32 * 1024 * 1024;
/** What a track takes, beside 16 samples of 8 bytes a motion leaf. */
const TRACK_BYTES = 512;

/**
 * @typedef {import("../mirror/rows.js").TableRows} TableRows
 * @typedef {import("../schema/kinds.js").TableSchema} TableSchema
 * @typedef {{ position: () => number | undefined, newest: () => number | undefined }} Playing
 *   where to draw, and the newest frame's tick
 */

/** Which fields changed; good until the function that got it returns. */
export class Fields {
  #leaves;
  #low = 0;
  #high = 0;

  /** @param {import("../schema/layout.js").TableLayout} layout */
  constructor(layout) {
    this.#leaves = layout.record.leaves;
  }

  /** Whether a field, or one inside of it, changed: `x`, `pos`, `pos.x`. @param {string} name */
  has(name) {
    for (const changed of this) if (changed === name || changed.startsWith(`${name}.`)) return true;
    return false;
  }

  /** The names of those that changed; one in a struct as `pos.x`. @returns {Generator<string>} */
  *[Symbol.iterator]() {
    for (let bit = 0; bit < this.#leaves.length; bit++) {
      const half = bit < 32 ? this.#low : this.#high;
      if (((half >>> (bit & 31)) & 1) !== 0) yield this.#leaves[bit].name;
    }
  }

  /** @param {Fields} fields @param {number} low @param {number} high */
  static set(fields, low, high) {
    fields.#low = low;
    fields.#high = high;
    return fields;
  }
}

/**
 * The entities of one sort, `T`, in the order of their slots.
 *
 * @template [T=any]
 */
export class Table {
  #playing;
  /** @type {TableRows | undefined} */
  #rows;
  /** By row; only those that somebody asked for. @type {(Entity | undefined)[]} */
  #entities = [];
  #Entity = Entity;
  #View = View;
  /** @type {Fields | undefined} */
  #fields;
  /** @type {TableSchema | undefined} */
  #schema;
  /**
   * The recent motion of each row, once somebody has looked at a view.
   *
   * @type {(Track | undefined)[] | undefined}
   */
  #tracks;
  /** @type {Listeners<[entity: T]>} */
  #added = new Listeners();
  /** @type {Listeners<[entity: T, fields: Fields]>} */
  #changed = new Listeners();
  /** @type {Listeners<[entity: T, why: "despawned" | "departed"]>} */
  #removed = new Listeners();

  /** @param {Playing} playing */
  constructor(playing) {
    this.#playing = playing;
  }

  /** How many entities there are. */
  get size() {
    return this.#rows?.present ?? 0;
  }

  /** @returns {Generator<T>} */
  *[Symbol.iterator]() {
    const rows = this.#rows;
    if (!rows) return;
    for (const row of rows.inOrder()) yield this.#entity(rows, row);
  }

  /**
   * The entity that a reference names, if it is here.
   *
   * @param {import("../value.js").Ref | null} ref
   * @returns {T | undefined}
   */
  get(ref) {
    const rows = this.#rows;
    if (!rows || ref === null) return undefined;
    const row = rows.find(ref.slot);
    return row >= 0 && rows.generations[row] === ref.generation ? this.#entity(rows, row) : undefined;
  }

  /** The first entity that it is true of. @param {(entity: T) => boolean} isIt @returns {T | undefined} */
  find(isIt) {
    for (const entity of this) if (isIt(entity)) return entity;
    return undefined;
  }

  /**
   * Calls back for each entity that is here, and each that comes.
   *
   * @param {(entity: T) => void} listener
   * @returns {() => void} what ends it
   */
  onAdd(listener) {
    for (const entity of this) guarded(listener, entity);
    return this.#added.add(listener);
  }

  /**
   * Calls back when fields of an entity have other values.
   *
   * @param {(entity: T, fields: Fields) => void} listener
   * @returns {() => void} what ends it
   */
  onChange(listener) {
    return this.#changed.add(listener);
  }

  /**
   * Calls back when an entity is gone, or out of view. It keeps its last values.
   *
   * @param {(entity: T, why: "despawned" | "departed") => void} listener
   * @returns {() => void} what ends it
   */
  onRemove(listener) {
    return this.#removed.add(listener);
  }

  // ------------------------------------------------------------- for the rest of the client

  /** Follows other rows from here on. @param {TableRows} rows @param {TableSchema} schema */
  bind(rows, schema) {
    const { fields } = schema;
    this.#rows = rows;
    this.#Entity = Entity.classOf(fields);
    this.#View = View.classOf(fields, rows.layout);
    this.#fields = new Fields(rows.layout);
    this.#schema = schema;
  }

  /** Its rows are void: all entities go. */
  unbind() {
    const rows = this.#rows;
    if (!rows) return;
    for (const row of [...rows.inOrder()]) this.removed(row, false);
    this.#rows = undefined;
    this.#entities = [];
    this.#tracks = undefined;
  }

  /** Time began anew: what moved before says nothing. */
  restart() {
    this.#tracks = undefined;
  }

  /** @param {number} row @param {number} tick */
  added(row, tick) {
    if (this.#tracks) this.#tracks[row] = undefined;
    this.#track(row, tick, undefined);
    if (this.#rows && !this.#added.isEmpty) this.#added.call(this.#entity(this.#rows, row));
  }

  /**
   * @param {number} row
   * @param {number} low
   * @param {number} high
   * @param {number} tick
   * @param {number | undefined} previous
   */
  changed(row, low, high, tick, previous) {
    const [rows, fields] = [this.#rows, this.#fields];
    if (!rows || !fields) return;
    const { motionLow, motionHigh } = rows.layout;
    if (((low & motionLow) | (high & motionHigh)) !== 0) this.#track(row, tick, previous);
    if (!this.#changed.isEmpty) {
      this.#changed.call(this.#entity(rows, row), Fields.set(fields, low, high));
    }
  }

  /** @param {number} row @param {boolean} departed */
  removed(row, departed) {
    const rows = this.#rows;
    if (!rows) return;
    if (this.#entities[row] === undefined && this.#removed.isEmpty) return;
    const entity = this.#entity(rows, row);
    // Before anybody sees it: that it is gone is the news.
    Entity.part(/** @type {any} */ (entity), rows);
    this.#entities[row] = undefined;
    this.#removed.call(entity, departed ? "departed" : "despawned");
  }

  /** The view of an entity; from the first on, motion is remembered. @param {Entity} entity */
  look(entity) {
    const tick = this.#playing.newest();
    if (!this.#tracks && tick !== undefined) {
      this.#tracks = [];
      for (const row of this.#rows?.inOrder() ?? []) this.#track(row, tick, undefined);
    }
    return new this.#View(entity);
  }

  /**
   * Remembers where a row is, if that is of use.
   *
   * @param {number} row
   * @param {number} tick
   * @param {number | undefined} previous
   */
  #track(row, tick, previous) {
    const [rows, tracks] = [this.#rows, this.#tracks];
    if (!rows || !tracks) return;
    const { layout, store, stride } = rows;
    if (row * (TRACK_BYTES + 128 * layout.motions.length) > TRACKS_BYTES_MAX) return;
    (tracks[row] ??= new Track(layout)).push(store.cells, row * stride, tick, previous);
  }

  /** The cell of a motion leaf of a row at the render position. @param {number} row @param {number} leaf */
  sample(row, leaf) {
    const [position, newest] = [this.#playing.position(), this.#playing.newest()];
    if (position === undefined || newest === undefined) return undefined;
    return this.#tracks?.[row]?.sample(leaf, position, newest);
  }

  /** All fields of a row. @param {import("../store.js").Store} store @param {number} at */
  values(store, at) {
    return this.#schema && getValue({ sort: "struct", ...this.#schema }, store, at);
  }

  /** @param {TableRows} rows @param {number} row @returns {T} */
  #entity(rows, row) {
    const entity = (this.#entities[row] ??= new this.#Entity(this, rows, row));
    return /** @type {T} */ (/** @type {unknown} */ (entity));
  }
}
