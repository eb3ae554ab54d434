/**
 * Draws the space around a point. What is far away on one side is near on the other: everything is
 * drawn where the short way leads, as no screen shows half of the space.
 */

import { SHIP_RADIUS, rockRadius } from "./flight.js";
import { paletteOf } from "./palette.js";
import { way } from "./space.js";

/** The side of a square with as many units as are seen, whatever the shape of the screen. */
const SEEN = 740;
/** Of the marks that show how fast one is. */
const MARK_EVERY = 256;
/** Stars repeat after this; the space's width is a multiple, so nothing jumps at the seam. */
const STAR_TILE = 512;
/** Nearer stars move more: shares of the camera's way, of which 4096 units are whole tiles. */
const STAR_LAYERS = [{ share: 0.125, count: 22, size: 1 }, { share: 0.25, count: 14, size: 1.5 }, { share: 0.5, count: 7, size: 2 }];

/**
 * @typedef {object} ShipShown
 * @property {number} x
 * @property {number} y
 * @property {number} heading in radians
 * @property {boolean} thrust
 * @property {boolean} safe
 * @property {number} hp
 * @property {number} player
 * @property {string} name
 * @property {boolean} away
 */

/**
 * @typedef {object} Scene
 * @property {{ x: number, y: number }} camera
 * @property {ShipShown | null} own
 * @property {ShipShown[]} ships of others
 * @property {{ x: number, y: number, size: number, seed: number }[]} rocks
 * @property {{ x: number, y: number, vx: number, vy: number, own: boolean, player: number }[]} shots
 * @property {import("./effects.js").Effects} effects
 */

export class View {
  /** CSS pixels of a unit. */
  scale = 1;
  #ratio = 1;
  #width = 1;
  #height = 1;
  /** @type {Map<string, Path2D>} rocks that were seen, by size and seed */
  #rocks = new Map();
  #stars = STAR_LAYERS.map(({ count }, layer) => scattered(count, layer + 1));

  /** @param {HTMLCanvasElement} canvas @param {{ matches: boolean }} calm */
  constructor(canvas, calm) {
    this.canvas = canvas;
    this.calm = calm;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser does not draw");
    this.context = context;
    this.palette = paletteOf(canvas);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
      this.palette = paletteOf(canvas);
    });
    new ResizeObserver(() => this.#fit()).observe(canvas);
    this.#fit();
  }

  /** What is seen, in units. */
  get seen() {
    return { width: this.#width / this.scale, height: this.#height / this.scale };
  }

  #fit() {
    const { clientWidth, clientHeight } = this.canvas;
    // More than two dots a pixel cost time and are not seen.
    this.#ratio = Math.min(window.devicePixelRatio || 1, 2);
    [this.#width, this.#height] = [Math.max(clientWidth, 1), Math.max(clientHeight, 1)];
    this.canvas.width = Math.round(this.#width * this.#ratio);
    this.canvas.height = Math.round(this.#height * this.#ratio);
    this.scale = Math.sqrt(this.#width * this.#height) / SEEN;
  }

  /** @param {Scene} scene @param {number} seconds that have passed since the page came */
  draw(scene, seconds) {
    const { context, palette, scale } = this;
    const shake = scene.effects.shake;
    const [sx, sy] = [Math.sin(seconds * 71) * shake, Math.cos(seconds * 83) * shake];
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.fillStyle = palette.space;
    context.fillRect(0, 0, this.#width, this.#height);
    this.#drawStars(scene.camera);
    const middle = [this.#width / 2 + sx * scale, this.#height / 2 + sy * scale];
    context.translate(middle[0] ?? 0, middle[1] ?? 0);
    context.scale(scale, scale);
    const at = (/** @type {{ x: number, y: number }} */ it) => /** @type {const} */ ([
      way(scene.camera.x, it.x),
      way(scene.camera.y, it.y),
    ]);
    this.#drawMarks(scene.camera);
    for (const rock of scene.rocks) this.#drawRock(rock, at(rock), seconds);
    this.#drawParticles(scene.effects.particles, at);
    for (const shot of scene.shots) this.#drawShot(shot, at(shot));
    for (const ship of scene.ships) this.#drawShip(ship, at(ship), palette.foe(ship.player), seconds);
    if (scene.own) this.#drawShip(scene.own, at(scene.own), palette.own, seconds);
    for (const ship of scene.ships) this.#drawName(ship, at(ship), palette.text);
    if (scene.own) this.#drawName(scene.own, at(scene.own), palette.own);
  }

  /** Whether something of this radius can be seen. @param {readonly [number, number]} at @param {number} radius */
  #sees([x, y], radius) {
    const reach = radius + 20;
    return Math.abs(x) < this.#width / 2 / this.scale + reach && Math.abs(y) < this.#height / 2 / this.scale + reach;
  }

  /** @param {{ x: number, y: number }} camera */
  #drawStars(camera) {
    const { context, palette, scale } = this;
    const tile = STAR_TILE * scale;
    context.fillStyle = palette.star;
    for (const [layer, { share, size }] of STAR_LAYERS.entries()) {
      const [left, top] = [-modulo(camera.x * share, STAR_TILE) * scale, -modulo(camera.y * share, STAR_TILE) * scale];
      for (const [x, y] of this.#stars[layer] ?? []) {
        for (let px = left + x * tile; px < this.#width; px += tile) {
          for (let py = top + y * tile; py < this.#height; py += tile) context.fillRect(px, py, size, size);
        }
      }
    }
  }

  /** @param {{ x: number, y: number }} camera */
  #drawMarks(camera) {
    const { context, palette, scale } = this;
    const [right, bottom] = [this.#width / 2 / scale, this.#height / 2 / scale];
    context.strokeStyle = palette.mark;
    context.lineWidth = 1 / scale;
    context.beginPath();
    for (let x = -modulo(camera.x, MARK_EVERY) - MARK_EVERY * Math.ceil(right / MARK_EVERY); x < right; x += MARK_EVERY) {
      for (let y = -modulo(camera.y, MARK_EVERY) - MARK_EVERY * Math.ceil(bottom / MARK_EVERY); y < bottom; y += MARK_EVERY) {
        context.moveTo(x - 5, y);
        context.lineTo(x + 5, y);
        context.moveTo(x, y - 5);
        context.lineTo(x, y + 5);
      }
    }
    context.stroke();
  }

  /** @param {Scene["rocks"][number]} rock @param {readonly [number, number]} at @param {number} seconds */
  #drawRock(rock, at, seconds) {
    const { context, palette } = this;
    const radius = rockRadius(rock.size);
    if (!this.#sees(at, radius)) return;
    const key = `${rock.size} ${rock.seed}`;
    let path = this.#rocks.get(key);
    if (!path) {
      if (this.#rocks.size > 512) this.#rocks.clear();
      this.#rocks.set(key, (path = outline(radius, rock.seed)));
    }
    context.save();
    context.translate(...at);
    const spin = ((rock.seed % 7) - 3) * 0.12;
    context.rotate(rock.seed + (this.calm.matches ? 0 : seconds * spin));
    context.fillStyle = palette.rock;
    context.strokeStyle = palette["rock-edge"];
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.fill(path);
    context.stroke(path);
    context.restore();
  }

  /** @param {Scene["shots"][number]} shot @param {readonly [number, number]} at */
  #drawShot(shot, at) {
    if (!this.#sees(at, 20)) return;
    const { context, palette } = this;
    const speed = Math.hypot(shot.vx, shot.vy) || 1;
    const [dx, dy] = [(shot.vx / speed) * 13, (shot.vy / speed) * 13];
    context.strokeStyle = shot.own ? palette.shot : palette["foe-shot"];
    context.lineWidth = 3.5;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(at[0] - dx, at[1] - dy);
    context.lineTo(...at);
    context.stroke();
  }

  /** @param {ShipShown} ship @param {readonly [number, number]} at @param {string} colour @param {number} seconds */
  #drawShip(ship, at, colour, seconds) {
    if (!this.#sees(at, SHIP_RADIUS * 2)) return;
    const { context, palette } = this;
    context.save();
    context.translate(...at);
    context.globalAlpha = ship.away ? 0.45 : 1;
    if (ship.safe) {
      context.strokeStyle = palette.shield;
      context.lineWidth = 1.5;
      context.setLineDash([7, 5]);
      context.lineDashOffset = this.calm.matches ? 0 : -seconds * 18;
      context.beginPath();
      context.arc(0, 0, SHIP_RADIUS + 9, 0, 2 * Math.PI);
      context.stroke();
      context.setLineDash([]);
    }
    context.rotate(ship.heading);
    if (ship.thrust) {
      const long = this.calm.matches ? 16 : 13 + 6 * Math.sin(seconds * 47 + ship.player) + 3 * Math.random();
      context.fillStyle = palette.flame;
      context.beginPath();
      context.moveTo(-8, -4.5);
      context.lineTo(-9 - long, 0);
      context.lineTo(-8, 4.5);
      context.fill();
    }
    context.fillStyle = colour;
    context.strokeStyle = palette.space;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(17, 0);
    context.lineTo(-11, 10.5);
    context.lineTo(-6.5, 0);
    context.lineTo(-11, -10.5);
    context.closePath();
    context.fill();
    context.stroke();
    context.restore();
  }

  /** A name over a ship, and how whole it is. @param {ShipShown} ship @param {readonly [number, number]} at @param {string} colour */
  #drawName(ship, at, colour) {
    if (!this.#sees(at, 120)) return;
    const { context, palette, scale } = this;
    // Text keeps its size on every screen.
    const px = 1 / scale;
    const above = at[1] - SHIP_RADIUS - 14;
    context.font = `600 ${12.5 * px}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.lineWidth = 3.5 * px;
    context.lineJoin = "round";
    context.strokeStyle = palette.halo;
    context.fillStyle = colour;
    context.globalAlpha = ship.away ? 0.6 : 1;
    const text = ship.away ? `${ship.name} (away)` : ship.name;
    context.strokeText(text, at[0], above - 5 * px);
    context.fillText(text, at[0], above - 5 * px);
    for (let i = 0; i < 3; i++) {
      context.fillStyle = i < ship.hp ? colour : palette.lost;
      context.fillRect(at[0] + (i - 1.5) * 9 * px + px, above - 2 * px, 7 * px, 3 * px);
    }
    context.globalAlpha = 1;
  }

  /** @param {import("./effects.js").Particle[]} particles @param {(it: { x: number, y: number }) => readonly [number, number]} where */
  #drawParticles(particles, where) {
    const { context, palette } = this;
    const tints = { shot: palette.shot, rock: palette["rock-edge"], flame: palette.flame, ship: palette.text };
    for (const it of particles) {
      const at = where(it);
      if (!this.#sees(at, 120)) continue;
      const left = 1 - it.age / it.life;
      context.globalAlpha = it.kind === "ring" ? left * 0.8 : Math.min(1, left * 1.6);
      context.fillStyle = context.strokeStyle = tints[it.tint];
      context.beginPath();
      if (it.kind === "ring") {
        context.lineWidth = 1 + 5 * left;
        context.arc(at[0], at[1], it.size * (1 - left * left), 0, 2 * Math.PI);
        context.stroke();
      } else if (it.kind === "shard") {
        const angle = it.age * 6 + it.size;
        context.lineWidth = 2;
        context.moveTo(at[0] - Math.cos(angle) * it.size, at[1] - Math.sin(angle) * it.size);
        context.lineTo(at[0] + Math.cos(angle) * it.size, at[1] + Math.sin(angle) * it.size);
        context.stroke();
      } else {
        context.arc(at[0], at[1], it.size * (it.kind === "smoke" ? 0.6 + left * 0.6 : left), 0, 2 * Math.PI);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }
}

/** @param {number} value @param {number} around */
function modulo(value, around) {
  return ((value % around) + around) % around;
}

/** Numbers from 0 to 1 that are the same for a seed each time: good enough for looks. @param {number} seed */
function rolls(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @param {number} count @param {number} seed @returns {[number, number][]} places within a tile */
function scattered(count, seed) {
  const roll = rolls(seed);
  return Array.from({ length: count }, () => [roll(), roll()]);
}

/** A rock's outline: uneven, and about as large as what it is for the rules. @param {number} radius @param {number} seed */
function outline(radius, seed) {
  const roll = rolls(seed);
  const corners = 9 + Math.floor(roll() * 4);
  const path = new Path2D();
  for (let i = 0; i < corners; i++) {
    const angle = ((i + roll() * 0.5) / corners) * 2 * Math.PI;
    const far = radius * (0.84 + roll() * 0.24);
    path.lineTo(Math.cos(angle) * far, Math.sin(angle) * far);
  }
  path.closePath();
  return path;
}
