/**
 * An entity as an application has it: an object of its table's class, with a
 * getter for each field that reads the mirror's cells. Nothing is copied when a
 * frame changes it, and the object stays the same for as long as it is there.
 *
 * @module
 */

import { getValue } from "../value.js";

/**
 * @typedef {import("../schema/kinds.js").Field} Field
 * @typedef {import("../schema/kinds.js").Kind} Kind
 * @typedef {import("../store.js").Store} Store
 * @typedef {(view: View, entity: Entity) => any} Look reads a value at the render position
 */

/** What every entity has beside its fields. A field of the same name hides it. */
export class Entity {
  /** @type {import("./table.js").Table<any>} */
  #table;
  #row;
  #slot;
  #generation;
  /** Where its cells are: the table's rows, or a copy once it is gone. @type {Store} */
  #store;
  #at;
  #isHere = true;
  /** @type {View | undefined} */
  #view;

  /**
   * @param {import("./table.js").Table<any>} table
   * @param {import("../mirror/rows.js").TableRows} rows
   * @param {number} row
   */
  constructor(table, rows, row) {
    this.#table = table;
    this.#row = row;
    this.#slot = rows.slots[row];
    this.#generation = rows.generations[row];
    this.#store = rows.store;
    this.#at = row * rows.stride;
  }

  /** The entity as a reference names it. */
  get ref() {
    return { slot: this.#slot, generation: this.#generation };
  }

  /** The entity as it is to be drawn now: motion between two frames, all else as it is. */
  get view() {
    return (this.#view ??= this.#table.look(this));
  }

  /** Whether it is still there. Its fields keep their last values. */
  get isHere() {
    return this.#isHere;
  }

  /** All of its fields, as a plain object. */
  toJSON() {
    return this.#table.values(this.#store, this.#at);
  }

  /**
   * It is gone: from here on it reads a copy.
   *
   * @param {Entity} entity
   * @param {import("../mirror/rows.js").TableRows} rows
   */
  static part(entity, rows) {
    entity.#store = entity.#store.snapshot(rows.layout.record, entity.#at);
    entity.#at = 0;
    entity.#isHere = false;
  }

  /**
   * The class of a table's entities.
   *
   * @param {Field[]} fields
   * @returns {typeof Entity}
   */
  static classOf(fields) {
    const Own = class extends Entity {};
    for (const { name, kind, at } of fields) {
      /** @this {Entity} */
      const read = function () {
        return getValue(kind, this.#store, this.#at + at);
      };
      Object.defineProperty(Own.prototype, name, { get: read, enumerable: true, configurable: true });
    }
    return Own;
  }

  /**
   * What reads a value of an entity at the render position.
   *
   * @param {Kind} kind
   * @param {number} at
   * @param {import("../schema/layout.js").TableLayout} layout
   * @returns {Look}
   */
  static lookOf(kind, at, layout) {
    const leaf = layout.motions.findIndex((motion) => motion.at === at);
    if (leaf >= 0 && kind.sort !== "struct") return Entity.#motionLook(kind, at, leaf);
    if (kind.sort === "struct" && kind.leaves.some((it) => it.motion)) {
      const parts = kind.fields.map((part) => {
        return { name: part.name, look: Entity.lookOf(part.kind, at + part.at, layout) };
      });
      return (view, entity) => Object.fromEntries(parts.map(({ name, look }) => [name, look(view, entity)]));
    }
    return (_, entity) => getValue(kind, entity.#store, entity.#at + at);
  }

  /** @param {Kind} kind @param {number} at @param {number} leaf @returns {Look} */
  static #motionLook(kind, at, leaf) {
    return (_, entity) => {
      const sampled = entity.#isHere ? entity.#table.sample(entity.#row, leaf) : undefined;
      const cell = sampled ?? entity.#store.cells[entity.#at + at];
      // It may lie between two cells.
      return kind.sort === "grid" ? kind.grid.value(cell) : cell + Number("origin" in kind ? kind.origin : 0);
    };
  }
}

/** An entity as it is to be drawn. */
export class View {
  /** @type {Entity} */
  #entity;

  /** @param {Entity} entity */
  constructor(entity) {
    this.#entity = entity;
  }

  /**
   * The class of a table's views.
   *
   * @param {Field[]} fields
   * @param {import("../schema/layout.js").TableLayout} layout
   * @returns {typeof View}
   */
  static classOf(fields, layout) {
    const Own = class extends View {};
    for (const { name, kind, at } of fields) {
      const look = Entity.lookOf(kind, at, layout);
      /** @this {View} */
      const read = function () {
        return look(this, this.#entity);
      };
      Object.defineProperty(Own.prototype, name, { get: read, enumerable: true, configurable: true });
    }
    return Own;
  }
}
