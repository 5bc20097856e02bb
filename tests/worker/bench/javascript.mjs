// The same in JavaScript, with what is mostly used there: `/p-queue?n=1000&url=…`.

import Bottleneck from "bottleneck";
import pLimit from "p-limit";
import PQueue from "p-queue";
import pRetry from "p-retry";

async function get(url, signal) {
  const response = await fetch(url, { headers: { "user-agent": "bench" }, signal });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

const retried = (url) => pRetry(() => get(url), { retries: 3 });

/** Six at a time: each makes a scheduler for one invocation. */
const schedulers = {
  "/p-limit"() {
    const limit = pLimit(6);
    return (url) => limit(() => retried(url));
  },
  "/p-queue"() {
    const queue = new PQueue({ concurrency: 6 });
    return (url) => queue.add(() => retried(url));
  },
  // With the timeout and the rate limit that the stack has, too.
  "/p-queue-all"() {
    const queue = new PQueue({ concurrency: 6, interval: 1000, intervalCap: 1_000_000 });
    return (url) =>
      queue.add(() => pRetry(() => get(url, AbortSignal.timeout(10_000)), { retries: 3 }));
  },
  "/bottleneck"() {
    const limiter = new Bottleneck({ maxConcurrent: 6 });
    return (url) => limiter.schedule(() => retried(url));
  },
};

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const send = schedulers[pathname]();
    const n = Number(searchParams.get("n"));
    const read = await Promise.all(Array.from({ length: n }, () => send(searchParams.get("url"))));
    return new Response(String(read.reduce((sum, { stargazers_count }) => sum + stargazers_count, 0)));
  },
};
