/**
 * Prediction of the client's own entity, reconciliation with the server, and
 * hiding the correction.
 *
 *     settled at 41 │ 42 43 44 45 46   pending: each tick's input, and the state after it
 *                      ▲
 *     a frame tells the state after 42: same → 42 is settled, and nothing else happens
 *                                       other → 42 is settled as told, and 43 to 46 run again
 *
 * The rules come in as a `step` function, the same that the server runs: it
 * takes a state, an input and a tick, and gives the next state (or changes the
 * state that it is given, which is a copy). What "same" means is the caller's
 * too, because the wire quantises.
 *
 * @module
 */

/**
 * How many ticks can be predicted ahead of the server: over 2 s at 60 Hz. At the
 * limit prediction stands still until the server has spoken, so that every tick
 * it speaks of can be compared.
 */
export const PENDING_MAX = 128;

/**
 * @template S, I
 * @typedef {{ tick: number, input: I, state: S }} Pending `state` after `tick`
 */

/**
 * What a reconciliation found. *stale*: the tick was settled before. *confirmed*:
 * the prediction was right. *adopted*: there was none for this tick or a later
 * one. *corrected*: it was wrong, or missing; `before` is the newest state as it
 * was predicted, whose distance from the state now is the error to hide.
 *
 * @template S
 * @typedef {{ result: "stale" | "confirmed" | "adopted" }
 *   | { result: "corrected", before: S, replayed: number }} Reconciled
 */

/**
 * Runs ahead of the server with the client's own inputs.
 *
 * @template S, I
 */
export class Predictor {
  #step;
  #isSame;
  #copy;
  /** The last tick that the server has spoken about. */
  #settled;
  /** The state after it. @type {S} */
  #base;
  /**
   * The input of the last tick that left `#pending`: what the server goes on repeating.
   *
   * @type {I | undefined}
   */
  #held;
  /**
   * Ticks rise strictly, all above `#settled`. A tick that is missing was never predicted.
   *
   * @type {Pending<S, I>[]}
   */
  #pending = [];

  /**
   * @param {object} rules
   * @param {(state: S, input: I, tick: number) => S | void} rules.step
   * @param {(predicted: S, told: S) => boolean} rules.isSame
   * @param {(state: S) => S} [rules.copy] without it a state is an object of plain values
   * @param {number} tick
   * @param {S} state the server's, after that tick
   */
  constructor({ step, isSame, copy }, tick, state) {
    this.#step = step;
    this.#isSame = isSame;
    this.#copy = copy ?? ((/** @type {S} */ state) => ({ ...state }));
    this.#settled = tick;
    this.#base = state;
  }

  /** The newest state: predicted, or the server's if nothing is pending. */
  get state() {
    return this.#pending.at(-1)?.state ?? this.#base;
  }

  /** The tick after which it holds. */
  get newest() {
    return this.#pending.at(-1)?.tick ?? this.#settled;
  }

  /** How many predicted ticks the server has not spoken about. */
  get pending() {
    return this.#pending.length;
  }

  /**
   * Steps to `tick` with an input, and gives the state after it.
   *
   * Ticks that were skipped are stepped with the input before, as the server does
   * while an input is held. A second input for the newest tick replaces the first.
   * A tick before that, or settled, changes nothing, and neither does one beyond
   * {@link PENDING_MAX} pending ticks.
   *
   * @param {number} tick
   * @param {I} input
   * @returns {S}
   */
  push(tick, input) {
    const last = this.#pending.at(-1);
    if (tick < (last?.tick ?? this.#settled + 1)) return this.state;
    if (tick === last?.tick) this.#pending.pop();
    const before = this.#pending.at(-1);
    const held = before === undefined ? this.#held : before.input;
    if (held !== undefined) {
      while (this.newest + 1 < tick && this.#pending.length < PENDING_MAX) {
        this.#advance(this.newest + 1, held);
      }
    }
    if (this.#pending.length < PENDING_MAX) this.#advance(tick, input);
    return this.state;
  }

  /**
   * Takes in the server's state after a tick.
   *
   * @param {number} tick
   * @param {S} state
   * @returns {Reconciled<S>}
   */
  reconcile(tick, state) {
    if (tick <= this.#settled) return { result: "stale" };
    const newest = this.#pending.at(-1)?.state;
    const done = this.#pending.findLast((it) => it.tick <= tick);
    this.#settled = tick;
    this.#pending = this.#pending.filter((it) => it.tick > tick);
    if (done !== undefined) this.#held = done.input;
    const predicted = done?.tick === tick ? done.state : undefined;
    if (predicted !== undefined && this.#isSame(predicted, state)) {
      this.#base = predicted;
      return { result: "confirmed" };
    }
    this.#base = state;
    const before = this.#pending.length > 0 ? newest : predicted;
    if (before === undefined) return { result: "adopted" };
    return { result: "corrected", before, replayed: this.#replay() };
  }

  /** @param {number} tick @param {I} input */
  #advance(tick, input) {
    this.#pending.push({ tick, input, state: this.#after(this.state, input, tick) });
  }

  /** Runs the pending inputs again from the base. */
  #replay() {
    let state = this.#base;
    for (const it of this.#pending) state = it.state = this.#after(state, it.input, it.tick);
    return this.#pending.length;
  }

  /** @param {S} state @param {I} input @param {number} tick @returns {S} */
  #after(state, input, tick) {
    const copy = this.#copy(state);
    return /** @type {S} */ (this.#step(copy, input, tick) ?? copy);
  }
}

/**
 * Hides corrections from the eye: an offset that is added to what is drawn and
 * dies away, to 37 % in each time constant.
 *
 * An offset longer than `snapAbove` is a teleport and is dropped at once, as is
 * one that is not finite. In a wrapped space the caller gives the shorter
 * difference. Times are in milliseconds.
 */
export class Smoother {
  /** The offset as it was at `#since`. @type {number[]} */
  #offset = [];
  #since = 0;

  /**
   * @param {number} timeConstant
   * @param {number} snapAbove
   */
  constructor(timeConstant, snapAbove) {
    this.timeConstant = timeConstant;
    this.snapAbove = snapAbove;
  }

  /**
   * The simulation was corrected; `error` is where it was drawn less where it is.
   *
   * @param {number[]} error
   * @param {number} now
   */
  corrected(error, now) {
    const left = this.offset(now);
    const offset = error.map((it, axis) => (left[axis] ?? 0) + it);
    this.#since = Math.max(this.#since, now);
    // NaN, on either side, is not `<=` and snaps too.
    const keep = Math.hypot(...offset) <= this.snapAbove && this.snapAbove > 0;
    this.#offset = keep && offset.every(Number.isFinite) ? offset : offset.map(() => 0);
  }

  /**
   * What to add to the drawn position; nothing before the first correction.
   *
   * @param {number} now
   * @returns {number[]}
   */
  offset(now) {
    const age = now - this.#since;
    const left = age > 0 ? Math.exp(-age / this.timeConstant) : 1;
    return this.#offset.map((it) => it * left);
  }
}
