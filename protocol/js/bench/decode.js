/**
 * Decoding and applying a frame of 200 moving ships, beside `JSON.parse` of the
 * same state and `@colyseus/schema` decoding the equivalent patch. All in one run,
 * taking turns.
 *
 *     node bench/decode.js [--quick]
 */

import { ArraySchema, Decoder, Encoder, Schema, defineTypes } from "@colyseus/schema";

import { readServerMessage } from "../src/message.js";
import { Mirror } from "../src/mirror/mirror.js";
import { World } from "../src/world/world.js";
import { FrameEncoder } from "./encoder.js";
import { flight, SHIPS, shipsSchema } from "./ships.js";

const ROUNDS = process.argv.includes("--quick") ? 10 : 60;
const TICKS = 120;

/** The value of an entity that benchmarks read. @param {number[]} cells */
function plain([player, x, y, heading, thrust, safe, hp]) {
  return { player, x: x / 16, y: y / 16, heading: (heading * 2 * Math.PI) / 256, thrust: thrust === 1, safe: safe === 1, hp };
}

/** A contender: what prepares a run over all ticks, and what is timed of it. */
class Contender {
  /** @type {number[]} */
  times = [];

  /**
   * @param {string} name
   * @param {number} bytes a frame, on average
   * @param {() => (tick: number) => void} begin
   */
  constructor(name, bytes, begin) {
    this.name = name;
    this.bytes = bytes;
    this.begin = begin;
  }

  run() {
    const step = this.begin();
    // The first brings everything.
    step(0);
    const start = performance.now();
    for (let tick = 1; tick < TICKS; tick++) step(tick);
    this.times.push((performance.now() - start) / (TICKS - 1));
  }

  /** Of the rounds, the first of which only warm up. */
  get median() {
    const sorted = this.times.slice(this.times.length >> 2).sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}

const ticks = flight(TICKS, 7);

/** @param {(world: World, mirror: Mirror) => void} use */
function tickwire(use) {
  const schema = shipsSchema();
  const encoder = new FrameEncoder(new Mirror(schema).tables[0].layout);
  const frames = ticks.map((cells, tick) => encoder.frame(tick + 100, cells));
  check(frames);
  const begin = () => {
    const mirror = new Mirror(schema);
    const world = new World({ position: () => undefined, newest: () => mirror.tick });
    let previous = /** @type {number | undefined} */ (undefined);
    return (/** @type {number} */ tick) => {
      const frame = readServerMessage(frames[tick]);
      if (frame.tag !== "frame") throw new Error("not a frame");
      mirror.apply(frame);
      world.follow(mirror, previous);
      if (tick === 0) use(world, mirror);
      previous = mirror.tick;
    };
  };
  return { bytes: mean(frames.slice(1).map((it) => it.length)), begin };
}

/** What is decoded is what was encoded. @param {Uint8Array[]} frames */
function check(frames) {
  const mirror = new Mirror(shipsSchema());
  frames.forEach((bytes, tick) => {
    const frame = readServerMessage(bytes);
    if (frame.tag === "frame") mirror.apply(frame);
    const [rows] = mirror.tables;
    ticks[tick].forEach((cells, slot) => {
      const at = rows.find(slot) * rows.stride;
      cells.forEach((cell, leaf) => {
        if (rows.store.cells[at + leaf] !== cell) throw new Error(`tick ${tick}, ship ${slot}, leaf ${leaf}`);
      });
    });
  });
}

function json() {
  const texts = ticks.map((cells) => JSON.stringify({ ships: cells.map(plain) }));
  return { bytes: mean(texts.map((it) => it.length)), begin: () => (/** @type {number} */ tick) => void JSON.parse(texts[tick]) };
}

function colyseus() {
  class Ship extends Schema {}
  defineTypes(Ship, {
    player: "uint32", x: "float32", y: "float32", heading: "float32", thrust: "boolean", safe: "boolean", hp: "uint8",
  });
  class State extends Schema {}
  defineTypes(State, { ships: [Ship] });

  /** @type {any} */
  const state = new State();
  state.ships = new ArraySchema();
  const encoder = new Encoder(state);
  const patches = ticks.map((cells, tick) => {
    cells.forEach((of, slot) => {
      if (tick === 0) state.ships.push(new Ship());
      Object.assign(state.ships[slot], plain(of));
    });
    const bytes = Buffer.from(tick === 0 ? encoder.encodeAll() : encoder.encode());
    encoder.discardChanges();
    return bytes;
  });
  return {
    bytes: mean(patches.slice(1).map((it) => it.length)),
    begin: () => {
      /** @type {any} */
      const mine = new State();
      const decoder = new Decoder(mine);
      return (/** @type {number} */ tick) => {
        decoder.decode(patches[tick]);
        if (tick === TICKS - 1 && Math.abs(mine.ships[7].x - plain(ticks[tick][7]).x) > 0.01) throw new Error("wrong");
      };
    },
  };
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, it) => sum + it, 0) / values.length;
}

let sum = 0;
const applied = tickwire(() => {});
const watched = tickwire((world) => {
  world.tables.get("ships")?.onChange((ship) => (sum += ship.x + ship.y + ship.heading));
});
const [parsed, patched] = [json(), colyseus()];
const contenders = [
  new Contender("tickwire: decode and apply", applied.bytes, applied.begin),
  new Contender("the same, and onChange reads x, y, heading", watched.bytes, watched.begin),
  new Contender("JSON.parse of the whole state", parsed.bytes, parsed.begin),
  new Contender("@colyseus/schema: decode the patch", patched.bytes, patched.begin),
];
for (let round = 0; round < ROUNDS; round++) contenders.forEach((it) => it.run());
if (!Number.isFinite(sum)) throw new Error("nothing was read");

console.log(`${SHIPS} moving ships, Node ${process.version}, medians of ${ROUNDS} rounds of ${TICKS - 1} frames\n`);
const [first] = contenders;
for (const { name, bytes, median } of contenders) {
  const ratio = median / first.median;
  console.log(`${name.padEnd(44)} ${(median * 1000).toFixed(1).padStart(7)} µs  ${ratio.toFixed(2).padStart(6)} ×  ${bytes.toFixed(0).padStart(6)} bytes`);
}
