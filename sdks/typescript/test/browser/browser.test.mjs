// A page of another origin in a real browser drives client and guard against the local server: nothing stands between but CORS.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { realServer } from "../server.mjs";
import { STORIES } from "../story.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SDK = dirname(createRequire(import.meta.url).resolve("@identity-os/sdk/package.json"));
const FOLDERS = { "/sdk/": join(SDK, "dist/esm/"), "/test/": join(HERE, "../") };

let server, pages, browser, page, options;
const complaints = [];

/** Serves the page, the installed package and the script: another origin than the API's. */
function serve() {
  const site = createServer((request, response) => {
    const folder = Object.keys(FOLDERS).find((start) => request.url.startsWith(start));
    const file = folder ? join(FOLDERS[folder], normalize(request.url.slice(folder.length))) : join(HERE, "page.html");
    response.writeHead(200, { "Content-Type": folder ? "text/javascript" : "text/html" }).end(readFileSync(file));
  });
  return new Promise((resolve) => site.listen(0, "127.0.0.1", () => resolve(site)));
}

/** A page that has loaded the package. */
async function open(url) {
  const opened = await browser.newPage();
  opened.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  opened.on("pageerror", (error) => complaints.push(String(error)));
  await opened.goto(url);
  await opened.waitForFunction(() => window.sdk && window.script);
  return opened;
}

before(async () => {
  server = await realServer();
  pages = await serve();
  const quiet = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
  ];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet, "--host-resolver-rules=MAP plain.test 127.0.0.1"];
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
  page = await open(`http://127.0.0.1:${pages.address().port}/`);
  options = { apiKey: server.keys.enterprise, baseUrl: server.url };
});
after(async () => {
  await browser?.close();
  pages?.close();
  server?.stop();
});

test("the page's origin is not the API's", async () => {
  assert.notEqual(await page.evaluate(() => location.origin), new URL(server.url).origin);
});

test("every method works, and the response's headers can be read", async () => {
  const found = await page.evaluate(async (options) => {
    const { IdentityOS, Mode } = window.sdk;
    const client = new IdentityOS(options);
    const one = await client.instances.create({ name: "Aria" });
    const report = { modeTarget: Mode.ORDER, signalStrength: 0.5 };
    const { contract } = await client.engine.process(one.id, report, { idempotencyKey: "report-1" });
    const first = client.lastResponse;
    await client.engine.process(one.id, report, { idempotencyKey: "report-1" });
    const second = client.lastResponse;
    await client.instances.update(one.id, { description: "changed by PATCH" });
    const { description } = await client.instances.get(one.id);
    const { deleted } = await client.instances.delete(one.id);
    return { stress: contract.stressState, first, second, description, deleted };
  }, options);
  assert.deepEqual([found.stress, found.description, found.deleted], ["LOW", "changed by PATCH", true]);
  const { rateLimit, requestId, replayed, keyScope, auditDigest } = found.first;
  assert.deepEqual(
    [typeof rateLimit.limit, typeof rateLimit.remaining, typeof rateLimit.reset],
    ["number", "number", "number"],
  );
  assert.deepEqual([typeof rateLimit.monthlyLimit, typeof rateLimit.monthlyRemaining], ["number", "number"]);
  assert.ok(requestId);
  assert.match(auditDigest, /^[0-9a-f]{64}$/);
  assert.deepEqual([replayed, found.second.replayed, keyScope], [false, true, "operator"]);
  assert.equal(found.second.auditDigest, auditDigest);
});

test("errors can be read: a wrong key, a bad field, a minute that is used up", async () => {
  const found = await page.evaluate(
    async ({ options, free }) => {
      const { IdentityOS } = window.sdk;
      const wrong = await new IdentityOS({ ...options, apiKey: "idos_sk_wrong" }).personas.list().catch((error) => error);
      const bad = await new IdentityOS(options).engine
        .process("inst_0000000000000000", { modeTarget: "NONSENSE", signalStrength: 2 })
        .catch((error) => error);
      let limited;
      for (let i = 0; i < 40 && !limited?.status; i++) {
        const response = await fetch(`${options.baseUrl}/v1/personas`, { headers: { Authorization: `Bearer ${free}` } });
        if (response.status === 429)
          limited = { status: 429, wait: Number(response.headers.get("Retry-After")), body: await response.json() };
      }
      return { wrong: [wrong.name, wrong.code, Boolean(wrong.requestId)], bad: [bad.name, bad.field], limited };
    },
    { options, free: server.keys.free },
  );
  assert.deepEqual(found.wrong, ["AuthenticationError", "unauthorized", true]);
  assert.deepEqual(found.bad, ["InvalidRequestError", "mode_target"]);
  assert.equal(found.limited.body.error, "rate_limit_exceeded");
  assert.ok(found.limited.wait > 0);
});

for (const story of STORIES) {
  test(`the guard in a page: ${story.name}`, async () => {
    const found = await page.evaluate(
      ({ options, story }) => {
        const { outcome, play } = window.script;
        return outcome(new window.sdk.IdentityOS(options), story, play);
      },
      { options, story },
    );
    assert.deepEqual(found, { ...story.expected, history: story.expected.reports });
  });
}

test("a server that is away is a connection error, and the guard holds what is risky", async () => {
  const found = await page.evaluate(async (options) => {
    const { ConnectionFailedError, Guard, IdentityOS } = window.sdk;
    const client = new IdentityOS({ ...options, baseUrl: "http://127.0.0.1:9", maxRetries: 0 });
    const error = await client.personas.list().catch((error) => error);
    const guard = new Guard(client.engine, "inst_1", { log: () => {} });
    const kinds = [(await guard.beforeTool("get_order", {}, "c1")).kind, (await guard.beforeTool("refund", {}, "c2")).kind];
    return [error instanceof ConnectionFailedError, ...kinds];
  }, options);
  assert.deepEqual(found, [true, "allow", "deny"]);
});

test("a page without https has no Web Crypto, and the guard says so", async () => {
  const plain = await open(`http://plain.test:${pages.address().port}/`);
  const message = await plain.evaluate((options) => {
    const { Guard, IdentityOS } = window.sdk;
    try {
      return String(new Guard(new IdentityOS(options).engine, "inst_1").run);
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }, options);
  assert.equal(message, "ConfigurationError: no Web Crypto: a page must come by https, or from localhost");
});

test("the browser complained of nothing but the failures that were asked for", () => {
  const expected = /status of (400|401|429)|ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT/;
  assert.deepEqual(
    complaints.filter((text) => !expected.test(text)),
    [],
  );
});
