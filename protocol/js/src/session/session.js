/**
 * A session: one player in one room, over as many connections as it takes.
 *
 * A state machine without sockets or clocks. Bytes, times (whole microseconds)
 * and the application's wishes go in, bytes, events and a deadline come out; events
 * through the function that it is given. Who drives it owns the socket and
 *
 * - hands over what happens to it: `handleOpen`, `handleMessage`, `handleClose`;
 * - calls `handleTimeout` when `deadline` has come, after what came until then;
 * - sends what `pollTransmit` gives, each as one binary message, after every call.
 *
 *              ┌──────────────────────── its time has come ────────────────────────┐
 *              ▼                                                                    │
 *     new ─► connecting ── handleOpen ─► greeting ── Welcome ─► joined          waiting
 *              │ lost,                     │ closed, lost,        │ closed, lost,   ▲
 *              │ timed out                 │ timed out, error     │ silent, error   │
 *              └───────────────────────────┴───────┬──────────────┘                 │
 *                                                  ├── connect again ───────────────┘
 *                                                  ├── another seat is needed ─► need_seat
 *                                                  └── nothing helps, left ────► ended
 *     need_seat, ended ── rejoin ─► connecting
 *
 * Every way out of a connection raises one `closed` event, every way into
 * `connecting` a `connect` event. No message can throw out of a session: one that
 * breaks the rules ends the connection, the state is given up, and the next
 * connection begins from the whole state. Memory is bounded: nothing waits but what
 * the application asked for.
 *
 * When a program was not run for a while (a hidden tab), everything that came
 * meanwhile is handed over in order: all of it is applied, the first frame that
 * was late is acknowledged at once, and what follows is the present.
 *
 * @module
 */

import { CLOSE_ABNORMAL, CLOSE_BAD_MESSAGE, CLOSE_NORMAL, closeReason } from "../close.js";
import { Reader, Writer } from "../codec.js";
import { eventTick } from "../frame.js";
import { INPUT_BYTES_MAX } from "../limits.js";
import { Malformed } from "../malformed.js";
import {
  VERSION,
  readServerMessage,
  writeBye,
  writeHello,
  writeInputs,
  writePace,
  writePing,
  writeRefresh,
} from "../message.js";
import { Mirror } from "../mirror/mirror.js";
import { PATIENCE, Reconnect } from "../reconnect.js";
import { hashOf, readDescriptor } from "../schema/descriptor.js";
import { encodeUtf8 } from "../text.js";
import { readValue } from "../value.js";
import { Acks } from "./acks.js";
import { InputQueue } from "./inputs.js";
import { Pings } from "./pings.js";
import { Requests } from "./requests.js";
import { Timeline } from "./timeline.js";

/**
 * @typedef {import("./events.js").Cause} Cause
 * @typedef {import("./events.js").SessionEvent} SessionEvent
 * @typedef {import("./events.js").SessionFault} SessionFault
 * @typedef {import("./events.js").Then} Then
 * @typedef {import("../close.js").Advice} Advice
 * @typedef {import("../frame.js").Frame} Frame
 * @typedef {import("../message.js").Welcome} Welcome
 * @typedef {import("../schema/kinds.js").Schema} Schema
 *
 * @typedef {{ is: "waiting" | "connecting" | "greeting", until: number }
 *   | { is: "joined" | "need_seat" | "ended" }} Phase
 */

/** How long the application may take to open a socket. */
export const CONNECT_TIMEOUT = 10_000_000;
/** How long the server may take to answer Hello. */
export const HELLO_TIMEOUT = 5_000_000;
/** The whole state is asked for at most once in this time. */
export const REFRESH_INTERVAL = 2_000_000;

/** The fault after which the same would happen again. */
const FINAL = "version";

export class Session {
  /** The latest time that was handed over. */
  #now;
  #seat;
  /**
   * What this connection's Hello said, once it was sent.
   *
   * @type {{ at: number, applied: number | undefined } | undefined}
   */
  #hello;
  /** Whether this connection's first frame, which is full, is still to come. */
  #awaitsWhole = true;
  #inputs = new InputQueue();
  #acks = new Acks();
  #pings = new Pings(0);
  #requests = new Requests();
  #tell;
  #reconnect;
  #policy;
  #random;
  #writer = new Writer();
  // What the application asked of the connection.
  #pace = 1;
  #tellPace = false;
  #askRefresh = false;
  /** When the whole state was last asked for, on this connection or another. */
  #refreshed = -Infinity;
  #leaves = false;

  /** @type {Phase} */
  phase = { is: "ended" };
  /** The schema of the server's messages, once it was described. @type {Schema | undefined} */
  schema;
  /** The state of the room; nothing before the first Welcome. @type {Mirror | undefined} */
  mirror;
  /** The room's time; nothing before the first Welcome. @type {Timeline | undefined} */
  timeline;
  /** The number of this player's seat, known to all in the room. @type {number | undefined} */
  player;
  /** The name of the game. @type {string | undefined} */
  game;
  /**
   * The number of the last input that the server has used, as of the last frame.
   *
   * @type {number | undefined}
   */
  processed;
  /** What happened, in numbers that only grow. */
  counters = { frames: 0, framesMerged: 0, resumes: 0, diverged: 0, strays: 0 };

  /**
   * A session that asks for a socket when it is started.
   *
   * @param {object} config
   * @param {string} config.address the WebSocket address of the room's server
   * @param {string} config.token the seat token that the server's API gave out
   * @param {() => number} config.random even over 0 to 1; different for each client
   * @param {(event: SessionEvent) => void} config.tell is told what happens; it may call the session
   * @param {import("../reconnect.js").Policy} [config.policy] how patiently to reconnect
   * @param {number} now
   */
  constructor({ address, token, random, tell, policy = PATIENCE }, now) {
    this.#now = now;
    this.#tell = tell;
    this.#seat = { address, token, joined: false };
    this.#random = random;
    this.#policy = policy;
    this.#reconnect = new Reconnect(policy);
  }

  /** Asks for the first socket. */
  start() {
    this.#connect();
  }

  // --------------------------------------------------------------- what the player does

  /**
   * Puts an input into force: it holds until the next one. The body is in the
   * schema's input kind.
   *
   * May be called at any time and as often as it likes. If nothing changed, or the
   * player is not in the room now, nothing is queued and there is no stamp; the
   * input that is in force on joining or resuming is sent then.
   *
   * @param {Uint8Array} body
   * @param {number} now
   * @returns {import("./inputs.js").InputStamp | undefined}
   */
  input(body, now) {
    this.#at(now);
    if (body.length > INPUT_BYTES_MAX) throw new RangeError("the input is too long");
    this.#inputs.set(body);
    return this.#stampInput();
  }

  /**
   * Queues a command, in the schema's command kind. It has exactly one outcome,
   * after `timeout` at the latest.
   *
   * @param {Uint8Array} body
   * @param {number} timeout
   * @param {number} now
   * @param {import("./requests.js").Settle} settle
   * @returns {import("./requests.js").SendFault | undefined} why it has none: it was not queued
   */
  command(body, timeout, now, settle) {
    this.#at(now);
    return this.#inRoom() ? this.#requests.command(body, timeout, now, settle) : "not_joined";
  }

  /** Queues a line of chat. @param {string} text @returns {import("./requests.js").SendFault | undefined} */
  chat(text) {
    return this.#inRoom() ? this.#requests.chat(encodeUtf8(text)) : "not_joined";
  }

  /** Asks for a frame every so many of the room's sends, from here on. @param {number} every 1 to 255 */
  pace(every) {
    if (this.#pace !== every) this.#tellPace = true;
    this.#pace = every;
  }

  /**
   * Asks for the whole state; `false` if that was done less than
   * {@link REFRESH_INTERVAL} ago, or there is no connection.
   *
   * @param {number} now
   */
  refresh(now) {
    this.#at(now);
    if (this.phase.is !== "joined" || now - this.#refreshed < REFRESH_INTERVAL) return false;
    this.#askRefresh = true;
    this.#refreshed = now;
    return true;
  }

  /**
   * Leaves the room for good. What was queued before still goes, and a Bye after
   * it; then, or at once if there is no connection, the session is over.
   */
  leave() {
    if (this.phase.is === "joined") {
      this.#leaves = true;
    } else if (this.phase.is !== "ended") {
      this.phase = { is: "ended" };
      this.#tell({ what: "closed", cause: { kind: "left" }, then: { what: "end" } });
    }
  }

  /**
   * Goes on with another seat, when one is needed or the session is over; `false`
   * at other times.
   *
   * @param {string} address
   * @param {string} token
   * @param {number} now
   */
  rejoin(address, token, now) {
    this.#at(now);
    const ended = this.phase.is === "ended";
    if (!ended && this.phase.is !== "need_seat") return false;
    if (ended) this.#reconnect = new Reconnect(this.#policy);
    this.#seat = { address, token, joined: false };
    this.#leaves = false;
    this.#connect();
    return true;
  }

  /**
   * No seat could be had: waits for the next attempt, or gives up.
   *
   * @param {number} retryAfter
   * @param {number} now
   * @returns {Then}
   */
  noSeat(retryAfter, now) {
    this.#at(now);
    const then = this.#then("join", retryAfter);
    if (then.what !== "need_seat") this.phase = { is: "ended" };
    return then;
  }

  // ----------------------------------------------------------- what happens to the socket

  /** The socket that `connect` asked for is open. @param {number} now */
  handleOpen(now) {
    this.#at(now);
    if (this.phase.is !== "connecting") return;
    this.#hello = undefined;
    this.phase = { is: "greeting", until: now + HELLO_TIMEOUT };
  }

  /**
   * The socket is closed, with the code and text of the server's close frame; 1006 if
   * there was none, as it failed, ended, or could not be opened.
   *
   * @param {number} code
   * @param {string} text
   * @param {number} now
   */
  handleClose(code, text, now) {
    this.#at(now);
    const reason = closeReason(code, text);
    this.#end(code === CLOSE_ABNORMAL ? { kind: "lost" } : { kind: "server", reason }, reason.advice, 0);
  }

  /** Does what is due. @param {number} now */
  handleTimeout(now) {
    this.#at(now);
    const { phase } = this;
    if (phase.is === "joined") {
      this.#tick(now);
    } else if ("until" in phase && phase.until <= now) {
      if (phase.is === "waiting") this.#connect();
      else this.#end({ kind: phase.is === "connecting" ? "not_opened" : "not_welcomed" }, "resume", 0);
    }
  }

  /** @param {number} now */
  #tick(now) {
    this.#requests.expire(now);
    if (!this.#pings.check(now)) this.#end({ kind: "silent" }, "resume", 0);
  }

  /**
   * When {@link Session.handleTimeout} has something to do, if nothing else happens.
   *
   * @returns {number | undefined}
   */
  get deadline() {
    if ("until" in this.phase) return this.phase.until;
    if (this.phase.is !== "joined") return undefined;
    return Math.min(this.#acks.due, this.#inputs.due, this.#requests.due, this.#pings.due);
  }

  // ----------------------------------------------------------------- what is to be sent

  /**
   * The next message, to be sent as one binary message, in this order.
   *
   * @returns {Uint8Array | undefined}
   */
  pollTransmit() {
    const w = this.#writer.clear();
    if (this.phase.is === "greeting") this.#sendHello(w);
    else if (this.phase.is === "joined") this.#sendNext(w);
    return w.length > 0 ? w.bytes() : undefined;
  }

  /** @param {Writer} w */
  #sendHello(w) {
    if (this.#hello) return;
    // The state of another seat, or of no room yet, is nothing to go on from.
    const applied = this.#seat.joined ? this.mirror?.tick : undefined;
    writeHello(w, { schema: this.schema?.hash, token: this.#seat.token, applied });
    this.#hello = { at: this.#now, applied };
  }

  /** @param {Writer} w */
  #sendNext(w) {
    if (this.#leaves) {
      if (this.#requests.send(w)) return;
      writeBye(w);
      this.#end({ kind: "left" }, "stop", 0);
      return;
    }
    // First what is worth less the later it goes.
    if (this.#pings.isReady(this.#now)) writePing(w, this.#pings.send(this.#now));
    else if (!this.#sendInputs(w) && !this.#sendWishes(w)) this.#requests.send(w);
  }

  /** Inputs and the acknowledgement, or either. @param {Writer} w */
  #sendInputs(w) {
    if (this.#acks.due > this.#now && this.#inputs.due > this.#now) return false;
    // Neither is before this connection's first frame.
    const applied = this.mirror?.tick;
    if (applied === undefined) return false;
    writeInputs(w, applied, this.#inputs.take(this.#now));
    this.#acks.due = Infinity;
    return true;
  }

  /** @param {Writer} w */
  #sendWishes(w) {
    if (this.#tellPace) {
      this.#tellPace = false;
      writePace(w, this.#pace);
      return true;
    }
    if (!this.#askRefresh) return false;
    this.#askRefresh = false;
    writeRefresh(w);
    return true;
  }

  // ------------------------------------------------------------------------ what came

  /**
   * Takes in one binary message of the present socket. One of a socket that is
   * over already is ignored.
   *
   * @param {Uint8Array} bytes
   * @param {number} now
   */
  handleMessage(bytes, now) {
    this.#at(now);
    if (this.phase.is === "greeting") this.#guarded(() => this.#greeted(bytes));
    else if (this.phase.is === "joined") this.#guarded(() => this.#received(bytes));
  }

  /**
   * Runs what the server's bytes can make fail: then the connection is over.
   *
   * @param {() => void} read
   */
  #guarded(read) {
    try {
      read();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#reject(error.code);
    }
  }

  /** A body in the schema's kind. @param {"event" | "reply"} what @param {Uint8Array} body */
  #body(what, body) {
    const r = new Reader(body);
    const value = this.schema && readValue(this.schema[what], r);
    r.finish();
    return value;
  }

  /** Ends the connection because of something that the server said. @param {SessionFault} code */
  #reject(code) {
    if (this.phase.is !== "greeting" && this.phase.is !== "joined") return;
    const final = code === FINAL;
    // What such a server said before is not to be believed either.
    if (!final && this.mirror) this.mirror = new Mirror(this.mirror.schema);
    this.#end({ kind: "error", code }, final ? "stop" : "resume", 0);
  }

  /** A message before the Welcome. @param {Uint8Array} bytes */
  #greeted(bytes) {
    const message = readServerMessage(bytes);
    if (message.tag === "welcome") this.#welcomed(message);
    else if (message.tag === "bye") this.#dismissed(message);
    else if (message.tag === "moved") this.#moved(message);
    else throw new Malformed("before_welcome");
  }

  /** A message after it. @param {Uint8Array} bytes */
  #received(bytes) {
    const message = readServerMessage(bytes);
    this.#pings.heard(this.#now);
    switch (message.tag) {
      case "frame":
        return this.#frame(message);
      case "welcome":
        throw new Malformed("unexpected_welcome");
      case "reply":
        return this.#reply(message);
      case "chat":
        return this.#tell({ what: "chat", line: message });
      case "pong":
        return this.#pong(message);
      case "bye":
        return this.#dismissed(message);
      case "moved":
        return this.#moved(message);
      case "token":
        this.#seat.token = message.token;
    }
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    const said = this.#hello;
    if (!said) throw new Malformed("unexpected_welcome");
    if (welcome.version !== VERSION) throw new Malformed("version");
    // Even if the rest is of no use: the token that Hello named is spent.
    this.#seat.token = welcome.token;
    const other = this.#otherSchema(welcome);
    const resumed = welcome.baseline !== undefined;
    if (resumed && (other || said.applied !== welcome.baseline)) throw new Malformed("bad_baseline");
    if (other) {
      this.schema = other;
      this.mirror = undefined;
      // It is in the words of the other schema.
      this.#inputs.forget();
    }
    this.#beginState(resumed);
    this.#beginTime(welcome, resumed, said.at);
    this.player = welcome.player;
    this.game = welcome.game;
    this.#seat.joined = true;
    this.#reconnect.connected(this.#now);
    this.#acks = new Acks();
    this.#pings = new Pings(this.#now);
    this.#tellPace = this.#pace !== 1;
    // If not, the whole state comes anyway.
    this.#askRefresh &&= resumed;
    this.counters.resumes += resumed ? 1 : 0;
    this.phase = { is: "joined" };
    this.#stampInput();
    this.#tell({ what: "joined", player: welcome.player, resumed });
  }

  /**
   * The server's schema, if it is another than the one that is known.
   *
   * @param {Welcome} welcome
   * @returns {Schema | undefined}
   */
  #otherSchema({ schema, descriptor }) {
    if (this.schema?.hash === schema) return undefined;
    if (!descriptor) throw new Malformed("no_descriptor");
    if (hashOf(descriptor) !== schema) throw new Malformed("bad_descriptor");
    return readDescriptor(descriptor);
  }

  /** Makes the state ready for the first frame of a connection. @param {boolean} resumed */
  #beginState(resumed) {
    this.#awaitsWhole = !resumed;
    if (!this.#seat.joined) {
      // Another seat, perhaps in another room: what was seen there means nothing here.
      this.mirror = undefined;
      this.processed = undefined;
    }
    if (resumed) this.mirror?.resume();
    else if (this.schema) this.mirror ??= new Mirror(this.schema);
  }

  /** @param {Welcome} welcome @param {boolean} resumed @param {number} asked */
  #beginTime({ tickHz, sendEvery, clock }, resumed, asked) {
    if (!resumed || !this.timeline?.fits(tickHz, sendEvery)) {
      this.#inputs.newTimeLine();
      this.timeline = new Timeline(tickHz, sendEvery);
    }
    this.timeline.clock.sample(asked, this.#now, clock);
  }

  /** @param {Frame} frame */
  #frame(frame) {
    if (!frame.full && this.#awaitsWhole) throw new Malformed("mirror.NoBaseline");
    const { mirror } = this;
    if (!mirror || !this.timeline) throw new Malformed("before_welcome");
    const { from, tick, hashAgrees } = mirror.apply(frame);
    if (!this.#awaitsWhole && from !== undefined && tick < from) this.#restart(this.timeline);
    const { playhead, lead, clock } = this.timeline;
    playhead.frameApplied(tick, this.#now);
    if (frame.depth !== undefined) lead.depthReported(clock, frame.depth, this.#now);
    const expected = this.timeline.sendEvery * this.#pace;
    const isMerged = !frame.full && frame.step > expected;
    this.#acks.applied(this.#now, frame.full || isMerged, expected * this.timeline.tickMicros);
    this.#awaitsWhole = false;
    this.processed = frame.processed ?? this.processed;
    this.counters.frames += 1;
    this.counters.framesMerged += isMerged ? 1 : 0;
    if (hashAgrees === false) {
      this.counters.diverged += 1;
      this.refresh(this.#now);
    }
    this.#stampInput();
    this.#tell({ what: "frame", tick });
    this.#gameEvents(frame, tick);
  }

  /**
   * The server went back to an earlier tick: nothing that was measured holds, and
   * what never goes backwards has to begin anew. Inputs wait for the next pong.
   *
   * @param {Timeline} before
   */
  #restart(before) {
    this.timeline = new Timeline(before.tickHz, before.sendEvery);
    this.#inputs.newTimeLine();
    this.#pings = new Pings(this.#now);
  }

  /** @param {Frame} frame @param {number} tick */
  #gameEvents(frame, tick) {
    for (const event of frame.events) {
      // What was told before may have ended the connection.
      if (this.phase.is !== "joined") return;
      const value = this.#body("event", event.body);
      this.#tell({ what: "event", tick: eventTick(event, tick), reliable: event.reliable, value });
    }
  }

  /** @param {import("../message.js").Reply} reply */
  #reply(reply) {
    /** @type {import("./events.js").Outcome} */
    const outcome = reply.body
      ? { is: "reply", value: this.#body("reply", reply.body) }
      : { is: "refused", refusal: { code: reply.code, text: reply.text } };
    if (!this.#requests.settle(reply.id, outcome)) this.counters.strays += 1;
  }

  /** @param {import("../message.js").Pong} pong */
  #pong({ stamp, clock }) {
    if (this.#pings.answered(stamp)) this.timeline?.clock.sample(stamp, this.#now, clock);
    else this.counters.strays += 1;
    // The input in force waits for a clock if the Welcome took too long.
    this.#stampInput();
  }

  /** The server's last word. @param {import("../message.js").Bye} bye */
  #dismissed({ code, text, retryAfterMs }) {
    const reason = closeReason(code, text);
    this.#end({ kind: "server", reason }, reason.advice, retryAfterMs * 1000);
  }

  /** The room is elsewhere: the seat is kept there. @param {import("../message.js").Moved} moved */
  #moved({ address, token }) {
    this.#seat.address = address;
    this.#seat.token = token;
    this.#end({ kind: "moved" }, "resume", 0);
  }

  // ------------------------------------------------------------------- a connection's life

  /** Takes in that it is `now`, at least. @param {number} now */
  #at(now) {
    this.#now = Math.max(this.#now, now);
  }

  #inRoom() {
    return this.phase.is === "joined" && !this.#leaves;
  }

  /** Queues the input in force, if it has to be and can be. */
  #stampInput() {
    if (this.phase.is !== "joined" || this.#awaitsWhole || !this.#inputs.isChanged) return undefined;
    const tick = this.timeline?.inputTick(this.#now);
    if (tick === undefined || !this.timeline) return undefined;
    return this.#inputs.stamp(tick, this.#now, this.timeline.tickMicros);
  }

  /** Asks for a socket. */
  #connect() {
    this.phase = { is: "connecting", until: this.#now + CONNECT_TIMEOUT };
    this.#tell({ what: "connect", address: this.#seat.address });
  }

  /**
   * The connection, or the attempt at one, is over.
   *
   * @param {Cause} cause
   * @param {Advice} advice
   * @param {number} retryAfter
   */
  #end(cause, advice, retryAfter) {
    if (!["connecting", "greeting", "joined"].includes(this.phase.is)) return;
    this.#acks = new Acks();
    this.#inputs.lost();
    const then = this.#leaves ? { what: /** @type {const} */ ("end") } : this.#then(advice, retryAfter);
    if (then.what === "reconnect") this.phase = { is: "waiting", until: then.at };
    else this.phase = { is: then.what === "need_seat" ? "need_seat" : "ended" };
    this.#requests.lose();
    this.#tell({ what: "closed", cause, then });
  }

  /** @param {Advice} advice @param {number} retryAfter @returns {Then} */
  #then(advice, retryAfter) {
    if (advice === "stop") return { what: "end" };
    const at = this.#reconnect.lost(this.#now, retryAfter, this.#random());
    if (at === undefined) return { what: "give_up" };
    return advice === "resume" ? { what: "reconnect", at } : { what: "need_seat", notBefore: at };
  }
}

/**
 * The code to close the socket with, if it is still open: one that a browser, too,
 * lets a program send.
 *
 * @param {Cause} cause
 */
export function closeCode(cause) {
  return cause.kind === "error" && cause.code !== FINAL ? CLOSE_BAD_MESSAGE : CLOSE_NORMAL;
}
