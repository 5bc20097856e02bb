// Serves repo-scanner as a Worker, at a strict origin of its own, until it is told to end: for a browser.

import { QUOTA, originOfList, startScanner } from "./scanner.mjs";

const origin = await originOfList(...QUOTA);
const scanner = await startScanner(origin);
console.log(scanner.url.href);
const end = async () => {
  await scanner.stop();
  origin.stop();
  process.exit(0);
};
process.on("SIGINT", end);
process.on("SIGTERM", end);
