// The conformance story without any framework: what every adapter must come to.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { realServer } from "./server.mjs";
import { conformance, FAILING, Script } from "./story.mjs";

let server;
before(async () => (server = await realServer()));
after(() => server.stop());

async function play(script, guard) {
  const messages = [];
  for (const [number, { tool, args }] of script.calls.entries()) {
    const id = `call_${number}`;
    let verdict = await guard.beforeTool(tool, args, id);
    assert.equal(await guard.beforeTool(tool, args, id), verdict); // a hook that is called twice
    if (verdict.kind === "pause") {
      const approved = script.decisions.shift() === "approve";
      verdict = await (approved ? guard.approve(id, "ops@example.test") : guard.refuse(id, "ops@example.test"));
    }
    if (!verdict.allowed) {
      messages.push(verdict.message);
      continue;
    }
    try {
      const result = script.run(tool, args);
      await guard.afterTool(tool, id, { result });
      messages.push(result);
    } catch (error) {
      await guard.afterTool(tool, id, { error });
      messages.push(error.message);
    }
    await guard.afterTool(tool, id, { result: "again" });
  }
  return messages;
}

conformance("guard", () => server, play);

test("a story can fail", () => {
  const script = new Script(FAILING);
  assert.throws(() => script.run("pay", { target: "1" }), /the backend is down/);
  assert.deepEqual(["the backend is down", "content", "x is not allowed now: y"].map((each) => script.kindOf(each)), ["error", "result", "denied"]);
});
