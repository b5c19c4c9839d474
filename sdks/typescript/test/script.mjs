// What happens in a story, and who plays it without any framework. Nothing here is Node's own: a browser plays it, too.
import { Guard } from "@identity-os/sdk";

export const TOOLS = { pay: "execute", read_file: "clarify", search_web: "explore" };

/** What happens in a story: the model's calls, what the tools do, and what a person answers when asked. */
export class Script {
  /** The tools that really ran, in order. */
  ran = [];

  constructor(story) {
    this.calls = story.calls.map(([tool, target]) => ({ tool, args: { target } }));
    this.tools = [...new Set(this.calls.map((call) => call.tool))].sort();
    this.decisions = [...(story.decisions ?? [])];
    this.outcomes = story.tools;
  }

  run(tool, { target }) {
    this.ran.push(tool);
    const { error, result } = this.outcomes[tool];
    if (error) throw new Error(error);
    return `${result} ${target}`;
  }

  /** What a message to the model is: result, error, denied, or refused. */
  kindOf(message) {
    if (message.includes("was refused by a person")) return "refused";
    if (message.includes("is not allowed") || message.includes("waits for a person")) return "denied";
    return Object.values(this.outcomes).some(({ error }) => error && message.includes(error)) ? "error" : "result";
  }
}

/** A client's engine that keeps what was reported. `wrong` answers what goes wrong: an Error is thrown, another value answered. */
export function recordingEngine(client, wrong = () => undefined) {
  const engine = {
    reports: [],
    sent: [],
    wrong,
    async process(id, observation, options) {
      const amiss = engine.wrong();
      if (amiss instanceof Error) throw amiss;
      const { modeTarget, signalStrength, severity } = observation;
      engine.reports.push([modeTarget, signalStrength, ...(severity === "incident" ? [severity] : [])]);
      engine.sent.push({ id, ...observation, ...options });
      const processed = await client.engine.process(id, observation, options);
      return amiss === undefined ? processed : amiss;
    },
    async getContract(id) {
      const amiss = engine.wrong();
      if (amiss instanceof Error) throw amiss;
      return amiss === undefined ? client.engine.getContract(id) : amiss;
    },
    reset: (id, mode) => client.engine.reset(id, mode),
    get keyScope() {
      return client.engine.keyScope;
    },
  };
  return engine;
}

export const away = () => new Error("the engine is away");

/** A guard as a story wants it, over a new agent. */
export async function newGuard(client, story, options = {}) {
  const engine = recordingEngine(client, story.away ? away : undefined);
  const detectors = story.detector ? [(text) => text.includes(story.detector)] : [];
  const { id } = await client.instances.create({ name: story.name });
  return new Guard(engine, id, { tools: TOOLS, detectors, onUnreachable: story.on_unreachable, log: () => {}, ...options });
}

/** The script without a framework, with every hook called twice: what the model receives for each call. */
export async function play(script, guard) {
  const messages = [];
  for (const [number, { tool, args }] of script.calls.entries()) {
    const id = `call_${number}`;
    let verdict = await guard.beforeTool(tool, args, id);
    if ((await guard.beforeTool(tool, args, id)) !== verdict) throw new Error("a second verdict on the same call");
    if (verdict.kind === "pause") {
      const approved = script.decisions.shift() === "approve";
      verdict = await (approved ? guard.approve(id, "ops@example.test") : guard.refuse(id, "ops@example.test"));
    }
    if (!verdict.allowed) {
      messages.push(verdict.message);
      continue;
    }
    try {
      const result = script.run(tool, args);
      await guard.afterTool(tool, id, { result });
      messages.push(result);
    } catch (error) {
      await guard.afterTool(tool, id, { error });
      messages.push(error.message);
    }
    await guard.afterTool(tool, id, { result: "again" });
  }
  return messages;
}

/** What came of a story: to be compared with its `expected`. */
export async function outcome(client, story, play) {
  const guard = await newGuard(client, story);
  const script = new Script(story);
  const messages = await play(script, guard);
  // What the engine has must be what was reported.
  const rows = (await client.engine.getHistory(guard.instanceId, { limit: 100 })).data.reverse();
  const history = rows.map((row) => [
    row.modeTarget,
    row.signalStrength,
    ...(row.severity === "incident" ? [row.severity] : []),
  ]);
  const seen = messages.map((message) => script.kindOf(message));
  return { seen, ran: script.ran, reports: guard.engine.reports, history };
}
