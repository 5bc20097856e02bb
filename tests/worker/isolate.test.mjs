// What an isolate keeps over many requests: memory, counters, and what a panic costs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, startOrigin, startWorker } from "./harness.mjs";

let worker, origin;
before(async () => {
  [worker, origin] = await Promise.all([startWorker(), startOrigin()]);
});
after(() => Promise.all([worker?.stop(), origin?.stop()]));

test("ten thousand requests, a third of them given up, leave nothing behind", async () => {
  const round = () => worker.ask("aborted", { url: origin.url("/bytes/2000"), n: 500, api: "free" });
  // What is needed at once is allocated by the first rounds, and reused.
  for (let rounds = 0; rounds < 4; rounds += 1) await round();
  const { bytes: before } = await worker.ask("memory");
  const sum = { done: 0, dropped: 0, failed: 0 };
  for (let rounds = 0; rounds < 20; rounds += 1) {
    const told = await round();
    for (const key of Object.keys(sum)) sum[key] += told[key];
    assert.deepEqual([told.in_flight, told.queued], [0, 0]);
  }
  const { bytes } = await worker.ask("memory");
  assert.equal(bytes, before, "the wasm heap grew");
  assert.equal(sum.done + sum.dropped, 10_000, JSON.stringify(sum));
  assert.ok(sum.dropped > 1000, JSON.stringify(sum));

  const status = await worker.ask("status");
  assert.equal(status.scope, "isolate");
  assert.equal(status.bodies.live, 0, JSON.stringify(status.bodies));
  assertNoComplaint(worker);
});

test("clients that go away by the hundred leave nothing behind", async () => {
  const leave = () => Promise.all(Array.from({ length: 50 }, (_, n) => worker.leave("one", { url: origin.url(`/delay/${300 + n}`), api: "free" }, 100)));
  await leave();
  await worker.ask("memory");
  const { bytes: before } = await worker.ask("memory");
  for (let rounds = 0; rounds < 4; rounds += 1) await leave();
  assert.equal((await worker.ask("memory")).bytes, before, "the wasm heap grew");
  assert.equal((await worker.ask("one", { url: origin.url("/bytes/10"), api: "free" })).status, 200);
  assertNoComplaint(worker);
});
