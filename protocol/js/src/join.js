/**
 * Joining a room: a seat from the server's HTTP API, then the connection.
 *
 * @module
 */

import { JoinError } from "./errors.js";
import { Room } from "./room.js";
import { platformSockets, webSockets } from "./transport/websocket.js";

/**
 * @typedef {import("./room.js").Seat} Seat
 *
 * @typedef {object} JoinOptions
 * @property {string} [game] any open room of this game, or a new one; or
 * @property {string} [room] the room of this id
 * @property {string} [name] what others see
 * @property {unknown} [options] for a new room, as the game has them
 * @property {boolean} [private] a new room that is in no list
 * @property {import("./transport/websocket.js").WebSocketClass} [WebSocket] to be used instead of the platform's
 */

/** How long the API may take. */
const SEAT_TIMEOUT_MS = 10_000;
/** More than any seat has. */
const ANSWER_CHARS_MAX = 16 * 1024;

/**
 * Joins a room; done when its state is there.
 *
 * @template {import("./types.js").Game} [G=any]
 * @param {string} server the server's address, as `https://play.example.net`
 * @param {JoinOptions} options
 * @returns {Promise<import("./types.js").RoomOf<G>>} fails with a {@link JoinError}
 */
export async function join(server, { WebSocket, ...wish }) {
  const takeSeat = () => askForSeat(server, wish);
  const [seat, openSocket] = await Promise.all([
    takeSeat(),
    WebSocket === undefined ? platformSockets() : webSockets(WebSocket),
  ]);
  const room = new Room(seat, {
    openSocket,
    takeSeat,
    now: () => performance.now(),
    setTimer: (call, ms) => setTimeout(call, ms),
    clearTimer: (timer) => clearTimeout(timer),
    random: () => Math.random(),
  });
  await room.start();
  return /** @type {any} */ (room);
}

/** @param {string} server @param {object} wish @returns {Promise<Seat>} */
async function askForSeat(server, wish) {
  let response, text;
  try {
    response = await fetch(new URL("/api/join", server), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(wish),
      signal: AbortSignal.timeout(SEAT_TIMEOUT_MS),
    });
    text = await response.text();
  } catch (cause) {
    const error = cause instanceof Error ? cause : undefined;
    throw new JoinError("unreachable", `no answer from ${server}`, { cause: error });
  }
  const { status, headers, ok } = response;
  const answer = parsed(text);
  if (!ok) {
    const seconds = Number(headers.get("retry-after"));
    throw new JoinError(textOf(answer.code) ?? "bad_answer", textOf(answer.message) ?? `HTTP status ${status}`, {
      status,
      field: textOf(answer.field),
      retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
    });
  }
  const [url, token, room] = [textOf(answer.url), textOf(answer.token), textOf(answer.room)];
  if (url === undefined || token === undefined || room === undefined) {
    throw new JoinError("bad_answer", "the answer is not a seat", { status });
  }
  return { url, token, room };
}

/** @param {string} text @returns {Record<string, unknown>} */
function parsed(text) {
  if (text.length > ANSWER_CHARS_MAX) return {};
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === "string" ? value : undefined;
}
