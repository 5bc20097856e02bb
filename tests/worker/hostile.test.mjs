// Servers that lie. Nothing that they send is a panic, a hang, or a short success; and the next request is served.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import zlib from "node:zlib";
import { assertNoComplaint, pause, startLiar, startWorker } from "./harness.mjs";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());
afterEach(async () => {
  const liar = await startLiar((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  assert.equal((await worker.ask("one", { url: liar.url(), api: "free" })).status, 200);
  liar.stop();
  assert.ok(!worker.said.some((line) => /panic/.test(line)), worker.said.join("\n"));
  assertNoComplaint(worker);
});

/** What comes of an answer of these bytes. */
async function meet(bytes, parameters = {}) {
  const liar = await startLiar((socket) => socket.end(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, "latin1")));
  const told = await worker.ask("bare", { url: liar.url(), ...parameters });
  liar.stop();
  return told;
}

for (const [name, line] of Object.entries({
  "no status line": "hello\r\n\r\n",
  "no status": "HTTP/1.1\r\n\r\n",
  "status 0": "HTTP/1.1 000 Nothing\r\n\r\n",
  "status 42": "HTTP/1.1 42 Short\r\n\r\n",
  "status 1000": "HTTP/1.1 1000 Long\r\n\r\n",
  "a negative status": "HTTP/1.1 -20 No\r\n\r\n",
  "HTTP/9": "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
  "NUL": "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
  "nothing": "",
})) {
  test(`${name} is an error or a response`, async () => {
    const told = await meet(line);
    assert.ok(told.error?.fetch ?? told.status >= 100, JSON.stringify(told));
  });
}

test("unusual statuses are passed on", async () => {
  for (const status of [299, 418, 451, 599, 600, 799, 999]) {
    const told = await meet(`HTTP/1.1 ${status} Odd\r\ncontent-length: 0\r\n\r\n`);
    assert.ok(told.status === status || told.error, JSON.stringify(told));
  }
});

test("many and huge headers arrive, or are refused", async () => {
  for (const [count, size] of [[500, 20], [10, 5_000], [1, 100_000], [1, 300_000], [20_000, 10]]) {
    const headers = Array.from({ length: count }, (_, n) => `x-${n}: ${"v".repeat(size)}\r\n`).join("");
    const told = await meet(`HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`);
    if (told.error) continue;
    const found = told.headers.filter(([name]) => name.startsWith("x-"));
    assert.equal(found.length, count);
    assert.ok(found.every(([, value]) => value.length === size));
  }
});

test("a header that is no UTF-8 is decoded, not fatal", async () => {
  const told = await meet("HTTP/1.1 200 OK\r\nx-odd: \xff\xfe\xc3\r\ncontent-length: 2\r\n\r\nok");
  assert.equal(told.status, 200);
  assert.match(new Map(told.headers).get("x-odd"), /\ufffd/);
});

test("two lengths, lengths that are none, and chunks that lie", async () => {
  const heads = ["content-length: 2\r\ncontent-length: 5", "content-length: -1", "content-length: 1e3", "content-length: 99999999999999999999", "transfer-encoding: chunked\r\ncontent-length: 2"];
  for (const head of heads) {
    const told = await meet(`HTTP/1.1 200 OK\r\n${head}\r\n\r\nok`);
    assert.ok(told.error ?? told.body_error ?? told.length <= 5, JSON.stringify(told));
  }
  for (const chunks of ["zz\r\nok\r\n0\r\n\r\n", "5\r\nok\r\n0\r\n\r\n", "ffffffffffffffffffff\r\nok", "2\r\nok\r\n", "-2\r\nok\r\n0\r\n\r\n"]) {
    const told = await meet(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`);
    assert.ok(told.error ?? told.body_error, JSON.stringify(told));
  }
});

test("a compressed body is decoded, and what it was is not told", async () => {
  const packed = zlib.gzipSync("x".repeat(100_000));
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`;
  const told = await meet(Buffer.concat([Buffer.from(head), packed]));
  assert.equal(told.length, 100_000, JSON.stringify(told));
  assert.deepEqual(told.headers.filter(([name]) => name.startsWith("content-")), []);
  const br = zlib.brotliCompressSync("x".repeat(100_000));
  const other = await meet(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: ${br.length}\r\n\r\n`), br]));
  assert.equal(other.length, 100_000, JSON.stringify(other));
  assert.deepEqual(other.headers.filter(([name]) => name.startsWith("content-")), []);
  const odd = await meet(Buffer.concat([Buffer.from(head.replace("gzip", "GZip")), packed]));
  assert.deepEqual([odd.length, new Map(odd.headers).get("content-encoding")], [packed.length, "GZip"], "the runtime leaves that to others");
  const broken = await meet(Buffer.concat([Buffer.from(head), Buffer.alloc(packed.length, 7)]));
  assert.ok(["InvalidResponse", "ConnectionLost"].includes((broken.error ?? broken.body_error)?.fetch), JSON.stringify(broken));
});

test("HEAD, 204 and 304 have no body, whatever they say", async () => {
  const head = await meet("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", { method: "HEAD" });
  assert.deepEqual([head.status, head.length], [200, 0]);
  for (const status of [204, 304]) {
    const told = await meet(`HTTP/1.1 ${status} No\r\n\r\n`);
    assert.deepEqual([told.status, told.length], [status, 0]);
  }
});

test("a redirection to nowhere, in a circle and with a stream is an error that names no secret", async () => {
  for (const location of ["http://", "//", "http://[", "/loop?secret", "http://127.0.0.1:1/?secret"]) {
    const told = await meet(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`, { redirect: "follow" });
    assert.ok(told.error?.fetch, `${location}: ${JSON.stringify(told)}`);
    assert.doesNotMatch(JSON.stringify(told), /secret/);
  }
  for (const location of ["data:text/plain,secret", "ftp://a/secret"]) {
    const told = await meet(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`, { redirect: "follow" });
    assert.equal(told.error?.fetch, "Redirect", JSON.stringify(told));
  }
  const streamed = await meet("HTTP/1.1 307 Again\r\nlocation: /x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", { redirect: "follow", method: "POST", chunks: 3 });
  assert.equal(streamed.error?.fetch, "Redirect", JSON.stringify(streamed));
});

test("text that a server has chosen does not decide what may be sent again", async () => {
  for (const route of ["DNS", "disconnected", "Network connection lost"]) {
    let posts = 0;
    const liar = await startLiar((socket) => {
      posts += 1;
      socket.end(`HTTP/1.1 307 Again\r\nlocation: /${encodeURIComponent(route)}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    });
    const told = await worker.ask("one", { url: liar.url(), method: "POST", body: "x", redirect: "follow", api: "free" });
    liar.stop();
    assert.equal(told.error?.fetch, "Redirect", JSON.stringify(told));
    assert.equal(posts, 21, "one fetch with its twenty redirections");
  }
});

test("a server that answers before it has read, and closes, is heard", async () => {
  const early = await startEarly("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", true);
  const told = await worker.ask("bare", { url: early.url(), method: "POST", chunks: 2000 });
  assert.ok(told.status === 413 || told.error?.fetch === "ConnectionLost", JSON.stringify(told));
  early.stop();
});

for (const [answer, status, body] of [["200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok"], ["204 No Content\r\n\r\n", 204, ""]]) {
  test(`an answer that comes early does not cut the request short: ${status}`, async () => {
    const early = await startEarly(`HTTP/1.1 ${answer}`, false);
    try {
      const told = await worker.ask("bare", { url: early.url(), method: "POST", chunks: 40 });
      assert.deepEqual([told.status, told.body], [status, body]);
      const request = await early.request();
      assert.ok(request.endsWith("\r\n0\r\n\r\n"), "the request was cut short");
      const lines = request.split("\r\n\r\n")[1].split("\r\n");
      assert.equal(lines.filter((_, index) => index % 2 === 1).join(""), "c".repeat(40_000));
    } finally {
      early.stop();
    }
  });
}

for (const [route, answer, status, body] of [
  ["bare", "200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok"],
  ["one", "200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok"],
  ["one", "413 Too Large\r\ncontent-length: 2\r\n\r\nno", 413, "no"],
]) {
  test(`a whole answer of a server that reads no further is an answer: ${route}, ${status}`, async () => {
    const deaf = await startLiar((socket) => {
      socket.write(`HTTP/1.1 ${answer}`);
      socket.pause();
    });
    const told = await worker.ask(route, { url: deaf.url(), method: "POST", chunks: 20_000, api: "free" });
    deaf.stop();
    assert.deepEqual([told.status, told.body, told.body_error], [status, body, undefined], JSON.stringify(told));
  });
}

test("a request body that is not as long as it says is an error of that body", async () => {
  const echo = await startLiar((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  for (const body of [
    { chunks: 0, says: 10, ready: 1 },
    { chunks: 0, says: 10, tells: 1 },
    { chunks: 1, says: 2000, ready: 1, tells: 1 },
    { chunks: 1, says: 2000, ready: 1 },
    { chunks: 1, says: 0, ready: 1 },
    { chunks: 1, says: 300, ready: 1 },
    { chunks: 2, says: 1000, ready: 1 },
    { chunks: 1, says: 2000 },
    { chunks: 2, says: 1000 },
  ]) {
    const told = await worker.ask("bare", { url: echo.url(), method: "PUT", ...body });
    assert.equal(told.error?.fetch, "RequestBody", JSON.stringify([body, told]));
  }
  echo.stop();
});

/** A server that answers the first byte. Its `request` is what had arrived at the last chunk, or when the connection went. */
async function startEarly(answer, closes) {
  const { createServer } = await import("node:net");
  let all = "";
  let arrived;
  const request = new Promise((resolve) => (arrived = () => resolve(all)));
  const open = new Set();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", arrived);
    socket.on("data", (data) => {
      all += data.toString("latin1");
      if (all.endsWith("\r\n0\r\n\r\n")) arrived();
    });
    socket.once("data", () => {
      socket.write(answer);
      if (closes) pause(50).then(() => socket.end());
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return { url: () => `http://127.0.0.1:${port}/`, request: () => request, stop: () => (open.forEach((socket) => socket.destroy()), server.close()) };
}
