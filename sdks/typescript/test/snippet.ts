// The seed's snippet, type-checked in strict mode as a user's own code is.
import { Action, EscalatedError, Guard, IdentityOS, InvalidRequestError, Mode, PausedError, type Contract, type Verdict } from "@identity-os/sdk";

export async function snippet(): Promise<Contract> {
  const client = new IdentityOS({ apiKey: "idos_sk_xxx" });
  const instance = await client.instances.create({ name: "Aria" });
  const result = await client.engine.process(instance.id, {
    modeTarget: Mode.EXPLORATION,
    signalStrength: 0.8
  });
  for await (const row of client.engine.iterateHistory(instance.id)) {
    const strength: number = row.signalStrength;
    // @ts-expect-error A row has no such name.
    row.signal_strength;
    if (strength > 1) throw new InvalidRequestError(400, {}, null);
  }
  // @ts-expect-error A goal's complexity is one of four words.
  await client.engine.assessGoal(instance.id, { complexity: "huge" });
  await client.engine.process(instance.id, { modeTarget: Mode.STRESS_RESPONSE, signalStrength: 0.9, severity: "incident" });
  // @ts-expect-error A severity is one of two words.
  await client.engine.process(instance.id, { modeTarget: Mode.STRESS_RESPONSE, signalStrength: 0.9, severity: "grave" });
  await guards(client);
  const reset = await client.engine.reset(instance.id, "rebaseline", { note: "looked at it" });
  // @ts-expect-error A reset's mode is one of four words.
  if (reset.resetTo === "rebase") return result.contract;
  // @ts-expect-error Not an action.
  result.contract.guard("exceute", () => {});
  for (const action of result.contract.allowedActions) result.contract.guard(action, () => {});
  try {
    result.contract.guard(Action.EXECUTE, () => {});
  } catch (error) {
    const reason: string | undefined = error instanceof EscalatedError || error instanceof PausedError ? error.reason : undefined;
    if (reason) return result.contract;
  }
  return result.contract.guard("execute", () => result.contract);
}

async function guards(client: IdentityOS): Promise<string> {
  const guard = await Guard.open(client, "support-bot", {
    tools: { "search_*": Action.EXPLORE, fetch_page: { action: "clarify", outside: true } },
    detectors: [(text) => text.includes("IGNORE"), async () => "mild"],
    rules: { failed: 0.6 },
    profile: { riskPosture: "averse" },
  });
  const verdict: Verdict = await guard.beforeTool("refund", { order: 7 }, "call-1");
  if (verdict.kind === "pause") await guard.approve(verdict.callId, "ops", { minutes: 10 });
  await guard.afterTool("refund", "call-1", { error: new Error("down") });
  guard.on("denied", ({ tool, reason }) => console.log(tool, reason));
  const answer: number = await guard.task("refunds", async (same) => same.contract.energyLevel);
  // @ts-expect-error Not an action.
  new Guard(client.engine, "inst_1", { tools: { refund: "exceute" } });
  // @ts-expect-error The table has no such row.
  new Guard(client.engine, "inst_1", { rules: { fail: 0.6 } });
  // @ts-expect-error There is no such event.
  guard.on("stressed", () => {});
  return `${verdict.message} ${answer} ${guard.wouldHave.deny} ${(await client.instances.list({ name: "support-bot" })).data.length}`;
}
