// repo-scanner as a Worker: a scan goes on, whatever fails around it.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { pause, startLiar } from "./harness.mjs";
import { PAID, QUOTA, assertWithin, names, originOfList, place, startScanner, untilTheEnd } from "./scanner.mjs";

const until = untilTheEnd();

test("who was killed at work rests once: one that is forgotten meanwhile does not begin to rest again", async () => {
  const origin = until(await originOfList(...QUOTA));
  const settings = { quota: { github: { limit: 600, periodMs: 600_000, burst: 10, spacingMs: 100 } } };
  const { home } = until(place());
  const first = await startScanner(origin, { settings, home });
  await first.begin(names.slice(0, 200));
  for (let tries = 0; tries < 200 && (await origin.score()).requests < 5; tries += 1) await pause(50);
  await first.kill();
  const rests = [];
  for (let life = 0; life < 2; life += 1) {
    const scanner = await startScanner(origin, { settings, home });
    await scanner.begin(names.slice(0, 200));
    await pause(1000);
    const { next } = await scanner.clock();
    assert.ok(next - Date.now() > 500_000, `it does not rest: ${next - Date.now()} ms`);
    rests.push(next);
    await pause(3000);
    await scanner.kill();
  }
  assert.ok(Math.abs(rests[1] - rests[0]) < 1000, `it rests until ${rests.join(", and then until ")}`);
});

test("a scan goes on although what is to be noted cannot be, more often than the platform tries an alarm again", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin, { limits: { ...PAID, brokenPuts: 2 } }));
  await scanner.begin(names.slice(0, 20));
  const scan = await scanner.ended();
  assert.deepEqual([scan.state, scan.scanned], ["finished", 20]);
  // By an alarm of its own, each: those that fail are tried six times again, and then forgotten.
  assert.equal(scanner.said.filter((line) => line.includes("storage is broken") && line.includes("cannot go on")).length, 2, scanner.said.join("\n"));
});

test("a scan whose client leaves as it begins goes on", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin, { limits: { ...PAID, batchTakes: 700 } }));
  await scanner.get("/api/status");
  const leaving = new AbortController();
  const begun = scanner.call("/api/scan", { method: "POST", body: JSON.stringify({ repos: names.slice(0, 20) }), signal: leaving.signal });
  for (let tries = 0; tries < 100 && !(await scanner.row("SELECT id FROM scans")); tries += 1) await pause(20);
  leaving.abort();
  await assert.rejects(begun);
  const scan = await scanner.ended(15);
  assert.deepEqual([scan.state, scan.scanned], ["finished", 20]);
});

test("a header that is none is no reason to fail", async () => {
  const scanner = until(await startScanner(until(await originOfList(...QUOTA))));
  const { hostname, port } = new URL(scanner.url);
  const answer = await new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => socket.write("GET /api/scan HTTP/1.1\r\nhost: a\r\nx: \x01\x7f\r\nconnection: close\r\n\r\n"));
    let text = "";
    socket.on("data", (data) => (text += data)).on("end", () => resolve(text)).on("error", reject);
  });
  assert.match(answer, /^HTTP\/1.1 (200|400) /);
});

/** A server whose first answers do not come whole, or not soon. */
const startTroublesome = (answer) => startLiar((socket, request) => {
  const name = /\/repos\/(\S+)/.exec(request)[1];
  const body = `{"id":1,"full_name":"${name}","stargazers_count":1,"forks_count":1,"open_issues_count":1}`;
  answer(socket, name, (length) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length ?? body.length}\r\n\r\n${body}`);
});

test("a scan gets on although none of what a slice takes up is done within its fetches", async () => {
  const broken = new Set(names.slice(0, 16));
  const server = until(await startTroublesome((socket, name, response) => (broken.has(name) ? socket.end(response(1000)) : socket.write(response()))));
  const limits = { fetches: 20, statements: 50 };
  const settings = { slice: limits, quota: { github: { limit: 600, periodMs: 1010 } } };
  const scanner = until(await startScanner(server, { limits, settings }));
  await scanner.begin(names.slice(0, 24));
  for (let tries = 0; tries < 300 && (await scanner.row("SELECT scanned + failed AS n FROM scans")).n === 0; tries += 1) await pause(100);
  const { scanned, failed } = await scanner.row("SELECT scanned, failed FROM scans");
  assert.ok(scanned + failed > 0, `nothing is done in ${(await scanner.alarms()).length} alarms`);
  assertWithin(await scanner.alarms(), limits);
});

test("a scan gets on although nothing is done within the time of a slice", async () => {
  const server = until(await startTroublesome((socket, _, response) => setTimeout(() => socket.write(response()), 1500)));
  const scanner = until(await startScanner(server, { settings: { slice: { seconds: 1 } } }));
  await scanner.begin(names.slice(0, 4));
  for (let tries = 0; tries < 300 && (await scanner.row("SELECT scanned AS n FROM scans")).n === 0; tries += 1) await pause(100);
  const { scanned } = await scanner.row("SELECT scanned FROM scans");
  assert.ok(scanned > 0, `nothing is done in ${(await scanner.alarms()).length} alarms`);
});

test("a scan that has lost its alarm goes on when somebody looks", async () => {
  const origin = until(await originOfList(...QUOTA));
  const { home } = until(place());
  const before = await startScanner(origin, { home });
  await before.get("/api/scan");
  // As if it had begun, and all was lost before the alarm was set.
  await before.database.batch([
    before.database.prepare("INSERT INTO scans (state, list, total, started_at) VALUES ('running', 'x', 2, 1)"),
    ...names.slice(0, 2).map((name, place) => before.database.prepare("INSERT INTO scan_targets (scan, place, name) SELECT max(id), ?, ? FROM scans").bind(place, name)),
  ]);
  await before.kill();
  const scanner = until(await startScanner(origin, { home }));
  await scanner.get("/api/scan");
  const scan = await scanner.ended(10);
  assert.deepEqual([scan.state, scan.scanned], ["finished", 2]);
});

test("whatever numbers and texts a server tells, they do not keep the others from being stored", async () => {
  const odd = [
    '"id":9223372036854775807,"stargazers_count":1152921504606846977,"description":"a"',
    '"id":-9223372036854775808,"stargazers_count":-1,"description":"\\u0000 \\u0000"',
    '"id":9007199254740993,"stargazers_count":9007199254740992,"description":"?1 $1 :a \'"',
    `"id":1,"stargazers_count":1,"description":${JSON.stringify("\u{10ffff}\u2028".repeat(5000))}`,
    '"id":1e400,"stargazers_count":1',
    '"id":1.5,"stargazers_count":1',
  ];
  let asked = 0;
  const server = until(await startLiar((socket, request) => {
    const name = /\/repos\/(\S+)/.exec(request)[1];
    const body = Buffer.from(`{${odd[asked++] ?? '"id":1,"stargazers_count":1'},"full_name":"${name}","forks_count":1,"open_issues_count":1}`);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: "${"e".repeat(10_000)}"\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.write(body);
  }));
  const settings = { quota: { github: { limit: 600, periodMs: 1010 } } };
  const scanner = until(await startScanner(server, { settings }));
  await scanner.begin(names.slice(0, 40));
  const scan = await scanner.ended(20);
  assert.deepEqual([scan.state, scan.scanned + scan.failed], ["finished", 40]);
  assert.ok(scan.scanned >= 34, `${scan.scanned} stored`);
  // And what is stored can be told.
  assert.equal((await scanner.get("/api/repos?limit=100")).repos?.length ?? scan.scanned, scan.scanned);
  for (const { name } of await scanner.rows("SELECT name FROM repositories")) {
    const answer = await scanner.call(`/api/repos/${name}`);
    assert.equal(answer.status, 200, await answer.text());
  }
});

test("a scan goes on that has begun although the database did not say so", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin));
  await scanner.get("/api/scan");
  await scanner.call("/__break?after");
  const lost = await scanner.call("/api/scan", { method: "POST", body: JSON.stringify({ repos: names.slice(0, 20) }) });
  assert.equal(lost.status, 503, await lost.text());
  const scan = await scanner.ended(10);
  assert.deepEqual([scan.state, scan.scanned], ["finished", 20]);
});

test("what the clock asks for is not left out because a database is away for a moment", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin));
  await scanner.get("/api/scan");
  await scanner.call("/__break?before");
  await (await scanner.miniflare.getWorker()).scheduled({ cron: "0 3 * * *", scheduledTime: new Date() });
  const scan = await scanner.ended();
  assert.deepEqual([scan.list, scan.state, scan.scanned], ["catalogue", "finished", 1200]);
});
