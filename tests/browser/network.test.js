/** Arena on bad connections: slow ones, one that is cut, and a page that was frozen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { testBed } from "./bed.js";
import { startBrowser } from "./browser.js";
import { crowd } from "./crowd.js";
import { enter, movedFrom, pass, shipOf, watchPanel } from "./play.js";
import { startProxy } from "./proxy.js";
import { seat, startServer } from "./serve.js";

/** The most frames that a server has under way to a client: its credit. */
const CREDIT_MAX = 16;

const { server, browser } = await testBed();

/** A room without rocks, that nobody else is led to. */
async function newRoom() {
  const { room } = await seat(server.url, { game: "arena", private: true, options: { rocks: 0 } });
  return room;
}

test("a player whose connection is cut comes back to the same ship", async () => {
  const proxy = await startProxy(() => server.port);
  browser.expect(/WebSocket connection to .* failed/);
  const page = await enter(browser, `${proxy.url}/arena/#${await newRoom()}`, "Ada");
  const before = await page.evaluate(() => /** @type {any} */ (window).tickwire.room.player);
  const banner = page.locator(".banner");
  proxy.cut();
  await banner.filter({ hasText: "Connection lost" }).waitFor();
  proxy.mend();
  await banner.waitFor({ state: "hidden" });
  const { player, resumes, lines } = await page.evaluate(() => {
    const { room } = /** @type {any} */ (window).tickwire;
    return { player: room.player, resumes: room.network.resumes, lines: [...room.scores].length };
  });
  assert.deepEqual({ player, resumes, lines }, { player: before, resumes: 1, lines: 1 });
  const from = await shipOf(page, "Ada");
  assert.ok(from);
  await page.keyboard.down("ArrowUp");
  await movedFrom(page, "Ada", from, 60);
  await page.context().close();
  await proxy.stop();
});

test("after a restart of the server one plays on, in another room", async () => {
  let serving = await startServer(["--origins", "*"]);
  const proxy = await startProxy(() => serving.port);
  browser.expect(/WebSocket connection to .* failed/, /Failed to load resource/);
  const page = await enter(browser, `${proxy.url}/arena/`, "Ada");
  const before = page.url();
  await serving.stop();
  await page.locator(".banner", { hasText: "Connection lost" }).waitFor();
  serving = await startServer(["--origins", "*"]);
  await page.waitForURL((url) => /#[0-9a-f]{32}$/.test(url.href) && url.href !== before);
  await page.locator(".banner").waitFor({ state: "hidden" });
  await page.locator(".leaders .own", { hasText: "Ada" }).waitFor();
  const from = await shipOf(page, "Ada");
  assert.ok(from);
  await page.getByRole("button", { name: "Network" }).click();
  await page.locator(".space").focus();
  await page.keyboard.down("ArrowUp");
  await movedFrom(page, "Ada", from, 150);
  // It is drawn near where the server has it now, and not where it was in the other room.
  const lead = page.locator(".facts dt", { hasText: "Own ship is ahead" }).locator("+ dd");
  await page.waitForFunction((shown) => {
    const units = Number.parseFloat(shown?.textContent ?? "");
    return units > 0 && units < 150;
  }, await lead.elementHandle());
  await page.context().close();
  await proxy.stop();
  await serving.stop();
});

test("the own ship does not jitter with 150 ms more on the way", async () => {
  const page = await enter(browser, `${server.url}/arena/#${await newRoom()}`, "Ada");
  await page.getByRole("button", { name: "Network" }).click();
  await page.getByLabel("Added delay").fill("150");
  await page.locator(".space").focus();
  // From here on the server hears of controls later than before: it takes a while to allow for.
  await page.keyboard.down("ArrowUp");
  await pass(page, 90);
  const [age, error, off] = ["State age", "Prediction error", "Own ship off its path"];
  const read = await watchPanel(page, age, error, off);
  for (const keys of [["ArrowLeft"], ["ArrowRight", "Space"], [], ["ArrowLeft", "Space"], ["ArrowRight"]]) {
    for (const key of keys) await page.keyboard.down(key);
    await pass(page, 24);
    for (const key of keys) await page.keyboard.up(key);
  }
  const seen = await read();
  assert.ok(seen[age].length > 5 && seen[off].length > 5, JSON.stringify(seen));
  const most = (/** @type {number[]} */ values, /** @type {number} */ share) =>
    values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)];
  assert.ok(most(seen[age], 0.5) > 60, `the delay is there: ${seen[age]}`);
  // It makes 11 units in a tick. A machine that is busy otherwise may cost a tick here and there; a
  // jitter would be in each of these quarters of a second.
  assert.ok(most(seen[off], 0.8) < 1, `it is drawn evenly: ${seen[off]}`);
  assert.ok(most(seen[error], 0.8) < 0.5, `it is where the server has it: ${seen[error]}`);
  await page.context().close();
});

test("stalls can be made by hand, and what comes after one is coalesced", async () => {
  const page = await enter(browser, `${server.url}/arena/#${await newRoom()}`, "Ada");
  const others = await crowd(server.url, { room: page.url().slice(-32) }, 3);
  await page.getByRole("button", { name: "Network" }).click();
  await page.getByLabel("Stall").fill("1000");
  const coalesced = page.locator(".facts dt", { hasText: "Coalesced frames" }).locator("+ dd");
  await page.waitForFunction(() => {
    const { network } = /** @type {any} */ (window).tickwire.room;
    return network.framesMerged > 0 && network.staleness < 200;
  });
  await page.waitForFunction((shown) => Number.parseInt(shown?.textContent ?? "") > 0, await coalesced.elementHandle());
  await others.leave();
  await page.context().close();
});

test("a page that was frozen for 30 s is at the present within two frames", async () => {
  const own = await startBrowser();
  const room = await newRoom();
  const page = await enter(own, `${server.url}/arena/#${room}`, "Ada");
  const { rooms: [witness], leave } = await crowd(server.url, { room }, 1);
  await page.evaluate(() => {
    const { room } = /** @type {any} */ (window).tickwire;
    /** @type {{ tick: number, at: number }[]} */
    const frames = [];
    room.onFrame((/** @type {number} */ tick) => frames.push({ tick, at: performance.now() }));
    Object.assign(window, { frames });
  });
  const until = (/** @type {number} */ tick) => /** @type {Promise<void>} */ (new Promise((done) => {
    const stop = witness.onFrame((now) => {
      if (now < tick) return;
      stop();
      done();
    });
  }));
  await until(witness.tick + 30);
  const frozenIn = witness.tick;
  const wake = await own.freeze();
  await until(frozenIn + 30 * witness.tickHz);
  const wokenIn = witness.tick;
  wake();
  await page.waitForFunction((tick) => /** @type {any} */ (window).frames.at(-1).tick > tick + 30, wokenIn);
  /** @type {{ tick: number, at: number }[]} */
  const frames = await page.evaluate(() => /** @type {any} */ (window).frames);
  const first = frames.findIndex((frame, i) => i > 0 && frame.at - frames[i - 1].at > 25_000);
  assert.ok(first > 0, "nothing ran while it was frozen");
  // What was under way when it froze comes first: as much as the server's credit allows, if that.
  const after = frames.slice(first).filter(({ tick }) => tick > frozenIn + CREDIT_MAX);
  assert.ok(frames.length - first - after.length <= CREDIT_MAX);
  assert.ok(after[0].tick >= wokenIn, `then the present, and no history: ${after[0].tick} of ${wokenIn}`);
  assert.deepEqual(own.complaints(), []);
  await leave();
  await own.stop();
});
