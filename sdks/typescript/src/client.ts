/** The client: one method for each call of the API, grouped as the API's paths are. */

import { sha256, text } from "./digest.js";
import { NotFoundError } from "./errors.js";
import {
  Contract,
  snake,
  type AuditRecord,
  type BatchProcessed,
  type Deleted,
  type DriftEvent,
  type GoalAssessment,
  type HistoryRow,
  type InitialConfig,
  type Instance,
  type InstanceDetail,
  type InstanceSummary,
  type KeyScope,
  type Observation,
  type Page,
  type Persona,
  type PersonaDetail,
  type Processed,
  type Questions,
  type Reset,
  type ResetMode,
  type Upgrade,
  type SnapshotDetail,
  type TestResult,
  type TimelineRow,
  type Verification,
} from "./models.js";
import { data, page } from "./reads.js";
import { send, settings, type Call, type ClientOptions, type LastResponse } from "./transport.js";
import { Webhooks } from "./webhooks.js";

/** Query parameters of a page. */
export interface PageOptions {
  limit?: number;
  offset?: number;
}

/** Options of a request that creates or processes something. */
export interface WriteOptions {
  /** A key of your own: for 24 hours the same request under it is executed once. Without it each call has a new one. */
  idempotencyKey?: string;
}

/** Rows that the auto-paging iterators fetch at a time. */
const ROWS = 100;

const at = (instanceId: string, path = ""): string => `/instances/${encodeURIComponent(instanceId)}${path}`;

function processed(answer: any): Processed {
  if (!answer.snapshot || !answer.drift) throw new TypeError("not a processed observation");
  return { ...answer, contract: new Contract(answer.contract) };
}

function batch(answer: any): BatchProcessed {
  const { processedCount, states, ...rest } = answer.data;
  const all: Processed[] = (states ?? [rest]).map(processed);
  return { processedCount, states: all, final: all[all.length - 1]! };
}

/** A client of Identity OS. All methods return promises; one client can be shared. */
export class IdentityOS {
  /** The last response's request id, rate limit and retries. */
  lastResponse: LastResponse | undefined;
  readonly instances: Instances;
  readonly engine: Engine;
  readonly personas: Personas;
  readonly test: Test;
  readonly webhooks: Webhooks;
  readonly #settings: ReturnType<typeof settings>;

  constructor(options: ClientOptions = {}) {
    this.#settings = settings(options);
    this.instances = new Instances(this);
    this.engine = new Engine(this);
    this.personas = new Personas(this);
    this.test = new Test(this);
    this.webhooks = new Webhooks(this);
  }

  /** Send a call with retries. IdentityOSError when it fails. */
  send<T>(call: Call<T>): Promise<T> {
    return send(call, this.#settings, (about) => {
      this.lastResponse = about;
    });
  }

  /** The rows of all pages, without duplicates. */
  async *rows<Row>(next: (offset: number) => Promise<Page<Row>>, key: (row: Row) => unknown): AsyncGenerator<Row, void, void> {
    let seen = new Set<unknown>();
    for (let offset = 0; ; ) {
      const found = await next(offset);
      for (const row of found.data) if (!seen.has(key(row))) yield row;
      seen = new Set(found.data.map(key));
      offset += found.data.length;
      if (!found.pagination.hasMore) return;
    }
  }
}

/** Create, list, get, update and delete instances. */
export class Instances {
  readonly #client: IdentityOS;

  constructor(client: IdentityOS) {
    this.#client = client;
  }

  /** Create an agent. */
  create(
    instance: { name: string; description?: string; initialConfig?: InitialConfig },
    { idempotencyKey }: WriteOptions = {},
  ): Promise<Instance> {
    const read = data<Instance>("id", "name");
    return this.#client.send({ method: "POST", path: "/instances", body: snake(instance), idempotencyKey, read });
  }

  /** One page of the account's instances. `name`: exactly this name. */
  list(
    query: PageOptions & { sort?: "created_at" | "name"; order?: "asc" | "desc"; name?: string } = {},
  ): Promise<Page<InstanceSummary>> {
    return this.#client.send({ method: "GET", path: "/instances", query: { ...query }, read: page<InstanceSummary> });
  }

  /** The oldest agent of that name, which is created if there is none. Two processes at once create one. */
  async open(name: string, initialConfig: InitialConfig = {}): Promise<Instance> {
    const found = await this.list({ name, limit: 1, offset: 0, order: "asc" });
    if (found.data[0]) return this.get(found.data[0].id);
    const instance = Object.keys(initialConfig).length ? { name, initialConfig } : { name };
    // The key is the Python SDK's, so that two processes of different languages create one agent, too.
    const asked = text(["open", name, snake(initialConfig)]);
    const ascii = asked.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const made = await this.create(instance, { idempotencyKey: await sha256(ascii) });
    try {
      return await this.get(made.id);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      // It was created under this key within the last day, and deleted since.
      return this.create(instance);
    }
  }

  /** All instances, fetched page by page. */
  iterate(query: { sort?: "created_at" | "name"; order?: "asc" | "desc" } = {}): AsyncGenerator<InstanceSummary, void, void> {
    return this.#client.rows((offset) => this.list({ ...query, limit: ROWS, offset }), (row) => row.id);
  }

  /** One instance with its current state. */
  get(instanceId: string): Promise<InstanceDetail> {
    return this.#client.send({ method: "GET", path: at(instanceId), read: data<InstanceDetail>("id", "cycleCount") });
  }

  /** Change the name, the description or both. */
  update(instanceId: string, change: { name?: string; description?: string }): Promise<Instance> {
    return this.#client.send({ method: "PATCH", path: at(instanceId), body: change, read: data<Instance>("id", "name") });
  }

  /** Delete an instance. It disappears at once. */
  delete(instanceId: string): Promise<Deleted> {
    return this.#client.send({ method: "DELETE", path: at(instanceId), read: data<Deleted>("id", "deleted") });
  }
}

/** Process observations; read contracts, snapshots and histories. */
export class Engine {
  readonly #client: IdentityOS;

  constructor(client: IdentityOS) {
    this.#client = client;
  }

  /** Report what the agent just did and get what it may do now. Costs one cycle. */
  process(instanceId: string, observation: Observation, { idempotencyKey }: WriteOptions = {}): Promise<Processed> {
    const read = (answer: any): Processed => processed(answer.data);
    const path = at(instanceId, "/process");
    return this.#client.send({ method: "POST", path, body: snake(observation), idempotencyKey, read });
  }

  /** Up to 100 observations in order, all or none. Costs one cycle each. */
  processBatch(instanceId: string, observations: Observation[], options: { includeIntermediate?: boolean } = {}): Promise<BatchProcessed> {
    const body = snake({ observations, ...options });
    return this.#client.send({ method: "POST", path: at(instanceId, "/process/batch"), body, read: batch });
  }

  /** What processBatch would return, computed on a copy: nothing is stored, no cycle is counted. */
  simulate(instanceId: string, observations: Observation[], options: { includeIntermediate?: boolean } = {}): Promise<BatchProcessed> {
    const body = snake({ observations, ...options });
    return this.#client.send({ method: "POST", path: at(instanceId, "/simulate"), body, read: batch });
  }

  /** The agent's current state and memory. */
  getSnapshot(instanceId: string): Promise<SnapshotDetail> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/snapshot"), read: data<SnapshotDetail>("id", "memory") });
  }

  /**
   * What the agent may do now; with `explain` also why. With `cycle` the contract as it was handed out at that cycle, and in `proof`
   * the audit record that it follows from.
   */
  getContract(instanceId: string, query: { explain?: boolean; cycle?: number } = {}): Promise<Contract> {
    const read = (answer: any): Contract => new Contract(answer.data);
    return this.#client.send({ method: "GET", path: at(instanceId, "/contract"), query: { ...query }, read });
  }

  /** Whether the agent should take on a goal now. */
  assessGoal(
    instanceId: string,
    goal: { complexity: "low" | "medium" | "high" | "critical"; requiredModes?: string[] },
  ): Promise<GoalAssessment> {
    const read = data<GoalAssessment>("decision");
    return this.#client.send({ method: "POST", path: at(instanceId, "/goals/assess"), body: snake(goal), read });
  }

  /** The scope of the client's key, as the last response said; undefined before the first. */
  get keyScope(): KeyScope | undefined {
    return this.#client.lastResponse?.keyScope ?? undefined;
  }

  /**
   * Reset the agent; {@link ResetMode} explains the modes. The history stays. Needs a key of scope operator. `note`: why, up to 500
   * characters, which the audit trail keeps.
   */
  reset(instanceId: string, mode: ResetMode, { note }: { note?: string } = {}): Promise<Reset> {
    return this.#client.send({ method: "POST", path: at(instanceId, "/reset"), body: { mode, note }, read: data<Reset>("resetTo") });
  }

  /**
   * Let another engine decide from now on (`version`; left out: the newest), or, as `preview` (the default), only say what would
   * differ. `force` upgrades a paused or escalated agent too, and needs a `note`. Needs a key of scope operator.
   */
  upgrade(
    instanceId: string,
    { version, ...options }: { version?: string; preview?: boolean; force?: boolean; note?: string } = {},
  ): Promise<Upgrade> {
    const body = snake({ ...options, engineVersion: version });
    return this.#client.send({ method: "POST", path: at(instanceId, "/upgrade"), body, read: data<Upgrade>("fromVersion") });
  }

  /**
   * Make an instance that is what this one was after cycle `atCycle`, with its history, to try what would have happened. Costs the
   * cycles that are replayed, 10,000 at most. Needs a key of scope operator.
   */
  fork(instanceId: string, atCycle: number, name: string): Promise<InstanceDetail> {
    const body = { at_cycle: atCycle, name };
    return this.#client.send({ method: "POST", path: at(instanceId, "/fork"), body, read: data<InstanceDetail>("id", "cycleCount") });
  }

  /** One page of the processed observations, newest first. */
  getHistory(instanceId: string, query: PageOptions = {}): Promise<Page<HistoryRow>> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/history"), query: { ...query }, read: page<HistoryRow> });
  }

  /** The whole history, newest first. No row comes twice, even when new observations arrive meanwhile. */
  iterateHistory(instanceId: string): AsyncGenerator<HistoryRow, void, void> {
    return this.#client.rows((offset) => this.getHistory(instanceId, { limit: ROWS, offset }), (row) => row.seq);
  }

  /** One page of what each cycle led to, newest first. `before`: only cycles with a lower `seq`. */
  getTimeline(instanceId: string, query: { limit?: number; before?: number } = {}): Promise<Page<TimelineRow>> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/timeline"), query: { ...query }, read: page<TimelineRow> });
  }

  /** One page of the drift events, newest first. */
  getDrift(instanceId: string, query: PageOptions & { level?: "D1" | "D2" | "D3" } = {}): Promise<Page<DriftEvent>> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/drift"), query: { ...query }, read: page<DriftEvent> });
  }

  /** All drift events, newest first. */
  iterateDrift(instanceId: string, query: { level?: "D1" | "D2" | "D3" } = {}): AsyncGenerator<DriftEvent, void, void> {
    const key = (row: DriftEvent): string => `${row.cycle} ${row.timestamp} ${row.driftLevel}`;
    return this.#client.rows((offset) => this.getDrift(instanceId, { ...query, limit: ROWS, offset }), key);
  }

  /** One page of the audit trail, oldest first. */
  audit(instanceId: string, query: PageOptions = {}): Promise<Page<AuditRecord>> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/audit"), query: { ...query }, read: page<AuditRecord> });
  }

  /** The whole audit trail, oldest first. */
  iterateAudit(instanceId: string): AsyncGenerator<AuditRecord, void, void> {
    return this.#client.rows((offset) => this.audit(instanceId, { limit: ROWS, offset }), (row) => row.record);
  }

  /** Let the service replay and verify the whole audit trail. */
  verify(instanceId: string): Promise<Verification> {
    return this.#client.send({ method: "GET", path: at(instanceId, "/audit/verify"), read: data<Verification>("verified") });
  }
}

/** The twelve personas. */
export class Personas {
  readonly #client: IdentityOS;

  constructor(client: IdentityOS) {
    this.#client = client;
  }

  /** All personas. */
  list(): Promise<Page<Persona>> {
    return this.#client.send({ method: "GET", path: "/personas", read: page<Persona> });
  }

  /** One persona in full. */
  get(personaId: string): Promise<PersonaDetail> {
    const path = `/personas/${encodeURIComponent(personaId)}`;
    return this.#client.send({ method: "GET", path, read: data<PersonaDetail>("id", "longDescription") });
  }
}

/** The personality test. */
export class Test {
  readonly #client: IdentityOS;

  constructor(client: IdentityOS) {
    this.#client = client;
  }

  /** The questions of a version. */
  questions(version?: "v1" | "v2" | "v3"): Promise<Questions> {
    return this.#client.send({ method: "GET", path: "/test/questions", query: { version }, read: data<Questions>("questions") });
  }

  /** Submit answers (question id to option id) for an existing instance, or for a new one with a name. */
  submit(
    version: "v1" | "v2" | "v3",
    answers: { [questionId: string]: string },
    target: { instanceId: string } | { instanceName: string },
  ): Promise<TestResult> {
    const responses = Object.entries(answers).map(([questionId, selectedOptionId]) => ({ questionId, selectedOptionId }));
    const create = "instanceName" in target ? { createInstance: true } : {};
    const body = snake({ version, responses, ...target, ...create });
    const read = (answer: any): TestResult => ({ ...answer.data, contract: new Contract(answer.data.contract) });
    return this.#client.send({ method: "POST", path: "/test/submit", body, read });
  }
}
