/**
 * Where cells and texts are kept.
 *
 * @module
 */

/** What a text costs beside its bytes, about. */
const TEXT_COST = 32;

/**
 * Texts and byte strings, by handles. A handle belongs to one cell; 0 is the
 * empty text, and belongs to nobody.
 */
export class Texts {
  constructor() {
    /** @type {(string | Uint8Array)[]} what `ENCODED` holds, as text or as bytes */
    this.values = [""];
    /** @type {number[]} */
    this.lengths = [0];
    /** @type {number[]} */
    this.free = [];
    /** The bytes that all of them take. */
    this.bytes = 0;
  }

  /**
   * Gives a cell another text: its handle goes in and its new handle comes out.
   *
   * @param {number} handle
   * @param {string | Uint8Array} value
   * @param {number} length in bytes
   * @returns {number}
   */
  set(handle, value, length) {
    if (length === 0) return this.clear(handle);
    if (handle === 0) {
      handle = this.free.pop() ?? this.values.length;
      this.lengths[handle] = 0;
      this.bytes += TEXT_COST;
    }
    this.bytes += length - this.lengths[handle];
    this.values[handle] = value;
    this.lengths[handle] = length;
    return handle;
  }

  /**
   * A cell has no text any more; gives its new handle.
   *
   * @param {number} handle
   */
  clear(handle) {
    if (handle !== 0) {
      this.bytes -= this.lengths[handle] + TEXT_COST;
      this.values[handle] = "";
      this.free.push(handle);
    }
    return 0;
  }
}

/** Rows of cells, eight bytes each; see `schema/layout.js` for what is in them. */
export class Store {
  /**
   * @param {number} cells
   * @param {Texts} texts
   */
  constructor(cells, texts) {
    this.cells = new Float64Array(cells);
    /** The same places, for integers of 64 bits. */
    this.wide = new BigInt64Array(this.cells.buffer);
    this.texts = texts;
  }

  /**
   * Makes place for more cells.
   *
   * @param {number} cells
   */
  grow(cells) {
    if (cells <= this.cells.length) return;
    const larger = new Float64Array(Math.max(cells, 2 * this.cells.length));
    // Between arrays of one type this copies bytes, which keeps wide integers.
    larger.set(this.cells);
    this.cells = larger;
    this.wide = new BigInt64Array(larger.buffer);
  }

  /**
   * Zeroes the cells of a value and gives its texts back.
   *
   * @param {import("./schema/layout.js").Node} node
   * @param {number} at
   */
  wipe(node, at) {
    if (node.holdsText) walkTexts(this.cells, node, at, (cell) => this.texts.clear(this.cells[cell]));
    this.cells.fill(0, at, at + node.cells);
  }

  /**
   * The same for a record.
   *
   * @param {import("./schema/layout.js").Record} record
   * @param {number} at
   */
  wipeRecord(record, at) {
    for (const leaf of record.leaves) {
      if (leaf.scalar === undefined) this.wipe(leaf.node, at + leaf.at);
      else this.cells[at + leaf.at] = 0;
    }
  }

  /**
   * A copy of a record, with texts of its own, which nothing changes any more.
   *
   * @param {import("./schema/layout.js").Record} record
   * @param {number} at
   */
  snapshot(record, at) {
    const copy = new Store(0, new Texts());
    copy.cells = this.cells.slice(at, at + record.cells);
    copy.wide = new BigInt64Array(copy.cells.buffer);
    for (const leaf of record.leaves) {
      if (!leaf.node.holdsText) continue;
      walkTexts(copy.cells, leaf.node, leaf.at, (cell) => {
        const handle = copy.cells[cell];
        copy.cells[cell] = copy.texts.set(0, this.texts.values[handle], this.texts.lengths[handle]);
      });
    }
    return copy;
  }
}

/**
 * Calls back with the place of each text in a value. What is not in use holds none.
 *
 * @param {Float64Array} cells
 * @param {import("./schema/layout.js").Node} node
 * @param {number} at
 * @param {(cell: number) => void} each
 */
function walkTexts(cells, node, at, each) {
  if (!node.holdsText) return;
  const { of } = node;
  if (of !== undefined) {
    // A place behind a list's end is all zero, and its texts are empty.
    const first = node.cells - of.cells * Math.max(node.max, 1);
    for (let place = at + first; place < at + node.cells; place += of.cells) {
      walkTexts(cells, of, place, each);
    }
  } else if (node.records.length > 0) {
    const tagged = node.cells - Math.max(...node.records.map((record) => record.cells));
    const record = node.records[tagged > 0 ? cells[at] : 0];
    for (const leaf of record.leaves) walkTexts(cells, leaf.node, at + tagged + leaf.at, each);
  } else {
    each(at);
  }
}
