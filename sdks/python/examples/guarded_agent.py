"""An agent loop that guards its tools with the contract, reports failures, and stops when it must.

Set IDENTITY_OS_API_KEY and, for your own server, IDENTITY_OS_BASE_URL.
"""

from identity_os_sdk import Action, ActionNotAllowedError, Contract, IdentityOS, Mode

#: What the agent wants to do in each turn: the action, and whether its tool works. Looking things up is never refused for long,
#: so it goes on failing at that until the contract asks for a pause.
PLAN = [(Action.EXPLORE, True), (Action.EXECUTE, True)] + [(Action.EXECUTE, False)] * 4 + [(Action.CLARIFY, False)] * 30


def use_tool(action: Action, works: bool) -> None:
    """A tool that fails when its backend is unavailable."""
    if not works:
        raise ConnectionError(f"{action.value}: the backend is unavailable")


def turn(client: IdentityOS, agent: str, contract: Contract, action: Action, works: bool) -> Contract:
    """One turn: act if it is allowed, report what happened, and get the contract for the next one."""
    try:
        with contract.guard(action):
            use_tool(action, works)
    except ActionNotAllowedError as refused:
        print(f"  {action.value}: not allowed at stress {refused.stress_state}; the agent rests")
        return client.engine.process(agent, Mode.ORDER, 0.2, context={"refused": action.value}).contract
    except ConnectionError as failure:
        print(f"  {failure}")
        return client.engine.process(agent, Mode.STRESS_RESPONSE, 0.9, context={"failed": action.value}).contract
    print(f"  {action.value}: done")
    mode = Mode.EXPLORATION if action is Action.EXPLORE else Mode.ASSERTION
    return client.engine.process(agent, mode, 0.5, context={"did": action.value}).contract


def main() -> None:
    """Run the plan."""
    with IdentityOS() as client:
        agent = client.instances.create(name="Guarded").id
        contract = client.engine.get_contract(agent)
        for number, (action, works) in enumerate(PLAN, start=1):
            print(f"turn {number}: stress {contract.stress_state}, energy {contract.energy_level:.2f}")
            held = contract.escalation_reason or contract.pause_reason
            if held:
                print(f"  the agent stops: {held}")
                break
            contract = turn(client, agent, contract, action, works)
        client.instances.delete(agent)


if __name__ == "__main__":
    main()
