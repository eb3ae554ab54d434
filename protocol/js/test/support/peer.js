/** A server in memory: writes what a server says, and reads what a client does. */

import { Reader, Writer } from "../../src/codec.js";
import { hashOf } from "../../src/schema/descriptor.js";
import { descriptorOf } from "./fixtures.js";

/** @param {(w: Writer) => void} write */
function message(write) {
  const w = new Writer();
  write(w);
  return w.bytes();
}

const space = descriptorOf("space");

/**
 * @param {{ version?: number, player?: number, tickHz?: number, sendEvery?: number, tick?: number,
 *   token?: string, baseline?: number, descriptor?: Uint8Array | null, hash?: bigint }} [of]
 */
export function welcome({ version = 1, player = 4, tickHz = 20, sendEvery = 1, tick = 100, token = "next", baseline,
  descriptor = space, hash } = {}) {
  return message((w) => {
    w.u8(1);
    w.uint(version);
    w.uint(player);
    w.str("space");
    w.uint(tickHz);
    w.u8(sendEvery);
    w.uint(tick);
    w.uint(0);
    w.str(token);
    w.option(baseline, (it) => w.uint(it));
    w.uint(hash ?? hashOf(descriptor ?? space));
    w.option(descriptor ?? undefined, (it) => w.blob(it));
  });
}

/**
 * @param {{ full?: number, step?: number, processed?: number, depth?: number, hash?: number,
 *   events?: { reliable?: boolean, tick: number, body: number[] }[] }} of
 */
export function frame({ full, step = 1, processed, depth, hash, events = [] }) {
  return message((w) => {
    w.u8(0);
    w.u8((full === undefined ? 0 : 1) | (processed === undefined ? 0 : 4) | (depth === undefined ? 0 : 8)
      | (hash === undefined ? 0 : 16) | (events.length > 0 ? 32 : 0));
    w.uint(full ?? step);
    if (processed !== undefined) w.uint(processed);
    if (depth !== undefined) w.int(depth);
    if (hash !== undefined) w.raw([hash & 255, (hash >> 8) & 255, (hash >> 16) & 255, hash >>> 24]);
    w.uint(0);
    if (events.length > 0) w.uint(events.length);
    for (const { reliable, tick, body } of events) {
      w.bool(reliable ?? false);
      w.raw([tick & 255, (tick >> 8) & 255]);
      w.blob(Uint8Array.from(body));
    }
  });
}

/** @param {number} id @param {number[]} body */
export const reply = (id, body) => message((w) => {
  w.u8(2);
  w.uint(id);
  w.u8(0);
  w.blob(Uint8Array.from(body));
});

/** @param {number} id @param {number} code @param {string} text */
export const refusal = (id, code, text) => message((w) => {
  w.u8(2);
  w.uint(id);
  w.u8(1);
  w.uint(code);
  w.str(text);
});

/** @param {string} text @param {number} [player] */
export const chat = (text, player = 1) => message((w) => {
  w.u8(3);
  w.uint(player);
  w.str("Ada");
  w.uint(7);
  w.str(text);
});

/** @param {number} stamp @param {number} tick */
export const pong = (stamp, tick, micros = 0) => message((w) => {
  w.u8(4);
  w.uint(stamp);
  w.uint(tick);
  w.uint(micros);
});

/** @param {number} code @param {string} text */
export const bye = (code, text, retryAfterMs = 0) => message((w) => {
  w.u8(5);
  w.uint(code);
  w.str(text);
  w.uint(retryAfterMs);
});

/** @param {string} address @param {string} token */
export const moved = (address, token) => message((w) => {
  w.u8(6);
  w.str(address);
  w.str(token);
});

/** @param {string} token */
export const newToken = (token) => message((w) => {
  w.u8(7);
  w.str(token);
});

/** What a client said. @param {Uint8Array} bytes @returns {any} */
export function heard(bytes) {
  const r = new Reader(bytes);
  const said = after(r.u8(), r);
  r.finish();
  return said;
}

/** @param {number} tag @param {Reader} r */
function after(tag, r) {
  switch (tag) {
    case 0:
      r.raw(4);
      return {
        hello: { version: r.u16(), schema: r.option((r) => r.bigU64()), token: r.str(1024), applied: r.option((r) => r.u32()) },
      };
    case 1: {
      const [applied, count] = [r.u32(), r.count(16)];
      const first = count > 0 ? r.u32() : 0;
      const inputs = [];
      for (let i = 0; i < count; i++) inputs.push({ sequence: first + i, tick: applied + r.i32(), body: [...r.blob(256)] });
      return { input: { applied, inputs } };
    }
    case 2:
      return { command: { id: r.u32(), body: [...r.blob(8192)] } };
    case 3:
      return { chat: r.str(512) };
    case 4:
      return { ping: r.u64() };
    case 5:
      return { pace: r.u8() };
    case 6:
      return { refresh: true };
    case 7:
      return { bye: true };
    default:
      throw new Error(`tag ${tag}`);
  }
}

/** A session and what it says, without any network; times in milliseconds. */
export class Play {
  /** @param {typeof import("../../src/session/session.js").Session} Session */
  constructor(Session) {
    this.now = 0;
    /** @type {import("../../src/session/events.js").SessionEvent[]} */
    this.events = [];
    /**
     * What became of commands, in the order of it.
     *
     * @type {[number, import("../../src/session/events.js").Outcome][]}
     */
    this.outcomes = [];
    this.commands = 0;
    this.onEvent = (/** @type {import("../../src/session/events.js").SessionEvent} */ _) => {};
    const tell = (/** @type {import("../../src/session/events.js").SessionEvent} */ event) => {
      this.events.push(event);
      this.onEvent(event);
    };
    this.session = new Session({ address: "ws://a", token: "seat", random: () => 0.5, tell }, 0);
    this.session.start();
    /** @type {any[]} */
    this.said = [];
    this.#poll();
  }

  #poll() {
    for (let bytes = this.session.pollTransmit(); bytes; bytes = this.session.pollTransmit()) this.said.push(heard(bytes));
  }

  get micros() {
    return this.now * 1000;
  }

  open() {
    this.session.handleOpen(this.micros);
    this.#poll();
    return this;
  }

  /** @param {...Uint8Array} messages */
  tell(...messages) {
    for (const bytes of messages) {
      this.session.handleMessage(bytes, this.micros);
      this.#poll();
    }
    return this;
  }

  /** Opens, is welcomed, and gets a full frame. @param {Parameters<typeof welcome>[0]} [of] */
  join(of) {
    return this.open().tell(welcome(of), frame({ full: of?.tick ?? 100 }));
  }

  /** Time passes, and everything is done when it is due. @param {number} ms */
  pass(ms) {
    const end = this.now + ms;
    for (let left = 10_000; ; left--) {
      if (left === 0) throw new Error("a busy loop");
      const due = this.session.deadline;
      if (due === undefined || due > end * 1000) break;
      this.now = Math.max(this.now, due / 1000);
      this.session.handleTimeout(due);
      this.#poll();
    }
    this.now = end;
    this.session.handleTimeout(this.micros);
    this.#poll();
    return this;
  }

  /**
   * Does something to the session, and sends what follows.
   *
   * @template T
   * @param {(session: import("../../src/session/session.js").Session) => T} what
   * @returns {T}
   */
  ask(what) {
    const result = what(this.session);
    this.#poll();
    return result;
  }

  /** Queues a command of so many bytes; why not, if it is not. @param {number} ms @param {number} [length] */
  command(ms, length = 1) {
    const number = this.commands++;
    const fault = this.session.command(new Uint8Array(length), ms * 1000, this.micros, (outcome) => {
      this.outcomes.push([number, outcome]);
    });
    this.#poll();
    return fault;
  }

  /** What was said of a sort since it was last asked. @param {string} sort */
  heard(sort) {
    const mine = this.said.filter((it) => sort in it);
    this.said = this.said.filter((it) => !(sort in it));
    return mine.map((it) => it[sort]);
  }

  /** Events of a sort since it was last asked. @param {string} what @returns {any[]} */
  told(what) {
    const mine = this.events.filter((it) => it.what === what);
    this.events = this.events.filter((it) => it.what !== what);
    return mine;
  }
}
