/** Which room an address names, and what to say if it cannot be had. */

const ROOM = /^[0-9a-f]{32}$/;

/**
 * `/arena/` is any room, `/arena/#private` a new one that is not listed, `/arena/#1f46…` that one.
 * What is behind `#` is not sent to servers, nor told to other sites.
 *
 * @param {string} game
 * @param {string} fragment
 * @returns {{ game: string, private?: boolean } | { room: string } | null} nothing if it names none
 */
export function wishOf(game, fragment) {
  const name = fragment.replace(/^#/, "");
  if (name === "") return { game };
  if (name === "private") return { game, private: true };
  return ROOM.test(name) ? { room: name } : null;
}

/** @param {string} room @returns {string} the address that leads others there */
export function linkTo(room) {
  const link = new URL(location.href);
  [link.hash, link.search] = [room, ""];
  return link.href;
}

/**
 * @typedef {object} Trouble what went wrong, for a player
 * @property {string} title
 * @property {string} text
 * @property {"again" | "other" | "none"} way whether the same may be tried again, or another room, or neither
 */

/** By the codes of the server's answers to a request for a seat. @type {Record<string, Trouble>} */
const REFUSED = {
  no_such_room: { title: "That room is gone", text: "A room ends a while after its last player has left.", way: "other" },
  room_full: { title: "That room is full", text: "You can wait for a seat, or play in another room.", way: "again" },
  room_locked: { title: "That room is locked", text: "Nobody can join it at the moment.", way: "again" },
  no_such_game: { title: "This game is not here", text: "The server does not run it.", way: "none" },
  too_many_rooms: { title: "The server has no room left", text: "It runs as many rooms as it can.", way: "again" },
  overloaded: { title: "The server is overloaded", text: "It lets nobody in at the moment.", way: "again" },
  stopping: { title: "The server is stopping", text: "It may be back in a moment.", way: "again" },
};

/** @type {Trouble} */
export const BAD_ADDRESS = {
  title: "This link is not whole",
  text: "It should end with a room's 32 digits and letters. Perhaps some were not copied.",
  way: "other",
};

/** @type {Trouble} */
const AWAY = { title: "The server does not answer", text: "It may be restarting, or your connection may be down.", way: "again" };

/**
 * Why a room could not be joined.
 *
 * @param {import("/client/index.js").JoinError} error
 * @returns {Trouble}
 */
export function troubleOf({ code, message, cause }) {
  if (code === "unreachable") return AWAY;
  if (code === "closed") return endOf(/** @type {import("/client/index.js").Cause} */ (cause));
  return REFUSED[code] ?? { title: "The server refuses", text: `${message}.`, way: "other" };
}

/**
 * Why a room that was joined is over.
 *
 * @param {import("/client/index.js").Status["cause"]} cause
 * @returns {Trouble}
 */
export function endOf(cause) {
  if (cause?.kind === "refused") return troubleOf(cause.error);
  if (cause?.kind === "server") {
    const { code, text } = cause.reason;
    if (text === "") return AWAY; // nobody has said why
    if (code === 1000) return { title: "The room is over", text: "The server has closed it.", way: "other" };
    if (text.startsWith("replaced")) {
      return { title: "You play elsewhere", text: "Your seat was taken over by another window.", way: "again" };
    }
    return { title: "The server has ended this", text: `It says: ${text}.`, way: "other" };
  }
  if (cause?.kind === "error") {
    return { title: "The connection made no sense", text: "The server and this page do not understand each other. A reload may help.", way: "again" };
  }
  return AWAY;
}
