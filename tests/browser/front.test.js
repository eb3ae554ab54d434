/** The front page: games, rooms, the way in, and what it says when there is none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { testBed } from "./bed.js";
import { DESKTOP, PHONE, faults } from "./browser.js";
import { crowd } from "./crowd.js";
import { startProxy } from "./proxy.js";
import { seat } from "./serve.js";
import { shoot } from "./shots.js";

const { server, browser } = await testBed("--seats-max", "2");

test("rooms appear while one looks, and a full one cannot be joined", async () => {
  const page = await browser.page();
  await page.goto(server.url);
  await page.getByText("No open room").waitFor();
  const first = await crowd(server.url, { game: "arena" }, 1);
  const [room] = first.rooms.map((room) => room.id);
  const join = page.getByRole("link", { name: /^Join .* 1 of 2 players$/ });
  await join.waitFor();
  assert.equal(await join.getAttribute("href"), `/arena/#${room}`);
  const second = await crowd(server.url, { room }, 1);
  await page.locator(".rooms [aria-disabled=true]", { hasText: "Full" }).waitFor();
  await Promise.all([first.leave(), second.leave()]);
  await page.context().close();
});

test("the name is remembered, and the keyboard is enough to play under it", async () => {
  const page = await browser.page();
  await page.goto(server.url);
  await page.getByLabel("Your name").fill("Grace");
  await page.reload();
  assert.equal(await page.getByLabel("Your name").inputValue(), "Grace");
  await page.getByRole("link", { name: "Play Arena now" }).waitFor();
  await page.getByLabel("Your name").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/arena/*");
  await page.locator(".leaders .own", { hasText: "Grace" }).waitFor();
  await page.context().close();
});

test("a private room is not listed, and its link leads into it", async () => {
  const [host, guest] = await Promise.all([browser.page(), browser.page()]);
  await host.goto(server.url);
  await host.getByRole("link", { name: "New private room" }).click();
  await host.waitForURL(/\/arena\/#[0-9a-f]{32}$/);
  const room = host.url().slice(-32);
  const { rooms } = await (await fetch(`${server.url}/api/rooms`)).json();
  assert.ok(rooms.every((/** @type {{ id: string }} */ it) => it.id !== room));
  await guest.goto(host.url());
  await host.locator(".leaders tr").nth(1).waitFor();
  await Promise.all([host.context().close(), guest.context().close()]);
});

test("a room that is full, gone or not named in full says so, and leads on", async () => {
  const page = await browser.page();
  // A refusal is an answer of the API, which the browser writes down.
  browser.expect(/status of 409/, /status of 404/);
  const { room } = await seat(server.url, { game: "arena", private: true });
  await seat(server.url, { room });
  for (const [fragment, title] of [
    [room, "That room is full"],
    ["0".repeat(32), "That room is gone"],
    ["1f46", "This link is not whole"],
  ]) {
    await page.goto("about:blank");
    await page.goto(`${server.url}/arena/#${fragment}`);
    await page.getByRole("heading", { name: title }).waitFor();
    assert.deepEqual(await faults(page), []);
  }
  await page.getByRole("dialog").getByRole("link", { name: "All games" }).click();
  await page.waitForURL(`${server.url}/`);
  await page.context().close();
});

test("a server that is away is said to be, until it is back", async () => {
  const proxy = await startProxy(() => server.port);
  // How a browser calls it depends on where in a request it was cut.
  browser.expect(/Failed to load resource: net::ERR_/);
  const page = await browser.page();
  await page.goto(proxy.url);
  await page.getByRole("heading", { name: "Arena" }).waitFor();
  proxy.cut();
  const alert = page.getByRole("alert");
  await alert.filter({ hasText: "does not answer" }).waitFor();
  proxy.mend();
  await alert.waitFor({ state: "hidden" });
  await page.context().close();
  await proxy.stop();
});

test("it can be used by everybody, in light and dark, on a desk and on a phone", async () => {
  await seat(server.url, { game: "arena", options: { score_limit: 50 } });
  for (const [size, options] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const page = await browser.page({ ...options, colorScheme });
      await page.goto(server.url);
      await page.getByText("Arena: first to 50").first().waitFor();
      assert.deepEqual(await faults(page), []);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, options.viewport.width, "nothing sticks out");
      await shoot(page, `front-${size}-${colorScheme}`);
      await page.context().close();
    }
  }
});

test("where nothing is, a page leads back", async () => {
  const page = await browser.page();
  browser.expect(/status of 404/);
  await page.goto(`${server.url}/nowhere`);
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  assert.deepEqual(await faults(page), []);
  await page.getByRole("link", { name: "To the games" }).click();
  await page.getByRole("heading", { name: "Tickwire" }).waitFor();
  await page.context().close();
});
