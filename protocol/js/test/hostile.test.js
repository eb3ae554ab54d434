/** What a hostile server can do: nothing but end its own connection. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Writer } from "../src/codec.js";
import * as limits from "../src/limits.js";
import { Malformed } from "../src/malformed.js";
import { readServerMessage } from "../src/message.js";
import { Mirror } from "../src/mirror/mirror.js";
import { readDescriptor } from "../src/schema/descriptor.js";
import { Session } from "../src/session/session.js";
import { World } from "../src/world/world.js";
import { descriptorOf, fixture, schemaOf, unhex } from "./support/fixtures.js";
import { frame, Play, welcome } from "./support/peer.js";
import { descriptor, enumOf, MOVING_U16, struct, TEXT_64, U8 } from "./support/schema.js";

/** xorshift32 @param {number} seed */
function dice(seed) {
  let state = seed;
  return (/** @type {number} */ below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Whether it is refused as malformed; whatever else is thrown is a fault of ours. @param {() => void} run */
function isRefused(run) {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof Malformed) return true;
    throw error;
  }
}

/** @param {Uint8Array} bytes @param {(below: number) => number} roll */
function damaged(bytes, roll) {
  const copy = bytes.slice(0, roll(4) === 0 ? roll(bytes.length + 1) : bytes.length);
  for (let left = 1 + roll(3); left > 0 && copy.length > 0; left--) {
    const at = roll(copy.length);
    copy[at] = roll(2) === 0 ? copy[at] ^ (1 << roll(8)) : roll(256);
  }
  return copy;
}

const stories = fixture("stories").stories.map((/** @type {any} */ story) => ({
  schema: schemaOf(story.schema),
  messages: story.steps.map((/** @type {any} */ step) => unhex(step.bytes)),
}));

test("limits are those of the Rust code", () => {
  const source = readFileSync(new URL("../../src/limits.rs", import.meta.url), "utf8");
  let compared = 0;
  for (const [, name, expression] of source.matchAll(/pub const (\w+): \w+ = ([^;]+);/g)) {
    const own = /** @type {Record<string, number>} */ (limits)[name];
    // What is the server's own affair, or the listing of a limit that comes with its code.
    if (name === "CREDIT_MAX") continue;
    const [factors, minus] = expression.replaceAll("_", "").split(" - ");
    const shifted = /\((\d+) << (\d+)\)/.exec(factors);
    const value = shifted
      ? Number(shifted[1]) * 2 ** Number(shifted[2])
      : factors.split("*").reduce((product, it) => product * Number(it), 1);
    assert.equal(own, value - Number(minus ?? 0), name);
    compared += 1;
  }
  assert.ok(compared >= 30, `${compared}`);
});

test("frames with damage are refused or applied, and nothing else happens", () => {
  const roll = dice(1);
  let [refused, applied] = [0, 0];
  for (let round = 0; round < 400; round++) {
    for (const { schema, messages } of stories) {
      const mirror = new Mirror(schema);
      const broken = roll(messages.length);
      isRefused(() => {
        messages.forEach((/** @type {Uint8Array} */ bytes, /** @type {number} */ index) => {
          const message = readServerMessage(index === broken ? damaged(bytes, roll) : bytes);
          if (message.tag === "frame") mirror.apply(message);
        });
      }) ? (refused += 1) : (applied += 1);
    }
  }
  assert.ok(refused > 1000 && applied > 50, `${refused} refused, ${applied} applied`);
});

test("every bit of every frame can be wrong", () => {
  for (const { schema, messages } of stories) {
    for (const [index, bytes] of messages.entries()) {
      for (let bit = 0; bit < 8 * Math.min(bytes.length, 400); bit++) {
        // The frame alone, on the state that the one before it left.
        if (index > 0 && bit % 7 !== 0) continue;
        const mirror = new Mirror(schema);
        const wrong = bytes.slice();
        wrong[bit >> 3] ^= 1 << (bit & 7);
        isRefused(() => {
          for (const before of messages.slice(0, index)) {
            const message = readServerMessage(before);
            if (message.tag === "frame") mirror.apply(message);
          }
          const message = readServerMessage(wrong);
          if (message.tag === "frame") mirror.apply(message);
        });
      }
    }
  }
});

test("no message makes a session throw, and none is tolerated in silence", () => {
  const roll = dice(7);
  const messages = fixture("server_messages").messages.map((/** @type {any} */ it) => unhex(it.bytes));
  let ended = 0;
  for (let round = 0; round < 3000; round++) {
    const it = roll(4) === 0 ? new Play(Session).open() : new Play(Session).join();
    for (let left = 5; left > 0; left--) {
      const bytes = messages[roll(messages.length)];
      if (bytes.length > 5000) continue;
      it.tell(roll(3) === 0 ? Uint8Array.from({ length: roll(60) }, () => roll(256)) : damaged(bytes, roll));
    }
    it.pass(1000);
    ended += it.told("closed").length > 0 ? 1 : 0;
  }
  assert.ok(ended > 2000, `${ended}`);
});

test("damaged descriptors are refused or within the limits", () => {
  const roll = dice(3);
  for (const name of ["space", "big", "heavy", "empty"]) {
    const bytes = descriptorOf(name);
    for (let round = 0; round < 500; round++) {
      isRefused(() => {
        const mirror = new Mirror(readDescriptor(damaged(bytes, roll)));
        for (const { layout: { record } } of mirror.tables) {
          assert.ok(record.leaves.length <= limits.LEAVES_MAX && record.cells <= limits.CELLS_MAX);
        }
      });
    }
  }
});

test("lengths that lie take no memory", () => {
  const lies = [0xfbn, 0xffffn, 1n << 30n, (1n << 32n) - 1n, (1n << 53n) + 1n, (1n << 64n) - 1n];
  const before = process.memoryUsage().arrayBuffers;
  let tried = 0;
  for (const { bytes } of fixture("server_messages").messages) {
    const all = unhex(bytes);
    if (all.length > 500) continue;
    for (let at = 1; at < all.length; at++) {
      for (const lie of lies) {
        const w = new Writer();
        w.raw(all.subarray(0, at));
        w.uint(lie);
        w.raw(all.subarray(at + 1));
        isRefused(() => readServerMessage(w.bytes()));
        tried += 1;
      }
    }
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(tried > 1000 && grown < 8 * 1024 * 1024, `${grown} bytes after ${tried}`);
});

test("a state that grows ends at the limit", () => {
  const vector = fixture("malformed").vectors.find((/** @type {any} */ it) =>
    it.frames?.some((/** @type {any} */ frame) => frame.error === "chunk.TooMuchState"));
  const mirror = new Mirror(schemaOf(vector.schema));
  let most = 0;
  for (const { bytes } of vector.frames) {
    isRefused(() => {
      const message = readServerMessage(unhex(bytes));
      if (message.tag === "frame") mirror.apply(message);
    });
    most = Math.max(most, mirror.bytes);
  }
  assert.ok(most > limits.MIRROR_BYTES_MAX / 2 && most < limits.MIRROR_BYTES_MAX + 64 * 1024, `${most}`);
});

test("names that mean something in JavaScript are only names", () => {
  const names = ["__proto__", "constructor", "prototype", "toString", "then", "view", "hasOwnProperty"];
  const fields = /** @type {[string, number[]][]} */ (names.map((name) => [name, U8]));
  const schema = readDescriptor(descriptor(
    names.map((name) => [name, name, [...fields, ["inner", struct(fields)], ["choice", enumOf([["__proto__", fields]])]]]),
    { event: enumOf([["__proto__", fields], ["constructor", []]]) },
  ));
  const mirror = new Mirror(schema);
  // One row of zeros in the first table.
  const chunk = Uint8Array.of(...[..."11" + "001" + "1000" + "1" + "10" + "1" + "0" + "0"].reduce((bytes, bit, at) => {
    bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (Number(bit) << (at & 7));
    return bytes;
  }, /** @type {number[]} */ ([])));
  const w = new Writer();
  w.raw([0, 1, 5, 1, 1, chunk.length, ...chunk]);
  const message = readServerMessage(w.bytes());
  assert.ok(message.tag === "frame");
  mirror.apply(message);
  const world = new World({ position: () => undefined, newest: () => 5 });
  world.follow(mirror, undefined);
  const [entity] = world.tables.get("__proto__") ?? [];
  for (const name of names) assert.equal(entity[name], 0, name);
  const { inner, choice } = entity;
  assert.equal(Object.getPrototypeOf(inner), Object.prototype);
  assert.deepEqual(Object.keys(inner), names);
  assert.equal(choice.$, "__proto__");
  assert.equal(Object.getPrototypeOf(choice), Object.prototype);
  assert.equal(/** @type {any} */ ({}).constructor, Object);
  assert.equal(Object.getPrototypeOf({}).view, undefined);
});

test("a small frame cannot make much work", () => {
  // Many rows, and then a frame for each scope that says that all of it is anew.
  const schema = readDescriptor(descriptor([["rows", "Row", [["x", MOVING_U16], ["name", TEXT_64]]]]));
  const it = new Play(Session).open();
  const bytes = descriptor([["rows", "Row", [["x", MOVING_U16], ["name", TEXT_64]]]]);
  it.tell(welcome({ descriptor: bytes, hash: schema.hash }), frame({ full: 1 }));
  const rows = 65536;
  const bits = ["11", "001", golomb(rows - 1, 3)];
  for (let n = 0; n < rows; n++) bits.push("1", "10", "1");
  bits.push("0", "0");
  const all = bits.join("");
  const chunk = new Uint8Array(Math.ceil(all.length / 8));
  for (let at = 0; at < all.length; at++) chunk[at >> 3] |= Number(all[at]) << (at & 7);
  const w = new Writer();
  w.raw([0, 0, 1, 1, 1]);
  w.blob(chunk);
  // The length stands in the head: that is what `blob` wrote.
  it.tell(w.bytes());
  assert.equal(it.session.mirror?.tables[0].present, rows);
  let scanned = 0;
  const rowsOf = it.session.mirror?.tables[0];
  assert.ok(rowsOf);
  const doubt = rowsOf.doubt.bind(rowsOf);
  rowsOf.doubt = (scopes) => {
    scanned += 1;
    doubt(scopes);
  };
  const heads = new Writer();
  heads.raw([0, 0, 1]);
  heads.uint(255);
  for (let scope = 1; scope < 256; scope++) {
    heads.uint(scope * 4 + 1);
    heads.uint(0);
  }
  it.tell(heads.bytes(), heads.bytes());
  assert.equal(it.session.mirror?.scopes.size, 256);
  assert.equal(scanned, 1, "one pass over the rows for all scopes of a frame");
});

/** @param {number} value @param {number} order */
function golomb(value, order) {
  const s = value + 2 ** order;
  const digits = Math.floor(Math.log2(s));
  const rest = [...Array(digits).keys()].map((bit) => (s >> bit) & 1).join("");
  return "0".repeat(digits - order) + "1" + rest;
}
