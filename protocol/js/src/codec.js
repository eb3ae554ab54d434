/**
 * Everything on the wire that is not a bit-packed chunk: the encoding that
 * bincode 2 calls `standard()`, little-endian with variable-length integers.
 *
 * A value has exactly one encoding, and all others are refused. Lengths are
 * compared with the caller's limit and with the bytes that are there before
 * anything is allocated. Integers of up to 32 bits are numbers; one of 64 bits
 * is left in two halves, from which the caller makes what it needs.
 *
 * @module
 */

import { codecFault } from "./malformed.js";
import { larger } from "./store.js";
import { decodeUtf8, encodeUtf8 } from "./text.js";

const TWO_32 = 2 ** 32;
/** The first byte of a variable-length integer of two bytes more; four and eight more follow it. */
const FORM_16 = 0xfb;

const F32_NORMAL_MIN = 2 ** -126;
const F64_NORMAL_MIN = 2 ** -1022;

/** Takes values from bytes. */
export class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    /** The low half of the last variable-length integer. */
    this.low = 0;
    /** Its high half. */
    this.high = 0;
  }

  /** How many bytes are left. */
  get left() {
    return this.bytes.length - this.at;
  }

  /** Errs unless everything was read. */
  finish() {
    if (this.at !== this.bytes.length) codecFault("Trailing");
  }

  /** @param {number} count @returns {number} where they start */
  #take(count) {
    const at = this.at;
    if (this.bytes.length - at < count) codecFault("Truncated");
    this.at = at + count;
    return at;
  }

  /**
   * The next bytes, as a view of the message.
   *
   * @param {number} count
   */
  raw(count) {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  u8() {
    return this.bytes[this.#take(1)];
  }

  i8() {
    return (this.u8() << 24) >> 24;
  }

  bool() {
    const byte = this.u8();
    if (byte > 1) codecFault("BadBool");
    return byte === 1;
  }

  /** Two bytes, little-endian. */
  rawU16() {
    const at = this.#take(2);
    return this.bytes[at] | (this.bytes[at + 1] << 8);
  }

  /** Four bytes, little-endian. */
  rawU32() {
    const low = this.rawU16();
    return (low | (this.rawU16() << 16)) >>> 0;
  }

  /**
   * A variable-length integer of at most so many bits, into `low` and `high`.
   *
   * @param {16 | 32 | 64} bits
   */
  #varint(bits) {
    const first = this.u8();
    this.low = first;
    this.high = 0;
    const form = first - FORM_16;
    if (form < 0) return;
    if (form > 2 || 16 << form > bits) codecFault("BadInteger");
    this.low = form === 0 ? this.rawU16() : this.rawU32();
    if (form === 2) this.high = this.rawU32();
    const isShort = form === 2 ? this.high === 0 : this.low < (form === 0 ? FORM_16 : 0x10000);
    if (isShort) codecFault("BadInteger");
  }

  u16() {
    this.#varint(16);
    return this.low;
  }

  u32() {
    this.#varint(32);
    return this.low;
  }

  /** A `u64`: exact in `low` and `high`, rounded as the result. */
  u64() {
    this.#varint(64);
    return this.high * TWO_32 + this.low;
  }

  bigU64() {
    this.#varint(64);
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  i16() {
    const zigzag = this.u16();
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  i32() {
    const zigzag = this.u32();
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** An `i64`, rounded. */
  i64() {
    return Number(this.bigI64());
  }

  bigI64() {
    const zigzag = this.bigU64();
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  }

  /** @param {number} value @param {number} normalMin @returns {number} */
  #finite(value, normalMin) {
    if (!Number.isFinite(value)) codecFault("NotFinite");
    return Math.abs(value) < normalMin ? 0 : value;
  }

  f32() {
    const at = this.#take(4);
    return this.#finite(view(this.bytes).getFloat32(at, true), F32_NORMAL_MIN);
  }

  f64() {
    const at = this.#take(8);
    return this.#finite(view(this.bytes).getFloat64(at, true), F64_NORMAL_MIN);
  }

  /**
   * A length.
   *
   * @param {number} max
   */
  count(max) {
    const count = this.u64();
    if (count > max) codecFault("TooLong");
    return count;
  }

  /**
   * A length, and that many bytes, as a view of the message.
   *
   * @param {number} max
   */
  blob(max) {
    return this.raw(this.count(max));
  }

  /**
   * A text of at most so many bytes.
   *
   * @param {number} max
   * @returns {string}
   */
  str(max) {
    const count = this.count(max);
    const at = this.#take(count);
    return decodeUtf8(this.bytes, at, at + count) ?? codecFault("NotUtf8");
  }

  /**
   * A value or nothing.
   *
   * @template T
   * @param {(r: Reader) => T} read
   * @returns {T | undefined}
   */
  option(read) {
    return this.bool() ? read(this) : undefined;
  }
}

/** @param {Uint8Array} bytes */
function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Appends values to a buffer that grows, and is used again. */
export class Writer {
  constructor() {
    this.buffer = new Uint8Array(256);
    this.length = 0;
  }

  clear() {
    this.length = 0;
    return this;
  }

  /** What was written, as a copy. */
  bytes() {
    return this.buffer.slice(0, this.length);
  }

  /** @param {number} count @returns {number} where they start */
  #grow(count) {
    const at = this.length;
    this.length = at + count;
    if (this.length > this.buffer.length) this.buffer = larger(this.buffer, 2 * this.length);
    return at;
  }

  /** @param {ArrayLike<number>} bytes */
  raw(bytes) {
    const at = this.#grow(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** @param {number} value */
  u8(value) {
    const at = this.#grow(1);
    this.buffer[at] = value;
  }

  /** @param {boolean} value */
  bool(value) {
    this.u8(value ? 1 : 0);
  }

  /** @param {number | bigint} value from 0 to 2^64 - 1, as a number up to 2^53 */
  uint(value) {
    if (value < FORM_16) return this.u8(Number(value));
    const form = value < 0x10000 ? 0 : value < TWO_32 ? 1 : 2;
    this.u8(FORM_16 + form);
    let rest = BigInt(value);
    for (let left = 2 << form; left > 0; left--, rest >>= 8n) this.u8(Number(rest & 255n));
  }

  /** @param {number | bigint} value of 64 bits */
  int(value) {
    const whole = BigInt(value);
    this.uint(whole < 0n ? -2n * whole - 1n : 2n * whole);
  }

  /** @param {number} value */
  f32(value) {
    const narrow = Math.fround(value);
    const normal = Number.isFinite(narrow) && Math.abs(narrow) >= F32_NORMAL_MIN;
    const at = this.#grow(4);
    view(this.buffer).setFloat32(at, normal ? narrow : 0, true);
  }

  /** @param {number} value */
  f64(value) {
    const normal = Number.isFinite(value) && Math.abs(value) >= F64_NORMAL_MIN;
    const at = this.#grow(8);
    view(this.buffer).setFloat64(at, normal ? value : 0, true);
  }

  /** @param {Uint8Array} bytes */
  blob(bytes) {
    this.uint(bytes.length);
    this.raw(bytes);
  }

  /** @param {string} text */
  str(text) {
    this.blob(encodeUtf8(text));
  }

  /**
   * @template T
   * @param {T | undefined} value
   * @param {(value: T) => void} write
   */
  option(value, write) {
    this.bool(value !== undefined);
    if (value !== undefined) write(value);
  }
}
