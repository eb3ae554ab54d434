/**
 * A WebSocket for Node before 22, which has none of its own: as much as this
 * protocol needs. Messages come in one frame each; a fragment, like anything else
 * that breaks the rules, ends the connection.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

import { CLOSE_ABNORMAL } from "../close.js";
import { SERVER_MESSAGE_BYTES_MAX } from "../limits.js";
import { SUBPROTOCOL } from "../message.js";

const ACCEPT_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const FIN = 0x80;
const MASKED = 0x80;
const CONTROL_BYTES_MAX = 125;
/** How long the other side may take to end the connection after it was told to. */
const CLOSE_TIMEOUT_MS = 2000;

/** @type {import("./websocket.js").OpenSocket} */
export function openNodeSocket(address, on) {
  const key = randomBytes(16).toString("base64");
  /** @type {import("node:stream").Duplex | undefined} */
  let stream;
  let [code, text, isOver] = [CLOSE_ABNORMAL, "", false];

  const over = () => {
    if (isOver) return;
    isOver = true;
    stream?.destroy();
    on.close(code, text);
  };
  const send = (/** @type {number} */ opcode, /** @type {Uint8Array} */ bytes) => {
    stream?.write(clientFrame(opcode, bytes));
  };
  const frames = new FrameReader((opcode, bytes) => {
    if (opcode === BINARY) on.message(bytes);
    else if (opcode === PING) send(PONG, bytes);
    else if (opcode === CLOSE) {
      if (bytes.length >= 2) [code, text] = [(bytes[0] << 8) | bytes[1], new TextDecoder().decode(bytes.subarray(2))];
      send(CLOSE, bytes.subarray(0, 2));
      stream?.end();
    }
  });

  const request = handshake(address, key, over);
  request?.on("upgrade", (response, socket, head) => {
    socket.on("error", over).on("close", over);
    stream = socket;
    if (isOver || !isAccepted(response, key)) return over();
    on.open();
    const take = (/** @type {Buffer} */ bytes) => {
      if (!frames.take(bytes)) over();
    };
    if (head.length > 0) take(head);
    socket.on("data", take).on("end", over);
  });

  return {
    send: (bytes) => send(BINARY, bytes),
    close(closeCode) {
      if (!stream) {
        request?.destroy();
        queueMicrotask(over);
        return;
      }
      send(CLOSE, Uint8Array.of(closeCode >> 8, closeCode & 255));
      setTimeout(over, CLOSE_TIMEOUT_MS).unref();
    },
  };
}

/** Asks for the upgrade. @param {string} address @param {string} key @param {() => void} over */
function handshake(address, key, over) {
  try {
    const url = new URL(address);
    const secure = url.protocol === "wss:";
    url.protocol = secure ? "https:" : "http:";
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
      "Sec-WebSocket-Protocol": SUBPROTOCOL,
    };
    const request = (secure ? https : http).request(url, { headers });
    request.on("error", over);
    request.on("response", (response) => {
      response.destroy();
      over();
    });
    request.end();
    return request;
  } catch {
    queueMicrotask(over);
    return undefined;
  }
}

/** @param {http.IncomingMessage} response @param {string} key */
function isAccepted({ headers }, key) {
  const accept = createHash("sha1").update(key + ACCEPT_SALT).digest("base64");
  return headers["sec-websocket-accept"] === accept
    && headers["sec-websocket-protocol"] === SUBPROTOCOL
    && headers["sec-websocket-extensions"] === undefined;
}

/** A frame as a client sends it: complete, and masked. @param {number} opcode @param {Uint8Array} bytes */
function clientFrame(opcode, bytes) {
  const long = bytes.length > CONTROL_BYTES_MAX;
  const head = long
    ? [FIN | opcode, MASKED | 126, bytes.length >> 8, bytes.length & 255]
    : [FIN | opcode, MASKED | bytes.length];
  const mask = randomBytes(4);
  const frame = Buffer.alloc(head.length + 4 + bytes.length);
  frame.set(head);
  frame.set(mask, head.length);
  for (let i = 0; i < bytes.length; i++) frame[head.length + 4 + i] = bytes[i] ^ mask[i & 3];
  return frame;
}

/** Cuts what comes into frames. It holds at most one message, and what came with its end. */
export class FrameReader {
  /** @type {Buffer[]} */
  #parts = [];
  #length = 0;
  /** So many bytes make the next step possible. */
  #needed = 2;
  #on;

  /** @param {(opcode: number, bytes: Uint8Array) => void} on */
  constructor(on) {
    this.#on = on;
  }

  /** Takes in bytes; `false` if they break the rules. @param {Buffer} bytes */
  take(bytes) {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#needed) return true;
    let all = this.#parts.length === 1 ? bytes : Buffer.concat(this.#parts);
    for (;;) {
      const head = frameHead(all);
      if (head === undefined) return false;
      const { start, end, opcode } = head;
      if (all.length < end) {
        this.#needed = end;
        break;
      }
      // A copy, aligned with nothing else: the application may keep it.
      this.#on(opcode, Uint8Array.prototype.slice.call(all, start, end));
      all = all.subarray(end);
    }
    this.#parts = all.length > 0 ? [all] : [];
    this.#length = all.length;
    return true;
  }
}

/**
 * Where the payload of the frame at the start of the bytes lies; with too few
 * bytes to tell, `end` says how many it takes. Nothing if it must not be sent.
 *
 * @param {Buffer} bytes
 */
function frameHead(bytes) {
  if (bytes.length < 2) return { start: 2, end: 2, opcode: 0 };
  const [first, second] = bytes;
  const opcode = first & 15;
  const isControl = opcode >= CLOSE;
  const known = opcode === BINARY || opcode === CLOSE || opcode === PING || opcode === PONG;
  // Whole frames without extensions, not masked; a server must not send others.
  if (!known || (first & 0xf0) !== FIN || second > 127) return undefined;
  if (isControl && second > CONTROL_BYTES_MAX) return undefined;
  if (second < 126) return { start: 2, end: 2 + second, opcode };
  const start = second === 126 ? 4 : 10;
  if (bytes.length < start) return { start, end: start, opcode };
  const length = second === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return length > SERVER_MESSAGE_BYTES_MAX ? undefined : { start, end: start + length, opcode };
}
