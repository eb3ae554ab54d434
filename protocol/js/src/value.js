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

import { SLOTS_MAX } from "./limits.js";
import { codecFault } from "./malformed.js";
import { encodeUtf8UpTo } from "./text.js";

/**
 * @typedef {import("./schema/kinds.js").Kind} Kind
 * @typedef {import("./schema/kinds.js").Field} Field
 * @typedef {import("./codec.js").Reader} Reader
 * @typedef {import("./codec.js").Writer} Writer
 * @typedef {import("./store.js").Store} Store
 * @typedef {{ slot: number, generation: number }} Ref an entity, by its row
 */

/** A cell of a reference: which generation in which slot. */
export const REF_SLOTS = 2 ** 16;

const bits = new DataView(new ArrayBuffer(4));

/**
 * An object of fields, with the variant's name if it is one. Names come from
 * outside: here, one like `__proto__` is no more than a name.
 *
 * @param {Field[]} fields
 * @param {string | undefined} variant
 * @param {(field: Field) => any} read
 */
function objectOf(fields, variant, read) {
  const entries = fields.map((field) => [field.name, read(field)]);
  return Object.fromEntries(variant === undefined ? entries : [["$", variant], ...entries]);
}

/** The value of an option that is something. @param {Kind} of @param {any} value */
function some(of, value) {
  return canBeNull(of) ? { some: value } : value;
}

/** @param {Kind} kind */
function canBeNull({ sort }) {
  return sort === "option" || sort === "ref";
}

/** @param {import("./schema/kinds.js").GridKind} kind @param {number} cell */
function gridValue({ grid, repr }, cell) {
  return repr === "f32" ? Math.fround(grid.value(cell)) : grid.value(cell);
}

// ------------------------------------------------------------------------- from rows

/**
 * The value whose cells start at a place.
 *
 * @param {Kind} kind
 * @param {Store} store
 * @param {number} at
 * @returns {any}
 */
export function getValue(kind, store, at) {
  const cell = store.cells[at];
  switch (kind.sort) {
    case "grid":
      return gridValue(kind, cell);
    case "bool":
      return cell !== 0;
    case "int":
      if (!kind.wide) return cell + kind.origin;
      return (kind.repr === "u64" ? BigInt.asUintN : BigInt.asIntN)(64, store.wide[at] + kind.origin);
    case "float":
      if (kind.repr === "f64") return cell;
      bits.setUint32(0, cell);
      return bits.getFloat32(0);
    case "text":
      return store.texts.values[cell];
    case "bytes":
      return Uint8Array.from(/** @type {any} */ (store.texts.values[cell]));
    case "ref":
      return cell === 0 ? null : { slot: cell % REF_SLOTS, generation: Math.floor(cell / REF_SLOTS) };
    case "option":
      return cell === 0 ? null : some(kind.of, getValue(kind.of, store, at + 1));
    case "struct":
      return getFields(kind.fields, undefined, store, at);
    case "enum": {
      const { key, fields } = kind.variants[cell];
      return kind.isPlain ? key : getFields(fields, key, store, at + 1);
    }
    case "list":
      return Array.from({ length: cell }, (_, i) => getValue(kind.of, store, at + 1 + i * kind.of.cells));
    case "array":
      return Array.from({ length: kind.max }, (_, i) => getValue(kind.of, store, at + i * kind.of.cells));
  }
}

/** @param {Field[]} fields @param {string | undefined} variant @param {Store} store @param {number} start */
function getFields(fields, variant, store, start) {
  return objectOf(fields, variant, ({ kind, at }) => getValue(kind, store, start + at));
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
    case "int": {
      if (!kind.wide) return Math.min(Math.max(r[kind.repr](), kind.min), kind.max);
      const value = kind.repr === "u64" ? r.bigU64() : r.bigI64();
      return value < kind.min ? kind.min : value > kind.max ? kind.max : value;
    }
    case "float":
      return r[kind.repr]();
    case "grid":
      return gridValue(kind, Math.min(r.u64(), kind.grid.count - 1) - kind.grid.origin);
    case "text":
      return r.str(kind.max);
    case "bytes":
      return r.blob(kind.max).slice();
    case "ref": {
      const [slot, generation] = [r.u32(), r.u32()];
      if (generation === 0 ? slot !== 0 : slot >= SLOTS_MAX) codecFault("Invalid");
      return generation === 0 ? null : { slot, generation };
    }
    case "option":
      return r.bool() ? some(kind.of, readValue(kind.of, r)) : null;
    case "struct":
      return objectOf(kind.fields, undefined, (field) => readValue(field.kind, r));
    case "enum": {
      const { key, fields } = kind.variants[r.u32()] ?? codecFault("BadTag");
      return kind.isPlain ? key : objectOf(fields, key, (field) => readValue(field.kind, r));
    }
    case "list":
    case "array": {
      const length = kind.sort === "list" ? r.count(kind.max) : kind.max;
      return Array.from({ length }, () => readValue(kind.of, r));
    }
  }
}

// ----------------------------------------------------------------------- to messages

/**
 * Appends a value to a message, as a kind. Numbers are rounded and clamped to
 * what the kind has, long texts are cut; what is missing has its default. What
 * cannot be meant is a `TypeError`: another type, an unknown name, too many elements.
 *
 * @param {Kind} kind
 * @param {any} value
 * @param {Writer} w
 * @param {string} [place] what the error calls it
 * @returns {void}
 */
export function writeValue(kind, value, w, place = "the value") {
  switch (kind.sort) {
    case "bool":
      return w.bool(typed(value, false, place));
    case "int":
      return writeInt(kind, value ?? 0, w, place);
    case "float":
      return w[kind.repr](typed(value, 0, place));
    case "grid":
      return w.uint(kind.grid.cell(typed(value, 0, place)) + kind.grid.origin);
    case "text":
      return w.blob(encodeUtf8UpTo(typed(value, "", place), kind.max));
    case "bytes":
      if (!((value ?? NO_BYTES) instanceof Uint8Array)) throw wrong(place, "a Uint8Array");
      return w.blob((value ?? NO_BYTES).subarray(0, kind.max));
    case "ref":
      w.uint(index(value?.slot, SLOTS_MAX, place));
      return w.uint(index(value?.generation, 2 ** 32, place));
    case "option":
      w.bool((value ?? null) !== null);
      if ((value ?? null) !== null) writeValue(kind.of, canBeNull(kind.of) ? value.some : value, w, place);
      return;
    case "struct":
      return writeFields(kind.fields, value, w, place);
    case "enum": {
      const key = typeof value === "object" ? value?.$ : value ?? kind.variants[0].key;
      const number = kind.variants.findIndex((variant) => variant.key === key || variant.name === key);
      if (number < 0) throw new TypeError(`${place} cannot be ${JSON.stringify(key)}`);
      w.uint(number);
      return writeFields(kind.variants[number].fields, typeof value === "object" ? value : {}, w, `${place}.${key}`);
    }
    case "list":
    case "array": {
      const all = value ?? [];
      if (!Array.isArray(all) || all.length > kind.max) throw wrong(place, `an array of at most ${kind.max}`);
      const length = kind.sort === "list" ? all.length : kind.max;
      if (kind.sort === "list") w.uint(length);
      for (let i = 0; i < length; i++) writeValue(kind.of, all[i], w, `${place}[${i}]`);
    }
  }
}

const NO_BYTES = new Uint8Array(0);

/** @param {Field[]} fields @param {any} value @param {Writer} w @param {string} place */
function writeFields(fields, value, w, place) {
  const object = value ?? {};
  if (typeof object !== "object") throw wrong(place, "an object");
  for (const name of Object.keys(object)) {
    if (name !== "$" && !fields.some((field) => field.name === name)) {
      throw new TypeError(`${place} has no field ${JSON.stringify(name)}`);
    }
  }
  for (const { name, kind } of fields) {
    writeValue(kind, Object.hasOwn(object, name) ? object[name] : undefined, w, `${place}.${name}`);
  }
}

/**
 * @param {import("./schema/kinds.js").IntKind | import("./schema/kinds.js").WideKind} kind
 * @param {any} value
 * @param {Writer} w
 * @param {string} place
 */
function writeInt({ repr, min, max }, value, w, place) {
  const whole = typeof value === "bigint" ? value : BigInt(Math.round(typed(value, 0, place)));
  const within = whole < min ? BigInt(min) : whole > max ? BigInt(max) : whole;
  if (repr === "u8" || repr === "i8") w.u8(Number(within));
  else if (repr.startsWith("u")) w.uint(within);
  else w.int(within);
}

/** @param {string} place @param {string} what */
function wrong(place, what) {
  return new TypeError(`${place} must be ${what}`);
}

/**
 * A value of the type that the default has; that, if there is none.
 *
 * @template {boolean | string | number} T
 * @param {any} value @param {T} missing @param {string} place
 * @returns {T}
 */
function typed(value, missing, place) {
  const found = value ?? missing;
  const isGood = typeof found === typeof missing && (typeof found !== "number" || Number.isFinite(found));
  if (!isGood) throw wrong(place, `a ${typeof missing}`);
  return found;
}

/** @param {any} value @param {number} end @param {string} place @returns {number} */
function index(value = 0, end, place) {
  if (!Number.isInteger(value) || value < 0 || value >= end) throw wrong(place, "a reference");
  return value;
}
