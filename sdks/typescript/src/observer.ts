/**
 * The observer: from what happened to what is reported. A pure function of an event and a small memory, the Python SDK's twin.
 *
 * Each rule is a row of `RULES`; the first that holds decides. The same events give the same observations in every framework and
 * language. What an observation carries names tools and hashes, never their text, unless the guard is told to record arguments.
 */

import { ConfigurationError } from "./errors.js";
import type { Action, Mode, Severity } from "./models.js";
import { TABLE } from "./observer-table.js";

/** Tools that the memory keeps apart; the oldest is forgotten. */
const REMEMBERED = 64;
/** A failure that time may mend. */
const PASSING = /time[d ]?-?\s?out|rate.?limit|too many requests|\b429\b/i;

/** The name of a row of the table. */
export type RuleName = (typeof TABLE.rules)[number]["name"];

/** A row of the table: the event, and what is reported of it. */
export interface Rule {
  readonly name: RuleName;
  readonly event: string;
  readonly mode: Mode;
  readonly strength: number;
}
export type Rules = { readonly [Name in RuleName]: Rule };

/** The table, by the names of its rows. It is a file, so that the SDKs of all languages read the same one. */
export const RULES = Object.fromEntries(TABLE.rules.map((row) => [row.name, row])) as Rules;
/** No failure is reported stronger than this. */
const MOST = TABLE.strongest_failure;
/** No success is stronger than this from stress MED on: an agent that works on must not look like one that rages. */
const UNDER_STRESS = TABLE.strongest_success_under_stress;

/** The table with other strengths, by the names of its rows. ConfigurationError for a row or strength that cannot be. */
export function rulesWith(strengths: { readonly [Name in RuleName]?: number }): Rules {
  const rules: { [name: string]: Rule } = { ...RULES };
  for (const [name, strength] of Object.entries(strengths)) {
    if (!Object.hasOwn(RULES, name)) {
      throw new ConfigurationError(`rules: no rule "${name}": one of ${Object.keys(RULES).join(", ")}`);
    }
    if (!(typeof strength === "number" && strength >= 0 && strength <= 1)) {
      throw new ConfigurationError(`rules.${name}: ${String(strength)}: a number from 0 to 1`);
    }
    rules[name] = { ...RULES[name as RuleName], strength };
  }
  return rules as Rules;
}

/** What happened. `kind` is a name of `RULES` for what is no call. `error` is undefined for a call that worked. */
export interface ObservedEvent {
  readonly kind: "call" | RuleName;
  readonly tool?: string;
  readonly action?: Action;
  readonly plan?: boolean;
  /** Hashes that stand for arguments and result. */
  readonly arguments?: string;
  readonly result?: string;
  readonly error?: string | undefined;
  readonly errorClass?: string | undefined;
}

/** What is remembered of one tool: the last call, how often it failed in a row, how often it brought the same. */
export interface ToolMemory {
  readonly arguments: string;
  readonly result: string;
  readonly failures: number;
  readonly same: number;
}
const NOTHING: ToolMemory = { arguments: "", result: "", failures: 0, same: 0 };

/** What the observer remembers: a little of each tool, the latest used last. */
export type Memory = ReadonlyMap<string, ToolMemory>;

/** What is reported: an observation, and the rule that made it. */
export interface Report {
  readonly rule: RuleName;
  readonly mode: Mode;
  readonly strength: number;
  readonly severity: Severity;
}

/** The memory after the event, and what to report of it. `stressed`: the contract's stress is MED or above. */
export function observe(memory: Memory, event: ObservedEvent, stressed = false, rules: Rules = RULES): [Memory, Report] {
  if (event.kind !== "call") {
    const { name, mode, strength } = rules[event.kind];
    return [memory, { rule: name, mode, strength, severity: name === "detector" ? "incident" : "normal" }];
  }
  const { tool = "", arguments: given = "", result = "" } = event;
  const known = memory.get(tool);
  const before = known ?? NOTHING;
  if (event.error !== undefined) {
    const { name, mode, strength } = rules[PASSING.test(`${event.errorClass} ${event.error}`) ? "passing" : "failed"];
    let sum = strength + rules.further.strength * before.failures;
    if (before.failures && before.arguments === given) sum += rules.again.strength;
    const after = { arguments: given, result: "", failures: before.failures + 1, same: 0 };
    return [remember(memory, tool, after), { rule: name, mode, strength: rounded(Math.min(sum, MOST)), severity: "normal" }];
  }
  const repeated = known !== undefined && before.result === result && before.arguments === given;
  const after = { arguments: given, result, failures: 0, same: repeated ? before.same + 1 : 1 };
  const { name, mode, strength } = rules[success(event, after, known === undefined)];
  const most = stressed && mode !== "STRESS_RESPONSE" ? UNDER_STRESS : 1;
  return [remember(memory, tool, after), { rule: name, mode, strength: Math.min(strength, most), severity: "normal" }];
}

/** The memory at a task's beginning: the tools are known, but what failed or repeated belongs to the task before. */
export function rested(memory: Memory): Memory {
  return new Map(Array.from(memory.keys(), (tool) => [tool, NOTHING]));
}

function success(event: ObservedEvent, after: ToolMemory, first: boolean): RuleName {
  const action = event.action ?? "execute";
  if (after.same >= 3) return "stuck";
  if (first || action === "explore") return "first";
  if (["execute", "challenge", "pivot"].includes(action)) return "changed";
  if (event.plan) return "planned";
  if (action === "defer") return "refused";
  if (["suggest", "question", "comfort"].includes(action)) return "message";
  return "read";
}

function remember(memory: Memory, tool: string, after: ToolMemory): Memory {
  const others = [...memory].filter(([name]) => name !== tool);
  return new Map([...others, [tool, after] as const].slice(-REMEMBERED));
}

/** To two decimals, as Python's round: to the nearest, a tie (which only an eighth can be) to the even one. */
function rounded(value: number): number {
  if (!Number.isInteger(value * 8)) return Number(value.toFixed(2));
  const below = Math.floor(value * 100);
  return (value * 100 === below ? below : below + (below % 2)) / 100;
}
