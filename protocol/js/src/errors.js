/**
 * What an application is told when something did not work: errors with codes.
 *
 * @module
 */

/**
 * Nobody could be joined.
 *
 * `code` is the server's, as `no_such_game`, `room_full`, `bad_request`; or
 * `unreachable` (no answer), `bad_answer` (one that is not of this protocol), or
 * `closed` (the connection ended before the first state; `cause` says why).
 */
export class JoinError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ status?: number, field?: string, retryAfterMs?: number,
   *   cause?: import("./session/events.js").Cause | Error }} [more]
   */
  constructor(code, message, { status, field, retryAfterMs, cause } = {}) {
    super(message, { cause });
    this.name = "JoinError";
    this.code = code;
    /** The HTTP status, if there was an answer. */
    this.status = status;
    /** The field of the request that is the reason. */
    this.field = field;
    /** When to come back, if the server says so. */
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same can work later. */
  get isTemporary() {
    const { status } = this;
    return this.code === "unreachable" || (status !== undefined && (status === 429 || status >= 500));
  }
}

/**
 * A command has no reply.
 *
 * | code | |
 * |---|---|
 * | `refused` | it was not carried out; `refusal` says why |
 * | `not_joined`, `too_long`, `busy` | it was not sent |
 * | `timed_out`, `connection_lost` | nobody knows; it is not sent again |
 */
export class CommandError extends Error {
  /**
   * @param {"refused" | "timed_out" | "connection_lost" | import("./session/requests.js").SendFault} code
   * @param {import("./session/events.js").Refusal} [refusal]
   */
  constructor(code, refusal) {
    super(refusal?.text || `the command has no reply: ${code}`);
    this.name = "CommandError";
    this.code = code;
    /** The reason of a refusal: the game's code (below 100 the server's), and a text. */
    this.refusal = refusal;
  }
}
