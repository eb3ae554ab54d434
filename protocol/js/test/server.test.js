/** The client against the real server, over real sockets. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CommandError, JoinError, join as joinRoom } from "../src/index.js";
import { freezingWebSocket } from "./support/freezing.js";
import { startProxy, startServer, until } from "./support/server.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => {
  server = await startServer();
});
/**
 * Every room that was joined: one that a failed test has not left would wait for its server for minutes.
 *
 * @type {any[]}
 */
const rooms = [];
after(async () => {
  await Promise.all(rooms.map((room) => room.leave()));
  await server.stop();
});

/** @param {string} url @param {import("../src/index.js").JoinOptions} options @returns {Promise<any>} */
async function join(url, options) {
  const room = await joinRoom(url, options);
  rooms.push(room);
  return room;
}

const FLAG_HASH = 16;

/** @param {any} room @param {(tick: number) => boolean} isEnough */
async function frames(room, isEnough) {
  await until((look) => room.onFrame(look), () => isEnough(room.tick));
}

/** @param {any} room @param {string} phase */
async function reached(room, phase) {
  await until((look) => room.onState(look), () => room.status.phase === phase);
}

test("who joins sees the ships, and an input moves one's own", async () => {
  const room = await join(server.url, { game: "arena", name: "Ada" });
  assert.equal(room.game, "arena");
  assert.equal(room.tickHz, 30);
  const ship = room.ships.find((/** @type {any} */ it) => it.player === room.player);
  assert.ok(ship, "a pilot has a ship from the start");
  const { x, y } = ship;
  /** @type {Set<string>} */
  const changed = new Set();
  room.ships.onChange((/** @type {any} */ it, /** @type {any} */ fields) => {
    if (it === ship) for (const name of fields) changed.add(name);
  });
  assert.ok(room.input({ thrust: true, turn: 0 }));
  assert.equal(room.input({ thrust: true }), undefined, "nothing changed");
  await frames(room, () => ship.thrust && Math.hypot(ship.x - x, ship.y - y) > 1);
  assert.ok(changed.has("thrust") && (changed.has("x") || changed.has("y")));
  assert.equal(room.processed, 0);
  await room.leave();
  assert.deepEqual(room.status.cause, { kind: "left" });
});

test("over hundreds of frames the state is the server's", async () => {
  const { WebSocket, frames: seen } = freezingWebSocket();
  const room = await join(server.url, { game: "arena", name: "Ada", WebSocket, options: { seats: 8 } });
  const others = await Promise.all(["Bea", "Cy"].map((name) => join(server.url, { room: room.id, name })));
  const start = room.tick;
  room.onFrame((/** @type {number} */ tick) => {
    [room, ...others].forEach((it, n) => {
      it.input({ turn: ((tick >> (4 + n)) % 3) - 1, thrust: tick % 16 < 9, fire: tick % 5 === 0 });
    });
  });
  await frames(room, (tick) => tick >= start + 300);
  assert.ok(seen.filter((frame) => frame.flags & FLAG_HASH).length >= 8, "the server sent hashes");
  assert.equal(room.network.diverged, 0);
  assert.equal(room.scores.size, 3);
  await Promise.all([room, ...others].map((it) => it.leave()));
});

test("a cut socket resumes its seat and goes on from the state", async () => {
  const proxy = await startProxy(server.url);
  const room = await join(proxy.url, { game: "arena", name: "Ada", private: true });
  const ship = room.ships.find((/** @type {any} */ it) => it.player === room.player);
  assert.ok(ship);
  room.input({ thrust: true });
  let removed = 0;
  room.ships.onRemove(() => removed++);
  const { player } = room;
  const lost = room.command("rename", { name: "Grace" }).catch((/** @type {CommandError} */ error) => error.code);
  proxy.cut();
  await reached(room, "waiting");
  assert.equal(room.status.cause?.kind, "lost");
  assert.equal(await lost, "connection_lost");
  assert.ok(ship.isHere, "what was seen stays meanwhile");
  await reached(room, "joined");
  const { tick } = room;
  await frames(room, (now) => now > tick + 5);
  assert.equal(room.network.resumes, 1);
  assert.deepEqual([room.player, removed, ship.isHere], [player, 0, true]);
  await frames(room, () => ship.thrust);
  await room.leave();
  proxy.stop();
});

test("a tab that was frozen is at the present within two frames", async () => {
  const tab = freezingWebSocket();
  const room = await join(server.url, { game: "arena", name: "Ada", WebSocket: tab.WebSocket, private: true });
  const observer = await join(server.url, { room: room.id, name: "Bea" });
  // The round trips that the server's credit follows are known.
  await frames(room, (tick) => tick >= 30);
  tab.freeze();
  const frozen = room.tick;
  await frames(observer, (tick) => tick >= frozen + 90);
  assert.equal(room.tick, frozen);
  const waited = tab.thaw();
  assert.ok(waited <= 16 + 4, `${waited} messages waited: no more than the credit, and a few pongs`);
  assert.ok(room.tick < frozen + 30, "that is the past");
  let more = 0;
  room.onFrame(() => more++);
  await frames(room, (tick) => tick >= observer.tick - 2);
  assert.ok(more <= 2, `${more} frames`);
  assert.ok(room.tick >= frozen + 90);
  assert.equal(room.network.diverged, 0);
  await Promise.all([room.leave(), observer.leave()]);
});

test("commands have replies, refusals and time-outs", async () => {
  const room = await join(server.url, { game: "arena", name: "Ada" });
  assert.deepEqual(await room.command("rename", { name: "Grace" }), { $: "renamed", name: "Grace" });
  const refused = await room.command("rename", { name: "" }).then(assert.fail, (/** @type {CommandError} */ it) => it);
  assert.ok(refused instanceof CommandError);
  assert.deepEqual([refused.code, refused.refusal?.code], ["refused", 102]);
  assert.ok(refused.message.length > 0);
  await assert.rejects(room.command("rename", { nome: "" }), TypeError);
  await assert.rejects(room.command("explode"), TypeError);
  assert.throws(() => room.on("explosions", () => {}), TypeError);
  const late = await room.command("rename", { name: "x" }, { timeoutMs: 0 }).catch((/** @type {CommandError} */ it) => it.code);
  assert.equal(late, "timed_out");
  await room.leave();
  await assert.rejects(room.command("rename", { name: "x" }), { code: "not_joined" });
});

test("chat reaches all, and those who come later", async () => {
  const room = await join(server.url, { game: "arena", name: "Ada", private: true });
  const other = await join(server.url, { room: room.id, name: "Bea" });
  const line = new Promise((resolve) => other.chat.onLine(resolve));
  assert.equal(room.chat.send("hi\u0007 there"), undefined);
  const { tick, ...said } = await line;
  assert.deepEqual(said, { player: room.player, name: "Ada", text: "hi there" });
  assert.ok(tick >= 0);
  assert.equal(room.chat.send("x".repeat(513)), "too_long");
  const late = await join(server.url, { room: room.id, name: "Cy" });
  await until((look) => [late.chat.onLine(look), late.onFrame(look)], () => late.chat.lines.length > 0);
  assert.equal(late.chat.lines[0].text, "hi there");
  await Promise.all([room, other, late].map((it) => it.leave()));
});

test("several rooms at once do not know of each other", async () => {
  const three = await Promise.all([0, 1, 2].map(() => join(server.url, { game: "arena", name: "Ada", private: true })));
  assert.equal(new Set(three.map((room) => room.id)).size, 3);
  await three[0].leave();
  const { tick } = three[1];
  await Promise.all(three.slice(1).map((room) => frames(room, (now) => now > tick + 5)));
  assert.deepEqual(three.map((room) => room.scores.size), [1, 1, 1]);
  await Promise.all(three.slice(1).map((room) => room.leave()));
});

test("who cannot join is told why, in the server's words", async () => {
  /** @param {any} options @returns {Promise<any>} */
  const failing = async (options, url = server.url) => {
    const room = await join(url, options).catch((error) => error);
    assert.ok(room instanceof Error, "nobody was to be let in");
    return room;
  };
  const noGame = await failing({ game: "chess" });
  assert.ok(noGame instanceof JoinError);
  assert.deepEqual([noGame.code, noGame.field, noGame.status, noGame.isTemporary], ["no_such_game", "game", 404, false]);
  const badOptions = await failing({ game: "arena", options: { seats: 1e6 } });
  assert.deepEqual([badOptions.field, badOptions.isTemporary], ["options", false]);
  const full = await join(server.url, { game: "arena", options: { seats: 2 }, private: true });
  const second = await join(server.url, { room: full.id });
  const third = await failing({ room: full.id });
  // The server may notice it at either door.
  assert.ok(third.code === "room_full" || third.cause.reason.code === 4403, third.code);
  await Promise.all([full.leave(), second.leave()]);
  const nobody = await failing({ game: "arena" }, "http://127.0.0.1:1");
  assert.deepEqual([nobody.code, nobody.isTemporary], ["unreachable", true]);
});

test("a server that is gone is waited for, and leaving ends the waiting", async () => {
  const other = await startServer();
  const room = await join(other.url, { game: "arena", name: "Ada" });
  await other.stop();
  await until((look) => room.onState(look), () => room.status.phase === "waiting");
  await room.leave();
  assert.equal(room.status.phase, "ended");
});
