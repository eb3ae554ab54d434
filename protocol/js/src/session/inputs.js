/**
 * The player's controls on their way to the server.
 *
 *     set ──► held (what is in force) ──► waiting (changes, each for a tick) ──► one batch
 *
 * An input holds until the next one, so only changes travel, and a tick has one
 * input: a change for a tick whose input was not sent yet replaces it, and one
 * for a tick whose input is on its way is for the tick after, and waits that
 * long. So however often an application sets it, an input travels at most once a tick.
 *
 * Sequence numbers count up by one and ticks never go back, over all connections
 * of a session; at most {@link INPUTS_PER_BATCH_MAX} wait, so they fit one message.
 *
 * @module
 */

import { INPUTS_PER_BATCH_MAX, TICK_MAX } from "../limits.js";

/**
 * What became of an input that changed something: its number, of which
 * `processed` speaks, and the tick that it is for. A change that replaced one
 * which was not sent yet has that one's.
 *
 * @typedef {{ sequence: number, tick: number }} InputStamp
 */

/** @param {Uint8Array} a @param {Uint8Array} b */
function equal(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export class InputQueue {
  /** What the application wants to be in force; nothing before it said so. @type {Uint8Array | undefined} */
  #held;
  /** @type {import("../message.js").StampedInput[]} */
  #waiting = [];
  /** The number of the next input. */
  #next = 0;
  /** When what waits may be sent. */
  due = Infinity;
  /**
   * The last tick that an input was sent for, and when; nothing on a new time line.
   *
   * @type {{ tick: number, at: number } | undefined}
   */
  #last;
  /** Whether the input in force has to be stamped. */
  isChanged = false;

  /** Puts an input into force. @param {Uint8Array} body */
  set(body) {
    if (this.#held !== undefined && equal(this.#held, body)) return;
    this.#held = body;
    this.isChanged = true;
  }

  /**
   * Queues the input in force. `tick` is the one that an input made now is for.
   *
   * @param {number} tick
   * @param {number} now
   * @param {number} interval how long a tick lasts
   * @returns {InputStamp}
   */
  stamp(tick, now, interval) {
    this.isChanged = false;
    const body = this.#held ?? new Uint8Array(0);
    const back = this.#waiting.at(-1);
    const full = this.#waiting.length === INPUTS_PER_BATCH_MAX;
    if (back && (full || tick <= back.tick)) {
      back.tick = Math.max(back.tick, tick);
      back.body = body;
      return { sequence: back.sequence, tick: back.tick };
    }
    this.due = Math.min(this.due, now);
    if (!back && this.#last !== undefined && tick <= this.#last.tick) {
      this.due = this.#last.at + interval;
      tick = Math.min(Math.max(this.#last.tick, tick + 1), TICK_MAX);
    }
    const sequence = this.#next;
    this.#next = (this.#next + 1) >>> 0;
    this.#waiting.push({ sequence, tick, body });
    return { sequence, tick };
  }

  /**
   * What is to be sent, and is then on its way.
   *
   * @param {number} now
   * @returns {import("../message.js").StampedInput[]}
   */
  take(now) {
    if (this.due > now) return [];
    const batch = this.#waiting;
    this.#last = { tick: batch[batch.length - 1].tick, at: now };
    this.#waiting = [];
    this.due = Infinity;
    return batch;
  }

  /** What was on its way may not have arrived: the input in force has to be sent again. */
  lost() {
    this.#waiting = [];
    this.due = Infinity;
    this.isChanged = this.#held !== undefined;
  }

  /** The server counts other ticks now than before. */
  newTimeLine() {
    this.lost();
    this.#last = undefined;
  }

  /** The input in force means nothing any more: the schema is another one. */
  forget() {
    this.#held = undefined;
    this.newTimeLine();
  }
}
