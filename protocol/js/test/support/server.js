/** The real server, as a process, and a way to cut what goes to it. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

export function program() {
  const places = [process.env.TICKWIRE_SERVER, `${root}target/release/tickwire`, `${root}target/debug/tickwire`];
  const found = places.find((place) => place !== undefined && existsSync(place));
  if (found === undefined) throw new Error("there is no server to test with: run `cargo build` first");
  return found;
}

/** Starts a server on a port of its own. */
export async function startServer() {
  const child = spawn(program(), ["--listen", "127.0.0.1:0", "--log-level", "error"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TICKWIRE_"))),
  });
  const url = await new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (bytes) => {
      said += bytes;
      const found = /Tickwire is at (http:\S+)\//.exec(said);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return {
    /** @type {string} */
    url,
    stop: () => new Promise((resolve) => {
      child.removeAllListeners("exit").on("exit", resolve);
      child.kill();
    }),
  };
}

/** A listener that passes everything on to a server, until it is told otherwise. @param {string} url */
export async function startProxy(url) {
  const { hostname, port } = new URL(url);
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  const listener = net.createServer((near) => {
    const far = net.connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy()).on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {net.AddressInfo} */ (listener.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    /** Ends every connection without a word. */
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stop() {
      this.cut();
      listener.close();
    },
  };
}

/**
 * Resolves as soon as it is true, which is looked at whenever something happens.
 *
 * @param {(again: () => void) => (() => void) | (() => void)[]} subscribe
 * @param {() => boolean} isTrue
 * @returns {Promise<void>}
 */
export function until(subscribe, isTrue) {
  return new Promise((resolve) => {
    let done = false;
    /** @type {(() => void)[]} */
    let ends = [];
    const look = () => {
      if (done || !isTrue()) return;
      done = true;
      // Not before they are all known.
      queueMicrotask(() => ends.forEach((end) => end()));
      resolve();
    };
    ends = [subscribe(look)].flat();
    look();
  });
}
