"""An agent loop that guards its tools with the contract, reports failures, and pauses when the contract says so.

Set IDENTITY_OS_API_KEY and, for your own server, IDENTITY_OS_BASE_URL.
"""

from identity_os_sdk import ActionNotAllowedError, Contract, IdentityOS, Mode

#: What the agent wants to do in each turn: the action, and whether its tool works.
PLAN = [("explore", True), ("execute", True)] + [("execute", False)] * 30


def use_tool(action: str, works: bool) -> None:
    """A tool that fails when its backend is unavailable."""
    if not works:
        raise ConnectionError(f"{action}: the backend is unavailable")


def turn(client: IdentityOS, agent: str, contract: Contract, action: str, works: bool) -> Contract:
    """One turn: act if it is allowed, report what happened, and get the contract for the next one."""
    try:
        with contract.guard(action):
            use_tool(action, works)
    except ActionNotAllowedError as refused:
        print(f"  {action}: not allowed at stress {refused.stress_state}; the agent rests")
        return client.engine.process(agent, Mode.ORDER, 0.2, context={"refused": action}).contract
    except ConnectionError as failure:
        print(f"  {failure}")
        return client.engine.process(agent, Mode.STRESS_RESPONSE, 0.9, context={"failed": action}).contract
    print(f"  {action}: done")
    mode = Mode.EXPLORATION if action == "explore" else Mode.ASSERTION
    return client.engine.process(agent, mode, 0.5, context={"did": action}).contract


def main() -> None:
    """Run the plan."""
    with IdentityOS() as client:
        agent = client.instances.create(name="Guarded").id
        contract = client.engine.get_contract(agent)
        for number, (action, works) in enumerate(PLAN, start=1):
            print(f"turn {number}: stress {contract.stress_state}, energy {contract.energy_level:.2f}")
            if contract.should_pause:
                print(f"  the agent pauses: {contract.pause_reason}")
                break
            contract = turn(client, agent, contract, action, works)
        client.instances.delete(agent)


if __name__ == "__main__":
    main()
