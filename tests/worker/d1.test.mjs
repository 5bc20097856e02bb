// What is D1's own behind the facade's trait. The routes are in src/d1.rs; what every database does is in sql.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { env, modules, startWorker } from "./harness.mjs";

// A database that fails as often as the request says, and counts how often something is sent to it.
const failing = `(database, request) => {
  const failure = request.headers.get("x-failure");
  if (failure === null) return database;
  let left = Number(request.headers.get("x-times"));
  globalThis.sent = 0;
  const send = (what) => async () => {
    globalThis.sent += 1;
    if (left > 0) {
      left -= 1;
      throw new Error(failure);
    }
    return what();
  };
  class D1Database {
    prepare(sql) {
      const inner = database.prepare(sql);
      return { inner, run: send(() => inner.run()) };
    }
    batch(statements) {
      return send(() => database.batch(statements.map(({ inner }) => inner)))();
    }
  }
  return new D1Database();
}`;

const shim = `
import * as worker from "./index.js";
export * from "./index.js";
const wrap = ${failing};
export default {
  async fetch(request, env, context) {
    const response = await worker.fetch(request, { ...env, DB: wrap(env.DB, request) }, context);
    return new Response(response.body, { status: response.status, headers: { "x-sent": globalThis.sent ?? 0 } });
  },
};`;

let worker;
before(async () => {
  worker = await startWorker({ modules: modules(env("WORKER_DIR"), shim) });
});
after(() => worker?.stop());

async function ask(path, init) {
  const response = await fetch(`${worker.url}d1/${path}`, init);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const answer = JSON.parse(text);
  assert.equal(answer?.thrown, undefined, text);
  return answer;
}

test("what D1 rounds is an error that names the column, exact as text, and never another number", async () => {
  const answers = await ask("rounded");
  const exact = ["9007199254740991", "-9007199254740991", , , , , "9223372036854775807"];
  for (const [at, [sql, ways]] of answers.entries()) {
    assert.equal(ways.length, 2, sql);
    for (const way of ways) {
      if (exact[at] !== undefined) assert.equal(way, exact[at], sql);
      else {
        assert.equal(way.kind, "Decode", sql);
        assert.match(way.message, /`id`/, sql);
      }
    }
  }
});

test("which statement of a batch failed is told if it was never sent", async () => {
  const answer = await ask("batch");
  assert.equal(answer.bad.kind, "Constraint");
  assert.equal(answer.bad.statement, null, "D1 does not say which");
  assert.equal(answer.never.kind, "InvalidStatement");
  assert.equal(answer.never.statement, 1, "found before it was sent");
  assert.equal(answer.count, 0);
});

test("a row id that was rounded is not told, and an infinity is NULL", async () => {
  const { far, infinity } = await ask("returning");
  assert.deepEqual(far, [1, null]);
  assert.equal(infinity, "Ok(Null)");
});

test("of two columns with one name a batch has one", async () => {
  assert.deepEqual((await ask("names")).batch, ["b", "a", "ü ?", "__proto__"]);
});

test("a future that is never polled sends nothing; one that is dropped later leaves nothing behind", async () => {
  let answer;
  for (let warm = 0; warm < 3; warm += 1) answer = await ask("dropped");
  const { bytes } = answer;
  for (let round = 0; round < 20; round += 1) {
    answer = await ask("dropped");
    assert.equal(answer.unsent, 0);
    assert.ok(answer.sent <= 100);
  }
  assert.equal(answer.bytes, bytes, "2,000 futures later wasm's memory is as large as before");
});

async function retried(sql, times, failure = "D1_ERROR: Network connection lost.") {
  const began = performance.now();
  const headers = { "x-failure": failure, "x-times": String(times) };
  const response = await fetch(`${worker.url}d1/retry`, { method: "POST", body: sql, headers });
  const answer = JSON.parse(await response.text());
  return { answer, sent: Number(response.headers.get("x-sent")), took: performance.now() - began };
}

test("a read is sent again after a lost connection, five times at most", async () => {
  const once = await retried("SELECT 1", 1);
  assert.deepEqual([once.answer, once.sent], ["done", 2]);
  const fourth = await retried("SELECT 1", 4);
  assert.deepEqual([fourth.answer, fourth.sent], ["done", 5]);
  assert.ok(fourth.took < 1500 + 1000, `${fourth.took} ms`);
  const never = await retried("SELECT 1", 99);
  assert.deepEqual([never.answer.kind, never.sent], ["ConnectionLost", 5]);
});

test("a write is sent once, unless it is marked as idempotent", async () => {
  const write = "CREATE TABLE IF NOT EXISTS written (n)";
  const once = await retried(write, 1);
  assert.deepEqual([once.answer.kind, once.sent], ["ConnectionLost", 1]);
  const marked = await retried(`idempotent ${write}`, 1);
  assert.deepEqual([marked.answer, marked.sent], ["done", 2]);
});

test("a batch is sent again only if all of it can be", async () => {
  const mixed = await retried("SELECT 1;CREATE TABLE IF NOT EXISTS written (n)", 1);
  assert.deepEqual([mixed.answer.kind, mixed.sent], ["ConnectionLost", 1]);
  const reads = await retried("SELECT 1;SELECT 2", 1);
  assert.deepEqual([reads.answer, reads.sent], ["done", 2]);
});

test("what D1's documentation does not call retryable is not sent again", async () => {
  for (const [failure, kind] of [
    ["D1_ERROR: D1 DB is overloaded. Requests queued for too long.", "Overloaded"],
    ["D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.", "TimedOut"],
    ["D1_ERROR: D1 DB exceeded its CPU time limit and was reset.", "TimedOut"],
    ["D1_ERROR: near \"x\": syntax error: SQLITE_ERROR", "InvalidStatement"],
    ["what nobody knows", "Other"],
  ]) {
    const { answer, sent } = await retried("SELECT 1", 1, failure);
    assert.deepEqual([answer.kind, sent], [kind, 1], failure);
  }
});
