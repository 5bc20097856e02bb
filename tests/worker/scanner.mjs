// Starts repo-scanner as a Worker, at a strict origin, with the limits of the platform that local workerd does not enforce.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach } from "node:test";
import { env, modules, pause, startOrigin, startWorker } from "./harness.mjs";

const LIST = new URL("../../examples/repo-scanner/data/repositories.tsv", import.meta.url).pathname;
export const names = readFileSync(LIST, "utf8").trimEnd().split("\n").slice(1).map((line) => line.split("\t")[0]);

// Every alarm is an invocation; a fetch or a statement too many throws, as it does on the platform. Statements of requests are
// not counted: they are other invocations, and no test lets them come while an alarm is at work.
const entry = (limits) => `
import * as worker from "./index.js";

const limits = ${JSON.stringify(limits)};
const alarms = [];
let spent = null;
let brokenPuts = limits.brokenPuts ?? 0;
let broken = null;

/** What was done is heard of later, or never; or it is not done. */
async function late(run) {
  const how = broken;
  broken = null;
  if (how === "before") throw new Error("D1_ERROR: Network connection lost.");
  const what = await run();
  if (how === "after") throw new Error("D1_ERROR: Network connection lost.");
  if (limits.batchTakes) await new Promise((resolve) => setTimeout(resolve, limits.batchTakes));
  return what;
}

function spend(what, count) {
  if (spent === null) return;
  spent[what] += count;
  if (spent[what] > limits[what]) {
    spent.broken += 1;
    throw new Error(what === "fetches" ? "Too many subrequests by single Worker invocation." : "D1_ERROR: Too many API requests by single Worker invocation.");
  }
}

const realFetch = globalThis.fetch;
globalThis.fetch = (...request) => (spend("fetches", 1), realFetch(...request));

const statements = new WeakMap();
function statement(real) {
  const counted = new Proxy(real, {
    get(_, key) {
      if (key === "bind") return (...values) => statement(real.bind(...values));
      const value = real[key];
      if (typeof value !== "function") return value;
      if (["run", "raw", "all", "first"].includes(key)) return (...rest) => (spend("statements", 1), value.apply(real, rest));
      return value.bind(real);
    },
  });
  statements.set(counted, real);
  return counted;
}
const database = (real) => new Proxy(real, {
  get(_, key) {
    if (key === "constructor") return real.constructor;
    if (key === "prepare") return (sql) => statement(real.prepare(sql));
    if (key === "batch") return (list) => (spend("statements", list.length), late(() => real.batch(list.map((one) => statements.get(one)))));
    const value = real[key];
    return typeof value === "function" ? value.bind(real) : value;
  },
});

export class Scanner extends worker.Scanner {
  constructor(state, env) {
    super(state, { ...env, DB: database(env.DB) });
    this.nextAlarm = () => state.storage.getAlarm();
    const put = state.storage.put.bind(state.storage);
    state.storage.put = (...what) => (brokenPuts-- > 0 ? Promise.reject(new Error("storage is broken")) : put(...what));
  }
  async alarm(...rest) {
    spent = { fetches: 0, statements: 0, broken: 0, began: Date.now() };
    try {
      return await super.alarm(...rest);
    } finally {
      alarms.push({ ...spent, took: Date.now() - spent.began });
      spent = null;
    }
  }
  async fetch(request) {
    // The next transaction.
    if (new URL(request.url).pathname === "/__break") return (broken = new URL(request.url).search.slice(1)), new Response();
    if (new URL(request.url).pathname === "/__alarms") return Response.json({ alarms, next: await this.nextAlarm() });
    return super.fetch(request);
  }
}

export default {
  fetch: (request, env, context) => worker.fetch(request, env, context),
  scheduled: (event, env, context) => worker.scheduled(event, env, context),
};`;

export const PAID = { fetches: 10_000, statements: 1_000 };
export const FREE = { fetches: 50, statements: 50 };
/** What the origin permits, and what the Worker is told of it: a hundredth less, as departures are not arrivals; what
 * comes early because the machine did something else is excused by the jitter, and a burst too many is not. */
export const QUOTA = ["--github", "600/1s,burst=10,spacing=5ms,concurrent=6,jitter=50ms"];
export const quota = { github: { limit: 600, periodMs: 1010, burst: 10, spacingMs: 5 }, anthropic: { limit: 600, periodMs: 1010 } };

/** A place on disk for what outlives workerd. */
export function place() {
  const home = mkdtempSync(path.join(os.tmpdir(), "scanner-"));
  return { home, clear: () => rmSync(home, { recursive: true, force: true }) };
}

/** Starts an origin that has the repositories of the list. */
export const originOfList = (...flags) => startOrigin("--catalogue", LIST, ...flags);

/** Starts the Worker. */
export async function startScanner(origin, { settings = {}, limits = PAID, home, bindings = {} } = {}) {
  const base = origin ? { origin: new URL(origin.url("/")).origin, quota } : {};
  const worker = await startWorker({
    modules: modules(env("WORKER_SCANNER_DIR"), entry(limits)),
    durableObjects: { SCANNER: { className: "Scanner", useSQLite: true } },
    bindings: { SETTINGS: { ...base, ...settings }, ...bindings },
    ...(home ? { d1Persist: path.join(home, "d1"), durableObjectsPersist: path.join(home, "do") } : {}),
  });
  const database = await worker.miniflare.getD1Database("DB");
  const call = (route, init) => fetch(new URL(route, worker.url), init);
  const get = async (route) => {
    const response = await call(route);
    assert.equal(response.status, 200, `${route}: ${await response.clone().text()}\n${worker.said.join("\n")}`);
    return response.json();
  };
  /** The first row of a query, by itself: no request of the object's. */
  const row = async (sql, ...values) => database.prepare(sql).bind(...values).first();
  const rows = async (sql) => (await database.prepare(sql).all()).results;
  /** Waits until the last scan is no longer being worked on. */
  const ended = async (seconds = 60) => {
    for (let tries = 0; tries < seconds * 5; tries += 1) {
      const last = await row("SELECT * FROM scans ORDER BY id DESC LIMIT 1");
      if (last && last.state !== "running" && last.state !== "listing") return last;
      await pause(200);
    }
    assert.fail(`the scan goes on and on: ${JSON.stringify(await row("SELECT * FROM scans ORDER BY id DESC"))}\n${worker.said.join("\n")}`);
  };
  const begin = async (repos) => {
    const init = { method: "POST", ...(repos ? { body: JSON.stringify({ repos }) } : {}) };
    const response = await call("/api/scan", init);
    assert.equal(response.status, 202, await response.clone().text());
    return response.json();
  };
  /** What each alarm has used, of this life of the isolate, and when the next one is to be. */
  const clock = async () => {
    await pause(100);
    const namespace = await worker.miniflare.getDurableObjectNamespace("SCANNER");
    const stub = namespace.get(namespace.idFromName("scanner"));
    return (await stub.fetch("http://scanner/__alarms")).json();
  };
  /** Ends workerd as a power cut does. */
  const kill = async () => {
    const children = execFileSync("ps", ["-o", "pid=,comm=", "--ppid", String(process.pid)], { encoding: "utf8" });
    for (const line of children.split("\n")) {
      const [pid, name] = line.trim().split(/\s+/);
      if (name === "workerd") process.kill(Number(pid), "SIGKILL");
    }
    await Promise.race([worker.stop().catch(() => {}), pause(1000)]);
  };
  const alarms = async () => (await clock()).alarms;
  return { ...worker, kill, call, get, row, rows, ended, begin, alarms, clock, database };
}

/** The origin has nothing to complain of. */
export async function assertFlawless(origin, api = "github") {
  const { apis } = await origin.score();
  const { over_limit, burst_violations, spacing_violations, early_retries, pause_violations } = apis[api];
  const broken = { over_limit, burst_violations, spacing_violations, early_retries, pause_violations };
  assert.deepEqual(broken, { over_limit: 0, burst_violations: 0, spacing_violations: 0, early_retries: 0, pause_violations: 0 });
}

/** No invocation has asked for more than the platform lets it. */
export function assertWithin(alarms, limits) {
  for (const { fetches, statements, broken } of alarms) {
    assert.ok(broken === 0 && fetches <= limits.fetches && statements <= limits.statements, JSON.stringify(alarms));
  }
}

/** Each is stored, and once. */
export async function assertStoredOnce(scanner, count) {
  const stored = await scanner.row("SELECT count(*) AS n, count(DISTINCT name) AS names FROM repositories");
  assert.deepEqual(stored, { n: count, names: count });
}

/** Stops each test's things when it has ended, the last first. */
export function untilTheEnd() {
  const running = [];
  afterEach(async () => {
    for (const thing of running.splice(0).reverse()) await (thing.stop ?? thing.clear)();
  });
  return (thing) => (running.push(thing), thing);
}
