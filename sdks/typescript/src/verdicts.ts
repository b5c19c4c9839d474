/** What a guard says of a call, and what a person says of a paused one. */

import type { Action } from "./models.js";

/** What callbacks hear of. */
export const EVENTS = ["stress", "denied", "paused", "rolled_back", "unreachable"] as const;
export type GuardEvent = (typeof EVENTS)[number];

/** What a guard says of a call. */
export interface Verdict {
  /** pause: ask a person, then `approve` or `refuse` it by its `callId`. */
  readonly kind: "allow" | "deny" | "pause";
  /** Whether the call may be made. */
  readonly allowed: boolean;
  readonly tool: string;
  readonly action: Action;
  readonly callId: string;
  /** The text for the model, empty when the call is allowed. */
  readonly message: string;
  /** Why, for people. */
  readonly reason: string;
  /** It is in the report of the call, too. */
  readonly trace: string;
  /** Who decided about a paused call. */
  readonly by: string;
}

/** A verdict of what is told; the rest is empty. */
export function verdict(told: Pick<Verdict, "kind" | "tool" | "action" | "callId"> & Partial<Verdict>): Verdict {
  return { message: "", reason: "", trace: "", by: "", ...told, allowed: told.kind === "allow" };
}

/**
 * What a person decided, and who: from "approve", "refuse", a truth value, or { decision, by }.
 *
 * Whatever else it is, is a refusal: nothing runs because an answer was not understood.
 */
export function decision(value: unknown): { decision: "approve" | "refuse"; by: string } {
  let by = "unknown";
  if (typeof value === "object" && value !== null) {
    const told = value as { decision?: unknown; approved?: unknown; by?: unknown };
    by = String(told.by ?? by);
    value = told.decision ?? told.approved;
  }
  const approved = value === true || (typeof value === "string" && value.toLowerCase() === "approve");
  return { decision: approved ? "approve" : "refuse", by };
}
