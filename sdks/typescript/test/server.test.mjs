// Every method against the local server of this checkout, and the README's snippet.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Action, AuthenticationError, ConfigurationError, EscalatedError, IdentityOS, IncompleteTestError, InvalidRequestError, Mode, NotFoundError } from "@identity-os/sdk";
import { realServer, ROOT } from "./server.mjs";

let server, client;
before(async () => {
  server = await realServer();
  client = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url });
});
after(() => server.stop());

const collect = async (rows) => {
  const all = [];
  for await (const row of rows) all.push(row);
  return all;
};

test("the seed's snippet", async () => {
  process.env.IDENTITY_OS_BASE_URL = server.url;
  const client = new IdentityOS({ apiKey: server.keys.enterprise });
  const instance = await client.instances.create({ name: "Aria" });
  const result = await client.engine.process(instance.id, {
    modeTarget: Mode.EXPLORATION,
    signalStrength: 0.8
  });
  delete process.env.IDENTITY_OS_BASE_URL;
  assert.equal(result.contract.stressState, "LOW");
  assert.equal(result.snapshot.modeStrengths.EXPLORATION > 0, true);
  assert.ok(client.lastResponse.requestId);
  assert.equal(typeof client.lastResponse.rateLimit.remaining, "number");
});

test("it can be loaded with require", () => {
  const required = createRequire(import.meta.url)("@identity-os/sdk");
  assert.equal(required.Mode.STRESS_RESPONSE, "STRESS_RESPONSE");
  assert.equal(typeof required.IdentityOS, "function");
});

test("the base URL with and without version", async () => {
  for (const tail of ["", "/", "/v1", "/v1/"]) {
    const each = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url + tail });
    assert.equal((await each.personas.list()).data.length, 12);
  }
});

test("every method", async () => {
  const initialConfig = { modeStrengths: { ORDER: 0.4, STRESS_RESPONSE: 0 }, energyLevel: 0.7, profile: { riskPosture: "moderate" } };
  const one = await client.instances.create({ name: "Aria", description: "an agent", initialConfig });
  assert.equal((await client.instances.get(one.id)).energyLevel, 0.7);
  assert.equal((await client.instances.update(one.id, { description: "other" })).description, "other");
  assert.ok((await client.instances.list({ limit: 100, sort: "name", order: "asc" })).data.some((row) => row.id === one.id));
  assert.ok((await collect(client.instances.iterate())).some((row) => row.id === one.id));

  const context = { someTool: "grep", other_tool: { innerName: 1 }, UPPER_Case: [{ aB: 1 }] };
  const two = [{ modeTarget: Mode.ORDER, signalStrength: 0.6, context }, { modeTarget: "exploration", signalStrength: 0.4 }];
  const simulated = await client.engine.simulate(one.id, two, { includeIntermediate: true });
  const done = await client.engine.processBatch(one.id, two, { includeIntermediate: true });
  assert.deepEqual([done.processedCount, done.states.length], [2, 2]);
  assert.deepEqual(simulated.final.snapshot, done.final.snapshot);
  assert.equal((await client.engine.processBatch(one.id, two)).final.snapshot.cycle, 4);
  assert.equal((await client.engine.getSnapshot(one.id)).cycleCount, 4);
  assert.equal((await client.engine.getContract(one.id, { explain: true })).explanation.length, 14);
  const goal = await client.engine.assessGoal(one.id, { complexity: "low", requiredModes: [Mode.ORDER] });
  assert.ok(["accept", "defer", "reject"].includes(goal.decision));
  assert.deepEqual((await client.engine.getHistory(one.id)).data.at(-1).context, context);
  const many = Array.from({ length: 100 }, () => ({ modeTarget: "STRESS_RESPONSE", signalStrength: 1 }));
  for (let i = 0; i < 2; i++) await client.engine.processBatch(one.id, many);
  const drift = await client.engine.getDrift(one.id);
  assert.equal((await collect(client.engine.iterateDrift(one.id))).length, drift.pagination.total);
  const sequence = (await collect(client.engine.iterateHistory(one.id))).map((row) => row.seq);
  assert.deepEqual(sequence, Array.from({ length: 204 }, (_, i) => 204 - i));
  const timeline = await client.engine.getTimeline(one.id, { limit: 2, before: 200 });
  assert.deepEqual(timeline.data.map((row) => row.seq), [199, 198]);
  assert.equal(timeline.data[0].stressState, "OVER");
  assert.equal((await client.engine.reset(one.id, "initial")).cycle, 0);
  const trail = await collect(client.engine.iterateAudit(one.id));
  assert.deepEqual(trail.map((row) => row.record), [1, 2, 3, 4, 5, 6]);
  assert.equal((await client.engine.audit(one.id, { limit: 2 })).data.length, 2);
  assert.equal((await client.engine.verify(one.id)).verified, true);

  const asked = await client.test.questions("v1");
  const answers = Object.fromEntries(asked.questions.map((question) => [question.id, question.options[0].id]));
  assert.equal((await client.test.submit("v1", answers, { instanceId: one.id })).instanceId, one.id);
  const tested = await client.test.submit("v1", answers, { instanceName: "Tested" });
  assert.ok((await client.personas.get(tested.matchedPersonas[0].id)).longDescription);
  const open = await client.test.submit("v1", {}, { instanceId: one.id }).catch((error) => error);
  assert.ok(open instanceof IncompleteTestError);
  assert.deepEqual(open.missingQuestions, asked.questions.map((question) => question.id));

  assert.equal((await client.instances.delete(one.id)).deleted, true);
  await assert.rejects(client.instances.get(one.id), NotFoundError);
});

test("an upgrade, a fork and an earlier contract", async () => {
  const one = await client.instances.create({ name: "Aria", initialConfig: { engineVersion: "1.0.0" } });
  const { contract } = await client.engine.process(one.id, { modeTarget: Mode.ORDER, signalStrength: 0.5 });
  await client.engine.process(one.id, { modeTarget: Mode.STRESS_RESPONSE, signalStrength: 0.9 });
  const then = await client.engine.getContract(one.id, { explain: true, cycle: 1 });
  assert.deepEqual([then.cycle, then.allowedActions, then.explanation.length], [1, contract.allowedActions, 14]);
  const trail = await client.engine.audit(one.id);
  assert.deepEqual([then.proof.record, then.proof.digest], [2, trail.data[1].digest]);
  const preview = await client.engine.upgrade(one.id);
  assert.deepEqual([preview.preview, preview.cycles, preview.fromVersion], [true, 2, "1.0.0"]);
  const done = await client.engine.upgrade(one.id, { version: preview.engineVersion, preview: false, note: "as previewed" });
  assert.deepEqual([done.preview, done.how, done.contract], [false, "migrated", preview.upgradedContract]);
  const fork = await client.engine.fork(one.id, 1, "Other");
  assert.deepEqual([fork.engineVersion, fork.forkedFrom.instanceId, fork.cycleCount], ["1.0.0", one.id, 1]);
  assert.equal((await client.engine.verify(fork.id)).verified, true);
});

test("an agent is opened by its name, and listed by it", async () => {
  const opened = await Promise.all([1, 2, 3].map(() => client.instances.open("Opened", { profile: { riskPosture: "seeking" } })));
  assert.equal(new Set(opened.map((one) => one.id)).size, 1);
  assert.deepEqual((await client.instances.list({ name: "Opened" })).data.map((row) => row.id), [opened[0].id]);
  await client.instances.delete(opened[0].id);
  assert.notEqual((await client.instances.open("Opened", { profile: { riskPosture: "seeking" } })).id, opened[0].id);
});

test("the Python SDK opens the same agent at the same time", async () => {
  const name = "Tür 7";
  const script = `from identity_os_sdk import calls; print(calls.open_instance(${JSON.stringify(name)}, {"profile": {"core_modes": ["ORDER"]}}).idempotency_key)`;
  const env = { ...process.env, PYTHONPATH: join(ROOT, "sdks/python") };
  const python = spawnSync(join(ROOT, ".venv/bin/python"), ["-c", script], { env, encoding: "utf8" });
  const keys = [];
  const spying = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url, fetch: (url, init) => (keys.push(init.headers["Idempotency-Key"]), fetch(url, init)) });
  await spying.instances.open(name, { profile: { coreModes: ["ORDER"] } });
  assert.deepEqual(keys, [undefined, python.stdout.trim(), undefined], python.stderr);
});

test("a report under a key of one's own is processed once", async () => {
  const one = await client.instances.create({ name: "Aria" }, { idempotencyKey: `create-${crypto.randomUUID()}` });
  const report = () => client.engine.process(one.id, { modeTarget: Mode.ORDER, signalStrength: 0.5 }, { idempotencyKey: "report 1" });
  await report();
  assert.equal(client.lastResponse.replayed, false);
  await report();
  assert.equal(client.lastResponse.replayed, true);
  assert.equal((await client.engine.getHistory(one.id)).pagination.total, 1);
});

test("each audit record's digest is handed out, under the names that the command line reads", async () => {
  const kept = [];
  const auditLog = (anchor) => kept.push(anchor);
  const keeping = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url, auditLog });
  const one = await keeping.instances.create({ name: "Aria" });
  await keeping.engine.process(one.id, { modeTarget: Mode.ORDER, signalStrength: 0.5 });
  await keeping.engine.getContract(one.id);
  await keeping.engine.reset(one.id, "rebaseline", { note: "looked at it" });
  const trail = await keeping.engine.audit(one.id);
  assert.deepEqual(kept.map((anchor) => anchor.digest), trail.data.map((record) => record.digest));
  assert.deepEqual(kept.map((anchor) => anchor.instance_id), Array(3).fill(one.id));
  assert.deepEqual(Object.keys(kept[0]), ["instance_id", "digest", "request_id", "at"]);
  assert.deepEqual([trail.data[2].note, trail.data[2].format], ["looked at it", 2]);
  assert.ok(trail.data[2].actor);
  const lines = [];
  const failing = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url, auditLog: () => { throw new Error("disk full"); }, log: (line) => lines.push(line) });
  await failing.instances.create({ name: "Aria" });
  assert.match(lines.at(-1), /^the digest \w+ of inst_\w+ was not kept: Error: disk full$/);
});

test("the scope of the key is known after a response", async () => {
  const fresh = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url });
  assert.equal(fresh.engine.keyScope, undefined);
  await fresh.personas.list();
  assert.equal(fresh.engine.keyScope, "operator");
});

test("a key from a file may end with a line break, and no key has a space", async () => {
  const trimmed = new IdentityOS({ apiKey: `${server.keys.enterprise}\n`, baseUrl: server.url });
  assert.equal((await trimmed.personas.list()).data.length, 12);
  assert.throws(() => new IdentityOS({ apiKey: "idos_sk a" }), ConfigurationError);
});

test("errors name the bad field", async () => {
  const error = await client.engine.process("inst_0000000000000000", { modeTarget: "NONSENSE", signalStrength: 2 }).catch((e) => e);
  assert.ok(error instanceof InvalidRequestError);
  assert.deepEqual(error.problems.map((problem) => problem.field), ["mode_target", "signal_strength"]);
  assert.deepEqual([error.field, error.reason], ["mode_target", "unknown_value"]);
  const wrong = new IdentityOS({ apiKey: "idos_sk_wrong", baseUrl: server.url });
  await assert.rejects(wrong.instances.list(), AuthenticationError);
  assert.throws(() => new IdentityOS({ apiKey: "" }), ConfigurationError);
  assert.throws(() => new IdentityOS({ apiKey: "k", baseUrl: "ftp://x" }), ConfigurationError);
});

test("a guard allows only allowed actions", async () => {
  const one = await client.instances.create({ name: "Aria" });
  const calm = await client.engine.getContract(one.id);
  assert.deepEqual([...calm.allowedActions].sort(), Object.values(Action).sort());
  assert.equal(calm.guard(calm.allowedActions[0], () => 7), 7);
  const failures = Array.from({ length: 30 }, () => ({ modeTarget: Mode.STRESS_RESPONSE, signalStrength: 1 }));
  const { contract } = (await client.engine.processBatch(one.id, failures)).final;
  const error = await Promise.resolve().then(() => contract.guard(Action.EXECUTE, () => assert.fail("entered"))).catch((e) => e);
  assert.ok(error instanceof EscalatedError, String(error.stack));
  assert.equal(error.reason, contract.escalationReason);
  assert.equal(contract.guard(Action.DEFER, () => 7), 7);
});

test("nothing secret is logged", async () => {
  const lines = [];
  const log = (line) => lines.push(line);
  const talking = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url, log });
  await talking.instances.create({ name: "nobody's business" });
  assert.match(lines[0], /^POST \/instances: 201/);
  const all = lines.join() + JSON.stringify(talking) + String(talking);
  assert.ok(!all.includes(server.keys.enterprise) && !all.includes("nobody's business"));
});

test("the example runs", () => {
  const example = join(dirname(fileURLToPath(import.meta.url)), "../examples/guarded-agent.mjs");
  const env = { ...process.env, IDENTITY_OS_API_KEY: server.keys.enterprise, IDENTITY_OS_BASE_URL: server.url };
  const done = spawnSync(process.execPath, [example], { env, encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /not allowed/);
  assert.match(done.stdout, /pauses/);
});
