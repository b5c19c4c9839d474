// Drives a server with the client that @hey-api/openapi-ts made of docs/openapi.json: `node client_typescript.js URL`.
// Compiled strictly together with the client, so the types are tried too.
import { client } from "./generated/client.gen";
import * as api from "./generated";
import type { Action, Mode } from "./generated";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

client.setConfig({ baseUrl: process.argv[2] as `${string}://${string}`, auth: process.env["IDENTITY_OS_API_KEY"] ?? "" });

function check(what: boolean, message: string): asserts what {
  if (!what) throw new Error(message);
}

async function drive(): Promise<void> {
  const created = await api.createInstance({ body: { name: "Generated", initial_config: null }, throwOnError: true });
  const path = { instance_id: created.data.data.id };
  const renamed = await api.updateInstance({ path, body: { description: "by a client", name: null }, throwOnError: true });
  check(renamed.data.data.name === "Generated", "update");

  const mode: Mode = "EXPLORATION";
  const processed = await api.processObservation({ path, body: { mode_target: mode, signal_strength: 0.8 }, throwOnError: true });
  const allowed: Array<Action> = processed.data.data.contract.allowed_actions;
  check(allowed.includes("explore"), "process");
  check((processed.data.data.snapshot.mode_strengths.EXPLORATION ?? 0) > 0, "the strength of a mode");

  const failure = { mode_target: "STRESS_RESPONSE" as const, signal_strength: 0.9, confidence: null, context: null };
  const batch = await api.processBatch({
    path,
    headers: { "Idempotency-Key": `generated-${Date.now()}` },
    body: { observations: [failure, failure], include_intermediate: true },
    throwOnError: true
  });
  check("states" in batch.data.data && batch.data.data.states[1]?.snapshot.stress_state === "HIGH", "batch");
  const simulated = await api.simulateObservations({ path, body: { observations: [failure] }, throwOnError: true });
  check("processed_count" in simulated.data.data && simulated.data.data.processed_count === 1, "simulate");

  const contract = await api.getContract({ path, query: { explain: true }, throwOnError: true });
  check(contract.data.data.explanation?.length === 14, "explanation");
  check(!contract.data.data.allowed_actions.includes("execute"), "contract");
  const history = await api.getHistory({ path, query: { limit: 2 }, throwOnError: true });
  check(history.data.pagination.total === 3 && history.data.data.length === 2, "history");
  const timeline = await api.getTimeline({ path, query: { limit: 2, before: 3 }, throwOnError: true });
  check(timeline.data.data[0]?.stress_state !== null && timeline.data.data[0]?.seq === 2, "timeline");
  const verified = await api.verifyAuditTrail({ path, throwOnError: true });
  check(verified.data.data.verified === true, "audit");
  const reset = await api.resetInstance({ path, body: { mode: "rebaseline" }, throwOnError: true });
  check(reset.data.data.reset_to === "rebaseline", "reset");

  const refused = await api.processObservation({ path, body: { mode_target: mode, signal_strength: 1.5 } });
  check(refused.error?.error === "invalid_request" && refused.error.details.reason === "out_of_range", "a refusal");
  const deleted = await api.deleteInstance({ path, throwOnError: true });
  check(deleted.data.data.deleted, "delete");
  const gone = await api.getInstance({ path });
  check(gone.response?.status === 404 && gone.error?.error === "not_found", "a deleted instance");
  const healthy = await api.checkHealth({ throwOnError: true });
  check(healthy.data.data.status === "ok", "health");
}

void drive();
