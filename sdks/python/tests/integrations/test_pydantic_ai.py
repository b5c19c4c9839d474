"""The adapter for Pydantic AI, with its FunctionModel."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
import story
from fixed_guard import FixedGuard
from identity_os_sdk.guard import Guard
from identity_os_sdk.integrations.pydantic_ai import BROKEN, IdentityOSCapability, decide, decide_async
from identity_os_sdk.local import LocalEngine
from pydantic_ai import Agent, ApprovalRequired, CallDeferred, DeferredToolRequests, ModelRetry, Tool, ToolDenied, ToolFailed
from pydantic_ai.capabilities import AbstractCapability, HandleDeferredToolCalls, Instrumentation
from pydantic_ai.exceptions import SkipToolExecution, UserError
from pydantic_ai.messages import (
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturn,
)
from pydantic_ai.models.function import DeltaToolCall, FunctionModel


def play(script, guard):
    """Run the calls of `script` as a real agent; return what the model received for each."""

    def tool(name):
        def run(target: str) -> str:
            try:
                return script.run(name, {"target": target})
            except script.ToolFailed as error:
                raise ModelRetry(str(error)) from error

        return Tool(run, name=name, max_retries=100)

    agent = Agent(
        scripted(*script.calls),
        tools=[tool(name) for name in script.tools],
        output_type=[str, DeferredToolRequests],
        capabilities=[IdentityOSCapability(guard)],
    )
    decisions = iter(script.decisions)
    result = agent.run_sync("Please.")
    while isinstance(result.output, DeferredToolRequests):
        answers = {
            call.tool_call_id: {"decision": next(decisions), "by": "ops@example.test"} for call in result.output.approvals
        }
        results = decide(guard, result.output, answers)
        result = agent.run_sync(message_history=result.all_messages(), deferred_tool_results=results)
    assert result.output == "done"
    return received(result)


def scripted(*calls, seen=None):
    """A model that makes one call a turn, then says done."""

    def answer(messages, info):
        if seen is not None:
            seen.append(info.instructions)
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn == len(calls):
            return ModelResponse([TextPart("done")])
        return ModelResponse([ToolCallPart(calls[turn].tool, calls[turn].args, tool_call_id=f"call_{turn}")])

    async def stream(messages, info):
        for part in answer(messages, info).parts:
            if isinstance(part, TextPart):
                yield part.content
            else:
                yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}

    return FunctionModel(answer, stream_function=stream)


def received(result):
    return [part.content for part in returns(result)]


def returns(result):
    kinds = ("tool-return", "retry-prompt")  # up to 2.54, the last for Python 3.10, a retry is a part of its own
    return [part for message in result.all_messages() for part in message.parts if part.part_kind in kinds]


test_conformance = story.cases(play)
test_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("pydantic_ai", play)
test_against_the_api = story.against_the_api(play)


# What is special to this framework


class Call:
    def __init__(self, tool, **args):
        self.tool, self.args = tool, args


def search(target: str) -> str:
    """Find orders."""
    return f"3 of {target}"


def refund(target: str) -> str:
    """Pay back."""
    if target == "declined":
        raise ModelRetry("card declined")
    if target == "stolen":
        raise ToolFailed("card stolen")
    if target == "crash":
        raise LookupError("no such card")
    return "refunded"


def support(guard, *calls, tools=(search, refund), seen=None, more=(), messages=False, **settings):
    return Agent(
        scripted(*calls, seen=seen),
        instructions="Be kind.",
        tools=list(tools),
        capabilities=[IdentityOSCapability(guard, messages=messages), *more],
        **settings,
    )


ASKS = {"output_type": [str, DeferredToolRequests]}


def test_a_denial_is_the_tools_result_with_the_outcome_denied():
    guard = FixedGuard(refund="deny")
    result = support(guard, Call("search", target="A1"), Call("refund", target="A1")).run_sync("Money back!")
    assert [(part.content, part.outcome) for part in returns(result)] == [
        ("3 of A1", "success"),
        ("refund is not allowed now", "denied"),
    ]
    assert guard.seen == [("search", "call_0", "3 of A1")]


def test_a_denied_tool_does_not_run_in_a_streamed_run():
    guard = FixedGuard(refund="deny")

    async def run():
        async with support(guard, Call("refund", target="A1")).run_stream("hi") as result:
            return await result.get_output(), received(result)

    assert asyncio.run(run()) == ("done", ["refund is not allowed now"])
    assert guard.seen == []


def test_many_denials_do_not_use_up_the_tools_retries():
    guard = FixedGuard(refund="deny")
    result = support(guard, *[Call("refund", target="A1")] * 5).run_sync("hi")
    assert received(result) == ["refund is not allowed now"] * 5


@pytest.mark.parametrize(
    ("target", "report"),
    [("declined", "ModelRetry('card declined')"), ("stolen", "ToolFailed('card stolen')")],
)
def test_what_the_tool_raised_is_reported_and_the_model_still_gets_it(target, report):
    guard = FixedGuard()
    result = support(guard, Call("refund", target=target)).run_sync("hi")
    assert guard.seen[0] == ("refund", "call_0", report)
    assert received(result) == [f"card {target}"]


def test_an_exception_that_ends_the_run_is_reported_and_ends_it_as_before():
    guard = FixedGuard()
    with pytest.raises(LookupError):
        support(guard, Call("refund", target="crash")).run_sync("hi")
    assert guard.seen[0] == ("refund", "call_0", "LookupError('no such card')")


def test_the_reason_behind_a_retry_is_what_is_reported():
    def pay(target: str) -> str:
        try:
            raise ConnectionError("bank is down")
        except ConnectionError as error:
            raise ModelRetry("try later") from error

    guard = FixedGuard()
    support(guard, Call("pay", target="A1"), tools=[pay]).run_sync("hi")
    assert guard.seen[0] == ("pay", "call_0", "ConnectionError('bank is down')")


def test_a_timeout_is_reported_as_one():
    async def slow(target: str) -> str:
        await asyncio.sleep(5)
        return "never"

    guard = FixedGuard()
    support(guard, Call("slow", target="A1"), tools=[Tool(slow, timeout=0.05)]).run_sync("hi")
    assert guard.seen[0][2].startswith("TimeoutError")


def test_a_structured_result_is_reported_as_the_value_that_the_model_gets():
    def pay(target: str) -> ToolReturn:
        return ToolReturn("paid", content="receipt", metadata={"id": 7})

    guard = FixedGuard()
    support(guard, Call("pay", target="A1"), tools=[pay]).run_sync("hi")
    assert guard.seen[0] == ("pay", "call_0", "paid")


def test_a_pause_ends_the_run_with_a_request_and_another_process_goes_on():
    guard = FixedGuard(refund="pause")
    agent = support(guard, Call("refund", target="A1"), Call("refund", target="A2"), **ASKS)
    first = agent.run_sync("hi")
    assert first.output.metadata["call_0"]["message"] == "refund is not allowed now"
    history = ModelMessagesTypeAdapter.validate_json(first.all_messages_json())
    results = decide(guard, first.output, {"call_0": {"decision": "approve", "by": "ops@example.test"}})
    second = agent.run_sync(message_history=history, deferred_tool_results=results)
    results = decide(guard, second.output, {"call_1": {"decision": "refuse", "by": "ops@example.test"}})
    third = agent.run_sync(message_history=second.all_messages(), deferred_tool_results=results)
    assert [(part.content, part.outcome) for part in returns(third)] == [
        ("refunded", "success"),
        ("ops@example.test refused", "denied"),
    ]
    assert guard.seen == [
        ("approve", "call_0", "ops@example.test"),
        ("refund", "call_0", "refunded"),
        ("refuse", "call_1", "ops@example.test"),
    ]


def test_the_frameworks_own_approve_reaches_the_guard():
    guard = FixedGuard(refund="pause")
    agent = support(guard, Call("refund", target="A1"), **ASKS)
    first = agent.run_sync("hi")
    results = first.output.build_results(approve_all=True, metadata={"call_0": {"by": "kim"}})
    second = agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
    assert received(second) == ["refunded"]
    assert guard.seen[0] == ("approve", "call_0", "kim")


def test_a_handler_may_decide_during_the_run():
    guard = FixedGuard(refund="pause")
    asks = HandleDeferredToolCalls(handler=lambda _, requests: decide(guard, requests, dict.fromkeys(["call_0"], "approve")))
    result = support(guard, Call("refund", target="A1"), more=[asks]).run_sync("hi")
    assert received(result) == ["refunded"]


def test_a_pause_is_a_denial_where_the_agent_cannot_ask():
    result = support(FixedGuard(refund="pause"), Call("refund", target="A1")).run_sync("hi")
    assert [(part.content, part.outcome) for part in returns(result)] == [("refund is not allowed now", "denied")]


def test_an_approval_that_the_tool_itself_asks_for_is_left_to_the_user():
    agent = support(FixedGuard(), Call("refund", target="A1"), tools=[Tool(refund, requires_approval=True)])
    with pytest.raises(UserError, match="DeferredToolRequests"):
        agent.run_sync("hi")


def test_a_tool_that_needs_approval_anyway_still_asks_the_guard_afterwards():
    agent = support(
        FixedGuard(refund="deny"), Call("refund", target="A1"), tools=[Tool(refund, requires_approval=True)], **ASKS
    )
    first = agent.run_sync("hi")
    results = first.output.build_results(approve_all=True)
    second = agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
    assert received(second) == ["refund is not allowed now"]


def test_a_person_decides_about_a_tool_that_asks_by_itself_without_the_guard():
    guard = FixedGuard()
    agent = support(guard, Call("refund", target="A1"), tools=[Tool(refund, requires_approval=True)], **ASKS)
    for answer, content in (("approve", "refunded"), ("refuse", "The tool call was denied.")):
        first = agent.run_sync("hi")
        results = decide(guard, first.output, {"call_0": answer})
        second = agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
        assert received(second) == [content]


def test_an_approval_that_a_tool_raises_for_itself_is_left_to_the_user():
    def pay(target: str) -> str:
        raise ApprovalRequired(metadata={"why": "large"})

    with pytest.raises(UserError, match="DeferredToolRequests"):
        support(FixedGuard(), Call("pay", target="A1"), tools=[pay]).run_sync("hi")


def test_who_approved_a_tool_that_asks_by_itself_is_who_approved_the_pause():
    guard = FixedGuard(refund="pause")
    agent = support(guard, Call("refund", target="A1"), tools=[Tool(refund, requires_approval=True)], **ASKS)
    first = agent.run_sync("hi")
    results = decide(guard, first.output, {"call_0": {"decision": "approve", "by": "kim"}})
    agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
    assert guard.seen == [("approve", "call_0", "kim"), ("refund", "call_0", "refunded")]


def test_what_is_denied_by_the_time_of_the_answer_stays_denied():
    first = support(FixedGuard(refund="pause"), Call("refund", target="A1"), **ASKS).run_sync("hi")
    results = decide(FixedGuard(refund="deny"), first.output, {"call_0": "approve"})
    assert results.approvals == {"call_0": ToolDenied("refund is not allowed now")}


def test_a_result_that_another_capability_brings_is_reported():
    class Cache(AbstractCapability):
        async def before_tool_execute(self, ctx, *, call, tool_def, args):
            raise SkipToolExecution("from the cache")

    guard = FixedGuard()
    result = support(guard, Call("refund", target="A1"), more=[Cache()]).run_sync("hi")
    assert received(result) == ["from the cache"]
    assert guard.seen == [("refund", "call_0", "from the cache")]


def test_instrumentation_sees_a_denial():
    agent = support(FixedGuard(refund="deny"), Call("refund", target="A1"), more=[Instrumentation()])
    assert received(agent.run_sync("hi")) == ["refund is not allowed now"]


def test_calls_of_the_same_id_in_two_conversations_are_two_calls():
    guard = FixedGuard(refund="deny")
    agent = support(guard, Call("refund", target="A1"))
    agent.run_sync("hi")
    guard.kinds = {}
    assert received(agent.run_sync("hi")) == ["refunded"]


def test_the_annotations_of_an_mcp_tool_reach_the_guard():
    guard = FixedGuard()
    tool = Tool(refund, metadata={"annotations": {"readOnlyHint": True}})
    support(guard, Call("refund", target="A1"), tools=[tool]).run_sync("hi")
    assert guard.annotations == {"refund": {"readOnlyHint": True}}


def test_a_call_that_is_carried_out_elsewhere_has_no_outcome_yet():
    def pay(target: str) -> str:
        raise CallDeferred

    guard = FixedGuard()
    support(guard, Call("pay", target="A1"), tools=[pay], **ASKS).run_sync("hi")
    assert guard.seen == []


@pytest.mark.parametrize("kind", ["allow", "deny", "pause"])
def test_a_hook_that_breaks_lets_no_tool_run(kind):
    guard = FixedGuard(refund=kind)
    guard.broken = ("before_tool", "prompt", "user_said", "agent_said")
    assert received(support(guard, Call("refund", target="A1"), messages=True, **ASKS).run_sync("hi")) == [BROKEN]
    assert guard.seen == []


def test_an_approval_that_breaks_lets_no_tool_run():
    guard = FixedGuard(refund="pause")
    guard.broken = ("approve",)
    agent = support(guard, Call("refund", target="A1"), **ASKS)
    first = agent.run_sync("hi")
    results = first.output.build_results(approve_all=True)
    assert received(agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)) == [BROKEN]


def test_a_report_that_breaks_keeps_the_tools_result():
    guard = FixedGuard()
    guard.broken = ("after_tool",)
    assert received(support(guard, Call("refund", target="A1")).run_sync("hi")) == ["refunded"]


def test_the_model_reads_the_contract_after_the_agents_own_instructions_at_each_request():
    seen, guard = [], FixedGuard()
    contracts = iter(["one", "two"])
    guard.prompt = lambda: next(contracts)
    support(guard, Call("search", target="A1"), seen=seen).run_sync("hi")
    assert seen == ["Be kind.\n\none", "Be kind.\n\ntwo"]


def test_two_agents_at_once_each_ask_their_own_guard():
    first, second = FixedGuard(), FixedGuard(refund="deny")

    async def run():
        agents = [support(guard, Call("refund", target="A1")) for guard in (first, second)]
        return await asyncio.gather(*[agent.run("hi") for agent in agents])

    allowed, denied = asyncio.run(run())
    assert (received(allowed), received(denied)) == (["refunded"], ["refund is not allowed now"])
    assert ("refund", "call_0", "refunded") in first.seen
    assert second.seen == []


def test_decisions_with_a_guard_that_is_awaited():
    guard = FixedGuard(refund="pause")
    agent = support(guard, Call("refund", target="A1"), Call("refund", target="A2"), **ASKS)

    async def run():
        result = await agent.run("hi")
        for answer in ("approve", "refuse"):
            call_id = result.output.approvals[0].tool_call_id
            results = await decide_async(guard.asynchronous(), result.output, {call_id: {"decision": answer, "by": "kim"}})
            result = await agent.run(message_history=result.all_messages(), deferred_tool_results=results)
        return received(result)

    assert asyncio.run(run()) == ["refunded", "kim refused"]


def test_messages_are_reported_if_that_is_wanted_each_once():
    guard = FixedGuard(refund="pause")
    agent = support(guard, Call("refund", target="A1"), messages=True, **ASKS)
    first = agent.run_sync(["Money", "back!"])
    results = decide(guard, first.output, {"call_0": "approve"})
    agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
    assert guard.seen == [
        ("user", "Money back!"),
        ("approve", "call_0", "unknown"),
        ("refund", "call_0", "refunded"),
        ("agent", "done"),
    ]


def test_each_program_of_the_page_runs():
    page = (Path(__file__).resolve().parents[4] / "docs" / "integrations" / "pydantic_ai.md").read_text()
    said = []
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert [text.count("is not allowed now") for text in said] == [0, 2, 0]
    assert [text.splitlines()[-1] for text in said] == ["I could not pay A-7 back."] * 2 + ["A-7 is paid back."]


def test_another_process_goes_on_after_a_pause(tmp_path):
    calls = [*[Call("refund", target="stolen")] * 6, Call("refund", target="A1")]

    def process():
        guard = Guard(LocalEngine(str(tmp_path / "agents.db")), "inst_1", tools={"refund": "execute"}, run="ticket-1")
        return guard, support(guard, *calls, **ASKS)

    _, agent = process()
    paused = agent.run_sync("hi")
    guard, agent = process()
    answers = {call.tool_call_id: {"decision": "approve", "by": "ops@example.test"} for call in paused.output.approvals}
    history = ModelMessagesTypeAdapter.validate_json(paused.all_messages_json())
    result = agent.run_sync(message_history=history, deferred_tool_results=decide(guard, paused.output, answers))
    assert received(result)[-1] == "refunded"
