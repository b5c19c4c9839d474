"""The guard in Google's Agent Development Kit: a plugin for the agents of a Runner.

    guard = Guard(client.engine, instance.id, tools={"search_*": "explore", "refund": "execute"})
    app = App(name="support", root_agent=agent, plugins=[IdentityOSPlugin(guard)])

A denied call is answered with `{"error": message}`, and the run goes on. A pause is ADK's own tool confirmation: the run ends
with a call of `adk_request_confirmation`, and a person's answer to it, in a later run, runs the tool or tells the model of the
refusal.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from google.adk.agents.callback_context import CallbackContext
from google.adk.agents.invocation_context import InvocationContext
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.plugins.base_plugin import BasePlugin
from google.adk.tools.base_tool import BaseTool
from google.adk.tools.function_tool import FunctionTool
from google.adk.tools.tool_context import ToolContext
from google.genai import types

from identity_os_sdk.guard import Guard, GuardAsync, Verdict, decision

__all__ = ["IdentityOSPlugin"]

logger = logging.getLogger(__name__)

AnyGuard = Guard | GuardAsync

#: ADK's own calls that end a run or a loop, or are its answer: they do nothing that a contract could hold.
_STEERING = frozenset({"set_model_response", "finish_task", "exit_loop"})
#: How many calls are around what runs now. An agent that runs within a call, as AgentTool has it, speaks with no person.
_within: ContextVar[int] = ContextVar("identity_os_within", default=0)


class IdentityOSPlugin(BasePlugin):
    """Asks a guard before each tool call of the Runner's agents, and reports to it how the call ended.

    `guard`: one guard for all agents, or a dict from an agent's name to its guard. An agent that is not in the dict can call no
    tool; None instead of a guard lets an agent call its tools unguarded. Put the plugin first in the list of plugins: ADK asks
    no further plugin once one has answered. `messages`: report messages to and from a person, too.
    """

    def __init__(
        self, guard: AnyGuard | Mapping[str, AnyGuard | None], *, messages: bool = False, name: str = "identity_os"
    ) -> None:
        super().__init__(name)
        self._messages = messages
        self._guards = {agent: _awaitable(one) for agent, one in guard.items()} if isinstance(guard, Mapping) else {}
        self._guard = None if isinstance(guard, Mapping) else _awaitable(guard)
        for one in (self._guard, *self._guards.values()):
            if one is not None:
                # The ids of calls are unique, and another process that goes on with a session makes the same ones.
                one.run = "google_adk"
        # The calls that were allowed and have not ended. ADK calls `after_tool_callback` after errors and denials, too.
        self._running: set[str] = set()

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> dict[str, Any] | None:
        """Let the call through, or answer it instead of the tool."""
        try:
            if _steers(tool):
                return None
            guard = self._guards.get(tool_context.agent_name, self._guard)
            if guard is None:
                return self._unguarded(tool_context.agent_name)
            verdict = await self._decide(guard, tool, tool_args, tool_context)
        except Exception:
            # ADK would end the run. The model learns instead that the call was not made.
            logger.exception("a call of %s is denied: it could not be judged", tool.name)
            return {"error": f"{tool.name} is not allowed now: the guard failed."}
        if not verdict.allowed:
            return {"error": verdict.message}
        self._running.add(verdict.call_id)
        _within.set(_within.get() + 1)
        return None

    def _unguarded(self, agent: str) -> dict[str, Any] | None:
        if agent in self._guards:
            return None
        logger.error("no guard is given for the agent %s, so it can call no tool", agent)
        return {"error": f"No guard is given for the agent {agent}, so it can call no tool. Tell the operator."}

    async def _decide(self, guard: GuardAsync, tool: BaseTool, args: dict[str, Any], context: ToolContext) -> Verdict:
        if annotations := getattr(getattr(tool, "raw_mcp_tool", None), "annotations", None):
            guard.annotate(tool.name, annotations.model_dump(by_alias=True, exclude_none=True))
        verdict = await guard.before_tool(tool.name, args, _call_id(context))
        answer = context.tool_confirmation
        if answer is None:
            if verdict.kind == "pause":
                context.request_confirmation(hint=verdict.message, payload={"tool": tool.name, "reason": verdict.reason})
                # Without this ADK goes on to the model, which calls the tool again.
                context.actions.skip_summarization = True
            return verdict
        given = answer.payload if isinstance(answer.payload, Mapping) else {}
        answered = {"decision": "approve" if answer.confirmed else "refuse", "by": given.get("by") or context.user_id}
        decided, by = decision(answered)
        if decided == "refuse" and verdict.kind != "deny":
            return guard.refuse(verdict.call_id, by)
        return await guard.approve(verdict.call_id, by) if verdict.kind == "pause" else verdict

    async def after_tool_callback(
        self,
        *,
        tool: BaseTool,
        tool_args: dict[str, Any],  # noqa: ARG002
        tool_context: ToolContext,
        result: Any,
    ) -> None:
        """Report the result, or the error that it tells of."""
        with _logged("a result"):
            # A tool that asks for confirmation or credentials has not run: its call comes again, with the answer.
            asked = tool_context.actions.requested_tool_confirmations, tool_context.actions.requested_auth_configs
            waits = any(tool_context.function_call_id in requests for requests in asked)
            await self._report(tool, tool_context, waits, result=result, error=_error_in(result))

    async def on_tool_error_callback(
        self,
        *,
        tool: BaseTool,
        tool_args: dict[str, Any],  # noqa: ARG002
        tool_context: ToolContext,
        error: BaseException,
    ) -> None:
        """Report the error. It is still raised, unless another plugin or the agent handles it."""
        with _logged("an error"):
            # A cancelled call says nothing about the agent.
            await self._report(tool, tool_context, not isinstance(error, Exception), error=error)

    async def _report(self, tool: BaseTool, context: ToolContext, unfinished: bool, **ended: Any) -> None:
        call_id = _call_id(context)
        if call_id not in self._running:
            return
        self._running.remove(call_id)
        _within.set(_within.get() - 1)
        guard = self._guards.get(context.agent_name, self._guard)
        if guard is not None and not unfinished:
            await guard.after_tool(tool.name, call_id, **ended)

    async def before_model_callback(self, *, callback_context: CallbackContext, llm_request: LlmRequest) -> None:
        """Put the contract into the system instruction of this request."""
        with _logged("the prompt"):
            if guard := self._guards.get(callback_context.agent_name, self._guard):
                llm_request.append_instructions([guard.prompt()])

    async def on_user_message_callback(self, *, invocation_context: InvocationContext, user_message: types.Content) -> None:
        """Report a person's message."""
        with _logged("a person's message"):
            # A workflow is no agent.
            guard = self._guards.get(getattr(invocation_context.agent, "name", ""), self._guard)
            if guard is not None and self._messages and not _within.get() and (text := _text(user_message)):
                await guard.user_said(text)

    async def after_model_callback(self, *, callback_context: CallbackContext, llm_response: LlmResponse) -> None:
        """Report the agent's answer to a person."""
        with _logged("an agent's message"):
            guard, text = self._guards.get(callback_context.agent_name, self._guard), _text(llm_response.content)
            if guard is not None and self._messages and not _within.get() and text and not llm_response.partial:
                await guard.agent_said(text)


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """What fails in here is logged: it must not end the run."""
    try:
        yield
    except Exception:
        logger.exception("the guard missed %s", what)


def _awaitable(guard: AnyGuard | None) -> GuardAsync | None:
    return guard.asynchronous() if isinstance(guard, Guard) else guard


def _steers(tool: BaseTool) -> bool:
    made_by = tool.func if type(tool) is FunctionTool else type(tool)
    return tool.name in _STEERING and made_by.__module__.startswith("google.adk.")


def _call_id(context: ToolContext) -> str:
    """The invocation is part of it: some models count their calls anew. A run that goes on with an answer has the same one."""
    return f"{context.invocation_id}:{context.function_call_id}"


def _text(content: types.Content | None) -> str:
    """What a person reads of a message: no thoughts, and nothing of a message that makes a call or answers one."""
    parts = (content.parts if content else None) or []
    if any(part.function_call or part.function_response for part in parts):
        return ""
    return "".join(part.text for part in parts if part.text and not part.thought)


def _error_in(result: object) -> str | None:
    """The error in a result: `error` in ADK's own tools, `status` as its documentation recommends, `isError` of MCP."""
    if not isinstance(result, Mapping):
        return None
    told = result.get("error_message") or result.get("error") or result.get("message")
    failed = result.get("error") or result.get("isError") or result.get("status") in ("error", "failed")
    return str(told or result) if failed else None
