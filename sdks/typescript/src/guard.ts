/**
 * The guard: stands between an agent and its tools, reports what happens, and holds what the contract holds.
 *
 *     const guard = await Guard.open(client, "support-bot", { tools: { "search_*": "explore", refund: "execute" } });
 *     const verdict = await guard.beforeTool("refund", { order: 7 }, "call-1");
 *     if (verdict.allowed) await guard.afterTool("refund", "call-1", { result: await refund({ order: 7 }) });
 *     else giveTheModel(verdict.message);
 *
 * It never throws into a framework: what breaks inside is a denial or a line in the log. What it decides stands in `core.ts`;
 * here are the requests and their failures.
 */

import { unknownAgent, type Agent } from "./agent.js";
import type { EventCallback } from "./callbacks.js";
import type { IdentityOS } from "./client.js";
import { Core } from "./core.js";
import { digest, failure, printed } from "./digest.js";
import { ConfigurationError } from "./errors.js";
import type { Contract, InitialConfig, KeyScope, Observation, Processed, Profile, ResetMode } from "./models.js";
import type { Detector, GuardOptions } from "./options.js";
import { key, MOST_WAITING, observation, type Outgoing } from "./reports.js";
import type { Annotations, ToolAction } from "./tools.js";
import type { GuardEvent, Verdict } from "./verdicts.js";

/** What a guard needs of an engine: `client.engine` is one. */
export interface GuardEngine {
  process(instanceId: string, observation: Observation, options: { idempotencyKey: string }): Promise<Processed>;
  getContract(instanceId: string): Promise<Contract>;
  reset(instanceId: string, mode: ResetMode): Promise<unknown>;
  /** The scope of the key, if it is known. */
  readonly keyScope?: KeyScope | undefined;
}

/** How a task begins and ends; {@link Guard.task} explains the words. */
export type TaskPolicy = "fresh" | "carry" | "none";

/** Guards one agent's tools. */
export class Guard {
  /** @internal What this guard decides and remembers. */
  readonly core: Core;
  readonly engine: GuardEngine;
  readonly #detectors: readonly Detector[];
  readonly #inBackground: boolean;
  #birth: ((task: string) => Promise<{ id: string }>) | undefined;
  #deciding: Promise<unknown> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #reading: { agent: Agent; done: Promise<void> } | undefined;

  /** The guard of the agent of that id. `engine`: client.engine. */
  constructor(engine: GuardEngine, instanceId: string, options: GuardOptions = {}) {
    if (typeof engine?.process !== "function") throw new ConfigurationError("engine is client.engine");
    this.engine = engine;
    this.core = new Core(instanceId, options);
    this.#detectors = [...(options.detectors ?? [])];
    this.#inBackground = options.report === "background";
  }

  /**
   * The guard of the agent of that name, which is made if there is none. Two processes at once make one.
   *
   * `profile` and `persona` are of the agent that is made.
   */
  static async open(
    client: IdentityOS,
    name: string,
    { profile, persona, ...options }: GuardOptions & { profile?: Profile; persona?: string } = {},
  ): Promise<Guard> {
    if (typeof client?.instances?.open !== "function")
      throw new ConfigurationError("Guard.open takes an IdentityOS (not its engine)");
    const initialConfig: InitialConfig = { ...(profile && { profile }), ...(persona && { personaId: persona }) };
    const guard = new Guard(client.engine, (await client.instances.open(name, initialConfig)).id, options);
    guard.#birth = (task) => client.instances.create({ name: `${name}: ${task}`.slice(0, 100), initialConfig });
    return guard;
  }

  /** The contract as last known. Before any answer it is a placeholder without the risky four. */
  get contract(): Contract {
    return this.core.agent.contract;
  }

  /** The agent that reports go to. */
  get instanceId(): string {
    return this.core.agent.instanceId;
  }

  /** Name of this run: part of each report's Idempotency-Key. Set it to the conversation's id where there is one. */
  get run(): string {
    return this.core.run;
  }
  set run(name: string) {
    this.core.run = name;
  }

  /** In observe mode: how often a call would have been denied or paused, by kind and by tool. */
  get wouldHave(): { readonly [what: string]: number } {
    return this.core.wouldHave;
  }

  /** Call back on `stress`, `denied`, `paused`, `rolled_back` or `unreachable`. What a callback throws is logged. */
  on(event: GuardEvent, callback: EventCallback): void {
    this.core.callbacks.add(event, callback);
  }

  /** Tell the MCP annotations of a tool. */
  annotate(name: string, annotations: Annotations): void {
    this.core.tools.annotations.set(name, annotations);
  }

  /** A table of the named tools, and of those seen so far: the action each needs, and what says so. */
  explainTools(names: Iterable<string> = []): string {
    return this.core.explainTools(names);
  }

  /** The action that a tool needs, and what says so. */
  toolAction(name: string): ToolAction {
    return this.core.tools.actionOf(name);
  }

  /** A few lines for the system prompt: the contract as instructions, and the tools that are held now. */
  async prompt(): Promise<string> {
    await this.#quietly(() => this.#refresh());
    return this.core.prompt();
  }

  /** Whether a call may be made. Makes no request unless the contract is older than 5 s. */
  async beforeTool(name: string, args?: unknown, callId?: string): Promise<Verdict> {
    const [tool, id] = [printed(name), callId || crypto.randomUUID()];
    return this.#decide(tool, id, async () => {
      await this.#refresh();
      return this.#inOrder(async () => this.core.before(tool, args, await digest(args), id));
    });
  }

  /** Report how a call ended. `error`: what was thrown, or its text; undefined and null are of a call that worked. */
  async afterTool(name: string, callId?: string, { result, error }: { result?: unknown; error?: unknown } = {}): Promise<void> {
    const [tool, id] = [printed(name), callId || crypto.randomUUID()];
    const text = failure(error).error ?? (result === undefined || result === null ? "" : printed(result));
    await this.#report(text, tool, id, async () => this.core.after(tool, id, await digest(result), error));
  }

  /** Report a message from a person. `heated`: an insult or a threat, if you can tell. */
  async userSaid(text: string, { heated = false }: { heated?: boolean } = {}): Promise<void> {
    await this.#said(heated ? "heated" : "message", text);
  }

  /** Report a message of the agent. `refusing`: it refuses, or cites a policy. */
  async agentSaid(text: string, { refusing = false }: { refusing?: boolean } = {}): Promise<void> {
    await this.#said(refusing ? "refused" : "message", text);
  }

  /** Report that the agent handed its work over. */
  async handedOver(to: string): Promise<void> {
    await this.#said("refused", `handed over to ${printed(to)}`);
  }

  /** A person lets a paused call through, or the next `calls` of its tool, or all of them for some minutes. */
  async approve(
    callId: string,
    by: string,
    { calls = 1, minutes }: { calls?: number; minutes?: number } = {},
  ): Promise<Verdict> {
    return this.#decide("", callId, () => this.#inOrder(async () => this.core.approve(callId, by, calls, minutes)));
  }

  /** A person refuses a paused call. The verdict's message tells the model. */
  async refuse(callId: string, by: string): Promise<Verdict> {
    return this.#decide("", callId, () => this.#inOrder(async () => [this.core.refuse(callId, by), []]));
  }

  /** Send what waits. A guard that reports in the background needs it before the process ends. */
  async close(): Promise<void> {
    await this.#flush();
  }

  /**
   * Do the work of a task, and return what it returns. One task at a time.
   *
   * fresh (the default): with an agent of its own, born alike, which has stress and no protection against drift while it is young.
   * carry: with this agent, which forgets what failed or repeated before; its stress is put to rest at the end (which needs a key of
   * scope operator), unless it pauses or escalates then. none: nothing changes.
   */
  async task<T>(name: string, work: (guard: Guard) => T | Promise<T>, policy: TaskPolicy = "fresh"): Promise<T> {
    if (!["fresh", "carry", "none"].includes(policy))
      throw new ConfigurationError(`policy "${policy}": one of fresh, carry, none`);
    if (policy === "fresh") {
      if (!this.#birth)
        throw new ConfigurationError('a fresh agent for each task needs Guard.open(...), or the policy "carry" or "none"');
      const kept = this.core.agent;
      this.core.agent = unknownAgent((await this.#birth(name)).id);
      try {
        return await work(this);
      } finally {
        this.core.agent = kept;
      }
    }
    if (policy === "carry") {
      await this.#refresh();
      const { keyScope = "operator" } = this.engine;
      if (keyScope !== "operator") {
        throw new ConfigurationError(
          `"carry" resets the agent after each task, which needs a key of scope operator, and this one is ${keyScope}`,
        );
      }
      this.core.beginTask();
    }
    const result = await work(this);
    if (policy === "carry") await this.#quietly(() => this.#rest());
    return result;
  }

  async #rest(): Promise<void> {
    await this.#flush();
    await this.#read(this.core.agent);
    if (this.contract.shouldPause || this.contract.shouldEscalate) return;
    await this.engine.reset(this.instanceId, "last_stable");
    await this.#read(this.core.agent);
  }

  async #decide(name: string, callId: string, decide: () => Promise<[Verdict, Outgoing[]]>): Promise<Verdict> {
    try {
      const [verdict, reports] = await decide();
      await this.#quietly(() => this.#deliver(reports));
      return verdict;
    } catch (error) {
      this.core.log(`the guard failed, and the call is denied: ${printed(error)}`);
      return this.core.broken(name, callId);
    }
  }

  async #said(kind: "message" | "heated" | "refused", text: string): Promise<void> {
    const id = crypto.randomUUID();
    await this.#report(printed(text), "", id, async () => this.core.said(kind, await digest(text), id));
  }

  /** Report something, and what the detectors find in its text. */
  async #report(text: string, tool: string, id: string, make: () => Promise<Outgoing | undefined>): Promise<void> {
    await this.#quietly(async () => {
      const report = await this.#inOrder(make);
      if (report) await this.#deliver([report, ...(await this.#detect(text, tool, id))]);
    });
  }

  async #detect(text: string, tool: string, id: string): Promise<Outgoing[]> {
    const found: Outgoing[] = [];
    for (const [number, detector] of this.#detectors.entries()) {
      try {
        const hit = text && (await detector(text));
        if (hit)
          found.push(this.core.found(hit === "mild" ? "mild" : "detector", detector.name || "detector", number, tool, id));
      } catch (error) {
        this.core.log(`a detector failed: ${printed(error)}`);
      }
    }
    return found;
  }

  /** One decision after the other, in the order in which they were asked for: hashing takes a moment. */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#deciding.then(work);
    this.#deciding = done.catch(() => {});
    return done;
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.core.log(`the guard failed, and nothing was thrown: ${printed(error)}`);
    }
  }

  /** Read the contract, if it is old. Calls at once read it once. */
  async #refresh(): Promise<void> {
    if (!this.core.wantsContract()) return;
    const { agent } = this.core;
    if (this.#reading?.agent !== agent) {
      const reading = { agent, done: this.#read(agent) };
      this.#reading = reading;
      void reading.done.then(() => this.#reading === reading && (this.#reading = undefined));
    }
    await this.#reading?.done;
  }

  async #read(agent: Agent): Promise<void> {
    const asked = performance.now();
    try {
      const contract = await this.engine.getContract(agent.instanceId);
      // The answer to a report that came meanwhile is the newer contract.
      if (!(agent.answeredAt !== undefined && agent.answeredAt > asked)) this.core.answered(agent, contract);
    } catch (error) {
      this.core.unreachable(error);
    }
  }

  async #deliver(reports: readonly Outgoing[]): Promise<void> {
    if (!reports.length) return;
    this.core.enqueue(reports);
    const full = this.core.queue.size >= MOST_WAITING;
    const sent = this.#flush();
    if (!this.#inBackground || full || reports.some((report) => report.urgent)) await sent;
  }

  /** Send what waits, in order, one at a time; what cannot be sent waits for the next report. Never rejects. */
  #flush(): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send());
    return this.#sending;
  }

  async #send(): Promise<void> {
    for (let report = this.core.nextReport(); report; report = this.core.nextReport()) {
      try {
        const idempotencyKey = await key(report);
        this.core.delivered(report, await this.engine.process(report.instanceId, observation(report), { idempotencyKey }));
      } catch (error) {
        if (!this.core.rejected(report, error)) return;
      }
    }
  }
}
