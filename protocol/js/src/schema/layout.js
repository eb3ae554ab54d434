/**
 * The schema compiled for the decoder: where each leaf's cells are, and which
 * code each of them takes. The decoder walks this and nothing else.
 *
 * A row is `cells` places of eight bytes in a {@link Store}. What is in a place
 * depends on the node:
 *
 * | node | place |
 * |---|---|
 * | scalar | the cell, a number |
 * | wide | the cell, as the bits of a 64-bit integer |
 * | double | the value itself (an `f64` that is not quantised) |
 * | text | a handle in the store's texts, 0 for the empty one |
 * | ref | generation × 2^16 + slot, which a number holds |
 * | option, enum, list | flag, variant, length; then what they hold |
 *
 * So everything is a plain number but integers that need 64 bits, and eight
 * zero bytes are cell 0 of each.
 *
 * @module
 */

import { Grid } from "../grid.js";
import { cellsOf } from "./kinds.js";

/**
 * @typedef {import("./kinds.js").Kind} Kind
 * @typedef {import("./kinds.js").Field} Field
 */

/** Codes of scalars. */
export const FLIP = 0;
export const FIXED = 1;
export const NEAR = 2;
export const COUNT = 3;

/** Sorts of nodes. */
export const SCALAR = 0;
export const WIDE = 1;
export const DOUBLE = 2;
export const TEXT = 3;
export const BYTES = 4;
export const REF = 5;
export const OPTION = 6;
export const ENUM = 7;
export const LIST = 8;
export const ARRAY = 9;
export const RECORD = 10;

/** Scalars of at most this many bits are written as they are. */
const FIXED_WIDTH_MAX = 4;
/** Integers of this width that use their type's whole range count from zero. */
const COUNT_WIDTH_MIN = 16;
/** Where means start, by kind, and for motion that is predicted. */
const MEAN_INT = 2;
const MEAN_QUANTISED = 8;
const MEAN_ANGLE = 4;
const MEAN_PREDICTED = 1;

/** Bits that an `f32` may not have all set. */
const F32_NOT_FINITE = 0x7f800000;

/** An integer of at most 53 bits and its code. */
export class Scalar {
  /**
   * @param {number} lowest
   * @param {number} span
   */
  constructor(lowest, span) {
    /** The smallest cell. */
    this.lowest = lowest;
    /** The largest. */
    this.highest = lowest + span;
    /** The largest cell minus the smallest. */
    this.span = span;
    /** Bits of `span`. */
    this.width = widthOf(span);
    /** How many cells a ring has; 0 if this is not one. */
    this.around = 0;
    /** Half of that, rounded down. */
    this.half = 0;
    this.code = span === 1 ? FLIP : FIXED;
    /** The index of its running mean in the table. */
    this.mean = 0;
    /** Bits that a float may not have all set; 0 for others. */
    this.notFinite = 0;
  }

  /**
   * The difference that leads from `base` to `cell`: the short way in a ring.
   *
   * @param {number} base
   * @param {number} cell
   */
  difference(base, cell) {
    const difference = cell - base;
    if (this.around === 0 || Math.abs(difference) <= this.half) return difference;
    return difference > 0 ? difference - this.around : difference + this.around;
  }

  /**
   * Where a straight line through the cells at two ticks leads `ahead` ticks
   * after the later one; `apart` ticks lie between the two. Only for motion, where
   * the range is below 2^32 and both spans below 2^8.
   *
   * @param {number} earlier
   * @param {number} later
   * @param {number} apart
   * @param {number} ahead
   */
  extrapolate(earlier, later, apart, ahead) {
    const moved = this.difference(earlier, later);
    const cell = later + (apart === ahead ? moved : Math.floor((moved * ahead) / apart));
    if (cell >= this.lowest && cell <= this.highest) return cell;
    if (this.around === 0) return cell < this.lowest ? this.lowest : this.highest;
    const at = (cell - this.lowest) % this.around;
    return this.lowest + (at < 0 ? at + this.around : at);
  }
}

/** An integer that needs 64 bits. */
export class Wide {
  /**
   * @param {bigint} lowest
   * @param {bigint} span
   */
  constructor(lowest, span) {
    this.lowest = lowest;
    this.span = span;
    this.width = span.toString(2).length;
    this.code = span === 1n ? FLIP : FIXED;
    this.mean = 0;
  }
}

/** How a value is written. Each sort uses some of the fields. */
export class Node {
  /**
   * @param {number} sort
   * @param {number} cells
   */
  constructor(sort, cells) {
    this.sort = sort;
    /** How many cells it has. */
    this.cells = cells;
    /** Whether a text is in it somewhere. */
    this.holdsText = sort === TEXT || sort === BYTES;
    /** @type {Scalar | undefined} scalar */
    this.scalar = undefined;
    /** @type {Wide | undefined} wide */
    this.wide = undefined;
    /** Text: most bytes. List: most elements. Array: how many. */
    this.max = 0;
    /** @type {Node | undefined} option, list, array: what they hold */
    this.of = undefined;
    /** Enum: bits of the variant. */
    this.tagWidth = 0;
    /** @type {Record[]} enum: of each variant; record: its own */
    this.records = [];
  }
}

/** A field after nested structs are flattened. */
export class Leaf {
  /**
   * @param {string} name
   * @param {number} at
   * @param {Node} node
   * @param {boolean} motion
   */
  constructor(name, at, node, motion) {
    /** Path of names from the record, as `pos.x`. */
    this.name = name;
    /** First cell, counted from the record's first. */
    this.at = at;
    this.node = node;
    /** Its scalar, if it is one: the common case. */
    this.scalar = node.scalar;
    /** Whether predicted chunks extrapolate it; then it is a scalar. */
    this.motion = motion && node.scalar !== undefined;
  }
}

/** Leaves side by side: a row, an element, a variant's payload. */
export class Record {
  /** @type {Leaf[]} */
  leaves = [];
  cells = 0;
}

/** A leaf that chunks may predict. */
class Motion {
  /**
   * @param {number} at
   * @param {number} bit
   * @param {Scalar} scalar
   */
  constructor(at, bit, scalar) {
    /** Its cell in the row. */
    this.at = at;
    /** Its bit in a mask of leaves, whose halves are two numbers. */
    this.low = bit < 32 ? 1 << bit : 0;
    this.high = bit < 32 ? 0 : 1 << (bit - 32);
    this.scalar = scalar;
  }
}

/** One table, compiled. */
export class TableLayout {
  /** @param {Field[]} fields */
  constructor(fields) {
    const build = new Build();
    /** The entity's leaves. */
    this.record = build.record(fields);
    /** Cells of a row. */
    this.cells = this.record.cells;
    /** Where the running means start in a plain section. */
    this.means = Int32Array.from(build.means, (start) => 8 * start);
    /** The same for a section of predicted updates. */
    this.meansPredicted = this.means.slice();
    /** The leaves that are motion. */
    this.motions = /** @type {Motion[]} */ ([]);
    /** The same as the two halves of a mask. */
    this.motionLow = 0;
    this.motionHigh = 0;
    /** All leaves as a mask; one bit if there are none. */
    const leaves = Math.max(this.record.leaves.length, 1);
    this.allLow = ones(leaves);
    this.allHigh = ones(leaves - 32);
    this.record.leaves.forEach((leaf, index) => this.#motion(leaf, index));
  }

  /** @param {Leaf} leaf @param {number} index */
  #motion({ at, motion, scalar }, index) {
    if (!motion || scalar === undefined) return;
    const found = new Motion(at, index, scalar);
    this.motions.push(found);
    this.motionLow |= found.low;
    this.motionHigh |= found.high;
    if (scalar.code === NEAR || scalar.code === COUNT) {
      this.meansPredicted[scalar.mean] = 8 * MEAN_PREDICTED;
    }
  }
}

/** A half of a mask with so many bits set. @param {number} bits */
function ones(bits) {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : (1 << bits) - 1;
}

/**
 * How many binary digits a number has.
 *
 * @param {number} n
 */
function widthOf(n) {
  const high = Math.floor(n / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(n);
}

/** The walk from kinds to nodes. */
class Build {
  /** @type {number[]} */
  means = [];

  /** @param {Field[]} fields */
  record(fields) {
    const record = new Record();
    this.#flatten(fields, "", record);
    return record;
  }

  /** @param {Field[]} fields @param {string} path @param {Record} record */
  #flatten(fields, path, record) {
    for (const { name, kind } of fields) {
      if (kind.sort === "struct") {
        this.#flatten(kind.fields, `${path}${name}.`, record);
        continue;
      }
      const node = this.#node(kind);
      const motion = "motion" in kind && kind.motion;
      record.leaves.push(new Leaf(path + name, record.cells, node, motion));
      record.cells += node.cells;
    }
  }

  /** @param {Kind} kind @returns {Node} */
  #node(kind) {
    const cells = cellsOf(kind);
    switch (kind.sort) {
      case "bool":
        return scalarNode(new Scalar(0, 1));
      case "int":
        return kind.wide ? this.#wide(kind) : this.#int(kind);
      case "float": {
        if (kind.repr === "f64") return new Node(DOUBLE, 1);
        const scalar = new Scalar(0, 2 ** 32 - 1);
        scalar.notFinite = F32_NOT_FINITE;
        return scalarNode(scalar);
      }
      case "quantised":
        return this.#near(new Grid(kind.min, kind.max, kind.step, kind.ring), MEAN_QUANTISED);
      case "angle":
        return this.#near(Grid.angle(kind.bits), MEAN_ANGLE);
      case "text":
      case "bytes": {
        const node = new Node(kind.sort === "text" ? TEXT : BYTES, 1);
        node.max = kind.max;
        return node;
      }
      case "ref":
        return new Node(REF, 1);
      case "option":
        return this.#holding(OPTION, cells, 1, kind.of);
      case "list":
        return this.#holding(LIST, cells, kind.max, kind.of);
      case "array":
        return this.#holding(ARRAY, cells, kind.len, kind.of);
      case "struct":
        return withRecords(new Node(RECORD, cells), [this.record(kind.fields)]);
      case "enum": {
        const node = new Node(ENUM, cells);
        node.tagWidth = widthOf(kind.variants.length - 1);
        return withRecords(node, kind.variants.map((variant) => this.record(variant.fields)));
      }
    }
  }

  /** @param {number} sort @param {number} cells @param {number} max @param {Kind} of */
  #holding(sort, cells, max, of) {
    const node = new Node(sort, cells);
    node.max = max;
    node.of = this.#node(of);
    node.holdsText = node.of.holdsText;
    return node;
  }

  /** @param {import("./kinds.js").IntKind} kind */
  #int({ repr, min, max }) {
    const origin = Math.min(Math.max(0, min), max);
    const scalar = new Scalar(min - origin, max - min);
    if (scalar.width > FIXED_WIDTH_MAX) {
      const whole = scalar.width === Number(repr.slice(1)) && scalar.span === 2 ** scalar.width - 1;
      scalar.code = whole && scalar.width >= COUNT_WIDTH_MIN ? COUNT : NEAR;
      scalar.mean = this.#mean(MEAN_INT);
    }
    return scalarNode(scalar);
  }

  /** @param {import("./kinds.js").WideKind} kind */
  #wide({ min, max }) {
    const origin = min > 0n ? min : max < 0n ? max : 0n;
    const wide = new Wide(min - origin, max - min);
    if (wide.width > FIXED_WIDTH_MAX) {
      wide.code = wide.span === (1n << 64n) - 1n ? COUNT : NEAR;
      wide.mean = this.#mean(MEAN_INT);
    }
    const node = new Node(WIDE, 1);
    node.wide = wide;
    return node;
  }

  /** @param {Grid} grid @param {number} mean */
  #near(grid, mean) {
    const scalar = new Scalar(grid.lowest, grid.highest - grid.lowest);
    if (grid.ring) {
      scalar.around = scalar.span + 1;
      scalar.half = Math.floor(scalar.around / 2);
    }
    if (scalar.width > FIXED_WIDTH_MAX) {
      scalar.code = NEAR;
      scalar.mean = this.#mean(mean);
    }
    return scalarNode(scalar);
  }

  /** @param {number} start @returns {number} its index */
  #mean(start) {
    return this.means.push(start) - 1;
  }
}

/** @param {Scalar} scalar */
function scalarNode(scalar) {
  const node = new Node(SCALAR, 1);
  node.scalar = scalar;
  return node;
}

/** @param {Node} node @param {Record[]} records */
function withRecords(node, records) {
  node.records = records;
  node.holdsText = records.some(({ leaves }) => leaves.some((leaf) => leaf.node.holdsText));
  return node;
}
