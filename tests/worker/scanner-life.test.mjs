// repo-scanner as a Worker: what happens to it while it scans, and by the clock.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { assertNoComplaint, pause, startLiar } from "./harness.mjs";
import { PAID, QUOTA, assertFlawless, assertStoredOnce, assertWithin, names, originOfList, place, startScanner, untilTheEnd } from "./scanner.mjs";

const until = untilTheEnd();

test("killed in the middle and started again, it goes on by itself, stores each once, and breaks no limit", async () => {
  // All at once, and then nothing for a while: whoever forgets what was used sends too many.
  const origin = until(await originOfList("--github", "60/5s,jitter=100ms"));
  const settings = { quota: { github: { limit: 60, periodMs: 5500, spacingMs: 5 } } };
  const { home } = until(place());
  for (let life = 0; life < 3; life += 1) {
    const scanner = await startScanner(origin, { settings, home });
    // In the first life somebody begins; later it wakes by itself.
    if (life === 0) await scanner.begin(names.slice(0, 200));
    const { requests } = await origin.score();
    const isBusy = async () => (await origin.score()).requests >= requests + 40;
    for (let tries = 0; tries < 300 && !(await isBusy()); tries += 1) await pause(50);
    assert.ok(await isBusy(), `life ${life} does nothing\n${scanner.said.join("\n")}`);
    await scanner.kill();
  }
  const scanner = until(await startScanner(origin, { settings, home }));
  const scan = await scanner.ended();
  assert.deepEqual([scan.state, scan.scanned, scan.failed], ["finished", 200, 0]);
  await assertStoredOnce(scanner, 200);
  await assertFlawless(origin);
  // What was fetched and not stored when it was killed is fetched again: no more than a window's worth.
  const { requests } = await origin.score();
  assert.ok(requests <= 200 + 3 * 60, String(requests));
});

test("nobody waits for a server that says later: the next alarm does", async () => {
  let asked = 0;
  const server = until(await startLiar((socket) => {
    asked += 1;
    const head = asked < 4 ? "200 OK" : "429 Too Many Requests\r\nretry-after: 3000";
    const body = asked < 4 ? '{"id":1,"full_name":"a/b","stargazers_count":1,"forks_count":1,"open_issues_count":1}' : "{}";
    socket.write(`HTTP/1.1 ${head}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  }));
  const { home } = until(place());
  const scanner = await startScanner(server, { home });
  await scanner.begin(names.slice(0, 50));
  for (let tries = 0; tries < 100 && (await scanner.clock()).alarms.length === 0; tries += 1) await pause(100);
  const { alarms, next } = await scanner.clock();
  assert.ok(alarms[0].took < 10_000, JSON.stringify(alarms));
  const wait = (next - Date.now()) / 1000;
  assert.ok(wait > 2900 && wait <= 3001, `the next alarm is in ${wait} s`);
  const asked_then = asked;
  const scan = await scanner.get("/api/scan");
  assert.deepEqual([scan.state, scan.scanned, scan.failed], ["paused", 3, 0]);
  // Whoever wakes it meanwhile changes nothing.
  assert.equal((await scanner.begin(names.slice(0, 50))).state, "paused");
  await pause(1500);
  assert.equal(asked, asked_then);
  assert.ok((await scanner.clock()).next - Date.now() > 2_800_000);

  // Nor does a new object, which has heard nothing of it.
  await scanner.kill();
  const another = until(await startScanner(server, { home }));
  assert.equal((await another.begin(names.slice(0, 50))).state, "paused");
  await pause(1500);
  assert.equal(asked, asked_then, "the pause was forgotten");
  assert.ok((await another.clock()).next - Date.now() > 2_700_000);
});

test("the clock begins scans and deletes what is old, and how long that took is recorded", async () => {
  const origin = until(await originOfList(...QUOTA));
  const scanner = until(await startScanner(origin));
  assert.equal((await scanner.get("/api/status")).runs.length, 0);
  const day = 24 * 3600 * 1000;
  const insert = scanner.database.prepare("INSERT INTO metrics (name, taken_at, stars, forks, open_issues) VALUES ('a/b', ?, 1, 1, 1)");
  await scanner.database.batch([91, 90.5, 89, 1].map((days) => insert.bind(Date.now() - days * day)));

  const ticked = async (cron) => (await scanner.miniflare.getWorker()).scheduled({ cron, scheduledTime: new Date() });
  assert.equal((await ticked("30 4 * * *")).outcome, "ok");
  assert.equal((await scanner.row("SELECT count(*) AS n FROM metrics")).n, 2);
  assert.equal((await ticked("0 3 * * *")).outcome, "ok");
  const scan = await scanner.ended();
  assert.deepEqual([scan.list, scan.state, scan.scanned], ["catalogue", "finished", 1200]);

  const { runs } = await scanner.get("/api/status");
  assert.deepEqual(runs.map(({ job, done, isOk }) => [job, done, isOk]), [["cleanUp", 2, true], ["slice", 1200, true]]);
  for (const { startedAt, tookMs } of runs) {
    assert.ok(Math.abs(Date.now() - startedAt) < 120_000 && tookMs >= 0 && tookMs < 60_000, JSON.stringify(runs));
  }
  assert.ok(runs[1].tookMs > 3000, "1,200 at 200 a second take longer");
  // Only the clock may ask for that.
  for (const path of ["/cron/scan", "/cron/clean-up"]) assert.equal((await scanner.call(path, { method: "POST" })).status, 404);
  assertNoComplaint(scanner);
});

test("a server that is gone is waited for, and the scan goes on when it is back", async () => {
  const origin = until(await originOfList(...QUOTA));
  const port = new URL(origin.url("/")).port;
  const scanner = until(await startScanner(origin));
  origin.stop();
  await scanner.begin(names.slice(0, 60));
  for (let tries = 0; tries < 200 && !scanner.said.some((line) => line.includes("waits for the server")); tries += 1) await pause(100);
  const gone = await scanner.get("/api/scan");
  assert.deepEqual([gone.state, gone.remaining > 0], ["paused", true], JSON.stringify(gone));
  assert.match(gone.why, /no use of the server 24 times in a row/);
  until(await originOfList(...QUOTA, "--port", port));
  const scan = await scanner.ended();
  assert.equal(scan.state, "finished");
  assert.equal(scan.scanned + scan.failed, 60);
});

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
