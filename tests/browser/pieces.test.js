/** Pieces of the pages that need no browser: the link that can be made worse, and the clock ahead. */

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { Ahead } from "../../server/pages/game/ahead.js";
import { Link } from "../../server/pages/game/link.js";
import { wishOf } from "../../server/pages/game/seat.js";

/** Time that passes by hand. */
const clock = {
  now: 0,
  /** @type {{ at: number, call: () => void }[]} */
  timers: [],
  /** @param {number} ms */
  pass(ms) {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.call();
    }
    this.now = until;
  },
};

/** What came out at the other end of a link, and when. @type {[data: unknown, at: number][]} */
let came = [];

/** A socket in place of the browser's. */
class Wire {
  static OPEN = 1;
  readyState = Wire.OPEN;
  /** @type {Wire} */
  static newest;
  /** @type {((event: { data: unknown }) => void) | null} */
  onmessage = null;
  constructor() {
    Wire.newest = this;
  }
  /** @param {unknown} data */
  send(data) {
    came.push([data, clock.now]);
  }
}

const real = globalThis.performance;
Object.defineProperty(globalThis, "performance", { configurable: true, value: { now: () => clock.now } });
Object.assign(globalThis, {
  window: { setTimeout: (/** @type {() => void} */ call, /** @type {number} */ ms) => clock.timers.push({ at: clock.now + ms, call }) },
  WebSocket: Wire,
});
after(() => Object.defineProperty(globalThis, "performance", { configurable: true, value: real }));

beforeEach(() => {
  came = [];
  clock.now = 1000;
  clock.timers = [];
});

test("a link delays each way by half, and keeps the order", () => {
  const link = new Link();
  const socket = new link.Socket("ws://there", "tickwire.1");
  socket.onmessage = ({ data }) => void came.push([data, clock.now]);
  const say = (/** @type {string} */ data) => Wire.newest.onmessage?.({ data });
  say("at once");
  link.delayMs = 100;
  say("a");
  clock.pass(10);
  say("b");
  // Less delay does not overtake what waits.
  link.delayMs = 0;
  say("c");
  clock.pass(100);
  assert.deepEqual(came, [["at once", 1000], ["a", 1050], ["b", 1060], ["c", 1060]]);
  assert.equal(link.held, 0);
});

test("what is sent is what it was when it was sent", () => {
  const link = new Link();
  const socket = new link.Socket("ws://there", "tickwire.1");
  link.delayMs = 40;
  const bytes = Uint8Array.of(1, 2);
  socket.send(bytes);
  bytes.fill(9);
  clock.pass(20);
  assert.deepEqual(came, [[Uint8Array.of(1, 2), 1020]]);
});

test("nothing comes through in a stall, and everything after it", () => {
  const link = new Link();
  const socket = new link.Socket("ws://there", "tickwire.1");
  link.delayMs = 100;
  const send = (/** @type {number} */ n) => socket.send(Uint8Array.of(n));
  send(1);
  // It was on its way when the stall began.
  link.stall(500);
  send(2);
  clock.pass(700);
  send(3);
  clock.pass(100);
  assert.deepEqual(came.map(([data, at]) => [/** @type {Uint8Array} */ (data)[0], at]), [[1, 1500], [2, 1500], [3, 1750]]);
});

test("the clock ahead follows jumps without one, and gives up only far off", () => {
  const ahead = new Ahead();
  let at = ahead.position(100, 50, clock.now);
  let offset = 0;
  for (let picture = 1; picture < 600; picture++) {
    clock.pass(10);
    // The measure jumps by a tick now and then, both ways.
    if (picture % 40 === 0) offset = offset === 0 ? 1 : 0;
    const next = ahead.position(100 + picture / 5 + offset, 50, clock.now);
    const rate = (next - at) / 0.2;
    assert.ok(rate > 0.8 && rate < 1.2, `picture ${picture}: ${rate}`);
    at = next;
  }
  assert.ok(Math.abs(at - 219.8) < 1.5, `${at}`);
  clock.pass(10);
  assert.ok(ahead.position(500, 50, clock.now) > 499);
  assert.ok(Number.isNaN(ahead.position(undefined, 50, clock.now)));
});

test("an address names any room, a new one, or one", () => {
  const room = "1f46".repeat(8);
  assert.deepEqual(wishOf("arena", ""), { game: "arena" });
  assert.deepEqual(wishOf("arena", "#private"), { game: "arena", private: true });
  assert.deepEqual(wishOf("arena", `#${room}`), { room });
  for (const bad of ["#1f46", `#${room}0`, `#${room.toUpperCase()}`, "#../x"]) assert.equal(wishOf("arena", bad), null);
});
