// The README is true: its program prints what it shows, and it names every method.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Guard, IdentityOS } from "@identity-os/sdk";
import { realServer, ROOT } from "./server.mjs";

const README = readFileSync(join(ROOT, "sdks/typescript/README.md"), "utf8");

test("the guard's program prints what the README shows", async () => {
  const [, program, shown] = README.match(/```js\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/);
  const file = join(dirname(fileURLToPath(import.meta.url)), "readme-program.mjs");
  const server = await realServer();
  try {
    writeFileSync(file, program);
    const env = { ...process.env, IDENTITY_OS_API_KEY: server.keys.enterprise, IDENTITY_OS_BASE_URL: server.url };
    const done = spawnSync(process.execPath, [file], { env, encoding: "utf8" });
    assert.equal(done.stdout, shown, done.stderr);
  } finally {
    rmSync(file, { force: true });
    server.stop();
  }
});

test("the README names every method", () => {
  const client = new IdentityOS({ apiKey: "idos_sk_x" });
  const parts = [client.instances, client.engine, client.personas, client.test, client.webhooks].map((part) => Object.getPrototypeOf(part));
  for (const part of [...parts, Guard.prototype]) {
    const names = Object.getOwnPropertyNames(part).filter((name) => !["constructor", "keyScope"].includes(name));
    for (const name of names) assert.match(README, new RegExp(`\`${name}[\`(]`), name);
  }
});
