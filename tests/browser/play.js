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

/** Waits until the page has seen so many ticks more. @param {Page} page @param {number} ticks */
export async function pass(page, ticks) {
  const from = await page.evaluate(() => /** @type {any} */ (window).tickwire.room.tick);
  await page.waitForFunction((until) => /** @type {any} */ (window).tickwire.room.tick >= until, from + ticks);
}

/**
 * Notes every number that lines of the network panel show from now on. Gives what reads them.
 *
 * @param {Page} page
 * @param {...string} names of lines
 */
export async function watchPanel(page, ...names) {
  await page.evaluate((names) => {
    /** @type {Record<string, number[]>} */
    const seen = Object.fromEntries(names.map((name) => [name, []]));
    Object.assign(window, { seen });
    const panel = document.querySelector(".panel");
    const note = () => {
      for (const label of panel?.querySelectorAll(".measure > :first-child, dt") ?? []) {
        const value = Number.parseFloat(label.nextElementSibling?.textContent ?? "");
        if (Number.isFinite(value)) seen[label.textContent ?? ""]?.push(value);
      }
    };
    if (panel) new MutationObserver(note).observe(panel, { subtree: true, childList: true, characterData: true });
  }, names);
  return () => page.evaluate(() => /** @type {{ seen: Record<string, number[]> }} */ (/** @type {any} */ (window)).seen);
}
