// repo-scanner as a Worker: its API, its settings, and what is said of repositories.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNoComplaint, pause } from "./harness.mjs";
import { QUOTA, assertFlawless, names, originOfList, quota, startScanner, untilTheEnd } from "./scanner.mjs";

const until = untilTheEnd();

test("the API is the same as everywhere", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin));
  const page = await scanner.call("/");
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(page.headers.get("content-security-policy"), /script-src 'sha256-/);
  assert.match(await page.text(), /<!doctype html>/i);
  const etag = page.headers.get("etag");
  assert.equal((await scanner.call("/", { headers: { "if-none-match": etag } })).status, 304);

  await scanner.begin(names.slice(0, 300));
  assert.equal((await scanner.begin(names.slice(0, 300))).state, "running", "the second one joins");
  const other = await scanner.call("/api/scan", { method: "POST", body: JSON.stringify({ repos: ["a/b"] }) });
  assert.equal(other.status, 409);
  assert.equal(other.headers.get("content-type"), "application/problem+json");
  await scanner.ended();

  const all = await scanner.call("/api/repos");
  assert.equal(all.headers.get("content-length"), null, "it is streamed");
  assert.deepEqual((await all.json()).map(({ name }) => name), names.slice(0, 300).sort());
  const seen = [];
  for (let next = "/api/repos?sort=stars&order=desc&limit=77"; next; ) {
    const response = await scanner.call(next);
    seen.push(...(await response.json()).map(({ stars }) => stars));
    next = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(seen, [...seen].sort((a, b) => b - a));
  assert.equal(seen.length, 300);
  const one = await scanner.get(`/api/repos/${names[0]}`);
  assert.deepEqual([one.name, one.history.length], [names[0], 1]);
  const bad = await scanner.call("/api/repos?sort=colour");
  assert.deepEqual([bad.status, (await bad.json()).field], [400, "sort"]);
  assert.match(await (await scanner.call("/metrics")).text(), /^tower_egress_requests_total\{/m);
  assert.equal((await scanner.call("/api/scan", { method: "DELETE" })).status, 202);
  assertNoComplaint(scanner);
});

test("what is secret is asked for, and never told", async () => {
  const origin = until(await originOfList(...QUOTA));
  const token = "a-very-secret-token";
  const scanner = until(await startScanner(origin, { bindings: { REPO_SCANNER_TOKEN: token } }));
  const post = (authorization) => scanner.call("/api/scan", { method: "POST", body: '{"repos":["rust-lang/rust"]}', headers: authorization ? { authorization } : {} });
  assert.equal((await post()).status, 401);
  assert.equal((await post("Bearer another")).status, 401);
  assert.equal((await post(`Bearer ${token}`)).status, 202);
  await scanner.ended();
  for (const path of ["/api/status", "/api/scan", "/metrics"]) assert.ok(!(await (await scanner.call(path)).text()).includes(token));
  assert.ok(!scanner.said.join("\n").includes(token));
});

test("a setting that cannot be used is named", async () => {
  const origin = "http://127.0.0.1:9";
  for (const [settings, named] of [
    [{ concurrenzy: 3 }, /SETTINGS: unknown field `concurrenzy`/],
    [{ quota: { github: { limit: 0, periodMs: 1000 } } }, /SETTINGS: quota\.github: /],
    [{ origin, flags: { speed: true } }, /SETTINGS: flags: .*speed/],
    [{ origin: "nowhere" }, /SETTINGS: origin "nowhere" is no address/],
    [{ slice: { fetches: 3 } }, /SETTINGS: slice: it takes at least 20 fetches and 30 statements/],
    [{ analyse: "all" }, /SETTINGS: invalid type: string "all", expected u32/],
    [{ quota }, /GITHUB_TOKEN is not set: npx wrangler secret put GITHUB_TOKEN/],
  ]) {
    const scanner = until(await startScanner(undefined, { settings }));
    const response = await scanner.call("/api/status");
    const text = await response.text();
    assert.equal(response.status, 503, `${JSON.stringify(settings)}: ${text}`);
    assert.match(text, named);
  }
});

test("the best known are described when a scan is done", async () => {
  const origin = until(await originOfList(...QUOTA, "--anthropic", "600/1s"));
  const scanner = until(await startScanner(origin, { settings: { analyse: 5 } }));
  await scanner.begin(names.slice(0, 40));
  await scanner.ended();
  for (let tries = 0; tries < 100 && (await scanner.row("SELECT count(analysis) AS n FROM repositories")).n < 5; tries += 1) await pause(100);
  const { business, runs } = await scanner.get("/api/status");
  assert.equal(business.analysed, 5);
  assert.deepEqual(runs.map(({ job, done }) => [job, done]), [["analysis", 5], ["slice", 40]]);
  await assertFlawless(origin, "anthropic");
});
