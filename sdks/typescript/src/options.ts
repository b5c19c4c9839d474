/** What a guard can be told when it is made. */

import { ConfigurationError } from "./errors.js";
import type { OnUnreachable } from "./judge.js";
import type { Action } from "./models.js";
import type { RuleName } from "./observer.js";
import type { Tools } from "./tools.js";

/** Called with each tool result and message as text. What is true is an incident, the word "mild" a mild report. May be awaited. */
export type Detector = (text: string) => unknown;

export interface GuardOptions {
  /** Patterns to the action that a tool needs, or to a ToolPolicy. */
  tools?: Tools | undefined;
  /** The action of a tool that no pattern, annotation or verb tells; execute if it is not given. */
  default?: Action | undefined;
  /** enforce (the default), or observe, which lets all through and counts in `wouldHave`. */
  mode?: "enforce" | "observe" | undefined;
  /**
   * What holds while the engine does not answer. safe (the default): the last contract, without the risky four once it is older
   * than a minute. deny: nothing, not even reads. allow: everything.
   */
  onUnreachable?: OnUnreachable | undefined;
  detectors?: Iterable<Detector> | undefined;
  /** await (the default), or background: the contract is one step behind then, and failures and incidents are awaited. */
  report?: "await" | "background" | undefined;
  /** "arguments" puts arguments into the context of reports; without it only hashes leave this process. */
  record?: "hashes" | "arguments" | undefined;
  /** Name of this run: part of each report's Idempotency-Key; call ids must be unique in it. Default: each guard has its own. */
  run?: string | undefined;
  /** Strengths of the observer's table that are other than its own, 0..1, by the names of its rows. */
  rules?: { readonly [Name in RuleName]?: number } | undefined;
  /** Called with what went wrong, never with arguments or results. Default: console.warn. */
  log?: ((line: string) => void) | undefined;
}

/** The words among the options, with defaults. ConfigurationError for one that is none of its words. */
export function checked(options: GuardOptions): Required<Pick<GuardOptions, "mode" | "record" | "report">> & {
  onUnreachable: OnUnreachable;
} {
  const { mode = "enforce", onUnreachable = "safe", record = "hashes", report = "await" } = options;
  const choices: [string, string, string[]][] = [
    ["mode", mode, ["enforce", "observe"]],
    ["onUnreachable", onUnreachable, ["deny", "allow", "safe"]],
    ["record", record, ["hashes", "arguments"]],
    ["report", report, ["await", "background"]],
  ];
  for (const [name, value, known] of choices) {
    if (!known.includes(value)) throw new ConfigurationError(`${name}: ${JSON.stringify(value)}: one of ${known.join(", ")}`);
  }
  return { mode, onUnreachable, record, report };
}
