/**
 * The socket of a session: a WebSocket, its messages as bytes.
 *
 * @module
 */

import { CLOSE_ABNORMAL } from "../close.js";
import { SUBPROTOCOL } from "../message.js";

/**
 * What happens to a socket; `close` is the last.
 *
 * @typedef {object} SocketEvents
 * @property {() => void} open
 * @property {(bytes: Uint8Array) => void} message
 * @property {(code: number, text: string) => void} close
 *
 * @typedef {{ send: (bytes: Uint8Array) => void, close: (code: number) => void }} Socket
 * @typedef {(address: string, on: SocketEvents) => Socket} OpenSocket
 *
 * @typedef {new (address: string, protocol: string) => any} WebSocketClass
 *   as the platform's `WebSocket`
 */

/** A message that no protocol has: what a text becomes, which must not come. */
const NO_MESSAGE = new Uint8Array(0);

/**
 * Opens sockets of a class like the platform's own.
 *
 * @param {WebSocketClass} WebSocketClass
 * @returns {OpenSocket}
 */
export function webSockets(WebSocketClass) {
  return (address, on) => {
    let socket;
    try {
      socket = new WebSocketClass(address, SUBPROTOCOL);
    } catch {
      // An address that cannot be one. That it is lost is told later, as always.
      queueMicrotask(() => on.close(CLOSE_ABNORMAL, ""));
      return { send() {}, close() {} };
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => on.open();
    socket.onmessage = (/** @type {{ data: unknown }} */ { data }) => {
      on.message(data instanceof ArrayBuffer ? new Uint8Array(data) : NO_MESSAGE);
    };
    // An error says nothing that the close after it does not.
    socket.onclose = (/** @type {{ code: number, reason: string }} */ { code, reason }) => on.close(code, reason);
    return {
      send: (bytes) => socket.send(bytes),
      close: (code) => socket.close(code),
    };
  };
}

/**
 * The platform's way to open sockets: its own WebSocket, or on a Node that has none, ours.
 *
 * @returns {Promise<OpenSocket>}
 */
export async function platformSockets() {
  const { WebSocket } = globalThis;
  if (WebSocket) return webSockets(WebSocket);
  // By its address, so that bundles for browsers need not have it.
  const { openNodeSocket } = await import(new URL("./node.js", import.meta.url).href);
  return openNodeSocket;
}
