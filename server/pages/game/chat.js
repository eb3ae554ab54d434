/** What the room says to each other. Enter begins to write, Escape goes back to the game. */

import { element } from "./element.js";

/** Lines that are kept. */
const LINES_MAX = 80;
/** A line is at most this long, in bytes, on the wire. */
const BYTES_MAX = 512;
const INPUT_CHARS_MAX = 160;

/** @typedef {import("/client/index.js").ChatMessage} ChatMessage */

export class Chat {
  #log = element("div", { class: "lines", role: "log", "aria-label": "Chat", tabindex: "0" });
  #input = element("input", {
    class: "field",
    "aria-label": "Say something",
    placeholder: matchMedia("(pointer: coarse)").matches ? "Say something" : "Enter to chat",
    maxlength: INPUT_CHARS_MAX,
    autocomplete: "off",
    enterkeyhint: "send",
  });
  #count = element("span", { class: "count", hidden: true });

  /**
   * @param {(text: string) => void} say
   * @param {() => void} leave gives the focus back to the game
   */
  constructor(say, leave) {
    const form = element("form", {}, this.#input);
    this.toggle = element(
      "button",
      { class: "button quiet", type: "button", "aria-expanded": "false", "aria-controls": "chat" },
      "Chat",
      this.#count,
    );
    this.element = element("section", { class: "chat", id: "chat", "aria-label": "Chat" }, this.#log, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text && new TextEncoder().encode(text).length <= BYTES_MAX) say(text);
      this.#input.value = "";
      leave();
    });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave();
    });
    this.toggle.addEventListener("click", () => this.#open(!this.element.classList.contains("open")));
  }

  /** Begins to write. */
  focus() {
    this.#open(true);
    this.#input.focus();
  }

  /** @param {boolean} open on a small screen; on a large one it always is */
  #open(open) {
    this.element.classList.toggle("open", open);
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) this.#count.hidden = true;
    if (open) this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** Forgets the lines: those of another room mean nothing. */
  clear() {
    this.#log.replaceChildren();
  }

  /** @param {ChatMessage} line @param {boolean} own */
  add({ player, name, text }, own) {
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 8;
    const said = player === undefined ? [] : [element("b", { class: own ? "own" : "" }, name), " "];
    this.#log.append(element("p", { class: player === undefined ? "soft" : "" }, ...said, text));
    while (this.#log.childElementCount > LINES_MAX) this.#log.firstElementChild?.remove();
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
    if (!own && this.toggle.getAttribute("aria-expanded") === "false") this.#count.hidden = false;
  }
}
