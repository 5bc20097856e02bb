// Batches, processes and JSON, in a Worker as natively.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, pause, startLiar, startWorker } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

const rows = (query, init) => fetch(new URL(`rows?${query}`, worker.url), init);

test("batches and processes do what they do natively", async (t) => {
  const names = await worker.ask("toolbox");
  assert.ok(names.length >= 23, `there are ${names.length} cases`);
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

/** What the Worker reads, item by item, of a server that sends these pieces, a moment between them, and then does `end`. */
async function items(pieces, end, parameters = {}) {
  const liar = await startLiar(async (socket) => {
    socket.setNoDelay(true);
    socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (const piece of pieces) {
      const bytes = Buffer.from(piece);
      socket.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]));
      await pause(3);
    }
    end(socket);
  });
  const told = await worker.ask("items", { url: liar.url(), ...parameters });
  await liar.closed();
  liar.stop();
  return told;
}
const whole = (socket) => socket.end("0\r\n\r\n");
const lost = (socket) => socket.destroy();
const stalls = () => {};

test("items are read wherever a body is cut", async () => {
  const bytes = Buffer.from('[{"a": "]é\\"\ud83d\ude00"}, [1, [2]], 3]');
  const pieces = [...bytes].map((byte) => Buffer.from([byte]));
  assert.deepEqual(await items(pieces, whole), { items: 3, last: 3, error: null });
  const lines = ['{"a":', "1}\r", "\n\r\n[2", "]\n", '{"$cou', 'nt":2}'];
  assert.deepEqual(await items(lines, whole, { form: "counted" }), { items: 2, last: [2], error: null });
});

test("items do not wait for the rest, and who has enough leaves", async () => {
  assert.deepEqual(await items(["[1, 2, ", "3"], stalls, { take: 2 }), { items: 2, last: 2, error: null });
});

test("an item without end is not held, nor its connection", async () => {
  const endless = (socket) => {
    const piece = "x".repeat(0x4000);
    const more = () => socket.destroyed || (socket.write(`4000\r\n${piece}\r\n`), setTimeout(more, 1));
    more();
  };
  const told = await items(['["small", "'], endless, { max: 100_000 });
  assert.deepEqual(told, { items: 1, last: "small", error: "the item after 1 others is larger than 100000 bytes" });
});

test("a body that breaks off is never a short success", async () => {
  const broke = "the body broke off after 2 items";
  const part = "the body ends after 2 items, and is not whole";
  for (const [pieces, form] of [[["[1, 2", ", 34"], "array"], [["1\n2\n", "34"], "counted"], [["1\n2\n"], "counted"]]) {
    assert.deepEqual(await items(pieces, lost, { form }), { items: 2, last: 2, error: broke }, form);
    assert.deepEqual(await items(pieces, whole, { form }), { items: 2, last: 2, error: part }, form);
  }
  assert.deepEqual((await items(["1\n", "x\n2\n"], whole, { form: "ndjson" })).error, "what comes after 1 items is not JSON");
});

test("100,000 rows of another Worker are read one by one, and memory is flat", async () => {
  let bytes = 0;
  for (const [round, ndjson] of [[0, true], [1, true], [2, false]]) {
    const url = new URL(`rows?rows=100000${ndjson ? "&ndjson=1" : ""}`, worker.url).href;
    const told = await worker.ask("items", { url, form: ndjson ? "counted" : "array" });
    assert.deepEqual(told, { items: 100_000, last: { id: 99_999, name: "owner/repository-99999", stars: 699_993 }, error: null });
    const { bytes: now } = await worker.ask("memory");
    if (round > 0) assert.ok(now <= bytes, `${now} bytes after ${bytes}`);
    bytes = now;
  }
});

test("rows that look like the record that counts do not end a part of them", async () => {
  const read = (query) => worker.ask("items", { url: new URL(`rows?ndjson=1&odd=1&${query}`, worker.url).href, form: "counted" });
  assert.deepEqual(await read("rows=1000"), { items: 1000, last: { $count: 999 }, error: null });
  // Behind each of them it would have been right.
  const part = await read("rows=1000&fails=700");
  assert.ok(part.error, JSON.stringify(part));
});
