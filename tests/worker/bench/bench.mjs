// Measures what a fetch costs workerd, in each of several ways, in turn: see run.sh.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const fetches = 1000;
// One after the other: the kernel counts in steps of ten milliseconds.
const requests = 3;
const warmups = 3;
const rounds = Number(process.env.ROUNDS ?? 10);
// Of clock ticks there are 100 in a second on every Linux.
const millisecondsOfTick = 10;
const wanted = process.env.ONLY?.split(",");

const shim = `import { fetch } from "./index.js"; export default { fetch };`;

/** The modules of a Worker, as `wasm-bindgen --target module` has made them. */
function rust(built) {
  const files = readdirSync(built, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const list = files.map((file) => {
    const full = path.join(file.parentPath ?? file.path, file.name);
    const name = path.relative(built, full);
    if (name.endsWith(".wasm")) return { type: "CompiledWasm", path: name, contents: readFileSync(full) };
    // What bundlers do of it: a module's source is what an import of a .wasm is in Workers.
    const contents = readFileSync(full, "utf8").replaceAll("import source ", "import ");
    return { type: "ESModule", path: name, contents };
  });
  return [{ type: "ESModule", path: "shim.mjs", contents: shim }, ...list];
}

async function javascript() {
  const options = { bundle: true, format: "esm", minify: true, write: false, platform: "browser" };
  const { outputFiles } = await build({ entryPoints: [new URL("javascript.mjs", import.meta.url).pathname], ...options });
  return [{ type: "ESModule", path: "javascript.mjs", contents: outputFiles[0].text }];
}

/** The processes below this one, by their command's name. */
function children(name) {
  const processes = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return processes.filter((pid) => {
    try {
      const [, command, parent] = /^\d+ \((.*)\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"));
      return command.startsWith(name) && Number(parent) === process.pid;
    } catch {
      return false; // It has ended.
    }
  });
}

/** What a process has used of the processor until now, in milliseconds; with its threads, and children that have ended. */
function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
  return ticks * millisecondsOfTick;
}

/** Starts one workerd for one way, so that none pays for another's garbage. */
async function start(name, route, modules) {
  const before = new Set(children("workerd"));
  const miniflare = new Miniflare({
    modules,
    modulesRoot: "/",
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["enable_request_signal"],
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  });
  await miniflare.ready;
  const [pid] = children("workerd").filter((child) => !before.has(child));
  const url = new URL(route, await miniflare.unsafeGetDirectURL());
  url.searchParams.set("n", fetches);
  return { name, pid, miniflare, url, costs: [] };
}

async function run(way, origin) {
  way.url.searchParams.set("url", origin);
  const before = used(way.pid);
  for (let request = 0; request < requests; request++) {
    const answer = await (await fetch(way.url)).text();
    if (answer !== String(fetches)) throw new Error(`${way.name}: ${answer}`);
  }
  return (used(way.pid) - before) / requests;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

const server = spawn(process.execPath, [new URL("origin.mjs", import.meta.url).pathname], { stdio: ["ignore", "pipe", "inherit"] });
const [port] = await once(readline.createInterface({ input: server.stdout }), "line");
const origin = `http://127.0.0.1:${port}/repos/tower-rs/tower`;

const [small, fast, js] = [rust(process.env.SMALL), rust(process.env.FAST), await javascript()];
const list = [
  ["p-queue + p-retry", "/p-queue", js],
  ["p-queue + p-retry, rate limit, timeout", "/p-queue-all", js],
  ["p-limit + p-retry", "/p-limit", js],
  ["bottleneck + p-retry", "/bottleneck", js],
  ["worker::Fetch, opt-level z", "/worker", small],
  ["worker::Fetch, opt-level 3", "/worker", fast],
  ["tower_egress_worker::Fetch, opt-level z", "/fetch", small],
  ["tower_egress_worker::Fetch, opt-level 3", "/fetch", fast],
  ["whole stack, opt-level z", "/egress", small],
  ["whole stack, opt-level 3", "/egress", fast],
].filter((_, index) => !wanted || wanted.includes(String(index)));
const ways = [];
for (const [name, route, modules] of list) ways.push(await start(name, route, modules));

for (let round = -warmups; round < rounds; round++) {
  for (const way of ways) {
    const cost = await run(way, origin);
    if (round >= 0) way.costs.push(cost);
  }
}

const [base] = ways;
console.log(`CPU of workerd in milliseconds for ${fetches} fetches, of ${rounds} rounds; and beside ${base.name}\n`);
console.log("                                          least  median   ratio of least, of median");
for (const { name, costs } of ways) {
  const [least, middle] = [Math.min(...costs), median(costs)];
  const [r, s] = [least / Math.min(...base.costs), middle / median(base.costs)];
  console.log(`${name.padEnd(41)} ${least.toFixed(0).padStart(6)}  ${middle.toFixed(0).padStart(6)}   ${r.toFixed(2).padStart(14)}  ${s.toFixed(2).padStart(9)}`);
}
await Promise.all(ways.map(({ miniflare }) => miniflare.dispose()));
server.kill();
