/**
 * The time in which the own entity is drawn: that of the tick which controls made now are for. What
 * the client measures of it moves in little jumps; this follows without any.
 */

/** Going faster or slower than time by so much is not seen … */
const SLEW = 0.04;
/** … and by so much it is, but not for long: when more than this is missing, in ticks. */
const HASTE = 0.15;
const HASTE_FROM = 2;
/** Further off, in ticks, there is nothing to follow: it is set. */
const SET_FROM = 8;
/** Stays so much behind what is measured: then a tick that begins here has begun there. */
const BEHIND = 0.2;

export class Ahead {
  #position = NaN;
  #at = 0;

  /**
   * The position now, in ticks with their fraction.
   *
   * @param {number | undefined} measured nothing while the server's time is not known
   * @param {number} tickMs how long a tick lasts
   * @param {number} now in milliseconds
   */
  position(measured, tickMs, now) {
    const passed = (now - this.#at) / tickMs;
    this.#at = now;
    if (measured === undefined) return (this.#position = NaN);
    const next = this.#position + passed;
    const off = measured - BEHIND - next;
    // Also if there was no position.
    if (!(Math.abs(off) < SET_FROM)) return (this.#position = measured - BEHIND);
    const reach = passed * (Math.abs(off) > HASTE_FROM ? HASTE : SLEW);
    return (this.#position = next + Math.min(Math.max(off, -reach), reach));
  }
}
