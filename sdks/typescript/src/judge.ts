/** How a verdict is found: from the contract, the tool's action, what was denied before, and whether the engine answers. */

import { granted, RISKY, type Agent } from "./agent.js";
import { SAFE, type Action } from "./models.js";
import type { ToolAction } from "./tools.js";
import { verdict, type Verdict } from "./verdicts.js";

/** Milliseconds after which the last contract loses the risky four while the engine does not answer. */
const TRUSTED = 60_000;
/** Denials of one tool in a row that become a pause. */
const DENIALS = 3;

/** What holds while the engine does not answer: nothing, everything, or the last contract, for a minute with its risky actions. */
export type OnUnreachable = "deny" | "allow" | "safe";

/** Whether the engine answers: since when it failed, if it does, and what it failed with. */
export interface Reach {
  failedAt: number | undefined;
  failure: string;
}

/** Milliseconds since the engine answered last, undefined while it answers. */
function away(agent: Agent, { failedAt }: Reach): number | undefined {
  return failedAt === undefined ? undefined : performance.now() - (agent.answeredAt ?? failedAt);
}

function expired(agent: Agent): boolean {
  return agent.answeredAt === undefined || performance.now() - agent.answeredAt > TRUSTED;
}

/** Whether the contract lets an action through now. */
export function passes(agent: Agent, action: Action, reach: Reach): boolean {
  if (!agent.contract.allows(action)) return false;
  if (SAFE.has(action)) return true;
  if (agent.contract.shouldPause || agent.contract.shouldEscalate) return false;
  return !(RISKY.has(action) && reach.failedAt !== undefined && expired(agent));
}

/** An allowed call. */
export function allow({ name, action }: ToolAction, callId: string, reason: string): Verdict {
  return verdict({ kind: "allow", tool: name, action, callId, reason, trace: newTrace() });
}

/** The verdict on a call. Counts its denials, and uses up what a person allowed. */
export function judge(agent: Agent, tool: ToolAction, callId: string, onUnreachable: OnUnreachable, reach: Reach): Verdict {
  const { name, action } = tool;
  const now = agent.contract;
  const hold = (kind: "deny" | "pause", reason: string, message: string): Verdict =>
    verdict({ kind, tool: name, action, callId, message, reason, trace: newTrace() });

  const gone = away(agent, reach);
  if (gone !== undefined && onUnreachable === "allow") {
    return allow(tool, callId, `the engine does not answer; onUnreachable=allow (${Math.round(gone / 1000)} s)`);
  }
  if (gone !== undefined && onUnreachable === "deny") {
    const reason = "the engine does not answer, and onUnreachable=deny";
    return hold("deny", reason, `${name} is not allowed now: ${reason}. Wait, or ask a person.`);
  }
  const given = agent.tools.get(name);
  if (given && granted(given) && !now.shouldEscalate) {
    given.calls = Math.max(given.calls - 1, 0);
    return allow(tool, callId, "a person allowed the next calls");
  }
  const held = tool.outside && agent.incident !== "none";
  if (passes(agent, action, reach) && !held) return allow(tool, callId, "");
  if (now.shouldEscalate && !held) {
    const reason = `a human is needed: ${now.escalationReason}`;
    return hold("deny", reason, `${name} is not allowed: ${reason}. An operator decides by a reset of the agent.`);
  }
  const why = reasonOf(agent, action, held, reach);
  const asked = agent.tools.get(name) ?? { denials: 0, basis: "", calls: 0, until: 0 };
  agent.tools.set(name, asked);
  const basis = JSON.stringify([[...now.allowedActions].sort(), now.shouldPause, now.shouldEscalate]);
  if (asked.basis !== basis) Object.assign(asked, { denials: 0, basis });
  if (now.shouldPause || asked.denials >= DENIALS) return hold("pause", why, `${name} waits for a person: ${why}.`);
  asked.denials++;
  return hold("deny", why, `${name} is not allowed now: ${why}. Prefer ${now.allowedActions.slice(0, 3).join(", ")}.`);
}

function reasonOf(agent: Agent, action: Action, held: boolean, { failedAt, failure }: Reach): string {
  if (agent.answeredAt === undefined) return `the engine has not answered yet${failure && ` (${failure})`}`;
  if (held) return "an incident is young, and this tool reaches outside";
  if (agent.contract.shouldPause) return `the agent should pause: ${agent.contract.pauseReason}`;
  if (failedAt !== undefined && RISKY.has(action) && expired(agent)) {
    return "the engine has not answered for a minute, so risky actions wait";
  }
  return `${action} is not allowed while stress is ${agent.contract.stressState}`;
}

function newTrace(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}
