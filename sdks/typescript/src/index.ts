/** Client and guard of Identity OS: report what an agent did, get the contract of what it may do now, hold its tools to it. */

export type { EventCallback, EventDetails } from "./callbacks.js";
export { Engine, IdentityOS, Instances, Personas, Test, type PageOptions, type WriteOptions } from "./client.js";
export * from "./errors.js";
export { Guard, type GuardEngine, type TaskPolicy } from "./guard.js";
export { Action, Contract, Mode } from "./models.js";
export type * from "./models.js";
export {
  observe,
  RULES,
  type Memory,
  type ObservedEvent,
  type Report,
  type Rule,
  type RuleName,
  type Rules,
  type ToolMemory,
} from "./observer.js";
export type { Detector, GuardOptions } from "./options.js";
export type { Annotations, ToolAction, ToolPolicy, Tools } from "./tools.js";
export type { Anchor, ClientOptions, LastResponse, RateLimit } from "./transport.js";
export { verifyWebhook, Webhooks } from "./webhooks.js";
export { decision, type GuardEvent, type Verdict } from "./verdicts.js";
