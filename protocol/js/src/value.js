/**
 * Values of JavaScript, and how they come from messages and rows.
 *
 * | kind | value |
 * |---|---|
 * | bool | `boolean` |
 * | integer | `number`; `bigint` if it is wide (`schema/kinds.js`) |
 * | float, quantised, angle | `number` |
 * | text; bytes | `string`; `Uint8Array` |
 * | reference | `{ slot, generation }`, or `null` for nobody |
 * | option | the value, or `null`; if the value can itself be `null`, `{ some: value }` or `null` |
 * | struct | an object of its fields |
 * | enum | `{ $: "variant", … }` with the variant's fields; if no variant has fields, just the name |
 * | list, array | an array |
 *
 * `$` can be no field's name. A variant's name begins with a small letter here
 * (`Explosion` is `"explosion"`), unless the enum would then have a name twice.
 *
 * @module
 */

import { Grid } from "./grid.js";
import { SLOTS_MAX } from "./limits.js";
import { codecFault } from "./malformed.js";
import { cellsOf, isPlainEnum } from "./schema/kinds.js";
import { encodeUtf8UpTo } from "./text.js";

/**
 * @typedef {import("./schema/kinds.js").Kind} Kind
 * @typedef {import("./schema/kinds.js").Field} Field
 * @typedef {import("./codec.js").Reader} Reader
 * @typedef {import("./codec.js").Writer} Writer
 * @typedef {import("./store.js").Store} Store
 * @typedef {{ slot: number, generation: number }} Ref an entity, by its row
 * @typedef {(store: Store, at: number) => any} Get reads a value whose cells start at a place
 */

/** A place of a reference: which generation in which slot. */
export const REF_SLOTS = 2 ** 16;

const bits = new DataView(new ArrayBuffer(4));

/** @param {number} cell */
function f32OfBits(cell) {
  bits.setUint32(0, cell);
  return bits.getFloat32(0);
}

/**
 * Sets a field of an object that came from outside: a name like `__proto__` is no more than a name.
 *
 * @param {any} object
 * @param {string} name
 * @param {any} value
 */
function put(object, name, value) {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
}

/** @param {import("./schema/kinds.js").QuantisedKind | import("./schema/kinds.js").AngleKind} kind */
function gridOf(kind) {
  return kind.sort === "angle"
    ? Grid.angle(kind.bits)
    : new Grid(kind.min, kind.max, kind.step, kind.ring);
}

// ------------------------------------------------------------------------- from rows

/**
 * What reads a kind's value from cells.
 *
 * @param {Kind} kind
 * @returns {Get}
 */
export function getter(kind) {
  switch (kind.sort) {
    case "bool":
      return (store, at) => store.cells[at] !== 0;
    case "int":
      return kind.wide ? wideGetter(kind) : intGetter(kind);
    case "float":
      return kind.repr === "f64"
        ? (store, at) => store.cells[at]
        : (store, at) => f32OfBits(store.cells[at]);
    case "quantised":
    case "angle": {
      const { min, origin, step } = gridOf(kind);
      return kind.repr === "f64"
        ? (store, at) => min + (store.cells[at] + origin) * step
        : (store, at) => Math.fround(min + (store.cells[at] + origin) * step);
    }
    case "text":
      return (store, at) => store.texts.values[store.cells[at]];
    case "bytes":
      return (store, at) => Uint8Array.from(/** @type {any} */ (store.texts.values[store.cells[at]]));
    case "ref":
      return (store, at) => refOf(store.cells[at]);
    case "option": {
      const inner = getter(kind.of);
      const nested = canBeNull(kind.of);
      return (store, at) => {
        if (store.cells[at] === 0) return null;
        const value = inner(store, at + 1);
        return nested ? { some: value } : value;
      };
    }
    case "struct":
      return fieldsGetter(kind.fields, undefined);
    case "enum": {
      if (isPlainEnum(kind)) return (store, at) => kind.variants[store.cells[at]].key;
      const inner = kind.variants.map((variant) => fieldsGetter(variant.fields, variant.key));
      return (store, at) => inner[store.cells[at]](store, at + 1);
    }
    case "list":
      return elementsGetter(kind.of, 1, (store, at) => store.cells[at]);
    case "array":
      return elementsGetter(kind.of, 0, () => kind.len);
  }
}

/** @param {import("./schema/kinds.js").IntKind} kind @returns {Get} */
function intGetter({ min, max }) {
  const origin = Math.min(Math.max(0, min), max);
  return origin === 0 ? (store, at) => store.cells[at] : (store, at) => store.cells[at] + origin;
}

/** @param {import("./schema/kinds.js").WideKind} kind @returns {Get} */
function wideGetter({ min, max, repr }) {
  const origin = min > 0n ? min : max < 0n ? max : 0n;
  return repr === "u64"
    ? (store, at) => BigInt.asUintN(64, store.wide[at] + origin)
    : (store, at) => BigInt.asIntN(64, store.wide[at] + origin);
}

/** @param {Kind} kind */
function canBeNull({ sort }) {
  return sort === "option" || sort === "ref";
}

/** @param {number} cell @returns {Ref | null} */
function refOf(cell) {
  if (cell === 0) return null;
  return { slot: cell % REF_SLOTS, generation: Math.floor(cell / REF_SLOTS) };
}

/** @param {Field[]} fields @param {string | undefined} variant @returns {Get} */
function fieldsGetter(fields, variant) {
  let at = 0;
  const parts = fields.map(({ name, kind }) => {
    const part = { name, at, get: getter(kind) };
    at += cellsOf(kind);
    return part;
  });
  return (store, start) => {
    /** @type {any} */
    const object = {};
    if (variant !== undefined) object.$ = variant;
    for (const { name, at, get } of parts) put(object, name, get(store, start + at));
    return object;
  };
}

/** @param {Kind} of @param {number} first @param {Get} count @returns {Get} */
function elementsGetter(of, first, count) {
  const inner = getter(of);
  const stride = cellsOf(of);
  return (store, at) => {
    const values = [];
    for (let i = count(store, at), place = at + first; i > 0; i--, place += stride) {
      values.push(inner(store, place));
    }
    return values;
  };
}

// --------------------------------------------------------------------- from messages

/**
 * Takes a value of a kind from a message.
 *
 * @param {Kind} kind
 * @param {Reader} r
 * @returns {any}
 */
export function readValue(kind, r) {
  switch (kind.sort) {
    case "bool":
      return r.bool();
    case "int":
      return readInt(kind, r);
    case "float":
      return kind.repr === "f32" ? r.f32() : r.f64();
    case "quantised":
    case "angle": {
      const grid = gridOf(kind);
      const value = grid.value(Math.min(r.u64(), grid.count - 1) - grid.origin);
      return kind.repr === "f32" ? Math.fround(value) : value;
    }
    case "text":
      return r.str(kind.max);
    case "bytes":
      return r.blob(kind.max).slice();
    case "ref": {
      const [slot, generation] = [r.u32(), r.u32()];
      if (generation === 0 ? slot !== 0 : slot >= SLOTS_MAX) codecFault("Invalid");
      return generation === 0 ? null : { slot, generation };
    }
    case "option": {
      if (!r.bool()) return null;
      const value = readValue(kind.of, r);
      return canBeNull(kind.of) ? { some: value } : value;
    }
    case "struct":
      return readFields(kind.fields, {}, r);
    case "enum": {
      const variant = kind.variants[r.u32()] ?? codecFault("BadTag");
      return isPlainEnum(kind) ? variant.key : readFields(variant.fields, { $: variant.key }, r);
    }
    case "list":
      return readElements(kind.of, r.count(kind.max), r);
    case "array":
      return readElements(kind.of, kind.len, r);
  }
}

/** @param {import("./schema/kinds.js").IntKind | import("./schema/kinds.js").WideKind} kind @param {Reader} r */
function readInt(kind, r) {
  if (!kind.wide) {
    return Math.min(Math.max(r[kind.repr](), kind.min), kind.max);
  }
  const value = kind.repr === "u64" ? r.bigU64() : r.bigI64();
  return value < kind.min ? kind.min : value > kind.max ? kind.max : value;
}

/** @param {Field[]} fields @param {any} object @param {Reader} r */
function readFields(fields, object, r) {
  for (const { name, kind } of fields) put(object, name, readValue(kind, r));
  return object;
}

/** @param {Kind} of @param {number} count @param {Reader} r */
function readElements(of, count, r) {
  const values = [];
  for (let left = count; left > 0; left--) values.push(readValue(of, r));
  return values;
}

// ----------------------------------------------------------------------- to messages

/**
 * Appends a value to a message, as a kind. Numbers are rounded and clamped to
 * what the kind has, long texts are cut; fields that are missing have their
 * default. What cannot be meant is a `TypeError`: another type, an unknown
 * name, too many elements.
 *
 * @param {Kind} kind
 * @param {any} value
 * @param {Writer} w
 * @param {string} [place] what the error calls it
 * @returns {void}
 */
export function writeValue(kind, value, w, place = "the value") {
  if (value === undefined) return writeDefault(kind, w);
  switch (kind.sort) {
    case "bool":
      return w.bool(typed(value, "boolean", place));
    case "int":
      return writeInt(kind, value, w, place);
    case "float":
      return kind.repr === "f32" ? w.f32(number(value, place)) : w.f64(number(value, place));
    case "quantised":
    case "angle": {
      const grid = gridOf(kind);
      return w.uint(grid.cell(number(value, place)) + grid.origin);
    }
    case "text":
      return w.blob(encodeUtf8UpTo(typed(value, "string", place), kind.max));
    case "bytes":
      if (!(value instanceof Uint8Array)) throw wrong(place, "a Uint8Array");
      return w.blob(value.subarray(0, kind.max));
    case "ref":
      w.uint(value === null ? 0 : index(value.slot, SLOTS_MAX, `${place}.slot`));
      return w.uint(value === null ? 0 : index(value.generation, 2 ** 32, `${place}.generation`));
    case "option":
      w.bool(value !== null);
      if (value === null) return;
      return writeValue(kind.of, canBeNull(kind.of) ? object(value, place).some : value, w, place);
    case "struct":
      return writeFields(kind.fields, object(value, place), w, place);
    case "enum":
      return writeEnum(kind, value, w, place);
    case "list":
      w.uint(elements(value, kind.max, place).length);
      return value.forEach((/** @type {any} */ it) => writeValue(kind.of, it, w, `${place}[…]`));
    case "array":
      elements(value, kind.len, place);
      for (let i = 0; i < kind.len; i++) writeValue(kind.of, value[i], w, `${place}[${i}]`);
  }
}

/** @param {Field[]} fields @param {any} object @param {Writer} w @param {string} place */
function writeFields(fields, object, w, place) {
  for (const name of Object.keys(object)) {
    if (name !== "$" && !fields.some((field) => field.name === name)) {
      throw new TypeError(`${place} has no field ${JSON.stringify(name)}`);
    }
  }
  for (const { name, kind } of fields) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    writeValue(kind, value, w, `${place}.${name}`);
  }
}

/** @param {import("./schema/kinds.js").EnumKind} kind @param {any} value @param {Writer} w @param {string} place */
function writeEnum(kind, value, w, place) {
  const key = typeof value === "string" ? value : object(value, place).$;
  const number = kind.variants.findIndex((variant) => variant.key === key || variant.name === key);
  if (number < 0) throw new TypeError(`${place} cannot be ${JSON.stringify(key)}`);
  w.uint(number);
  writeFields(kind.variants[number].fields, typeof value === "string" ? {} : value, w, `${place}.${key}`);
}

/** @param {import("./schema/kinds.js").IntKind | import("./schema/kinds.js").WideKind} kind @param {any} value @param {Writer} w @param {string} place */
function writeInt(kind, value, w, place) {
  if (!kind.wide) {
    const whole = Math.round(number(typeof value === "bigint" ? Number(value) : value, place));
    writePlainInt(kind.repr, Math.min(Math.max(whole, kind.min), kind.max), w);
    return;
  }
  const whole = typeof value === "bigint" ? value : BigInt(Math.round(number(value, place)));
  const within = whole < kind.min ? kind.min : whole > kind.max ? kind.max : whole;
  if (kind.repr === "u64") w.bigUint(within);
  else w.bigInt(within);
}

/** @param {import("./schema/kinds.js").IntRepr} repr @param {number} value @param {Writer} w */
function writePlainInt(repr, value, w) {
  if (repr === "u8" || repr === "i8") w.u8(value);
  else if (repr.startsWith("u")) w.uint(value);
  else if (repr === "i64") w.bigInt(BigInt(value));
  else w.int(value);
}

/** @param {Kind} kind @param {Writer} w */
function writeDefault(kind, w) {
  switch (kind.sort) {
    case "bool":
      return w.bool(false);
    case "int":
      return writeInt(kind, 0, w, "");
    case "float":
      return kind.repr === "f32" ? w.f32(0) : w.f64(0);
    case "quantised":
    case "angle":
      return w.uint(gridOf(kind).origin);
    case "ref":
      w.uint(0);
      return w.uint(0);
    case "struct":
      return kind.fields.forEach((field) => writeDefault(field.kind, w));
    case "enum":
      w.uint(0);
      return kind.variants[0].fields.forEach((field) => writeDefault(field.kind, w));
    case "array":
      for (let left = kind.len; left > 0; left--) writeDefault(kind.of, w);
      return;
    default:
      // No text, no bytes, nothing, no elements.
      return w.u8(0);
  }
}

/** @param {string} place @param {string} what */
function wrong(place, what) {
  return new TypeError(`${place} must be ${what}`);
}

/**
 * @template {"boolean" | "string"} T
 * @param {any} value @param {T} type @param {string} place
 */
function typed(value, type, place) {
  if (typeof value !== type) throw wrong(place, `a ${type}`);
  return value;
}

/** @param {any} value @param {string} place @returns {number} */
function number(value, place) {
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(place, "a finite number");
  return value;
}

/** @param {any} value @param {number} end @param {string} place @returns {number} */
function index(value, end, place) {
  if (!Number.isInteger(value) || value < 0 || value >= end) throw wrong(place, `from 0 to ${end - 1}`);
  return value;
}

/** @param {any} value @param {string} place */
function object(value, place) {
  if (typeof value !== "object" || value === null) throw wrong(place, "an object");
  return value;
}

/** @param {any} value @param {number} max @param {string} place @returns {any[]} */
function elements(value, max, place) {
  if (!Array.isArray(value) || value.length > max) throw wrong(place, `an array of at most ${max}`);
  return value;
}
