"""Strands Agents with a model that plays a script: no network, no key."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import story
from identity_os_sdk import Action
from identity_os_sdk.guard import Guard, Verdict
from identity_os_sdk.integrations.strands import UNDECIDED, IdentityOSHooks
from strands import Agent, tool
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
from strands.models import Model
from strands.session import FileSessionManager


class ScriptedModel(Model):
    """Makes one call a turn, then says "done"; keeps each system prompt that it was given."""

    def __init__(self, calls: list[tuple[str, dict[str, Any]]], prefix: str = "call", text: str = "done") -> None:
        self.calls, self.prefix, self.text = calls, prefix, text
        self.system: list[Any] = []
        self.turn = 0

    def update_config(self, **model_config: Any) -> None: ...

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.system.append(system_prompt)
        yield {"messageStart": {"role": "assistant"}}
        if self.turn < len(self.calls):
            name, args = self.calls[self.turn]
            self.turn += 1
            start = {"toolUse": {"name": name, "toolUseId": f"{self.prefix}-{self.turn}"}}
            yield {"contentBlockStart": {"start": start}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(args)}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
        else:
            yield {"contentBlockDelta": {"delta": {"text": self.text}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}


def scripted_tools(script: Any) -> list[Any]:
    def one(name: str) -> Any:
        @tool(name=name, description=f"{name} a target")
        def run(target: str) -> str:
            return script.run(name, {"target": target})

        return run

    return [one(name) for name in script.tools]


def results(agent: Agent) -> list[str]:
    """What the model received, by call, in order."""
    blocks = [block["toolResult"] for message in agent.messages for block in message["content"] if "toolResult" in block]
    return ["\n".join(part.get("text", "") for part in block["content"]) for block in blocks]


def play(script: Any, guard: Guard) -> list[str]:
    model = ScriptedModel([(call.tool, call.args) for call in script.calls])
    agent = Agent(model=model, tools=scripted_tools(script), plugins=[IdentityOSHooks(guard)], callback_handler=None)
    decisions = iter(script.decisions)
    result = agent("go")
    while result.stop_reason == "interrupt":
        answers = [
            {"interruptResponse": {"interruptId": one.id, "response": {"decision": next(decisions), "by": "ops@example.test"}}}
            for one in result.interrupts
        ]
        result = agent(answers)
    return results(agent)


test_conformance = story.cases(play)
test_conformance_of_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("strands", play)
test_against_the_api = story.against_the_api(play)


def _verdict(kind: Any, call_id: str, message: str = "") -> Verdict:
    return Verdict(kind=kind, tool="", action=Action.EXECUTE, call_id=call_id, message=message)


class Fixed:
    """An asynchronous guard with fixed verdicts by tool, which keeps what it was told."""

    def __init__(self, **verdicts: str) -> None:
        self.verdicts, self.heard, self.contract_text = verdicts, list[tuple[Any, ...]](), "CONTRACT calm"

    async def before_tool(self, name: str, args: dict[str, Any], call_id: str) -> Verdict:
        kind = self.verdicts.get(name, "allow")
        if kind == "broken":
            raise RuntimeError("the guard is broken")
        return _verdict(kind, call_id, f"{name}: {kind}")

    async def after_tool(self, name: str, call_id: str, result: Any = None, error: Any = None) -> None:
        self.heard.append((name, "failed" if error else "worked", str(error or result)))
        self.contract_text = f"CONTRACT after {name}"

    def prompt(self) -> str:
        return self.contract_text

    async def user_said(self, text: str) -> None:
        self.heard.append(("user", text))

    async def agent_said(self, text: str) -> None:
        self.heard.append(("agent", text))

    async def approve(self, call_id: str, by: str) -> Verdict:
        self.heard.append(("approve", call_id))
        return _verdict("allow", call_id)

    def refuse(self, call_id: str, by: str) -> Verdict:
        self.heard.append(("refuse", call_id))
        return _verdict("deny", call_id, f"{by} refused")


def test_messages_are_reported_only_if_asked_for() -> None:
    guard = Fixed()
    Agent(model=ScriptedModel([]), plugins=[IdentityOSHooks(guard)], callback_handler=None)("hello")  # type: ignore[arg-type]
    assert guard.heard == []


class Shop:
    """Two tools that work, and what was run."""

    tools = ("refund", "read")

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, name: str, args: dict[str, Any]) -> str:
        self.ran.append(name)
        return f"{name} {args['target']}"


def calls(*names: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, {"target": "42"}) for name in names]


def agent(model: ScriptedModel, shop: Shop, guard: Any, **more: Any) -> Agent:
    hooks = IdentityOSHooks(guard, messages=True)
    return Agent(model=model, tools=scripted_tools(shop), plugins=[hooks], callback_handler=None, **more)


def answers(result: Any, response: Any) -> list[Any]:
    return [{"interruptResponse": {"interruptId": one.id, "response": response}} for one in result.interrupts]


def test_the_model_is_told_the_contract_as_it_is_now() -> None:
    model, guard = ScriptedModel(calls("read")), Fixed()
    one = agent(model, Shop(), guard, system_prompt="You help customers.")
    one("hello")
    assert model.system == ["You help customers.\nCONTRACT calm", "You help customers.\nCONTRACT after read"]
    assert one.system_prompt == "You help customers."
    assert guard.heard == [("user", "hello"), ("read", "worked", "read 42"), ("agent", "done")]


@pytest.mark.parametrize("before", [None, [{"text": "You help customers."}]])
def test_the_contract_follows_any_form_of_system_prompt(before: Any) -> None:
    model = ScriptedModel([])
    agent(model, Shop(), Fixed(), system_prompt=before)("hello")
    assert model.system[0].endswith("CONTRACT calm")
    assert ("You help customers." in model.system[0]) == bool(before)


def test_annotations_of_mcp_tools_say_what_they_do_and_a_title_says_nothing() -> None:
    shop, engine = Shop(), story.RecordingEngine()
    hints = {"refund": {"title": "Look at it", "readOnlyHint": True}, "read": {"title": "Read an order"}}
    tools = scripted_tools(shop)
    for one in tools:
        one.tool_spec = {**one.tool_spec, "annotations": hints[one.tool_name]}  # where Strands puts those of MCP tools
    guard = Guard(engine, "inst_1")
    Agent(model=ScriptedModel(calls("refund", "read")), tools=tools, plugins=[IdentityOSHooks(guard)], callback_handler=None)(
        "go"
    )
    assert (guard.tool_action("refund").action, guard.tool_action("refund").source) == ("clarify", "annotations")
    assert (guard.tool_action("read").action, guard.tool_action("read").source) == ("clarify", "verb")


def test_async() -> None:
    model, guard, shop = ScriptedModel(calls("read", "refund")), Fixed(refund="deny"), Shop()
    one = agent(model, shop, guard)
    asyncio.run(one.invoke_async("go"))
    assert results(one) == ["read 42", "refund: deny"]
    assert shop.ran == ["read"]


def test_a_guard_that_breaks_denies() -> None:
    model, shop = ScriptedModel(calls("refund", "read")), Shop()
    one = agent(model, shop, Fixed(refund="broken"))
    one("go")
    assert results(one) == [UNDECIDED, "read 42"]
    assert shop.ran == ["read"]


def test_a_guard_that_breaks_elsewhere_does_not_stop_the_agent() -> None:
    class Broken(Fixed):
        async def broken(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("the guard is broken")

        after_tool = user_said = agent_said = broken

        def prompt(self) -> str:
            raise RuntimeError("the guard is broken")

    model, shop = ScriptedModel(calls("read")), Shop()
    one = agent(model, shop, Broken())
    assert str(one("go")).strip() == "done"
    assert results(one) == ["read 42"]


def test_an_answer_that_nobody_understands_denies() -> None:
    model, shop = ScriptedModel(calls("refund")), Shop()
    one = agent(model, shop, Fixed(refund="pause"))
    one(answers(one("go"), "perhaps"))
    assert shop.ran == []


def test_another_process_goes_on_after_a_pause(tmp_path: Any) -> None:
    shop, guard = Shop(), Fixed(refund="pause")

    def session() -> FileSessionManager:
        return FileSessionManager("s1", storage_dir=str(tmp_path))

    first = agent(ScriptedModel(calls("refund")), shop, guard, session_manager=session())
    result = first("go")
    assert (result.stop_reason, shop.ran) == ("interrupt", [])
    assert result.interrupts[0].reason["tool"] == "refund"

    guard = Fixed(refund="pause")
    second = agent(ScriptedModel([]), shop, guard, session_manager=session())
    assert second(answers(result, {"decision": "approve", "by": "ops"})).stop_reason == "end_turn"
    assert shop.ran == ["refund"]
    assert guard.heard[0] == ("approve", "call-1")


def test_an_approval_is_for_one_attempt() -> None:
    """Another hook asks for a retry: the second attempt is asked about again."""
    model, shop, guard, retries = ScriptedModel(calls("refund")), Shop(), Fixed(refund="pause"), iter([True, False])
    one = agent(model, shop, guard)

    def retry(event: AfterToolCallEvent) -> None:
        event.retry = next(retries)

    one.add_hook(retry, AfterToolCallEvent)
    result = one(answers(one("go"), "approve"))
    assert (result.stop_reason, shop.ran) == ("interrupt", ["refund"])
    one(answers(result, "refuse"))
    assert shop.ran == ["refund"]
    assert [what for what, *_ in guard.heard] == ["user", "approve", "refund", "refuse", "agent"]


def test_the_guard_sees_the_call_that_another_hook_has_rewritten() -> None:
    model, shop = ScriptedModel(calls("read")), Shop()
    one = agent(model, shop, Fixed(refund="deny"))

    def rewrite(event: BeforeToolCallEvent) -> None:
        event.tool_use = {**event.tool_use, "name": "refund"}

    one.add_hook(rewrite, BeforeToolCallEvent)
    one("go")
    assert (shop.ran, results(one)) == ([], ["refund: deny"])


def test_a_call_that_another_hook_denied_is_not_reported() -> None:
    model, shop, guard = ScriptedModel(calls("read")), Shop(), Fixed()
    one = agent(model, shop, guard)

    def deny(event: BeforeToolCallEvent) -> None:
        event.cancel_tool = "not today"

    one.add_hook(deny, BeforeToolCallEvent)
    one("go")
    assert results(one) == ["not today"]
    assert [what for what, *_ in guard.heard] == ["user", "agent"]


def test_a_direct_call_is_guarded_too() -> None:
    shop = Shop()
    one = agent(ScriptedModel([]), shop, Fixed(refund="deny", read="pause"))
    assert one.tool.refund(target="42")["content"] == [{"text": "refund: deny"}]
    with pytest.raises(RuntimeError, match="interrupt in direct tool call"):
        one.tool.read(target="42")
    assert shop.ran == []


def test_one_agent_called_again_reports_all_of_its_calls(caplog: pytest.LogCaptureFixture) -> None:
    """Strands makes an event loop for each synchronous call, and runs the calls of one turn at once."""

    class SlowEngine(story.RecordingEngine):
        def process(self, *args: Any, **options: Any) -> Any:
            time.sleep(0.02)
            return super().process(*args, **options)

    class Turn(ScriptedModel):
        async def stream(self, messages: Any, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
            asked = messages[-1]["content"][0]
            yield {"messageStart": {"role": "assistant"}}
            for i in range(3 if "text" in asked else 0):
                yield {"contentBlockStart": {"start": {"toolUse": {"name": "read", "toolUseId": f"{asked['text']}-{i}"}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps({"target": str(i)})}}}}
                yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use" if "text" in asked else "end_turn"}}

    engine = SlowEngine()
    one = Agent(
        model=Turn([]), tools=scripted_tools(Shop()), plugins=[IdentityOSHooks(Guard(engine, "a"))], callback_handler=None
    )
    for prompt in ("first", "second", "third"):
        one(prompt)
    assert len(engine.reports) == 9
    assert caplog.records == []


def test_two_agents_at_once_keep_their_guards() -> None:
    one, other, shop = Fixed(refund="deny"), Fixed(), Shop()
    a, b = agent(ScriptedModel(calls("refund")), shop, one), agent(ScriptedModel(calls("refund")), shop, other)

    async def both() -> None:
        await asyncio.gather(a.invoke_async("one"), b.invoke_async("other"))

    asyncio.run(both())
    assert (results(a), results(b)) == (["refund: deny"], ["refund 42"])
    assert one.heard[0] == ("user", "one")
    assert other.heard[1] == ("refund", "worked", "refund 42")
