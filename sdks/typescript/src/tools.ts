/**
 * Which action is this tool? The caller's map decides, then MCP annotations, then the tool's verb, else it counts as `execute`.
 *
 * Reading stays possible at every stress; what cannot be undone does not.
 */

import { ConfigurationError } from "./errors.js";
import { Action } from "./models.js";

/** The verbs of tool names, by the action that they mean. */
export const VERBS: { readonly [action: string]: readonly string[] } = {
  clarify: ["get", "read", "list", "fetch", "find", "lookup", "calculate", "check"],
  explore: ["search", "browse", "crawl"],
  question: ["ask"],
  suggest: ["send", "reply", "notify", "draft"],
  defer: ["transfer", "escalate", "handoff"],
  execute: ["create", "write", "update", "delete", "pay", "refund", "deploy", "run", "exec", "book", "cancel"],
};
const ACTION_OF_VERB = new Map(
  Object.entries(VERBS).flatMap(([action, verbs]) => verbs.map((verb): [string, Action] => [verb, action as Action])),
);
/** Verbs of calls that bring order: the agent calculates or checks before it acts. */
const ORDERLY = new Set(["calculate", "check"]);

/**
 * What a tool does. `action`: what the contract must allow. `outside`: the tool reaches outside, so that it is held while an
 * incident is young, even if it only reads. `plan`: the tool looks up a plan or a policy, calculates or checks.
 */
export interface ToolPolicy {
  action: Action;
  outside?: boolean;
  plan?: boolean;
}

/** Patterns as in Python's fnmatch (`*`, `?`, `[seq]`, `[!seq]`) to actions; the first that matches wins. */
export type Tools = { readonly [pattern: string]: Action | ToolPolicy };

/** MCP annotations of a tool. A title, or a hint that is null, declares nothing. */
export interface Annotations {
  title?: string | null | undefined;
  readOnlyHint?: boolean | null | undefined;
  destructiveHint?: boolean | null | undefined;
  idempotentHint?: boolean | null | undefined;
  openWorldHint?: boolean | null | undefined;
}

const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;

/** The action of a tool, and what said so. */
export interface ToolAction {
  readonly name: string;
  readonly action: Action;
  readonly source: "map" | "annotations" | "verb" | "default";
  readonly outside: boolean;
  readonly plan: boolean;
}

/** The actions of an agent's tools. */
export class ToolMap {
  readonly annotations = new Map<string, Annotations>();
  readonly #policies: [RegExp, ToolPolicy][];
  readonly #default: Action;

  constructor(tools: Tools = {}, byDefault: Action = Action.EXECUTE) {
    if (typeof tools !== "object" || tools === null || Array.isArray(tools)) {
      throw new ConfigurationError('tools is an object from patterns to actions, such as { refund: "execute" }');
    }
    const policies = Object.entries(tools).map(([pattern, given]): [string, ToolPolicy] => [
      pattern,
      typeof given === "object" ? given : { action: given },
    ]);
    // A word that is no action is found now, not at the first call.
    checkAction("default", byDefault);
    for (const [pattern, policy] of policies) checkAction(`tools[${JSON.stringify(pattern)}]`, policy?.action);
    this.#policies = policies.map(([pattern, policy]) => [matcher(pattern), policy]);
    this.#default = byDefault;
  }

  /** The action of a tool, by its name. */
  actionOf(name: string): ToolAction {
    for (const [pattern, { action, outside = false, plan = false }] of this.#policies) {
      if (pattern.test(name)) return { name, action, source: "map", outside, plan };
    }
    const annotated = this.annotations.get(name);
    // MCP's defaults (not read-only, destructive) hold for a server that declares at least one hint.
    if (annotated && HINTS.some((hint) => typeof annotated[hint] === "boolean")) {
      const outside = annotated.openWorldHint === true;
      return { name, action: byAnnotations(annotated), source: "annotations", outside, plan: false };
    }
    for (const verb of words(name)) {
      const action = ACTION_OF_VERB.get(verb);
      if (action) return { name, action, source: "verb", outside: false, plan: ORDERLY.has(verb) };
    }
    return { name, action: this.#default, source: "default", outside: false, plan: false };
  }
}

/** The words of a tool's name, in lower case: getUser and get-user alike. Of mcp__server__tool those of the tool. */
export function words(name: string): string[] {
  const own = name.split("__").at(-1)!;
  return (own.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? []).map((word) => word.toLowerCase());
}

function byAnnotations(annotations: Annotations): Action {
  if (annotations.readOnlyHint !== true) return Action.EXECUTE;
  return annotations.openWorldHint === true ? Action.EXPLORE : Action.CLARIFY;
}

function checkAction(where: string, action: unknown): void {
  const known: readonly unknown[] = Object.values(Action);
  if (known.includes(action)) return;
  throw new ConfigurationError(`${where}: ${JSON.stringify(action)} is no action: one of ${known.join(", ")}`);
}

/** The regular expression of a pattern of Python's fnmatch. */
function matcher(pattern: string): RegExp {
  const source = pattern.replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/g, (part, not: string | undefined, set: string | undefined) => {
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    if (set) return `[${not ? "^" : ""}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
    return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  try {
    return new RegExp(`^${source}$`, "u");
  } catch {
    throw new ConfigurationError(`tools[${JSON.stringify(pattern)}]: a range that runs backwards`);
  }
}
