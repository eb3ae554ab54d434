/** What a browser remembers of its player. A browser may refuse to: then each page begins anew. */

const PREFIX = "tickwire.";

/** The longest name of a player, in characters: in any script it fits the 64 bytes of the protocol. */
export const NAME_CHARS_MAX = 16;

/**
 * @param {string} key
 * @returns {string} empty if nothing is remembered
 */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Storage is forbidden or full: the next page asks again.
  }
}

/** The name as it may be sent. */
export function playerName() {
  return tidyName(recall("name"));
}

/** @param {string} name */
export function tidyName(name) {
  return [...name.trim()].slice(0, NAME_CHARS_MAX).join("").trim();
}
