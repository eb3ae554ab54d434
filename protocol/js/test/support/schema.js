/** Descriptors for tests, written by hand. */

import { Writer } from "../../src/codec.js";

/**
 * @typedef {[name: string, kind: number[] | ((w: Writer) => void)]} FieldOf
 */

/** Kinds by their descriptor's bytes. */
export const U8 = [1, 0, 0, 0, 0xfb, 255, 0];
export const MOVING_U16 = [1, 1, 1, 0, 0xfb, 255, 255];
export const TEXT_64 = [5, 64];
export const NOTHING = [9, 0];

/** @param {Writer} w @param {FieldOf[]} fields */
function writeFields(w, fields) {
  w.uint(fields.length);
  for (const [name, kind] of fields) {
    w.str(name);
    writeKind(w, kind);
  }
}

/** @param {Writer} w @param {FieldOf[1]} kind */
function writeKind(w, kind) {
  if (typeof kind === "function") kind(w);
  else w.raw(kind);
}

/** @param {FieldOf[]} fields @returns {(w: Writer) => void} */
export function struct(fields) {
  return (w) => {
    w.u8(9);
    writeFields(w, fields);
  };
}

/** @param {[name: string, fields: FieldOf[]][]} variants @returns {(w: Writer) => void} */
export function enumOf(variants) {
  return (w) => {
    w.u8(10);
    w.uint(variants.length);
    for (const [name, fields] of variants) {
      w.str(name);
      writeFields(w, fields);
    }
  };
}

/**
 * @param {[table: string, entity: string, fields: FieldOf[]][]} tables
 * @param {{ input?: FieldOf[1], command?: FieldOf[1], reply?: FieldOf[1], event?: FieldOf[1] }} [messages]
 */
export function descriptor(tables, { input = NOTHING, command = NOTHING, reply = NOTHING, event = NOTHING } = {}) {
  const w = new Writer();
  w.uint(tables.length);
  for (const [table, entity, fields] of tables) {
    w.str(table);
    w.str(entity);
    writeFields(w, fields);
  }
  for (const kind of [input, command, reply, event]) writeKind(w, kind);
  return w.bytes();
}
