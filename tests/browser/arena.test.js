/** Arena in real browsers: two players, a cut, a frozen tab, a slow link, all sizes and colours. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startBrowser } from "./browser.js";
import { enter, movedFrom, shipOf } from "./play.js";
import { seat, startServer } from "./serve.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(["--origins", "*"]), startBrowser()]);
});
after(async () => {
  await browser.stop();
  await server.stop();
});
afterEach(() => assert.deepEqual(browser.complaints(), []));

/** The address of a new room, which nobody else is led to. @param {object} [options] of the room */
async function newRoom(options = {}) {
  const { room } = await seat(server.url, { game: "arena", private: true, options });
  return `/arena/#${room}`;
}

test("two see each other fly, and talk", async () => {
  const room = await newRoom({ rocks: 0 });
  const [ada, bob] = await Promise.all([
    enter(browser, server.url + room, "Ada"),
    enter(browser, server.url + room, "Bob"),
  ]);
  await bob.locator(".leaders", { hasText: "Ada" }).waitFor();
  const before = await shipOf(bob, "Ada");
  assert.ok(before);
  await ada.keyboard.down("ArrowUp");
  await movedFrom(bob, "Ada", before, 100);
  assert.equal((await shipOf(bob, "Ada"))?.thrust, true);
  await ada.keyboard.up("ArrowUp");

  await ada.keyboard.press("Enter");
  await ada.keyboard.type("hello <b>Bob</b>");
  await ada.keyboard.press("Enter");
  const line = bob.getByRole("log", { name: "Chat" }).getByText("Ada hello <b>Bob</b>");
  await line.waitFor();
  // Who comes later reads what was said before.
  const eve = await enter(browser, server.url + room, "Eve");
  await eve.getByRole("log", { name: "Chat" }).getByText("Ada hello <b>Bob</b>").waitFor();
  await Promise.all([ada, bob, eve].map((page) => page.context().close()));
});
