// What a contract's guard lets through, and which error says why not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Action, ActionNotAllowedError, Contract, EscalatedError, IdentityOSError, PausedError } from "@identity-os/sdk";

const ALL = Object.values(Action);
const SAFE = ["stabilize", "clarify", "defer", "withdraw"];
const PAUSE = { shouldPause: true, pauseReason: "energy is 0.04 under stress" };
const ESCALATE = { shouldEscalate: true, escalationReason: "OVER for 10 cycles" };

const contract = (allowedActions, more = {}) =>
  new Contract({ allowedActions, stressState: "LOW", shouldPause: false, pauseReason: null, shouldEscalate: false, escalationReason: null, ...more });

/** The error of a guard, whose work must not run. */
function refusal(contract, action) {
  try {
    contract.guard(action, () => assert.fail("the work ran"));
  } catch (error) {
    return error;
  }
}

/** The actions that a contract's guard lets through. */
const passes = (contract) =>
  ALL.filter((action) => {
    try {
      return contract.guard(action, () => true);
    } catch (error) {
      assert.ok(error instanceof ActionNotAllowedError, String(error.stack));
      return false;
    }
  });

test("there are twelve actions, each named as the API names it", () => {
  const names = "explore question elaborate suggest execute pivot challenge comfort clarify stabilize defer withdraw";
  assert.deepEqual(ALL, names.split(" "));
  for (const [name, action] of Object.entries(Action)) assert.equal(name.toLowerCase(), action);
});

test("an unknown action is a mistake in the program, whatever the contract says", () => {
  for (const each of [contract(ALL), contract([], PAUSE), contract([], ESCALATE), contract(["exceute"])]) {
    const error = refusal(each, "exceute");
    assert.equal(error.constructor, TypeError);
    assert.equal(error.message, `unknown action "exceute": one of ${ALL.join(", ")}`);
  }
  for (const word of ["emotional_manipulation", "Execute", "toString", "", undefined]) {
    assert.equal(refusal(contract(ALL), word).constructor, TypeError, word);
  }
});

test("an allowed action runs, and the guard returns its result", async () => {
  assert.deepEqual(passes(contract(ALL)), ALL);
  assert.equal(contract(["execute"]).guard(Action.EXECUTE, () => 7), 7);
  assert.equal(await contract(["execute"]).guard(Action.EXECUTE, async () => 7), 7);
  const own = new Error("the tool's own");
  assert.throws(() => contract(["execute"]).guard(Action.EXECUTE, () => { throw own; }), (error) => error === own);
});

test("an action that is not allowed does not run", () => {
  const error = refusal(contract(["clarify", "defer"], { stressState: "HIGH" }), Action.EXECUTE);
  assert.equal(error.constructor, ActionNotAllowedError);
  assert.deepEqual([error.name, error.action, error.allowed, error.stressState], ["ActionNotAllowedError", "execute", ["clarify", "defer"], "HIGH"]);
  assert.equal(error.message, "execute is not allowed at stress HIGH; allowed: clarify, defer");
  assert.equal(refusal(contract(["execute"]), Action.DEFER).constructor, ActionNotAllowedError);
});

for (const [name, flags, kind, message, reason] of [
  ["pause", PAUSE, PausedError, "execute waits: the agent should pause: energy is 0.04 under stress", PAUSE.pauseReason],
  ["escalate", ESCALATE, EscalatedError, "execute is not allowed: a human is needed: OVER for 10 cycles", ESCALATE.escalationReason],
  ["escalate, pause or not", { ...PAUSE, ...ESCALATE }, EscalatedError, "execute is not allowed: a human is needed: OVER for 10 cycles", ESCALATE.escalationReason],
]) {
  test(`${name}: of the allowed actions only the safe ones pass`, () => {
    assert.deepEqual(passes(contract(ALL, flags)).sort(), [...SAFE].sort());
    assert.deepEqual(passes(contract(["execute", "defer"], flags)), ["defer"]);
  });

  test(`${name}: the error says what was asked and why it must wait`, () => {
    for (const allowed of [ALL, SAFE, []]) {
      const error = refusal(contract(allowed, { stressState: "OVER", ...flags }), Action.EXECUTE);
      assert.equal(error.constructor, kind);
      assert.ok(error instanceof ActionNotAllowedError && error instanceof IdentityOSError);
      assert.equal(error.message, message);
      assert.deepEqual([error.name, error.action, error.allowed, error.stressState, error.reason], [kind.name, "execute", allowed, "OVER", reason]);
    }
    assert.equal(refusal(contract(["execute"], flags), Action.DEFER).constructor, kind);
  });
}
