// Starts what the tests need: the Worker in workerd, the strict origin, and servers that lie.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { Miniflare } from "miniflare";

const strictOrigin = env("STRICT_ORIGIN");

export function env(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run \`bash tests/run.sh test-worker\``);
  return value;
}

const shim = `
import * as worker from "./index.js";
export * from "./index.js";
export default {
  fetch: (request, env, context) => worker.fetch(request, env, context),
  scheduled: (event, env, context) => worker.scheduled?.(event, env, context),
};`;

/** The modules of a Worker, as miniflare takes them: what `wasm-bindgen --target module` has made, and a shim. */
export function modules(built, entry = shim) {
  const files = readdirSync(built, { recursive: true, withFileTypes: true });
  const found = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath ?? file.path, file.name));
  const list = found.map((file) => {
    const name = path.relative(built, file);
    if (name.endsWith(".wasm")) return { type: "CompiledWasm", path: name, contents: readFileSync(file) };
    // What bundlers do of it: a module's source is what an import of a .wasm is in Workers.
    const contents = readFileSync(file, "utf8").replaceAll("import source ", "import ");
    return { type: "ESModule", path: name, contents };
  });
  return [{ type: "ESModule", path: "shim.mjs", contents: entry }, ...list];
}

/**
 * Starts the Worker. Whatever workerd says on its output is kept: a test can ask that there was no complaint.
 */
export async function startWorker(options = {}) {
  const said = [];
  const listen = (stream) => readline.createInterface({ input: stream }).on("line", (line) => said.push(line));
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    modules: options.modules ?? modules(env("WORKER_DIR")),
    modulesRoot: "/",
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["enable_request_signal"],
    d1Databases: ["DB"],
    durableObjects: { GATE: { className: "Gate", useSQLite: true } },
    // Straight into workerd: miniflare's own server stays connected when a client goes, and compresses streams.
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    handleRuntimeStdio: (out, err) => (listen(out), listen(err)),
    ...options,
  });
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL();
  const ask = async (route, parameters = {}, init = {}) => {
    const target = new URL(route, url);
    for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
    const response = await fetch(target, init);
    const text = await response.text();
    assert.equal(response.status, 200, `${route}: ${text}\n${said.join("\n")}`);
    return JSON.parse(text);
  };
  /** Asks, and resets the connection after a while: what a client that goes away looks like to the runtime. */
  const leave = async (route, parameters, after) => {
    const target = new URL(route, url);
    for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
    const socket = net.connect(target.port, target.hostname);
    socket.on("error", () => {});
    socket.write(`GET ${target.pathname}${target.search} HTTP/1.1\r\nhost: ${target.host}\r\n\r\n`);
    let read = 0;
    socket.on("data", (data) => (read += data.length));
    await pause(after);
    socket.resetAndDestroy();
    return read;
  };
  return { miniflare, url, ask, leave, said, stop: () => miniflare.dispose() };
}

/** Starts a strict origin. */
export async function startOrigin(...flags) {
  const child = spawn(strictOrigin, flags, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = readline.createInterface({ input: child.stdout });
  const [url] = await Promise.race([once(lines, "line"), once(child, "exit").then(() => assert.fail(`strict-origin ${flags.join(" ")} does not start`))]);
  const get = async (route, init) => (await fetch(new URL(route, url), init)).json();
  return {
    url: (route = "/") => new URL(route, url).href,
    score: () => get("/__score"),
    reset: () => fetch(new URL("/__reset", url), { method: "POST" }),
    stop: () => child.kill("SIGKILL"),
  };
}

/**
 * Starts a server that hands each request, head and body of stated length, to `answer(socket, request)`.
 *
 * `closed()` waits until the client has closed all connections.
 */
export async function startLiar(answer) {
  const open = new Set();
  let waiting = [];
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      if (open.size === 0) waiting.splice(0).forEach((resolve) => resolve());
    });
    let head = "";
    socket.on("data", (data) => {
      head += data.toString("latin1");
      const [, body] = head.split("\r\n\r\n", 2);
      const [, length] = /\r\ncontent-length: (\d+)\r\n/i.exec(head) ?? [];
      if (body === undefined || body.length < Number(length ?? 0)) return;
      const whole = head;
      head = "";
      answer(socket, whole);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A test that fails before it stops this is not waited for.
  server.unref();
  const { port } = server.address();
  return {
    url: (route = "/") => `http://127.0.0.1:${port}${route}`,
    open: () => open.size,
    closed: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    stop: () => {
      open.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What workerd says when requests get in each other's way. */
export function assertNoComplaint(worker) {
  const complaint = /hung|different request|cross-request|Cannot perform I\/O|uncaught|unhandled/i;
  assert.deepEqual(worker.said.filter((line) => complaint.test(line)), []);
}
