// The conformance story without any framework: what every adapter must come to.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { play, Script } from "./script.mjs";
import { realServer } from "./server.mjs";
import { conformance, FAILING } from "./story.mjs";

let server;
before(async () => (server = await realServer()));
after(() => server.stop());

conformance("guard", () => server, play);

test("a story can fail", () => {
  const script = new Script(FAILING);
  assert.throws(() => script.run("pay", { target: "1" }), /the backend is down/);
  const messages = ["the backend is down", "content", "x is not allowed now: y"];
  assert.deepEqual(
    messages.map((each) => script.kindOf(each)),
    ["error", "result", "denied"],
  );
});
