/**
 * The schema as bytes, as a server describes it in the handshake. What comes
 * out is within every limit.
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
import { FLOAT_REPRS, INT_REPRS, variantKeys } from "./kinds.js";

/**
 * @typedef {import("./kinds.js").Kind} Kind
 * @typedef {import("./kinds.js").Field} Field
 * @typedef {import("./kinds.js").Schema} Schema
 */

const MOTION = 1;
const RING = 2;
const ANGLE_BITS_MAX = 24;

/**
 * The schema that a server described.
 *
 * @param {Uint8Array} bytes
 * @returns {Schema}
 */
export function readDescriptor(bytes) {
  if (bytes.length > DESCRIPTOR_BYTES_MAX) codecFault("TooLong");
  const parse = new Parse(bytes);
  const tables = [];
  for (let left = parse.r.count(TABLES_MAX); left > 0; left--) {
    tables.push({ name: parse.name(), entity: parse.name(), fields: parse.fields(0) });
  }
  const input = parse.kind(0);
  const command = parse.kind(0);
  const reply = parse.kind(0);
  const event = parse.kind(0);
  parse.r.finish();
  const schema = { tables, input, command, reply, event, hash: hashOf(bytes) };
  check(schema);
  return schema;
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
 * The way from bytes to kinds: bounded in depth and in kinds, so that a hostile
 * server costs a known amount of memory and no stack.
 */
class Parse {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.r = new Reader(bytes);
    this.kinds = 0;
  }

  name() {
    return this.r.str(NAME_BYTES_MAX);
  }

  /** @param {number} depth @returns {Field[]} */
  fields(depth) {
    const fields = [];
    for (let left = this.r.count(LEAVES_MAX); left > 0; left--) {
      fields.push({ name: this.name(), kind: this.kind(depth) });
    }
    return fields;
  }

  /** @param {number} allowed */
  flags(allowed) {
    const flags = this.r.u8();
    if ((flags & ~allowed) !== 0) codecFault("BadTag");
    return flags;
  }

  float() {
    return FLOAT_REPRS[this.r.u8()] ?? codecFault("BadTag");
  }

  /** @param {number} depth @returns {Kind} */
  kind(depth) {
    this.kinds += 1;
    if (depth > KIND_DEPTH_MAX || this.kinds > KINDS_MAX) codecFault("TooLong");
    const { r } = this;
    switch (r.u8()) {
      case 0:
        return { sort: "bool" };
      case 1:
        return this.int();
      case 2:
        return { sort: "float", repr: this.float() };
      case 3: {
        const [repr, flags] = [this.float(), this.flags(MOTION | RING)];
        const [min, max, step] = [r.f64(), r.f64(), r.f64()];
        const [ring, motion] = [(flags & RING) !== 0, (flags & MOTION) !== 0];
        return { sort: "quantised", repr, min, max, step, ring, motion };
      }
      case 4: {
        const [repr, flags] = [this.float(), this.flags(MOTION)];
        return { sort: "angle", repr, bits: r.u8(), motion: flags !== 0 };
      }
      case 5:
        return { sort: "text", max: r.u32() };
      case 6:
        return { sort: "bytes", max: r.u32() };
      case 7:
        return { sort: "ref", entity: this.name() };
      case 8:
        return { sort: "option", of: this.kind(depth + 1) };
      case 9:
        return { sort: "struct", fields: this.fields(depth + 1) };
      case 10:
        return this.enumeration(depth);
      case 11:
        return { sort: "list", max: r.u32(), of: this.kind(depth + 1) };
      case 12:
        return { sort: "array", len: r.u32(), of: this.kind(depth + 1) };
      default:
        return codecFault("BadTag");
    }
  }

  /** @returns {Kind} */
  int() {
    const { r } = this;
    const [repr, lowest] = INT_REPRS[r.u8()] ?? codecFault("BadTag");
    const motion = this.flags(MOTION) !== 0;
    const bound = () => (lowest < 0n ? r.bigI64() : r.bigU64());
    const [min, max] = [bound(), bound()];
    const wide = ![min, max, max - min].every((n) => BigInt(Number(n)) === n && isSafe(n));
    return wide
      ? { sort: "int", repr, wide, min, max, motion }
      : { sort: "int", repr, wide, min: Number(min), max: Number(max), motion };
  }

  /** @param {number} depth @returns {Kind} */
  enumeration(depth) {
    const variants = [];
    for (let left = this.r.count(VARIANTS_MAX); left > 0; left--) {
      // A variant counts as a kind: many empty ones cost memory too.
      this.kinds += 1;
      variants.push({ name: this.name(), fields: this.fields(depth + 1), key: "" });
    }
    const keys = variantKeys(variants.map((variant) => variant.name));
    variants.forEach((variant, index) => (variant.key = keys[index]));
    return { sort: "enum", variants };
  }
}

/** @param {bigint} n */
function isSafe(n) {
  return Number.isSafeInteger(Number(n));
}

/** @param {boolean} good */
function must(good) {
  if (!good) codecFault("Invalid");
}

/**
 * Errs unless a schema keeps the rules of section 4.
 *
 * @param {Schema} schema
 */
function check(schema) {
  const walk = new Check();
  names(schema.tables);
  for (const table of schema.tables) {
    name(table.entity);
    walk.record(table.fields, 0);
  }
  for (const kind of [schema.input, schema.command, schema.reply, schema.event]) {
    walk.kind(kind, 0);
  }
}

/** @param {string} name */
function name(name) {
  must(/^[A-Za-z0-9_]{1,64}$/.test(name));
}

/** @param {{ name: string }[]} named */
function names(named) {
  for (const it of named) name(it.name);
  must(new Set(named.map((it) => it.name)).size === named.length);
}

/** The walk over a schema that proves its limits. */
class Check {
  kinds = 0;

  /**
   * Fields side by side; gives their leaves and cells.
   *
   * @param {Field[]} fields
   * @param {number} depth
   * @returns {[leaves: number, cells: number]}
   */
  record(fields, depth) {
    names(fields);
    let [leaves, cells] = [0, 0];
    for (const { kind } of fields) {
      if (kind.sort === "struct") {
        this.deeper(depth);
        const [inner, more] = this.record(kind.fields, depth + 1);
        // An empty one costs nothing on the wire, and memory in a client.
        leaves += Math.max(inner, 1);
        cells += more;
      } else {
        leaves += 1;
        cells += this.kind(kind, depth);
      }
      must(leaves <= LEAVES_MAX && cells <= CELLS_MAX);
    }
    return [leaves, cells];
  }

  /** @param {number} depth */
  deeper(depth) {
    this.kinds += 1;
    must(this.kinds <= KINDS_MAX && depth < KIND_DEPTH_MAX);
  }

  /**
   * One kind; gives its cells.
   *
   * @param {Kind} kind
   * @param {number} depth
   * @returns {number}
   */
  kind(kind, depth) {
    this.deeper(depth);
    const cells = this.cells(kind, depth);
    must(cells <= CELLS_MAX);
    return cells;
  }

  /** @param {Kind} kind @param {number} depth @returns {number} */
  cells(kind, depth) {
    switch (kind.sort) {
      case "int": {
        const [min, max] = [BigInt(kind.min), BigInt(kind.max)];
        const repr = INT_REPRS.find(([repr]) => repr === kind.repr);
        must(repr !== undefined && repr[1] <= min && min < max && max <= repr[2]);
        must(!kind.motion || max - min < 1n << 32n);
        return 1;
      }
      case "quantised":
        checkGrid(kind);
        return 1;
      case "angle":
        must(kind.bits >= 1 && kind.bits <= ANGLE_BITS_MAX);
        return 1;
      case "text":
      case "bytes":
        must(kind.max >= 1 && kind.max <= TEXT_BYTES_MAX);
        return 1;
      case "ref":
        name(kind.entity);
        return 1;
      case "option":
        return 1 + this.kind(kind.of, depth + 1);
      case "struct":
        return this.record(kind.fields, depth + 1)[1];
      case "enum": {
        must(kind.variants.length >= 1);
        names(kind.variants);
        return 1 + Math.max(...kind.variants.map((variant) => {
          this.deeper(depth + 1);
          return this.record(variant.fields, depth + 1)[1];
        }));
      }
      case "list":
        return 1 + this.elements(kind.of, kind.max, depth);
      case "array":
        return this.elements(kind.of, kind.len, depth);
      default:
        return 1;
    }
  }

  /** @param {Kind} of @param {number} count @param {number} depth @returns {number} */
  elements(of, count, depth) {
    must(count >= 1 && count <= ELEMENTS_MAX);
    const cells = this.kind(of, depth + 1);
    must(cells > 0);
    return cells * count;
  }
}

/** @param {import("./kinds.js").QuantisedKind} kind */
function checkGrid({ repr, min, max, step, ring }) {
  must(step > 0 && min < max);
  const count = (max - min) / step;
  must(count >= (ring ? 2 : 1) && count <= QUANTA_MAX);
  const grid = new Grid(min, max, step, ring);
  for (const value of [min, grid.value(grid.highest)]) {
    must(Number.isFinite(repr === "f32" ? Math.fround(value) : value));
  }
}
