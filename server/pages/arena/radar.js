/** The whole space, small, with oneself in the middle. */

import { element } from "/game/element.js";
import { SPACE, rockRadius } from "./flight.js";
import { way } from "./space.js";

const SIDE = 132;
/** Often enough for what is this small. */
const DRAWN_EVERY_MS = 50;

export class Radar {
  #canvas = element("canvas", { class: "radar", role: "img", "aria-label": "Radar: the whole space around your ship" });
  #last = -Infinity;
  element = this.#canvas;

  /**
   * @param {import("./view.js").Scene} scene
   * @param {import("./palette.js").Palette} palette
   * @param {{ width: number, height: number }} seen what the view shows, in units
   * @param {number} now
   */
  draw(scene, palette, seen, now) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const side = this.#canvas.clientWidth || SIDE;
    if (now - this.#last < DRAWN_EVERY_MS) return;
    this.#last = now;
    const dots = Math.round(side * ratio);
    if (this.#canvas.width !== dots) this.#canvas.width = this.#canvas.height = dots;
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const scale = side / SPACE;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, side, side);
    context.translate(side / 2, side / 2);
    const at = (/** @type {{ x: number, y: number }} */ it) => /** @type {const} */ ([
      way(scene.camera.x, it.x) * scale,
      way(scene.camera.y, it.y) * scale,
    ]);
    context.strokeStyle = palette["rock-edge"];
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.strokeRect((-seen.width / 2) * scale, (-seen.height / 2) * scale, seen.width * scale, seen.height * scale);
    context.globalAlpha = 1;
    context.fillStyle = palette["rock-edge"];
    for (const rock of scene.rocks) {
      const [x, y] = at(rock);
      dot(context, x, y, Math.max(1, rockRadius(rock.size) * scale * 0.9));
    }
    for (const ship of scene.ships) {
      context.fillStyle = palette.foe(ship.player);
      dot(context, ...at(ship), 2.75);
    }
    if (scene.own) {
      const [x, y] = at(scene.own);
      const [cos, sin] = [Math.cos(scene.own.heading), Math.sin(scene.own.heading)];
      context.fillStyle = palette.own;
      context.beginPath();
      context.moveTo(x + cos * 6, y + sin * 6);
      context.lineTo(x - cos * 4 - sin * 4, y - sin * 4 + cos * 4);
      context.lineTo(x - cos * 4 + sin * 4, y - sin * 4 - cos * 4);
      context.fill();
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
