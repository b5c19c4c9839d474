// The conformance story: the expectations of sdks/python/tests/integrations/conformance.json drive every adapter, here as there.
//
// A test brings `play(script, guard)`: it runs an agent whose model makes the calls of the script one by one, and returns, for each
// call in order, what the model received as that tool's result.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { IdentityOS } from "@identity-os/sdk";
import { newGuard, outcome, Script } from "./script.mjs";
import { ROOT } from "./server.mjs";

export const STORIES = JSON.parse(readFileSync(join(ROOT, "sdks/python/tests/integrations/conformance.json"), "utf8"));
const storyNamed = (name) => STORIES.find((story) => story.name === name) ?? assert.fail(name);
export const FAILING = storyNamed("a tool fails until it is denied");
export const READING = storyNamed("reading stays allowed");

/** The tests of all stories for an adapter, over a running server. `name`: of the adapter. */
export function conformance(name, server, play) {
  const connect = () => new IdentityOS({ apiKey: server().keys.enterprise, baseUrl: server().url });

  for (const story of STORIES) {
    test(`${name}: ${story.name}`, async () => {
      const { history, ...found } = await outcome(connect(), story, play);
      assert.deepEqual(found, story.expected);
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
