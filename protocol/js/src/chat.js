/**
 * The chat of a room.
 *
 * @module
 */

import { SERVER_PLAYER } from "./message.js";
import { Listeners } from "./world/listeners.js";

/** Lines that are remembered. Beyond it the oldest goes. */
export const CHAT_LINES_MAX = 100;

/**
 * @typedef {{ player: number | undefined, name: string, text: string, tick: number }} ChatMessage
 *   without a player the server itself speaks; texts are to be escaped wherever they are shown
 */

export class Chat {
  #say;
  /** @type {Listeners<[line: ChatMessage]>} */
  #listeners = new Listeners();
  /** What was said, oldest first, also before this client came. @type {ChatMessage[]} */
  lines = [];

  /** @param {(text: string) => import("./session/requests.js").SendFault | undefined} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * Says a line to all in the room; gives why not, if it was not sent. A line of
   * one's own comes back like those of others.
   *
   * @param {string} text
   */
  send(text) {
    return this.#say(text);
  }

  /**
   * Calls back for each line from now on.
   *
   * @param {(line: ChatMessage) => void} listener
   * @returns {() => void} what ends it
   */
  onLine(listener) {
    return this.#listeners.add(listener);
  }

  /** A line came. @param {import("./message.js").ChatLine} line */
  said({ player, name, text, tick }) {
    const line = { player: player === SERVER_PLAYER ? undefined : player, name, text, tick };
    // After a resume the server says again what was said before.
    const known = this.lines.some((it) => it.tick === tick && it.player === line.player && it.text === text);
    if (known) return;
    this.lines.push(line);
    if (this.lines.length > CHAT_LINES_MAX) this.lines.shift();
    this.#listeners.call(line);
  }
}
