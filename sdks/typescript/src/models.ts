/** What the API answers, in camelCase. Fields that a later API adds come along. */

import { ActionNotAllowedError } from "./errors.js";

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

export type StressState = "LOW" | "MED" | "HIGH" | "OVER";
export type ByMode = { [mode: string]: number };
export type Context = { [name: string]: unknown };

/** What an agent just did: its mode, how strongly (0..1), how sure that is (0..1), a context up to 8 KB as JSON. */
export interface Observation {
  modeTarget: Mode | string;
  signalStrength: number;
  confidence?: number;
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
}

export interface Instance {
  id: string;
  name: string;
  description: string;
  createdAt: string;
  updatedAt: string;
}

export interface InstanceDetail extends Instance {
  cycleCount: number;
  energyLevel: number;
  stressState: StressState;
  stabilityIndex: number;
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

export interface PersonaScore {
  id: string;
  score: number;
}

/** Where an agent stands. The same history gives the same id. */
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
  createdAt: string;
  updatedAt: string;
  memory: { [name: string]: unknown };
}

/** Why an action is allowed or not, and what would bring it back. */
export interface Reason {
  action: string;
  allowed: boolean;
  rule: string;
  step: string;
  because: string;
  returnsWhen: string | null;
  calmCycles: number | null;
}

/** The contract's fields. `allowedActions` stand most in character first. */
export interface ContractFields {
  dominantModes: string[];
  suppressedModes: string[];
  allowedActions: string[];
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
  preferredActions: string[];
  discouragedActions: string[];
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
}

export interface Contract extends ContractFields {}

/** What an agent may do now. */
export class Contract {
  constructor(fields: ContractFields) {
    if (!Array.isArray(fields?.allowedActions)) throw new TypeError("not a contract");
    Object.assign(this, fields);
  }

  /** Whether the action is allowed now. What the contract does not know is not. */
  allows(action: string): boolean {
    return this.allowedActions.includes(action);
  }

  /** Run `work` only if the action is allowed, and answer what it does; ActionNotAllowedError if it is not. */
  guard<T>(action: string, work: () => T): T {
    if (!this.allows(action)) throw new ActionNotAllowedError(action, this.allowedActions, this.stressState);
    return work();
  }
}

/** Where the agent stands against its anchor; `level` is null in warm-up. */
export interface Drift {
  level: string | null;
  magnitude: number;
  deviation: ByMode;
  rolledBack: boolean;
}

/** What an observation led to. */
export interface Processed {
  snapshot: Snapshot;
  contract: Contract;
  drift: Drift;
}

/** What a batch led to: `final`, and in `states` every state on the way where it was asked for. */
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

export interface Reset {
  id: string;
  resetTo: string;
  cycle: number;
  energyLevel: number;
  stressState: StressState;
}

export interface HistoryRow {
  seq: number;
  cycle: number;
  modeTarget: string;
  signalStrength: number;
  confidence: number;
  context: Context;
  timestamp: string;
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

/** What one request did, chained to the record before by its digest. */
export interface AuditRecord {
  record: number;
  kind: string;
  at: string;
  engineVersion: string;
  previous: string;
  digest: string;
  observations: { [name: string]: unknown }[];
  snapshot?: Snapshot;
  state?: { [name: string]: unknown };
}

/** Whether the audit trail is whole. `verified` is null when it is too long for one answer. */
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

/** What callers wrote, or the engine stores whole: its names are left as they are. */
const OPAQUE = new Set(["context", "state"]);

/** An answer's names in camelCase. Modes and what callers wrote stay as they are. */
export function camel(value: unknown): unknown {
  return renamed(value, /^[a-z]/, (name) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
}

/** A request's names as the API has them. */
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
