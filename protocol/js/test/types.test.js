/** The types that the server prints, and those that come with the package, hold what they promise. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { program } from "./support/server.js";

const run = promisify(execFile);
const here = fileURLToPath(new URL("..", import.meta.url));

const USE = `
import { join, type Room } from "../src/index.js";
import type { Arena, Ship } from "./arena.js";

const room: Room<Arena> = await join<Arena>("http://localhost:7777", { game: "arena", name: "Ada" });
room.ships.onAdd((ship) => { const x: number = ship.x + ship.view.x; });
room.ships.onChange((ship, fields) => { if (fields.has("hp")) ship.hp.toFixed(); });
room.input({ turn: -1, thrust: true, fire: false });
const reply = await room.command("rename", { name: "Grace" });
const name: string = reply.name;
room.on("explosion", (e) => { const x: number = e.x; });
room.on("kill", ({ killer }) => { if (killer !== null) killer.name.trim(); });
const all: readonly Readonly<Ship>[] = [...room.tables.ships];

// @ts-expect-error there is no such table
room.sheep;
// @ts-expect-error there is no such field
room.ships.onAdd((ship) => ship.speed);
// @ts-expect-error fields are what the server says
room.ships.onAdd((ship) => { ship.x = 5; });
// @ts-expect-error a number
room.input({ turn: "left" });
// @ts-expect-error there is no such command
room.command("explode");
// @ts-expect-error it has no such field
room.command("rename", { nome: "Grace" });
// @ts-expect-error there is no such event
room.on("explosions", () => {});
export { all, name, room };
`;

test("the API is fully typed by what `tickwire schema arena --ts` prints", async () => {
  const { stdout } = await run(program(), ["schema", "arena", "--ts"]);
  const folder = await mkdtemp(`${here}types-test-`);
  try {
    await writeFile(`${folder}/arena.ts`, stdout);
    await writeFile(`${folder}/use.ts`, USE);
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify({
      extends: "../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["."],
    }));
    const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
    const checked = await run(process.execPath, [tsc, "--project", folder]).catch((error) => error);
    assert.equal(checked.stdout, "");
  } finally {
    await rm(folder, { recursive: true });
  }
});
