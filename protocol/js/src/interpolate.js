/**
 * Rendering between frames: where to render, and what an entity's fields were there.
 *
 *              oldest kept ........ render position ........ newest frame . . +2 ticks
 *     track:      sample    hold     sample        sample │
 *                                  ╰── lerp ──╯   cut: no lerp into this one
 *
 * A {@link Playhead} (one per session) turns frame arrivals into a render position
 * that lies a *delay* behind the server: as much as frames are apart, plus as much
 * as they come late. {@link Tracks} (one per table) keep the recent motion of its
 * rows and blend two samples.
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

/** Bytes that the tracks of one table may take. Rows beyond are drawn where they are. */
export const TRACKS_BYTES_MAX = 32 * 1024 * 1024;

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
  /** The last position given out (in microseconds), and for what time. @type {{ position: number, now: number } | undefined} */
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

/**
 * The recent motion of a table's rows: for each up to {@link TRACK_SAMPLES_MAX}
 * samples, each the row's motion cells at a tick. Everything lies in typed arrays
 * that grow with the rows.
 *
 * An entity that did not change is not sent, so its last value holds. Nothing is
 * written for that while it lasts: when the next value comes, the frame before it
 * is known, and the track then learns that the old value held until there.
 */
export class Tracks {
  /** Of each row: how many samples are valid, and where the newest stands. */
  #counts = new Uint8Array(0);
  #heads = new Uint8Array(0);
  /** Of each sample: its tick, and whether the value did not move there from the one before. */
  #ticks = new Float64Array(0);
  #cuts = new Uint8Array(0);
  /** Of each sample: the motion cells. */
  #cells = new Float64Array(0);

  /** @param {import("./mirror/rows.js").TableRows} rows */
  constructor(rows) {
    this.rows = rows;
    this.width = rows.layout.motions.length;
    /** Rows from here on have no track. */
    this.rowsEnd = Math.floor(TRACKS_BYTES_MAX / (8 * TRACK_SAMPLES_MAX * (this.width + 2)));
  }

  /**
   * A row appears, without having moved there: nothing is blended across.
   *
   * @param {number} row
   * @param {number} tick
   * @param {boolean} fresh whether another entity had the row before
   */
  cut(row, tick, fresh) {
    if (!this.#ensure(row)) return;
    if (fresh) this.#counts[row] = 0;
    this.#add(row, tick, true);
  }

  /**
   * A row moved in the frame of a tick; in the frame before that one the last value still held.
   *
   * @param {number} row
   * @param {number} tick
   * @param {number | undefined} previous
   */
  push(row, tick, previous) {
    if (!this.#ensure(row)) return;
    if (this.#counts[row] === 0) return this.#add(row, tick, true);
    const newest = this.#place(row, 0);
    if (previous !== undefined && this.#ticks[newest] < previous && previous < tick) {
      this.#hold(row, newest, previous);
    }
    this.#add(row, tick, false);
  }

  /**
   * The cell of a motion leaf at a position; `newest` is the tick of the newest applied frame.
   *
   * Before the oldest sample it is the oldest value. After the newest it is the
   * newest value, unless the entity was moving in the newest frame: then the motion
   * goes on for at most {@link EXTRAPOLATION_TICKS_MAX}.
   *
   * @param {number} row
   * @param {number} leaf
   * @param {number} position
   * @param {number} newest
   * @returns {number | undefined} nothing for a row without samples
   */
  sample(row, leaf, position, newest) {
    const count = this.#counts[row] ?? 0;
    if (count === 0) return undefined;
    let later = this.#place(row, 0);
    if (position >= this.#ticks[later]) return this.#afterNewest(row, leaf, position, newest);
    for (let age = 1; age < count; age++) {
      const place = this.#place(row, age);
      if (position >= this.#ticks[place]) {
        if (this.#cuts[later] !== 0) return this.#cell(place, leaf);
        const whole = this.#ticks[later] - this.#ticks[place];
        return this.#blend(leaf, place, later, (position - this.#ticks[place]) / whole);
      }
      later = place;
    }
    return this.#cell(later, leaf);
  }

  /** @param {number} row @param {number} leaf @param {number} position @param {number} newest */
  #afterNewest(row, leaf, position, newest) {
    const last = this.#place(row, 0);
    if (this.#cuts[last] !== 0 || this.#counts[row] < 2 || this.#ticks[last] < newest) {
      return this.#cell(last, leaf);
    }
    const before = this.#place(row, 1);
    const past = Math.min(position - this.#ticks[last], EXTRAPOLATION_TICKS_MAX);
    return this.#blend(leaf, before, last, 1 + past / (this.#ticks[last] - this.#ticks[before]));
  }

  /** @param {number} leaf @param {number} from @param {number} to @param {number} part */
  #blend(leaf, from, to, part) {
    const { scalar } = this.rows.layout.motions[leaf];
    const [a, b] = [this.#cell(from, leaf), this.#cell(to, leaf)];
    if (scalar.around > 0) return lerpAround(a, b, part, scalar.lowest, scalar.around);
    return Math.min(Math.max(lerp(a, b, part), scalar.lowest), scalar.highest);
  }

  /** @param {number} place @param {number} leaf */
  #cell(place, leaf) {
    return this.#cells[place * this.width + leaf];
  }

  /** The place of the sample that is `age` samples older than the newest. @param {number} row @param {number} age */
  #place(row, age) {
    return row * TRACK_SAMPLES_MAX + ((this.#heads[row] - age) & (TRACK_SAMPLES_MAX - 1));
  }

  /** The row's cells as a sample of a tick. @param {number} row @param {number} tick @param {boolean} cut */
  #add(row, tick, cut) {
    const [place, again] = this.#next(row, tick);
    if (place < 0) return;
    this.#cuts[place] = cut || (again && this.#cuts[place] !== 0) ? 1 : 0;
    const { motions, cells } = this.rows.layout;
    for (let leaf = 0; leaf < this.width; leaf++) {
      this.#cells[place * this.width + leaf] = this.rows.store.cells[row * cells + motions[leaf].at];
    }
  }

  /** The newest sample once more, for a later tick. @param {number} row @param {number} from @param {number} tick */
  #hold(row, from, tick) {
    const [place] = this.#next(row, tick);
    this.#cuts[place] = 0;
    this.#cells.copyWithin(place * this.width, from * this.width, (from + 1) * this.width);
  }

  /**
   * Where a sample of a tick goes: over the newest if it is of the same tick, nowhere if it is older.
   *
   * @param {number} row
   * @param {number} tick
   * @returns {[place: number, again: boolean]}
   */
  #next(row, tick) {
    const newest = this.#place(row, 0);
    if (this.#counts[row] > 0 && tick <= this.#ticks[newest]) {
      return tick === this.#ticks[newest] ? [newest, true] : [-1, false];
    }
    this.#heads[row] = (this.#heads[row] + 1) & (TRACK_SAMPLES_MAX - 1);
    this.#counts[row] = Math.min(this.#counts[row] + 1, TRACK_SAMPLES_MAX);
    const place = this.#place(row, 0);
    this.#ticks[place] = tick;
    return [place, false];
  }

  /** Makes place for a row; `false` if it gets none. @param {number} row */
  #ensure(row) {
    if (row < this.#counts.length) return true;
    if (row >= this.rowsEnd) return false;
    const rows = Math.min(this.rows.slots.length, this.rowsEnd);
    const { width } = this;
    this.#counts = resized(this.#counts, new Uint8Array(rows));
    this.#heads = resized(this.#heads, new Uint8Array(rows));
    this.#ticks = resized(this.#ticks, new Float64Array(rows * TRACK_SAMPLES_MAX));
    this.#cuts = resized(this.#cuts, new Uint8Array(rows * TRACK_SAMPLES_MAX));
    this.#cells = resized(this.#cells, new Float64Array(rows * TRACK_SAMPLES_MAX * width));
    return true;
  }
}

/**
 * @template {Uint8Array | Float64Array} T
 * @param {T} from
 * @param {T} to
 */
function resized(from, to) {
  to.set(from);
  return to;
}
