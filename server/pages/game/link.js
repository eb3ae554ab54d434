/**
 * A connection that can be made worse: between the client and its WebSocket, it keeps messages back.
 *
 * ```text
 *   client ── send ──► out ──► socket ──► server      each way: half of the delay, in order,
 *          ◄─ message ── in ◄───────────              and nothing at all during a stall
 * ```
 *
 * It is what a slow network looks like from here: the server sees late acknowledgements, and sends
 * what is new by then. Absent: loss. A WebSocket has none.
 */

export class Link {
  /** Added to a round trip, half of it each way. */
  delayMs = 0;
  /** How long each stall lasts; 0 for none. */
  stallMs = 0;
  /** From the beginning of a stall to that of the next. */
  stallEveryMs = 4000;
  /** When stalls began to be counted. */
  #since = 0;

  /** Messages kept back now, both ways. */
  held = 0;

  /** @param {number} ms of each stall, from now on */
  stall(ms) {
    this.stallMs = ms;
    this.#since = performance.now();
  }

  /** When something that is ready at this time gets through. @param {number} time */
  through(time) {
    if (this.stallMs === 0) return time;
    const into = (time - this.#since) % this.stallEveryMs;
    return into < this.stallMs ? time - into + this.stallMs : time;
  }

  /** Whether nothing gets through now. */
  get stalled() {
    const now = performance.now();
    return this.through(now) > now;
  }

  /** A class like `WebSocket`, of sockets whose messages take this way. */
  Socket = socketsOver(this);
}

/** Messages in one direction, in their order. */
class Lane {
  /** @type {{ due: number, pass: () => void }[]} */
  #waiting = [];
  #timer = 0;

  /** @param {Link} link */
  constructor(link) {
    this.link = link;
  }

  /** @param {() => void} pass what is done when it has come through */
  take(pass) {
    const now = performance.now();
    const due = this.link.through(now + this.link.delayMs / 2);
    if (due <= now && this.#waiting.length === 0) return pass();
    this.#waiting.push({ due, pass });
    this.link.held += 1;
    if (this.#waiting.length === 1) this.#wait();
  }

  #wait() {
    const first = this.#waiting[0];
    if (first) this.#timer = window.setTimeout(() => this.#release(), first.due - performance.now());
  }

  #release() {
    // A stall that began meanwhile holds back what was due within it.
    for (let first; (first = this.#waiting[0]); ) {
      first.due = this.link.through(first.due);
      if (first.due > performance.now()) break;
      this.#waiting.shift();
      this.link.held -= 1;
      first.pass();
    }
    this.#wait();
  }

  clear() {
    clearTimeout(this.#timer);
    this.link.held -= this.#waiting.length;
    this.#waiting = [];
  }
}

/** As much of a WebSocket as the client uses. */
class SlowSocket {
  /** @type {((event: Event) => void) | null} */ onopen = null;
  /** @type {((event: MessageEvent) => void) | null} */ onmessage = null;
  /** @type {((event: CloseEvent) => void) | null} */ onclose = null;
  /** @type {((event: Event) => void) | null} */ onerror = null;

  /** @param {Link} link @param {string} address @param {string} protocol */
  constructor(link, address, protocol) {
    const socket = new WebSocket(address, protocol);
    this.socket = socket;
    this.in = new Lane(link);
    this.out = new Lane(link);
    socket.onopen = (event) => this.in.take(() => this.onopen?.(event));
    socket.onmessage = (event) => this.in.take(() => this.onmessage?.(event));
    socket.onerror = (event) => this.in.take(() => this.onerror?.(event));
    socket.onclose = (event) => {
      this.out.clear();
      this.in.take(() => this.onclose?.(event));
    };
  }

  get binaryType() { return this.socket.binaryType; }
  set binaryType(type) { this.socket.binaryType = type; }

  /** @param {ArrayBuffer | Uint8Array<ArrayBuffer>} data */
  send(data) {
    // The client writes its next message into the same bytes.
    const kept = data instanceof Uint8Array ? data.slice() : data;
    this.out.take(() => {
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(kept);
    });
  }

  /** @param {number} code */
  close(code) {
    // After what was sent before.
    this.out.take(() => this.socket.close(code));
  }
}

/** @param {Link} link */
function socketsOver(link) {
  return class extends SlowSocket {
    /** @param {string} address @param {string} protocol */
    constructor(address, protocol) {
      super(link, address, protocol);
    }
  };
}
