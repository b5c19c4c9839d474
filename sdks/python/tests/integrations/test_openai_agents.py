"""The adapter for the OpenAI Agents SDK, with the SDK's own scripted model."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import agents
import mcp.types
import pytest
import story
from agents import Agent, AgentHooks, FunctionTool, RunConfig, Runner, RunState, WebSearchTool, function_tool, tool_namespace
from agents.mcp import MCPServer
from agents.testing import ScriptedModel, assistant_message, function_call
from fixed_guard import FixedGuard
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.openai_agents import BROKEN, decide, decide_async, guarded
from identity_os_sdk.local import LocalEngine

agents.set_tracing_disabled(True)


def play(script, guard):
    """Run the calls of `script` as a real agent; return what the model received for each."""

    def tool(name):
        @function_tool(name_override=name, failure_error_function=lambda _, error: str(error))
        def run(target: str) -> str:
            return script.run(name, {"target": target})

        return run

    agent = Agent(name="story", tools=[tool(name) for name in script.tools], model=scripted(*script.calls))
    return asyncio.run(_answered(guarded(agent, guard), guard, iter(script.decisions)))


async def _answered(agent, guard, decisions):
    result = await Runner.run(agent, "Please.", max_turns=100)
    while result.interruptions:
        state = result.to_state()
        for interruption in result.interruptions:
            decide(guard, state, interruption, {"decision": next(decisions), "by": "ops@example.test"})
        result = await Runner.run(agent, state, max_turns=100)
    assert result.final_output == "done"
    return received(agent)


def scripted(*calls):
    """A model that makes one call a turn, then says done."""
    turns = [[function_call(call.tool, call.args, call_id=f"call_{turn}")] for turn, call in enumerate(calls)]
    return ScriptedModel([*turns, [assistant_message("done")]])


def received(agent):
    """The tools' results in the last request to the model."""
    return [item["output"] for item in agent.model.last_call.input if item.get("type") == "function_call_output"]


test_conformance = story.cases(play)
test_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("openai_agents", play)
test_against_the_api = story.against_the_api(play)


# What is special to this framework


class Call:
    def __init__(self, tool, **args):
        self.tool, self.args = tool, args


@function_tool
def search(target: str, limit: int = 3) -> str:
    """Find orders."""
    return f"{limit} of {target}"


@function_tool
def refund(target: str) -> str:
    """Pay back."""
    if target == "declined":
        raise LookupError("card declined")
    return "refunded"


def support(*calls, tools=(search, refund), **settings):
    return Agent(name="support", instructions="Be kind.", tools=list(tools), model=scripted(*calls), **settings)


def test_a_denial_is_the_tools_result_and_a_guardrail_result():
    guard = FixedGuard(refund="deny")
    agent = guarded(support(Call("search", target="A1"), Call("refund", target="A1")), guard)
    result = Runner.run_sync(agent, "Money back!")
    assert received(agent) == ["3 of A1", "refund is not allowed now"]
    assert [found.output.behavior["type"] for found in result.tool_input_guardrail_results] == ["allow", "reject_content"]
    assert guard.seen == [("search", "call_0", "3 of A1")]


def test_a_denied_tool_does_not_run_in_a_streamed_run():
    guard = FixedGuard(refund="deny")
    agent = guarded(support(Call("refund", target="A1")), guard)

    async def run():
        result = Runner.run_streamed(agent, "Money back!")
        return [event async for event in result.stream_events()]

    asyncio.run(run())
    assert received(agent) == ["refund is not allowed now"]
    assert guard.seen == []


def test_a_default_argument_does_not_make_a_call_wait_for_approval():
    result = Runner.run_sync(guarded(support(Call("search", target="A1")), FixedGuard()), "hi")
    assert result.interruptions == []


def test_an_exception_is_reported_although_the_model_gets_a_text():
    guard = FixedGuard()
    agent = guarded(support(Call("refund", target="declined")), guard)
    Runner.run_sync(agent, "hi")
    assert ("refund", "call_0", "LookupError('card declined')") in guard.seen
    assert received(agent)[0].startswith("An error occurred while running the tool")


def test_a_tool_made_by_hand_is_guarded_too_and_its_exception_ends_the_run_as_before():
    async def fails(context, arguments):
        raise LookupError(arguments)

    tool = FunctionTool("pay", "Pay.", {"type": "object", "properties": {}, "additionalProperties": False}, fails)
    guard = FixedGuard()
    with pytest.raises(agents.UserError):
        Runner.run_sync(guarded(support(Call("pay"), tools=[tool]), guard), "hi")
    assert ("pay", "call_0", "LookupError('{}')") in guard.seen
    agent = guarded(support(Call("pay"), tools=[tool]), FixedGuard(pay="deny"))
    Runner.run_sync(agent, "hi")
    assert received(agent) == ["pay is not allowed now"]


def test_a_timeout_is_reported_as_one():
    @function_tool(timeout=0.05)
    async def slow(target: str) -> str:
        await asyncio.sleep(5)
        return "never"

    guard = FixedGuard()
    Runner.run_sync(guarded(support(Call("slow", target="A1"), tools=[slow]), guard), "hi")
    assert ("slow", "call_0", "TimeoutError('no result after 0.05 s')") in guard.seen


def test_a_pause_is_an_interruption_that_survives_the_process():
    guard = FixedGuard(refund="pause")
    agent = guarded(support(Call("refund", target="A1"), Call("refund", target="A2")), guard)

    async def run():
        state = (await Runner.run(agent, "hi")).to_state()
        state = await RunState.from_string(agent, state.to_string())
        decide(guard, state, state.get_interruptions()[0], {"decision": "approve", "by": "ops@example.test"})
        second = await Runner.run(agent, state)
        state = second.to_state()
        decide(guard, state, second.interruptions[0], {"decision": "refuse", "by": "ops@example.test"})
        return await Runner.run(agent, state)

    assert asyncio.run(run()).final_output == "done"
    assert received(agent) == ["refunded", "ops@example.test refused"]
    assert guard.seen == [
        ("approve", "call_0", "ops@example.test"),
        ("refund", "call_0", "refunded"),
        ("refuse", "call_1", "ops@example.test"),
    ]


@pytest.mark.parametrize("always", [False, True])
def test_the_frameworks_own_approve_reaches_the_guard(always):
    guard = FixedGuard(refund="pause")
    agent = guarded(support(Call("refund", target="A1")), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        state.approve(result.interruptions[0], always_approve=always)
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["refunded"]
    assert guard.seen[0] == ("approve", "call_0", "a person")


def test_a_tool_that_needs_approval_anyway_still_asks_the_guard_afterwards():
    @function_tool(needs_approval=True)
    def wipe(target: str) -> str:
        return "wiped"

    agent = guarded(support(Call("wipe", target="A1"), tools=[wipe]), FixedGuard(wipe="deny"))

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        state.approve(result.interruptions[0])
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["wipe is not allowed now"]


@pytest.mark.parametrize(("kind", "content"), [("allow", "wiped"), ("deny", "wipe is not allowed now"), ("pause", "wiped")])
def test_a_decision_about_a_tool_that_needs_approval_anyway_heeds_the_guard(kind, content):
    @function_tool(needs_approval=True)
    def wipe(target: str) -> str:
        return "wiped"

    guard = FixedGuard(wipe=kind)
    agent = guarded(support(Call("wipe", target="A1"), tools=[wipe]), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        decide(guard, state, result.interruptions[0], "approve")
        assert state._context.is_tool_approved("wipe", "call_0") == (kind != "deny")
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == [content]


def test_the_frameworks_formatter_of_errors_stays_in_use():
    config = RunConfig(tool_error_formatter=lambda found: f"{found.kind}: {found.call_id}")
    agent = guarded(support(Call("refund", target="declined")), FixedGuard())
    Runner.run_sync(agent, "hi", run_config=config)
    assert received(agent) == ["tool_exception: call_0"]


def test_one_agent_in_two_runs_at_once():
    guard = FixedGuard()

    async def slow_search(target: str) -> str:
        await asyncio.sleep(0.01)
        return target

    agent = guarded(support(tools=[function_tool(slow_search)]), guard)
    models = [
        ScriptedModel([[function_call("slow_search", {"target": name}, call_id=name)], [assistant_message(name)]])
        for name in ("one", "two")
    ]

    async def run():
        return await asyncio.gather(*[Runner.run(agent, "hi", run_config=RunConfig(model=model)) for model in models])

    assert [result.final_output for result in asyncio.run(run())] == ["one", "two"]
    assert sorted(guard.seen) == [("slow_search", "one", "one"), ("slow_search", "two", "two")]


def test_an_approval_policy_of_the_user_keeps_the_frameworks_checks():
    async def never(context, arguments, call_id):
        return False

    @function_tool(needs_approval=never)
    def find(target: str, limit: int = 3) -> str:
        return "found"

    agent = support(Call("find", target="A1"), tools=[find])
    for each in (agent, guarded(agent, FixedGuard())):  # a default was filled in, so the policy may not decide
        assert len(Runner.run_sync(each.clone(model=scripted(Call("find", target="A1"))), "hi").interruptions) == 1


def test_guardrails_before_the_approval_leave_a_pause_to_the_person():
    agent = guarded(support(Call("refund", target="A1")), FixedGuard(refund="pause"))
    config = RunConfig(tool_execution={"pre_approval_tool_input_guardrails": True})
    assert len(Runner.run_sync(agent, "hi", run_config=config).interruptions) == 1


@pytest.mark.parametrize("kind", ["allow", "deny", "pause"])
def test_a_hook_that_breaks_lets_no_tool_run(kind):
    guard = FixedGuard(refund=kind)
    guard.broken = ("before_tool", "prompt", "user_said", "agent_said")
    agent = guarded(support(Call("refund", target="A1")), guard, messages=True)
    Runner.run_sync(agent, "hi")
    assert received(agent) == [BROKEN]
    assert guard.seen == []


def test_a_pause_that_nobody_was_asked_about_lets_no_tool_run():
    class Flaky(FixedGuard):
        asked = 0

        def before_tool(self, name, args, call_id):
            self.asked += 1
            if self.asked == 1:  # so that the framework does not learn of the pause
                raise RuntimeError("the guard is broken")
            return super().before_tool(name, args, call_id)

    guard = Flaky(refund="pause")
    agent = guarded(support(Call("refund", target="A1")), guard)
    Runner.run_sync(agent, "hi")
    assert received(agent) == ["refund is not allowed now"]
    assert guard.seen == []


def test_an_approval_that_breaks_lets_no_tool_run():
    guard = FixedGuard(refund="pause")
    guard.broken = ("approve",)
    agent = guarded(support(Call("refund", target="A1")), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        state.approve(result.interruptions[0])
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == [BROKEN]


def test_a_report_that_breaks_keeps_the_tools_result():
    guard = FixedGuard()
    guard.broken = ("after_tool",)
    agent = guarded(support(Call("refund", target="A1")), guard)
    Runner.run_sync(agent, "hi")
    assert received(agent) == ["refunded"]


def test_the_model_reads_the_contract_after_the_agents_own_instructions():
    agent = guarded(support(), FixedGuard())
    Runner.run_sync(agent, "hi")
    assert agent.model.first_call.system_instructions == "Be kind.\n\nContract: no refunds."


def test_the_agent_itself_its_tools_and_its_hooks_stay_as_they_are():
    class Own(AgentHooks):
        seen: tuple = ()

        async def on_start(self, context, agent):
            self.seen += ("start",)

        async def on_tool_end(self, context, agent, tool, result):
            self.seen += (result,)

        async def on_end(self, context, agent, output):
            self.seen += (output,)

    plain = support(Call("refund", target="A1"), hooks=Own())
    agent = guarded(plain, FixedGuard())
    Runner.run_sync(agent, "hi")
    assert plain.hooks.seen == ("start", "refunded", "done")
    assert plain.tools == [search, refund]
    assert refund.tool_input_guardrails is None
    assert isinstance(agent, Agent)


def test_clones_and_tools_that_come_later_are_guarded():
    agent = guarded(support(Call("wipe", target="A1")), FixedGuard(wipe="deny")).clone(name="second")

    @function_tool
    def wipe(target: str) -> str:
        return "wiped"

    agent.tools.append(wipe)
    Runner.run_sync(agent, "hi")
    assert received(agent) == ["wipe is not allowed now"]


def test_the_tools_of_an_mcp_server_are_guarded_and_their_annotations_told():
    class Shop(MCPServer):
        name = "shop"

        async def connect(self):
            pass

        async def cleanup(self):
            pass

        async def list_tools(self, *args):
            schema = {"type": "object", "properties": {"target": {"type": "string"}}}
            hints = {"readOnlyHint": True}
            return [mcp.types.Tool(name=name, inputSchema=schema, annotations=hints) for name in ("look", "buy")]

        async def call_tool(self, name, *args, **kwargs):
            if name == "buy":
                raise ConnectionError("shop is closed")
            return mcp.types.CallToolResult(content=[mcp.types.TextContent(type="text", text=f"{name} worked")])

        async def list_prompts(self):
            raise NotImplementedError

        async def get_prompt(self, *args):
            raise NotImplementedError

    guard = FixedGuard(look="pause")
    agent = guarded(support(Call("look", target="A1"), Call("buy", target="A1"), mcp_servers=[Shop()]), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        decide(guard, state, result.interruptions[0], "approve")
        await Runner.run(agent, state)

    asyncio.run(run())
    assert "look worked" in str(received(agent)[0])
    assert guard.seen[0] == ("approve", "call_0", "unknown")
    assert [seen[:2] for seen in guard.seen[1:]] == [("look", "call_0"), ("buy", "call_1")]
    assert "Error" in guard.seen[2][2]
    assert guard.annotations["buy"] == {"readOnlyHint": True}


def test_a_tool_that_cannot_be_guarded_is_refused_unless_it_is_named():
    agent = support(tools=[search, WebSearchTool()])
    with pytest.raises(agents.UserError, match="web_search"):
        guarded(agent, FixedGuard())
    assert len(guarded(agent, FixedGuard(), unguarded=["web_search"]).tools) == 2


def test_two_agents_at_once_each_ask_their_own_guard_and_a_handover_is_reported():
    first, second = FixedGuard(), FixedGuard(refund="deny")
    billing = guarded(Agent(name="billing", tools=[refund], model=scripted(Call("refund", target="A1"))), second)
    hand = ScriptedModel([[function_call("transfer_to_billing", {}, call_id="hand")]])
    triage = guarded(Agent(name="triage", handoffs=[billing], model=hand), first)
    other = guarded(support(Call("refund", target="A2")), first)

    async def run():
        return await asyncio.gather(Runner.run(triage, "one"), Runner.run(other, "two"))

    asyncio.run(run())
    assert received(other) == ["refunded"]
    assert "refund is not allowed now" in received(billing)
    assert ("handed over", "billing") in first.seen
    assert second.seen == []


def test_an_agent_as_a_tool_that_waits_for_a_person_is_reported_once():
    outer, inner = FixedGuard(), FixedGuard(refund="pause")
    billing = guarded(Agent(name="billing", tools=[refund], model=scripted(Call("refund", target="A1"))), inner)
    agent = guarded(support(Call("ask_billing", input="q"), tools=[billing.as_tool("ask_billing", "Ask.")]), outer)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        decide(inner, state, result.interruptions[0], "approve")
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["done"]
    assert outer.seen == [("ask_billing", "call_0", "done")]


def test_arguments_that_are_no_object_reach_the_guard_too():
    seen = []

    class Watching(FixedGuard):
        def before_tool(self, name, args, call_id):
            seen.append(args)
            return super().before_tool(name, args, call_id)

    broken = ScriptedModel([[function_call("refund", "{not json", call_id="call_0")], [assistant_message("done")]])
    agent = guarded(support().clone(model=broken), Watching(refund="deny"))

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        for interruption in result.interruptions:  # the framework asks a person about arguments it cannot read
            state.approve(interruption)
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["refund is not allowed now"]
    assert seen[-1] == {"input": "{not json"}
    assert json.dumps(seen[-1])


def test_a_standing_approval_of_the_framework_lets_later_pauses_of_the_tool_pass():
    guard = FixedGuard(refund="pause")
    agent = guarded(support(Call("refund", target="A1"), Call("refund", target="A2")), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        state.approve(result.interruptions[0], always_approve=True)
        return await Runner.run(agent, state)

    assert asyncio.run(run()).interruptions == []
    assert received(agent) == ["refunded", "refunded"]
    assert [seen for seen in guard.seen if seen[0] == "approve"] == [
        ("approve", "call_0", "a person"),
        ("approve", "call_1", "a person"),
    ]


def test_a_tool_in_a_namespace_can_be_approved():
    tools = tool_namespace(name="shop", description="The shop.", tools=[refund])
    model = ScriptedModel(
        [[function_call("refund", {"target": "A1"}, call_id="call_0", namespace="shop")], [assistant_message("done")]]
    )
    agent = guarded(Agent(name="support", tools=tools, model=model), FixedGuard(refund="pause"))

    async def run():
        result = await Runner.run(agent, "hi")
        state = result.to_state()
        state.approve(result.interruptions[0])
        await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["refunded"]


def test_decisions_with_a_guard_that_is_awaited():
    guard = FixedGuard(refund="pause")
    agent = guarded(support(Call("refund", target="A1"), Call("refund", target="A2")), guard)

    async def run():
        result = await Runner.run(agent, "hi")
        for answer in ("approve", "refuse"):
            state = result.to_state()
            await decide_async(guard.asynchronous(), state, result.interruptions[0], {"decision": answer, "by": "kim"})
            result = await Runner.run(agent, state)

    asyncio.run(run())
    assert received(agent) == ["refunded", "kim refused"]


def test_two_guards_on_one_tool_are_both_asked():
    first, second = FixedGuard(), FixedGuard(refund="deny")
    agent = guarded(guarded(support(Call("refund", target="A1")), first), second)
    Runner.run_sync(agent, "hi")
    assert received(agent) == ["refund is not allowed now"]
    assert agent.model.first_call.system_instructions.count("Contract") == 2


def test_messages_are_reported_if_that_is_wanted_each_once():
    guard = FixedGuard(refund="pause")
    agent = guarded(support(Call("refund", target="A1")), guard, messages=True)

    async def run():
        result = await Runner.run(agent, [{"role": "user", "content": [{"type": "input_text", "text": "Money back!"}]}])
        state = result.to_state()
        decide(guard, state, result.interruptions[0], "approve")
        await Runner.run(agent, state)

    asyncio.run(run())
    assert guard.seen == [
        ("user", "Money back!"),
        ("approve", "call_0", "unknown"),
        ("refund", "call_0", "refunded"),
        ("agent", "done"),
    ]


def test_each_program_of_the_page_runs():
    page = (Path(__file__).resolve().parents[4] / "docs" / "integrations" / "openai_agents.md").read_text()
    said = []
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert [text.count("is not allowed now") for text in said] == [0, 2, 0]
    assert [text.splitlines()[-1] for text in said] == ["I could not pay A-7 back."] * 2 + ["A-7 is paid back."]


def test_another_process_goes_on_after_a_pause(tmp_path):
    def process(*calls):
        guard = Guard(LocalEngine(str(tmp_path / "agents.db")), "inst_1", tools={"refund": "execute"}, run="ticket-1")
        return guard, guarded(support(*calls), guard)

    _, agent = process(*[Call("refund", target="declined")] * 6, Call("refund", target="A1"))
    paused = Runner.run_sync(agent, "hi").to_state().to_string()

    async def go_on():
        guard, agent = process()
        state = await RunState.from_string(agent, paused)
        decide(guard, state, state.get_interruptions()[0], {"decision": "approve", "by": "ops@example.test"})
        await Runner.run(agent, state)
        return received(agent)

    assert asyncio.run(go_on())[-1] == "refunded"
