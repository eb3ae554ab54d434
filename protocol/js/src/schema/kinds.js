/**
 * What a field or message holds. The shapes follow the descriptor; see
 * `docs/PROTOCOL.md`, section 4.
 *
 * An integer of a 64-bit type is *wide* if its range does not lie within
 * ±(2^53 − 1), or is longer than that: then its values are `bigint`s. All other
 * numbers are plain numbers.
 *
 * @module
 */

/**
 * @typedef {"u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64"} IntRepr
 * @typedef {"f32" | "f64"} FloatRepr
 * @typedef {{ name: string, kind: Kind }} Field
 * @typedef {{ name: string, fields: Field[], key: string }} Variant
 *   `key` is its name in JavaScript: see {@link variantKeys}.
 *
 * @typedef {{ sort: "bool" }} BoolKind
 * @typedef {{ sort: "int", repr: IntRepr, wide: false, min: number, max: number,
 *   motion: boolean }} IntKind
 * @typedef {{ sort: "int", repr: IntRepr, wide: true, min: bigint, max: bigint,
 *   motion: boolean }} WideKind
 * @typedef {{ sort: "float", repr: FloatRepr }} FloatKind
 * @typedef {{ sort: "quantised", repr: FloatRepr, min: number, max: number, step: number,
 *   ring: boolean, motion: boolean }} QuantisedKind
 * @typedef {{ sort: "angle", repr: FloatRepr, bits: number, motion: boolean }} AngleKind
 * @typedef {{ sort: "text", max: number }} TextKind
 * @typedef {{ sort: "bytes", max: number }} BytesKind
 * @typedef {{ sort: "ref", entity: string }} RefKind
 * @typedef {{ sort: "option", of: Kind }} OptionKind
 * @typedef {{ sort: "struct", fields: Field[] }} StructKind
 * @typedef {{ sort: "enum", variants: Variant[] }} EnumKind
 * @typedef {{ sort: "list", max: number, of: Kind }} ListKind
 * @typedef {{ sort: "array", len: number, of: Kind }} ArrayKind
 * @typedef {BoolKind | IntKind | WideKind | FloatKind | QuantisedKind | AngleKind | TextKind
 *   | BytesKind | RefKind | OptionKind | StructKind | EnumKind | ListKind | ArrayKind} Kind
 *
 * @typedef {{ name: string, entity: string, fields: Field[] }} TableSchema
 * @typedef {{ tables: TableSchema[], input: Kind, command: Kind, reply: Kind, event: Kind,
 *   hash: bigint }} Schema
 */

/**
 * Smallest and largest value of each integer type, in the order of their numbers.
 *
 * @type {readonly (readonly [IntRepr, bigint, bigint])[]}
 */
export const INT_REPRS = [
  ["u8", 0n, 0xffn],
  ["u16", 0n, 0xffffn],
  ["u32", 0n, 0xffffffffn],
  ["u64", 0n, (1n << 64n) - 1n],
  ["i8", -0x80n, 0x7fn],
  ["i16", -0x8000n, 0x7fffn],
  ["i32", -0x80000000n, 0x7fffffffn],
  ["i64", -(1n << 63n), (1n << 63n) - 1n],
];

/** @type {readonly FloatRepr[]} */
export const FLOAT_REPRS = ["f32", "f64"];

/**
 * How many cells a value takes.
 *
 * @param {Kind} kind
 * @returns {number}
 */
export function cellsOf(kind) {
  switch (kind.sort) {
    case "option":
      return 1 + cellsOf(kind.of);
    case "struct":
      return cellsOfFields(kind.fields);
    case "enum":
      return 1 + Math.max(0, ...kind.variants.map((variant) => cellsOfFields(variant.fields)));
    case "list":
      return 1 + kind.max * cellsOf(kind.of);
    case "array":
      return kind.len * cellsOf(kind.of);
    default:
      return 1;
  }
}

/** @param {Field[]} fields @returns {number} */
function cellsOfFields(fields) {
  return fields.reduce((sum, field) => sum + cellsOf(field.kind), 0);
}

/**
 * The names of an enum's variants in JavaScript: with a small first letter,
 * unless two of them would then be the same.
 *
 * @param {string[]} names
 * @returns {string[]}
 */
export function variantKeys(names) {
  const keys = names.map((name) => name.charAt(0).toLowerCase() + name.slice(1));
  return new Set(keys).size === names.length ? keys : names;
}

/**
 * Whether an enum only names things: no variant carries a field. Its values are then texts.
 *
 * @param {EnumKind} kind
 */
export function isPlainEnum(kind) {
  return kind.variants.every((variant) => variant.fields.length === 0);
}
