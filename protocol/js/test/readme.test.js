/** The example of the README, as it stands there. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { startServer } from "./support/server.js";

test("the README's example runs", async () => {
  const server = await startServer();
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, example] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
  assert.ok(example.includes('from "@tickwire/client"') && example.includes("http://localhost:7777"));
  const here = new URL("../src/index.js", import.meta.url).href;
  const program = example.replace("@tickwire/client", here).replace("http://localhost:7777", server.url);
  const child = spawn(process.execPath, ["--input-type=module", "-"], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(program);
  let said = "";
  child.stdout.on("data", (bytes) => (said += bytes));
  const code = await new Promise((resolve) => child.on("exit", resolve));
  await server.stop();
  assert.equal(code, 0);
  assert.match(said, /^new: \d+ /m);
  assert.match(said, /^joined /m);
  assert.match(said, /^ended /m);
});
