// repo-scanner as a Worker: what happens to it while it scans, and by the clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNoComplaint, pause, startLiar } from "./harness.mjs";
import { QUOTA, assertFlawless, assertStoredOnce, names, originOfList, place, startScanner, untilTheEnd } from "./scanner.mjs";

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
