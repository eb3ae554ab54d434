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
   * @param {boolean} isMerged whether it is not the next of the frames that were to come
   * @param {number} interval how long after the one before it was to come
   */
  applied(now, isMerged, interval) {
    const isLate = this.#arrived !== undefined && now - this.#arrived > 1.5 * interval;
    this.#arrived = now;
    this.due = Math.min(this.due, isMerged || isLate ? now : now + ACK_INTERVAL);
  }
}
