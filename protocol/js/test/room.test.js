/** The room over a socket and a clock that the test holds. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameEncoder } from "../bench/encoder.js";
import { flight, shipsDescriptor, shipsSchema } from "../bench/ships.js";
import { JoinError } from "../src/errors.js";
import { Room } from "../src/room.js";
import { TableLayout } from "../src/schema/layout.js";
import { bye, chat, frame, heard, pong, welcome } from "./support/peer.js";

/** A room, the server at the other end of its socket, and time. */
class Stage {
  now = 0;
  /** @type {{ call: () => void, at: number }[]} */
  timers = [];
  /**
   * @type {{ address: string, on: import("../src/transport/websocket.js").SocketEvents, said: any[], closed: number | undefined }[]}
   */
  sockets = [];
  /** What the API answers, in turn. @type {(import("../src/room.js").Seat | JoinError)[]} */
  seats = [];

  constructor() {
    this.room = /** @type {any} */ (new Room({ url: "ws://a", token: "seat", room: "r1" }, {
      openSocket: (address, on) => {
        const socket = { address, on, said: /** @type {any[]} */ ([]), closed: /** @type {number | undefined} */ (undefined) };
        this.sockets.push(socket);
        return { send: (bytes) => socket.said.push(heard(bytes)), close: (code) => (socket.closed = code) };
      },
      takeSeat: async () => {
        const seat = this.seats.shift() ?? new JoinError("unreachable", "");
        if (seat instanceof JoinError) throw seat;
        return seat;
      },
      now: () => this.now,
      setTimer: (call, ms) => {
        const timer = { call, at: this.now + ms };
        this.timers.push(timer);
        return timer;
      },
      clearTimer: (timer) => (this.timers = this.timers.filter((it) => it !== timer)),
      random: () => 0.5,
    }));
    this.started = this.room.start();
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** @param {...Uint8Array} messages */
  tell(...messages) {
    for (const bytes of messages) this.socket.on.message(bytes);
    return this;
  }

  /** @param {Uint8Array} [first] the first frame */
  join(first = frame({ full: 100 }), descriptor = shipsDescriptor()) {
    this.socket.on.open();
    return this.tell(welcome({ descriptor }), first);
  }

  /** Time passes, and timers go off. @param {number} ms */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const [next] = this.timers.filter((it) => it.at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.timers = this.timers.filter((it) => it !== next);
      this.now = Math.max(this.now, next.at);
      next.call();
      // What waits for the API goes on.
      await new Promise(setImmediate);
    }
    this.now = end;
  }
}

test("tables tell of what comes, changes and goes, and entities keep their identity", async () => {
  const encoder = new FrameEncoder(new TableLayout(shipsSchema().tables[0]));
  const cells = flight(4, 3).map((rows) => rows.slice(0, 5));
  const stage = new Stage().join(encoder.frame(100, cells[0]));
  await stage.started;
  const { ships } = stage.room;
  assert.equal(ships, stage.room.tables.ships);
  /** @type {any[]} */
  const log = [];
  const added = new Map();
  const end = ships.onAdd((/** @type {any} */ ship) => added.set(ship.player, ship));
  ships.onChange((/** @type {any} */ ship, /** @type {any} */ fields) => log.push([ship.player, [...fields], fields.has("x")]));
  ships.onRemove((/** @type {any} */ ship, /** @type {string} */ why) => log.push([ship.player, why, ship.isHere]));
  assert.deepEqual([...added.keys()], [0, 1, 2, 3, 4], "those that are here already count as added");
  stage.tell(encoder.frame(101, cells[1]), encoder.frame(102, cells[2]));
  const ship = added.get(3);
  assert.equal(ships.get(ship.ref), ship);
  assert.equal(ships.get({ slot: 3, generation: 2 }), undefined);
  assert.equal(ship.x, cells[2][3][1] / 16);
  assert.deepEqual(JSON.parse(JSON.stringify(ship)), {
    player: 3, x: ship.x, y: ship.y, heading: ship.heading, thrust: ship.thrust, safe: false, hp: ship.hp,
  });
  assert.ok(log.some(([player, fields, hasX]) => player === 3 && fields.includes("x") && hasX));
  log.length = 0;
  end();
  stage.tell(frame({ full: 200 }));
  assert.deepEqual(log, [0, 1, 2, 3, 4].map((player) => [player, "departed", false]));
  assert.deepEqual([ships.size, ship.isHere, ship.x], [0, false, cells[2][3][1] / 16], "what is gone keeps its last values");
  assert.throws(() => {
    "use strict";
    ship.x = 5;
  }, TypeError);
});

test("a view is between two frames at the render position", async () => {
  const encoder = new FrameEncoder(new TableLayout(shipsSchema().tables[0]));
  const at = (/** @type {number} */ x) => [[0, x, 0, 0, 0, 0, 3]];
  const stage = new Stage().join(encoder.frame(100, at(0)));
  await stage.started;
  const [ship] = stage.room.ships;
  assert.equal(ship.view.x, 0);
  for (let n = 1; n <= 10; n++) {
    await stage.pass(50);
    stage.tell(encoder.frame(100 + n, at(16 * n)));
  }
  // Frames are 50 ms apart and never late: it is drawn one frame behind.
  assert.equal(ship.x, 10);
  assert.ok(Math.abs(ship.view.x - 9) < 0.1, `${ship.view.x}`);
  await stage.pass(25);
  assert.ok(Math.abs(ship.view.x - 9.5) < 0.1, `${ship.view.x}`);
  assert.equal(ship.view.hp, 3);
});

test("a seat that is of no use is replaced, after a delay, and the tables go on", async () => {
  const stage = new Stage().join();
  await stage.started;
  /** @type {string[]} */
  const phases = [];
  stage.room.onState((/** @type {any} */ status) => phases.push(status.phase));
  stage.seats.push(new JoinError("overloaded", "", { status: 503 }), { url: "ws://b", token: "other", room: "r2" });
  stage.tell(bye(1013, "no place now, try later"));
  assert.equal(stage.socket.closed, 1000);
  await stage.pass(5000);
  assert.deepEqual([stage.socket.address, stage.room.id], ["ws://b", "r2"]);
  stage.join();
  assert.equal(stage.socket.said[0].hello.token, "other");
  assert.deepEqual(phases, ["joined", "waiting", "waiting", "connecting", "joined"]);
  // One that cannot be had ends it.
  stage.seats.push(new JoinError("no_such_game", "", { status: 404 }));
  stage.tell(bye(4404, "no such room"));
  await stage.pass(5000);
  assert.deepEqual([stage.room.status.phase, stage.room.status.cause.error.code], ["ended", "no_such_game"]);
});

test("who is not let in at all is told at once", async () => {
  const stage = new Stage();
  stage.socket.on.open();
  stage.tell(bye(4403, "too young"));
  const error = await stage.started.catch((/** @type {any} */ it) => it);
  assert.ok(error instanceof JoinError);
  assert.deepEqual([error.code, error.message, stage.room.status.phase], ["closed", "too young", "ended"]);
  assert.equal(stage.room.status.cause.reason.code, 4403);
});

test("a server that breaks the rules is left with the code that says so, and met again", async () => {
  const stage = new Stage().join();
  await stage.started;
  stage.tell(Uint8Array.of(99));
  assert.equal(stage.socket.closed, 4400);
  assert.deepEqual(stage.room.status.cause, { kind: "error", code: "codec.BadTag" });
  const old = stage.socket;
  await stage.pass(1000);
  assert.equal(stage.sockets.length, 2);
  old.on.message(frame({}));
  old.on.close(1006, "");
  assert.equal(stage.room.status.phase, "connecting", "who was given up is not heard");
});

test("a listener that throws harms nobody else", async () => {
  const stage = new Stage().join();
  await stage.started;
  const uncaught = /** @type {any[]} */ ([]);
  const own = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (call) => own(() => {
    try {
      call();
    } catch (error) {
      uncaught.push(error);
    }
  });
  let calls = 0;
  stage.room.onFrame(() => {
    throw new Error("mine");
  });
  stage.room.onFrame(() => calls++);
  stage.tell(frame({}));
  await new Promise(setImmediate);
  globalThis.queueMicrotask = own;
  assert.deepEqual([calls, uncaught.map((error) => error.message)], [1, ["mine"]]);
});

test("timers that sleep do not keep frames from being acknowledged", async () => {
  const stage = new Stage().join();
  await stage.started;
  stage.socket.said.length = 0;
  for (let n = 0; n < 40; n++) {
    stage.now += 50;
    stage.tell(frame({}));
  }
  const acks = stage.socket.said.filter((it) => it.input).map((it) => it.input.applied);
  assert.ok(acks.length >= 12 && acks[acks.length - 1] >= 138, `${acks}`);
});

test("chat is remembered, bounded, and not repeated after a resume", async () => {
  const stage = new Stage().join();
  await stage.started;
  for (let n = 0; n < 150; n++) stage.tell(chat(`line ${n}`));
  stage.tell(chat("line 149"), chat("server", 2 ** 32 - 1));
  const { lines } = stage.room.chat;
  assert.deepEqual([lines.length, lines[98].text, lines[99].player], [100, "line 149", undefined]);
});

test("figures for a panel", async () => {
  const stage = new Stage().join();
  await stage.started;
  const stamp = stage.socket.said.find((it) => "ping" in it).ping;
  stage.now += 40;
  stage.tell(pong(stamp, 100));
  const { rtt, staleness, frames, frameBytes } = stage.room.network;
  assert.deepEqual([rtt.min, frames, frameBytes], [0, 1, 4], "the welcome was the best sample");
  assert.ok(staleness > 35 && staleness < 45, `${staleness}`);
});
