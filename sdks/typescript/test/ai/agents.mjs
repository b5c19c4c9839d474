// Agents of the AI SDK under a guard, for the tests: how they run, and guards that hold or pause.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { generateText, stepCountIs, streamText, ToolLoopAgent } from "ai";
import { IdentityOS } from "@identity-os/sdk";
import { guarded } from "@identity-os/sdk/ai";
import { newGuard } from "../script.mjs";
import { realServer } from "../server.mjs";
import { asked, makeTool, mockModel } from "./fakes.mjs";

/** The server of a test file and a client of it, from its first test on. */
export const world = { server: undefined, client: undefined };

/** Start a server for a test file. */
export function useServer() {
  before(async () => {
    world.server = await realServer();
    world.client = new IdentityOS({ apiKey: world.server.keys.enterprise, baseUrl: world.server.url });
  });
  after(() => world.server.stop());
}

export const DOWN = "the backend is down";
export const failing = () =>
  makeTool(async () => {
    throw new Error(DOWN);
  });
export const turns = (count, name = "refund", from = 0) =>
  Array.from({ length: count }, (_, i) => [[`c${from + i}`, name, { order: 7 }]]);
export const stopWhen = stepCountIs(40);
export const make = (options = {}, story = { name: "ai" }) =>
  newGuard(world.client, story, { tools: { refund: "execute" }, ...options });

// Version 7 has the messages of all steps in responseMessages, and in response.messages those of the last.
export const ways = {
  generateText: async (settings, messages) => {
    const result = await generateText({ ...settings, messages });
    return { content: result.content, messages: result.responseMessages ?? result.response.messages };
  },
  streamText: async (settings, messages) => {
    const result = streamText({ ...settings, messages });
    await result.consumeStream();
    return { content: await result.content, messages: (await result.responseMessages) ?? (await result.response).messages };
  },
  ToolLoopAgent: async (settings, messages) => {
    const result = await new ToolLoopAgent(settings).generate({ messages });
    return { content: result.content, messages: result.responseMessages ?? result.response.messages };
  },
};

/** Run settings until nobody is asked any more; `decide` answers each request: true, false, or with a reason. */
export async function run(settings, decide = () => assert.fail("a person was asked"), way = ways.generateText) {
  const messages = [{ role: "user", content: "Go." }];
  for (;;) {
    const result = await way(settings, messages);
    messages.push(...result.messages);
    const requests = asked(result.content);
    if (!requests.length) return messages;
    const answers = await Promise.all(
      requests.map(async (request) => ({ approvalId: request.approvalId, ...(await decide(request)) })),
    );
    messages.push({ role: "tool", content: answers.map((answer) => ({ type: "tool-approval-response", ...answer })) });
  }
}

/** A guard that holds refunds, after three failures. */
export async function held(options) {
  const guard = await make(options);
  await run(guarded(guard, { model: mockModel(turns(3)), tools: { refund: failing() }, stopWhen }));
  assert.equal(guard.contract.stressState, "HIGH");
  return guard;
}

/** The same, with the three denials that make the next call a pause. */
export async function pausing(options) {
  const guard = await held(options);
  for (const id of ["d0", "d1", "d2"]) assert.equal((await guard.beforeTool("refund", {}, id)).kind, "deny");
  return guard;
}
