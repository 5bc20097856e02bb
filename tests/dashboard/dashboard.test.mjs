// The dashboard of repo-scanner in a real Chromium: against a server that plays a scan (mock.mjs), or against a real one.
//
// usage: npm test                                             with the mock
//        DASHBOARD_URL=http://127.0.0.1:8787 npm test         the cases that a real server can be asked for
//
// DASHBOARD_TOKEN is the token of the real server, CHROMIUM the browser's path (/usr/bin/chromium).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { contrastFaults } from "./contrast.mjs";
import { HOSTILE, startMock } from "./mock.mjs";

const { DASHBOARD_URL: real, DASHBOARD_TOKEN: realToken, CHROMIUM = "/usr/bin/chromium" } = process.env;
const onlyMock = { skip: real ? "needs a server that does what it is told" : false };
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const file = fileURLToPath(new URL("../../examples/repo-scanner/core/assets/dashboard.html", import.meta.url));
const WIDTHS = [320, 360, 680, 800, 820, 1020, 1030, 1366, 1670, 1690, 1920, 2560];

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync",
    ],
  });
});
after(() => browser?.close());

/** A server of the test's own, and gone with it; the real one if there is one. */
async function serve(t, options = {}) {
  if (real) return { url: real.replace(/\/$/, ""), real: true };
  const mock = await startMock({ total: 100_000, ...options });
  t.after(() => mock.leave().catch(() => {}));
  return mock;
}

/** Opens the page, and keeps whatever it complains of. */
async function open(t, server, { prepare, path = "/", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.complaints = [];
  page.requests = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => page.requests.push({ url: request.url(), at: Date.now() }));
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await prepare?.(page);
  page.response = await page.goto(server.url + path);
  return page;
}

/** A page that has shown figures. */
async function openLive(t, server, options) {
  const page = await open(t, server, options);
  await linkIs(page, "Live");
  return page;
}

const linkIs = (page, is, timeout = 15_000) => page.waitForFunction((is) => document.body.dataset.link === is, is, { timeout });
const figure = (page, heading, label) => page.evaluate(([heading, label]) => {
  const section = [...document.querySelectorAll("section")].find((it) => it.querySelector("h2").textContent.startsWith(heading));
  return [...section.querySelectorAll("dt")].find((it) => it.textContent === label).nextElementSibling.textContent;
}, [heading, label]);
const number = (text) => Number(text.replace(/[^\d.-]/g, ""));
const isQuiet = async (page) => {
  // That a token is asked for, the browser writes down by itself.
  assert.deepEqual(page.complaints.filter((text) => !text.includes("status of 401")), []);
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
};
const stateIs = (page, pattern) => page.waitForFunction((source) => new RegExp(source).test(document.getElementById("scan-state").textContent), pattern.source);

/** The scan runs when this is done. */
async function startScan(page) {
  await page.waitForFunction(() => document.getElementById("scan-state").textContent !== "–");
  if ((await page.locator("#start").getAttribute("aria-disabled")) === "true") return;
  await page.locator("#start").click();
  await giveToken(page);
  await stateIs(page, /^(Running|Paused)$/);
}

/** A real server may ask for one, once for a page. */
async function giveToken(page) {
  if (!real || !realToken) return;
  const dialog = page.locator("dialog");
  if (!(await dialog.waitFor({ timeout: 2000 }).then(() => true, () => false))) return;
  await page.locator("#token").fill(realToken);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
}

/** Keeps what is said to those who do not see the page. */
const listen = (page) => page.evaluate(() => {
  globalThis.told = [];
  const said = document.getElementById("said");
  new MutationObserver(() => globalThis.told.push(said.textContent)).observe(said, { childList: true, characterData: true, subtree: true });
});

test("the file is small, and has nothing that a strict policy refuses", () => {
  const html = readFileSync(file, "utf8");
  assert.ok(Buffer.byteLength(html) < 60_000, `${Buffer.byteLength(html)} bytes`);
  assert.equal(html.match(/<script/g).length, 1);
  assert.equal(html.match(/<style/g).length, 1);
  const markup = html.replace(/(<(script|style)[^>]*>)[^]*?(<\/\2>)/g, "$1$3");
  assert.doesNotMatch(markup, /<[^>]+\s(on\w+|style)\s*=/i, "no inline handler, no style attribute");
  assert.doesNotMatch(html, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/);
});

test("it opens without an error, a breach of the policy, or a request to elsewhere", async (t) => {
  const server = await serve(t);
  const page = await openLive(t, server);
  const policy = page.response.headers()["content-security-policy"] ?? "";
  assert.match(policy, /script-src[^;]*'sha256-/);
  assert.doesNotMatch(policy, /unsafe/);
  await page.waitForTimeout(2500);
  await isQuiet(page);
  for (const { url } of page.requests) assert.ok(url.startsWith(server.url) || url.startsWith("data:"), url);
});

test("a running scan advances", async (t) => {
  const page = await openLive(t, await serve(t));
  await startScan(page);
  const stored = async () => number(await figure(page, "Scan", "Stored")) + number(await figure(page, "Scan", "Unchanged"));
  const before = await stored();
  await page.waitForFunction((before) => {
    const [, stored, unchanged] = [...document.querySelectorAll(".scan dd")].map((it) => Number(it.textContent.replace(/\D/g, "")));
    return stored + unchanged > before;
  }, before);
  assert.equal(await page.locator("#progress").getAttribute("role"), "progressbar");
  assert.match(await page.locator("#progress").getAttribute("aria-valuetext"), /^\d+ %, [\d,]+ of [\d,]+$/);
  const drawn = await page.locator(".chart-card svg .plot").evaluateAll((paths) => paths.filter((path) => /L/.test(path.getAttribute("d"))).length);
  assert.ok(drawn >= 3, `${drawn} lines are drawn`);
  assert.match(await page.locator(".chart-card svg").first().getAttribute("aria-label"), /Active \d/);
  await isQuiet(page);
});

test("the figures are those of the server", onlyMock, async (t) => {
  const server = await serve(t, { running: false });
  const page = await openLive(t, server);
  const { connections, monitor } = server.world.status();
  assert.equal(await figure(page, "Connections", "Limit"), String(connections.limit));
  assert.equal(await figure(page, "Memory", "Limit"), "40.0 MiB");
  assert.equal(await figure(page, "Memory", "Samples").then(number) > 0, monitor.memory.samples > 0);
  assert.equal(await figure(page, "Request duration", "P50"), "–", "of no request there is no percentile");
  assert.equal(await page.locator("#scan-state").textContent(), "No scan yet");
  server.answer = ({ url, json, world }) => {
    if (url.pathname !== "/api/status") return false;
    const status = world.status();
    Object.assign(status.rateLimits.github, { availableTokens: 3, maxTokens: 10, queueLength: 1234, nextSlotMs: 812.4, pausedForMs: 65_000, server: { limit: 5000, remaining: 17, resetsInMs: 1_800_000 } });
    Object.assign(status.flags.streaming, { percent: 12.5, isWorse: true });
    Object.assign(status.scan, { state: "running", total: 1000, scanned: 990, unchanged: 4, failed: 5, remaining: 1, leftMs: 90_000 });
    status.monitor.crossed = [{ limit: "memory", operation: null, value: 130 << 20, threshold: 128 << 20 }];
    json(200, status);
    return true;
  };
  await page.waitForFunction(() => document.getElementById("limits").textContent.includes("1,234"));
  const row = await page.getByRole("row", { name: /^GitHub 3/ }).textContent();
  for (const part of ["3 / 10", "1,234", "812 ms", "1:05 min", "17 / 5,000", "30:00 min"]) assert.ok(row.includes(part), `${part} in ${row}`);
  assert.match(await page.getByRole("row", { name: /^streaming/ }).textContent(), /12\.5 %.*one does worse/);
  assert.equal(await figure(page, "Scan", "Done"), "99 %", "not 100 before it is");
  assert.equal(await figure(page, "Scan", "Time left"), "1:30 min");
  assert.match(await page.locator("#warnings").textContent(), /memory is 130 MiB, the limit is 128 MiB/);
});

test("it survives that the server goes away and comes back", async (t) => {
  const server = await serve(t);
  const page = await openLive(t, server);
  await startScan(page);
  await page.waitForTimeout(1500);
  await listen(page);
  const tries = [];
  page.on("requestfailed", (request) => request.url().includes("/api/status") && tries.push(Date.now()));
  if (real) await page.route("**/api/**", (route) => route.abort("connectionrefused"));
  else await server.leave();
  await linkIs(page, "Away");
  await page.getByText("The server does not answer.", { exact: true }).waitFor();
  const limit = await figure(page, "Connections", "Limit");
  assert.match(limit, /^\d+$/, "the last figures stay");
  assert.match(await page.locator("#away-next").textContent(), /These figures are from \d\d:\d\d:\d\d\. (Next try in \d+ s|Trying)/);
  assert.match(await page.locator("main").evaluate((main) => getComputedStyle(main).filter), /grayscale/);
  await page.waitForTimeout(8500);
  const gaps = tries.slice(1).map((at, index) => at - tries[index]);
  assert.ok(gaps.length >= 2 && gaps.length <= 4, `tries are seldom: ${gaps}`);
  assert.ok(gaps[1] > gaps[0] * 1.4, `and get seldomer: ${gaps}`);
  assert.deepEqual(await contrastFaults(page), [], "grey figures can be read");
  if (real) await page.unroute("**/api/**");
  else {
    server.world.begin(); // it comes back as another process: everything counts from zero
    server.world.start();
    await server.comeBack();
  }
  await linkIs(page, "Live");
  await page.locator("#away").waitFor({ state: "hidden" });
  assert.match(await page.evaluate(() => globalThis.told.join("|")), /The server does not answer\..*\|The server is back\./);
  await page.waitForTimeout(2500);
  const shown = await page.locator("dd, .tile p, #limits td, #errors td, #times td").allTextContents();
  assert.deepEqual(shown.filter((text) => /NaN|undefined|-\d/.test(text)), [], "what counts from zero again has not run backwards");
  const other = page.complaints.filter((text) => !text.includes("ERR_"));
  assert.deepEqual(other, [], "nothing but the browser's own words on connections");
});

test("a process that began anew is not compared with the one before", onlyMock, async (t) => {
  const server = await serve(t);
  const page = await openLive(t, server);
  await page.waitForTimeout(2500);
  server.world.begin();
  server.world.start();
  await page.waitForTimeout(2500);
  const line = await page.locator("#cards svg .plot").first().getAttribute("d");
  assert.equal(line.match(/M/g).length, 2, "two lines, and none between them");
  assert.match(await figure(page, "Queues", "Requests"), /^\d+\.\d \/s$/);
});

test("an answer that is no status counts as away, and says why", onlyMock, async (t) => {
  const server = await serve(t);
  const page = await openLive(t, server);
  const answers = [
    [({ problem }) => problem(503, "Unavailable", "the database is being moved"), /the database is being moved/],
    [({ json }) => json(200, [1, 2]), /something else than a status/],
    [({ response }) => response.writeHead(200).end("<h1>a proxy</h1>"), /something else than a status/],
    [({ response }) => response.writeHead(200, { "content-length": "100" }).end("{"), /connection failed|something else/],
  ];
  for (const [answer, words] of answers) {
    server.answer = (it) => it.url.pathname === "/api/status" && (answer(it), true);
    await page.waitForFunction((source) => new RegExp(source).test(document.getElementById("away-why").textContent), words.source);
    await linkIs(page, "Away");
    server.answer = null;
    await page.getByRole("button", { name: "Try now" }).click();
    await linkIs(page, "Live");
  }
});

test("it starts a scan and ends it, and the focus stays", async (t) => {
  const server = await serve(t, { running: false });
  const page = await openLive(t, server);
  await startScan(page);
  assert.equal(await page.locator("#start").getAttribute("aria-disabled"), "true");
  if (!real) assert.equal(await page.evaluate(() => document.activeElement.id), "start");
  await page.locator("#end").focus();
  await page.keyboard.press("Enter");
  await giveToken(page);
  await stateIs(page, /^(Interrupted|Finished|Failed)$/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "end");
  await page.waitForFunction(() => document.getElementById("end").ariaDisabled === "true" && document.getElementById("start").ariaDisabled === "false");
  await isQuiet(page);
});

test("it asks for a token, and keeps it for itself", onlyMock, async (t) => {
  const server = await serve(t, { running: false, token: "the-secret" });
  const page = await openLive(t, server);
  await page.locator("#start").click();
  await page.getByRole("dialog", { name: "A token is needed" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "token");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "hidden" });
  assert.equal(await page.locator("#scan-state").textContent(), "No scan yet", "thought better of it");
  await page.locator("#start").click();
  await page.locator("#token").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The server did not take this token.").waitFor();
  assert.equal(await page.locator("#token").inputValue(), "");
  await page.locator("#token").fill("ümlaut");
  await page.keyboard.press("Enter");
  await page.getByText("No header can carry this.").waitFor();
  await page.locator("#token").fill("the-secret");
  await page.keyboard.press("Enter");
  await stateIs(page, /^Running$/);
  await page.locator("#end").click();
  await stateIs(page, /^Interrupted$/);
  assert.equal(await page.locator("dialog").isVisible(), false, "asked once");
  const sent = server.requests.filter(({ path, method }) => path === "/api/scan" && method !== "GET").map((it) => it.authorization);
  assert.deepEqual(sent, [null, null, "Bearer wrong", "Bearer the-secret", "Bearer the-secret"]);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.documentElement.outerHTML.includes("the-secret")]));
  assert.equal(kept, JSON.stringify([{}, {}, "", false]));
  assert.ok(server.requests.every(({ query, authorization, path }) => !query.includes("secret") && (authorization === null || path === "/api/scan")));
});

test("a refusal is shown in the server's words", onlyMock, async (t) => {
  const server = await serve(t, { running: false });
  const page = await openLive(t, server);
  server.answer = ({ request, problem }) => request.method === "POST" && (problem(409, "Conflict", "a scan of another list runs"), true);
  await page.locator("#start").click();
  await page.getByText("a scan of another list runs").waitFor();
  server.answer = ({ request, response }) => request.method === "POST" && (response.destroy(), true);
  await page.locator("#start").click();
  await page.locator("#scan-error").getByText("The connection failed.").waitFor();
});

test("whatever the server sends is shown as text", onlyMock, async (t) => {
  const server = await serve(t, { hostile: true });
  const page = await openLive(t, server);
  await page.waitForFunction(() => document.querySelectorAll("#repos tbody tr").length > 10, null, { timeout: 25_000 });
  const fits = async () => {
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      assert.deepEqual(await sideways(page), [], `${width} px wide`);
    }
    const tallest = await page.locator("tr, li").evaluateAll((rows) => Math.max(...rows.map((row) => row.getBoundingClientRect().height)));
    assert.ok(tallest < 400, `a row is ${tallest} px high`);
  };
  await fits();
  await page.locator("#q").fill("hacked");
  await page.waitForFunction(() => /for “hacked”/.test(document.getElementById("repos-note").textContent));
  const text = await page.locator("#repos").textContent();
  for (const harm of HOSTILE.slice(0, 5)) assert.ok(text.includes(harm), harm);
  for (const id of ["limits", "times", "errors", "flags", "operations", "refused"]) {
    assert.ok((await page.locator(`#${id}`).textContent()).includes("window.hacked"), id);
  }
  assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
  const strangers = "main img, main script, main iframe, main object, main [onload], main [onerror], main a:not([href^='https://github.com/']):not(:not([href]))";
  assert.equal(await page.locator(strangers).count(), 0);
  await fits();
  await isQuiet(page);
});

test("what is missing or is not what it should be is a dash, never a zero, never NaN", onlyMock, async (t) => {
  const server = await serve(t, { running: false });
  const page = await openLive(t, server);
  const weird = [null, "12", -1, {}, [], true, 1e308, 9e14, "words"];
  const twist = (value, to) => (value && typeof value === "object" && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).map(([key, it]) => [key, twist(it, to)])) : to);
  const statuses = [
    {}, { connections: null, scan: [], monitor: "x", rateLimits: { github: null, a: 3, ["__proto__"]: {} }, performance: { all: { lastMinute: [] } }, flags: { x: 1, $refused: 3 } },
    ...weird.map((to) => ({ ...twist(server.world.status(), to), stranger: to })),
    ...weird.map((to) => Object.fromEntries(Object.keys(server.world.status()).map((key) => [key, to]))),
  ];
  for (const [at, status] of statuses.entries()) {
    server.answer = ({ url, json }) => url.pathname === "/api/status" && (json(200, { ...status, scope: `case ${at}` }), true);
    const asked = server.requests.length;
    await page.evaluate(() => dispatchEvent(new Event("online"))); // do not wait for the next second
    while (!server.requests.slice(asked).some(({ path }) => path === "/api/status")) await page.waitForTimeout(20);
    await page.waitForTimeout(120);
    const text = await page.locator("main").innerText();
    const [odd] = /.{0,40}(NaN|undefined|\bnull\b|\[object|Infinity).{0,40}/.exec(text) ?? [];
    assert.equal(odd, undefined, JSON.stringify(status).slice(0, 300));
    if (at > 0) continue;
    const shown = await page.locator("dd, .tile p, #uptime").allTextContents();
    assert.deepEqual([...new Set(shown)], ["–"]);
  }
  await linkIs(page, "Live");
  await isQuiet(page);
});

/** What sticks out of the page, or of its own card, to the side. */
const sideways = (page) => page.evaluate(async () => {
  // Charts are drawn anew in the frame after their size has changed.
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  const faults = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} wide, the window ${clientWidth}`);
  for (const section of document.querySelectorAll("section, header, aside:not([hidden])")) {
    const right = section.getBoundingClientRect().right;
    for (const node of section.querySelectorAll("*:not(.sr, .sr *, thead, thead *, option)")) {
      const box = node.getBoundingClientRect();
      const cut = node.closest(".theirs, .gauge, .bar");
      if (box.width > 0 && box.right > right + 1 && (!cut || cut === node)) faults.push(`${node.tagName}.${node.className} "${node.textContent.slice(0, 30)}" by ${box.right - right}`);
    }
  }
  return faults.slice(0, 5);
});

test("no width has a sideways scroll", async (t) => {
  const page = await openLive(t, await serve(t));
  await startScan(page);
  await page.waitForTimeout(1500);
  await page.locator("th button[aria-expanded=false]").evaluateAll((all) => all.forEach((button) => button.click()));
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    assert.deepEqual(await sideways(page), [], `${width} px wide`);
  }
});

test("nothing jumps when figures change", async (t) => {
  const server = await serve(t, { pauseEvery: 1500, pauseFor: 1500 }); // pauses come and go
  const page = await openLive(t, server);
  await startScan(page);
  await page.waitForTimeout(2500);
  const places = () => page.evaluate(() => [...document.querySelectorAll("section, .figures > div, .tile, button, #limits th, #operations th, h2")].map((node) => {
    const { x, y, height } = node.getBoundingClientRect();
    return `${node.textContent.slice(0, 12).replace(/[\d–].*/, "")} ${node.closest("table") ? 0 : Math.round(x)} ${Math.round(y)} ${Math.round(node.matches(".repos") ? 0 : height)}`;
  }));
  const first = await places();
  for (let n = 0; n < 4; n += 1) {
    // New reasons and warnings have room where they are.
    if (!real) for (let more = 0; more < 4; more += 1) Object.assign(server.world.scan.reasons, { [`reason ${n} ${more}`]: 1 });
    if (!real) server.world.warnings.push({ unixMs: 1, limit: "memory", operation: null, value: 2e8, threshold: 1e8 });
    await page.waitForTimeout(1000);
    const now = await places();
    assert.deepEqual(now, first);
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`all text has enough contrast (${colorScheme})`, async (t) => {
    const page = await openLive(t, await serve(t, { hostile: true }), { colorScheme });
    await startScan(page);
    await page.waitForTimeout(2000);
    assert.deepEqual(await contrastFaults(page), []);
    await page.setViewportSize({ width: 360, height: 740 });
    assert.deepEqual(await contrastFaults(page), []);
  });

  test(`axe has nothing to say (${colorScheme})`, async (t) => {
    const server = await serve(t, { token: "x" });
    const page = await openLive(t, server, { colorScheme });
    const check = async (what) => {
      await page.evaluate(axeSource);
      const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations", "incomplete"] }));
      const told = (list) => list.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html}`);
      assert.deepEqual(told(violations), [], what);
      return told(incomplete);
    };
    await page.waitForTimeout(1500);
    await check("wide");
    await page.setViewportSize({ width: 360, height: 740 });
    await check("on a phone");
    if (real) return;
    await page.locator("#end").click();
    await page.locator("dialog").waitFor();
    await check("with the question for a token");
    await page.keyboard.press("Escape");
    await server.leave();
    await linkIs(page, "Away");
    await check("without a server");
  });
}

test("the keyboard reaches everything, and shows where it is", async (t) => {
  const page = await openLive(t, await serve(t));
  await page.waitForFunction(() => document.querySelectorAll("#repos tbody tr").length > 0, null, { timeout: 25_000 });
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll("a[href], button, input, ul[tabindex]")].filter((node) => node.checkVisibility() && !node.closest("dialog"));
    return all.map((node) => node.id || node.textContent);
  });
  const reached = [];
  await page.evaluate(() => document.activeElement.blur());
  for (let n = 0; n < wanted.length + 30; n += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const node = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(node);
      return node === document.body ? null : { name: node.id || node.textContent, seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
    if (at === null) break;
    assert.ok(at.seen, `the focus on ${at.name} can be seen`);
    reached.push(at.name);
  }
  assert.deepEqual(wanted.filter((name) => !reached.includes(name)), []);
  // The skip link skips, a row of the durations opens, the theme changes.
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const toggle = page.locator("th button").first();
  const was = await toggle.getAttribute("aria-expanded");
  await toggle.focus();
  await page.keyboard.press("Space");
  assert.notEqual(await toggle.getAttribute("aria-expanded"), was);
});

test("the theme follows the system until somebody wants another, and is kept", async (t) => {
  const page = await openLive(t, await serve(t), { colorScheme: "dark" });
  const isDark = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor === "rgb(14, 18, 23)");
  assert.equal(await isDark(), true);
  await page.locator("#theme").click();
  assert.equal(await page.locator("#theme").textContent(), "Theme: light");
  assert.equal(await isDark(), false);
  await page.reload();
  assert.equal(await isDark(), false);
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.equal(await page.locator("#theme").textContent(), "Theme: auto");
  assert.equal(await isDark(), true);
});

test("who cannot see is told of changes of state, and of nothing else", onlyMock, async (t) => {
  const server = await serve(t, { pauseEvery: 60_000 });
  server.world.save = () => {}; // no warnings
  const page = await openLive(t, server);
  await listen(page);
  assert.deepEqual(await page.locator("[aria-live], [role=status], [role=alert], [role=log]").evaluateAll((all) => all.map(({ id }) => id).sort()), ["ask-error", "said", "scan-error"]);
  await page.waitForTimeout(3500);
  assert.deepEqual(await page.evaluate(() => globalThis.told), []);
  await page.locator("#end").click();
  await page.waitForFunction(() => globalThis.told.length > 0);
  assert.match(await page.evaluate(() => globalThis.told.join()), /^Scan: Interrupted\. somebody ended it$/);
});

test("the repositories are refreshed, but not more than once in ten seconds, and can be searched", onlyMock, async (t) => {
  const server = await serve(t);
  const page = await openLive(t, server);
  const asked = () => server.requests.filter(({ path }) => path === "/api/repos");
  await page.waitForTimeout(12_500);
  const times = asked();
  assert.equal(times.length, 2);
  assert.ok(times[1].at - times[0].at >= 9_500);
  assert.equal(times[0].query, "?limit=50&sort=stars&order=desc");
  assert.equal(await page.locator("#repos tbody tr").count(), 50);
  await page.locator("#q").pressSequentially("crypto & <b>", { delay: 20 });
  await page.waitForFunction(() => document.getElementById("repos-note").textContent.includes("for “crypto & <b>”"));
  const searches = asked().filter(({ query }) => query.includes("q="));
  assert.equal(searches.length, 1, "one question for what was typed at once");
  assert.equal(new URLSearchParams(searches[0].query).get("q"), "crypto & <b>");
  assert.equal(await page.locator("#repos + .empty").isVisible(), true);
  // An answer that comes late is not shown in place of a later question's.
  let slow = true;
  server.answer = ({ url, json }) => {
    if (url.pathname !== "/api/repos" || !slow) return false;
    slow = false;
    setTimeout(() => json(200, [{ fullName: "too/late" }]), 1500);
    return true;
  };
  await page.locator("#q").fill("a");
  await page.waitForTimeout(400);
  await page.locator("#q").fill("");
  await page.waitForFunction(() => document.querySelectorAll("#repos tbody tr").length === 50);
  await page.waitForTimeout(1800);
  assert.equal(await page.getByText("too/late").count(), 0);
});

test("it asks seldom while nobody looks", async (t) => {
  const page = await openLive(t, await serve(t), {
    prepare: (page) => page.addInitScript(() => {
      globalThis.away = false;
      Object.defineProperty(Document.prototype, "hidden", { get: () => globalThis.away });
    }),
  });
  const asked = () => page.requests.filter(({ url }) => url.endsWith("/api/status")).length;
  const turn = (away) => page.evaluate((away) => {
    globalThis.away = away;
    document.dispatchEvent(new Event("visibilitychange"));
  }, away);
  const first = asked();
  await page.waitForTimeout(3500);
  assert.ok(asked() - first >= 2, "once a second while somebody does");
  await turn(true);
  await page.waitForTimeout(500);
  const before = asked();
  await page.waitForTimeout(4000);
  assert.equal(asked(), before);
  await turn(false);
  await page.waitForTimeout(900);
  assert.ok(asked() > before, "and at once when somebody does again");
});

test("who wants no motion gets none", async (t) => {
  const page = await openLive(t, await serve(t), { reducedMotion: "reduce" });
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((node) => {
    const { transitionDuration, animationName } = getComputedStyle(node);
    return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
  }).length);
  assert.equal(moving, 0);
});
