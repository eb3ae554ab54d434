/** The golden vectors of `protocol/fixtures`: every one must come out as it says. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { BitReader, counted, orderOf } from "../src/bits.js";
import { closeReason } from "../src/close.js";
import { Reader, Writer } from "../src/codec.js";
import { Grid } from "../src/grid.js";
import { eventTick } from "../src/frame.js";
import { hashRow } from "../src/hash.js";
import { Malformed } from "../src/malformed.js";
import * as message from "../src/message.js";
import { ADDED, CHANGED, DEPARTED, DESPAWNED } from "../src/mirror/changes.js";
import { Mirror } from "../src/mirror/mirror.js";
import { readDescriptor } from "../src/schema/descriptor.js";
import { COUNT, FIXED, FLIP, NEAR, Scalar } from "../src/schema/scalar.js";
import { getValue, readValue, writeValue } from "../src/value.js";
import { descriptorOf, fixture, hex, schemaOf, show, showFields, unhex, unshow } from "./support/fixtures.js";
import { descriptor } from "./support/schema.js";

/** @param {() => void} run */
function faultOf(run) {
  try {
    run();
  } catch (error) {
    if (error instanceof Malformed) return error.code;
    throw error;
  }
  return null;
}

// ------------------------------------------------------------------------ primitives

const primitives = fixture("primitives");

/** @param {string} type @param {Uint8Array} bytes */
function readPrimitive(type, bytes) {
  const r = new Reader(bytes);
  /** @type {any} */
  const plain = { u64: () => r.bigU64(), i64: () => r.bigI64(), str: () => r.str(primitives.max), bytes: () => r.blob(primitives.max) };
  const value = plain[type] ? plain[type]() : /** @type {any} */ (r)[type]();
  r.finish();
  return value;
}

/** @param {string} type @param {any} shown */
function writePrimitive(type, shown) {
  const w = new Writer();
  if (type === "u64") w.uint(BigInt(shown));
  else if (type === "i64") w.int(BigInt(shown));
  else if (type === "bytes") w.blob(unhex(shown));
  else if (type === "str") w.str(shown);
  else if (type === "bool") w.bool(shown);
  else if (type === "u8" || type === "i8") w.u8(shown);
  else if (type === "f32") w.f32(shown);
  else if (type === "f64") w.f64(shown);
  else if (type.startsWith("u")) w.uint(shown);
  else w.int(shown);
  return w.bytes();
}

/** @param {any} value */
function shown(value) {
  if (value instanceof Uint8Array) return hex(value);
  return typeof value === "bigint" ? String(value) : value;
}

test("each primitive has its bytes", () => {
  for (const { type, value, bytes } of primitives.written) {
    assert.equal(shown(readPrimitive(type, unhex(bytes))), value, `${type} ${bytes}`);
    assert.equal(hex(writePrimitive(type, value)), bytes, `${type} ${value}`);
  }
  for (const { type, value, bytes } of primitives.read) {
    const read = readPrimitive(type, unhex(bytes));
    assert.ok(Object.is(read, value), `${type} ${bytes}`);
  }
  assert.ok(primitives.written.length > 90);
});

test("numbers of 64 bits that fit a number come as numbers, too", () => {
  for (const { type, value, bytes } of primitives.written) {
    if (type !== "u64" && type !== "i64") continue;
    assert.equal(new Reader(unhex(bytes))[/** @type {"u64"} */ (type)](), Number(value));
    const w = new Writer();
    if (type === "u64" && Number.isSafeInteger(Number(value))) {
      w.uint(Number(value));
      assert.equal(hex(w.bytes()), bytes);
    }
  }
});

// ----------------------------------------------------------------------------- codes

const codes = fixture("codes");

test("bits come from the least significant one up", () => {
  for (const { bytes, puts } of codes.bits) {
    const r = new BitReader();
    r.begin(unhex(bytes));
    for (const [value, width] of puts) {
      const low = r.take(Math.min(width, 32));
      const high = r.take(Math.max(width - 32, 0));
      assert.equal((BigInt(high) << 32n) | BigInt(low), BigInt(value));
    }
    assert.ok(r.atPadding && !r.overrun);
    assert.equal(r.take(20), 0);
    assert.ok(r.overrun);
  }
});

test("Golomb codes read as they are written, wherever they start", () => {
  for (const { bits, escape, order, value } of codes.golomb) {
    for (let shift = 0; shift < 8; shift++) {
      const all = "0".repeat(shift) + bits + "1";
      const bytes = new Uint8Array(Math.ceil(all.length / 8));
      [...all].forEach((bit, at) => (bytes[at >> 3] |= Number(bit) << (at & 7)));
      const r = new BitReader();
      r.begin(bytes);
      r.take(shift);
      assert.equal(r.golomb(order, escape), value === null ? -1 : Number(value));
      assert.equal(r.at, shift + bits.length, `${bits} at ${shift}`);
      assert.equal(r.flag(), 1);
    }
  }
});

test("running means choose the order", () => {
  for (const { start, values, orders } of codes.means) {
    let mean = 8 * start;
    const found = [orderOf(mean)];
    for (const value of values) {
      mean = counted(mean, Number(value));
      found.push(orderOf(mean));
    }
    assert.deepEqual(found, orders);
  }
});

test("grids have their points", () => {
  for (const { bits, min, max, step, ring, lowest, highest, values, cells } of codes.grids) {
    const grid = bits === undefined ? new Grid(min, max, step, ring) : Grid.angle(bits);
    assert.deepEqual([grid.lowest, grid.highest], [lowest, highest]);
    for (const [cell, value] of values) assert.equal(grid.value(cell), value);
    for (const [value, cell] of cells) assert.equal(grid.cell(value), cell, `${value}`);
  }
});

/** A kind as the vectors show it, as a descriptor has it. @param {any} kind @returns {(w: Writer) => void} */
function kindBytes(kind) {
  const reprs = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
  const float = kind.repr === "f64" ? 1 : 0;
  const motion = kind.motion ? 1 : 0;
  return (w) => {
    switch (kind.sort) {
      case "bool":
        return w.u8(0);
      case "int":
        w.raw([1, reprs.indexOf(kind.repr), motion]);
        for (const bound of [kind.min, kind.max].map(BigInt)) {
          if (kind.repr.startsWith("u")) w.uint(bound);
          else w.int(bound);
        }
        return;
      case "float":
        return w.raw([2, float]);
      case "quantised":
        w.raw([3, float, motion | (kind.ring ? 2 : 0)]);
        return [kind.min, kind.max, kind.step].forEach((it) => w.f64(it));
      case "angle":
        return w.raw([4, float, motion, kind.bits]);
      default:
        throw new Error(kind.sort);
    }
  };
}

test("each kind has its code", () => {
  /** @type {Record<number, string>} */
  const names = { [FLIP]: "flip", [FIXED]: "fixed", [NEAR]: "near", [COUNT]: "count" };
  for (const { kind, code, lowest, span, width, order } of codes.scalars) {
    const { tables: [table] } = readDescriptor(descriptor([["it", "It", [["it", kindBytes(kind)]]]]));
    const [leaf] = table.leaves;
    if (kind.sort === "float" && kind.repr === "f64") {
      assert.deepEqual([code, width, leaf.scalar], ["fixed", 64, undefined]);
      continue;
    }
    const scalar = leaf.scalar ?? (leaf.kind.sort === "int" ? leaf.kind.wide : undefined);
    assert.ok(scalar, JSON.stringify(kind));
    assert.equal(names[scalar.code], code, JSON.stringify(kind));
    assert.equal(String(scalar.lowest), String(lowest));
    assert.equal(String(scalar.span), String(span));
    assert.equal(scalar.width, width);
    if (order !== null) assert.equal(orderOf(8 * table.means[scalar.mean]), order);
  }
});

test("lines go on, also around a ring and below zero", () => {
  for (const { lowest, span, ring, earlier, later, apart, ahead, cell, back } of codes.lines) {
    const scalar = new Scalar(lowest, span, false);
    if (ring) scalar.around = span + 1;
    assert.equal(scalar.extrapolate(earlier, later, apart, ahead), cell);
    assert.equal(scalar.difference(cell, later), back);
  }
});

// --------------------------------------------------------------------------- schemas

test("descriptors are read, and have their hash", () => {
  for (const [name, { hash, tables, input, event }] of Object.entries(fixture("schemas"))) {
    const schema = readDescriptor(descriptorOf(name));
    assert.equal(schema.hash.toString(16).padStart(16, "0"), hash);
    assert.deepEqual(schema.tables.map((table) => table.name), tables.map((/** @type {any} */ it) => it.name));
    for (const [index, table] of tables.entries()) compare(schema.tables[index], table);
    compare(schema.input, input);
    compare(schema.event, event);
  }
});

/** Ours is what the vector says. @param {any} own @param {any} theirs */
function compare(own, theirs) {
  if (theirs.sort === "quantised" || theirs.sort === "angle") {
    const { bits, min, max, step, ring } = theirs;
    const grid = bits === undefined ? new Grid(min, max, step, ring) : Grid.angle(bits);
    assert.deepEqual({ ...own.grid }, { ...grid });
    return;
  }
  for (const [key, value] of Object.entries(theirs)) {
    if (typeof value === "object" && value !== null) compare(own[key], value);
    else assert.equal(String(own[key === "len" ? "max" : key]), String(value), key);
  }
}

// ---------------------------------------------------------------------------- values

test("bodies are read and written", () => {
  const values = fixture("values");
  const schema = schemaOf(values.schema);
  for (const vector of [...values.written, ...values.read]) {
    const kind = schema[/** @type {"input"} */ (vector.message)];
    const r = new Reader(unhex(vector.bytes));
    const value = readValue(kind, r);
    r.finish();
    assert.deepEqual(show(kind, value), vector.value, vector.name);
    assert.deepEqual(value, unshow(kind, vector.value), vector.name);
    const w = new Writer();
    writeValue(kind, value, w);
    assert.equal(hex(w.bytes()), vector.written ?? vector.bytes, vector.name);
  }
});

// -------------------------------------------------------------------------- messages

/** @param {any} m @returns {Uint8Array} */
function writeClientMessage(m) {
  const w = new Writer();
  const [[name, it]] = Object.entries(m);
  if (name === "hello") {
    const schema = it.schema === null ? undefined : BigInt(`0x${it.schema}`);
    message.writeHello(w, { schema, token: it.token, applied: it.applied ?? undefined });
    // Only one version is written; the vectors have others.
    if (it.version !== message.VERSION) return new Uint8Array(0);
  } else if (name === "input") {
    const inputs = it.inputs.map((/** @type {any} */ input) => ({ ...input, body: unhex(input.body) }));
    message.writeInputs(w, it.applied, inputs);
  } else if (name === "command") message.writeCommand(w, it.id, unhex(it.body));
  else if (name === "chat") message.writeChat(w, new TextEncoder().encode(it.text));
  else if (name === "ping") {
    if (BigInt(it.stamp) > Number.MAX_SAFE_INTEGER) return new Uint8Array(0);
    message.writePing(w, Number(it.stamp));
  } else if (name === "pace") message.writePace(w, it.every);
  else if (name === "refresh") message.writeRefresh(w);
  else if (name === "bye") message.writeBye(w);
  else throw new Error(name);
  return w.bytes();
}

test("client messages are written", () => {
  let written = 0;
  for (const vector of fixture("client_messages").messages) {
    const bytes = hex(writeClientMessage(vector.message));
    if (bytes === "") continue;
    assert.equal(bytes, vector.bytes, vector.name);
    written += 1;
  }
  assert.ok(written >= 12, `${written}`);
});

/** @param {import("../src/message.js").ServerMessage} m @returns {any} */
function showServerMessage(m) {
  switch (m.tag) {
    case "frame":
      return { frame: showFrame(m, m.full ? m.step : m.step) };
    case "welcome":
      return { welcome: {
        version: m.version, player: m.player, game: m.game, tick_hz: m.tickHz, send_every: m.sendEvery,
        clock: m.clock, token: m.token, baseline: m.baseline ?? null,
        schema: m.schema.toString(16).padStart(16, "0"),
        descriptor: m.descriptor === undefined ? null : hex(m.descriptor),
      } };
    case "reply":
        return { reply: m.body === undefined
        ? { id: m.id, refusal: { code: m.code, text: m.text } } : { id: m.id, body: hex(m.body) } };
    case "chat":
      return { chat: { player: m.player, name: m.name, tick: m.tick, text: m.text } };
    case "pong":
      return { pong: { stamp: String(m.stamp), clock: m.clock } };
    case "bye":
      return { bye: { advice: closeReason(m.code, m.text).advice, code: m.code, text: m.text, retry_after_ms: m.retryAfterMs } };
    case "moved":
      return { moved: { address: m.address, token: m.token } };
    case "token":
      return { token: { token: m.token } };
  }
}

const FORMS = ["change", "whole", "leave"];

/** @param {import("../src/frame.js").Frame} f @param {number} tick */
function showFrame(f, tick) {
  return {
    header: {
      step: f.full ? { full: f.step } : { advance: f.step },
      predicted: f.predicted, processed: f.processed ?? null, depth: f.depth ?? null, hash: f.hash ?? null,
    },
    sections: f.sections.map(({ scope, form, chunk }) => ({ scope, form: FORMS[form], chunk: hex(chunk) })),
    events: f.events.map((it) => ({ tick: eventTick(it, tick), class: it.reliable ? "reliable" : "transient", body: hex(it.body) })),
  };
}

test("server messages are read", () => {
  for (const vector of fixture("server_messages").messages) {
    const read = message.readServerMessage(unhex(vector.bytes));
    const expected = structuredClone(vector.message);
    if (expected.pong && BigInt(expected.pong.stamp) > Number.MAX_SAFE_INTEGER) {
      expected.pong.stamp = String(Number(expected.pong.stamp));
    }
    if (expected.frame) expected.frame.sections.forEach((/** @type {any} */ it) => delete it.records);
    assert.deepEqual(showServerMessage(read), expected, vector.name);
  }
});

test("every proper prefix of a server message is truncated, and a byte more trails", () => {
  for (const { bytes, name } of fixture("server_messages").messages) {
    const all = unhex(bytes);
    const lengths = all.length < 3000 ? all.keys() : [0, 1, 2, all.length >> 1, all.length - 1];
    for (const length of lengths) {
      const fault = faultOf(() => message.readServerMessage(all.subarray(0, length)));
      assert.equal(fault, "codec.Truncated", `${name}: ${length}`);
    }
    if (all.length === 2 ** 20) continue;
    const fault = faultOf(() => message.readServerMessage(Uint8Array.of(...all.subarray(0, 9e4), 0)));
    if (all.length < 9e4) assert.equal(fault, "codec.Trailing", name);
  }
});

// --------------------------------------------------------------------------- stories

/** @param {Mirror} mirror @returns {any} */
function showState(mirror) {
  /** @type {any} */
  const state = {};
  mirror.schema.tables.forEach((table, index) => {
    const rows = mirror.tables[index];
    const list = [...rows.inOrder()].map((row) => ({
      slot: rows.slots[row], generation: rows.generations[row], scope: rows.scopes[row],
      hash: hashRow(rows, row),
      value: showFields(table.fields, getValue({ sort: "struct", ...table }, rows.store, row * rows.stride)),
    }));
    if (list.length > 0) state[table.name] = list;
  });
  return state;
}

/** @param {Mirror} mirror @returns {any[]} */
function showChanges(mirror) {
  const { changes, tables, schema } = mirror;
  /** @type {any[]} */
  const list = [];
  changes.forEach((table, row, what, low, high) => {
    const rows = tables[table];
    const leaves = rows.layout.record.leaves
      .filter((_, bit) => ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) !== 0)
      .map((leaf) => leaf.name);
    if (what === CHANGED && (low | high) === 0) return;
    list.push({
      table: schema.tables[table].name, slot: rows.slots[row], generation: rows.generations[row],
      change: { [ADDED]: "added", [CHANGED]: "changed", [DESPAWNED]: "despawned", [DEPARTED]: "departed" }[what],
      ...(what === CHANGED ? { leaves } : {}),
    });
  });
  return list.sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : 0) || a.slot - b.slot || a.generation - b.generation);
}

for (const story of fixture("stories").stories) {
  test(`story: ${story.name}`, () => {
    const mirror = new Mirror(schemaOf(story.schema));
    for (const { about, bytes, resume, after } of story.steps) {
      if (resume) mirror.resume();
      const frame = message.readServerMessage(unhex(bytes));
      assert.ok(frame.tag === "frame");
      mirror.apply(frame);
      assert.equal(mirror.tick, after.tick, about);
      assert.deepEqual([...mirror.scopes].sort((a, b) => a - b), after.scopes, about);
      assert.deepEqual(showState(mirror), nonEmpty(after.state), about);
      assert.equal(mirror.hash(), after.hash, about);
      assert.equal(mirror.changes.hashAgrees ?? null, after.hash_agrees, about);
      assert.deepEqual(showChanges(mirror), after.changes, about);
    }
  });
}

/** @param {any} state */
function nonEmpty(state) {
  return Object.fromEntries(Object.entries(state).filter(([, rows]) => rows.length > 0));
}

// ------------------------------------------------------------------------- malformed

const malformed = fixture("malformed");

/** @param {any} vector */
function refuse(vector) {
  const bytes = unhex(vector.bytes + "00".repeat(vector.zeros ?? 0));
  switch (vector.decoder) {
    case "primitive":
      return faultOf(() => readPrimitive(vector.type, bytes));
    case "server_message":
      return faultOf(() => message.readServerMessage(bytes));
    case "descriptor":
      return faultOf(() => readDescriptor(bytes));
    case "value":
      return faultOf(() => {
        const r = new Reader(bytes);
        readValue(schemaOf(malformed.schema)[/** @type {"input"} */ (vector.message)], r);
        r.finish();
      });
    default:
      throw new Error(vector.decoder);
  }
}

test("what is malformed is refused, with its error", () => {
  let refused = 0;
  for (const vector of malformed.vectors) {
    // Only servers read those.
    if (vector.decoder === "client_message" || vector.decoder === "mirror") continue;
    assert.equal(refuse(vector), vector.error, `${vector.decoder}: ${vector.name} ${vector.bytes}`);
    refused += 1;
  }
  assert.ok(refused > 180);
});

test("malformed frames are refused, with their error", () => {
  for (const { name, schema, opened, frames, decoder } of malformed.vectors) {
    if (decoder !== "mirror") continue;
    const mirror = new Mirror(schemaOf(schema ?? malformed.schema));
    const apply = (/** @type {string} */ bytes) => {
      const frame = message.readServerMessage(unhex(bytes));
      assert.ok(frame.tag === "frame");
      mirror.apply(frame);
    };
    if (opened) malformed.opening.forEach(apply);
    for (const { resume, bytes, error } of frames) {
      if (resume) mirror.resume();
      assert.equal(faultOf(() => apply(bytes)), error, name);
    }
  }
});
