/**
 * Text and its bytes.
 *
 * @module
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * The text that the bytes from `start` to `end` are; nothing if they are not UTF-8.
 *
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 * @returns {string | undefined}
 */
export function decodeUtf8(bytes, start, end) {
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/**
 * The bytes of a text. What is not Unicode in it (half a surrogate pair) becomes U+FFFD.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encodeUtf8(text) {
  return encoder.encode(text);
}

/**
 * As many of the bytes of a text as fit, cut between characters.
 *
 * @param {string} text
 * @param {number} max
 * @returns {Uint8Array}
 */
export function encodeUtf8UpTo(text, max) {
  const bytes = new Uint8Array(max);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}
