/** What the tests of a file share: a server and a browser, whose pages must not complain. */

import assert from "node:assert/strict";
import { after, afterEach } from "node:test";
import { startBrowser } from "./browser.js";
import { startServer } from "./serve.js";

/** @param {...string} flags of the server. Pages may come through a proxy, and so from anywhere. */
export async function testBed(...flags) {
  const [server, browser] = await Promise.all([startServer(["--origins", "*", ...flags]), startBrowser()]);
  after(async () => {
    await browser.stop();
    await server.stop();
  });
  afterEach(() => assert.deepEqual(browser.complaints(), []));
  return { server, browser };
}
