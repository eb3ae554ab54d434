/** The pilot's hands: keys, or a stick and a button on a touch screen. */

import { element } from "/game/element.js";
import { turn } from "./space.js";

/** @type {Record<string, "left" | "right" | "thrust" | "fire">} by the place of a key, not its letter */
const KEYS = {
  ArrowLeft: "left",
  KeyA: "left",
  ArrowRight: "right",
  KeyD: "right",
  ArrowUp: "thrust",
  KeyW: "thrust",
  Space: "fire",
};

/** How far the stick goes, in CSS pixels. */
const STICK = 52;
/** Pushed further than this the engine burns; less only turns. */
const BURN_FROM = 0.62;
/** Within this angle the nose points where the stick does: half of what a ship turns in a tick. */
const AIMED = Math.PI / 64;

export class Controls {
  /** @type {Set<string>} */
  #down = new Set();
  /** Where the stick points, once it does. @type {{ angle: number, push: number } | null} */
  #stick = null;
  #grabbed = false;
  #fires = false;
  #knob = element("div", { class: "knob" });
  #base = element("div", { class: "stick" }, this.#knob);
  #fire = element("div", { class: "trigger" }, "Fire");
  element = element("div", { class: "touch", "aria-hidden": "true" }, this.#base, this.#fire);

  /** @param {HTMLElement} stage where a thumb goes down */
  constructor(stage) {
    window.addEventListener("keydown", (event) => this.#key(event, true));
    window.addEventListener("keyup", (event) => this.#key(event, false));
    window.addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => document.hidden && this.release());
    // Who begins to write or to operate something has let go of the ship.
    window.addEventListener("focusin", (event) => operates(event.target) && this.release());
    stage.addEventListener("pointerdown", (event) => event.pointerType === "touch" && this.#grab(event, stage));
    this.#fire.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    // Thumbs are expected where there is nothing finer, and wherever one has come.
    this.element.hidden = !matchMedia("(pointer: coarse)").matches;
    window.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") this.element.hidden = false;
    });
  }

  /** Lets go of everything. */
  release() {
    this.#down.clear();
    this.#fires = false;
    this.#fire.classList.remove("held");
    this.#letGo();
  }

  #letGo() {
    this.#grabbed = false;
    this.#stick = null;
    this.#base.classList.remove("held");
  }

  /** What the hands do. @param {number} heading of the ship, in radians */
  steer(heading) {
    const down = this.#down;
    let step = Number(down.has("right")) - Number(down.has("left"));
    let thrust = down.has("thrust");
    if (this.#stick) {
      const off = turn(heading, this.#stick.angle);
      step = Math.abs(off) > AIMED ? Math.sign(off) : 0;
      thrust ||= this.#stick.push > BURN_FROM && Math.abs(off) < Math.PI / 3;
    }
    return { turn: step, thrust, fire: down.has("fire") || this.#fires };
  }

  /** @param {KeyboardEvent} event @param {boolean} down */
  #key(event, down) {
    const what = KEYS[event.code];
    if (!what) return;
    if (!down) return void this.#down.delete(what);
    if (operates(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // the page must not scroll
    this.#down.add(what);
  }

  /** A thumb goes down: the stick is where it is. @param {PointerEvent} event @param {HTMLElement} stage */
  #grab(event, stage) {
    if (this.#grabbed) return;
    event.preventDefault();
    const from = { x: event.clientX, y: event.clientY };
    this.#grabbed = true;
    this.#base.style.translate = `${from.x}px ${from.y}px`;
    this.#knob.style.translate = "0 0";
    this.#base.classList.add("held");
    const move = (/** @type {PointerEvent} */ now) => {
      if (now.pointerId !== event.pointerId || !this.#grabbed) return;
      const [dx, dy] = [now.clientX - from.x, now.clientY - from.y];
      const far = Math.min(Math.hypot(dx, dy), STICK);
      const angle = Math.atan2(dy, dx);
      // A thumb that only rests points nowhere.
      if (far > 8) this.#stick = { angle, push: far / STICK };
      this.#knob.style.translate = `${Math.cos(angle) * far}px ${Math.sin(angle) * far}px`;
    };
    follow(event, stage, move, () => this.#letGo());
  }

  /** @param {PointerEvent} event */
  #press(event) {
    event.preventDefault();
    this.#fires = true;
    this.#fire.classList.add("held");
    follow(event, this.#fire, () => {}, () => {
      this.#fires = false;
      this.#fire.classList.remove("held");
    });
  }
}

/**
 * Follows a pointer until it goes up, wherever it goes.
 *
 * @param {PointerEvent} from
 * @param {HTMLElement} on
 * @param {(event: PointerEvent) => void} move
 * @param {() => void} end
 */
function follow(from, on, move, end) {
  const over = new AbortController();
  const { signal } = over;
  const stop = (/** @type {PointerEvent} */ event) => {
    if (event.pointerId !== from.pointerId) return;
    over.abort();
    end();
  };
  window.addEventListener("pointermove", move, { signal });
  window.addEventListener("pointerup", stop, { signal });
  window.addEventListener("pointercancel", stop, { signal });
  on.setPointerCapture(from.pointerId);
}

/** Whether keys mean something else there. @param {EventTarget | null} target */
function operates(target) {
  return target instanceof Element && target.closest("input, button, a, dialog, [role=log]") !== null;
}
