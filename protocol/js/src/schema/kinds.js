/**
 * What a field or message holds, and how its values are coded. The shapes follow
 * the descriptor (`docs/PROTOCOL.md`, section 4); what the decoder needs is
 * compiled into them: cells, leaves, codes.
 *
 * An integer of a 64-bit type is *wide* if its range does not lie within
 * ±(2^53 − 1), or is longer than that: then its values are `bigint`s. All other
 * numbers are plain numbers.
 *
 * A row is `cells` places of eight bytes in a store. What is in a place:
 *
 * | kind | place |
 * |---|---|
 * | with a {@link Scalar} | the cell, a number |
 * | wide integer | the cell, as the bits of a 64-bit integer |
 * | `f64` that is not quantised | the value itself |
 * | text, bytes | a handle in the store's texts, 0 for the empty one |
 * | reference | generation × 2^16 + slot, which a number holds |
 * | option, enum, list | flag, variant, length; then what they hold |
 *
 * So everything is a plain number but integers that need 64 bits, and eight zero
 * bytes are cell 0 of each.
 *
 * @module
 */

/**
 * @typedef {import("./scalar.js").Scalar} Scalar
 * @typedef {import("./scalar.js").Wide} Wide
 * @typedef {import("../grid.js").Grid} Grid
 *
 * @typedef {"u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64"} IntRepr
 * @typedef {"f32" | "f64"} FloatRepr
 *
 * @typedef {{ name: string, kind: Kind, at: number }} Field `at` is its first cell in the struct
 * @typedef {{ name: string, kind: Kind, at: number, scalar: Scalar | undefined, motion: boolean }} Leaf
 *   a field after nested structs are flattened: its name is a path, as `pos.x`
 * @typedef {{ fields: Field[], leaves: Leaf[], weight: number, cells: number, holdsText: boolean }} Record
 *   leaves side by side: a row, an element, a variant's payload; `weight` is what limits their number
 * @typedef {Record & { name: string, key: string }} Variant `key` is its name in JavaScript
 *
 * @typedef {{ cells: number, holdsText: boolean }} Common
 * @typedef {Common & { sort: "bool", scalar: Scalar }} BoolKind
 * @typedef {Common & { sort: "int", repr: IntRepr, wide: undefined, scalar: Scalar,
 *   min: number, max: number, origin: number, motion: boolean }} IntKind
 * @typedef {Common & { sort: "int", repr: IntRepr, wide: Wide, min: bigint, max: bigint,
 *   origin: bigint, motion: boolean }} WideKind
 * @typedef {Common & { sort: "float", repr: FloatRepr, scalar: Scalar | undefined }} FloatKind
 * @typedef {Common & { sort: "grid", repr: FloatRepr, grid: Grid, scalar: Scalar, motion: boolean }}
 *   GridKind a quantised float, or an angle
 * @typedef {Common & { sort: "text" | "bytes", max: number }} TextKind
 * @typedef {Common & { sort: "ref", entity: string }} RefKind
 * @typedef {Common & { sort: "option", of: Kind }} OptionKind
 * @typedef {Common & Record & { sort: "struct" }} StructKind
 * @typedef {Common & { sort: "enum", variants: Variant[], tagWidth: number, isPlain: boolean }} EnumKind
 *   *plain* if no variant carries a field: its values are then texts
 * @typedef {Common & { sort: "list" | "array", max: number, of: Kind }} ListKind
 *   an array has exactly `max` elements
 * @typedef {BoolKind | IntKind | WideKind | FloatKind | GridKind | TextKind | RefKind | OptionKind
 *   | StructKind | EnumKind | ListKind} Kind
 *
 * @typedef {Record & { name: string, entity: string, means: number[] }} TableSchema
 *   `means` is where the running mean of each place starts
 * @typedef {{ tables: TableSchema[], input: Kind, command: Kind, reply: Kind, event: Kind,
 *   hash: bigint }} Schema
 */

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
