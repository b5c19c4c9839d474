/** What a guard knows of one agent: the contract as last known, calls, denials, what the observer remembers. */

import { Action, Contract } from "./models.js";
import type { Memory } from "./observer.js";
import type { Verdict } from "./verdicts.js";

/** Removed as soon as something is wrong. */
export const RISKY: ReadonlySet<string> = new Set([Action.EXECUTE, Action.CHALLENGE, Action.EXPLORE, Action.PIVOT]);
/** Verdicts and attempts that are remembered. */
const REMEMBERED = 10_000;

/** One attempt of one call: what was said of it, and whether it is over. */
export interface Call {
  verdict: Verdict;
  readonly attempt: number;
  readonly arguments: string;
  readonly shown?: unknown;
  over: boolean;
}

/** Denials in a row of a tool, the contract at the first of them, and what a person allowed. */
export interface ToolState {
  denials: number;
  basis: string;
  calls: number;
  until: number;
}

export interface Agent {
  readonly instanceId: string;
  contract: Contract;
  answeredAt: number | undefined;
  memory: Memory;
  readonly calls: Map<string, Call>;
  readonly tools: Map<string, ToolState>;
  /** found (on its way to the engine), or young (the engine knows, and stress has not fallen below HIGH since) */
  incident: "none" | "found" | "young";
}

/** An agent that nobody knows anything of yet. */
export function unknownAgent(instanceId: string): Agent {
  return {
    instanceId,
    contract: placeholder(),
    answeredAt: undefined,
    memory: new Map(),
    calls: new Map(),
    tools: new Map(),
    incident: "none",
  };
}

/** Remember a call as the latest; the oldest of too many is forgotten. */
export function remember(agent: Agent, callId: string, call: Call): void {
  agent.calls.delete(callId);
  agent.calls.set(callId, call);
  for (const oldest of agent.calls.keys()) {
    if (agent.calls.size <= REMEMBERED) return;
    agent.calls.delete(oldest);
  }
}

/** Whether a person allowed further calls. */
export function granted(tool: ToolState): boolean {
  return tool.calls > 0 || tool.until > performance.now();
}

/** What holds before any answer: everything but the risky four. */
function placeholder(): Contract {
  return new Contract({
    dominantModes: [],
    suppressedModes: [],
    allowedActions: Object.values(Action).filter((action) => !RISKY.has(action)),
    forbiddenActions: ["emotional_manipulation", "identity_override", ...[...RISKY].sort()],
    stressState: "LOW",
    systemState: "baseline",
    energyLevel: 0,
    stabilityIndex: 0,
    shouldPause: false,
    pauseReason: null,
    shouldEscalate: false,
    escalationReason: null,
    maxStepsRemaining: null,
    trust: 0,
    delegationAllowed: false,
    maxDelegationComplexity: null,
    collaborationStyle: "supervised",
    verificationRequired: true,
    preferredActions: [],
    discouragedActions: [],
    actionAlignment: {},
    decisionStyle: { tempo: "measured", risk: "averse", expressiveness: "low", commitmentThreshold: "high" },
    recoveryProfile: { preferredPath: "baseline", supportRequired: false, cooldownRequired: false },
    hardLocks: {
      optionSetMax: null,
      noveltyRate: null,
      noiseFilterMin: null,
      execStrictnessMin: null,
      goalResistanceMin: null,
      pivotThresholdMin: null,
    },
    narrativePrompt: "Take no risks until the guard has heard from its engine.",
  });
}
