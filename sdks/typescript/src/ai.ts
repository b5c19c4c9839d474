/**
 * The guard in the Vercel AI SDK, 6 and 7: `generateText(guarded(guard, { model, tools, prompt }))`.
 *
 * Version 7 asks `toolApproval` before a call and tells `onToolExecutionEnd` after it. Version 6 knows neither and ignores both, so
 * each tool's `needsApproval` and `execute` are wrapped, too: whichever version is installed, no tool runs that the guard holds.
 * Both versions may ask about one call several times; the guard answers what it said before.
 */

import { gateway, wrapLanguageModel } from "ai";
import { ConfigurationError, IdentityOSError } from "./errors.js";
import type { Guard } from "./guard.js";
import type { Verdict } from "./verdicts.js";

/** A call was held: the message is the text for the model. */
export class ToolHeldError extends IdentityOSError {
  constructor(readonly verdict: Verdict) {
    super(verdict.message);
  }
}

export interface GuardedOptions {
  /** Who answers the approval requests of this conversation, such as the user's name. Default: "a person". */
  by?: string;
  /** Tools that the guard shall leave alone. Those that run at the provider or in the client must be named. */
  unguarded?: readonly string[];
}

/** What the guard uses of the settings of `generateText`, `streamText` and `ToolLoopAgent`. */
export interface Guardable {
  model: unknown;
  tools?: object | undefined;
  toolApproval?: unknown;
  onToolExecutionEnd?: unknown;
}

type Result<T> = T | PromiseLike<T>;
type Status = undefined | string | { type: string; reason?: string };
type Message = { role: string; content: unknown };
type CallOptions = { toolCallId: string; messages: Message[]; abortSignal?: AbortSignal };
type Tool = {
  execute?: (input: unknown, options: CallOptions) => unknown;
  needsApproval?: boolean | ((input: unknown, options: CallOptions) => Result<boolean>);
};
type Tools = { [name: string]: Tool };
type ToolCall = { toolName: string; toolCallId: string; input: unknown; providerExecuted?: boolean };
type Asked = { toolCall: ToolCall; messages: Message[]; tools?: Tools; toolsContext?: Tools; runtimeContext?: unknown };
type Ended = { toolCall: ToolCall; toolOutput: { type: string; output?: unknown; error?: unknown } };

/** The settings with the guard in them: before each tool, after it, and in the system prompt. */
export function guarded<S extends Guardable>(
  guard: Guard,
  settings: S,
  { by = "a person", unguarded = [] }: GuardedOptions = {},
): S {
  const tools = (settings.tools ?? {}) as Tools;
  for (const [name, tool] of Object.entries(tools)) {
    if (typeof tool.execute === "function" || unguarded.includes(name)) continue;
    throw new ConfigurationError(
      `${name} has no execute: it runs at the provider or in the client, where no guard can hold it; ` +
        `accept that by unguarded: ["${name}"]`,
    );
  }
  const adapter = new Adapter(guard, by, new Set(unguarded), tools);
  const wrapped = Object.entries(tools).map(([name, tool]) => [
    name,
    unguarded.includes(name) ? tool : adapter.tool(name, tool),
  ]);
  return {
    ...settings,
    model: adapter.model(settings.model),
    ...(settings.tools && { tools: Object.fromEntries(wrapped) }),
    toolApproval: adapter.approval(settings.toolApproval),
    onToolExecutionEnd: adapter.ended(settings.onToolExecutionEnd),
  };
}

class Adapter {
  /** Calls that the caller gave up: they neither worked nor failed. */
  readonly #aborted = new Set<string>();

  constructor(
    readonly guard: Guard,
    readonly by: string,
    readonly unguarded: ReadonlySet<string>,
    readonly tools: Tools,
  ) {}

  /** The verdict on a call, and what a person answered if it paused. */
  async judge(name: string, input: unknown, callId: string, messages: Message[]): Promise<Verdict> {
    const verdict = await this.guard.beforeTool(name, input, callId);
    const approved = verdict.kind === "pause" ? answerTo(callId, messages) : undefined;
    if (approved === undefined) return verdict;
    return approved ? this.guard.approve(callId, this.by) : this.guard.refuse(callId, this.by);
  }

  /** Version 7, before a call. The caller's own rules are asked first; the guard can only take away. */
  approval(own: unknown): (asked: Asked) => Promise<Status> {
    return async (asked) => {
      const { toolName, toolCallId, input, providerExecuted } = asked.toolCall;
      const status = await this.#ownStatus(own, asked);
      const denied = (typeof status === "object" ? status.type : status) === "denied";
      if (denied || providerExecuted || this.unguarded.has(toolName)) return status;
      const verdict = await this.judge(toolName, input, toolCallId, asked.messages);
      if (verdict.kind === "deny") return { type: "denied", reason: verdict.message };
      return verdict.kind === "pause" ? { type: "user-approval", reason: verdict.reason } : status;
    };
  }

  async #ownStatus(own: unknown, asked: Asked): Promise<Status> {
    if (typeof own === "function") return own(asked);
    const { toolName: name, toolCallId, input } = asked.toolCall;
    const options = { toolCallId, messages: asked.messages };
    const rule = ownProperty(own, name);
    if (typeof rule === "function") {
      return rule(input, {
        ...options,
        toolContext: ownProperty(asked.toolsContext, name),
        runtimeContext: asked.runtimeContext,
      });
    }
    if (rule !== undefined && rule !== null) return rule as Status;
    const tool = (ownProperty(this.tools, name) ?? ownProperty(asked.tools, name)) as Tool | undefined;
    return (await needsApproval(tool, input, options)) ? "user-approval" : undefined;
  }

  /** Version 7, after a call. Tools that came later than `guarded`, as from `prepareCall`, are reported here alone. */
  ended(own: unknown): (event: Ended) => Promise<void> {
    return async (event) => {
      const { toolCall, toolOutput } = event;
      const { toolName, toolCallId } = toolCall;
      if (!this.#aborted.delete(toolCallId) && !this.unguarded.has(toolName)) {
        const failed = toolOutput.type === "tool-error";
        await this.guard.afterTool(toolName, toolCallId, failed ? { error: toolOutput.error } : { result: toolOutput.output });
      }
      for (const each of [own].flat()) if (typeof each === "function") await each(event);
    };
  }

  /** A tool whose calls are judged before they run and reported as they end. */
  tool(name: string, tool: Tool): Tool {
    return {
      ...tool,
      needsApproval: async (input, options) => {
        const own = await needsApproval(tool, input, options);
        const verdict = await this.judge(name, input, options.toolCallId, options.messages);
        // Version 6 takes the approval of a call that needs none for forged. A denied call comes to `execute`, which says why.
        if (verdict.kind === "deny") return answerTo(options.toolCallId, options.messages) !== undefined;
        return verdict.kind === "pause" || Boolean(verdict.by) || own;
      },
      execute: (input, options) => {
        const run = (): unknown => this.#reported(name, options, () => tool.execute!(input, options));
        // What was judged already runs as it is, so that a stream of partial results remains one.
        if (this.guard.core.recorded(options.toolCallId)?.allowed) return run();
        return (async () => {
          const verdict = await this.judge(name, input, options.toolCallId, options.messages);
          if (!verdict.allowed) throw new ToolHeldError(verdict);
          const result = run();
          if (!isStream(result)) return result;
          let last: unknown;
          for await (const part of result) last = part;
          return last;
        })();
      },
    };
  }

  /** Run a tool, and report how it ends. */
  #reported(name: string, options: CallOptions, run: () => unknown): unknown {
    const { guard } = this;
    const failed = async (error: unknown): Promise<never> => {
      const { aborted, reason } = options.abortSignal ?? { aborted: false, reason: undefined };
      if (aborted && (reason as Error | undefined)?.name !== "TimeoutError") this.#aborted.add(options.toolCallId);
      else await guard.afterTool(name, options.toolCallId, { error: error ?? "thrown: nothing" });
      throw error;
    };
    const worked = async (result: unknown): Promise<unknown> => {
      await guard.afterTool(name, options.toolCallId, { result });
      return result;
    };
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      return failed(error);
    }
    if (!isStream(result)) return Promise.resolve(result).then(worked, failed);
    const parts = result;
    return (async function* () {
      let last: unknown;
      try {
        for await (last of parts) yield last;
      } catch (error) {
        await failed(error);
      }
      await worked(last);
    })();
  }

  /** The model, which gets the contract after the system messages, and reads why a person refused a call. */
  model(model: any): unknown {
    const provider = (globalThis as { AI_SDK_DEFAULT_PROVIDER?: typeof gateway }).AI_SDK_DEFAULT_PROVIDER ?? gateway;
    const middleware: any = {
      transformParams: async ({ params }: { params: { prompt: Message[] } }) => {
        const messages = await Promise.all(params.prompt.map((message) => this.#withRefusals(message)));
        const first = messages.findIndex((message) => message.role !== "system");
        messages.splice(first < 0 ? messages.length : first, 0, { role: "system", content: await this.guard.prompt() });
        return { ...params, prompt: messages };
      },
    };
    return wrapLanguageModel({ model: typeof model === "string" ? provider.languageModel(model) : model, middleware });
  }

  async #withRefusals(message: Message): Promise<Message> {
    if (message.role !== "tool" || !Array.isArray(message.content)) return message;
    const content = message.content.map(async (part) => {
      if (part.output?.type !== "execution-denied") return part;
      let known = this.guard.core.recorded(part.toolCallId);
      if (known?.kind === "pause") known = await this.guard.refuse(part.toolCallId, this.by);
      if (known?.kind !== "deny" || !known.by) return part;
      const { reason } = part.output;
      return { ...part, output: { ...part.output, reason: reason ? `${known.message} The reason: ${reason}` : known.message } };
    });
    return { ...message, content: await Promise.all(content) };
  }
}

/** What a person answered to the approval request of a call; undefined where there is no answer. */
function answerTo(callId: string, messages: Message[]): boolean | undefined {
  const parts = messages.flatMap(({ content }): any[] => (Array.isArray(content) ? content : []));
  const asked = parts.filter(
    (part) => part.type === "tool-approval-request" && part.toolCallId === callId && !part.isAutomatic,
  );
  const ids = new Set(asked.map((part) => part.approvalId));
  return parts.filter((part) => part.type === "tool-approval-response" && ids.has(part.approvalId)).at(-1)?.approved;
}

async function needsApproval(tool: Tool | undefined, input: unknown, options: CallOptions): Promise<boolean> {
  const { needsApproval: own } = tool ?? {};
  return Boolean(typeof own === "function" ? await own(input, options) : own);
}

/** A property of the object itself: a model that calls a tool "constructor" must not find one. */
function ownProperty(from: unknown, name: string): unknown {
  return from !== undefined && from !== null && Object.hasOwn(from, name)
    ? (from as { [name: string]: unknown })[name]
    : undefined;
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | undefined)?.[Symbol.asyncIterator] === "function";
}
