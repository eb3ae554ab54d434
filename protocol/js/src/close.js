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

/** @type {readonly (readonly [CloseName, number, string, Advice])[]} */
const REASONS = [
  ["normal", 1000, "bye", "stop"],
  ["protocol", 1002, "WebSocket protocol error", "stop"],
  ["unsupported", 1003, "binary messages in one frame only", "stop"],
  ["bad_text", 1007, "text is not UTF-8", "stop"],
  ["policy", 1008, "too many messages", "join"],
  ["too_big", 1009, "message too big", "stop"],
  ["failed", 1011, "the room failed", "join"],
  ["restart", 1012, "the server restarts", "resume"],
  ["try_later", 1013, "no place now, try later", "join"],
  ["bad_message", 4400, "not a message of this protocol", "stop"],
  ["not_authenticated", 4401, "not authenticated", "join"],
  ["refused", 4403, "refused", "stop"],
  ["no_such_room", 4404, "no such room", "join"],
  ["too_slow", 4408, "too slow", "resume"],
  ["replaced", 4408, "replaced by a newer connection", "stop"],
  ["seat_used", 4409, "the seat is already used", "join"],
  ["wrong_node", 4421, "the room is on another node", "join"],
];

/** The code of a client that ends a connection. */
export const CLOSE_NORMAL = 1000;
/** The code for a server that breaks the rules. */
export const CLOSE_BAD_MESSAGE = 4400;
/** What a WebSocket says of a connection that ended without a close frame. */
export const CLOSE_ABNORMAL = 1006;


/**
 * The reason that a code and a text stand for. Only where two reasons share a
 * code does the text decide; one that is neither's is the first one's, which
 * lets the client come back. The text may be more specific than the table's.
 *
 * @param {number} code
 * @param {string} text
 * @returns {CloseReason}
 */
export function closeReason(code, text) {
  const known = REASONS.filter((row) => row[1] === code);
  const row = known.find((row) => row[2] === text) ?? known[0];
  if (row !== undefined) return { name: row[0], code, text: text || row[2], advice: row[3] };
  const advice = code >= 4000 ? "stop" : "resume";
  return { name: "other", code, text, advice };
}
