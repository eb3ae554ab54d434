/**
 * Rendering between frames: where to render, and what an entity's fields were there.
 *
 *              oldest kept ........ render position ........ newest frame . . +2 ticks
 *     track:      sample    hold     sample        sample │
 *                                  ╰── lerp ──╯   cut: no lerp into this one
 *
 * A {@link Playhead} (one per session) turns frame arrivals into a render position
 * that lies a *delay* behind the server: as much as frames are apart, plus as much
 * as they come late. A {@link Track} (one per row that somebody looks at) keeps the
 * recent motion of a row and blends two samples.
 *
 * The render position never goes backwards, and never runs more than
 * {@link EXTRAPOLATION_TICKS_MAX} past the newest frame. An entity that does not
 * move costs nothing per frame.
 *
 * Times and spans are whole microseconds; positions are ticks with their fraction.
 *
 * @module
 */

/** The render position lies at least this far behind the server. */
export const DELAY_MIN = 50_000;
/** And at most this far: beyond it, a stutter is better than more lag. */
export const DELAY_MAX = 250_000;
/** How far past the newest frame a motion is continued when frames stop. */
export const EXTRAPOLATION_TICKS_MAX = 2;
/** How many samples a track keeps: {@link DELAY_MAX} at 60 frames per second. */
export const TRACK_SAMPLES_MAX = 16;

/** How many frames compete for the fastest transit. */
const TRANSITS = 64;
/** To build up delay, playing slows down by at most one part in this many … */
const SLOWDOWN_DIVISOR = 4;
/** … and to give it back, it speeds up by at most one part in this many. */
const SPEEDUP_DIVISOR = 10;
/** Measured lateness is forgotten at 1 µs in this many: 20 ms per second. */
const FORGET_DIVISOR = 50;

/** Turns the arrivals of frames into the position to render at. */
export class Playhead {
  /** Arrival less tick start, of the last frames, oldest first. @type {number[]} */
  #transits = [];
  /** The least of them: what an undisturbed frame takes. */
  #fastest = 0;
  /** How far frames are apart, and how much later than the fastest they come. */
  #spacing;
  #lateness = 0;
  #arrived = 0;
  /**
   * The last position given out (in microseconds), and for what time.
   *
   * @type {{ position: number, now: number } | undefined}
   */
  #played;
  /** The tick of the newest applied frame. @type {number | undefined} */
  newest;
  /** That of the frame applied before it. @type {number | undefined} */
  previous;

  /**
   * @param {number} tickMicros how long a tick lasts
   * @param {number} sendMicros how far frames are apart
   */
  constructor(tickMicros, sendMicros) {
    this.tickMicros = tickMicros;
    this.sendMicros = Math.min(sendMicros, DELAY_MAX);
    this.#spacing = this.sendMicros;
  }

  /** How far behind the server the position aims to be. */
  get delay() {
    return Math.min(Math.max(this.#spacing + this.#lateness, DELAY_MIN), DELAY_MAX);
  }

  /**
   * Takes in that the frame of a tick was applied. One that is not newer than the newest is ignored.
   *
   * @param {number} tick
   * @param {number} arrival
   */
  frameApplied(tick, arrival) {
    if (this.newest !== undefined && tick <= this.newest) return;
    const transit = arrival - tick * this.tickMicros;
    const late = this.#transits.length === 0 ? 0 : transit - this.#fastest;
    // More than a slow frame: the server lost time, or the link did. Start from
    // here; if it was the link, the next fast frame says so.
    if (late > 2 * DELAY_MAX) this.#transits.length = 0;
    if (this.#transits.length === TRANSITS) this.#transits.shift();
    this.#transits.push(transit);
    this.#fastest = Math.min(...this.#transits);
    const gap = this.newest === undefined ? 0 : (tick - this.newest) * this.tickMicros;
    const forget = Math.max(arrival - this.#arrived, 0) / FORGET_DIVISOR;
    this.#spacing = follow(this.#spacing, Math.max(gap, this.sendMicros), forget);
    this.#lateness = follow(this.#lateness, Math.max(late, 0), forget);
    this.#arrived = Math.max(this.#arrived, arrival);
    this.previous = this.newest;
    this.newest = tick;
  }

  /**
   * The position to render at; nothing before the first frame.
   *
   * @param {number} now
   * @returns {number | undefined}
   */
  position(now) {
    if (this.newest === undefined) return undefined;
    const end = (this.newest + EXTRAPOLATION_TICKS_MAX) * this.tickMicros;
    const target = now - this.#fastest - this.delay;
    let next = target;
    if (this.#played !== undefined) {
      const step = Math.max(now - this.#played.now, 0);
      const behind = target - (this.#played.position + step);
      if (behind <= DELAY_MAX) {
        const change = Math.min(Math.max(behind, -step / SLOWDOWN_DIVISOR), step / SPEEDUP_DIVISOR);
        next = this.#played.position + step + change;
      }
    }
    const position = Math.min(next, end);
    this.#played = { position, now: Math.max(now, this.#played?.now ?? now) };
    return Math.max(position, 0) / this.tickMicros;
  }
}

/**
 * A running measure that grows fast and shrinks slowly, no larger than the largest delay.
 *
 * @param {number} measure
 * @param {number} seen
 * @param {number} forget
 */
function follow(measure, seen, forget) {
  const capped = Math.min(seen, DELAY_MAX);
  return capped > measure ? measure + (capped - measure) / 2 : Math.max(measure - forget, capped);
}

/**
 * A blend of two values that is exact at both ends and for a value that rests.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} part 0 gives `from`, 1 gives `to`, a little more goes on
 */
export function lerp(from, to, part) {
  return from === to ? to : from * (1 - part) + to * part;
}

/**
 * A blend on a circle, the shorter way round: a heading, or a coordinate of a
 * space whose edges meet.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} part
 * @param {number} low the coordinate that comes after `low + span`
 * @param {number} span
 */
export function lerpAround(from, to, part, low, span) {
  const forward = modulo(to - from, span);
  const way = forward > span / 2 ? forward - span : forward;
  return low + modulo(from - low + way * part, span);
}

/** @param {number} value @param {number} span */
function modulo(value, span) {
  const rest = value % span;
  return rest < 0 ? rest + span : rest;
}

/** Numbers of a sample before its cells: its tick, and whether the value did not move there from the one before. */
const HEAD = 2;

/**
 * The recent motion of one row: up to {@link TRACK_SAMPLES_MAX} samples, each the
 * row's motion cells at a tick. After it was made it allocates nothing.
 *
 * An entity that did not change is not sent, so its last value holds. Nothing is
 * written for that while it lasts: when the next value comes, the frame before it
 * is known, and the track then learns that the old value held until there.
 */
export class Track {
  #motions;
  /** A ring of samples. */
  #samples;
  #stride;
  /** Where the newest stands, and how many there are. */
  #head = 0;
  #count = 0;

  /** @param {import("./schema/layout.js").TableLayout} layout */
  constructor({ motions }) {
    this.#motions = motions;
    this.#stride = HEAD + motions.length;
    this.#samples = new Float64Array(TRACK_SAMPLES_MAX * this.#stride);
  }

  /**
   * The row has these cells in the frame of a tick. If it did not move there
   * (`previous` is not given, or it is the first sample), nothing is blended across;
   * else its last value still held in the frame `previous`. Two samples of one tick:
   * the later counts. An older tick is ignored.
   *
   * @param {Float64Array} cells
   * @param {number} at
   * @param {number} tick
   * @param {number | undefined} previous
   */
  push(cells, at, tick, previous) {
    const last = this.#place(0);
    if (previous !== undefined && this.#count > 0 && this.#samples[last] < previous && previous < tick) {
      const held = this.#next(previous);
      this.#samples.copyWithin(held + 1, last + 1, last + this.#stride);
      this.#samples[held + 1] = 0;
    }
    const isCut = previous === undefined || this.#count === 0;
    const place = this.#next(tick);
    if (place < 0) return;
    this.#samples[place + 1] = isCut ? 1 : this.#samples[place + 1];
    this.#motions.forEach((motion, leaf) => (this.#samples[place + HEAD + leaf] = cells[at + motion.at]));
  }

  /**
   * The cell of a motion leaf at a position; `newest` is the tick of the newest applied frame.
   *
   * Before the oldest sample it is the oldest value. After the newest it is the
   * newest value, unless the entity was moving in the newest frame: then the motion
   * goes on for at most {@link EXTRAPOLATION_TICKS_MAX}.
   *
   * @param {number} leaf
   * @param {number} position
   * @param {number} newest
   * @returns {number | undefined} nothing without samples
   */
  sample(leaf, position, newest) {
    const samples = this.#samples;
    let later = this.#place(0);
    for (let age = 1; age < this.#count; age++) {
      const place = this.#place(age);
      const isPast = position >= samples[later];
      if (isPast || position >= samples[place]) {
        // Past a newest sample that rests, or up to one that did not move there, nothing moves.
        if (isPast && samples[later] < newest) break;
        if (samples[later + 1] !== 0) return samples[(isPast ? later : place) + HEAD + leaf];
        const end = Math.min(position, samples[later] + EXTRAPOLATION_TICKS_MAX);
        return this.#blend(leaf, place, later, (end - samples[place]) / (samples[later] - samples[place]));
      }
      later = place;
    }
    return this.#count === 0 ? undefined : samples[later + HEAD + leaf];
  }

  /** @param {number} leaf @param {number} from @param {number} to @param {number} part */
  #blend(leaf, from, to, part) {
    const { around, lowest, highest } = this.#motions[leaf].scalar;
    const [a, b] = [this.#samples[from + HEAD + leaf], this.#samples[to + HEAD + leaf]];
    if (around > 0) return lerpAround(a, b, part, lowest, around);
    return Math.min(Math.max(lerp(a, b, part), lowest), highest);
  }

  /** Where the sample starts that is `age` samples older than the newest. @param {number} age */
  #place(age) {
    return ((this.#head - age) & (TRACK_SAMPLES_MAX - 1)) * this.#stride;
  }

  /**
   * Where a sample of a tick goes: over the newest if it is of the same tick, nowhere if it is older.
   *
   * @param {number} tick
   */
  #next(tick) {
    const newest = this.#place(0);
    if (this.#count > 0 && tick <= this.#samples[newest]) return tick === this.#samples[newest] ? newest : -1;
    this.#head += 1;
    this.#count = Math.min(this.#count + 1, TRACK_SAMPLES_MAX);
    const place = this.#place(0);
    this.#samples[place] = tick;
    this.#samples[place + 1] = 0;
    return place;
  }
}
