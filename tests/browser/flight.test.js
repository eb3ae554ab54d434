/** Arena's rules in JavaScript are those in Rust. Needs no browser. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fly, shotFrom, sine, work } from "../../server/pages/arena/flight.js";

const file = new URL("../../server/fixtures/fly.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8"));

/** @param {number[]} body */
const named = ([x, y, vx, vy, heading]) => ({ x, y, vx, vy, heading });

test("sines are the same to the last digit", () => {
  assert.deepEqual(vectors.sine, Array.from({ length: 256 }, (_, heading) => sine(heading)));
});

test("flights end where the server's do", () => {
  assert.ok(vectors.flights.length > 60);
  for (const { from, steer, to } of vectors.flights) {
    let body = named(from);
    for (const [turn, thrust, ticks] of steer) {
      for (let tick = 0; tick < ticks; tick++) body = fly(body, { turn, thrust, fire: false });
    }
    assert.deepEqual(body, named(to));
  }
});

test("a turn of more than one is one", () => {
  const start = named([0, 0, 0, 0, 0]);
  assert.deepEqual(fly(start, { turn: 9, thrust: false, fire: false }), { ...start, heading: 4 });
  assert.deepEqual(fly(start, { turn: -9, thrust: false, fire: false }), { ...start, heading: 252 });
});

test("shots leave the nose as the server's do", () => {
  assert.ok(vectors.shots.length > 60);
  for (const { from, shot: [x, y, vx, vy] } of vectors.shots) {
    assert.deepEqual(shotFrom(named(from)), { x, y, vx, vy });
  }
});

test("guns fire in the same ticks as the server's and are left the same", () => {
  assert.equal(vectors.volleys.length, 3);
  for (const volley of vectors.volleys) {
    const fired = [];
    let [ammo, ready_at, reload_at] = volley.gun;
    let tick = volley.from;
    for (const [fire, ticks] of volley.steer) {
      for (let i = 0; i < ticks; i++) {
        const gun = work({ ammo, ready_at, reload_at }, fire, ++tick);
        ({ ammo, ready_at, reload_at } = gun);
        if (gun.fired) fired.push(tick);
      }
    }
    assert.deepEqual(fired, volley.fired);
    assert.deepEqual([ammo, ready_at, reload_at], volley.to);
  }
});
