/**
 * The messages of a connection, each one binary WebSocket message
 * (`docs/PROTOCOL.md`, section 3).
 *
 * @module
 */

import { Reader } from "./codec.js";
import { readFrame } from "./frame.js";
import {
  ADDRESS_BYTES_MAX,
  CHAT_BYTES_MAX,
  DESCRIPTOR_BYTES_MAX,
  NAME_BYTES_MAX,
  PLAYER_NAME_BYTES_MAX,
  REASON_BYTES_MAX,
  REPLY_BYTES_MAX,
  SERVER_MESSAGE_BYTES_MAX,
  TICK_HZ_MAX,
  TOKEN_BYTES_MAX,
} from "./limits.js";
import { codecFault } from "./malformed.js";

/** @typedef {import("./codec.js").Writer} Writer */

/** What every Hello starts with: "TKWR". */
const MAGIC = [0x54, 0x4b, 0x57, 0x52];
/** The version of the protocol that this client speaks. */
export const VERSION = 1;
/** The WebSocket subprotocol that carries it. */
export const SUBPROTOCOL = "tickwire.1";
/** The player of a chat line that the server itself says. */
export const SERVER_PLAYER = 2 ** 32 - 1;

/**
 * @typedef {{ tick: number, micros: number }} ServerClock `micros` into `tick`
 * @typedef {{
 *   tag: "welcome", version: number, player: number, game: string, tickHz: number,
 *   sendEvery: number, clock: ServerClock, token: string, baseline: number | undefined,
 *   schema: bigint, descriptor: Uint8Array | undefined,
 * }} Welcome
 * @typedef {{ tag: "reply", id: number, body: Uint8Array }
 *   | { tag: "reply", id: number, body: undefined, code: number, text: string }} Reply
 * @typedef {{ tag: "chat", player: number, name: string, tick: number, text: string }} ChatLine
 * @typedef {{ tag: "pong", stamp: number, clock: ServerClock }} Pong `stamp` is exact up to 2^53
 * @typedef {{ tag: "bye", code: number, text: string, retryAfterMs: number }} Bye
 * @typedef {{ tag: "moved", address: string, token: string }} Moved
 * @typedef {{ tag: "token", token: string }} Token
 * @typedef {import("./frame.js").Frame | Welcome | Reply | ChatLine | Pong | Bye | Moved | Token}
 *   ServerMessage
 */

// ------------------------------------------------------------------- from the server

/**
 * The message that `bytes` are, all of them.
 *
 * @param {Uint8Array} bytes
 * @returns {ServerMessage}
 */
export function readServerMessage(bytes) {
  if (bytes.length > SERVER_MESSAGE_BYTES_MAX) codecFault("TooLong");
  const r = new Reader(bytes);
  const tag = r.u8();
  // It checks its own end.
  if (tag === 0) return readFrame(r);
  const message = readAfterTag(tag, r);
  r.finish();
  return message;
}

/** @param {number} tag @param {Reader} r @returns {ServerMessage} */
function readAfterTag(tag, r) {
  switch (tag) {
    case 1:
      return readWelcome(r);
    case 2:
      return readReply(r);
    case 3:
      return {
        tag: "chat",
        player: r.u32(),
        name: r.str(PLAYER_NAME_BYTES_MAX),
        tick: r.u32(),
        text: r.str(CHAT_BYTES_MAX),
      };
    case 4:
      return { tag: "pong", stamp: r.u64(), clock: readClock(r) };
    case 5:
      return { tag: "bye", code: r.u16(), text: r.str(REASON_BYTES_MAX), retryAfterMs: r.u32() };
    case 6:
      return { tag: "moved", address: r.str(ADDRESS_BYTES_MAX), token: r.str(TOKEN_BYTES_MAX) };
    case 7:
      return { tag: "token", token: r.str(TOKEN_BYTES_MAX) };
    default:
      return codecFault("BadTag");
  }
}

/** @param {Reader} r @returns {ServerClock} */
function readClock(r) {
  return { tick: r.u32(), micros: r.u32() };
}

/** @param {Reader} r @returns {Welcome} */
function readWelcome(r) {
  /** @type {Welcome} */
  const welcome = {
    tag: "welcome",
    version: r.u16(),
    player: r.u32(),
    game: r.str(NAME_BYTES_MAX),
    tickHz: r.u16(),
    sendEvery: r.u8(),
    clock: readClock(r),
    token: r.str(TOKEN_BYTES_MAX),
    baseline: r.option((r) => r.u32()),
    schema: r.bigU64(),
    descriptor: r.option((r) => r.blob(DESCRIPTOR_BYTES_MAX)),
  };
  const { tickHz, sendEvery } = welcome;
  if (tickHz < 1 || tickHz > TICK_HZ_MAX || sendEvery === 0) codecFault("Invalid");
  return welcome;
}

/** @param {Reader} r @returns {Reply} */
function readReply(r) {
  const [id, outcome] = [r.u32(), r.u8()];
  if (outcome === 0) return { tag: "reply", id, body: r.blob(REPLY_BYTES_MAX) };
  if (outcome !== 1) codecFault("BadTag");
  return { tag: "reply", id, body: undefined, code: r.u16(), text: r.str(REASON_BYTES_MAX) };
}

// --------------------------------------------------------------------- to the server

/**
 * @param {Writer} w
 * @param {{ schema: bigint | undefined, token: string, applied: number | undefined }} hello
 */
export function writeHello(w, { schema, token, applied }) {
  w.u8(0);
  w.raw(MAGIC);
  w.uint(VERSION);
  w.option(schema, (hash) => w.uint(hash));
  w.str(token);
  w.option(applied, (tick) => w.uint(tick));
}

/**
 * @typedef {{ sequence: number, tick: number, body: Uint8Array }} StampedInput
 */

/**
 * The inputs have ascending sequence numbers, without gaps.
 *
 * @param {Writer} w
 * @param {number} applied
 * @param {StampedInput[]} inputs
 */
export function writeInputs(w, applied, inputs) {
  w.u8(1);
  w.uint(applied);
  w.uint(inputs.length);
  if (inputs.length > 0) w.uint(inputs[0].sequence);
  for (const { tick, body } of inputs) {
    // Between two u32: saturates only where both are absurd.
    w.int(Math.min(Math.max(tick - applied, -(2 ** 31)), 2 ** 31 - 1));
    w.blob(body);
  }
}

/** @param {Writer} w @param {number} id @param {Uint8Array} body */
export function writeCommand(w, id, body) {
  w.u8(2);
  w.uint(id);
  w.blob(body);
}

/** @param {Writer} w @param {Uint8Array} text in UTF-8 */
export function writeChat(w, text) {
  w.u8(3);
  w.blob(text);
}

/** @param {Writer} w @param {number} stamp */
export function writePing(w, stamp) {
  w.u8(4);
  w.uint(stamp);
}

/** @param {Writer} w @param {number} every */
export function writePace(w, every) {
  w.u8(5);
  w.u8(every);
}

/** @param {Writer} w */
export function writeRefresh(w) {
  w.u8(6);
}

/** @param {Writer} w */
export function writeBye(w) {
  w.u8(7);
}
