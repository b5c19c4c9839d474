/**
 * What a guard decides and remembers, without a request. Nothing here waits, so that no call can come between the steps of another.
 */

import { granted, remember, unknownAgent, type Agent, type Call } from "./agent.js";
import { Callbacks } from "./callbacks.js";
import { failure, printed, table, typeName } from "./digest.js";
import { ConfigurationError, ConflictError, InvalidRequestError } from "./errors.js";
import { allow, judge, passes, type OnUnreachable, type Reach } from "./judge.js";
import { Action, type Context, type Contract, type Processed } from "./models.js";
import { observe, rested, rulesWith, type ObservedEvent, type Rules } from "./observer.js";
import { checked, type GuardOptions } from "./options.js";
import { MOST_WAITING, Queue, type Outgoing } from "./reports.js";
import { ToolMap } from "./tools.js";
import { verdict, type Verdict } from "./verdicts.js";

/** Milliseconds after which a contract is read again, so that one process sees another's incident. */
const FRESH = 5_000;
/** Milliseconds between two tries to reach an engine that did not answer. */
const RETRY = 5_000;
/** Most characters of recorded arguments in a report. */
const SHOWN = 2_000;

/** See the module. One for each guard; `agent` is another one for the time of a task. */
export class Core {
  run: string;
  agent: Agent;
  readonly tools: ToolMap;
  readonly wouldHave: { [what: string]: number } = Object.create(null);
  readonly queue = new Queue();
  readonly callbacks: Callbacks;
  readonly log: (line: string) => void;
  readonly #observeOnly: boolean;
  readonly #onUnreachable: OnUnreachable;
  readonly #recordArguments: boolean;
  readonly rules: Rules;
  readonly #seen = new Set<string>();
  readonly #reach: Reach = { failedAt: undefined, failure: "" };

  constructor(instanceId: string, options: GuardOptions) {
    const { mode, onUnreachable, record } = checked(options);
    if (!globalThis.crypto?.subtle) throw new ConfigurationError("no Web Crypto: a page must come by https, or from localhost");
    if (!instanceId) throw new ConfigurationError("instanceId is empty: give the agent's id, or use Guard.open with its name");
    this.tools = new ToolMap(options.tools, options.default);
    this.run = options.run || crypto.randomUUID();
    this.agent = unknownAgent(instanceId);
    const { log = (line) => console.warn(line) } = options;
    this.log = (line) => {
      try {
        log(line);
      } catch {
        // A log that fails is no reason to fail.
      }
    };
    this.callbacks = new Callbacks(this.log);
    this.#observeOnly = mode === "observe";
    this.#onUnreachable = onUnreachable;
    this.#recordArguments = record === "arguments";
    this.rules = rulesWith(options.rules ?? {});
  }

  // What the engine says

  /** Whether the contract should be read now. */
  wantsContract(): boolean {
    const now = performance.now();
    if (this.#reach.failedAt !== undefined) return now - this.#reach.failedAt >= RETRY;
    return this.agent.answeredAt === undefined || now - this.agent.answeredAt >= FRESH;
  }

  /** The engine's contract of the agent is this. TypeError when it is none: what is no contract is no answer. */
  answered(agent: Agent, contract: Contract, rolledBack = false): void {
    if (!Array.isArray(contract?.allowedActions)) throw new TypeError(`${typeName(contract)} is no contract`);
    const before = agent.contract.stressState;
    const known = agent.answeredAt !== undefined;
    agent.contract = contract;
    agent.answeredAt = performance.now();
    this.#reach.failedAt = undefined;
    if (agent.incident === "young" && ["LOW", "MED"].includes(contract.stressState)) agent.incident = "none";
    const after = contract.stressState;
    if (known && after !== before) this.callbacks.tell("stress", agent.instanceId, { before, after });
    if (rolledBack) this.callbacks.tell("rolled_back", agent.instanceId, {});
  }

  /** The engine did not answer. */
  unreachable(error: unknown): void {
    const first = this.#reach.failedAt === undefined;
    Object.assign(this.#reach, { failedAt: performance.now(), failure: printed(error) });
    if (!first) return;
    this.log(`the engine does not answer (${this.#reach.failure}); onUnreachable=${this.#onUnreachable} decides`);
    this.callbacks.tell("unreachable", this.agent.instanceId, { error: this.#reach.failure });
  }

  // Reports on their way

  enqueue(reports: readonly Outgoing[]): void {
    for (const { report } of this.queue.add(reports)) this.log(`report dropped, ${MOST_WAITING} wait already: ${report.rule}`);
  }

  /** The first in line; undefined when there is none, or when the engine failed a moment ago. */
  nextReport(): Outgoing | undefined {
    const { failedAt } = this.#reach;
    return failedAt !== undefined && performance.now() - failedAt < RETRY ? undefined : this.queue.first;
  }

  /** The engine took a report. */
  delivered(report: Outgoing, processed: Processed): void {
    this.queue.drop(report);
    if (report.instanceId !== this.agent.instanceId) return;
    if (report.report.severity === "incident") this.agent.incident = "young";
    this.answered(this.agent, processed?.contract, processed?.drift?.rolledBack);
  }

  /** The engine did not take a report. Whether the next one may be sent. */
  rejected(report: Outgoing, error: unknown): boolean {
    if (error instanceof InvalidRequestError || error instanceof ConflictError) {
      this.queue.drop(report);
      this.log(`report refused: ${error.message}`);
      return true;
    }
    this.unreachable(error);
    return false;
  }

  // What the agent does

  /** What was said of a call that is not over. */
  recorded(callId: string): Verdict | undefined {
    const known = this.agent.calls.get(callId);
    return known?.over ? undefined : known?.verdict;
  }

  /** The verdict on a call, and what to report of it. `hash` stands for the arguments. */
  before(name: string, args: unknown, hash: string, callId: string): [Verdict, Outgoing[]] {
    const { calls, tools } = this.agent;
    const known = calls.get(callId);
    this.#seen.add(name);
    // A framework that calls twice, or runs a step again after an approval, gets what was said before.
    if (known && !known.over) return [known.verdict, []];
    const judged = judge(this.agent, this.tools.actionOf(name), callId, this.#onUnreachable, this.#reach);
    const shown = this.#recordArguments ? { shown: args } : {};
    const call: Call = { verdict: judged, attempt: (known?.attempt ?? 0) + 1, arguments: hash, ...shown, over: false };
    remember(this.agent, callId, call);
    const state = tools.get(name);
    if (judged.allowed) {
      if (state && !granted(state)) tools.delete(name);
      return [judged, []];
    }
    const { kind, action, reason, trace } = judged;
    this.callbacks.tell(kind === "deny" ? "denied" : "paused", this.agent.instanceId, { tool: name, action, reason, callId });
    if (this.#observeOnly) {
      for (const what of [kind, name]) this.wouldHave[what] = (this.wouldHave[what] ?? 0) + 1;
      call.verdict = verdict({ ...judged, kind: "allow", message: "" });
      return [call.verdict, []];
    }
    // The first denial in a row is a calm report: with none stress never falls, with one for each it could be bought.
    if (kind !== "deny" || state?.denials !== 1) return [judged, []];
    const context = { tool: name, outcome: "denied", reason, trace };
    return [judged, [this.report({ kind: "denied", tool: name }, `${callId}:denied`, call.attempt, context)]];
  }

  /** What to report of a call that ended. Nothing for one that was reported already, or that never ran. */
  after(name: string, callId: string, resultHash: string, error: unknown): Outgoing | undefined {
    const tool = this.tools.actionOf(name);
    let call = this.agent.calls.get(callId);
    if (call && (call.over || !call.verdict.allowed)) return undefined;
    if (!call) {
      call = { verdict: allow(tool, callId, "not asked"), attempt: 1, arguments: "", over: false };
      remember(this.agent, callId, call);
    }
    call.over = true;
    const { action, plan } = tool;
    const given = { tool: name, action, plan, arguments: call.arguments, result: resultHash };
    const event: ObservedEvent = { kind: "call", ...given, ...failure(error) };
    return this.report(event, callId, call.attempt, {
      tool: name,
      action,
      outcome: event.error === undefined ? "worked" : "failed",
      arguments_hash: call.arguments,
      result_hash: resultHash,
      trace: call.verdict.trace,
      ...(event.errorClass === undefined ? {} : { error_class: event.errorClass }),
      ...("shown" in call ? { arguments: printed(call.shown).slice(0, SHOWN) } : {}),
    });
  }

  /** What to report of a detector's hit. */
  found(kind: "detector" | "mild", detector: string, number: number, tool: string, callId: string): Outgoing {
    if (kind === "detector") this.agent.incident = "found";
    const attempt = this.agent.calls.get(callId)?.attempt ?? 1;
    const outcome = kind === "detector" ? "incident" : "mild";
    return this.report({ kind }, `${callId}:${number}`, attempt, { detector, tool, outcome });
  }

  /** A report of an event, by the observer. */
  report(event: ObservedEvent, callId: string, attempt: number, context: Context): Outgoing {
    const { agent } = this;
    const [memory, report] = observe(agent.memory, event, agent.contract.stressState !== "LOW", this.rules);
    agent.memory = memory;
    return {
      instanceId: agent.instanceId,
      report,
      context: { ...context, rule: report.rule },
      names: [
        [agent.instanceId, this.run, callId, attempt],
        [event.kind, callId],
      ],
      urgent: report.mode === "STRESS_RESPONSE",
    };
  }

  /** What to report of a message. `kind`: message, heated or refused. */
  said(kind: "message" | "heated" | "refused", hash: string, id: string): Outgoing {
    return this.report({ kind }, id, 1, { said: kind === "heated" ? "message" : kind, message_hash: hash });
  }

  // What a person decides

  /** A person lets a paused call through. A call that nobody knows, or that did not pause, is denied. */
  approve(callId: string, by: string, calls: number, minutes: number | undefined): [Verdict, Outgoing[]] {
    const known = this.#paused(callId);
    if (!known) return [this.broken("", callId, "there is no paused call of this id"), []];
    const { tool, action } = known.verdict;
    known.verdict = verdict({ ...known.verdict, kind: "allow", message: "", reason: `approved by ${by}`, by });
    const until = minutes ? performance.now() + minutes * 60_000 : 0;
    this.agent.tools.set(tool, { denials: 0, basis: "", calls: calls - 1, until });
    const context = { tool, outcome: "approved", by, trace: known.verdict.trace };
    return [known.verdict, [this.report({ kind: "approved", tool, action }, `${callId}:approved`, known.attempt, context)]];
  }

  /** A person refuses a paused call. */
  refuse(callId: string, by: string): Verdict {
    const known = this.#paused(callId);
    if (!known) return this.broken("", callId, "there is no paused call of this id");
    const { tool } = known.verdict;
    this.agent.tools.delete(tool);
    const message = `${tool} was refused by a person (${by}). Do not call it again for this; find another way or ask.`;
    known.verdict = verdict({ ...known.verdict, kind: "deny", message, reason: `refused by ${by}`, by });
    return known.verdict;
  }

  #paused(callId: string): Call | undefined {
    const known = this.agent.calls.get(callId);
    return known && known.verdict.kind === "pause" && !known.over ? known : undefined;
  }

  /** The denial of what could not be judged. */
  broken(name: string, callId: string, reason = "the guard failed"): Verdict {
    const action = name ? this.tools.actionOf(name).action : Action.EXECUTE;
    const message = `${name || "The call"} is not allowed now: ${reason}.`;
    return verdict({ kind: "deny", tool: name, action, callId, message, reason });
  }

  // What is told

  /** The contract as instructions, and the tools that are held now. */
  prompt(): string {
    const held = [...this.#seen].filter((name) => !this.#passes(name)).sort();
    const { narrativePrompt } = this.agent.contract;
    return held.length ? `${narrativePrompt}\nTools that are held now: ${held.join(", ")}.` : narrativePrompt;
  }

  /** A table of tools: the action that each needs, what says so, and whether it is allowed now. */
  explainTools(names: Iterable<string>): string {
    const known = [...new Set([...names, ...this.#seen, ...this.tools.annotations.keys()])].sort();
    return table([
      ["tool", "action", "because of", "allowed now"],
      ...known.map((name) => {
        const { action, source } = this.tools.actionOf(name);
        return [name, action, source, this.#passes(name) ? "yes" : "no"];
      }),
    ]);
  }

  #passes(name: string): boolean {
    return passes(this.agent, this.tools.actionOf(name).action, this.#reach);
  }

  /** A task begins with the same agent: rows of failures and repeats are those of the task before. */
  beginTask(): void {
    this.agent.memory = rested(this.agent.memory);
  }
}
