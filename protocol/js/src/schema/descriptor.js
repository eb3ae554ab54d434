/**
 * The schema as bytes, as a server describes it in the handshake. What comes out
 * is within every limit.
 *
 * @module
 */

import { Reader } from "../codec.js";
import { Grid } from "../grid.js";
import {
  CELLS_MAX,
  DESCRIPTOR_BYTES_MAX,
  ELEMENTS_MAX,
  KINDS_MAX,
  KIND_DEPTH_MAX,
  LEAVES_MAX,
  NAME_BYTES_MAX,
  QUANTA_MAX,
  TABLES_MAX,
  TEXT_BYTES_MAX,
  VARIANTS_MAX,
} from "../limits.js";
import { codecFault } from "../malformed.js";
import { variantKeys } from "./kinds.js";
import { COUNT, FIXED, NEAR, Scalar, Wide } from "./scalar.js";

/**
 * @typedef {import("./kinds.js").Kind} Kind
 * @typedef {import("./kinds.js").Record} Record
 * @typedef {import("./kinds.js").Schema} Schema
 */

const MOTION = 1;
const RING = 2;
const ANGLE_BITS_MAX = 24;
/** Bits that an `f32` may not have all set. */
const F32_NOT_FINITE = 0x7f800000;
// Where means start.
const MEAN_INT = 2;
const MEAN_QUANTISED = 8;
const MEAN_ANGLE = 4;

/**
 * The schema that a server described.
 *
 * @param {Uint8Array} bytes
 * @returns {Schema}
 */
export function readDescriptor(bytes) {
  if (bytes.length > DESCRIPTOR_BYTES_MAX) codecFault("TooLong");
  const parse = new Parse(bytes);
  const tables = parse.named(TABLES_MAX, () => parse.table());
  const [input, command, reply, event] = [0, 0, 0, 0].map((depth) => parse.kind(depth));
  parse.r.finish();
  return { tables, input, command, reply, event, hash: hashOf(bytes) };
}

/**
 * 64-bit FNV-1a: what schemas are compared by.
 *
 * @param {Uint8Array} bytes
 */
export function hashOf(bytes) {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // The prime is 2^40 + 0x1b3.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + low * 256) % 2 ** 32;
    low = product % 2 ** 32;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/**
 * All leaves have one shape.
 *
 * @param {string} name
 * @param {Kind} kind
 * @param {number} at
 * @returns {import("./kinds.js").Leaf}
 */
function leafOf(name, kind, at) {
  const scalar = "scalar" in kind ? kind.scalar : undefined;
  return { name, kind, at, scalar, motion: "motion" in kind && kind.motion && scalar !== undefined };
}

/** @param {boolean} good */
function must(good) {
  if (!good) codecFault("Invalid");
}

/**
 * The way from bytes to kinds: bounded in depth and in kinds, so that a hostile
 * server costs a known amount of memory and no stack. A kind is judged when all of
 * it was read.
 */
class Parse {
  /** Kinds met so far. */
  kinds = 0;
  /** The starts of the means of the table under way. @type {number[]} */
  means = [];

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.r = new Reader(bytes);
  }

  /**
   * As many of something as a count says, with a name before each.
   *
   * @template T
   * @param {number} max
   * @param {() => T} read
   * @returns {(T & { name: string })[]}
   */
  named(max, read) {
    const all = [];
    for (let left = this.r.count(max); left > 0; left--) all.push({ name: this.name(), ...read() });
    must(new Set(all.map((it) => it.name)).size === all.length);
    return all;
  }

  name() {
    const name = this.r.str(NAME_BYTES_MAX);
    must(/^\w+$/.test(name));
    return name;
  }

  table() {
    this.means = [];
    return { entity: this.name(), ...this.record(0), means: this.means };
  }

  /** Fields side by side. @param {number} depth @returns {Record} */
  record(depth) {
    let [cells, weight] = [0, 0];
    /** @type {import("./kinds.js").Leaf[]} */
    const leaves = [];
    const fields = this.named(LEAVES_MAX, () => {
      const kind = this.kind(depth);
      const at = cells;
      cells += kind.cells;
      return { kind, at };
    });
    for (const { name, kind, at } of fields) {
      if (kind.sort === "struct") {
        for (const leaf of kind.leaves) leaves.push(leafOf(`${name}.${leaf.name}`, leaf.kind, at + leaf.at));
        // An empty one costs nothing on the wire, and memory in a client.
        weight += Math.max(kind.weight, 1);
      } else {
        leaves.push(leafOf(name, kind, at));
        weight += 1;
      }
    }
    must(weight <= LEAVES_MAX && cells <= CELLS_MAX);
    return { fields, leaves, weight, cells, holdsText: leaves.some((leaf) => leaf.kind.holdsText) };
  }

  /** @param {number} allowed */
  flags(allowed) {
    const flags = this.r.u8();
    if ((flags & ~allowed) !== 0) codecFault("BadTag");
    return flags;
  }

  float() {
    return (/** @type {const} */ (["f32", "f64"]))[this.r.u8()] ?? codecFault("BadTag");
  }

  /** @param {number} depth @returns {Kind} */
  kind(depth) {
    this.kinds += 1;
    if (depth > KIND_DEPTH_MAX || this.kinds > KINDS_MAX) codecFault("TooLong");
    const kind = this.any(depth + 1);
    must(depth < KIND_DEPTH_MAX && kind.cells <= CELLS_MAX);
    return kind;
  }

  /** @param {number} deeper the depth of what it holds @returns {Kind} */
  any(deeper) {
    const { r } = this;
    const tag = r.u8();
    const one = { cells: 1, holdsText: false };
    switch (tag) {
      case 0:
        return { ...one, sort: "bool", scalar: new Scalar(0, 1, false) };
      case 1:
        return this.int();
      case 2: {
        const repr = this.float();
        if (repr === "f64") return { ...one, sort: "float", repr, scalar: undefined };
        const scalar = new Scalar(0, 2 ** 32 - 1, false);
        [scalar.code, scalar.notFinite] = [FIXED, F32_NOT_FINITE];
        return { ...one, sort: "float", repr, scalar };
      }
      case 3:
        return this.quantised();
      case 4: {
        const [repr, flags, bits] = [this.float(), this.flags(MOTION), r.u8()];
        must(bits >= 1 && bits <= ANGLE_BITS_MAX);
        return this.grid(repr, Grid.angle(bits), MEAN_ANGLE, flags);
      }
      case 5:
      case 6: {
        const max = r.u32();
        must(max >= 1 && max <= TEXT_BYTES_MAX);
        return { cells: 1, holdsText: true, sort: tag === 5 ? "text" : "bytes", max };
      }
      case 7:
        return { ...one, sort: "ref", entity: this.name() };
      case 8: {
        const of = this.kind(deeper);
        return { sort: "option", of, cells: 1 + of.cells, holdsText: of.holdsText };
      }
      case 9:
        return { sort: "struct", ...this.record(deeper) };
      case 10:
        return this.enumeration(deeper);
      case 11:
      case 12: {
        const [max, of, isList] = [r.u32(), this.kind(deeper), tag === 11];
        must(max >= 1 && max <= ELEMENTS_MAX && of.cells > 0);
        const cells = max * of.cells + (isList ? 1 : 0);
        return { sort: isList ? "list" : "array", max, of, cells, holdsText: of.holdsText };
      }
      default:
        return codecFault("BadTag");
    }
  }

  /** @returns {Kind} */
  int() {
    const { r } = this;
    const type = r.u8();
    if (type > 7) codecFault("BadTag");
    const [isSigned, bits] = [type > 3, 8 << (type & 3)];
    const repr = /** @type {import("./kinds.js").IntRepr} */ ((isSigned ? "i" : "u") + bits);
    const lowest = isSigned ? -(1n << BigInt(bits - 1)) : 0n;
    const highest = lowest + (1n << BigInt(bits)) - 1n;
    const motion = this.flags(MOTION) !== 0;
    const bound = () => (isSigned ? r.bigI64() : r.bigU64());
    const [min, max] = [bound(), bound()];
    must(lowest <= min && min < max && max <= highest && (!motion || max - min < 1n << 32n));
    const origin = min > 0n ? min : max < 0n ? max : 0n;
    const all = { sort: /** @type {const} */ ("int"), repr, motion, cells: 1, holdsText: false };
    if ([min, max, max - min].every((n) => Number.isSafeInteger(Number(n)))) {
      const isWhole = min === lowest && max === highest;
      const scalar = this.adaptive(new Scalar(Number(min - origin), Number(max - min), isWhole), MEAN_INT);
      return { ...all, wide: undefined, scalar, min: Number(min), max: Number(max), origin: Number(origin) };
    }
    return { ...all, wide: this.adaptive(new Wide(min - origin, max - min), MEAN_INT), min, max, origin };
  }

  /** @returns {Kind} */
  quantised() {
    const { r } = this;
    const [repr, flags] = [this.float(), this.flags(MOTION | RING)];
    const [min, max, step, ring] = [r.f64(), r.f64(), r.f64(), (flags & RING) !== 0];
    must(step > 0 && min < max);
    const count = (max - min) / step;
    must(count >= (ring ? 2 : 1) && count <= QUANTA_MAX);
    const grid = new Grid(min, max, step, ring);
    const held = (/** @type {number} */ value) => (repr === "f32" ? Math.fround(value) : value);
    must([min, grid.value(grid.highest)].every((value) => Number.isFinite(held(value))));
    return this.grid(repr, grid, MEAN_QUANTISED, flags);
  }

  /**
   * @param {import("./kinds.js").FloatRepr} repr
   * @param {Grid} grid
   * @param {number} mean
   * @param {number} flags
   * @returns {Kind}
   */
  grid(repr, grid, mean, flags) {
    const scalar = this.adaptive(new Scalar(grid.lowest, grid.count - 1, false), mean);
    if (grid.ring) scalar.around = grid.count;
    return { sort: "grid", repr, grid, scalar, motion: (flags & MOTION) !== 0, cells: 1, holdsText: false };
  }

  /** @param {number} depth @returns {Kind} */
  enumeration(depth) {
    const variants = this.named(VARIANTS_MAX, () => {
      // A variant counts as a kind: many empty ones cost memory too.
      this.kinds += 1;
      return { key: "", ...this.record(depth) };
    });
    must(variants.length >= 1 && depth < KIND_DEPTH_MAX);
    const keys = variantKeys(variants.map((variant) => variant.name));
    variants.forEach((variant, index) => (variant.key = keys[index]));
    return {
      sort: "enum",
      variants,
      tagWidth: 32 - Math.clz32(variants.length - 1),
      isPlain: variants.every((variant) => variant.fields.length === 0),
      cells: 1 + Math.max(...variants.map((variant) => variant.cells)),
      holdsText: variants.some((variant) => variant.holdsText),
    };
  }

  /**
   * A code that follows a mean gets one.
   *
   * @template {Scalar | Wide} T
   * @param {T} scalar
   * @param {number} start
   * @returns {T}
   */
  adaptive(scalar, start) {
    if (scalar.code === NEAR || scalar.code === COUNT) scalar.mean = this.means.push(start) - 1;
    return scalar;
  }
}
