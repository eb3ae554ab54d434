/** The golden vectors, and how they show values. */

import { readFileSync } from "node:fs";

import { readDescriptor } from "../../src/schema/descriptor.js";

const folder = new URL("../../../fixtures/", import.meta.url);

/** @param {string} name @returns {any} */
export function fixture(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
}

/** @param {string} hex */
export function unhex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const schemas = fixture("schemas");

/** @param {string} name */
export function schemaOf(name) {
  return readDescriptor(unhex(schemas[name].descriptor));
}

/** @param {string} name */
export function descriptorOf(name) {
  return unhex(schemas[name].descriptor);
}

/**
 * A value of ours as the vectors show it.
 *
 * @param {import("../../src/schema/kinds.js").Kind} kind
 * @param {any} value
 * @returns {any}
 */
export function show(kind, value) {
  switch (kind.sort) {
    case "int":
      return kind.repr === "u64" || kind.repr === "i64" ? String(value) : value;
    case "bytes":
      return hex(value);
    case "option":
      if (value === null) return null;
      return { some: show(kind.of, (kind.of.sort === "option" || kind.of.sort === "ref") ? value.some : value) };
    case "struct":
      return showFields(kind.fields, value);
    case "enum": {
      const key = typeof value === "string" ? value : value.$;
      const variant = kind.variants.find((it) => it.key === key);
      if (!variant) throw new Error(`no variant ${key}`);
      const { $: _, ...rest } = typeof value === "string" ? { $: "" } : value;
      return { [variant.name]: showFields(variant.fields, rest) };
    }
    case "list":
    case "array":
      return value.map((/** @type {any} */ it) => show(kind.of, it));
    default:
      return value;
  }
}

/** @param {import("../../src/schema/kinds.js").Field[]} fields @param {any} object */
export function showFields(fields, object) {
  return Object.fromEntries(fields.map(({ name, kind }) => [name, show(kind, object[name])]));
}

/**
 * What the vectors show as a value of ours.
 *
 * @param {import("../../src/schema/kinds.js").Kind} kind
 * @param {any} shown
 * @returns {any}
 */
export function unshow(kind, shown) {
  switch (kind.sort) {
    case "int":
      return kind.wide ? BigInt(shown) : Number(shown);
    case "bytes":
      return unhex(shown);
    case "option":
      if (shown === null) return null;
      return (kind.of.sort === "option" || kind.of.sort === "ref") ? { some: unshow(kind.of, shown.some) } : unshow(kind.of, shown.some);
    case "struct":
      return unshowFields(kind.fields, shown);
    case "enum": {
      const [name] = Object.keys(shown);
      const variant = kind.variants.find((it) => it.name === name);
      if (!variant) throw new Error(`no variant ${name}`);
      if (kind.isPlain) return variant.key;
      return { $: variant.key, ...unshowFields(variant.fields, shown[name]) };
    }
    case "list":
    case "array":
      return shown.map((/** @type {any} */ it) => unshow(kind.of, it));
    default:
      return shown;
  }
}

/** @param {import("../../src/schema/kinds.js").Field[]} fields @param {any} shown */
function unshowFields(fields, shown) {
  return Object.fromEntries(fields.map(({ name, kind }) => [name, unshow(kind, shown[name])]));
}
