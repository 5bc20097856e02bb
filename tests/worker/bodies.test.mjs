// What becomes of bodies and connections when somebody goes away.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import zlib from "node:zlib";
import { assertNoComplaint, pause, startLiar, startOrigin, startWorker } from "./harness.mjs";

let worker, origin;
before(async () => {
  [worker, origin] = await Promise.all([startWorker(), startOrigin()]);
});
beforeEach(() => origin.reset());
after(() => Promise.all([worker?.stop(), origin?.stop()]));

/** A server that says the head of a response and no more of its body than is given. */
const half = (body = "x".repeat(1000)) =>
  startLiar((socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${body}`));

const stream = (route, init) => fetch(new URL(route, worker.url), init);

/** How long until the client has closed its connections. */
async function closedWithin(liar, limit) {
  const start = Date.now();
  await Promise.race([liar.closed(), pause(limit)]);
  assert.equal(liar.open(), 0, `open after ${Date.now() - start} ms`);
  return Date.now() - start;
}

test("a body dropped half-read closes the connection while the invocation goes on", async () => {
  const liar = await half();
  const asked = worker.ask("half", { url: liar.url(), api: "free", stay: 1500 });
  while (liar.open() === 0) await pause(5);
  await closedWithin(liar, 500);
  assert.equal((await asked).first, 1000);
  liar.stop();
});

test("an attempt that times out closes the connection within 100 ms", async () => {
  let opened;
  const liar = await startLiar(() => (opened = Date.now()));
  const asked = worker.ask("one", { url: liar.url(), method: "POST", timeout: 300, api: "free" });
  while (!opened) await pause(5);
  await liar.closed();
  const took = Date.now() - opened;
  assert.ok(took >= 290 && took < 400, `closed after ${took} ms`);
  assert.equal((await asked).error.kind, "TimedOut");
  liar.stop();
});

test("a future that is dropped closes the connection, and the invocation goes on", async () => {
  const liar = await startLiar(() => {});
  const told = await worker.ask("one", { url: liar.url(), drop: 200, api: "free" });
  assert.equal(told.dropped, true);
  await closedWithin(liar, 300);
  liar.stop();
});

test("the bodies of errors are captured, and hold no connection", async () => {
  const told = await worker.ask("unread", { url: origin.url("/status/404"), n: 10, api: "free" });
  assert.deepEqual(told.heads.map(({ status }) => status), Array(10).fill(404));
  const score = await origin.score();
  assert.equal(score.open_bodies_now, 0);
});

test("a body that breaks off is an error, never a short success", async () => {
  for (const [rest, ends] of [["content-length: 1000\r\n\r\nshort", true], ["transfer-encoding: chunked\r\n\r\n5\r\nshort\r\n", true], ["content-length: 1000\r\n\r\nshort", false]]) {
    const liar = await startLiar((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
      setTimeout(() => (ends ? socket.end() : socket.resetAndDestroy()), 50);
    });
    const told = await worker.ask("one", { url: liar.url(), api: "free" });
    liar.stop();
    assert.equal(told.body_error?.fetch, "ConnectionLost", JSON.stringify(told));
  }
});

test("a download is passed on as it comes", async () => {
  const url = origin.url("/slow-body/50000?ms=600&pieces=6");
  const response = await stream(`pass?api=free&url=${encodeURIComponent(url)}`);
  assert.equal(response.headers.get("content-length"), "50000");
  const times = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    times.push(Date.now());
  }
  assert.equal(length, 50_000);
  assert.ok(times.at(-1) - times[0] >= 300, `it came within ${times.at(-1) - times[0]} ms`);
});

test("a client that goes away ends the download upstream", async () => {
  const liar = await half();
  const read = await worker.leave("pass", { url: liar.url(), api: "free" }, 300);
  assert.ok(read > 1000, `${read} bytes came`);
  await closedWithin(liar, 500);
  liar.stop();
});

test("a client that goes away ends the fetch that it waits for", async () => {
  const liar = await startLiar(() => {});
  const left = worker.leave("one", { url: liar.url(), api: "free" }, 300);
  while (liar.open() === 0) await pause(5);
  await left;
  await closedWithin(liar, 100);
  liar.stop();
});

test("a streamed answer has its length if it is known", async () => {
  const known = await stream("stream?chunks=5&length=1");
  assert.equal(known.headers.get("content-length"), "5000");
  assert.equal(known.headers.get("x-told"), "gr\u00c3\u00bcn");
  assert.equal((await known.arrayBuffer()).byteLength, 5000);
  const unknown = await stream("stream?chunks=5");
  assert.equal(unknown.headers.get("content-length"), null);
  assert.equal((await unknown.arrayBuffer()).byteLength, 5000);
  assertNoComplaint(worker);
  // Without a length workerd ends a body that failed as if it were whole.
  await assert.rejects(async () => (await stream("stream?chunks=3&fails=1&length=1")).arrayBuffer());
});

test("a streamed answer is dropped when its client closes the connection", async () => {
  const away = new AbortController();
  const long = await stream("stream?chunks=2000000", { signal: away.signal });
  await long.body.getReader().read();
  away.abort();
  let dropped = 0;
  for (let looks = 0; looks < 40 && dropped === 0; looks += 1) {
    await pause(50);
    ({ dropped } = await worker.ask("dropped-streams"));
  }
  assert.equal(dropped, 1);
});

test("what has no body is answered without one, whatever the response holds", async () => {
  for (const status of [204, 205, 304]) {
    const response = await stream(`reply?status=${status}&text=abc`);
    assert.deepEqual([response.status, await response.text()], [status, ""]);
  }
});

test("a length without a body is what a GET would be told; one beside a body is the body's own", async () => {
  const head = await stream("reply?content-length=7", { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "7");
  const lie = await stream("reply?content-length=7&text=abc");
  assert.deepEqual([lie.headers.get("content-length"), await lie.text()], ["3", "abc"]);
});

test("empty parts of a body are passed over", async () => {
  assert.equal(await (await stream("reply?text=abc&empty=1")).text(), "abc");
});

test("what is encoded already goes out as it is", async () => {
  const hex = zlib.gzipSync("hello hello hello").toString("hex");
  for (const how of ["whole", "stream", "known"]) {
    const response = await stream(`packed?hex=${hex}&how=${how}`, { headers: { "accept-encoding": "gzip" } });
    assert.equal(response.headers.get("content-encoding"), "gzip");
    assert.equal(await response.text(), "hello hello hello", how);
  }
});

test("a reply that cannot be handed over drops its body", async () => {
  for (const how of [{}, { status: 700 }, { status: 101 }]) {
    // It may be closed again before anybody looks.
    let came = false;
    const liar = await startLiar((socket) => {
      came = true;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(1000)}`);
    });
    const asked = worker.ask("refused-reply", { url: liar.url(), ...how });
    while (!came) await pause(5);
    await closedWithin(liar, 700);
    assert.match((await asked).refused, /x-bad is not UTF-8|cannot answer with the status/);
    liar.stop();
  }
});

test("for a client that went away before, no work begins", async () => {
  assert.deepEqual(await worker.ask("gone-before"), { done: false, began: false });
});
