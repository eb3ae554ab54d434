/**
 * The client's estimate of the server's tick clock, and the tick that an input is for.
 *
 * Each pong is one sample. Of the last {@link SAMPLES} the one with the shortest
 * round trip decides, since the error of a sample is at most half of its round
 * trip. The estimate runs up to 5 % faster or slower until it agrees; only when
 * it is off by more than {@link SNAP_TICKS} (or at the first sample) it is set.
 *
 * Times and spans are whole microseconds. A point in server time is a number of
 * ticks with its fraction.
 *
 * @module
 */

/** How many samples compete for the shortest round trip. */
export const SAMPLES = 16;
/** The estimate runs at most one part in this many faster or slower than the local clock. */
export const SLEW_DIVISOR = 20;
/** An estimate that is off by more ticks than this is set, not slewed. */
export const SNAP_TICKS = 10;
/** A pong that took longer is ignored: it says less about the clock than a guess would. */
export const RTT_MAX = 10_000_000;

/** @typedef {{ min: number, smoothed: number, jitter: number }} Rtt microseconds */
/** @typedef {{ rtt: number, offset: number }} Sample `offset` is server time less local time */

/** The estimate of the server's tick clock. */
export class Clock {
  /** The last samples, oldest first. @type {Sample[]} */
  #samples = [];
  #smoothed = 0;
  #jitter = 0;
  /** The offset that applied at the local time `#anchored`; from there it slews to `#target`. */
  #anchor = 0;
  #anchored = 0;
  #target = 0;
  /** The latest point given out since the last snap. */
  #floor = 0;

  /** @param {number} tickMicros how long a tick lasts */
  constructor(tickMicros) {
    this.tickMicros = tickMicros;
  }

  /**
   * Takes in a pong: when its ping was sent, when the pong was received, and
   * where the server's clock was when it answered.
   *
   * @param {number} sent
   * @param {number} received
   * @param {import("./message.js").ServerClock} clock
   * @returns {"ignored" | "slewed" | "snapped"} what it did to the estimate
   */
  sample(sent, received, clock) {
    const rtt = received - sent;
    if (rtt < 0 || rtt > RTT_MAX) return "ignored";
    this.#measure(rtt);
    const stamp = clock.tick * this.tickMicros + clock.micros;
    const sample = { rtt, offset: stamp + rtt / 2 - received };
    const first = this.#samples.length === 0;
    const before = this.#best();
    // Both cannot be true of one clock, so the server's has jumped: the past is void.
    if (before !== undefined && this.#disagree(sample, before)) this.#samples.length = 0;
    if (this.#samples.length === SAMPLES) this.#samples.shift();
    this.#samples.push(sample);
    this.#anchor = this.#offset(received);
    this.#anchored = Math.max(this.#anchored, received);
    this.#target = (this.#best() ?? sample).offset;
    if (first || Math.abs(this.#target - this.#anchor) > SNAP_TICKS * this.tickMicros) {
      this.#anchor = this.#target;
      this.#floor = 0;
      return "snapped";
    }
    return "slewed";
  }

  /** The round trip as measured. @returns {Rtt | undefined} */
  get rtt() {
    const best = this.#best();
    return best && { min: best.rtt, smoothed: this.#smoothed, jitter: this.#jitter };
  }

  /**
   * Where the server's clock stands, in ticks; it never goes backwards but when it is set.
   *
   * @param {number} now
   * @returns {number | undefined}
   */
  serverTick(now) {
    const micros = this.serverMicros(now);
    if (micros === undefined) return undefined;
    this.#floor = Math.max(this.#floor, micros / this.tickMicros);
    return this.#floor;
  }

  /**
   * The same in microseconds, without a floor.
   *
   * @param {number} now
   * @returns {number | undefined}
   */
  serverMicros(now) {
    return this.#samples.length > 0 ? now + this.#offset(now) : undefined;
  }

  /** @param {number} rtt */
  #measure(rtt) {
    if (this.#samples.length === 0) this.#smoothed = rtt;
    const error = rtt - this.#smoothed;
    this.#smoothed += error / 8;
    this.#jitter += (Math.abs(error) - this.#jitter) / 4;
  }

  #best() {
    return this.#samples.reduce(
      (/** @type {Sample | undefined} */ best, it) => (best && best.rtt <= it.rtt ? best : it),
      undefined,
    );
  }

  /**
   * Whether two samples contradict each other. Each is right to half of its
   * round trip; one tick more is for a server that stamps late.
   *
   * @param {Sample} a
   * @param {Sample} b
   */
  #disagree(a, b) {
    return Math.abs(a.offset - b.offset) > (a.rtt + b.rtt) / 2 + this.tickMicros;
  }

  /** @param {number} now */
  #offset(now) {
    const reach = Math.max(now - this.#anchored, 0) / SLEW_DIVISOR;
    const missing = this.#target - this.#anchor;
    return this.#anchor + Math.min(Math.max(missing, -reach), reach);
  }
}

/** The reported depth should stay at or above this at its shallowest. */
export const DEPTH_LOW = 1;
/** A depth that stays above this is shrunk: each tick of it is a tick of input lag. */
export const DEPTH_HIGH = 2;
/** The margin never exceeds this many ticks. */
export const MARGIN_TICKS_MAX = 16;
/** The most that one late report adds, in ticks. */
const GROWTH_TICKS_MAX = 4;
const MARGIN_TICKS_INITIAL = 2;
/** The margin shrinks only after this long, and this many reports, without a shallow one. */
const SHRINK_AFTER = 1_000_000;
const SHRINK_REPORTS = 8;

/**
 * Says which tick an input made now is for: late enough to arrive in time, and no later.
 *
 * That is the server's tick when the input arrives (now plus half a round trip)
 * plus a margin, which follows the depth that the server reports.
 */
export class InputLead {
  #margin;
  /** Reports before this time speak of inputs stamped before the margin's last change. */
  #settled = 0;
  /** The shallowest report since `#calmSince`, and how many there were. */
  #shallowest = Infinity;
  #reports = 0;
  #calmSince = 0;
  #newest = 0;

  /** @param {number} tickMicros how long a tick lasts */
  constructor(tickMicros) {
    this.tickMicros = tickMicros;
    this.#margin = MARGIN_TICKS_INITIAL * tickMicros;
  }

  /** The margin as it stands, in microseconds. */
  get margin() {
    return this.#margin;
  }

  /**
   * The tick for an input made now. It never goes backwards, even when the clock
   * does: it then stands still until the clock has caught up.
   *
   * @param {Clock} clock
   * @param {number} now
   * @returns {number | undefined}
   */
  stamp(clock, now) {
    const [server, rtt] = [clock.serverMicros(now), clock.rtt];
    if (server === undefined || !rtt) return undefined;
    const arrival = server + rtt.smoothed / 2;
    const tick = Math.floor((arrival + this.#margin) / this.tickMicros);
    this.#newest = Math.min(Math.max(this.#newest, tick), 2 ** 32 - 1);
    return this.#newest;
  }

  /**
   * Takes in the depth that a frame reported: how many ticks the newest input lay
   * ahead of the tick that the server had processed; negative if it came too late.
   *
   * @param {Clock} clock
   * @param {number} depth
   * @param {number} now
   */
  depthReported(clock, depth, now) {
    if (now < this.#settled) return;
    if (depth < DEPTH_LOW) {
      const missing = DEPTH_LOW - depth;
      // Depth 0 was in time, if barely; it asks for a little, lateness for all of it.
      const ticks = depth < 0 ? Math.min(missing, GROWTH_TICKS_MAX) : 0.25;
      this.#change(ticks * this.tickMicros, clock, now);
      return;
    }
    this.#shallowest = Math.min(this.#shallowest, depth);
    this.#reports += 1;
    if (this.#reports >= SHRINK_REPORTS && now - this.#calmSince >= SHRINK_AFTER) {
      const excess = Math.min(Math.max(this.#shallowest - DEPTH_HIGH, 0), 4);
      this.#change((-excess * this.tickMicros) / 4, clock, now);
    }
  }

  /**
   * Changes the margin and starts to observe anew; after growth, only once inputs
   * stamped with it can have been reported on.
   *
   * @param {number} by
   * @param {Clock} clock
   * @param {number} now
   */
  #change(by, clock, now) {
    const margin = this.#margin + by;
    this.#margin = Math.min(Math.max(margin, 0), MARGIN_TICKS_MAX * this.tickMicros);
    if (by !== 0) this.#settled = now + (clock.rtt?.smoothed ?? 0) + 2 * this.tickMicros;
    this.#calmSince = now;
    this.#shallowest = Infinity;
    this.#reports = 0;
  }
}
