/**
 * Frames: what one client gets for one tick (`docs/PROTOCOL.md`, section 7).
 * Everything but the insides of chunks and bodies is checked here.
 *
 * @module
 */

import {
  EVENTS_PER_FRAME_MAX,
  EVENT_BYTES_MAX,
  SCOPES_WATCHED_MAX,
  SCOPE_MAX,
  SERVER_MESSAGE_BYTES_MAX,
} from "./limits.js";
import { codecFault } from "./malformed.js";

/** @typedef {import("./codec.js").Reader} Reader */

// Flags.
const FULL = 1;
const PREDICTED = 2;
const PROCESSED = 4;
const DEPTH = 8;
const HASH = 16;
const EVENTS = 32;
const FLAGS = 63;

/** How a frame speaks of a scope: what changed since the last frame … */
export const CHANGE = 0;
/** … all of it: the client begins to watch it, or begins again … */
export const WHOLE = 1;
/** … or that the client does not watch it any more. */
export const LEAVE = 2;

/**
 * @typedef {{ scope: number, form: number, chunk: Uint8Array }} Section
 * @typedef {{ reliable: boolean, tick: number, body: Uint8Array }} FrameEvent
 *   `tick` as it was sent, modulo 2^16
 * @typedef {{
 *   tag: "frame",
 *   full: boolean,
 *   predicted: boolean,
 *   step: number,
 *   processed: number | undefined,
 *   depth: number | undefined,
 *   hash: number | undefined,
 *   sections: Section[],
 *   events: FrameEvent[],
 * }} Frame `step` is the tick of a full frame, else how far it goes
 */

const NO_CHUNK = new Uint8Array(0);

/**
 * Reads a frame after its tag.
 *
 * @param {Reader} r
 * @returns {Frame}
 */
export function readFrame(r) {
  const flags = r.u8();
  if ((flags & ~FLAGS) !== 0) codecFault("BadTag");
  const full = (flags & FULL) !== 0;
  const predicted = (flags & PREDICTED) !== 0;
  const step = r.u32();
  if ((!full && step === 0) || (full && predicted)) codecFault("Invalid");
  const processed = (flags & PROCESSED) !== 0 ? r.u32() : undefined;
  const depth = (flags & DEPTH) !== 0 ? r.i32() : undefined;
  const hash = (flags & HASH) !== 0 ? r.rawU32() : undefined;
  const heads = readHeads(r, full);
  const eventCount = (flags & EVENTS) !== 0 ? r.count(EVENTS_PER_FRAME_MAX) : 0;
  if ((flags & EVENTS) !== 0 && eventCount === 0) codecFault("Invalid");
  const sections = readChunks(r, heads);
  const events = [];
  for (let left = eventCount; left > 0; left--) events.push(readEvent(r));
  r.finish();
  return { tag: "frame", full, predicted, step, processed, depth, hash, sections, events };
}

/** @typedef {{ scope: number, form: number, length: number }} Head */

/** @param {Reader} r @param {boolean} full @returns {Head[]} */
function readHeads(r, full) {
  const heads = [];
  let before = -1;
  for (let left = r.count(SCOPES_WATCHED_MAX); left > 0; left--) {
    const head = readHead(r);
    if (head.scope <= before || (full && head.form !== WHOLE)) codecFault("Invalid");
    before = head.scope;
    heads.push(head);
  }
  return heads;
}

/** @param {Reader} r @returns {Head} */
function readHead(r) {
  const head = r.u64();
  // From the exact half: the whole may be rounded.
  const form = r.low & 3;
  if (form > LEAVE) codecFault("BadTag");
  const length = form === LEAVE ? 0 : r.count(SERVER_MESSAGE_BYTES_MAX);
  const scope = Math.floor(head / 4);
  if (scope > SCOPE_MAX) codecFault("TooLong");
  return { scope, form, length };
}

/** @param {Reader} r @param {Head[]} heads @returns {Section[]} */
function readChunks(r, heads) {
  // All of them are there, or none is taken.
  if (heads.reduce((sum, head) => sum + head.length, 0) > r.left) codecFault("Truncated");
  return heads.map(({ scope, form, length }) => {
    return { scope, form, chunk: length === 0 ? NO_CHUNK : r.raw(length) };
  });
}

/** @param {Reader} r @returns {FrameEvent} */
function readEvent(r) {
  const event = r.u8();
  if (event > 1) codecFault("BadTag");
  return { reliable: event === 1, tick: r.rawU16(), body: r.blob(EVENT_BYTES_MAX) };
}

/**
 * The tick of an event of a frame.
 *
 * @param {FrameEvent} event
 * @param {number} frameTick
 */
export function eventTick(event, frameTick) {
  return Math.max(frameTick - ((frameTick - event.tick) & 0xffff), 0);
}
