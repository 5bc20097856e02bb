// What a panic costs, where it unwinds: the request that it happens in. (Without, the shim of worker-build makes a new instance, which costs
// every request in flight in the isolate, and all that statics hold.)

import assert from "node:assert/strict";
import { test } from "node:test";
import { env, modules, pause, startOrigin, startWorker } from "./harness.mjs";

test("a panic ends its own request and no other, and statics stay", async () => {
  const [worker, origin] = await Promise.all([startWorker({ modules: modules(env("WORKER_UNWIND_DIR")) }), startOrigin()]);
  const url = origin.url("/delay/500");
  const ask = () => worker.ask("one", { url, api: "paced" });
  const held = Array.from({ length: 5 }, ask);
  await pause(100);
  const panicked = await fetch(new URL("panic", worker.url));
  assert.equal(panicked.status, 500);
  assert.deepEqual((await Promise.all(held)).map(({ status }) => status), Array(5).fill(200));
  const { performance, rateLimits } = await worker.ask("status");
  assert.equal(performance.paced.lifetime.total.count, 5);
  assert.equal(rateLimits.paced.departed, 5);
  assert.equal((await ask()).status, 200);
  await Promise.all([worker.stop(), origin.stop()]);
});
