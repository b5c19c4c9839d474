"""OpenAI Agents SDK: a copy of an agent whose tools ask the guard first. The rules live in `identity_os_sdk.guard`.

    agent = guarded(Agent(name="support", tools=[search, refund]), guard)

The framework's hooks cannot block a tool, and its guardrails sit on each tool. So the copy's tools are copies too: a guardrail
denies, `needs_approval` pauses, and the invoker reports the result or the exception.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import time
from collections.abc import Collection
from typing import Any, TypeVar, cast

from agents import (
    Agent,
    AgentHookContext,
    AgentHooks,
    FunctionTool,
    RunContextWrapper,
    RunState,
    ToolApprovalItem,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    UserError,
)
from agents import ToolGuardrailFunctionOutput as Output
from agents.tool_context import ToolContext

from identity_os_sdk.guard import Guard, GuardAsync, Verdict, decision
from identity_os_sdk.models import Action

AgentT = TypeVar("AgentT", bound=Agent[Any])

log = logging.getLogger("identity_os_sdk")
BROKEN = "This call was not made: the guard could not decide about it. Do not try again; tell the user."


def guarded(agent: AgentT, guard: Guard | GuardAsync, *, messages: bool = False, unguarded: Collection[str] = ()) -> AgentT:
    """Return a copy of `agent` whose function tools, MCP tools included, ask `guard`. The agent itself stays as it is.

    Other kinds of tools (hosted ones, shell, computer) cannot be guarded: an agent that has one is refused, unless the
    tool's name is in `unguarded`. An agent that this one hands over to needs a guard of its own. With `messages`, what a
    person says and what the agent answers is reported, too; what is reported of it is never the text.
    """
    awaited = guard if isinstance(guard, GuardAsync) else guard.asynchronous()
    others = {tool.name for tool in agent.tools if not isinstance(tool, FunctionTool)} - set(unguarded)
    if others:
        raise UserError(
            f"cannot guard {', '.join(sorted(others))}: not function tools. Name them in `unguarded` to accept that."
        )
    kind = type(agent)

    async def get_all_tools(self: Any, run_context: Any) -> list[Any]:
        return [_guard_tool(tool, awaited) for tool in await kind.get_all_tools(self, run_context)]

    async def get_system_prompt(self: Any, run_context: Any) -> str | None:
        own = await kind.get_system_prompt(self, run_context)
        return "\n\n".join(part for part in (own, _prompt(awaited)) if part) or None

    methods = {"get_all_tools": get_all_tools, "get_system_prompt": get_system_prompt, "__module__": kind.__module__}
    tools = [_guard_tool(tool, awaited) for tool in agent.tools]
    copied = agent.clone(tools=tools, hooks=_Hooks(awaited, agent.hooks or AgentHooks(), messages))
    # A class of its own: MCP tools arrive at each turn, and `clone` must not lose the guard.
    copied.__class__ = type(kind.__name__, (kind,), methods)
    return cast(AgentT, copied)


def decide(guard: Guard, state: RunState[Any, Any], interruption: ToolApprovalItem, value: Any) -> None:
    """Record a person's decision about a paused call, in the guard and in the state of the run.

    `value` is as `identity_os_sdk.guard.decision` reads it: "approve", "refuse", or {"decision": ..., "by": ...}.
    """
    kind, by = decision(value)
    verdict = guard.before_tool(*_named(interruption))  # another process learns of the call here
    if kind == "approve" and verdict.kind == "pause":
        verdict = guard.approve(verdict.call_id, by)
    _settle(guard.refuse(verdict.call_id, by) if kind == "refuse" else verdict, state, interruption)


async def decide_async(guard: GuardAsync, state: RunState[Any, Any], interruption: ToolApprovalItem, value: Any) -> None:
    """As decide, for a GuardAsync."""
    kind, by = decision(value)
    verdict = await guard.before_tool(*_named(interruption))
    if kind == "approve" and verdict.kind == "pause":
        verdict = await guard.approve(verdict.call_id, by)
    _settle(guard.refuse(verdict.call_id, by) if kind == "refuse" else verdict, state, interruption)


def _named(interruption: ToolApprovalItem) -> tuple[str, dict[str, Any], str]:
    return interruption.name or "", _parsed(interruption.arguments), interruption.call_id or ""


def _settle(verdict: Verdict, state: RunState[Any, Any], interruption: ToolApprovalItem) -> None:
    if verdict.allowed:
        state.approve(interruption)
    else:
        state.reject(interruption, rejection_message=verdict.message)


class _Gate(ToolInputGuardrail[Any]):
    """The guardrail that denies. It marks a tool as guarded, and by whom: an id, so that a copy of the tool can be made."""

    owner: int


def _guard_tool(tool: Any, guard: GuardAsync) -> Any:
    """Return a copy of a function tool with the gate, the pause and the report; anything else, or a guarded tool, as it is."""
    if not isinstance(tool, FunctionTool):
        return tool
    rails = tool.tool_input_guardrails or []
    if any(isinstance(rail, _Gate) and rail.owner == id(guard) for rail in rails):
        return tool
    if (hints := getattr(tool, "mcp_annotations", None)) is not None:  # from 0.24 on
        guard.annotate(tool.name, hints.model_dump(by_alias=True, exclude_none=True))
    guarded_tool = copy.copy(tool)
    invoker, own_approval = guarded_tool.on_invoke_tool, tool.needs_approval
    names = {tool.name, tool.qualified_name}  # an approval of a tool in a namespace is under the latter

    async def ask(call_id: str, arguments: dict[str, Any], approved: bool = False) -> Verdict:
        try:
            verdict = await guard.before_tool(tool.name, arguments, call_id)
            return await guard.approve(call_id, "a person") if verdict.kind == "pause" and approved else verdict
        except Exception:
            log.exception("the guard failed before %s: the call is denied", tool.name)
            return Verdict("deny", tool.name, Action.EXECUTE, call_id, BROKEN, "the guard failed")

    async def gate(data: ToolInputGuardrailData) -> Output:
        verdict = await ask(data.context.tool_call_id, _parsed(data.context.tool_arguments))
        info = {"verdict": verdict.kind, "reason": verdict.reason, "trace": verdict.trace}
        return Output.reject_content(verdict.message, info) if verdict.kind == "deny" else Output.allow(info)

    async def needs_approval(context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        own = await own_approval(context, arguments, call_id) if callable(own_approval) else own_approval
        return own or (await ask(call_id, arguments)).kind == "pause"

    def reported(call: Any) -> Any:
        async def invoke(context: ToolContext[Any], arguments: str) -> Any:
            call_id, started = context.tool_call_id, time.monotonic()
            approved = any(context.is_tool_approved(name, call_id) for name in names)
            verdict = await ask(call_id, _parsed(arguments), approved)
            if not verdict.allowed:
                return verdict.message
            try:
                result = await call(context, arguments)
            except asyncio.CancelledError:
                if tool.timeout_seconds and time.monotonic() - started >= tool.timeout_seconds:
                    await _report(guard, tool.name, call_id, error=TimeoutError(f"no result after {tool.timeout_seconds} s"))
                raise
            except Exception as error:
                await _report(guard, tool.name, call_id, error=error)
                raise
            if result is not None or not tool._is_agent_tool:  # an agent as a tool that waits for a person has no result yet
                await _report(guard, tool.name, call_id, result=result)
            return result

        return invoke

    implementation = getattr(invoker, "_invoke_tool_impl", None)
    if implementation is None:  # a FunctionTool made by hand: its exceptions reach us
        guarded_tool.on_invoke_tool = reported(invoker)
    else:  # made by @function_tool: its invoker turns exceptions into text, so sit between the two
        inner = reported(implementation)
        if callable(own_approval):  # keeps the framework's check of what such a policy may see
            inner.__agents_prepare_arguments__ = getattr(implementation, "__agents_prepare_arguments__", None)
        observed: Any = copy.copy(invoker)
        observed._invoke_tool_impl = inner
        guarded_tool.on_invoke_tool = observed
    last = _Gate(gate, "identity_os")
    last.owner = id(guard)
    guarded_tool.tool_input_guardrails = [*rails, last]
    guarded_tool.needs_approval = needs_approval
    return guarded_tool


def _prompt(guard: GuardAsync) -> str:
    try:
        return guard.prompt()
    except Exception:
        log.exception("the guard failed: the model gets no contract")
        return ""


async def _report(guard: GuardAsync, name: str, call_id: str, **outcome: Any) -> None:
    try:
        await guard.after_tool(name, call_id, **outcome)
    except Exception:
        log.exception("the guard failed after %s: the call is not reported", name)


def _parsed(arguments: str | None) -> dict[str, Any]:
    try:
        parsed = json.loads(arguments or "{}")
    except ValueError:
        parsed = arguments
    return parsed if isinstance(parsed, dict) else {"input": parsed}


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    return " ".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in parts)


class _Hooks(AgentHooks[Any]):
    """Tells the guard what is said and handed over, then calls the agent's own hooks."""

    def __init__(self, guard: GuardAsync, own: AgentHooks[Any], messages: bool) -> None:
        self.guard, self.own, self.messages = guard, own, messages
        for name in (name for name in dir(own) if name.startswith("on_") and name not in vars(_Hooks)):
            setattr(self, name, getattr(own, name))

    async def on_llm_start(
        self, context: RunContextWrapper[Any], agent: Any, system_prompt: str | None, input_items: list[Any]
    ) -> None:
        last = input_items[-1] if input_items else None
        if self.messages and isinstance(last, dict) and last.get("role") == "user":  # this turn brings a person's words
            await self.tell("user_said", _text(last.get("content")))
        await self.own.on_llm_start(context, agent, system_prompt, input_items)

    async def on_end(self, context: AgentHookContext[Any], agent: Any, output: Any) -> None:
        if self.messages:
            await self.tell("agent_said", str(output))
        await self.own.on_end(context, agent, output)

    async def on_handoff(self, context: RunContextWrapper[Any], agent: Any, source: Any) -> None:
        await self.tell("handed_over", agent.name)
        await self.own.on_handoff(context, agent, source)

    async def tell(self, what: str, text: str) -> None:
        try:
            await getattr(self.guard, what)(text)
        except Exception:
            log.exception("the guard failed at %s", what)
