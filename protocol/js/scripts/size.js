/**
 * How large the client is, minified and gzipped, all of it together; fails if that
 * is more than it may be.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { minify } from "terser";

const BYTES_MAX = 20 * 1024;

const entryPoint = fileURLToPath(new URL("../src/index.js", import.meta.url));
const { outputFiles } = await build({
  entryPoints: [entryPoint],
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  write: false,
});
const { code } = await minify(outputFiles[0].text, { module: true, compress: { passes: 3 } });
if (code === undefined) throw new Error("there is nothing left");
const bytes = gzipSync(code, { level: 9 }).length;
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
console.log(`@tickwire/client ${version}: ${code.length} bytes minified, ${bytes} gzipped, of at most ${BYTES_MAX}`);
process.exitCode = bytes <= BYTES_MAX ? 0 : 1;
