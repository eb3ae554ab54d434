/** A way to the server over TCP that can be cut. */

import { connect, createServer } from "node:net";
import { once } from "node:events";

/** @param {() => number} port of the server, now */
export async function startProxy(port) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  let open = true;
  const listener = createServer((client) => {
    if (!open) return void client.resetAndDestroy();
    const server = connect(port(), "127.0.0.1");
    for (const [from, to] of /** @type {const} */ ([[client, server], [server, client]])) {
      sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      // A cut is what this is for: the other end learns of it by its own end.
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (!address || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    /** Resets every connection, and each new one until it is mended. */
    cut() {
      open = false;
      for (const socket of [...sockets]) socket.resetAndDestroy();
    },
    mend() {
      open = true;
    },
    async stop() {
      open = false;
      for (const socket of [...sockets]) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}
