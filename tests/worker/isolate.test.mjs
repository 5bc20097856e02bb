// What an isolate keeps over many requests: memory, counters, and what a panic costs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, pause, startLiar, startOrigin, startWorker } from "./harness.mjs";

let worker, origin;
before(async () => {
  [worker, origin] = await Promise.all([startWorker(), startOrigin()]);
});
after(() => Promise.all([worker?.stop(), origin?.stop()]));

test("ten thousand requests, a third of them given up, leave nothing behind", async () => {
  const round = () => worker.ask("aborted", { url: origin.url("/bytes/2000"), n: 500, api: "wide" });
  // Memory never shrinks, and is as large as was ever needed at once. So it is flat once ten thousand went through without more.
  const sum = { done: 0, dropped: 0, failed: 0 };
  let [bytes, flat] = [0, 0];
  for (let rounds = 0; flat < 20; rounds += 1) {
    assert.ok(rounds < 80, `the wasm heap grows: ${bytes} bytes`);
    const told = await round();
    flat = told.memory === bytes ? flat + 1 : 0;
    bytes = told.memory;
    for (const key of Object.keys(sum)) sum[key] += told[key];
    assert.deepEqual([told.in_flight, told.queued], [0, 0]);
  }
  assert.equal(sum.failed, 0, JSON.stringify(sum));
  assert.ok(sum.done + sum.dropped >= 10_000 && sum.dropped > 1000, JSON.stringify(sum));

  // When the window of a second is over, all may go again.
  await pause(1100);
  const status = await worker.ask("status");
  assert.equal(status.scope, "isolate");
  const { queueLength, departed, availableTokens, maxTokens } = status.rateLimits.wide;
  assert.deepEqual([queueLength, availableTokens], [0, maxTokens]);
  // Who is given up may have departed or not.
  assert.ok(departed >= sum.done && departed <= sum.done + sum.dropped, JSON.stringify({ departed, sum }));
  assert.equal(status.bodies.live, 0, JSON.stringify(status.bodies));
  assertNoComplaint(worker);
});

test("clients that go away by the hundred leave nothing behind", async () => {
  const leave = () => Promise.all(Array.from({ length: 50 }, (_, n) => worker.leave("one", { url: origin.url(`/delay/${300 + n}`), api: "free" }, 100)));
  let [bytes, flat] = [0, 0];
  for (let rounds = 0; flat < 4; rounds += 1) {
    assert.ok(rounds < 30, `the wasm heap grows: ${bytes} bytes`);
    await leave();
    const { bytes: now } = await worker.ask("memory");
    flat = now === bytes ? flat + 1 : 0;
    bytes = now;
  }
  assert.equal((await worker.ask("one", { url: origin.url("/bytes/10"), api: "free" })).status, 200);
  assertNoComplaint(worker);
});

test("each invocation tells what it has asked of others, and nothing of its neighbours", async () => {
  const asked = new URLSearchParams({ url: origin.url("/delay/30"), api: "free" });
  const timed = (n) => fetch(new URL(`timed?${asked}&n=${n}`, worker.url));
  const told = (await Promise.all([timed(1), timed(3), timed(0)])).map((response) => response.headers.get("server-timing"));
  assert.match(told[0], /^free;dur=[\d.]+;desc="1 request"$/);
  assert.match(told[1], /^free;dur=[\d.]+;desc="3 requests"$/);
  assert.equal(told[2] ?? "", "");
  const [one, three] = told.map((header) => Number(/dur=([\d.]+)/.exec(header)?.[1]));
  assert.ok(one >= 30 && one < 1000 && three >= 90, told.join());
  assertNoComplaint(worker);
});

test("what was kept from an invocation can be dropped in another", async () => {
  const liar = await startLiar((socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nbegun`));
  assert.equal((await worker.ask("keep", { url: liar.url() })).ready, false);
  assert.equal((await worker.ask("forget")).kept, 3);
  assert.equal((await worker.ask("one", { url: origin.url("/bytes/10"), api: "free" })).status, 200);
  assertNoComplaint(worker);
  liar.stop();
});
