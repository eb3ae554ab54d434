/** A player in arena, as a browser page. What is asked of it is what `tickwire` in its console says. */

import { DESKTOP } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ x: number, y: number, heading: number, thrust: boolean }} Seen */

/**
 * Opens arena under a name, and waits for the own ship.
 *
 * @param {Awaited<ReturnType<typeof import("./browser.js").startBrowser>>} browser
 * @param {string} address of the page
 * @param {string} name
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function enter(browser, address, name, options = DESKTOP) {
  const page = await browser.page(options);
  await page.addInitScript((name) => {
    localStorage.setItem("tickwire.name", name);
    localStorage.setItem("tickwire.helped", "yes");
  }, name);
  await page.goto(address);
  await page.locator(".leaders .own", { hasText: name }).waitFor();
  await page.waitForFunction(() => document.querySelector(".gauges:not([hidden])") !== null);
  return page;
}

/** The ship of a player as another one sees it drawn. @param {Page} page @param {string} name @returns {Promise<Seen | undefined>} */
export function shipOf(page, name) {
  return page.evaluate((name) => {
    const { room } = /** @type {any} */ (window).tickwire;
    const score = [...room.scores].find((score) => score.name === name);
    const ship = [...room.ships].find((ship) => ship.player === score?.player);
    return ship && { x: ship.view.x, y: ship.view.y, heading: ship.view.heading, thrust: ship.thrust };
  }, name);
}

/** Waits until a ship is drawn this far from where it was. @param {Page} page @param {string} name @param {Seen} from @param {number} units */
export async function movedFrom(page, name, from, units) {
  await page.waitForFunction(
    ([name, from, units]) => {
      const { room } = /** @type {any} */ (window).tickwire;
      const score = [...room.scores].find((score) => score.name === name);
      const ship = [...room.ships].find((ship) => ship.player === score?.player);
      // The short way: the space has no edges.
      const way = (/** @type {number} */ d) => ((((d + 2048) % 4096) + 4096) % 4096) - 2048;
      return ship && Math.hypot(way(ship.view.x - from.x), way(ship.view.y - from.y)) > units;
    },
    /** @type {const} */ ([name, from, units]),
  );
}

/** The number that a line of the network panel shows. @param {Page} page @param {string} name */
export async function reading(page, name) {
  const text = await page.locator(".panel").getByLabel(name, { exact: true }).first().innerText();
  return Number.parseFloat(text);
}
