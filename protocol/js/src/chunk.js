/**
 * From bits to rows: one scope's change between two ticks (`docs/PROTOCOL.md`, section 6).
 *
 * The decoder trusts nothing: each number is checked against the schema and the
 * limits before it is used, and a loop ends at the latest when the bits do.
 * After an error the rows are between two states and must be given up.
 *
 * In steady state nothing is allocated: cells are numbers in typed arrays, and
 * the common row, whose leaves are all scalars, takes one loop.
 *
 * @module
 */

import { BitReader, counted, orderOf } from "./bits.js";
import { MIRROR_BYTES_MAX, SLOTS_MAX, TEXT_WINDOW } from "./limits.js";
import { chunkFault } from "./malformed.js";
import { COUNT, FLIP, NEAR } from "./schema/scalar.js";
import { decodeUtf8 } from "./text.js";
import { REF_SLOTS } from "./value.js";

/**
 * @typedef {import("./schema/kinds.js").Kind} Kind
 * @typedef {import("./schema/kinds.js").Record} Record
 * @typedef {import("./schema/scalar.js").Scalar} Scalar
 * @typedef {import("./schema/scalar.js").Wide} Wide
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./mirror/rows.js").TableRows} TableRows
 */

/** Zeros that make an escape of a number that has none. */
const GOLOMB_ESCAPE = 32;
const COUNT_ORDER = 3;
const GENERATION_ORDER = 1;
const LENGTH_ORDER = 2;
const TEXT_ORDER = 4;
const REPEAT_BITS = 6;
const SLOT_BITS = 16;
/** Leaves of a mask's group. */
const GROUP = 8;
const GENERATIONS = 2 ** 32;
/** Differences below it are computed as 31-bit integers. */
const SMALL = 2 ** 30 - 2;

const doubleBits = new DataView(new ArrayBuffer(8));

/** A text that the chunk holds; as text only if a text leaf has it. */
class ChunkText {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    /** @type {string | undefined} */
    this.text = undefined;
  }
}

/** Reads chunks, and keeps its memory in between. */
export class ChunkDecoder {
  constructor() {
    this.r = new BitReader();
    this.means = new Int32Array(0);
    /** The last texts of this chunk, each at its number modulo the window. @type {ChunkText[]} */
    this.texts = [];
    this.textsRead = 0;
    // The slots of the section under way, which ascend.
    this.slotsLeft = 0;
    this.slotNext = 0;
    this.slotMean = 0;
    // The mask that was read last, in two halves.
    this.maskLow = 0;
    this.maskHigh = 0;
  }

  /**
   * Applies one chunk of a scope. `predicted` says that the rows of updates hold
   * where a straight line leads, not what was there.
   *
   * @param {TableRows[]} tables
   * @param {Uint8Array} chunk
   * @param {number} scope
   * @param {boolean} predicted
   */
  apply(tables, chunk, scope, predicted) {
    // A scope without rows, or without changes.
    if (chunk.length === 0) return;
    const { r } = this;
    r.begin(chunk);
    this.textsRead = 0;
    this.texts.length = 0;
    for (let index = -1; r.flag() === 1; ) {
      index += 1 + this.#number(0);
      if (index >= tables.length) chunkFault("NoSuchTable");
      const rows = tables[index];
      for (const departs of [false, true]) {
        this.#slots();
        for (let slot = this.#slot(); slot >= 0; slot = this.#slot()) rows.remove(slot, scope, departs);
      }
      this.#records(rows, scope, true, false);
      this.#records(rows, scope, false, predicted);
    }
    if (r.overrun) chunkFault("Truncated");
    if (!r.atPadding) chunkFault("Trailing");
  }

  /**
   * A number that no escape can follow.
   *
   * @param {number} order
   * @returns {number}
   */
  #number(order) {
    const value = this.r.golomb(order, GOLOMB_ESCAPE);
    // Zeros past the end look like an escape.
    if (value < 0) chunkFault(this.r.left === 0 ? "Truncated" : "TooLarge");
    return value;
  }

  /** Begins a section. */
  #slots() {
    this.slotsLeft = this.r.flag() === 1 ? this.#number(COUNT_ORDER) + 1 : 0;
    // There is at most one record for each slot, so a lie ends the loop early.
    if (this.slotsLeft > SLOTS_MAX) chunkFault("TooLarge");
    this.slotNext = 0;
    this.slotMean = 0;
  }

  /** The section's next slot; -1 at its end. */
  #slot() {
    if (this.r.overrun) chunkFault("Truncated");
    if (this.slotsLeft === 0) return -1;
    this.slotsLeft -= 1;
    const gap = this.#number(orderOf(this.slotMean));
    this.slotMean = counted(this.slotMean, gap);
    const slot = this.slotNext + gap;
    if (slot >= SLOTS_MAX) chunkFault("TooLarge");
    this.slotNext = slot + 1;
    return slot;
  }

  /**
   * Spawns, which are fresh, or updates.
   *
   * @param {TableRows} rows
   * @param {number} scope
   * @param {boolean} fresh
   * @param {boolean} predicted
   */
  #records(rows, scope, fresh, predicted) {
    this.#slots();
    if (this.slotsLeft === 0) return;
    const { layout, store, stride } = rows;
    const { record } = layout;
    const starts = predicted ? layout.meansPredicted : layout.means;
    if (this.means.length < starts.length) this.means = new Int32Array(starts.length);
    this.means.set(starts);
    let [low, high] = [0, 0];
    for (let slot = this.#slot(); slot >= 0; slot = this.#slot()) {
      const generation = fresh ? this.#generation() : 0;
      if (this.r.flag() === 0) {
        this.#mask(record.leaves.length);
        [low, high] = [this.maskLow, this.maskHigh];
      }
      // A record that the bits did not hold must not make a row.
      if (fresh && this.r.overrun) chunkFault("Truncated");
      const row = fresh ? rows.spawn(slot, scope, generation) : rows.update(slot, scope);
      this.#leaves(record, low, high, store, row * stride, fresh);
      rows.written(row, low, high, predicted);
    }
  }

  #generation() {
    const generation = this.#number(GENERATION_ORDER) + 1;
    if (generation >= GENERATIONS) chunkFault("TooLarge");
    return generation;
  }

  /** Into `maskLow` and `maskHigh`. @param {number} leaves */
  #mask(leaves) {
    this.maskHigh = 0;
    if (leaves <= GROUP) {
      this.maskLow = this.r.take(leaves);
      return;
    }
    this.maskLow = 0;
    const groups = this.r.take((leaves + GROUP - 1) >> 3);
    for (let first = 0; first < leaves; first += GROUP) {
      if (((groups >> (first >> 3)) & 1) === 0) continue;
      const bits = this.r.take(Math.min(GROUP, leaves - first));
      if (first < 32) this.maskLow |= bits << first;
      else this.maskHigh |= bits << (first - 32);
    }
  }

  /**
   * The leaves of a mask; `fresh` says that all cells are zero because it is new.
   *
   * @param {Record} record
   * @param {number} low
   * @param {number} high
   * @param {Store} store
   * @param {number} at
   * @param {boolean} fresh
   */
  #leaves({ leaves }, low, high, store, at, fresh) {
    const { cells } = store;
    for (let first = 0, bits = low; ; first = 32, bits = high) {
      for (; bits !== 0; bits &= bits - 1) {
        const leaf = leaves[first + 31 - Math.clz32(bits & -bits)];
        const place = at + leaf.at;
        if (leaf.scalar !== undefined) {
          cells[place] = this.#scalar(leaf.scalar, cells[place], fresh);
        } else {
          this.#value(leaf.kind, store, place, fresh);
        }
      }
      if (first === 32 || high === 0) return;
    }
  }

  /**
   * A record that is always complete in itself.
   *
   * @param {Record} record
   * @param {Store} store
   * @param {number} at
   * @param {boolean} fresh
   */
  #inner(record, store, at, fresh) {
    this.#mask(record.leaves.length);
    this.#leaves(record, this.maskLow, this.maskHigh, store, at, fresh);
  }

  /**
   * A scalar's cell, given its base.
   *
   * @param {Scalar} s
   * @param {number} base
   * @param {boolean} fresh
   * @returns {number}
   */
  #scalar(s, base, fresh) {
    if (s.code === COUNT || (s.code === NEAR && !fresh)) {
      const value = this.#difference(s.mean, s.width);
      if (value >= 0) {
        const cell = base + unzigzag(value + 1);
        if (cell >= s.lowest && cell <= s.highest) return cell;
        const around = cell < s.lowest ? cell + s.around : cell - s.around;
        if (around < s.lowest || around > s.highest) chunkFault("OutOfRange");
        return around;
      }
    } else if (s.code === FLIP) {
      return base === s.lowest ? s.highest : s.lowest;
    }
    const plain = this.r.take(s.width);
    if (plain > s.span) chunkFault("OutOfRange");
    // Both are within 32 bits where there is something to check.
    if (s.notFinite !== 0 && (plain & s.notFinite) === s.notFinite) chunkFault("NotFinite");
    return s.lowest + plain;
  }

  /**
   * A number by a running mean; -1 if it escapes.
   *
   * @param {number} place
   * @param {number} width
   * @returns {number}
   */
  #difference(place, width) {
    const mean = this.means[place];
    const order = Math.min(orderOf(mean), width);
    const value = this.r.golomb(order, ((width - order) >> 1) + 1);
    if (value >= 0) this.means[place] = counted(mean, value);
    return value;
  }

  /**
   * A cell of up to 64 bits, given its base. Integers that need it are rare.
   *
   * @param {Wide} s
   * @param {bigint} base
   * @param {boolean} fresh
   * @returns {bigint}
   */
  #wide(s, base, fresh) {
    if (s.code === COUNT || (s.code === NEAR && !fresh)) {
      const value = this.#difference(s.mean, s.width);
      if (value >= 0) {
        const at = BigInt.asUintN(64, base + BigInt(unzigzag(value + 1)) - s.lowest);
        if (at > s.span) chunkFault("OutOfRange");
        return s.lowest + at;
      }
    } else if (s.code === FLIP) {
      return base === s.lowest ? s.lowest + 1n : s.lowest;
    }
    const low = this.r.take(Math.min(s.width, 32));
    const plain = (BigInt(this.r.take(Math.max(s.width - 32, 0))) << 32n) | BigInt(low);
    if (plain > s.span) chunkFault("OutOfRange");
    return s.lowest + plain;
  }

  #double() {
    doubleBits.setUint32(0, this.r.take(32), true);
    doubleBits.setUint32(4, this.r.take(32), true);
    const value = doubleBits.getFloat64(0, true);
    if (!Number.isFinite(value)) chunkFault("NotFinite");
    return value;
  }

  /**
   * A value whose cells hold its base; `fresh` says that they are all zero
   * because it is new.
   *
   * @param {Kind} kind
   * @param {Store} store
   * @param {number} at
   * @param {boolean} fresh
   */
  #value(kind, store, at, fresh) {
    const { cells } = store;
    if ("scalar" in kind && kind.scalar !== undefined) {
      cells[at] = this.#scalar(kind.scalar, cells[at], fresh);
      return;
    }
    switch (kind.sort) {
      case "int":
        if (kind.wide) store.wide[at] = this.#wide(kind.wide, store.wide[at], fresh);
        return;
      case "float":
        cells[at] = this.#double();
        return;
      case "ref":
        cells[at] = 0;
        if (this.r.flag() === 1) {
          const slot = this.r.take(SLOT_BITS);
          cells[at] = this.#generation() * REF_SLOTS + slot;
        }
        return;
      case "option": {
        const was = cells[at] !== 0;
        if (this.r.flag() === 0) return store.wipe(kind, at);
        cells[at] = 1;
        return this.#maybe(kind.of, store, at + 1, fresh || !was);
      }
      case "enum": {
        const variant = this.r.take(kind.tagWidth);
        if (variant >= kind.variants.length) chunkFault("BadTag");
        const changes = variant !== cells[at];
        if (changes) store.wipe(kind, at);
        cells[at] = variant;
        return this.#inner(kind.variants[variant], store, at + 1, fresh || changes);
      }
      case "list":
      case "array":
        return this.#elements(kind, store, at, fresh);
      case "struct":
        return this.#inner(kind, store, at, fresh);
      case "text":
      case "bytes":
        this.#text(kind, store, at);
    }
  }

  /**
   * A value that may be the same as its base.
   *
   * @param {Kind} kind
   * @param {Store} store
   * @param {number} at
   * @param {boolean} fresh
   */
  #maybe(kind, store, at, fresh) {
    if (kind.sort === "struct" || this.r.flag() === 1) this.#value(kind, store, at, fresh);
  }

  /**
   * @param {import("./schema/kinds.js").ListKind} kind
   * @param {Store} store
   * @param {number} at
   * @param {boolean} fresh
   */
  #elements({ sort, of, max }, store, at, fresh) {
    let [length, before, place] = [max, max, at];
    if (sort === "list") {
      length = this.#number(LENGTH_ORDER);
      if (length > max) chunkFault("BadLength");
      before = store.cells[at];
      store.cells[at] = length;
      place += 1;
    }
    for (let i = 0; i < Math.max(length, before); i++, place += of.cells) {
      if (i < length) this.#maybe(of, store, place, fresh || i >= before);
      else store.wipe(of, place);
    }
  }

  /** @param {import("./schema/kinds.js").TextKind} kind @param {Store} store @param {number} at */
  #text({ sort, max }, store, at) {
    const held = this.r.flag() === 1 ? this.#repeat() : this.#newText(max);
    const { bytes } = held;
    if (bytes.length > max) chunkFault("BadLength");
    const { texts, cells } = store;
    if (sort === "text") {
      held.text ??= decodeUtf8(bytes, 0, bytes.length) ?? chunkFault("NotUtf8");
      cells[at] = texts.set(cells[at], held.text, bytes.length);
    } else {
      cells[at] = texts.set(cells[at], bytes, bytes.length);
    }
    // A repeat takes seven bits, whatever the text's length is.
    if (texts.bytes > MIRROR_BYTES_MAX) chunkFault("TooMuchState");
  }

  #repeat() {
    return this.texts[this.r.take(REPEAT_BITS)] ?? chunkFault("BadLength");
  }

  /** @param {number} max */
  #newText(max) {
    const length = this.#number(TEXT_ORDER);
    if (length > max) chunkFault("BadLength");
    if (this.r.left < 8 * length) chunkFault("Truncated");
    const text = new ChunkText(new Uint8Array(length));
    this.r.copy(length, text.bytes);
    this.texts[this.textsRead % TEXT_WINDOW] = text;
    this.textsRead += 1;
    return text;
  }
}

/** @param {number} z */
function unzigzag(z) {
  if (z < SMALL) return (z >>> 1) ^ -(z & 1);
  return z % 2 === 0 ? z / 2 : -(z + 1) / 2;
}
