// The observer is the Python SDK's: the same table, and the same observations, tool actions and digests for what Python generates.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ConfigurationError, Contract, Guard, observe, RULES } from "@identity-os/sdk";
import { ROOT } from "./server.mjs";

const TABLE = join(ROOT, "sdks/python/identity_os_sdk/observer.json");
const engine = { process: async () => assert.fail(), getContract: async () => assert.fail(), reset: async () => assert.fail() };

function python() {
  const script = join(dirname(fileURLToPath(import.meta.url)), "python_observer.py");
  const env = { ...process.env, PYTHONPATH: join(ROOT, "sdks/python"), PYTHONDONTWRITEBYTECODE: "1" };
  const done = spawnSync(join(ROOT, ".venv/bin/python"), [script], { env, encoding: "utf8", maxBuffer: 1e8 });
  assert.equal(done.status, 0, done.stderr);
  return JSON.parse(done.stdout);
}
const expected = python();

test("the package's table is the Python SDK's, byte for byte, and the one that is used", () => {
  const require = createRequire(import.meta.url);
  assert.deepEqual(readFileSync(require.resolve("@identity-os/sdk/observer.json")), readFileSync(TABLE));
  assert.deepEqual(Object.values(RULES), JSON.parse(readFileSync(TABLE, "utf8")).rules);
});

test("the same events give the same observations as in Python", () => {
  let rows = 0;
  const seen = new Set();
  for (const run of expected.runs) {
    const rules = new Guard(engine, "inst_1", { rules: run.rules }).core.rules;
    let memory = new Map();
    for (const [event, stressed, rule, mode, strength, severity] of run.rows) {
      const [next, report] = observe(memory, event, stressed, rules);
      assert.deepEqual(report, { rule, mode, strength, severity }, JSON.stringify(event));
      memory = next;
      seen.add(rule);
      rows++;
    }
  }
  assert.ok(rows > 5_000);
  assert.deepEqual([...seen].sort(), Object.keys(RULES).sort());
});

test("the observer does not change the memory that it is given", () => {
  const memory = new Map();
  const call = { kind: "call", tool: "get", action: "clarify", arguments: "a", result: "r" };
  assert.deepEqual(observe(memory, call), observe(memory, call));
  assert.equal(memory.size, 0);
});

test("the same tools need the same actions as in Python", () => {
  for (const [name, annotations, , action, source, outside, plan] of expected.tools) {
    const guard = new Guard(engine, "inst_1", { tools: { "*_x": "comfort", "[gG]et_[!u]*": "pivot" }, default: "challenge" });
    guard.annotate(name, annotations);
    assert.deepEqual(guard.toolAction(name), { name, action, source, outside, plan });
  }
});

test("patterns match as Python's fnmatch does", () => {
  for (const [pattern, name, matches] of expected.patterns) {
    const { source } = new Guard(engine, "inst_1", { tools: { [pattern]: "comfort" } }).toolAction(name);
    assert.equal(source === "map", matches, `${pattern} ${name}`);
  }
  assert.throws(() => new Guard(engine, "inst_1", { tools: { "[z-a]": "comfort" } }), ConfigurationError);
});

test("digests of plain JSON are Python's", async () => {
  const sent = [];
  const contract = new Contract({ allowedActions: ["execute"], stressState: "LOW" });
  const process = async (_, observation) => {
    sent.push(observation.context);
    return { contract, drift: {} };
  };
  for (const [value, digest] of expected.digests) {
    const guard = new Guard({ ...engine, process, getContract: async () => contract }, "inst_1");
    await guard.beforeTool("pay", value, "c1");
    await guard.afterTool("pay", "c1", { result: value });
    const { arguments_hash, result_hash } = sent.at(-1);
    assert.deepEqual([arguments_hash, result_hash], [digest, digest], JSON.stringify(value));
  }
  assert.equal(sent.length, expected.digests.length);
});
