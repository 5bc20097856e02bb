// The example that people copy.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Miniflare, Response } from "miniflare";
import { env, modules } from "./harness.mjs";

test("worker-minimal says what GitHub says, and what went wrong", async () => {
  const asked = [];
  const miniflare = new Miniflare({
    modules: modules(env("WORKER_MINIMAL_DIR")),
    modulesRoot: "/",
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["enable_request_signal"],
    outboundService(request) {
      asked.push([request.method, request.url, request.headers.get("user-agent")]);
      if (request.url.endsWith("/lost")) return new Response("{}", { status: 404 });
      return new Response('{"stargazers_count":3800}', { headers: { "content-type": "application/json" } });
    },
  });
  const found = await miniflare.dispatchFetch("http://localhost/tower-rs/tower");
  assert.deepEqual([found.status, await found.text()], [200, '{"stargazers_count":3800}']);
  const lost = await miniflare.dispatchFetch("http://localhost/tower-rs/lost");
  assert.equal(lost.status, 502);
  assert.equal(await lost.text(), "GET api.github.com/repos/tower-rs/lost: the server answered 404 Not Found");
  assert.deepEqual(asked[0], ["GET", "https://api.github.com/repos/tower-rs/tower", "worker-minimal"]);
  await miniflare.dispose();
});
