// What a monitor and flags of an isolate see and do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, env, modules, pause, startLiar, startWorker } from "./harness.mjs";

// A dataset that keeps what is written: the one that miniflare has forgets it.
const shim = `
import * as worker from "./index.js";
export * from "./index.js";
const points = [];
const DATASET = { writeDataPoint: (point) => points.push(structuredClone(point)) };
export default {
  fetch: (request, env, context) =>
    new URL(request.url).pathname === "/points" ? Response.json(points) : worker.fetch(request, { ...env, DATASET }, context),
};`;

let worker;
before(async () => {
  worker = await startWorker({ modules: modules(env("WORKER_DIR"), shim) });
});
after(() => worker?.stop());

const report = () => worker.ask("watch/report");
const operation = async (name) => (await report()).operations[name];

test("a report of nothing is valid, and memory is the wasm heap", async () => {
  const { operations, memory, cpu, warnings } = await report();
  assert.deepEqual([operations, warnings], [{}, 0]);
  assert.equal(cpu.timeMs, null);
  assert.equal(memory.bytes, (await worker.ask("memory")).bytes);
  assert.equal(memory.bytes % 65_536, 0);
});

test("runs take as long as they wait, and the isolate adds them up", async () => {
  await Promise.all([20, 20, 120].map((ms) => worker.ask("watch/run", { name: "wait", ms })));
  const { lifetime, lastMinute, running, longestRunningMs } = await operation("wait");
  assert.deepEqual([lifetime.count, lifetime.ok, lastMinute.count, running, longestRunningMs], [3, 3, 3, 0, null]);
  assert.ok(lifetime.p50Ms >= 19 && lifetime.p50Ms < 110, JSON.stringify(lifetime));
  assert.ok(lifetime.maxMs >= 118, JSON.stringify(lifetime));
});

test("a run whose client goes away is cancelled where that is noticed", async () => {
  await worker.leave("watch/run", { name: "noticed", ms: 900 }, 100);
  let seen;
  for (let looks = 0; looks < 15 && !(seen?.lifetime.cancelled > 0); looks += 1) {
    await pause(50);
    seen = await operation("noticed");
  }
  assert.deepEqual([seen.lifetime.cancelled, seen.running, seen.lost], [1, 0, 0]);
});

test("and is lost after a while where it is not", async () => {
  await worker.leave("watch/deaf", { name: "lost", ms: 60_000 }, 100);
  const before = await operation("lost");
  assert.deepEqual([before.running, before.lost, before.lifetime.count], [1, 0, 0]);
  await pause(1100);
  const after = await operation("lost");
  assert.deepEqual([after.running, after.lost, after.lifetime.count], [0, 1, 0]);
});

test("a data point is what a dataset takes, and of its invocation alone", async () => {
  const liar = await startLiar((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
  await Promise.all([1, 2, 3].map(() => worker.ask("watch/point", { url: liar.url("/") })));
  liar.stop();
  const points = await (await fetch(new URL("points", worker.url))).json();
  assert.equal(points.length, 3);
  for (const point of points) {
    assert.deepEqual([point.indexes, point.blobs], [["invocation"], ["", "ask", "ok"]]);
    assert.ok(point.doubles.length === 20 && point.doubles.every(Number.isFinite), JSON.stringify(point));
    const [runs, memory, requests, attempts] = [1, 10, 13, 14].map((column) => point.doubles[column]);
    assert.deepEqual([runs, requests, attempts], [2, 2, 2]);
    assert.equal(memory % 65_536, 0);
  }
});

// Computed natively, and by another implementation of the hash.
const half = {
  retries: [2, 4, 5, 10, 14, 15, 17, 18, 19, 21, 23, 24, 25, 27, 28, 29, 30, 32, 33, 38, 40, 41, 43, 45, 47, 49, 50, 51, 53, 54, 56, 57, 58, 60, 63],
  timing: [0, 2, 6, 7, 8, 12, 18, 19, 21, 23, 24, 25, 26, 28, 30, 31, 37, 38, 40, 42, 43, 44, 47, 48, 50, 51, 52, 54, 55, 56, 57, 60, 63],
};

test("a share of requests does without a layer, the same as natively", async () => {
  const config = JSON.stringify({ retries: 50, timing: { percent: 50, on: ["user-0"], off: ["user-1"] } });
  assert.equal((await worker.ask("watch/flags", { config })).error, null);
  const arrivals = new Map();
  const liar = await startLiar((socket, request) => {
    const path = request.split(" ")[1];
    arrivals.set(path, (arrivals.get(path) ?? 0) + 1);
    const status = arrivals.get(path) === 1 ? "503 Busy" : "200 OK";
    socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\n{}`);
  });
  const users = Array.from({ length: 24 }, (_, user) => user);
  const answers = await Promise.all(
    users.map((user) => worker.ask("watch/flagged", { url: liar.url(`/${user}`), key: `user-${user}` })),
  );
  assert.deepEqual(answers[0].retries, half.retries);
  assert.deepEqual(answers[0].timing, half.timing);
  for (const user of users) {
    const isOn = half.retries.includes(user);
    assert.deepEqual([answers[user].status, arrivals.get(`/${user}`)], isOn ? [200, 2] : [503, 1], `user ${user}`);
    assert.equal(answers[user].read, true);
  }
  const { flags } = await worker.ask("watch/flags");
  // Who is there by name is not compared.
  assert.deepEqual([flags.retries.on.count + flags.retries.off.count, flags.timing.on.count + flags.timing.off.count], [24, 22]);
  assert.equal(flags.retries.on.failed, 0);
  assert.equal(flags.retries.off.failed, flags.retries.off.count);
  liar.stop();
});

test("a bad configuration changes nothing and is told, without what stands in it", async () => {
  assert.equal((await worker.ask("watch/flags", { config: '{"retries": 25}' })).error, null);
  for (const bad of [{ config: '{"retries": "sk-secret"}' }, { variable: "FLAG_RETRIES=sk-secret" }]) {
    const { error, flags } = await worker.ask("watch/flags", bad);
    assert.ok(error);
    assert.equal(flags.retries.percent, 25);
    assert.ok(flags.$refused && !flags.$refused.includes("secret"), flags.$refused);
  }
  const good = await worker.ask("watch/flags", { variable: "FLAG_RETRIES=off +user-7" });
  assert.deepEqual([good.error, good.flags.$refused], [null, undefined]);
  assert.deepEqual([good.flags.retries.percent, good.flags.retries.namedOn], [0, 1]);
});

test("nothing got in the way of anything", () => assertNoComplaint(worker));
