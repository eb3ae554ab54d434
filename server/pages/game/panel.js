/**
 * The network panel: what the connection does, and sliders that make it worse. A connection that
 * stands still for a second and goes on shows the point: what comes then is not what was missed but
 * one frame, to the present.
 */

import { element, write } from "./element.js";
import { Graph } from "./graph.js";

/** How often numbers are shown; faster cannot be read. */
const SHOWN_EVERY_MS = 250;

export class Panel {
  #rtt = new Graph("Round trip", "ms", "From a ping to its answer", { least: 100 });
  #stale = new Graph("State age", "ms", "How old the newest state is that has come", { least: 200 });
  #bytes = new Graph("Frame", "B", "Bytes of the last frame", { least: 100 });
  #error = new Graph("Prediction error", "u", "By how much the server has corrected what was predicted here, in units", { digits: 2, least: 1 });
  #facts = element("dl", { class: "facts" });
  /** @type {Map<string, HTMLElement>} */
  #fact = new Map();
  #shownAt = -Infinity;
  #before = { at: 0, frames: 0, bytes: 0 };
  /** The greatest prediction error since numbers were shown last. */
  #worst = 0;

  toggle = element("button", { class: "button quiet", type: "button", "aria-expanded": "false", "aria-controls": "network" }, "Network");
  element;

  /** @param {import("./link.js").Link} link */
  constructor(link) {
    const delay = slider("Added delay", "ms", { max: 500, step: 10 }, (ms) => (link.delayMs = ms));
    const stall = slider("Stall", "ms", { max: 2000, step: 100 }, (ms) => link.stall(ms));
    const every = `of every ${link.stallEveryMs / 1000} s`;
    this.element = element(
      "aside",
      { class: "panel", id: "network", "aria-label": "Network", hidden: true },
      ...[this.#rtt, this.#stale, this.#bytes, this.#error].map((graph) => graph.element),
      this.#facts,
      delay,
      stall,
      element("p", { class: "soft small" }, `Held back in this browser, both ways; a stall takes so long ${every}.`),
    );
    this.toggle.addEventListener("click", () => {
      this.element.hidden = !this.element.hidden;
      this.toggle.setAttribute("aria-expanded", String(!this.element.hidden));
    });
  }

  /** The server has corrected a prediction. @param {number} units 0 if it was right */
  corrected(units) {
    this.#worst = Math.max(this.#worst, units);
  }

  /** In each picture. @param {import("./meter.js").Meter} meter @param {() => Record<string, string>} more facts of the game's own */
  show(meter, more = () => ({})) {
    const now = performance.now();
    if (now - this.#shownAt < SHOWN_EVERY_MS) return;
    this.#shownAt = now;
    const { rtt, staleness, frameBytes, framesMerged, viewDelay } = meter.reading;
    for (const [graph, value] of /** @type {const} */ ([
      [this.#rtt, rtt],
      [this.#stale, staleness],
      [this.#bytes, frameBytes],
      [this.#error, this.#worst],
    ])) {
      graph.add(Number.isFinite(value) ? value : 0);
      if (!this.element.hidden) graph.show(value);
    }
    this.#worst = 0;
    const seconds = (now - this.#before.at) / 1000;
    const rate = (meter.frames - this.#before.frames) / seconds;
    const kilobytes = (meter.bytes - this.#before.bytes) / 1000 / seconds;
    if (seconds > 1) this.#before = { at: now, frames: meter.frames, bytes: meter.bytes };
    if (this.element.hidden) return;
    const facts = {
      ...(seconds > 1 ? { Frames: `${rate.toFixed(0)}/s, ${kilobytes.toFixed(1)} kB/s` } : {}),
      "Coalesced frames": `${framesMerged} for ${framesMerged + meter.merged} ticks`,
      "Others are drawn": `${viewDelay.toFixed(0)} ms behind`,
      ...more(),
    };
    for (const [name, text] of Object.entries(facts)) write(this.#factOf(name), text);
  }

  /** @param {string} name */
  #factOf(name) {
    let fact = this.#fact.get(name);
    if (!fact) {
      this.#fact.set(name, (fact = element("dd", { class: "figures" })));
      this.#facts.append(element("dt", { class: "soft" }, name), fact);
    }
    return fact;
  }
}

/**
 * @param {string} label
 * @param {string} unit
 * @param {{ max: number, step: number }} range
 * @param {(value: number) => void} set
 */
function slider(label, unit, { max, step }, set) {
  const value = element("span", { class: "figures" }, `0 ${unit}`);
  const input = element("input", { type: "range", id: `slider-${label.toLowerCase().replaceAll(" ", "-")}`, min: 0, max, step, value: 0 });
  input.addEventListener("input", () => {
    write(value, `${input.value} ${unit}`);
    input.setAttribute("aria-valuetext", `${input.value} ${unit}`);
    set(input.valueAsNumber);
  });
  return element("div", { class: "slider" }, element("label", { class: "soft", for: input.id }, label), value, input);
}
