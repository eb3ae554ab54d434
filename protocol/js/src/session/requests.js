/**
 * Commands and chat: reliable, in order, and sent at most once.
 *
 * A command ends in exactly one outcome: its reply, its time-out, or the loss of
 * the connection. It is never sent again by itself, since nobody can tell whether
 * a lost command was carried out.
 *
 * @module
 */

import { CHAT_BYTES_MAX, COMMAND_BYTES_MAX } from "../limits.js";
import { writeChat, writeCommand } from "../message.js";

/** Commands without an outcome. At the limit a further one is refused. */
export const COMMANDS_MAX = 64;
/** Commands and chat lines that wait to be sent. At the limit a further one is refused. */
export const REQUESTS_WAITING_MAX = 64;

/**
 * Why something is not sent; nothing of it was queued. There is no joined
 * connection; the body is over its limit; too much is waiting already.
 *
 * @typedef {"not_joined" | "too_long" | "busy"} SendFault
 */

/** @typedef {{ id: number | undefined, body: Uint8Array }} Request a command, or chat without an id */
/** @typedef {(outcome: import("./events.js").Outcome) => void} Settle takes a command's one outcome */

export class Requests {
  #next = 0;
  /**
   * Commands without an outcome, oldest first, and when each times out.
   *
   * @type {Map<number, { due: number, settle: Settle }>}
   */
  #open = new Map();
  /** What is not sent yet. @type {Request[]} */
  #waiting = [];

  /**
   * @param {Uint8Array} body
   * @param {number} timeout
   * @param {number} now
   * @param {Settle} settle
   * @returns {SendFault | undefined}
   */
  command(body, timeout, now, settle) {
    if (body.length > COMMAND_BYTES_MAX) return "too_long";
    if (this.#open.size >= COMMANDS_MAX || this.#waiting.length >= REQUESTS_WAITING_MAX) return "busy";
    const id = this.#next;
    this.#next = (this.#next + 1) >>> 0;
    this.#open.set(id, { due: now + timeout, settle });
    this.#waiting.push({ id, body });
    return undefined;
  }

  /** @param {Uint8Array} text in UTF-8 @returns {SendFault | undefined} */
  chat(text) {
    if (text.length > CHAT_BYTES_MAX) return "too_long";
    if (this.#waiting.length >= REQUESTS_WAITING_MAX) return "busy";
    this.#waiting.push({ id: undefined, body: text });
    return undefined;
  }

  /** Writes the next message, if there is one. @param {import("../codec.js").Writer} w */
  send(w) {
    const request = this.#waiting.shift();
    if (!request) return false;
    if (request.id === undefined) writeChat(w, request.body);
    else writeCommand(w, request.id, request.body);
    return true;
  }

  /**
   * A command has its outcome; whether anybody waited for it.
   *
   * @param {number} id
   * @param {import("./events.js").Outcome} outcome
   */
  settle(id, outcome) {
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.settle(outcome);
    return open !== undefined;
  }

  /** Commands that have waited too long fail. @param {number} now */
  expire(now) {
    for (const [id, { due }] of this.#open) {
      if (due > now) continue;
      // What is reported as failed must not be carried out after that.
      this.#waiting = this.#waiting.filter((request) => request.id !== id);
      this.settle(id, { is: "timed_out" });
    }
  }

  /** Commands are lost with the connection. */
  lose() {
    this.#waiting.length = 0;
    for (const id of this.#open.keys()) this.settle(id, { is: "connection_lost" });
  }

  /** When the next command times out. */
  get due() {
    return Math.min(...Array.from(this.#open.values(), ({ due }) => due));
  }
}
