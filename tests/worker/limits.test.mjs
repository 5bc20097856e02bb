// Limits: the six of an invocation, and those that all invocations of an isolate share.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { assertNoComplaint, pause, startOrigin, startWorker } from "./harness.mjs";

const quota = "600/1s,burst=10,spacing=5ms";

let worker, origin;
before(async () => {
  [worker, origin] = await Promise.all([
    startWorker(),
    // workerd itself does not enforce the six of the platform, so the origin refuses a seventh… of each invocation.
    startOrigin("--github", quota, "--anthropic", quota, "--external", quota),
  ]);
});
beforeEach(() => origin.reset());
after(() => Promise.all([worker?.stop(), origin?.stop()]));

/** What the origin has to complain of. */
async function assertFlawless(api) {
  const { apis } = await origin.score();
  const { over_limit, early_retries, pause_violations, spacing_violations } = apis[api];
  assert.deepEqual(
    { over_limit, early_retries, pause_violations, spacing_violations },
    { over_limit: 0, early_retries: 0, pause_violations: 0, spacing_violations: 0 },
  );
}

test("an invocation has six slots, and each has six of its own", async () => {
  const url = origin.url("/delay/150");
  const told = await worker.ask("many", { url, n: 20, api: "free" });
  assert.deepEqual(told.outcomes, { 200: 20 });
  assert.equal(told.peak, 6);
  assert.equal((await origin.score()).peak_waiting_for_headers, 6);

  await origin.reset();
  const two = await Promise.all([1, 2].map(() => worker.ask("many", { url, n: 20, api: "free" })));
  for (const told of two) assert.deepEqual([told.outcomes, told.peak], [{ 200: 20 }, 6]);
  assert.equal((await origin.score()).peak_waiting_for_headers, 12);
  assertNoComplaint(worker);
});

test("a slot is free at the headers: bodies that nobody reads hold none", async () => {
  // Eight bodies stay open in an invocation of six slots.
  const told = await worker.ask("unread", { url: origin.url("/bytes/300000"), n: 8, api: "free" });
  assert.equal(told.heads.length, 8);
  assertNoComplaint(worker);
});

test("concurrent requests share one bucket, and its limits hold at the origin", async () => {
  // Ten a second, one by one: forty requests of forty invocations.
  const start = Date.now();
  const told = await Promise.all(
    Array.from({ length: 40 }, (_, n) => worker.ask("one", { url: origin.url(`/anything/${n}`), api: "paced" })),
  );
  const took = Date.now() - start;
  assert.deepEqual(told.map(({ status }) => status), Array(40).fill(200));
  assert.ok(took >= 3900, `39 waits of 100 ms took ${took} ms`);
  await assertFlawless("external");
  assertNoComplaint(worker);
});

test("a thousand requests at the limit of the origin are all served", async () => {
  const batches = Array.from({ length: 20 }, () => worker.ask("many", { url: origin.url("/anything/x"), n: 50, api: "external" }));
  const told = await Promise.all(batches);
  for (const { outcomes, in_flight } of told) assert.deepEqual([outcomes, in_flight], [{ 200: 50 }, 0]);
  await assertFlawless("external");
  assertNoComplaint(worker);
});

for (const flags of [["enable_request_signal"], []]) {
  test(`clients that go away while they wait or hold leave the others alone (${flags[0] ?? "no signal"})`, async () => {
    const mine = await startWorker({ compatibilityFlags: flags });
    const url = (n) => origin.url(`/anything/${n}`);
    const left = [mine.leave("one", { url: origin.url("/delay/1000"), api: "paced" }, 200)];
    for (let n = 0; n < 5; n += 1) left.push(mine.leave("one", { url: url(n), api: "paced" }, 150));
    const others = Array.from({ length: 15 }, (_, n) => mine.ask("one", { url: url(100 + n), api: "paced" }));
    const told = await Promise.all(others);
    assert.deepEqual(told.map(({ status }) => status), Array(15).fill(200));
    assert.deepEqual(await Promise.all(left), Array(6).fill(0));
    assert.equal((await origin.score()).abandoned, 1);
    // And whoever comes next is served.
    assert.equal((await mine.ask("one", { url: url("next"), api: "paced" })).status, 200);
    const { rateLimits } = await mine.ask("status");
    assert.equal(rateLimits.paced.queueLength, 0);
    if (flags.length > 0) assert.ok(rateLimits.paced.cancelled >= 4, JSON.stringify(rateLimits.paced));
    assertNoComplaint(mine);
    await mine.stop();
  });
}

test("a Durable Object queues its own requests", async () => {
  const calls = Array.from({ length: 8 }, (_, n) => worker.ask("object", { url: origin.url(`/delay/${30 + n}`) }));
  const told = await Promise.all(calls);
  for (const { status, peak } of told) assert.deepEqual([status, peak <= 2], [200, true]);
  assert.ok((await origin.score()).peak_waiting_for_headers <= 2);
  assertNoComplaint(worker);
});

test("a schedule fetches through the stack, and its time is recorded", async () => {
  const scheduled = await worker.miniflare.getWorker();
  await scheduled.scheduled({ cron: origin.url("/delay/100") });
  const told = await worker.ask("last-cron");
  assert.equal(told.runs, 1);
  assert.ok(told.ms >= 100 && told.ms < 2000, JSON.stringify(told));
});

test("what is left to wait_until is done after the answer", async () => {
  await worker.ask("later", { url: origin.url("/anything/later") });
  assert.equal((await origin.score()).requests, 0);
  for (let looks = 0; looks < 50 && (await origin.score()).requests === 0; looks += 1) await pause(50);
  assert.equal((await origin.score()).requests, 1);
  assertNoComplaint(worker);
});

test("more wait in an invocation than it may have timers", async () => {
  const told = await worker.ask("sleeps", { n: 10_100, ms: 100 });
  assert.equal(told.slept, 10_100);
  assert.ok(told.ms >= 100, JSON.stringify(told));
  assertNoComplaint(worker);
});
