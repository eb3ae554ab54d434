/**
 * Bits, Golomb codes, and running means (`docs/PROTOCOL.md`, section 5).
 *
 * @module
 */

/** Bytes of zeros behind the data, so that a load never leaves the buffer. */
const PAD = 8;
/** A load gives at least so many bits. */
const LOAD_BITS = 25;

/**
 * Reads bits, from the least significant one of each byte up. Past the end it
 * gives zeros, so that a caller need not check before each field: it asks
 * `overrun` now and then, and no loop may run on without that.
 *
 * The data are copied to a buffer of its own, of no more than a message.
 */
export class BitReader {
  constructor() {
    this.bytes = new Uint8Array(4096 + PAD);
    this.view = new DataView(this.bytes.buffer);
    /** The place of the next bit. */
    this.at = 0;
    /** How many bits there are. */
    this.end = 0;
    /** Where the zeros begin, in bytes. */
    this.zeros = 0;
  }

  /** @param {Uint8Array} data */
  begin(data) {
    const { length } = data;
    if (this.bytes.length < length + PAD) {
      this.bytes = new Uint8Array(2 * length + PAD);
      this.view = new DataView(this.bytes.buffer);
    }
    this.bytes.set(data);
    this.bytes.fill(0, length, length + PAD);
    this.at = 0;
    this.end = 8 * length;
    this.zeros = length;
  }

  /** How many bits are left. */
  get left() {
    return this.at < this.end ? this.end - this.at : 0;
  }

  /** Whether more was read than there is. */
  get overrun() {
    return this.at > this.end;
  }

  /** Whether nothing is left but zeros up to a whole byte. */
  get atPadding() {
    return this.end - this.at < 8 && this.#load() === 0;
  }

  /** The next bits, at least `LOAD_BITS` of them. */
  #load() {
    const byte = this.at >>> 3;
    return this.view.getInt32(byte < this.zeros ? byte : this.zeros, true) >>> (this.at & 7);
  }

  flag() {
    const bit = this.#load() & 1;
    this.at += 1;
    return bit;
  }

  /**
   * @param {number} count at most 53
   * @returns {number}
   */
  take(count) {
    if (count <= LOAD_BITS) {
      const bits = this.#load() & ((1 << count) - 1);
      this.at += count;
      return bits;
    }
    const low = this.take(24);
    return low + this.take(count - 24) * 0x1000000;
  }

  /**
   * A number in Golomb code; -1 if it escapes.
   *
   * @param {number} order
   * @param {number} escape so many zeros are an escape
   * @returns {number}
   */
  golomb(order, escape) {
    const word = this.#load();
    const zeros = 31 - Math.clz32(word & -word);
    const bits = order + zeros;
    if (word !== 0 && zeros < escape && bits + zeros < LOAD_BITS) {
      this.at += bits + zeros + 1;
      const rest = (word >>> (zeros + 1)) & ((1 << bits) - 1);
      return (1 << bits) - (1 << order) + rest;
    }
    return this.#golombSlowly(order, escape);
  }

  /** @param {number} order @param {number} escape @returns {number} */
  #golombSlowly(order, escape) {
    let zeros = 0;
    while (zeros < escape && this.flag() === 0) zeros += 1;
    if (zeros === escape) return -1;
    return 2 ** (order + zeros) - 2 ** order + this.take(order + zeros);
  }

  /**
   * Where the next `count` bytes start, not aligned, once they are aligned: the
   * caller knows that they are there, and gets them from `bytes`, until the next read.
   *
   * @param {number} count
   * @param {Uint8Array} out
   */
  copy(count, out) {
    for (let i = 0; i < count; i++) {
      out[i] = this.#load();
      this.at += 8;
    }
  }
}

/** What a value counts for in a mean, at most. */
const COUNTED_MAX = 1 << 24;

/**
 * The order of the code that a running mean chooses. A mean is an integer, eight times itself.
 *
 * @param {number} mean
 */
export function orderOf(mean) {
  return 31 - Math.clz32((mean >> 3) | 1);
}

/**
 * A mean after one more value.
 *
 * @param {number} mean
 * @param {number} value
 */
export function counted(mean, value) {
  return mean + (value < COUNTED_MAX ? value : COUNTED_MAX) - (mean >> 3);
}
