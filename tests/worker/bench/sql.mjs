// Measures what 10,000 rows cost on D1 in workerd, one by one and at once: see run.sh.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { Miniflare } from "miniflare";

const rows = Number(process.env.ROWS ?? 10_000);
const rounds = Number(process.env.ROUNDS ?? 5);
const shim = `import { fetch } from "./index.js"; export default { fetch };`;

/** The modules of a Worker, as `wasm-bindgen --target module` has made them. */
function modules(built) {
  const files = readdirSync(built, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const list = files.map((file) => {
    const full = path.join(file.parentPath ?? file.path, file.name);
    const name = path.relative(built, full);
    if (name.endsWith(".wasm")) return { type: "CompiledWasm", path: name, contents: readFileSync(full) };
    // What bundlers do of it: a module's source is what an import of a .wasm is in Workers.
    return { type: "ESModule", path: name, contents: readFileSync(full, "utf8").replaceAll("import source ", "import ") };
  });
  return [{ type: "ESModule", path: "shim.mjs", contents: shim }, ...list];
}

const miniflare = new Miniflare({
  modules: modules(process.env.SMALL),
  modulesRoot: "/",
  compatibilityDate: "2026-07-01",
  d1Databases: ["DB"],
  unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
});
await miniflare.ready;
const origin = await miniflare.unsafeGetDirectURL();

async function ask(route) {
  const began = performance.now();
  const response = await fetch(new URL(`/sql/${route}?n=${rows}`, origin));
  const text = await response.text();
  const took = performance.now() - began;
  if (!response.ok) throw new Error(`${route}: ${text}`);
  return { took, done: Number(text) };
}

const ways = { single: "one by one", batch: "one by one, in one batch", values: "(a) multi-row statements", json: "(b) one JSON parameter" };
console.log(`${rows} rows of 7 columns, D1 in workerd: milliseconds, the least of ${rounds}; and how many times faster\n`);
await ask("reset/");
for (const operation of ["insert", "update", "select"]) {
  const costs = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const way of Object.keys(ways)) {
      // It takes seconds, and the other way around once is enough.
      if (way === "single" && round > 0) continue;
      if (operation === "insert") await ask("reset/");
      const { took, done } = await ask(`${operation}/${way}`);
      if (done !== rows && !(operation === "select" && way === "batch")) throw new Error(`${operation}/${way}: ${done}`);
      costs[way] = Math.min(costs[way] ?? Infinity, took);
    }
  }
  console.log(`${operation.padEnd(28)}${"ms".padStart(10)}${"one by one".padStart(16)}${"in one batch".padStart(16)}`);
  for (const [way, name] of Object.entries(ways)) {
    const ratio = (other) => (costs[other] / costs[way]).toFixed(1).padStart(16);
    console.log(`  ${name.padEnd(26)}${costs[way].toFixed(1).padStart(10)}${ratio("single")}${ratio("batch")}`);
  }
  console.log();
}
await miniflare.dispose();
