/**
 * When to ask the server for the time, and whether it is still there.
 *
 * A burst after the welcome gives the clock a good sample soon, a ping now and
 * then keeps it. A connection from which nothing comes is asked once more before
 * it is given up: an application that was not run for a while (a hidden tab, a
 * closed lid) finds the deadline passed and the messages unread.
 *
 * Times are in microseconds.
 *
 * @module
 */

/** How many pings the burst after the welcome has. */
export const PING_BURST = 4;
/** How far apart they are. */
export const PING_BURST_INTERVAL = 250_000;
/** How far apart pings are after it. */
export const PING_INTERVAL = 2_000_000;
/** A connection from which nothing came for so long is doubted … */
export const SILENCE_MAX = 8_000_000;
/** … and given up if nothing comes for so long after it was asked once more. */
export const PROBE_TIMEOUT = 4_000_000;
/** Pings whose answer is waited for. At the limit the oldest is given up. */
const UNANSWERED_MAX = 8;

/** The pings of one connection. */
export class Pings {
  /** When the next ping is due. */
  #next;
  #sent = 0;
  /** When each was sent that has no answer, oldest first; the time is the stamp. @type {number[]} */
  #unanswered = [];
  /** When something last came from the server. */
  #heard;
  /** When the connection is given up, if it is in doubt. @type {number | undefined} */
  #giveUp;

  /** The connection was welcomed. @param {number} now */
  constructor(now) {
    this.#next = now;
    this.#heard = now;
  }

  /** Something came from the server. @param {number} now */
  heard(now) {
    this.#heard = now;
    this.#giveUp = undefined;
  }

  /** Time has passed; `false` if the connection is dead. @param {number} now */
  check(now) {
    if (this.#giveUp !== undefined) return now < this.#giveUp;
    if (this.#heard + SILENCE_MAX <= now) {
      this.#giveUp = now + PROBE_TIMEOUT;
      this.#next = now;
    }
    return true;
  }

  /** Whether a ping is to be sent. @param {number} now */
  isReady(now) {
    return this.#next <= now;
  }

  /** When there is something to do. */
  get due() {
    return Math.min(this.#giveUp ?? this.#heard + SILENCE_MAX, this.#next);
  }

  /** A ping is sent; gives its stamp. @param {number} now */
  send(now) {
    this.#sent += 1;
    this.#next = now + (this.#sent < PING_BURST ? PING_BURST_INTERVAL : PING_INTERVAL);
    if (this.#unanswered.length === UNANSWERED_MAX) this.#unanswered.shift();
    this.#unanswered.push(now);
    return now;
  }

  /** A pong came; whether its ping was sent and has no other answer. @param {number} stamp */
  answered(stamp) {
    const place = this.#unanswered.indexOf(stamp);
    if (place >= 0) this.#unanswered.splice(place, 1);
    return place >= 0;
  }
}
