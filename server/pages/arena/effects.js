/** What bursts, burns and flashes: seen only, in the space but not of the game. */

import { place } from "./space.js";

/** Most particles at a time; the oldest make room. */
const PARTICLES_MAX = 700;

/**
 * @typedef {object} Particle
 * @property {number} x
 * @property {number} y
 * @property {number} vx in units per second
 * @property {number} vy
 * @property {number} age in seconds
 * @property {number} life
 * @property {number} size
 * @property {"spark" | "shard" | "smoke" | "ring"} kind
 * @property {"shot" | "rock" | "flame" | "ship"} tint
 */

export class Effects {
  /** @type {Particle[]} */
  particles = [];
  /** How much the view shakes, in units; it dies away. */
  shake = 0;

  /** @param {{ matches: boolean }} calm whether moving less was asked for */
  constructor(calm) {
    this.calm = calm;
  }

  /** Something burst. @param {number} x @param {number} y @param {number} size of a rock; 0 for a ship */
  burst(x, y, size) {
    const reach = size === 0 ? 70 : 20 << size;
    this.#add({ x, y, vx: 0, vy: 0, life: 0.45, size: reach, kind: "ring", tint: size === 0 ? "flame" : "rock" });
    if (this.calm.matches) return;
    const count = size === 0 ? 46 : 8 + size * 8;
    for (let i = 0; i < count; i++) {
      const [angle, speed] = [Math.random() * 2 * Math.PI, (0.25 + Math.random()) * (size === 0 ? 150 : 60 + 24 * size)];
      const shard = i % 3 === 0;
      this.#add({
        x,
        y,
        vx: Math.cos(angle) * speed,
        vy: Math.sin(angle) * speed,
        life: (shard ? 0.9 : 0.5) * (0.6 + Math.random() * 0.7),
        size: shard ? 4 + Math.random() * 5 : 1.5 + Math.random() * 1.5,
        kind: shard ? "shard" : "spark",
        tint: size === 0 ? (shard ? "ship" : "flame") : "rock",
      });
    }
  }

  /** A shot met something. @param {number} x @param {number} y */
  spark(x, y) {
    if (this.calm.matches) return;
    for (let i = 0; i < 7; i++) {
      const [angle, speed] = [Math.random() * 2 * Math.PI, 40 + Math.random() * 110];
      const [vx, vy] = [Math.cos(angle) * speed, Math.sin(angle) * speed];
      this.#add({ x, y, vx, vy, life: 0.2 + Math.random() * 0.15, size: 1.5, kind: "spark", tint: "shot" });
    }
  }

  /** What an engine leaves. @param {number} x @param {number} y @param {number} heading @param {number} seconds */
  trail(x, y, heading, seconds) {
    if (this.calm.matches || Math.random() > seconds * 40) return;
    const angle = heading + Math.PI + (Math.random() - 0.5) * 0.5;
    const speed = 60 + Math.random() * 60;
    this.#add({
      x: x - Math.cos(heading) * 12,
      y: y - Math.sin(heading) * 12,
      vx: Math.cos(angle) * speed,
      vy: Math.sin(angle) * speed,
      life: 0.35 + Math.random() * 0.2,
      size: 2 + Math.random() * 2,
      kind: "smoke",
      tint: "flame",
    });
  }

  /** The own ship was hit. @param {number} units */
  jolt(units) {
    if (!this.calm.matches) this.shake = Math.max(this.shake, units);
  }

  /** @param {number} seconds */
  step(seconds) {
    this.shake *= Math.exp(-7 * seconds);
    const drag = Math.exp(-1.8 * seconds);
    for (const it of this.particles) {
      it.age += seconds;
      it.x = place(it.x + it.vx * seconds);
      it.y = place(it.y + it.vy * seconds);
      it.vx *= drag;
      it.vy *= drag;
    }
    this.particles = this.particles.filter((it) => it.age < it.life);
  }

  /** @param {Omit<Particle, "age">} particle */
  #add(particle) {
    if (this.particles.length >= PARTICLES_MAX) this.particles.shift();
    this.particles.push({ ...particle, age: 0 });
  }
}
