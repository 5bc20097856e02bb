// Serves repo-scanner as a Worker, at a strict origin of its own, until it is told to end: for a browser.

import { QUOTA, originOfList, startScanner } from "./scanner.mjs";

const origin = await originOfList(...QUOTA);
const scanner = await startScanner(origin);
console.log(scanner.url.href);
// Miniflare ends workerd when the process exits; it would do so with an error of its own at a signal.
process.on("exit", () => origin.stop());
for (const signal of ["SIGINT", "SIGTERM"]) process.prependListener(signal, () => process.exit(0));
