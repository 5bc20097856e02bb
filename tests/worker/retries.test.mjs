// Retries, with every way in which a server says when.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoComplaint, startOrigin, startWorker } from "./harness.mjs";

const told = {
  github: ["secondary-limit", "retry-after-seconds", "retry-after-imf-date", "retry-after-rfc850-date", "retry-after-asctime-date", "epoch-reset"],
  claude: ["retry-after-ms", "rfc3339-reset", "overloaded"],
  external: ["delta-reset", "ietf-rate-limit", "clock-ahead", "clock-behind", "retry-after-ms"],
};
const untold = ["internal-error", "bad-gateway", "unavailable", "unavailable-retry-after", "large-error", "close-before-headers", "reset-before-headers", "negative-retry-after", "garbage-retry-after", "zero-retry-after", "past-retry-after"];
const path = { github: (kind) => `/repos/a/${kind}`, claude: () => "/v1/messages", external: (kind) => `/anything/${kind}` };

let worker, origin;
before(async () => {
  const on = [...told.github.map((kind) => [path.github(kind), kind]), ...[...told.external, ...untold].map((kind) => [path.external(kind), kind])];
  // One path, one after the other.
  const answers = [...on.map(([where, kind]) => `${where}=${kind}`), `/v1/messages=${told.claude.flatMap((kind) => [kind, "serve"]).join(",")}`];
  answers.push("/v1/messages?spent=spend-limit", "/anything/never=503,503,503,503", "/anything/huge=huge-retry-after", "/anything/no=404");
  [worker, origin] = await Promise.all([startWorker(), startOrigin(...answers.flatMap((answer) => ["--on", answer]))]);
});
after(() => Promise.all([worker?.stop(), origin?.stop()]));

/** Asks for what fails once, and is well the second time. */
async function retried(api, kind) {
  const message = JSON.stringify({ model: "claude", max_tokens: 1, messages: [{ role: "user", content: "x" }] });
  const how = api === "claude" ? { method: "POST", body: message, "idempotency-key": kind } : {};
  const answer = await worker.ask("one", { url: origin.url(path[api](kind)), api, ...how });
  assert.equal(answer.status, 200, `${kind}: ${JSON.stringify(answer)}`);
  assert.equal(answer.attempts, 2, `${kind}: ${JSON.stringify(answer)}`);
}

// Each API is paused as a whole, so that one kind after the other is asked for.
for (const [api, kinds] of Object.entries(told)) {
  for (const kind of kinds) test(`${api}: ${kind}`, () => retried(api, kind));
}

test("what the server says nothing, nothing sensible or only this request about", async () => {
  await Promise.all(untold.map((kind) => retried("external", kind)));
});

test("no retry came too early, and no write twice", async () => {
  const score = await origin.score();
  for (const [api, { early_retries, pause_violations }] of Object.entries(score.apis)) {
    assert.deepEqual([early_retries, pause_violations], [0, 0], api);
  }
  assert.equal(score.repeated_writes, 0);
  assertNoComplaint(worker);
});

test("a POST is not repeated, nor what is not worth it", async () => {
  const post = await worker.ask("one", { url: origin.url("/anything/never"), api: "free", method: "POST", body: "x" });
  assert.equal(post.status, 503);
  const spent = await worker.ask("one", { url: origin.url("/v1/messages?spent"), api: "claude" });
  assert.deepEqual([spent.status, spent.ms < 1000], [429, true], "a month's money is not there again in a moment");
  const missing = await worker.ask("one", { url: origin.url("/anything/no"), api: "free" });
  assert.deepEqual([missing.status, missing.attempts], [404, null]);
});

test("when retries run out, or would take too long, the last response is returned", async () => {
  const never = await worker.ask("one", { url: origin.url("/anything/never"), api: "free" });
  assert.equal(never.status, 200, "the fourth attempt is the script's end");
  const huge = await worker.ask("one", { url: origin.url("/anything/huge"), api: "free" });
  assert.deepEqual([huge.status, huge.ms < 1000], [503, true]);
});
