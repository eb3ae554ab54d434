/** 200 ships like arena's, that accelerate, turn, and are hit: no one follows a straight line for long. */

import { readDescriptor } from "../src/schema/descriptor.js";
import { Writer } from "../src/codec.js";

export const SHIPS = 200;

/** @param {Writer} w @param {string} name @param {number[]} kind */
function field(w, name, kind) {
  w.str(name);
  w.raw(kind);
}

/** Arena's table `ships`, without messages. */
export function shipsDescriptor() {
  const w = new Writer();
  w.uint(1);
  w.str("ships");
  w.str("Ship");
  w.uint(7);
  field(w, "player", [1, 2, 0, 0, 0xfc, 255, 255, 255, 255]);
  for (const name of ["x", "y"]) {
    field(w, name, [3, 0, 3]);
    [-2048, 2048, 0.0625].forEach((bound) => w.f64(bound));
  }
  field(w, "heading", [4, 0, 1, 8]);
  field(w, "thrust", [0]);
  field(w, "safe", [0]);
  field(w, "hp", [1, 0, 0, 0, 3]);
  w.raw([9, 0, 9, 0, 9, 0, 9, 0]);
  return w.bytes();
}

export function shipsSchema() {
  return readDescriptor(shipsDescriptor());
}

/** A ship's cells over time. */
class Ship {
  /** @param {number} player @param {() => number} random */
  constructor(player, random) {
    this.player = player;
    this.random = random;
    this.x = random() * 65536 - 32768;
    this.y = random() * 65536 - 32768;
    this.heading = Math.floor(random() * 256);
    this.vx = 0;
    this.vy = 0;
    this.turn = 1;
    this.thrust = true;
    this.hp = 3;
  }

  step() {
    if (this.random() < 0.05) this.turn = Math.floor(this.random() * 3) - 1;
    if (this.random() < 0.03) this.thrust = !this.thrust;
    if (this.random() < 0.01) this.hp = this.hp === 1 ? 3 : this.hp - 1;
    this.heading = (this.heading + 3 * this.turn + 256) % 256;
    const angle = (this.heading * 2 * Math.PI) / 256;
    const push = this.thrust ? 3 : 0;
    this.vx = (this.vx + push * Math.cos(angle)) * 0.98;
    this.vy = (this.vy + push * Math.sin(angle)) * 0.98;
    this.x = around(this.x + this.vx);
    this.y = around(this.y + this.vy);
  }

  cells() {
    return [this.player, Math.round(this.x), Math.round(this.y), this.heading, Number(this.thrust), 0, this.hp];
  }
}

/** @param {number} place */
function around(place) {
  if (place >= 32767) return place - 65536;
  return place < -32768 ? place + 65536 : place;
}

/** The cells of all ships, tick by tick. @param {number} ticks @param {number} seed */
export function flight(ticks, seed) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const ships = Array.from({ length: SHIPS }, (_, player) => new Ship(player, random));
  return Array.from({ length: ticks }, () => {
    ships.forEach((ship) => ship.step());
    return ships.map((ship) => ship.cells());
  });
}
