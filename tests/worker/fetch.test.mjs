// One request at a time: what goes out, what comes back, and what is said when it fails.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startLiar, startOrigin, startWorker } from "./harness.mjs";

let worker, origin;
before(async () => {
  [worker, origin] = await Promise.all([startWorker(), startOrigin()]);
});
after(() => Promise.all([worker?.stop(), origin?.stop()]));

test("a response comes whole", async () => {
  const told = await worker.ask("one", { url: origin.url("/bytes/100000"), api: "free" });
  assert.equal(told.status, 200);
  assert.equal(told.length, 100_000);
});

for (const route of ["bare", "one"]) {
  test(`${route}: a body in memory has its length and is sent again after a 307`, async () => {
    const sent = [];
    const liar = await startLiar((socket, head) => {
      sent.push(head);
      socket.end(sent.length === 1
        ? "HTTP/1.1 307 Temporary Redirect\r\nlocation: /next\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    });
    const told = await worker.ask(route, { url: liar.url("/first"), method: "POST", body: "hello", redirect: "follow", api: "free" });
    liar.stop();
    assert.equal(told.status, 200, JSON.stringify(told));
    assert.equal(sent.length, 2);
    for (const head of sent) {
      assert.match(head, /\r\ncontent-length: 5\r\n/i);
      assert.match(head, /\r\n\r\nhello$/);
    }
    assert.equal(told.final_url, liar.url("/next"));
  });
}

test("a redirection is returned unless the request asks to follow it", async () => {
  const liar = await startLiar((socket) => {
    socket.end("HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n");
  });
  const told = await worker.ask("one", { url: liar.url(), api: "free" });
  liar.stop();
  assert.equal(told.status, 302);
  assert.equal(new Map(told.headers).get("location"), "/next");
  assert.equal(told.final_url, null);
});

test("a large upload arrives whole, from memory and as a stream", async () => {
  const whole = await worker.ask("one", { url: origin.url("/echo"), method: "POST", size: 200_000, api: "free" });
  assert.equal(whole.length, 200_000, JSON.stringify(whole));
  const streamed = await worker.ask("one", { url: origin.url("/echo"), method: "POST", chunks: 200, api: "free" });
  assert.equal(streamed.length, 200_000, JSON.stringify(streamed));
});

test("a streamed body that fails breaks the request off, and is named", async () => {
  const told = await worker.ask("bare", { url: origin.url("/echo"), method: "POST", chunks: 3, fails: 1 });
  assert.equal(told.error?.fetch, "RequestBody", JSON.stringify(told));
});

test("a header that is no text is refused, and text survives", async () => {
  let seen = "";
  const liar = await startLiar((socket, head) => {
    seen = head;
    socket.end("HTTP/1.1 200 OK\r\nx-told: gr\xc3\xbcn\r\ncontent-length: 0\r\n\r\n", "latin1");
  });
  const refused = await worker.ask("bare", { url: liar.url(), latin1: "gr\u00fcn" });
  assert.equal(refused.error?.fetch, "InvalidRequest", JSON.stringify(refused));
  const told = await worker.ask("bare", { url: liar.url(), latin1: "gr\u00c3\u00bcn" });
  liar.stop();
  assert.match(seen, /x-latin1: gr\u00c3\u00bcn\r\n/i);
  assert.equal(new Map(told.headers).get("x-told"), "gr\u00fcn");
});

test("what cannot be sent is said in words, without what may be secret", async () => {
  for (const [parameters, kind] of [
    [{ url: "/relative" }, "InvalidRequest"],
    [{ url: "http://127.0.0.1:1/a?token=secret" }, "ConnectionLost"],
    // The local runtime does not say that the name is not known.
    [{ url: "http://no-such-host.invalid/a?token=secret" }, "Other"],
    [{ url: origin.url("/echo?token=secret"), method: "GET", body: "x" }, "InvalidRequest"],
    [{ url: "ftp://127.0.0.1/a?token=secret" }, "InvalidRequest"],
  ]) {
    const told = await worker.ask("bare", parameters);
    assert.equal(told.error?.fetch, kind, JSON.stringify(told));
    assert.doesNotMatch(JSON.stringify(told), /secret/);
  }
});
