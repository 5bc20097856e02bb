// A server that plays a scan for the dashboard: the HTTP contract of repo-scanner with figures that look real, pauses, errors,
// hostile texts, and a way to go away and come back. Nothing is scanned, and nothing is asked of anybody.
//
// usage: node mock.mjs [--port 8787] [--token SECRET] [--speed 1] [--total 1200] [--hostile] [--away-every 60 --away-for 8]

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const page = () => readFileSync(here("../../examples/repo-scanner/core/assets/dashboard.html"), "utf8").replaceAll("\r\n", "\n");

/** What a description, a reason, a name may be if somebody means harm. None of it may be more than text. */
export const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  "</script><script>window.hacked=1</script>",
  '"><svg onload=window.hacked=1>',
  "javascript:window.hacked=1",
  "{{constructor.constructor('window.hacked=1')()}}",
  "W".repeat(3000),
  "\u202Etxet desrever\u202C \u0000\u0007 e\u0301\u0301\u0301\u0301\u0301\u0301",
  "\ud83d\ude00\ud800 half a pair",
];

/** The policy that the page must live with: it knows the page's one style and one script, and nothing else. */
export function policyFor(html) {
  const hash = (tag) => {
    const [, text] = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(html);
    return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  };
  return [
    "default-src 'none'", "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'", `style-src ${hash("style")}`, `script-src ${hash("script")}`,
  ].join("; ");
}

/** The same numbers in every run. */
function numbersFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function repositories(random, hostile, total) {
  const lines = readFileSync(here("../../examples/repo-scanner/data/repositories.tsv"), "utf8").split("\n").slice(1);
  const all = lines.filter(Boolean).map((line, at) => {
    const [fullName, , , , topics, description] = line.split("\t");
    const stars = Math.floor(60_000 * random() ** 6) + 12;
    return {
      name: fullName.split("/")[1], fullName, id: 1000 + at, description: random() < 0.05 ? null : description,
      language: random() < 0.9 ? "Rust" : ["C", "TypeScript", null][at % 3], topics: topics ? topics.split(",") : [],
      stars, forks: Math.floor(stars * 0.11), openIssues: Math.floor(stars * 0.02), pushedAt: Date.now() - 3e10 * random() ** 4,
      analysis: random() < 0.2 ? "Maintained, small, with few dependencies; its tests cover the public interface." : null,
    };
  });
  const known = all.length;
  for (let at = known; at < Math.min(total, 20_000); at += 1) {
    const like = all[at % known];
    const name = `${like.name}-${Math.floor(at / known) + 1}`;
    all.push({ ...like, name, fullName: `${like.fullName.split("/")[0]}/${name}`, id: 1000 + at, stars: Math.floor(like.stars / (2 + random())) });
  }
  if (hostile) {
    HOSTILE.forEach((text, at) => Object.assign(all[at * 7], { description: text, language: at % 2 ? text : null, analysis: text, stars: 99_990 - at }));
    Object.assign(all[60], { fullName: HOSTILE[0], name: HOSTILE[0], stars: 99_999 });
    Object.assign(all[61], { fullName: "javascript:alert(1)//x", stars: 99_998 });
  }
  return all;
}

/** Durations of one phase of one API: what ended in the last minute, and a sample of all. */
class Times {
  constructor() {
    this.minute = [];
    this.ever = [];
    this.count = 0;
  }
  add(at, value) {
    this.minute.push([at, value]);
    this.count += 1;
    if (this.ever.length < 2000) this.ever.push(value);
    else this.ever[this.count % 2000] = value;
  }
  read(now) {
    this.minute = this.minute.filter(([at]) => at > now - 60_000);
    const last = this.minute.map(([, value]) => value);
    return { lastMinute: percentiles(last, last.length), lifetime: percentiles(this.ever, this.count) };
  }
}

function percentiles(values, count) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part) => Math.round((sorted[Math.ceil(sorted.length * part) - 1] ?? 0) * 1000) / 1000;
  return { count, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) };
}

const PHASES = ["rateWait", "queueWait", "headers", "body", "total"];
const STEP = 100;

/** What is played: it moves on in steps of 100 ms, by as much as time has passed since it was last looked at. */
class World {
  constructor({ speed = 1, total = 1200, hostile = false, seed = 7, pauseEvery = 12_000, pauseFor = 6000 }) {
    Object.assign(this, { speed, total, hostile, pauseEvery, pauseFor });
    this.random = numbersFrom(seed);
    this.repos = repositories(this.random, hostile, total);
    this.stored = new Set();
    this.scanId = 0;
    this.scan = null;
    this.analysed = 0;
    this.begin();
  }

  /** The process begins anew: counts from zero, and keeps what is stored. */
  begin() {
    this.began = this.seen = Date.now();
    this.now = 0;
    const apis = this.hostile ? ["all", "claude", "constructor", "github", HOSTILE[0]] : ["all", "claude", "external", "github", "githubSearch"];
    this.times = new Map(apis.map((api) => [api, Object.fromEntries(PHASES.map((phase) => [phase, new Times()]))]));
    this.outcomes = { ok: 0, httpError: 0, refused: 0, timedOut: 0, cancelled: 0, failed: 0 };
    this.connections = { active: 0, peak: 0, queued: 0, peakQueued: 0, timeouts: 0, sum: 0, steps: 0 };
    this.departed = { github: 0, githubSearch: 0, claude: 0 };
    this.throttled = this.retries = this.notModified = 0;
    this.budget = 100;
    this.memory = { bytes: 17.2e6, peak: 17.2e6, sum: 0, samples: 0 };
    this.pausedUntil = this.nextPause = 0;
    this.warnings = [];
    this.warned = 0;
    this.recent = [];
    this.operations = Object.fromEntries(["fetch", "scan", "saveMetrics", "saveRepositories", "cleanUp"].map((name) => [name, { times: new Times(), failed: 0 }]));
    if (this.scan && !this.scan.finishedAt) Object.assign(this.scan, { state: "interrupted", finishedAt: Date.now(), why: "the process was ended in the middle" });
  }

  start() {
    if (this.scan && !this.scan.finishedAt) return;
    this.scanId += 1;
    this.scan = { state: "running", startedAt: Date.now(), finishedAt: null, at: 0, scanned: 0, unchanged: 0, failed: 0, reasons: {}, why: null, elapsed: 0 };
    this.nextPause = this.now + this.pauseEvery;
  }

  end(state, why = null) {
    Object.assign(this.scan, { state, why, finishedAt: Date.now() });
    Object.assign(this.connections, { active: 0, queued: 0 });
  }

  catchUp() {
    const until = this.now + Math.min(Date.now() - this.seen, 600_000) * this.speed;
    if (until - this.now < STEP) return;
    this.seen = Date.now();
    while (this.now + STEP <= until) this.step();
  }

  step() {
    this.now += STEP;
    const { connections, memory, random } = this;
    if (this.scan && !this.scan.finishedAt) this.stepScan();
    memory.bytes += (random() - 0.5) * 2e5 + (connections.active > 0 ? 3e4 : -4e4);
    memory.bytes = Math.min(Math.max(memory.bytes, 16e6), 33e6);
    memory.peak = Math.max(memory.peak, memory.bytes);
    memory.sum += memory.bytes;
    memory.samples += 1;
    connections.sum += connections.active;
    connections.steps += 1;
  }

  stepScan() {
    const { scan, connections, random } = this;
    scan.elapsed += STEP;
    if (this.now >= this.nextPause) {
      this.pausedUntil = this.now + this.pauseFor;
      this.nextPause = this.pausedUntil + this.pauseEvery;
      this.throttled += 3;
      this.retries += 3;
      this.budget -= 3;
    }
    const paused = this.now < this.pausedUntil;
    Object.assign(scan, { state: paused ? "paused" : "running", why: paused ? "GitHub asks everybody to wait" : null });
    const left = this.total - scan.at;
    connections.active = paused ? 0 : Math.min(left, 4 + Math.floor(random() * 3));
    connections.queued = paused ? 0 : Math.min(Math.max(left - 6, 0), Math.floor(random() * 12));
    connections.peak = Math.max(connections.peak, connections.active);
    connections.peakQueued = Math.max(connections.peakQueued, connections.queued);
    if (!paused) for (let n = Math.min(left, 4 + Math.floor(random() * 5)); n > 0; n -= 1) this.fetchOne();
    if (scan.at >= this.total) {
      this.operations.scan.times.add(this.now, scan.elapsed);
      this.end("finished");
    }
  }

  fetchOne() {
    const { scan, random } = this;
    const repo = this.repos[scan.at % this.repos.length];
    scan.at += 1;
    const luck = random();
    let outcome = "ok";
    if (luck < 0.012) {
      const [kind, reason] = [
        ["httpError", "the server answered 404 Not Found"], ["timedOut", "timed out"], ["failed", "the connection failed: reset by peer"],
        ["httpError", this.hostile ? HOSTILE[0] : "the response is not a repository"],
      ][Math.floor(random() * 4)];
      outcome = kind;
      scan.failed += 1;
      scan.reasons[reason] = (scan.reasons[reason] ?? 0) + 1;
      this.operations.fetch.failed += 1;
    } else if (luck < 0.06 || this.stored.has(repo)) {
      scan.unchanged += 1;
      this.notModified += 1;
    } else scan.scanned += 1;
    if (outcome === "ok" && !repo.scannedAt) {
      this.stored.add(repo);
      repo.scannedAt = Date.now();
    }
    this.request("github", outcome, 4 + random() * 12, 28 + 90 * random() ** 3 + (luck > 0.985 ? 700 : 0));
    this.recent.push(this.now);
    if (scan.at % 40 === 0) this.save();
    if (scan.at % 150 === 0) {
      this.request("claude", "ok", 900 + random() * 1500, 1400 + random() * 2600);
      this.analysed += 1;
    }
  }

  request(api, outcome, rateWait, headers) {
    const { random } = this;
    const phases = { rateWait, queueWait: random() ** 4 * 40, headers, body: 1 + random() * 6 };
    phases.total = Object.values(phases).reduce((sum, value) => sum + value);
    this.outcomes[outcome] += 1;
    this.departed[api] += 1;
    for (const name of [api, "all"]) for (const phase of PHASES) this.times.get(name)?.[phase].add(this.now, phases[phase]);
    if (api === "github") this.operations.fetch.times.add(this.now, phases.total);
    if (random() < 0.01) (this.retries += 1), (this.budget = Math.max(this.budget - 1, 40));
    else this.budget = Math.min(this.budget + 0.2, 100);
  }

  save() {
    const took = 3 + 9 * this.random() + (this.random() < 0.08 ? 140 : 0);
    this.operations.saveRepositories.times.add(this.now, took);
    this.operations.saveMetrics.times.add(this.now, took * 0.6);
    if (took < 100) return;
    this.warned += 1;
    this.warnings.push({ unixMs: Date.now(), limit: "operation", operation: "saveRepositories", value: took, threshold: 100 });
    this.warnings.splice(0, this.warnings.length - 32);
  }

  scanStatus() {
    const { scan } = this;
    if (!scan) return { id: null, state: "none", total: 0, scanned: 0, unchanged: 0, failed: 0, remaining: 0, startedAt: null, finishedAt: null, elapsedMs: 0, perSecond: 0, leftMs: null, reasons: {}, why: null };
    const perSecond = (scan.at / scan.elapsed) * 1000 || 0;
    return {
      id: this.scanId, state: scan.state, total: this.total, scanned: scan.scanned, unchanged: scan.unchanged, failed: scan.failed,
      remaining: this.total - scan.at, startedAt: scan.startedAt, finishedAt: scan.finishedAt, elapsedMs: scan.elapsed, perSecond,
      leftMs: scan.finishedAt || perSecond === 0 ? null : ((this.total - scan.at) / perSecond) * 1000, reasons: scan.reasons, why: scan.why,
    };
  }

  status() {
    const { connections, memory, now, random } = this;
    const runs = this.scan && !this.scan.finishedAt;
    const paused = Math.max(this.pausedUntil - now, 0);
    this.recent = this.recent.filter((at) => at > now - 60_000);
    const outcomes = { ...this.outcomes };
    const { ok, ...errors } = outcomes;
    if (this.hostile) errors[HOSTILE[0]] = 1;
    const performance = {};
    for (const [api, phases] of this.times) {
      const read = Object.fromEntries(PHASES.map((phase) => [phase, phases[phase].read(now)]));
      const take = (when) => Object.fromEntries(PHASES.map((phase) => [phase, read[phase][when]]));
      performance[api] = { outcomes, attempts: ok + this.retries, lifetime: take("lifetime"), lastMinute: take("lastMinute") };
    }
    const limit = (available, max, api, more = {}) => ({
      availableTokens: available, maxTokens: max, queueLength: 0, nextSlotMs: null, pausedForMs: null, departed: this.departed[api] ?? 0,
      refused: 0, cancelled: 0, throttled: 0, server: null, ...more,
    });
    const quota = 5000 - (this.departed.github % 4900);
    const github = limit(runs && !paused ? Math.floor(random() * 4) : paused ? 0 : 10, 10, "github", {
      queueLength: runs ? (paused ? 12 : 3 + Math.floor(random() * 6)) : 0, nextSlotMs: runs ? (paused || 5 + random() * 8) : null,
      pausedForMs: paused || null, throttled: this.throttled, server: { limit: 5000, remaining: quota, resetsInMs: 3_600_000 - (now % 3_600_000) },
    });
    const claude = limit(now % 24_000 < 12_000 ? 1 : 2, 2, "claude", { server: { limit: 50, remaining: 43, resetsInMs: 60_000 - (now % 60_000) } });
    const rateLimits = { claude, external: limit(20, 20, "external"), github, githubSearch: limit(3, 3, "githubSearch") };
    if (this.hostile) rateLimits[HOSTILE[0]] = claude;
    return {
      scope: "process", rateLimits, performance, errors,
      connections: {
        limit: 6, active: connections.active, peak: connections.peak, mean: connections.sum / (connections.steps || 1), queued: connections.queued,
        peakQueued: connections.peakQueued, timeouts: connections.timeouts, refused: 0, openBodies: Math.min(connections.active, 2), unreadBodies: 0, unlimited: 0,
      },
      retries: { retries: this.retries, budgetAvailable: Math.floor(this.budget), budgetCapacity: 100 },
      bodies: { live: Math.min(connections.active, 2), ended: ok, cancelled: outcomes.timedOut, drained: outcomes.httpError, drainedBytes: 0, idle: 0, failed: outcomes.failed },
      flags: this.flags(), monitor: this.monitor(), scan: this.scanStatus(),
      business: {
        repositories: this.stored.size, failures: this.scan?.failed ?? 0, analysed: this.analysed,
        repositoriesPerHour: runs ? this.recent.length * 60 * (60_000 / Math.min(Math.max(now, 1000), 60_000)) : 0,
        apiCallsPerMinute: this.recent.length, cacheHitRate: ok > 0 ? this.notModified / ok : null,
      },
    };
  }

  flags() {
    const rest = { count: 0, failed: 0, p95Ms: 0 };
    const full = { percent: 100, namedOn: 0, namedOff: 0, isDefault: true, isWorse: false, on: rest, off: rest };
    const { ok } = this.outcomes;
    const half = { count: Math.floor(ok / 2), failed: Math.floor(ok / 150), p95Ms: 96.4 };
    const flags = {
      analysis: { ...full, percent: 20, on: { ...half, count: Math.floor(ok / 5) }, off: half },
      batching: full, cleanup: full, connectionLimit: { ...full, namedOff: 1, isDefault: false }, rateLimit: full,
      retries: { ...full, percent: 50, isDefault: false, isWorse: ok > 400, on: half, off: { ...half, failed: Math.floor(ok / 30), p95Ms: 81.2 } },
      streaming: { ...full, percent: 12.5 }, timeouts: full,
    };
    if (this.hostile) Object.assign(flags, { [HOSTILE[1]]: full, $refused: `the flag ${HOSTILE[0]} is not known` });
    return flags;
  }

  monitor() {
    const figures = ({ times, failed }) => {
      const read = times.read(this.now);
      const more = (of) => ({ ...of, ok: of.count - failed, failed, timedOut: 0, cancelled: 0, errors: failed, totalMs: of.p50Ms * of.count, meanMs: of.p50Ms });
      return { lifetime: more(read.lifetime), lastMinute: { ...more(read.lastMinute), errors: 0 } };
    };
    const operations = {};
    for (const [name, it] of Object.entries(this.operations)) {
      const running = name === "scan" ? Number(this.scan !== null && !this.scan.finishedAt) : name === "fetch" ? this.connections.active : 0;
      operations[name] = { running, longestRunningMs: running ? 40 : null, lost: 0, slow: name === "saveRepositories" ? this.warned : 0, timeoutMs: null, warnAfterMs: null, busyMs: null, ...figures(it), slowest: null, last: null };
    }
    if (this.hostile) operations[HOSTILE[0]] = operations.fetch;
    const { bytes, peak, sum, samples } = this.memory;
    return {
      uptimeMs: this.now, operations, crossed: [], warnings: this.warned, recentWarnings: this.warnings,
      memory: { bytes: Math.round(bytes), peakBytes: Math.round(peak), meanBytes: samples ? Math.round(sum / samples) : null, limitBytes: 40 << 20, samples },
      cpu: { timeMs: this.now * 0.08, share: 0.06 + 0.08 * this.random(), peakShare: 0.31, limitTimeMs: null, limitShare: null },
    };
  }

  list({ searchParams }) {
    const q = (searchParams.get("q") ?? "").toLowerCase();
    const limit = Math.min(Number(searchParams.get("limit") ?? 50), 1000);
    const found = [...this.stored].filter((repo) => `${repo.fullName} ${repo.description}`.toLowerCase().includes(q)).sort((a, b) => b.stars - a.stars);
    return { found: found.slice(0, limit), more: found.length > limit };
  }
}

/** Starts the server. `leave` and `comeBack` are what it is for; `answer` may change what a path answers. */
export async function startMock({ port = 0, token = null, running = true, ...options } = {}) {
  const world = new World(options);
  const mock = { requests: [], answer: null, token, world };
  if (running) world.start();
  const sockets = new Set();
  let server;

  function handle(request, response) {
    const url = new URL(request.url, "http://mock");
    mock.requests.push({ method: request.method, path: url.pathname, query: url.search, at: Date.now(), authorization: request.headers.authorization ?? null });
    world.catchUp();
    const json = (status, body, type = "application/json", headers = {}) =>
      response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...headers }).end(JSON.stringify(body));
    const problem = (status, title, detail) => json(status, { type: "about:blank", title, status, detail }, "application/problem+json");
    if (mock.answer?.({ request, url, json, problem, world, response })) return undefined;
    const route = `${request.method} ${url.pathname}`;
    if (route === "GET /") {
      const html = page();
      return response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policyFor(html), "cache-control": "no-cache" }).end(html);
    }
    if (route === "GET /api/status") return json(200, world.status());
    if (route === "GET /api/scan") return json(200, world.scanStatus());
    if (route === "GET /api/repos") {
      const { found, more } = world.list(url);
      return json(200, found, "application/json", more ? { link: '</api/repos?cursor=x>; rel="next"' } : {});
    }
    if (route === "POST /api/scan" || route === "DELETE /api/scan") {
      if (mock.token !== null && request.headers.authorization !== `Bearer ${mock.token}`) return problem(401, "Unauthorized", "a token is needed");
      if (request.method === "POST") world.start();
      else if (world.scan && !world.scan.finishedAt) world.end("interrupted", "somebody ended it");
      return json(202, world.scanStatus());
    }
    return problem(404, "Not Found", "there is nothing here");
  }

  mock.comeBack = async () => {
    server = createServer(handle);
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    port = server.address().port; // the same one next time
    mock.url = `http://127.0.0.1:${port}`;
  };
  mock.leave = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await mock.comeBack();
  return mock;
}

async function main() {
  const text = (value) => ({ type: "string", ...(value && { default: value }) });
  const { values } = parseArgs({ options: {
    port: text("8787"), token: text(), speed: text("1"), total: text("1200"), hostile: { type: "boolean" }, "away-every": text("0"), "away-for": text("8"),
  } });
  const mock = await startMock({
    port: Number(values.port), token: values.token ?? null, speed: Number(values.speed), total: Number(values.total), hostile: values.hostile ?? false,
  });
  console.log(mock.url);
  const every = Number(values["away-every"]) * 1000;
  if (every > 0) setInterval(async () => {
    await mock.leave();
    setTimeout(async () => {
      mock.world.begin();
      await mock.comeBack();
    }, Number(values["away-for"]) * 1000);
  }, every);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
