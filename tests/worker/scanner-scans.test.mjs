// repo-scanner as a Worker: scans through D1, in slices, within the limits of the platform.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNoComplaint } from "./harness.mjs";
import { FREE, PAID, QUOTA, assertFlawless, assertStoredOnce, assertWithin, names, originOfList, startScanner, untilTheEnd } from "./scanner.mjs";

const until = untilTheEnd();

test("1,200 repositories are scanned through D1, within every limit", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin));
  const begun = await scanner.begin();
  assert.deepEqual([begun.total, begun.remaining], [1200, 1200]);
  const scan = await scanner.ended();
  assert.deepEqual([scan.state, scan.scanned, scan.failed], ["finished", 1200, 0]);
  await assertStoredOnce(scanner, 1200);
  await assertFlawless(origin);
  const { requests, unique_paths_served } = await origin.score();
  assert.deepEqual([requests, unique_paths_served], [1200, 1200]);
  const alarms = await scanner.alarms();
  assertWithin(alarms, PAID);

  const status = await scanner.get("/api/status");
  assert.equal(status.scope, "object");
  const { peakBytes } = status.monitor.memory;
  assert.ok(peakBytes > 0 && peakBytes < 32 * 2 ** 20, JSON.stringify(status.monitor.memory));
  assert.equal(status.business.repositories, 1200);
  assert.deepEqual(status.runs.map(({ job, done, isOk }) => [job, done, isOk]), [["slice", 1200, true]]);
  console.log(`1,200 repositories: ${scan.worked_ms} ms, ${alarms[0].statements} statements, ${peakBytes / 2 ** 20} MiB of wasm memory`);

  // Once more: nothing has changed, and nothing is sent.
  await scanner.begin();
  const again = await scanner.ended();
  assert.deepEqual([again.scanned, again.unchanged, again.failed], [0, 1200, 0]);
  assert.equal((await origin.score()).apis.github.not_modified, 1200);
  await assertFlawless(origin);
  assertNoComplaint(scanner);
});

test("with a tenth of all requests failing, each repository is stored or has a reason", async () => {
  const origin = until(await originOfList(...QUOTA, "--faults", "internal-error=0.03,reset-before-headers=0.03,truncated-body=0.02,unavailable=0.02", "--seed", "7"));
  const scanner = until(await startScanner(origin));
  await scanner.begin(names.slice(0, 400));
  const scan = await scanner.ended(100);
  assert.deepEqual([scan.state, scan.scanned + scan.failed], ["finished", 400]);
  assert.ok(scan.scanned >= 390, JSON.stringify(scan));
  const failures = await scanner.rows("SELECT name, reason FROM failures");
  assert.equal(failures.length, scan.failed);
  assert.ok(failures.every(({ reason }) => reason.length > 0));
  await assertStoredOnce(scanner, scan.scanned);
  await assertFlawless(origin);
  assertWithin(await scanner.alarms(), PAID);
  assertNoComplaint(scanner);
});

test("a long scan is cut into invocations, none of which breaks the limits of the free plan", async () => {
  // A fifth fails at first: retries cost fetches that nobody has planned.
  const origin = until(await originOfList(...QUOTA, "--faults", "unavailable=0.2", "--seed", "3"));
  const slice = { fetches: FREE.fetches, statements: FREE.statements };
  const scanner = until(await startScanner(origin, { settings: { slice }, limits: FREE }));
  await scanner.begin(names.slice(0, 200));
  const scan = await scanner.ended(120);
  assert.deepEqual([scan.state, scan.scanned + scan.failed], ["finished", 200]);
  await assertStoredOnce(scanner, scan.scanned);
  const alarms = await scanner.alarms();
  assertWithin(alarms, FREE);
  assert.ok(alarms.length >= 200 / FREE.fetches, JSON.stringify(alarms));
  // Not one repository at a time either.
  assert.ok(alarms.length <= 30, JSON.stringify(alarms));
  await assertFlawless(origin);
  const slices = await scanner.rows("SELECT done, took_ms, is_ok FROM runs WHERE job = 'slice' ORDER BY id");
  assert.equal(slices.reduce((sum, slice) => sum + slice.done, 0), 200);
  assert.ok(slices.every(({ is_ok, took_ms }) => is_ok === 1 && took_ms >= 0), JSON.stringify(slices));
  assertNoComplaint(scanner);
});

test("a slice is over when its time is, and the next one goes on", async () => {
  const origin = until(await originOfList(...QUOTA));
  const settings = { slice: { seconds: 1 }, quota: { github: { limit: 40, periodMs: 1010, burst: 1 } } };
  const scanner = until(await startScanner(origin, { settings }));
  await scanner.begin(names.slice(0, 150));
  const scan = await scanner.ended();
  assert.deepEqual([scan.state, scan.scanned], ["finished", 150]);
  const alarms = await scanner.alarms();
  assert.ok(alarms.length >= 3, JSON.stringify(alarms));
  await assertStoredOnce(scanner, 150);
  await assertFlawless(origin);
  assertNoComplaint(scanner);
});
