// D1 behind the facade's trait. The routes are in src/d1.rs.

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

// The same failure from run, first, all and batch.
function alike(errors, kind, message, statement = null) {
  assert.equal(errors.length, 4);
  for (const error of errors) {
    assert.deepEqual({ ...error, message: "" }, { kind, message: "", statement }, JSON.stringify(errors));
    assert.match(error.message, message);
    assert.equal(error.message, errors[0].message);
    assert.doesNotMatch(error.message, /secret|4711|D1_ERROR/);
  }
}

test("an integer is stored as itself in a column of any type, and found again", async () => {
  const answers = await ask("integers");
  assert.equal(answers.length, 9);
  for (const { bound, read, texts } of answers) {
    assert.equal(read, bound);
    const [i, n, t, r, m, b, si, sa, types] = texts;
    // A REAL column makes a real of any integer, as SQLite does; the nearest.
    assert.equal(Number(r), Number(bound));
    assert.deepEqual([i, n, t, m, b, si, sa], Array(7).fill(bound));
    assert.equal(types, "integer integer text real integer integer integer integer");
  }
});

test("a bound integer compares like a bound value, and stands wherever a value can", async () => {
  const { answers, plan } = await ask("comparisons");
  // What SQLite's own command answers to `.parameter set ?1 1`.
  const expected = [2, 1, 1, 2, 1, 2, 20, "a", "integer", "1x", -1, "one", 1, 3, "?12"];
  assert.deepEqual(answers.map(([, value]) => value), expected, JSON.stringify(answers, null, 1));
  assert.match(plan, /SEARCH c USING INDEX c_t \(t=\?\)/, "the index of a column of texts is used");
});

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

test("every value comes back as it was, from all and from a batch", async () => {
  const answer = await ask("values");
  assert.equal(answer.all, true);
  assert.equal(answer.batch, true);
  assert.equal(
    answer.types.join(" "),
    "null integer integer real real real real text text text text blob blob blob",
  );
});

test("NaN and infinities are refused alike, before they are NULL", async () => {
  const { refused } = await ask("values");
  assert.equal(refused.length, 3);
  for (const errors of refused) alike(errors, "InvalidStatement", /value 1 is NaN or infinite/);
});

test("blobs and texts of 1.9 MB come back to the byte", async () => {
  assert.deepEqual(await ask("large"), { a: true, c: true, seven: 7, text: true, nulls: true });
});

test("a batch is one transaction: it is done, or nothing of it", async () => {
  const answer = await ask("batch");
  assert.deepEqual(answer.changed, [1, 1, 0]);
  assert.equal(answer.last, 2);
  assert.deepEqual(answer.rows, ["a", "b"]);
  assert.equal(answer.bad.kind, "Constraint");
  assert.equal(answer.bad.statement, null, "D1 does not say which");
  assert.equal(answer.never.kind, "InvalidStatement");
  assert.equal(answer.never.statement, 1, "found before it was sent");
  assert.equal(answer.syntax.kind, "InvalidStatement");
  assert.equal(answer.count, 2);
  assert.equal(answer.empty, 0);
});

test("changes, row ids and returned rows are those of the statement", async () => {
  const answer = await ask("returning");
  assert.deepEqual(answer.first, [1, "a"]);
  assert.deepEqual(answer.run, [2, 4]);
  assert.equal(answer.updated, 4);
  assert.deepEqual(answer.far, [1, null], "a row id that was rounded is not told");
  assert.equal(answer.none, true);
  assert.equal(answer.nothing, 0);
});

test("each failure is the same from run, first, all and batch, and tells no value", async () => {
  const answer = await ask("errors");
  alike(answer.unique, "Constraint", /UNIQUE constraint failed: e\.n/);
  alike(answer["not null"], "Constraint", /NOT NULL constraint failed: e\.n/);
  alike(answer.check, "Constraint", /CHECK constraint failed/);
  alike(answer.key, "Constraint", /UNIQUE constraint failed: e\.id/);
  alike(answer.foreign, "Constraint", /FOREIGN KEY constraint failed/);
  alike(answer.strict, "Constraint", /cannot store TEXT value in INTEGER column/);
  alike(answer.id, "Constraint", /datatype mismatch/);
  alike(answer.syntax, "InvalidStatement", /near "SELEC": syntax error/);
  alike(answer.table, "InvalidStatement", /no such table: nowhere/);
  alike(answer.path, "InvalidStatement", /JSON path[^']*'…'/);
  alike(answer.begin, "InvalidStatement", /transaction/);
  alike(answer.two, "InvalidStatement", /more than one statement/);
  alike(answer.empty, "InvalidStatement", /no statement/);
  assert.equal(answer.count, 1, "none of them wrote");
});

test("100 values, 100,000 bytes of SQL and a value of almost 2 MB pass; more is refused alike", async () => {
  const answer = await ask("limits");
  assert.equal(answer.sum, 4950);
  assert.equal(answer.one, 1);
  assert.equal(answer.fits, 1);
  alike(answer["more values"], "TooLarge", /101 values, and the database takes 100/);
  alike(answer.longer, "TooLarge", /100001 bytes of SQL/);
  alike(answer.larger, "TooLarge", /value 1 has 2000001 bytes/);
  alike(answer["made larger"], "TooLarge", /too big/);
  alike(answer["too many columns"], "InvalidStatement", /too many columns/);
});

test("columns keep names and order; two of one name are told apart by all, not by a batch", async () => {
  const answer = await ask("names");
  assert.deepEqual(answer.all, ["b", "a", "ü ?", "__proto__", "b"]);
  assert.deepEqual(answer.values, [1, 2, 3, 4, 5]);
  assert.equal(answer.proto, 4);
  assert.match(answer.twice.message, /more than one column is named `b`/);
  assert.deepEqual(answer.batch, ["b", "a", "ü ?", "__proto__"]);
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
