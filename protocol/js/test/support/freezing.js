/** A WebSocket that can be frozen, as a hidden tab is: what comes meanwhile comes all at once at the end. */

import { openNodeSocket } from "../../src/transport/node.js";

export function freezingWebSocket() {
  let isFrozen = false;
  /** @type {(() => void)[]} */
  let waiting = [];
  const later = (/** @type {() => void} */ call) => (isFrozen ? void waiting.push(call) : call());
  /** What came, by its flags: frames only. @type {{ flags: number, bytes: number }[]} */
  const frames = [];

  class WebSocket {
    binaryType = "";
    onopen = () => {};
    /** @param {{ data: ArrayBuffer }} _ */
    onmessage = (_) => {};
    /** @param {{ code: number, reason: string }} _ */
    onclose = (_) => {};

    /** @param {string} address */
    constructor(address) {
      this.socket = openNodeSocket(address, {
        open: () => later(() => this.onopen()),
        message: (bytes) => {
          if (bytes[0] === 0) frames.push({ flags: bytes[1], bytes: bytes.length });
          later(() => this.onmessage({ data: /** @type {ArrayBuffer} */ (bytes.buffer) }));
        },
        close: (code, reason) => later(() => this.onclose({ code, reason })),
      });
    }

    /** @param {Uint8Array} bytes */
    send(bytes) {
      this.socket.send(bytes);
    }

    /** @param {number} code */
    close(code) {
      this.socket.close(code);
    }
  }

  return {
    WebSocket,
    frames,
    freeze() {
      isFrozen = true;
    },
    /** Everything that waits comes now, in one go; gives how many there were. */
    thaw() {
      isFrozen = false;
      const calls = waiting;
      waiting = [];
      calls.forEach((call) => call());
      return calls.length;
    },
  };
}
