// The conformance story in the Vercel AI SDK, with its mock model, in each way to run an agent.
import { guarded } from "@identity-os/sdk/ai";
import { conformance } from "../story.mjs";
import { run, stopWhen, useServer, ways, world } from "./agents.mjs";
import { makeTool, mockModel, received, VERSION } from "./fakes.mjs";

useServer();

/** Play a script: ids as the model gives them, in order. */
async function playWith(way, script, guard) {
  const model = mockModel(script.calls.map(({ tool, args }, number) => [[`call_${number}`, tool, args]]));
  const tools = Object.fromEntries(script.tools.map((tool) => [tool, makeTool(async (args) => script.run(tool, args))]));
  await run(guarded(guard, { model, tools, stopWhen }), () => ({ approved: script.decisions.shift() === "approve" }), way);
  return script.calls.map((_, number) => received(model).get(`call_${number}`));
}
for (const [name, way] of Object.entries(ways))
  conformance(
    `ai ${VERSION}, ${name}`,
    () => world.server,
    (script, guard) => playWith(way, script, guard),
  );
