/** The last values of something, as a number and a line. */

import { element, write } from "./element.js";

const SAMPLES = 96;
const [WIDTH, HEIGHT] = [96, 24];

export class Graph {
  #values = new Float32Array(SAMPLES);
  #next = 0;
  #count = 0;
  #value = element("span", { class: "figures" }, "–");
  #canvas = element("canvas", { class: "graph", "aria-hidden": "true" });

  /**
   * @param {string} label
   * @param {string} unit
   * @param {string} hint what it means, in a sentence
   * @param {{ digits?: number, least?: number }} [options] `least`: the graph's top is never lower
   */
  constructor(label, unit, hint, { digits = 0, least = 1 } = {}) {
    this.unit = unit;
    this.digits = digits;
    this.least = least;
    this.element = element(
      "div",
      { class: "measure", title: hint },
      element("span", { class: "soft" }, label),
      this.#value,
      this.#canvas,
    );
  }

  /** @param {number} value */
  add(value) {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#count = Math.min(this.#count + 1, SAMPLES);
  }

  /** The greatest of the last values. */
  get peak() {
    return this.#values.subarray(0, this.#count).reduce((most, value) => Math.max(most, value), 0);
  }

  /** Shows a number and draws the line. @param {number} value */
  show(value) {
    const text = Number.isFinite(value) ? value.toFixed(this.digits) : "–";
    write(this.#value, this.unit ? `${text} ${this.unit}` : text);
    this.#draw();
  }

  #draw() {
    const canvas = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(WIDTH * ratio)) {
      [canvas.width, canvas.height] = [Math.round(WIDTH * ratio), Math.round(HEIGHT * ratio)];
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 1.25;
    const top = Math.max(this.peak, this.least);
    context.beginPath();
    for (let i = 0; i < this.#count; i++) {
      const value = this.#values[(this.#next - this.#count + i + SAMPLES) % SAMPLES] ?? 0;
      context.lineTo(WIDTH - this.#count + i, HEIGHT - 1 - (value / top) * (HEIGHT - 3));
    }
    context.stroke();
  }
}
