// An agent loop that guards its tools with the contract, reports failures, does something else when the contract refuses an action,
// and stops when the contract says so. Set IDENTITY_OS_API_KEY and, for your own server, IDENTITY_OS_BASE_URL.
import { Action, ActionNotAllowedError, EscalatedError, IdentityOS, Mode, PausedError } from "@identity-os/sdk";

// What the agent wants to do in each turn: the action, and whether the backend of its tools works.
const PLAN = [[Action.EXPLORE, true], [Action.EXECUTE, true], ...Array(30).fill([Action.EXECUTE, false])];

function useTool(action, works) {
  if (!works) throw new Error(`${action}: the backend is unavailable`);
}

async function turn(client, agent, contract, action, works) {
  const report = async (modeTarget, signalStrength, context) =>
    (await client.engine.process(agent, { modeTarget, signalStrength, context })).contract;
  try {
    contract.guard(action, () => useTool(action, works));
  } catch (error) {
    if (error instanceof EscalatedError || error instanceof PausedError) throw error;
    if (error instanceof ActionNotAllowedError) {
      const [instead] = contract.allowedActions;
      console.log(`  ${action}: not allowed at stress ${error.stressState}; the agent tries ${instead}`);
      return turn(client, agent, contract, instead, works);
    }
    console.log(`  ${error.message}`);
    return report(Mode.STRESS_RESPONSE, 0.9, { failed: action });
  }
  console.log(`  ${action}: done`);
  return report(action === Action.EXPLORE ? Mode.EXPLORATION : Mode.ASSERTION, 0.5, { did: action });
}

const client = new IdentityOS();
const { id: agent } = await client.instances.create({ name: "Guarded" });
try {
  let contract = await client.engine.getContract(agent);
  for (const [number, [action, works]] of PLAN.entries()) {
    console.log(`turn ${number + 1}: stress ${contract.stressState}, energy ${contract.energyLevel.toFixed(2)}`);
    contract = await turn(client, agent, contract, action, works);
  }
} catch (error) {
  if (error instanceof EscalatedError) console.log(`  the agent calls a human: ${error.reason}`);
  else if (error instanceof PausedError) console.log(`  the agent pauses: ${error.reason}`);
  else throw error;
} finally {
  await client.instances.delete(agent);
}
