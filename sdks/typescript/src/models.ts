/** Types of the API's responses, in camelCase. Fields that a later API version adds are kept. */

import { ActionNotAllowedError, EscalatedError, PausedError } from "./errors.js";

/** What an agent is doing. */
export const Mode = {
  PERCEPTION: "PERCEPTION",
  EXPLORATION: "EXPLORATION",
  ORDER: "ORDER",
  ASSERTION: "ASSERTION",
  CONNECTION: "CONNECTION",
  IDENTITY: "IDENTITY",
  STRESS_RESPONSE: "STRESS_RESPONSE",
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** What an agent can do. */
export const Action = {
  EXPLORE: "explore",
  QUESTION: "question",
  ELABORATE: "elaborate",
  SUGGEST: "suggest",
  EXECUTE: "execute",
  PIVOT: "pivot",
  CHALLENGE: "challenge",
  COMFORT: "comfort",
  CLARIFY: "clarify",
  STABILIZE: "stabilize",
  DEFER: "defer",
  WITHDRAW: "withdraw",
} as const;
export type Action = (typeof Action)[keyof typeof Action];

const ACTIONS: readonly string[] = Object.values(Action);

/** Actions that a pause or an escalation leaves alone. */
export const SAFE: ReadonlySet<Action> = new Set([Action.STABILIZE, Action.CLARIFY, Action.DEFER, Action.WITHDRAW]);

/** What a key may do: read, be the agent that is bounded, or decide about it. */
export type KeyScope = "read" | "agent" | "operator";
export type StressState = "LOW" | "MED" | "HIGH" | "OVER";
export type ByMode = { [mode: string]: number };
export type Context = { [name: string]: unknown };

/** How severe a report of stress is. An incident is what a detector or a person has confirmed: stress is HIGH at least, at once. */
export type Severity = "normal" | "incident";

/** What an agent just did: its mode, signal strength (0..1), confidence (0..1) and a context of at most 8 KB. */
export interface Observation {
  modeTarget: Mode | string;
  signalStrength: number;
  confidence?: number;
  /** Default: normal. Only STRESS_RESPONSE takes "incident". */
  severity?: Severity;
  context?: Context;
  timestamp?: string;
}

export interface Pagination {
  limit: number;
  offset: number;
  total: number;
  hasMore: boolean;
}

export interface Page<Row> {
  data: Row[];
  pagination: Pagination;
}

export interface Profile {
  coreModes?: string[];
  suppressedModes?: string[];
  riskPosture?: string;
  energyPolicy?: string;
  stressTolerance?: string;
  driftTolerance?: string;
  governance?: string;
  description?: string;
}

export interface InitialConfig {
  modeStrengths?: ByMode;
  energyLevel?: number;
  profile?: Profile;
  personaId?: string;
  /** The engine that decides for the agent until it is upgraded. Left out: the newest. */
  engineVersion?: string;
}

export interface Instance {
  id: string;
  name: string;
  description: string;
  createdAt: string;
  updatedAt: string;
}

/** What a fork continues from. `seq`: observations that it took over; `record` and `digest` are of the original. */
export interface Origin {
  instanceId: string;
  cycle: number;
  seq: number;
  record: number;
  digest: string;
}

export interface InstanceDetail extends Instance {
  cycleCount: number;
  /** The engine that decides for the instance; only an upgrade changes it. Missing from servers before 1.1.0. */
  engineVersion?: string;
  energyLevel: number;
  stressState: StressState;
  stabilityIndex: number;
  forkedFrom?: Origin;
}

export interface InstanceSummary {
  id: string;
  name: string;
  description: string;
  createdAt: string;
  cycleCount: number;
  energyLevel: number;
}

export interface Deleted {
  id: string;
  deleted: boolean;
}

/** A receiver of events. `types`: what it gets; empty: all. */
export interface Webhook {
  id: string;
  url: string;
  types: string[];
  description: string;
  enabled: boolean;
  disabledReason: string | null;
  failingSince: string | null;
  createdAt: string;
}

/** A webhook with its secret, which is shown once. */
export interface WebhookWithSecret extends Webhook {
  secret: string;
}

/** A delivery of an event. pending: it is tried again; failed: given up; dropped: the webhook was off. */
export interface Delivery {
  id: string;
  type: string;
  createdAt: string;
  status: "pending" | "delivered" | "failed" | "dropped";
  attempts: number;
  responseStatus: number | null;
  milliseconds: number;
  response: string;
  triedAt: string;
}

/** A delivery that is under way. */
export interface Queued {
  id: string;
  status: string;
}

/** An event, as it is delivered: names as in the API's JSON. */
export interface WebhookEvent {
  id: string;
  type: string;
  timestamp: string;
  data: { account_id: string; instance_id?: string; name?: string; cycle?: number; record?: number; reason?: string; [name: string]: unknown };
}

export interface PersonaScore {
  id: string;
  score: number;
}

/** An agent's current state. The same history gives the same id. */
export interface Snapshot {
  id: string;
  instanceId: string;
  cycle: number;
  modeStrengths: ByMode;
  energyLevel: number;
  stressState: StressState;
  systemState: string;
  stabilityIndex: number;
  persona: { primary: PersonaScore | null; secondary: PersonaScore | null };
  composites: string[];
}

export interface SnapshotDetail extends Snapshot {
  cycleCount: number;
  engineVersion?: string;
  createdAt: string;
  updatedAt: string;
  memory: { [name: string]: unknown };
}

/** Why an action is allowed or forbidden, and when it returns. */
export interface Reason {
  action: string;
  allowed: boolean;
  rule: string;
  step: string;
  because: string;
  returnsWhen: string | null;
  calmCycles: number | null;
}

/** The contract's fields. `allowedActions` are ordered, most in character first; `forbiddenActions` are not only of the twelve. */
export interface ContractFields {
  dominantModes: string[];
  suppressedModes: string[];
  allowedActions: Action[];
  forbiddenActions: string[];
  stressState: StressState;
  systemState: string;
  energyLevel: number;
  stabilityIndex: number;
  shouldPause: boolean;
  pauseReason: string | null;
  shouldEscalate: boolean;
  escalationReason: string | null;
  maxStepsRemaining: number | null;
  trust: number;
  delegationAllowed: boolean;
  maxDelegationComplexity: string | null;
  collaborationStyle: string;
  verificationRequired: boolean;
  preferredActions: Action[];
  discouragedActions: Action[];
  actionAlignment: { [action: string]: number };
  decisionStyle: { tempo: string; risk: string; expressiveness: string; commitmentThreshold: string };
  recoveryProfile: { preferredPath: string; supportRequired: boolean; cooldownRequired: boolean };
  hardLocks: {
    optionSetMax: number | null;
    noveltyRate: number | null;
    noiseFilterMin: number | null;
    execStrictnessMin: number | null;
    goalResistanceMin: number | null;
    pivotThresholdMin: number | null;
  };
  narrativePrompt: string;
  explanation?: Reason[];
  /** Of an earlier contract: its cycle, and the audit record that it follows from. */
  cycle?: number;
  proof?: { record: number; at: string; engineVersion: string; digest: string };
}

const NO_REASON = "no reason given";

export interface Contract extends ContractFields {}

/** What an agent may do now. */
export class Contract {
  constructor(fields: ContractFields) {
    if (!Array.isArray(fields?.allowedActions)) throw new TypeError("not a contract");
    Object.assign(this, fields);
  }

  /** Whether the action is allowed now. Unknown actions are not. */
  allows(action: string): boolean {
    return (this.allowedActions as string[]).includes(action);
  }

  /**
   * Run `work` if the contract lets the action through, and return its result; otherwise throw, and nothing runs:
   *
   * - EscalatedError while the agent should escalate, PausedError while it should pause. Of the allowed actions only the safe ones
   *   (stabilize, clarify, defer, withdraw) pass then.
   * - ActionNotAllowedError if the action is not allowed for another reason.
   * - TypeError for an unknown word, such as a typo in plain JavaScript.
   */
  guard<T>(action: Action, work: () => T): T {
    if (!ACTIONS.includes(action)) throw new TypeError(`unknown action "${action}": one of ${ACTIONS.join(", ")}`);
    const allowed = this.allows(action);
    if (!(allowed && SAFE.has(action))) {
      const { allowedActions, stressState } = this;
      if (this.shouldEscalate) throw new EscalatedError(action, allowedActions, stressState, this.escalationReason ?? NO_REASON);
      if (this.shouldPause) throw new PausedError(action, allowedActions, stressState, this.pauseReason ?? NO_REASON);
      if (!allowed) throw new ActionNotAllowedError(action, allowedActions, stressState);
    }
    return work();
  }
}

/** The agent's deviation from its anchor; `level` is null during warm-up. */
export interface Drift {
  level: string | null;
  magnitude: number;
  deviation: ByMode;
  rolledBack: boolean;
}

/** The result of one observation. */
export interface Processed {
  snapshot: Snapshot;
  contract: Contract;
  drift: Drift;
}

/** The result of a batch: the state `final`, and all intermediate ones in `states` if requested. */
export interface BatchProcessed {
  processedCount: number;
  states: Processed[];
  final: Processed;
}

export interface GoalAssessment {
  decision: "accept" | "defer" | "reject";
  reason: string;
  energyCost: number;
  energyBudget: number;
}

/**
 * `initial`: as the agent was born; `default`: all modes at rest; `last_stable`: back to the last stable cycle; `rebaseline`: the
 * agent's present behaviour is the new normal. All keep the profile; the last two keep memory and cycle.
 */
export type ResetMode = "initial" | "last_stable" | "default" | "rebaseline";

export interface Reset {
  id: string;
  resetTo: ResetMode;
  cycle: number;
  energyLevel: number;
  stressState: StressState;
}

/** An observation as it was received, and the cycle that processed it. */
export interface AuditObservation {
  cycle: number;
  modeTarget: string;
  signalStrength: number;
  confidence: number;
  /** Missing in records from before severities existed. */
  severity?: Severity;
  context: Context;
  timestamp: string;
}

/** A processed observation and its number in the history. */
export interface HistoryRow extends AuditObservation {
  seq: number;
  severity: Severity;
}

/** What a cycle led to, in figures of four decimals; what engine 1.0.0 did not keep is null. */
export interface TimelineRow {
  seq: number;
  cycle: number;
  timestamp: string;
  stressStrength: number | null;
  stressState: string | null;
  energyLevel: number | null;
  driftDistance: number | null;
  driftLevel: string | null;
  allowedCount: number | null;
  /** incident, denied, paused, escalated, rolled_back, and the resets and retests that came after it. */
  flags: string[];
}

export interface DriftEvent {
  cycle: number;
  driftLevel: string;
  magnitude: number;
  deviation: ByMode;
  affectedModes: string[];
  rolledBack: boolean;
  timestamp: string;
}

/** The audit record of one request, chained to the previous record by its digest. */
/**
 * What another engine would have decided otherwise (`preview`), or the upgrade that was made. A preview has `cycles`,
 * `differingCycles`, `flips` (differing cycles by fact), `firstDifference` and both contracts; an upgrade `snapshot` and `contract`.
 */
export interface Upgrade {
  fromVersion: string;
  engineVersion: string;
  preview: boolean;
  /** "migrated" field by field, or "replayed" from the agent's birth. */
  how: string;
  contract: ContractFields;
  cycles?: number;
  differingCycles?: number;
  flips?: { [fact: string]: number };
  firstDifference?: {
    cycle: number;
    record: number;
    at: string;
    then: { [fact: string]: unknown };
    would: { [fact: string]: unknown };
  } | null;
  upgradedContract?: ContractFields;
  snapshot?: Snapshot;
}

export interface AuditRecord {
  record: number;
  kind: string;
  at: string;
  engineVersion: string;
  previous: string;
  digest: string;
  /** Missing in older records, as is the actor: the id of a key or of a user, or "command-line". */
  format?: number;
  actor?: string;
  /** Why, where a person said it. */
  note?: string;
  /** What took over, in the record of an upgrade. */
  upgrade?: { [name: string]: unknown };
  /** What it continues from, in the first record of a fork. */
  forkedFrom?: Origin;
  observations: AuditObservation[];
  snapshot?: Snapshot;
  state?: { [name: string]: unknown };
}

/** Whether the audit trail is intact. `verified` is null when it is too long for one request. */
export interface Verification {
  verified: boolean | null;
  records: number;
  replayed: number;
  firstMismatch: { record: number; reason: string; message: string } | null;
}

export interface Questions {
  version: string;
  questionCount: number;
  questions: { id: string; text: string; options: { id: string; text: string }[] }[];
}

export interface TestResult {
  instanceId: string;
  testCompleted: boolean;
  modeProfile: ByMode;
  matchedPersonas: { id: string; name: string; matchScore: number }[];
  snapshot: Snapshot;
  contract: Contract;
}

export interface Persona {
  id: string;
  name: string;
  archetype: string;
  description: string;
  dominantModes: string[];
  modeProfile: ByMode;
  coreValues: string[];
  decisionStyle: string;
}

export interface PersonaDetail extends Persona {
  longDescription: string;
  preferredActions: string[];
  stressRecovery: string;
}

type Json = { [name: string]: unknown };

/** Values whose names are not converted: callers' contexts and the engine's state. */
const OPAQUE = new Set(["context", "state"]);

/** A response with names in camelCase. Modes and callers' contexts stay unchanged. */
export function camel(value: unknown): unknown {
  return renamed(value, /^[a-z]/, (name) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
}

/** A request with the API's names. */
export function snake(value: unknown): unknown {
  return renamed(value, /^[a-z]/, (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

function renamed(value: unknown, which: RegExp, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((each) => renamed(each, which, rename));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json).map(([name, inner]) => [
      which.test(name) ? rename(name) : name,
      OPAQUE.has(name) ? inner : renamed(inner, which, rename),
    ]),
  );
}
