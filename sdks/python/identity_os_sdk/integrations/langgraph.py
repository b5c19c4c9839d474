"""LangGraph: guarded tools for graphs built by hand. Nothing is written to the graph's state but messages.

builder.add_node("tools", GuardedToolNode(tools, guard))
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.graph import END
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, Send

from identity_os_sdk.integrations._langgraph import (
    AnyGuard,
    Result,
    Steps,
    Verdicts,
    aplay,
    both,
    denial,
    guard_id,
    key_of,
    play,
    report,
    run,
    settle,
    synchronous,
)

#: Verdicts on the calls of the node that runs here.
_settled: ContextVar[Verdicts | None] = ContextVar("identity_os_settled", default=None)


class GuardedToolNode(ToolNode):
    """A ToolNode whose calls the guard judges and reports.

    All calls of a message are judged, and people asked, before the first runs. `options` are ToolNode's, without
    `wrap_tool_call` and `awrap_tool_call`.
    """

    def __init__(self, tools: Sequence[BaseTool | Callable[..., Any]], guard: AnyGuard, **options: Any) -> None:
        self._guard, self._guard_async = both(guard)
        super().__init__(tools, wrap_tool_call=self._run, awrap_tool_call=self._arun, **options)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        """As ToolNode.invoke."""
        with _known(play(settle(synchronous(self._guard), _calls(input, self._messages_key)))):
            return super().invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """As ToolNode.ainvoke."""
        with _known(await aplay(settle(self._guard_async, _calls(input, self._messages_key)))):
            return await super().ainvoke(input, config, **kwargs)

    def _run(self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Result]) -> Result:
        return play(run(synchronous(self._guard), request, execute, _settled.get()))

    async def _arun(self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Result]]) -> Result:
        return await aplay(run(self._guard_async, request, execute, _settled.get()))


def guard_node(
    guard: AnyGuard, *, tools: str = "tools", agent: str = "agent", messages_key: str = "messages"
) -> Runnable[Any, Any]:
    """A node between an agent and tools of any kind: it judges the calls of the agent, and reports their results.

    Edges lead to it from both. It sends each allowed call to the node `tools`, as the state with that call alone in the last
    message, and goes to `agent` when there are only results and denials, and to the end when the agent made no call.
    """
    once, awaited = both(guard)

    def node(state: Any) -> Command[Any]:
        return play(_between(synchronous(once), state, tools, agent, messages_key))

    async def anode(state: Any) -> Command[Any]:
        return await aplay(_between(awaited, state, tools, agent, messages_key))

    return RunnableLambda(node, anode, name="guard")


def _between(guard: AnyGuard, state: Any, tools: str, agent: str, key: str) -> Steps[Command[Any]]:
    fields = state if isinstance(state, dict) else {key: getattr(state, key)}
    messages = list(fields[key])
    at = max((number for number, message in enumerate(messages) if isinstance(message, AIMessage)), default=None)
    if at is None or not messages[at].tool_calls:
        return Command(goto=END)
    results = {message.tool_call_id: message for message in messages[at + 1 :] if isinstance(message, ToolMessage)}
    waiting = []
    for call in messages[at].tool_calls:
        if key_of(call) in results:
            yield from report(guard, call, guard_id(call), results[key_of(call)])
        else:
            waiting.append(call)
    verdicts = yield from settle(guard, waiting)
    denials, sends = [], []
    for call in waiting:
        verdict = verdicts[key_of(call)]
        if verdict is not None and verdict.allowed:
            alone = messages[at].model_copy(update={"tool_calls": [call]})
            sends.append(Send(tools, {**fields, key: [*messages[:at], alone]}))
        else:
            denials.append(denial(call, verdict))
    return Command(update={key: denials}, goto=sends or agent)


@contextmanager
def _known(verdicts: Verdicts) -> Iterator[None]:
    token = _settled.set(verdicts)
    try:
        yield
    finally:
        _settled.reset(token)


def _calls(given: Any, key: str) -> list[ToolCall]:
    """The calls in what a ToolNode is given: a state, messages, calls, or one call with its state."""
    if isinstance(given, dict) and given.get("__type") == "tool_call_with_context":
        return [given["tool_call"]]
    messages = given if isinstance(given, list) else given.get(key, []) if isinstance(given, dict) else getattr(given, key, [])
    if messages and isinstance(messages[-1], dict) and messages[-1].get("type") == "tool_call":
        return list(messages)
    return next((message.tool_calls for message in reversed(messages) if isinstance(message, AIMessage)), [])
