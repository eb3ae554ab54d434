/**
 * When to try again after a connection was lost, and when to stop.
 *
 * The delay is drawn evenly from zero to a bound that doubles with each attempt
 * (full jitter), so that the clients of a server that went down do not come back
 * in step. A minimum that the server asked for comes first, and the draw goes on top.
 *
 * A connection counts as a success only once it has held for a while, so a
 * server that accepts and drops is not hammered.
 *
 * @module
 */

/** The longest minimum delay that a server can impose, in microseconds. */
export const RETRY_AFTER_MAX = 300_000_000;

/**
 * How patient a client is; times in microseconds.
 *
 * @typedef {object} Policy
 * @property {number} delayBase the bound of the first delay
 * @property {number} delayCap the bound stops doubling here
 * @property {number} attemptsMax how many attempts an outage gets
 * @property {number} outageMax how long an outage may last, from the first loss on
 * @property {number} stableAfter how long a connection must hold for the outage to be over
 */

/** @type {Policy} */
export const PATIENCE = {
  delayBase: 250_000,
  delayCap: 15_000_000,
  attemptsMax: 20,
  outageMax: 180_000_000,
  stableAfter: 10_000_000,
};

/** The state of one client's connection over its losses. */
export class Reconnect {
  /** When the present outage began, if one is known. @type {number | undefined} */
  #outageSince;
  /** When the present connection was made, if there is one. @type {number | undefined} */
  #connectedAt;
  /** Attempts granted since the last connection that held. */
  attempts = 0;

  /** @param {Policy} policy */
  constructor(policy) {
    this.policy = policy;
  }

  /** The handshake succeeded. @param {number} now */
  connected(now) {
    this.#connectedAt = now;
  }

  /**
   * The connection was lost, or an attempt failed.
   *
   * @param {number} now
   * @param {number} retryAfter the minimum that the server gave with its close reason, or 0
   * @param {number} random even over 0 to 1
   * @returns {number | undefined} when to connect; nothing when it is time to give up
   */
  lost(now, retryAfter, random) {
    const { delayBase, delayCap, attemptsMax, outageMax, stableAfter } = this.policy;
    if (this.#connectedAt !== undefined && now - this.#connectedAt >= stableAfter) {
      this.#outageSince = undefined;
      this.attempts = 0;
    }
    this.#connectedAt = undefined;
    this.#outageSince ??= now;
    const minimum = Math.min(retryAfter, RETRY_AFTER_MAX);
    const remaining = outageMax - (now - this.#outageSince);
    if (this.attempts >= attemptsMax || remaining < minimum) return undefined;
    const bound = Math.min(delayBase * 2 ** this.attempts, delayCap);
    this.attempts += 1;
    return now + Math.min(minimum + Math.round(bound * random), remaining);
  }
}
