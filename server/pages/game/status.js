/** A line in front of the game while its connection is not what it should be. */

import { element, write } from "./element.js";

/** A shorter silence is not worth a word. */
const SILENCE_MS = 1200;

export class Banner {
  element = element("p", { class: "banner", role: "status", hidden: true });
  #text = "";

  /** @param {string} text empty: all is well */
  show(text) {
    if (text === this.#text) return;
    this.#text = text;
    this.element.hidden = text === "";
    write(this.element, text);
  }

  /**
   * @param {import("/client/index.js").Status["phase"]} phase
   * @param {number} silentMs since the last frame
   */
  watch(phase, silentMs) {
    if (phase === "connecting" || phase === "waiting") this.show("Connection lost. Coming back to your seat …");
    else if (phase === "joined" && silentMs > SILENCE_MS) this.show("The server is silent …");
    else this.show("");
  }
}
