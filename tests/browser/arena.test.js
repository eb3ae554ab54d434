/** Arena in real browsers: two players, keys and thumbs, all sizes and colours. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { testBed } from "./bed.js";
import { DESKTOP, PHONE, faults } from "./browser.js";
import { crowd } from "./crowd.js";
import { enter, movedFrom, pass, shipOf } from "./play.js";
import { seat } from "./serve.js";
import { shoot } from "./shots.js";

const { server, browser } = await testBed();

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
  const sound = bob.getByRole("button", { name: "Sound" });
  assert.equal(await sound.getAttribute("aria-pressed"), "false", "nobody asked for sound");
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

/** Whether the own ship burns its engine, as the server has it. @param {import("playwright-core").Page} page @param {boolean} burns */
function waitForThrust(page, burns) {
  return page.waitForFunction((burns) => {
    const { room } = /** @type {any} */ (window).tickwire;
    return [...room.ships].find((ship) => ship.player === room.player)?.thrust === burns;
  }, burns);
}

test("who begins to write has let go of the ship", async () => {
  const page = await enter(browser, server.url + (await newRoom({ rocks: 0 })), "Ada");
  await page.keyboard.down("ArrowUp");
  await waitForThrust(page, true);
  await page.keyboard.press("Enter");
  await waitForThrust(page, false);
  await page.keyboard.press("Escape");
  await page.keyboard.down("KeyW");
  await waitForThrust(page, true);
  await page.context().close();
});

test("a name can be changed, but not to another's", async () => {
  const room = await newRoom({ rocks: 0 });
  const page = await enter(browser, server.url + room, "Ada");
  const others = await crowd(server.url, { room: room.slice(-32) }, 1);
  await page.locator(".leaders", { hasText: "Grace" }).waitFor();
  await page.getByRole("button", { name: "Name" }).click();
  const dialog = page.getByRole("dialog", { name: "Your name" });
  await dialog.getByRole("textbox").fill("grace");
  await dialog.getByRole("button", { name: "Change" }).click();
  await dialog.getByRole("alert").filter({ hasText: "somebody else has that name" }).waitFor();
  assert.deepEqual(await faults(page), []);
  await dialog.getByRole("textbox").fill("Augusta");
  await dialog.getByRole("button", { name: "Change" }).click();
  await page.locator(".leaders .own", { hasText: "Augusta" }).waitFor();
  await others.leave();
  await page.context().close();
});

test("a lost ship is explained, and replaced", async () => {
  const room = await newRoom({ rocks: 64 });
  const page = await enter(browser, server.url + room, "Ada");
  await page.keyboard.down("ArrowUp");
  await page.locator(".wait", { hasText: "Lost to a rock" }).waitFor();
  await page.locator(".feed", { hasText: "Ada met a rock" }).waitFor();
  assert.deepEqual(await faults(page), []);
  await page.keyboard.up("ArrowUp");
  await page.locator(".gauges:not([hidden])").waitFor();
  await page.locator(".wait").waitFor({ state: "hidden" });
  await page.context().close();
});

test("a thumb steers: the ship turns to where it pulls, and burns", async () => {
  const page = await enter(browser, server.url + (await newRoom({ rocks: 0 })), "Ada", PHONE);
  const before = await shipOf(page, "Ada");
  assert.ok(before);
  const session = await page.context().newCDPSession(page);
  const touch = (/** @type {"touchStart" | "touchMove" | "touchEnd"} */ type, /** @type {{ x: number, y: number }[]} */ ...touchPoints) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints });
  await touch("touchStart", { x: 120, y: 600 });
  await touch("touchMove", { x: 120, y: 540 });
  // Up is three quarters of a turn.
  await page.waitForFunction(() => {
    const { room } = /** @type {any} */ (window).tickwire;
    const ship = [...room.ships].find((ship) => ship.player === room.player);
    return ship && Math.abs(ship.heading - 1.5 * Math.PI) < 0.2 && ship.thrust;
  });
  await movedFrom(page, "Ada", before, 60);
  // The other thumb fires meanwhile.
  const fire = await page.locator(".trigger").boundingBox();
  assert.ok(fire);
  await touch("touchStart", { x: 120, y: 540 }, { x: fire.x + fire.width / 2, y: fire.y + fire.height / 2 });
  await page.waitForFunction(() => /** @type {any} */ (window).tickwire.room.shots.size > 0);
  await touch("touchEnd");
  await waitForThrust(page, false);
  await page.context().close();
});

test("it can be used by everybody, in light and dark, on a desk and on a phone", async () => {
  const { room } = await seat(server.url, { game: "arena", private: true, options: { rocks: 40 } });
  const others = await crowd(server.url, { room }, 10);
  for (const text of ["anybody near the big rock?", "on my way", "mind the seam"]) others.rooms[0].chat.send(text);
  for (const [size, options] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const page = await enter(browser, `${server.url}/arena/#${room}`, "Ada", { ...options, colorScheme });
      await page.keyboard.down("ArrowUp");
      await pass(page, 60);
      await shoot(page, `arena-${size}-${colorScheme}`);
      assert.deepEqual(await faults(page), []);
      const press = async (/** @type {string} */ name) => {
        if (size === "phone") await page.getByRole("button", { name: "Menu" }).click();
        await page.getByRole("button", { name }).click();
      };
      await press("Network");
      await page.locator(".facts dd").first().waitFor();
      assert.deepEqual(await faults(page), []);
      await shoot(page, `arena-${size}-${colorScheme}-network`);
      await press("Help");
      assert.deepEqual(await faults(page), []);
      await shoot(page, `arena-${size}-${colorScheme}-help`);
      await page.context().close();
    }
  }
  await others.leave();
});
