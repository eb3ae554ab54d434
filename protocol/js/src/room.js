/**
 * A room as an application has it: tables, input, commands, events, chat.
 *
 * It drives a session: it owns the socket, the clock and the timer, and hands
 * over what happens. Whatever happens is done from the socket's own callbacks, so
 * that a hidden tab, whose timers sleep, still acknowledges what it applies.
 *
 * @module
 */

import { Chat } from "./chat.js";
import { Writer } from "./codec.js";
import { CommandError, JoinError } from "./errors.js";
import { Session, closeCode } from "./session/session.js";
import { writeValue } from "./value.js";
import { Listeners, guarded } from "./world/listeners.js";
import { World } from "./world/world.js";

/**
 * @typedef {import("./transport/websocket.js").OpenSocket} OpenSocket
 * @typedef {import("./transport/websocket.js").Socket} Socket
 * @typedef {import("./session/events.js").Cause} Cause
 * @typedef {import("./session/events.js").SessionEvent} SessionEvent
 * @typedef {import("./session/events.js").Then} Then
 *
 * @typedef {{ url: string, token: string, room: string }} Seat what the API gave
 *
 * @typedef {object} Surroundings what a room needs of the world outside
 * @property {OpenSocket} openSocket
 * @property {() => Promise<Seat>} takeSeat asks the server's API for another seat
 * @property {() => number} now milliseconds, which never go back
 * @property {(call: () => void, ms: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 * @property {() => number} random
 *
 * @typedef {"connecting" | "joined" | "waiting" | "ended"} StatusPhase
 *
 * @typedef {object} Status how the connection stands
 * @property {StatusPhase} phase *waiting*: the connection was lost, and another attempt follows
 * @property {Cause | { kind: "refused", error: JoinError } | undefined} cause
 *   why the last connection ended, while there is no other
 * @property {number | undefined} retryInMs how long until the next attempt
 */

/** How long a command waits for its reply. */
const COMMAND_TIMEOUT_MS = 10_000;
/** The longest that a timer can be set for. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * @template {import("./types.js").Game} [G=any]
 */
export class Room {
  #session;
  #out;
  /** @type {Socket | undefined} */
  #socket;
  #isPumping = false;
  /** @type {any} */
  #timer;
  /** When it goes off. */
  #timerAt = Infinity;
  #world;
  /** @type {import("./session/timeline.js").Timeline | undefined} */
  #timeline;
  #writer = new Writer();
  #frameBytes = 0;
  /** By the event's name. @type {Map<string, Listeners<[event: any, tick: number]>>} */
  #events = new Map();
  /** @type {Listeners<[status: Status]>} */
  #states = new Listeners();
  /** @type {Listeners<[tick: number]>} */
  #frames = new Listeners();
  /** @type {Status} */
  #status = { phase: "connecting", cause: undefined, retryInMs: undefined };
  /**
   * Those who wait for the first state, and for the end.
   *
   * @type {{ resolve: () => void, reject: (error: JoinError) => void } | undefined}
   */
  #ready;
  /** @type {Listeners<[]>} */
  #ended = new Listeners();

  /**
   * For {@link join}, which waits for the first state.
   *
   * @param {Seat} seat
   * @param {Surroundings} out
   */
  constructor(seat, out) {
    this.#out = out;
    /** The room's id, which others can join by. */
    this.id = seat.room;
    const tell = (/** @type {SessionEvent} */ event) => this.#handle(event);
    this.#session = new Session({ address: seat.url, token: seat.token, random: out.random, tell }, this.#now());
    this.#world = new World({
      position: () => this.#session.timeline?.playhead.position(this.#now()),
      newest: () => this.#session.mirror?.tick,
    });
    /** What is said in the room. */
    this.chat = new Chat((text) => {
      const fault = this.#session.chat(text);
      this.#pump();
      return fault;
    });
  }

  /** Connects; done when the first state is there. @returns {Promise<void>} */
  start() {
    return new Promise((resolve, reject) => {
      this.#ready = { resolve, reject };
      this.#session.start();
      this.#pump();
    });
  }

  // ------------------------------------------------------------------------- the state

  /**
   * Each table by its name; also those whose name the room has for something else.
   *
   * @returns {import("./types.js").Tables<G>}
   */
  get tables() {
    return /** @type {any} */ (Object.fromEntries(this.#world.tables));
  }

  /** The number of this client's seat, known to all in the room. @returns {number} */
  get player() {
    return this.#session.player ?? 0;
  }

  /** The name of the game. @returns {string} */
  get game() {
    return this.#session.game ?? "";
  }

  /** The tick of the state. @returns {number} */
  get tick() {
    return this.#session.mirror?.tick ?? 0;
  }

  /** How many ticks the room makes a second. */
  get tickHz() {
    return this.#session.timeline?.tickHz ?? 0;
  }

  /** Where the server's clock stands, in ticks with their fraction. */
  get serverTick() {
    return this.#session.timeline?.clock.serverTick(this.#now()) ?? this.tick;
  }

  /** The point in server time that views are drawn at, in ticks with their fraction. */
  get renderTick() {
    return this.#session.timeline?.playhead.position(this.#now()) ?? this.tick;
  }

  /** The tick that an input made now is for: how far to predict. */
  get inputTick() {
    return this.#session.timeline?.inputTick(this.#now()) ?? this.tick;
  }

  /** The number of the last input that the server has used, as of the state's tick. */
  get processed() {
    return this.#session.processed;
  }

  /** How the connection stands. */
  get status() {
    return this.#status;
  }

  /** Figures of the connection, for a panel; times in milliseconds. */
  get network() {
    const { timeline, counters, mirror } = this.#session;
    const rtt = timeline?.clock.rtt;
    const ms = (/** @type {number | undefined} */ micros) => (micros ?? 0) / 1000;
    return {
      /** The shortest round trip of late, its mean, and how much it varies. */
      rtt: { min: ms(rtt?.min), smoothed: ms(rtt?.smoothed), jitter: ms(rtt?.jitter) },
      /** How old the state is. */
      staleness: (Math.max(this.serverTick - this.tick, 0) * 1000) / (this.tickHz || 1),
      /** How far behind the server views are drawn. */
      viewDelay: ms(timeline?.playhead.delay),
      /** How far ahead inputs are stamped, beyond the way to the server. */
      inputMargin: ms(timeline?.lead.margin),
      /** Bytes of the last frame. */
      frameBytes: this.#frameBytes,
      /** Bytes that rows and texts take, as far as they are counted. */
      stateBytes: mirror?.bytes ?? 0,
      ...counters,
    };
  }

  // ---------------------------------------------------------------- what the player does

  /**
   * Puts an input into force: it holds until the next one. May be called as often
   * as it likes; only changes are sent, at most one a tick. Fields that are left
   * out are at rest.
   *
   * @param {Partial<G["input"]>} input
   * @returns {import("./session/inputs.js").InputStamp | undefined} its number and
   *   tick, if it is a change that can be sent now
   */
  input(input) {
    const { schema } = this.#session;
    if (!schema) return undefined;
    const w = this.#writer.clear();
    writeValue(schema.input, input, w, "input");
    const stamp = this.#session.input(w.bytes(), this.#now());
    this.#pump();
    return stamp;
  }

  /**
   * Carries out a command on the server.
   *
   * @template {keyof G["commands"] & string} N
   * @param {N} name
   * @param {G["commands"][N]} [fields]
   * @param {{ timeoutMs?: number }} [options]
   * @returns {Promise<G["reply"]>} fails with a {@link CommandError}
   */
  command(name, fields, { timeoutMs = COMMAND_TIMEOUT_MS } = {}) {
    return new Promise((resolve, reject) => {
      const { schema } = this.#session;
      if (!schema) return reject(new CommandError("not_joined"));
      const w = this.#writer.clear();
      const value = schema.command.sort === "enum" ? { ...fields, $: name } : fields;
      writeValue(schema.command, value, w, name);
      const fault = this.#session.command(w.bytes(), Math.round(timeoutMs * 1000), this.#now(), (outcome) => {
        if (outcome.is === "reply") resolve(outcome.value);
        else reject(new CommandError(outcome.is, outcome.is === "refused" ? outcome.refusal : undefined));
      });
      if (fault) reject(new CommandError(fault));
      this.#pump();
    });
  }

  /**
   * Calls back for each event of a name.
   *
   * @template {keyof G["events"] & string} N
   * @param {N} name `event` if the game's events are not an enum
   * @param {(event: G["events"][N], tick: number) => void} listener with the tick that it happened in
   * @returns {() => void} what ends it
   */
  on(name, listener) {
    const event = this.#session.schema?.event;
    const names = event?.sort === "enum" ? event.variants.map((variant) => variant.key) : ["event"];
    if (event && !names.includes(name)) throw new TypeError(`there is no event ${JSON.stringify(name)}`);
    const listeners = this.#events.get(name) ?? new Listeners();
    this.#events.set(name, listeners);
    return listeners.add(listener);
  }

  /**
   * Calls back with the status, now and whenever it changes.
   *
   * @param {(status: Status) => void} listener
   * @returns {() => void} what ends it
   */
  onState(listener) {
    guarded(listener, this.#status);
    return this.#states.add(listener);
  }

  /**
   * Calls back after each frame, when the tables are at its tick.
   *
   * @param {(tick: number) => void} listener
   * @returns {() => void} what ends it
   */
  onFrame(listener) {
    return this.#frames.add(listener);
  }

  /** Asks for every so many of the room's frames only. @param {number} every 1 to 255 */
  pace(every) {
    this.#session.pace(Math.min(Math.max(Math.round(every), 1), 255));
    this.#pump();
  }

  /** Asks for the whole state; `false` if that was done a moment ago. */
  refresh() {
    const asked = this.#session.refresh(this.#now());
    this.#pump();
    return asked;
  }

  /** Leaves for good. What was said before still goes. @returns {Promise<void>} */
  leave() {
    return new Promise((resolve) => {
      if (this.#status.phase === "ended") return resolve();
      this.#ended.add(resolve);
      this.#session.leave();
      this.#pump();
    });
  }

  // ----------------------------------------------------------------------- what happens

  /** Now, as sessions count. */
  #now() {
    return Math.round(this.#out.now() * 1000);
  }

  /** Sends what there is to send, and sees to it that it is called when there is more. */
  #pump() {
    // What a callback asks for is sent by who called it.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      this.#session.handleTimeout(this.#now());
      for (let bytes = this.#session.pollTransmit(); bytes; bytes = this.#session.pollTransmit()) {
        this.#socket?.send(bytes);
      }
    } finally {
      this.#isPumping = false;
      this.#setTimer(this.#session.deadline);
    }
  }

  /** @param {number | undefined} deadline */
  #setTimer(deadline) {
    // One that goes off too early does no harm, and is cheaper than a new one each time.
    if (deadline !== undefined && this.#timer && this.#timerAt <= deadline) return;
    if (this.#timer) this.#out.clearTimer(this.#timer);
    this.#timer = undefined;
    if (deadline === undefined) return;
    this.#timerAt = deadline;
    const ms = Math.min(Math.max(Math.ceil((deadline - this.#now()) / 1000), 0), TIMER_MS_MAX);
    this.#timer = this.#out.setTimer(() => {
      this.#timer = undefined;
      this.#pump();
    }, ms);
  }

  /** @param {SessionEvent} event */
  #handle(event) {
    switch (event.what) {
      case "connect":
        return this.#connect(event.address);
      case "joined":
        return this.#setStatus({ phase: "joined", cause: undefined, retryInMs: undefined });
      case "frame":
        return this.#framed(event.tick);
      case "event": {
        const name = event.value?.$ ?? (typeof event.value === "string" ? event.value : "event");
        return this.#events.get(name)?.call(event.value, event.tick);
      }
      case "chat":
        return this.chat.said(event.line);
      case "closed":
        return this.#closed(event.cause, event.then);
    }
  }

  /** @param {string} address */
  #connect(address) {
    this.#setStatus({ ...this.#status, phase: "connecting", retryInMs: undefined });
    // A socket that was given up may still speak: nobody listens then.
    const isMine = () => this.#socket === socket;
    const socket = this.#out.openSocket(address, {
      open: () => {
        if (!isMine()) return;
        this.#session.handleOpen(this.#now());
        this.#pump();
      },
      message: (bytes) => {
        if (!isMine()) return;
        this.#frameBytes = bytes[0] === 0 ? bytes.length : this.#frameBytes;
        this.#session.handleMessage(bytes, this.#now());
        this.#pump();
      },
      close: (code, text) => {
        if (!isMine()) return;
        this.#socket = undefined;
        this.#session.handleClose(code, text, this.#now());
        this.#pump();
      },
    });
    this.#socket = socket;
  }

  /** The tables follow the session, frame by frame. @param {number} tick */
  #framed(tick) {
    const { mirror, timeline } = this.#session;
    if (!mirror || !timeline) return;
    if (timeline !== this.#timeline) this.#world.restart();
    this.#timeline = timeline;
    this.#world.follow(mirror, timeline.playhead.previous);
    for (const [name, table] of this.#world.tables) {
      if (!(name in this)) Object.defineProperty(this, name, { value: table, enumerable: true });
    }
    this.#ready?.resolve();
    this.#ready = undefined;
    this.#frames.call(tick);
  }

  /** @param {Cause} cause @param {Then} then */
  #closed(cause, then) {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(closeCode(cause));
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready) {
      // Who could not be joined at all tells that at once.
      const text = cause.kind === "server" ? cause.reason.text : cause.kind;
      ready.reject(new JoinError("closed", text, { cause }));
      this.#end(cause);
      return this.#session.leave();
    }
    if (then.what === "reconnect") this.#wait(cause, then.at);
    else if (then.what === "need_seat") this.#needSeat(cause, then.notBefore);
    else this.#end(cause);
  }

  /** @param {Status["cause"]} cause @param {number} at */
  #wait(cause, at) {
    const retryInMs = Math.max(at - this.#now(), 0) / 1000;
    this.#setStatus({ phase: "waiting", cause, retryInMs });
  }

  /** @param {Status["cause"]} cause @param {number} at */
  #needSeat(cause, at) {
    this.#wait(cause, at);
    this.#out.setTimer(() => void this.#takeSeat(), Math.max(at - this.#now(), 0) / 1000);
  }

  async #takeSeat() {
    if (this.#session.phase.is !== "need_seat") return;
    try {
      const { url, token, room } = await this.#out.takeSeat();
      this.id = room;
      this.#session.rejoin(url, token, this.#now());
      this.#pump();
    } catch (error) {
      if (!(error instanceof JoinError)) throw error;
      this.#noSeat(error);
    }
  }

  /** @param {JoinError} error */
  #noSeat(error) {
    if (this.#session.phase.is !== "need_seat") return;
    const cause = { kind: /** @type {const} */ ("refused"), error };
    const retryAfter = Math.round((error.retryAfterMs ?? 0) * 1000);
    const then = error.isTemporary ? this.#session.noSeat(retryAfter, this.#now()) : undefined;
    if (then?.what === "need_seat") return this.#needSeat(cause, then.notBefore);
    this.#end(cause);
    this.#session.leave();
  }

  /** @param {Status["cause"]} cause */
  #end(cause) {
    if (this.#status.phase === "ended") return;
    this.#setStatus({ phase: "ended", cause, retryInMs: undefined });
    this.#ended.call();
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.#status = status;
    this.#states.call(status);
  }
}
