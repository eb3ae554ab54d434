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
    /** The bytes that all of them take, and the rows that they belong to. */
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

/** Rows of cells, eight bytes each; see `schema/kinds.js` for what is in them. */
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
    // Between arrays of one type bytes are copied, which keeps wide integers.
    this.cells = larger(this.cells, cells);
    this.wide = new BigInt64Array(this.cells.buffer);
  }

  /**
   * Zeroes the cells of a value or record, and gives its texts back.
   *
   * @param {import("./schema/kinds.js").Kind | import("./schema/kinds.js").Record} what
   * @param {number} at
   */
  wipe(what, at) {
    walkTexts(this.cells, what, at, (cell) => this.texts.clear(this.cells[cell]));
    this.cells.fill(0, at, at + what.cells);
  }

  /**
   * A copy of a record, with texts of its own, which nothing changes any more.
   *
   * @param {import("./schema/kinds.js").Record} record
   * @param {number} at
   */
  snapshot(record, at) {
    const copy = new Store(0, new Texts());
    copy.cells = this.cells.slice(at, at + record.cells);
    copy.wide = new BigInt64Array(copy.cells.buffer);
    walkTexts(copy.cells, record, 0, (cell) => {
      const handle = copy.cells[cell];
      copy.cells[cell] = copy.texts.set(0, this.texts.values[handle], this.texts.lengths[handle]);
    });
    return copy;
  }
}

/**
 * Calls back with the place of each text in a value or record. What is not in use holds none.
 *
 * @param {Float64Array} cells
 * @param {import("./schema/kinds.js").Kind | import("./schema/kinds.js").Record} what
 * @param {number} at
 * @param {(cell: number) => void} each
 */
function walkTexts(cells, what, at, each) {
  if (!what.holdsText) return;
  if ("leaves" in what) {
    for (const leaf of what.leaves) walkTexts(cells, leaf.kind, at + leaf.at, each);
  } else if ("variants" in what) {
    walkTexts(cells, what.variants[cells[at]], at + 1, each);
  } else if ("of" in what) {
    const { of } = what;
    // A place behind a list's end, or of nothing, is all zero, and its texts are empty.
    const first = what.sort === "array" ? at : at + 1;
    for (let place = first; place < at + what.cells; place += of.cells) walkTexts(cells, of, place, each);
  } else {
    each(at);
  }
}

/**
 * The same numbers, and place for more.
 *
 * @template {Uint8Array | Int32Array | Uint32Array | Float64Array} T
 * @param {T} from
 * @param {number} length
 * @returns {T}
 */
export function larger(from, length) {
  const to = new /** @type {any} */ (from).constructor(length);
  to.set(from);
  return to;
}
