"""What the tests of both LangChain adapters need: a fake model, tools, conversations, and guards that have seen trouble."""

import asyncio
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from identity_os_sdk.guard import Guard
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import StructuredTool, ToolException
from langgraph.types import Command

_numbers = itertools.count(1)


class FakeModel(GenericFakeChatModel):
    """Says its messages in turn, and keeps what it was sent."""

    sent: list[Any] = []

    def bind_tools(self, tools: Any, **_: Any) -> "FakeModel":
        return self

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        self.sent.append(list(messages))
        return super()._generate(messages, *args, **kwargs)


def model(*rounds: list[tuple[str, str]]) -> FakeModel:
    """A model that makes the calls of each round in one message, then says that it is done."""
    messages = []
    for calls in rounds:
        made = [{"name": name, "args": {"target": target}, "id": f"call-{next(_numbers)}"} for name, target in calls]
        messages.append(AIMessage("", tool_calls=made))
    return FakeModel(messages=iter([*messages, AIMessage("done")]), sent=[])


class Tools:
    """Tools with one argument, which remember what ran. A `work` of one's own may raise or ask."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    def work(self, name: str, target: str) -> str:
        return f"{name} {target}: ok"

    def make(self, *names: str) -> list[StructuredTool]:
        """A ToolException becomes a result that says so, as LangChain has it."""

        def one(name: str) -> StructuredTool:
            def call(target: str) -> str:
                self.ran.append((name, target))
                return self.work(name, target)

            return StructuredTool.from_function(call, name=name, description=name, handle_tool_error=True)

        return [one(name) for name in names or ("refund", "read")]


class Conversation:
    """A thread of an agent, in synchronous or asynchronous code."""

    def __init__(self, agent: Any, asynchronous: bool = False) -> None:
        self.agent, self.asynchronous = agent, asynchronous
        self.config: Any = {"configurable": {"thread_id": f"thread-{next(_numbers)}"}, "recursion_limit": 100}

    def run(self) -> dict[str, Any]:
        return self._invoke({"messages": [("user", "go on")]})

    def answer(self, value: Any) -> dict[str, Any]:
        return self._invoke(Command(resume=value))

    def _invoke(self, given: Any) -> dict[str, Any]:
        if self.asynchronous:
            return asyncio.run(self.agent.ainvoke(given, self.config))  # type: ignore[no-any-return]
        return self.agent.invoke(given, self.config)  # type: ignore[no-any-return]


def player(build: Callable[[FakeModel, list[StructuredTool], Guard], Any], *, asynchronous: bool = False) -> Any:
    """The `play` of the conformance story, for agents that `build` makes."""

    def play(script: Any, guard: Guard) -> list[str]:
        def work(name: str, target: str) -> str:
            try:
                return str(script.run(name, {"target": target}))
            except script.ToolFailed as error:
                raise ToolException(str(error)) from error

        tools = Tools()
        tools.work = work  # type: ignore[method-assign]
        fake = model(*([(call.tool, call.args["target"])] for call in script.calls))
        talk = Conversation(build(fake, tools.make(*script.tools), guard), asynchronous)
        state = talk.run()
        while "__interrupt__" in state:
            state = talk.answer({"decision": script.decisions.pop(0), "by": "ops@example.test"})
        return results(state)

    return play


#: Python 3.10 does not hand on to coroutines what `interrupt` needs.
CAN_ASK = sys.version_info >= (3, 11)
#: In synchronous and in asynchronous code.
BOTH_WAYS = pytest.mark.parametrize(
    "asynchronous",
    [
        pytest.param(False, id="sync"),
        pytest.param(True, id="async", marks=pytest.mark.skipif(not CAN_ASK, reason="needs Python 3.11")),
    ],
)


def results(state: dict[str, Any]) -> list[str]:
    """What the model received for the calls of its messages, in the calls' order."""
    received = {each.tool_call_id: str(each.text) for each in state["messages"] if isinstance(each, ToolMessage)}
    calls = [call for each in state["messages"] if isinstance(each, AIMessage) for call in each.tool_calls]
    return [received[call["id"]] for call in calls if call["id"] in received]


def hold(guard: Guard, name: str) -> None:
    """Let a tool fail until the guard denies it."""
    for _ in range(3):
        key = f"before-{next(_numbers)}"
        guard.before_tool(name, {"target": "x"}, key)
        guard.after_tool(name, key, error="the backend is down")


def pause(guard: Guard, name: str) -> None:
    """Let a tool fail, and be denied, until the guard asks a person."""
    hold(guard, name)
    while guard.before_tool(name, {}, f"before-{next(_numbers)}").kind != "pause":
        pass


def breaks(*_: Any, **__: Any) -> Any:
    """A bug."""
    raise RuntimeError("a bug")
