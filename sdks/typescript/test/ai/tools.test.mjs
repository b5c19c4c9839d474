// Prompt, tools and models of the Vercel AI SDK under a guard.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { generateText, jsonSchema, streamText, tool, ToolLoopAgent } from "ai";
import { ConfigurationError } from "@identity-os/sdk";
import { guarded } from "@identity-os/sdk/ai";
import { away } from "../script.mjs";
import { DOWN, failing, held, make, run, stopWhen, turns, useServer } from "./agents.mjs";
import { makeTool, mockModel, prompts, received, VERSION } from "./fakes.mjs";

useServer();

test("the contract stands after the caller's own system message", async () => {
  const guard = await held();
  const model = mockModel(turns(1, "get_order"));
  const own = { [VERSION >= 7 ? "instructions" : "system"]: "Be kind." };
  await run(guarded(guard, { model, tools: { get_order: makeTool(() => "x") }, stopWhen, ...own }));
  for (const prompt of prompts(model)) {
    assert.deepEqual(prompt.map((message) => message.role).slice(0, 3), ["system", "system", "user"]);
    assert.equal(prompt[0].content, "Be kind.");
  }
  assert.equal(prompts(model).at(-1)[1].content, await guard.prompt());
  assert.match(await guard.prompt(), /Tools that are held now: refund/);
});

test("streams of partial results stay streams, and are reported once", async () => {
  const guard = await make();
  const tools = {
    get_parts: makeTool(async function* () {
      yield "one";
      yield "two";
    }),
    get_broken: makeTool(async function* () {
      yield "one";
      throw new Error(DOWN);
    }),
  };
  const settings = guarded(guard, {
    model: mockModel([[["c1", "get_parts", {}]], [["c2", "get_broken", {}]]]),
    tools,
    stopWhen,
  });
  const parts = [];
  for await (const part of streamText({ ...settings, prompt: "Go." }).fullStream)
    if (part.type === "tool-result") parts.push([part.output, part.preliminary]);
  assert.deepEqual(parts.slice(0, 3), [
    ["one", true],
    ["two", true],
    ["two", undefined],
  ]);
  assert.deepEqual(
    guard.engine.sent.map(({ context }) => [context.tool, context.outcome]),
    [
      ["get_parts", "worked"],
      ["get_broken", "failed"],
    ],
  );
});

test("what a tool throws is reported, whatever it is", async () => {
  const guard = await make();
  const tools = {
    get_now: makeTool(() => {
      throw new TypeError(DOWN);
    }),
    get_odd: makeTool(async () => {
      throw undefined;
    }),
  };
  await run(guarded(guard, { model: mockModel([[["c1", "get_now", {}]], [["c2", "get_odd", {}]]]), tools, stopWhen }));
  assert.deepEqual(
    guard.engine.sent.map(({ context }) => [context.outcome, context.error_class]),
    [
      ["failed", "TypeError"],
      ["failed", "error"],
    ],
  );
});

test("a call that the caller gave up is no failure", async () => {
  const guard = await make();
  const stop = new AbortController();
  const tools = {
    get_slow: makeTool(
      (_, { abortSignal }) =>
        new Promise((_, reject) => {
          abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
          stop.abort();
        }),
    ),
  };
  await generateText({
    ...guarded(guard, { model: mockModel(turns(1, "get_slow")), tools, stopWhen }),
    prompt: "Go.",
    abortSignal: stop.signal,
  }).catch(() => {});
  assert.deepEqual(guard.engine.sent, []);
});

test("calls of one answer are judged before the first of them is reported", async () => {
  const guard = await make();
  const calls = Array.from({ length: 5 }, (_, i) => [`c${i}`, "refund", {}]);
  const model = mockModel([calls, [["c9", "refund", {}]]]);
  await run(guarded(guard, { model, tools: { refund: failing() }, stopWhen }));
  const texts = [...received(model).values()];
  assert.deepEqual(
    texts.map((text) => [text.includes(DOWN), text.includes("is not allowed now")]),
    [...Array(5).fill([true, false]), [false, true]],
  );
});

test("a tool that no guard can hold must be named", async () => {
  const guard = await make();
  const askUser = tool({ inputSchema: jsonSchema({ type: "object" }) });
  const settings = { model: mockModel([]), tools: { ask_user: askUser, refund: makeTool(() => 1) } };
  assert.throws(
    () => guarded(guard, settings),
    (error) => error instanceof ConfigurationError && /^ask_user has no execute/.test(error.message),
  );
  const accepted = guarded(guard, settings, { unguarded: ["ask_user"] });
  assert.equal(accepted.tools.ask_user, askUser);
});

test("an unguarded tool is neither held nor reported", async () => {
  const guard = await held();
  const before = guard.engine.sent.length;
  let ran = 0;
  await run(
    guarded(
      guard,
      { model: mockModel(turns(1, "refund", 5)), tools: { refund: makeTool(() => ++ran) }, stopWhen },
      { unguarded: ["refund"] },
    ),
  );
  assert.deepEqual([ran, guard.engine.sent.length], [1, before]);
});

test("a tool that there is not is the framework's affair", async () => {
  const guard = await make();
  await run(
    guarded(guard, {
      model: mockModel([[["c1", "constructor", {}]], [["c2", "nothing", {}]]]),
      tools: { refund: makeTool(() => 1) },
      stopWhen,
    }),
  );
  assert.deepEqual(guard.engine.sent, []);
});

test("an engine that answers nonsense denies what is risky", async () => {
  const guard = await make();
  guard.engine.wrong = () => "nonsense";
  await run(guarded(guard, { model: mockModel(turns(1)), tools: { refund: makeTool(() => assert.fail("it ran")) }, stopWhen }));
  guard.engine.wrong = away;
});

test("a model's id is resolved as the SDK does it", async () => {
  const guard = await make();
  const model = mockModel([]);
  globalThis.AI_SDK_DEFAULT_PROVIDER = {
    specificationVersion: VERSION >= 7 ? "v4" : "v3",
    languageModel: (id) => (assert.equal(id, "some/model"), model),
  };
  try {
    await run(guarded(guard, { model: "some/model", tools: {}, stopWhen }));
  } finally {
    delete globalThis.AI_SDK_DEFAULT_PROVIDER;
  }
  assert.equal(prompts(model).length, 1);
});

test("it can be loaded with require", () => {
  assert.equal(typeof createRequire(import.meta.url)("@identity-os/sdk/ai").guarded, "function");
});

if (VERSION >= 7) {
  test("tools that prepareCall brings are judged and reported, too", async () => {
    const guard = await make();
    const ended = [];
    const settings = guarded(guard, {
      model: mockModel(turns(5)),
      tools: { refund: makeTool(() => assert.fail("not this one")) },
      stopWhen,
      prepareCall: (call) => ({ ...call, tools: { refund: failing() } }),
      onToolExecutionEnd: ({ toolOutput }) => ended.push(toolOutput.type),
    });
    await new ToolLoopAgent(settings).generate({ prompt: "Go." });
    const reports = [
      ["STRESS_RESPONSE", 0.45],
      ["STRESS_RESPONSE", 0.7],
      ["STRESS_RESPONSE", 0.8],
      ["IDENTITY", 0.2],
    ];
    assert.deepEqual(guard.engine.reports, reports);
    assert.deepEqual(ended, ["tool-error", "tool-error", "tool-error"]);
  });
}
