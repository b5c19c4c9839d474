"""What the LangGraph nodes and the LangChain middleware share: the steps of a guarded call.

LangGraph runs a node again after an interrupt, from its first line, and hands out answers by the order of the questions. So the
questions about all calls of a node come before the guard hears of any answer, and an approved call asks again when its node
runs again: it gets its own answer, and not the one that is meant for the next question.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from langchain_core.messages import ToolCall, ToolMessage
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, interrupt

from identity_os_sdk.guard import Guard, GuardAsync, Verdict, decision

logger = logging.getLogger("identity_os_sdk.guard")

T = TypeVar("T")
#: A hook, written once for both kinds of code: it yields what the guard or the framework returned, and gets it back awaited.
Steps = Generator[Any, Any, T]
AnyGuard = Guard | GuardAsync
Result: TypeAlias = ToolMessage | Command[Any]
#: Verdicts by the id of the call. None is the denial of a call that could not be judged.
Verdicts = Mapping[str, Verdict | None]


def settle(guard: AnyGuard, calls: Sequence[ToolCall]) -> Steps[Verdicts]:
    """The verdicts on calls, after people have answered for those that wait."""
    verdicts: dict[str, Verdict | None] = {}
    answers: list[tuple[str, Verdict, Any]] = []
    try:
        if thread := _configurable().get("thread_id"):
            guard.run = str(thread)
        for call in calls:
            verdict = verdicts[key_of(call)] = yield guard.before_tool(call["name"], call["args"], guard_id(call))
            if _asks(verdict):
                answers.append((key_of(call), verdict, interrupt(_question(verdict, call))))
        for key, verdict, answer in answers:
            choice, by = decision(answer)
            if verdict.kind == "pause" and choice == "approve":
                verdicts[key] = yield guard.approve(verdict.call_id, by)
            elif verdict.kind == "pause":
                verdicts[key] = guard.refuse(verdict.call_id, by)
    except GraphBubbleUp:
        raise
    except Exception:
        logger.exception("the guard's hook failed; the calls are denied")
        return dict.fromkeys(map(key_of, calls))
    return verdicts


def run(
    guard: AnyGuard, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any], settled: Verdicts | None = None
) -> Steps[Result]:
    """Run one call if it is allowed, and report how it ended. What a tool raises is reported and raised again."""
    call = request.tool_call
    if settled is None or key_of(call) not in settled:
        settled = yield from settle(guard, [call])
    verdict = settled[key_of(call)]
    if verdict is None or not verdict.allowed:
        return denial(call, verdict)
    try:
        result: Result = yield handler(request)
    except GraphBubbleUp:
        raise
    except Exception as error:
        yield from report(guard, call, verdict.call_id, error)
        raise
    yield from report(guard, call, verdict.call_id, result)
    return result


def report(guard: AnyGuard, call: ToolCall, call_id: str, ended: Result | Exception) -> Steps[None]:
    """Tell the guard how a call ended. The tool has run by now, so nothing that breaks here may end the agent's run."""
    try:
        error: Any = ended if isinstance(ended, Exception) else None
        messages = [ended] if isinstance(ended, ToolMessage) else []
        if isinstance(ended, Command) and isinstance(ended.update, dict):
            messages = [each for each in ended.update.get("messages", []) if isinstance(each, ToolMessage)]
        text = "\n".join(str(message.text) for message in messages)
        if any(message.status == "error" for message in messages):
            error = text
        yield guard.after_tool(call["name"], call_id, result=None if error else text, error=error)
    except Exception:
        logger.exception("a call could not be reported")


def denial(call: ToolCall, verdict: Verdict | None) -> ToolMessage:
    """What the model receives in place of a result."""
    broken = f"{call['name']} is not allowed now: the guard failed. Do not call it again; ask a person."
    return ToolMessage(verdict.message if verdict else broken, name=call["name"], tool_call_id=key_of(call), status="error")


def play(steps: Steps[T]) -> T:
    """Take the steps of a hook in synchronous code."""
    try:
        value = next(steps)
        while True:
            value = steps.send(value)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def aplay(steps: Steps[T]) -> T:
    """Take the steps of a hook, and await what they yield."""
    try:
        pending = next(steps)
        while True:
            try:
                value = await pending
            except BaseException as error:
                pending = steps.throw(error)
            else:
                pending = steps.send(value)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def both(guard: AnyGuard) -> tuple[Guard | None, GuardAsync]:
    """The guard for synchronous hooks, None if it has to be awaited, and the same one for asynchronous hooks."""
    return (None, guard) if isinstance(guard, GuardAsync) else (guard, guard.asynchronous())


def synchronous(guard: Guard | None) -> Guard:
    """The guard for synchronous hooks."""
    if guard is None:
        raise TypeError("a GuardAsync has to be awaited: use ainvoke or astream, or give a Guard")
    return guard


def key_of(call: ToolCall) -> str:
    """The id that the model gave a call."""
    return call["id"] or ""


def guard_id(call: ToolCall) -> str:
    """The id of a call for the guard: some models count their calls anew in each conversation, so the thread is part of it."""
    thread = _configurable().get("thread_id")
    return f"{thread}:{key_of(call)}" if thread else key_of(call)


def _asks(verdict: Verdict) -> bool:
    """Whether a person is asked, or was when the node ran before. Without a checkpointer nobody can answer: it is a denial."""
    asked = verdict.kind == "pause" or bool(verdict.by)
    return asked and bool(_configurable().get("__pregel_checkpointer"))


def _question(verdict: Verdict, call: ToolCall) -> dict[str, Any]:
    """The value of the interrupt: JSON, and nothing that the graph would have to decode."""
    return {
        "type": "identity_os",
        "tool": call["name"],
        "args": call["args"],
        "call_id": verdict.call_id,
        "reason": verdict.reason,
        "decisions": ["approve", "refuse"],
    }


def _configurable() -> Mapping[str, Any]:
    try:
        configurable: Mapping[str, Any] = get_config().get("configurable", {})
    except RuntimeError:  # Outside of a graph, and in asynchronous code before Python 3.11.
        return {}
    return configurable
