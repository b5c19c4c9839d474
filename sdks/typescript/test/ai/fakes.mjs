// The AI SDK's own mock model, playing a list of turns, in whichever version is installed.
import { createRequire } from "node:module";
import { jsonSchema, simulateReadableStream, tool } from "ai";
import * as mocks from "ai/test";

export const VERSION = Number(createRequire(import.meta.url)("ai/package.json").version.split(".")[0]);
const MockModel = VERSION >= 7 ? mocks.MockLanguageModelV4 : mocks.MockLanguageModelV3;

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** A model that makes the calls of `turns` one after the other, each a list of [id, tool, arguments], and then says `last`. */
export function mockModel(turns, last = "Done.") {
  const left = [...turns];
  const content = () => {
    const calls = left.shift();
    if (!calls) return [{ type: "text", text: last }];
    return calls.map(([toolCallId, toolName, args]) => ({
      type: "tool-call",
      toolCallId,
      toolName,
      input: JSON.stringify(args),
    }));
  };
  const finishOf = (parts) => ({ unified: parts[0].type === "tool-call" ? "tool-calls" : "stop", raw: undefined });
  return new MockModel({
    doGenerate: async () => {
      const parts = content();
      return { content: parts, finishReason: finishOf(parts), usage, warnings: [] };
    },
    doStream: async () => {
      const parts = content();
      const chunks = parts.flatMap((part) =>
        part.type === "text"
          ? [
              { type: "text-start", id: "t" },
              { type: "text-delta", id: "t", delta: part.text },
              { type: "text-end", id: "t" },
            ]
          : [part],
      );
      const finish = { type: "finish", finishReason: finishOf(parts), usage };
      return {
        stream: simulateReadableStream({
          chunks: [{ type: "stream-start", warnings: [] }, ...chunks, finish],
          initialDelayInMs: null,
          chunkDelayInMs: null,
        }),
      };
    },
  });
}

/** A tool of the AI SDK. */
export const makeTool = (execute, more = {}) =>
  tool({
    description: "a tool",
    inputSchema: jsonSchema({ type: "object", properties: {}, additionalProperties: true }),
    execute,
    ...more,
  });

/** The prompts that a mock model got. */
export const prompts = (model) => [...model.doGenerateCalls, ...model.doStreamCalls].map((call) => call.prompt);

/** What the model received as the results of its calls, by their ids. */
export function received(model) {
  const found = new Map();
  for (const message of prompts(model).at(-1)) {
    if (message.role !== "tool") continue;
    for (const { type, toolCallId, output } of message.content) {
      if (type !== "tool-result") continue;
      const value = output.value ?? output.reason ?? output.type;
      found.set(toolCallId, typeof value === "string" ? value : JSON.stringify(value));
    }
  }
  return found;
}

/** The approval requests that wait for a person. */
export const asked = (content) => content.filter((part) => part.type === "tool-approval-request" && !part.isAutomatic);
