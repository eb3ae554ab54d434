/**
 * What a session has to tell its application.
 *
 * @module
 */

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
 * @typedef {import("../malformed.js").FaultCode | import("../malformed.js").WelcomeFault} SessionFault
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
 *   | { what: "chat", line: import("../message.js").ChatLine }
 *   | { what: "closed", cause: Cause, then: Then }} SessionEvent
 */

export {};
