// The adapter, type-checked in strict mode against the installed version of the AI SDK, as a user's own code is.
import { generateText, jsonSchema, stepCountIs, streamText, tool, ToolLoopAgent, type LanguageModel } from "ai";
import { Guard, IdentityOS } from "@identity-os/sdk";
import { guarded } from "@identity-os/sdk/ai";

export async function snippet(model: LanguageModel): Promise<string> {
  const client = new IdentityOS({ apiKey: "idos_sk_xxx" });
  const guard = await Guard.open(client, "support-bot", {
    tools: { refund: "execute", "search_*": { action: "explore", outside: true } },
  });
  const refund = tool({
    description: "Pay an order back.",
    inputSchema: jsonSchema<{ order: string }>({
      type: "object",
      properties: { order: { type: "string" } },
      required: ["order"],
    }),
    execute: async ({ order }) => ({ paid: order }),
  });
  const settings = { model, tools: { refund }, stopWhen: stepCountIs(5) };
  const result = await generateText({ ...guarded(guard, settings, { by: "ops" }), prompt: "Pay A-7 back." });
  for (const each of result.toolResults) {
    // The tools keep their types.
    if (!each.dynamic && each.toolName === "refund") each.output.paid.toUpperCase();
  }
  const { text } = await generateText(
    guarded(guard, { model, tools: { refund }, prompt: "Pay A-7 back.", stopWhen: stepCountIs(5) }),
  );
  streamText(guarded(guard, { model: "some/model", tools: { refund }, prompt: "Pay A-7 back." }));
  const agent = new ToolLoopAgent(guarded(guard, { model, tools: { refund } }));
  await agent.generate({ prompt: "Pay A-7 back." });
  // @ts-expect-error There is no such option.
  guarded(guard, settings, { who: "ops" });
  // @ts-expect-error A guard comes first.
  guarded(settings);
  return text;
}
