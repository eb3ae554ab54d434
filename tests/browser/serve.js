/** The server under test: the program itself, on a port of its own. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.TICKWIRE_PROGRAM ?? `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/debug/tickwire`;

/** Starts a server; `url` is where it is, without a slash at the end. @param {string[]} flags */
export async function startServer(flags = []) {
  const child = spawn(program, ["--listen", "127.0.0.1:0", "--workers", "1", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  const gone = once(child, "exit");
  const line = await Promise.race([
    once(createInterface(child.stdout), "line").then(([line]) => String(line)),
    gone.then(() => Promise.reject(new Error(`the server did not start: ${log}`))),
  ]);
  const url = /(http:\/\/\S+)\/$/.exec(line)?.[1];
  if (!url) throw new Error(`the server does not say where it is: ${line}`);
  return {
    url,
    port: Number(new URL(url).port),
    async stop() {
      child.kill("SIGTERM");
      await gone;
    },
  };
}

/** @param {string} url @param {object} wish what a player asks for */
export async function seat(url, wish) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/api/join`, { method: "POST", headers, body: JSON.stringify(wish) });
  if (!response.ok) throw new Error(`no seat: ${response.status} ${await response.text()}`);
  return response.json();
}
