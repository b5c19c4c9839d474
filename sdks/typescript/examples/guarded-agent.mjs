// An agent loop that guards its tools with the contract, reports failures, and pauses when the contract says so.
// Set IDENTITY_OS_API_KEY and, for your own server, IDENTITY_OS_BASE_URL.
import { ActionNotAllowedError, IdentityOS, Mode } from "@identity-os/sdk";

// What the agent wants to do in each turn: the action, and whether its tool works.
const PLAN = [["explore", true], ["execute", true], ...Array(30).fill(["execute", false])];

function useTool(action, works) {
  if (!works) throw new Error(`${action}: the backend is unavailable`);
}

async function turn(client, agent, contract, action, works) {
  const report = async (modeTarget, signalStrength, context) =>
    (await client.engine.process(agent, { modeTarget, signalStrength, context })).contract;
  try {
    contract.guard(action, () => useTool(action, works));
  } catch (error) {
    if (error instanceof ActionNotAllowedError) {
      console.log(`  ${action}: not allowed at stress ${error.stressState}; the agent rests`);
      return report(Mode.ORDER, 0.2, { refused: action });
    }
    console.log(`  ${error.message}`);
    return report(Mode.STRESS_RESPONSE, 0.9, { failed: action });
  }
  console.log(`  ${action}: done`);
  return report(action === "explore" ? Mode.EXPLORATION : Mode.ASSERTION, 0.5, { did: action });
}

const client = new IdentityOS();
const { id: agent } = await client.instances.create({ name: "Guarded" });
let contract = await client.engine.getContract(agent);
for (const [number, [action, works]] of PLAN.entries()) {
  console.log(`turn ${number + 1}: stress ${contract.stressState}, energy ${contract.energyLevel.toFixed(2)}`);
  if (contract.shouldPause) {
    console.log(`  the agent pauses: ${contract.pauseReason}`);
    break;
  }
  contract = await turn(client, agent, contract, action, works);
}
await client.instances.delete(agent);
