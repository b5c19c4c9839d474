// Runs sdks/cases.json, which every SDK must pass: a server's responses, the expected requests and the expected result.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as sdk from "@identity-os/sdk";
import { ROOT, scriptedServer } from "./server.mjs";

const read = (name) => JSON.parse(readFileSync(join(ROOT, "sdks", name), "utf8"));
const cases = read("cases.json");
const answers = read("answers.json");

function scripted(entry) {
  if (typeof entry === "string") return entry;
  if (entry.ok) {
    const data = { ...answers[entry.ok], ...entry.more };
    return [200, { "X-Request-Id": "r-1", "X-RateLimit-Limit": "300" }, JSON.stringify({ data })];
  }
  if (entry.text !== undefined) return [entry.status, {}, entry.text];
  const { status, ...rest } = entry;
  const headers = "retry_after" in entry ? { "Retry-After": String(entry.retry_after) } : {};
  return [status, headers, JSON.stringify({ message: "m", details: {}, ...rest })];
}

const calls = {
  process: (client) => client.engine.process("inst_1", { modeTarget: sdk.Mode.ORDER, signalStrength: 0.5 }),
  create: (client) => client.instances.create({ name: "Aria" }),
  get: (client) => client.instances.get("inst_1"),
  delete: (client) => client.instances.delete("inst_1"),
  submit: (client) => client.test.submit("v1", { q1: "q1_a" }, { instanceId: "inst_1" }),
};

for (const each of cases) {
  test(each.name, async () => {
    const server = await scriptedServer(each.answers.map(scripted));
    try {
      const client = new sdk.IdentityOS({ apiKey: "idos_sk_x", baseUrl: server.url, timeout: 0.7, maxRetries: 2 });
      if (each.raises) {
        const error = await calls[each.call](client).then(() => assert.fail("it answered"), (raised) => raised);
        assert.equal(error.constructor, sdk[each.raises], String(error.stack));
        assert.ok(!String(error).includes("idos_sk_x"));
      } else {
        const result = await calls[each.call](client);
        assert.equal(client.lastResponse.retries, each.sent - 1);
        for (const [name, value] of Object.entries(each.answers.at(-1).more ?? {})) assert.equal(result[name], value);
      }
      assert.equal(server.seen.length, each.sent);
      for (const name of ["method", "key", "body"]) assert.equal(new Set(server.seen.map((one) => one[name])).size, 1);
      assert.equal(server.seen[0].key !== undefined, server.seen[0].method === "POST");
      assert.ok(server.seen.at(-1).at - server.seen[0].at >= 1000 * (each.waited ?? 0));
    } finally {
      server.stop();
    }
  });
}
