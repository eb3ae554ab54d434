/** A browser whose pages must not complain: an error in a console fails the test. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath, args: flags, headless: true });
  /** @type {string[]} */
  const complaints = [];
  /** Texts of complaints that the test causes. @type {RegExp[]} */
  let expected = [];
  return {
    /** A page in a profile of its own. @param {import("playwright-core").BrowserContextOptions} [options] */
    async page(options = DESKTOP) {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(20_000);
      // Violations of the policy are written to the console too; this names what they are of.
      await context.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
        });
      });
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
      });
      return page;
    },
    /** Stops the processes of all pages, as a system does with what nobody looks at; gives what wakes them. */
    async freeze() {
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      const pages = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
      for (const id of pages) process.kill(id, "SIGSTOP");
      return () => pages.forEach((id) => process.kill(id, "SIGCONT"));
    },
    /** @param {...RegExp} texts */
    expect(...texts) {
      expected = texts;
    },
    /** What pages complained of since the last time, but for what was expected. */
    complaints() {
      const all = complaints.splice(0).filter((text) => !expected.some((known) => known.test(text)));
      expected = [];
      return all;
    },
    stop: () => browser.close(),
  };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The serious faults that axe finds. @param {import("playwright-core").Page} page */
export async function faults(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter((/** @type {any} */ it) => ["serious", "critical"].includes(it.impact))
    .map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => node.html).join(" | ")}`);
}
