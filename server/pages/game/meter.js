/** What a room's connection does, in numbers for the panel. */

/** @typedef {import("/client/index.js").Room<any>} Room */

export class Meter {
  /** Of all frames so far. */
  bytes = 0;
  frames = 0;
  /** Ticks that had no frame of their own, because a later one stands for them too. */
  merged = 0;
  #framesMerged = 0;
  #tick = -1;
  #heard = performance.now();

  /** @param {Room} room */
  constructor(room) {
    this.room = room;
    room.onFrame((tick) => this.#frame(tick));
  }

  /** @param {number} tick */
  #frame(tick) {
    const { frameBytes, framesMerged } = this.room.network;
    this.#heard = performance.now();
    this.bytes += frameBytes;
    this.frames += 1;
    if (framesMerged > this.#framesMerged) this.merged += tick - this.#tick - 1;
    this.#framesMerged = framesMerged;
    this.#tick = tick;
  }

  /** Since the last frame. */
  get silentMs() {
    return performance.now() - this.#heard;
  }

  get reading() {
    const { rtt, staleness, viewDelay, frameBytes, framesMerged } = this.room.network;
    return { rtt: rtt?.smoothed ?? NaN, staleness, viewDelay, frameBytes, framesMerged };
  }
}
