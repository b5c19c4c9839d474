// What the client sends and how it reads the response, for what can be checked without a server that knows it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { IdentityOS, Mode, PermissionDeniedError } from "@identity-os/sdk";
import { ROOT, scriptedServer } from "./server.mjs";

const { processed } = JSON.parse(readFileSync(join(ROOT, "sdks", "answers.json"), "utf8"));

/** What a call returns when the server answers `document`, and the body that the client sent. */
async function exchange(document, call) {
  const server = await scriptedServer([[200, {}, JSON.stringify(document)]]);
  try {
    const result = await call(new IdentityOS({ apiKey: "idos_sk_x", baseUrl: server.url }).engine);
    return { result, sent: server.seen[0].body && JSON.parse(server.seen[0].body) };
  } finally {
    server.stop();
  }
}

const incident = { modeTarget: Mode.STRESS_RESPONSE, signalStrength: 0.9, severity: "incident" };
const wire = { mode_target: "STRESS_RESPONSE", signal_strength: 0.9, severity: "incident" };

test("an incident is sent as one", async () => {
  const { sent } = await exchange({ data: processed }, (engine) => engine.process("inst_1", incident));
  assert.deepEqual(sent, wire);
});

test("without a severity none is sent", async () => {
  const ordinary = { modeTarget: Mode.STRESS_RESPONSE, signalStrength: 0.9, severity: undefined };
  const { sent } = await exchange({ data: processed }, (engine) => engine.process("inst_1", ordinary));
  assert.deepEqual(sent, { mode_target: "STRESS_RESPONSE", signal_strength: 0.9 });
});

for (const method of ["processBatch", "simulate"]) {
  test(`${method} sends each observation's severity`, async () => {
    const two = [{ modeTarget: Mode.ORDER, signalStrength: 0.5 }, incident];
    const { sent } = await exchange({ data: { processed_count: 2, ...processed } }, (engine) => engine[method]("inst_1", two));
    assert.deepEqual(sent, { observations: [{ mode_target: "ORDER", signal_strength: 0.5 }, wire] });
  });
}

test("a rebaseline is sent and read", async () => {
  const data = { id: "inst_1", reset_to: "rebaseline", cycle: 130, energy_level: 0.9, stress_state: "LOW" };
  const { sent, result } = await exchange({ data }, (engine) => engine.reset("inst_1", "rebaseline"));
  assert.deepEqual(sent, { mode: "rebaseline" });
  assert.deepEqual([result.resetTo, result.cycle], ["rebaseline", 130]);
});

test("history and audit rows have a severity, old audit observations have none", async () => {
  const row = { cycle: 1, ...wire, confidence: 1, context: {}, timestamp: "2026-03-24T10:15:30Z" };
  const { severity, ...old } = row;
  const page = (data) => ({ data, pagination: { limit: 20, offset: 0, total: data.length, has_more: false } });
  const history = await exchange(page([{ seq: 1, ...row }]), (engine) => engine.getHistory("inst_1"));
  assert.equal(history.result.data[0].severity, severity);
  const trail = await exchange(page([{ record: 1, observations: [old, row] }]), (engine) => engine.audit("inst_1"));
  assert.deepEqual(trail.result.data[0].observations.map((each) => each.severity), [undefined, "incident"]);
});

test("a key whose scope does not cover something is told which scope it needs", async () => {
  const body = { error: "insufficient_scope", message: "m", details: { scope: "agent", needs: "operator" } };
  const server = await scriptedServer([[403, {}, JSON.stringify(body)]]);
  const error = await new IdentityOS({ apiKey: "idos_sk_x", baseUrl: server.url }).engine.reset("inst_1", "initial").catch((raised) => raised);
  server.stop();
  assert.ok(error instanceof PermissionDeniedError);
  assert.deepEqual([error.scope, error.needs], ["agent", "operator"]);
});
