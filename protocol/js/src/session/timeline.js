/**
 * Where the server is in time, as far as this client can tell.
 *
 * @module
 */

import { Clock, InputLead } from "../clock.js";
import { Playhead } from "../interpolate.js";

/** A room's tick axis: its rates, and what is estimated on it. */
export class Timeline {
  /**
   * @param {number} tickHz
   * @param {number} sendEvery a frame every so many ticks, if the client asked for all of them
   */
  constructor(tickHz, sendEvery) {
    this.tickHz = tickHz;
    this.sendEvery = sendEvery;
    /** How long a tick lasts, in microseconds. */
    this.tickMicros = 1_000_000 / tickHz;
    this.clock = new Clock(this.tickMicros);
    this.lead = new InputLead(this.tickMicros);
    this.playhead = new Playhead(this.tickMicros, this.tickMicros * sendEvery);
  }

  /** Whether it is one of a room with these rates. @param {number} tickHz @param {number} sendEvery */
  fits(tickHz, sendEvery) {
    return this.tickHz === tickHz && this.sendEvery === sendEvery;
  }

  /** The tick that an input made now is for. @param {number} now */
  inputTick(now) {
    return this.lead.stamp(this.clock, now);
  }
}
