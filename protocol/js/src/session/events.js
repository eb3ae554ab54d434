/**
 * What a session has to tell its application.
 *
 * @module
 */

import { EVENTS_PER_FRAME_MAX } from "../limits.js";

/**
 * Events that wait to be polled. Beyond it (or beyond {@link EVENTS_BYTES_MAX})
 * chat and transient events of the game are dropped and counted, and anything
 * else ends the session. One message never brings that many, so who polls after
 * each never meets the limit.
 */
export const EVENTS_MAX = 4 * EVENTS_PER_FRAME_MAX;
/** Bytes of the bodies of events that wait to be polled. */
export const EVENTS_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Why a connection, or the attempt at one, is over:
 *
 * | kind | |
 * |---|---|
 * | `server` | the server ended it, and said why |
 * | `lost` | the socket failed, or could not be opened |
 * | `not_opened` | it did not open in time |
 * | `not_welcomed` | there was no answer to Hello in time |
 * | `silent` | nothing came, and no answer to the question whether anybody is there |
 * | `moved` | the room is at another address now |
 * | `left` | the application left |
 * | `error` | the server broke the rules |
 *
 * @typedef {{ kind: "server", reason: import("../close.js").CloseReason }
 *   | { kind: "lost" | "not_opened" | "not_welcomed" | "silent" | "moved" | "left" }
 *   | { kind: "error", code: SessionFault }} Cause
 *
 * @typedef {import("../malformed.js").FaultCode | import("../malformed.js").WelcomeFault | "backlog"} SessionFault
 *
 * @typedef {{ what: "reconnect", at: number } | { what: "need_seat", notBefore: number }
 *   | { what: "end" | "give_up" }} Then
 *   what follows: `connect` comes at that time; the application gets another seat,
 *   not before that time, and calls `rejoin`; nothing, as the same would happen
 *   again; nothing, as every attempt was used
 *
 * @typedef {{ code: number, text: string }} Refusal
 *   why a command was not carried out; codes below 100 are the server's
 *
 * @typedef {{ is: "reply", value: any } | { is: "refused", refusal: Refusal }
 *   | { is: "timed_out" | "connection_lost" }} Outcome
 *   it may have been carried out all the same in the last two cases
 *
 * @typedef {{ what: "connect", address: string }
 *   | { what: "joined", player: number, resumed: boolean }
 *   | { what: "frame", tick: number }
 *   | { what: "event", tick: number, reliable: boolean, value: any }
 *   | { what: "reply", id: number, outcome: Outcome }
 *   | { what: "chat", line: import("../message.js").ChatLine }
 *   | { what: "closed", cause: Cause, then: Then }} SessionEvent
 *
 * @typedef {SessionEvent | { what: "event", tick: number, reliable: boolean, body: Uint8Array }
 *   | { what: "reply", id: number, body: Uint8Array }} Queued bodies are read when they are polled
 */

/** A bounded queue of events. */
export class EventQueue {
  /** @type {Queued[]} */
  #queue = [];
  #bytes = 0;
  /** Whether an event that must not be dropped had no place: then the last event says so. */
  isOverflowed = false;

  get isEmpty() {
    return this.#queue.length === 0;
  }

  /** Whether another event fits. @param {number} bytes */
  hasPlace(bytes) {
    return this.#queue.length < EVENTS_MAX && this.#bytes + bytes <= EVENTS_BYTES_MAX;
  }

  /** Adds an event that must not be dropped. @param {Queued} event */
  push(event) {
    if (this.isOverflowed) return;
    this.isOverflowed = !this.hasPlace(0);
    if (this.isOverflowed) {
      event = { what: "closed", cause: { kind: "error", code: "backlog" }, then: { what: "end" } };
    }
    if ("body" in event) this.#bytes += event.body.length;
    this.#queue.push(event);
  }

  /** A session that is over begins anew; `false` while its last events are unread. */
  reopen() {
    if (this.isEmpty) this.isOverflowed = false;
    return !this.isOverflowed;
  }

  pop() {
    const event = this.#queue.shift();
    if (event !== undefined && "body" in event) this.#bytes -= event.body.length;
    return event;
  }
}
