/** Pictures of what the tests saw, for people to look at. */

import { fileURLToPath } from "node:url";

const folder = process.env.TICKWIRE_SHOTS ?? fileURLToPath(new URL("../../target/browser", import.meta.url));

/** @param {import("playwright-core").Page} page @param {string} name */
export async function shoot(page, name) {
  await page.screenshot({ path: `${folder}/${name}.png` });
}
