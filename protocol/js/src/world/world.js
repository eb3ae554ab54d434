/**
 * The tables of a room, which follow a session's mirror from frame to frame.
 *
 * @module
 */

import { ADDED, CHANGED, DEPARTED } from "../mirror/changes.js";
import { Table } from "./table.js";

/** @typedef {import("../mirror/mirror.js").Mirror} Mirror */

export class World {
  /**
   * By name. A table stays the same for as long as the room, whatever the schema.
   *
   * @type {Map<string, Table<any>>}
   */
  tables = new Map();
  #playing;
  /** @type {Mirror | undefined} */
  #mirror;
  /** By the schema's index. @type {Table<any>[]} */
  #bound = [];

  /** @param {import("./table.js").Playing} playing */
  constructor(playing) {
    this.#playing = playing;
  }

  /** Time began anew. */
  restart() {
    for (const table of this.#bound) table.restart();
  }

  /**
   * A frame was applied.
   *
   * @param {Mirror} mirror
   * @param {number | undefined} previous the tick of the frame before
   */
  follow(mirror, previous) {
    if (mirror !== this.#mirror) this.#bind(mirror);
    const { changes } = mirror;
    // What goes makes place for what comes.
    changes.forEach((table, row, what) => {
      if (what > CHANGED) this.#bound[table].removed(row, what === DEPARTED);
    });
    changes.forEach((table, row, what, low, high) => {
      if (what === ADDED) this.#bound[table].added(row, changes.tick);
      else if (what === CHANGED && (low | high) !== 0) this.#bound[table].changed(row, low, high, changes.tick, previous);
    });
  }

  /** @param {Mirror} mirror */
  #bind(mirror) {
    for (const table of this.#bound) table.unbind();
    this.#mirror = mirror;
    this.#bound = mirror.schema.tables.map((schema, index) => {
      const table = this.#table(schema.name);
      table.bind(mirror.tables[index], schema);
      return table;
    });
  }

  /** @param {string} name */
  #table(name) {
    const table = this.tables.get(name) ?? new Table(this.#playing);
    this.tables.set(name, table);
    return table;
  }
}
