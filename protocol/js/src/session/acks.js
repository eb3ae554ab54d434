/**
 * When to tell the server which tick was applied.
 *
 * The server keeps only a few frames on the way to a client, and an
 * acknowledgement is what lets the next one go. Any Input message carries one,
 * so a client that plays sends none of its own.
 *
 * @module
 */

/** An applied frame is acknowledged at the latest this much later, in microseconds. */
export const ACK_INTERVAL = 100_000;

/**
 * How a frame came, compared to what the room announced.
 *
 * @typedef {object} Arrival
 * @property {number | undefined} ahead how many ticks it goes ahead; nothing for a whole state
 * @property {number} aheadExpected how many it would if it came alone
 * @property {number} gapExpected how long after the one before it would come
 */

export class Acks {
  /** When an acknowledgement is to be sent. */
  due = Infinity;
  /** When the last frame of this connection came. @type {number | undefined} */
  #arrived;

  /**
   * A frame was applied. One that came late, or for several, or brought
   * everything, shows that the way is full: then the server waits for nothing but this.
   *
   * @param {number} now
   * @param {Arrival} arrival
   */
  applied(now, { ahead, aheadExpected, gapExpected }) {
    const merged = ahead === undefined || ahead > aheadExpected;
    const late = this.#arrived !== undefined && now - this.#arrived > 1.5 * gapExpected;
    this.#arrived = now;
    this.due = Math.min(this.due, merged || late ? now : now + ACK_INTERVAL);
  }
}
