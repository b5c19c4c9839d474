// The conformance story: the expectations of sdks/python/tests/integrations/conformance.json drive every adapter, here as there.
//
// A test brings `play(script, guard)`: it runs an agent whose model makes the calls of the script one by one, and returns, for each
// call in order, what the model received as that tool's result.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Guard, IdentityOS } from "@identity-os/sdk";
import { ROOT } from "./server.mjs";

export const STORIES = JSON.parse(readFileSync(join(ROOT, "sdks/python/tests/integrations/conformance.json"), "utf8"));
export const TOOLS = { pay: "execute", read_file: "clarify", search_web: "explore" };
const storyNamed = (name) => STORIES.find((story) => story.name === name) ?? assert.fail(name);
export const FAILING = storyNamed("a tool fails until it is denied");
export const READING = storyNamed("reading stays allowed");
export const PAUSING = storyNamed("a pause is approved once and then refused");

/** What happens in a story: the model's calls, what the tools do, and what a person answers when asked. */
export class Script {
  /** The tools that really ran, in order. */
  ran = [];

  constructor(story) {
    this.calls = story.calls.map(([tool, target]) => ({ tool, args: { target } }));
    this.tools = [...new Set(this.calls.map((call) => call.tool))].sort();
    this.decisions = [...(story.decisions ?? [])];
    this.outcomes = story.tools;
  }

  run(tool, { target }) {
    this.ran.push(tool);
    const { error, result } = this.outcomes[tool];
    if (error) throw new Error(error);
    return `${result} ${target}`;
  }

  /** What a message to the model is: result, error, denied, or refused. */
  kindOf(message) {
    if (message.includes("was refused by a person")) return "refused";
    if (message.includes("is not allowed") || message.includes("waits for a person")) return "denied";
    return Object.values(this.outcomes).some(({ error }) => error && message.includes(error)) ? "error" : "result";
  }
}

/** A client's engine that keeps what was reported. `wrong` answers what goes wrong: an Error is thrown, another value answered. */
export function recordingEngine(client, wrong = () => undefined) {
  const engine = {
    reports: [],
    sent: [],
    wrong,
    async process(id, observation, options) {
      const amiss = engine.wrong();
      if (amiss instanceof Error) throw amiss;
      const { modeTarget, signalStrength, severity } = observation;
      engine.reports.push([modeTarget, signalStrength, ...(severity === "incident" ? [severity] : [])]);
      engine.sent.push({ id, ...observation, ...options });
      const processed = await client.engine.process(id, observation, options);
      return amiss === undefined ? processed : amiss;
    },
    async getContract(id) {
      const amiss = engine.wrong();
      if (amiss instanceof Error) throw amiss;
      return amiss === undefined ? client.engine.getContract(id) : amiss;
    },
    reset: (id, mode) => client.engine.reset(id, mode),
  };
  return engine;
}

export const away = () => new Error("the engine is away");

/** A guard as a story wants it, over a new agent. */
export async function newGuard(client, story, options = {}) {
  const engine = recordingEngine(client, story.away ? away : undefined);
  const detectors = story.detector ? [(text) => text.includes(story.detector)] : [];
  const { id } = await client.instances.create({ name: story.name });
  return new Guard(engine, id, { tools: TOOLS, detectors, onUnreachable: story.on_unreachable, log: () => {}, ...options });
}

/** The tests of all stories for an adapter, over a running server. `name`: of the adapter. */
export function conformance(name, server, play) {
  const connect = () => new IdentityOS({ apiKey: server().keys.enterprise, baseUrl: server().url });

  for (const story of STORIES) {
    test(`${name}: ${story.name}`, async () => {
      const client = connect();
      const guard = await newGuard(client, story);
      const script = new Script(story);
      const messages = await play(script, guard);
      assert.deepEqual(messages.map((message) => script.kindOf(message)), story.expected.seen);
      assert.deepEqual(script.ran, story.expected.ran);
      assert.deepEqual(guard.engine.reports, story.expected.reports);
      // What the engine has is what was reported.
      const rows = (await client.engine.getHistory(guard.instanceId, { limit: 100 })).data.reverse();
      const history = rows.map((row) => [row.modeTarget, row.signalStrength, ...(row.severity === "incident" ? [row.severity] : [])]);
      assert.deepEqual(history, story.expected.reports);
    });
  }

  test(`${name}: two agents at once: neither hears of the other's failures`, async () => {
    const client = connect();
    const [bad, good] = await Promise.all([FAILING, READING].map((story) => newGuard(client, story)));
    await Promise.all([play(new Script(FAILING), bad), play(new Script(READING), good)]);
    assert.equal(bad.contract.stressState, "HIGH");
    assert.equal(good.contract.stressState, "LOW");
    assert.ok(good.contract.allows("execute"));
  });
}
