// Batches, processes and rows as JSON, in a Worker as natively.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, pause, startWorker } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

const rows = (query, init) => fetch(new URL(`rows?${query}`, worker.url), init);

test("batches and processes do what they do natively", async (t) => {
  const names = await worker.ask("toolbox");
  assert.ok(names.length >= 16, `there are ${names.length} cases`);
  for (const name of names) {
    await t.test(name, async () => assert.equal((await worker.ask("toolbox", { case: name })).complaint, null));
  }
  assertNoComplaint(worker);
});

test("a small set is whole, with its length and a tag", async () => {
  const first = await rows("rows=50");
  assert.equal((await first.clone().json()).length, 50);
  assert.equal(Number(first.headers.get("content-length")), (await first.text()).length);
  const again = await rows("rows=50", { headers: { "if-none-match": first.headers.get("etag") } });
  assert.equal(again.status, 304);
  const head = await rows("rows=50", { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), first.headers.get("content-length"));
});

test("an error before the first byte is an answer of its own", async () => {
  const failed = await rows("rows=50&fails=49");
  assert.equal(failed.status, 503);
});

test("100,000 rows are streamed, and memory is flat", async () => {
  let bytes = 0;
  for (let round = 0; round < 3; round += 1) {
    const start = Date.now();
    const response = await rows("rows=100000");
    assert.equal(response.headers.get("content-length"), null);
    const read = await response.json();
    assert.equal(read.length, 100_000);
    assert.deepEqual(read.at(-1), { id: 99_999, name: "owner/repository-99999", stars: 699_993 });
    const { bytes: now } = await worker.ask("memory");
    // What was needed once is kept.
    if (round > 0) assert.ok(now <= bytes, `${now} bytes after ${bytes}, ${Date.now() - start} ms`);
    bytes = now;
  }
  assert.ok(bytes < 16 << 20, `${bytes} bytes`);
});

test("NDJSON ends with its count, unless it broke off", async () => {
  const lines = async (query) => (await (await rows(query)).text()).trim().split("\n").map((line) => JSON.parse(line));
  const whole = await lines("rows=1000&ndjson=1");
  assert.deepEqual([whole.length, whole.at(-1)], [1001, { $count: 1000 }]);
  // The runtime ends a failed body in order: the count is what tells.
  const part = await lines("rows=1000&ndjson=1&fails=700").catch(() => []);
  assert.equal(part.find((line) => "$count" in line), undefined);
});

test("a client that leaves stops the source", async () => {
  const away = new AbortController();
  const response = await rows("rows=100000000", { signal: away.signal });
  await response.body.getReader().read();
  away.abort();
  let alive = 1;
  for (let looks = 0; looks < 40 && alive > 0; looks += 1) {
    await pause(50);
    ({ alive } = await worker.ask("sources"));
  }
  assert.equal(alive, 0);
});
