/**
 * Why a connection ends: values, with a WebSocket close code, a text, and what
 * a client does after it (`docs/PROTOCOL.md`, section 1).
 *
 * @module
 */

/**
 * @typedef {"resume" | "join" | "stop"} Advice
 *   connect again with the resume token; ask for another seat; nothing, since
 *   the same would happen again
 * @typedef {"normal" | "protocol" | "unsupported" | "bad_text" | "policy" | "too_big" | "failed"
 *   | "restart" | "try_later" | "bad_message" | "not_authenticated" | "refused" | "no_such_room"
 *   | "too_slow" | "replaced" | "seat_used" | "wrong_node" | "other"} CloseName
 * @typedef {{ name: CloseName, code: number, text: string, advice: Advice }} CloseReason
 */

/** @type {Record<number, [CloseName, Advice]>} */
const REASONS = {
  1000: ["normal", "stop"],
  1002: ["protocol", "stop"],
  1003: ["unsupported", "stop"],
  1007: ["bad_text", "stop"],
  1008: ["policy", "join"],
  1009: ["too_big", "stop"],
  1011: ["failed", "join"],
  1012: ["restart", "resume"],
  1013: ["try_later", "join"],
  4400: ["bad_message", "stop"],
  4401: ["not_authenticated", "join"],
  4403: ["refused", "stop"],
  4404: ["no_such_room", "join"],
  4408: ["too_slow", "resume"],
  4409: ["seat_used", "join"],
  4421: ["wrong_node", "join"],
};
/** With 4408, the text that says that the same player connected again. */
const REPLACED = "replaced by a newer connection";

/** The code of a client that ends a connection. */
export const CLOSE_NORMAL = 1000;
/** The code for a server that breaks the rules. */
export const CLOSE_BAD_MESSAGE = 4400;
/** What a WebSocket says of a connection that ended without a close frame. */
export const CLOSE_ABNORMAL = 1006;


/**
 * The reason that a code and a text stand for. The text decides only with 4408;
 * it may be more specific than the code, or empty.
 *
 * @param {number} code
 * @param {string} text
 * @returns {CloseReason}
 */
export function closeReason(code, text) {
  if (text === REPLACED && code === 4408) return { name: "replaced", code, text, advice: "stop" };
  const [name, advice] = REASONS[code] ?? ["other", code < 4000 ? "resume" : "stop"];
  return { name, code, text, advice };
}
