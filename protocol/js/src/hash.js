/**
 * The state hash: 32 bits that a server and a mirror both compute from the same
 * rows (`docs/PROTOCOL.md`, section 7). It finds faults, not attacks.
 *
 * @module
 */

import { encodeUtf8 } from "./text.js";
import { REF_SLOTS } from "./value.js";

/**
 * @typedef {import("./schema/kinds.js").Kind} Kind
 * @typedef {import("./schema/kinds.js").Record} Record
 * @typedef {import("./store.js").Store} Store
 */

const doubleBits = new DataView(new ArrayBuffer(8));

/**
 * The hash of one row; the hash of a state is the sum of its rows', modulo 2^32.
 *
 * @param {import("./mirror/rows.js").TableRows} rows
 * @param {number} row
 */
export function hashRow(rows, row) {
  let hash = mix(mix(mix(0, rows.table), rows.slots[row]), rows.generations[row]);
  hash = ofRecord(hash, rows.layout.record, rows.store, row * rows.stride);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** @param {number} hash @param {number} word */
function mix(hash, word) {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** @param {number} hash @param {Record} record @param {Store} store @param {number} at @returns {number} */
function ofRecord(hash, record, store, at) {
  for (const leaf of record.leaves) hash = ofValue(hash, leaf.kind, store, at + leaf.at);
  return hash;
}

/** @param {number} hash @param {Kind} kind @param {Store} store @param {number} at @returns {number} */
function ofValue(hash, kind, store, at) {
  const cell = store.cells[at];
  if ("scalar" in kind && kind.scalar !== undefined) return ofNumber(hash, cell);
  switch (kind.sort) {
    case "int": {
      const wide = store.wide[at];
      return mix(mix(hash, Number(BigInt.asIntN(32, wide))), Number(wide >> 32n));
    }
    case "float":
      doubleBits.setFloat64(0, cell);
      return mix(mix(hash, doubleBits.getInt32(4)), doubleBits.getInt32(0));
    case "ref":
      return mix(mix(hash, cell % REF_SLOTS), Math.floor(cell / REF_SLOTS));
    case "text":
    case "bytes": {
      const value = store.texts.values[cell];
      return ofBytes(hash, typeof value === "string" ? encodeUtf8(value) : value);
    }
    case "option":
      hash = mix(hash, cell);
      return cell === 0 ? hash : ofValue(hash, kind.of, store, at + 1);
    case "enum":
      return ofRecord(mix(hash, cell), kind.variants[cell], store, at + 1);
    case "struct":
      return ofRecord(hash, kind, store, at);
    case "list":
      return ofElements(mix(hash, cell), kind.of, store, at + 1, cell);
    case "array":
      return ofElements(hash, kind.of, store, at, kind.max);
    default:
      return hash;
  }
}

/** A cell as two words, in two's complement. @param {number} hash @param {number} cell */
function ofNumber(hash, cell) {
  return mix(mix(hash, cell | 0), Math.floor(cell / 2 ** 32));
}

/** @param {number} hash @param {Kind} of @param {Store} store @param {number} first @param {number} count */
function ofElements(hash, of, store, first, count) {
  for (let i = 0; i < count; i++) hash = ofValue(hash, of, store, first + i * of.cells);
  return hash;
}

/** @param {number} hash @param {Uint8Array} bytes */
function ofBytes(hash, bytes) {
  hash = mix(hash, bytes.length);
  for (let at = 0; at < bytes.length; at += 4) {
    // What is past the end is no number, and becomes 0.
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = mix(hash, word);
  }
  return hash;
}
