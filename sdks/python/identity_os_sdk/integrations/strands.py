"""Strands Agents: the guard between an agent and its tools, as a plugin.

    guard = Guard(engine, "support-bot", tools={"search_*": "explore", "refund": "execute"})
    agent = Agent(model=model, tools=tools, plugins=[IdentityOSHooks(guard)])

A denial is the tool's result, with status "error". A pause is an interrupt of Strands: the agent stops with
`stop_reason == "interrupt"` and goes on when it is called with a person's decision.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strands.hooks import AfterInvocationEvent, AfterToolCallEvent, BeforeInvocationEvent, BeforeToolCallEvent, HookOrder
from strands.interrupt import InterruptException
from strands.middleware import InvokeModelContext, InvokeModelStage
from strands.plugins import Plugin

from ..guard import Guard, GuardAsync, decision

if TYPE_CHECKING:
    from strands import Agent

log = logging.getLogger("identity_os_sdk")

UNDECIDED = "This call was stopped: Identity OS could not decide about it. Do not call the tool again; tell the user."


class IdentityOSHooks(Plugin):
    """Asks `guard` before each tool call, reports each result, and tells the model what its contract is now.

    One guard for each agent. `messages`: report what the user and the agent say, too. The hooks are the last of their kind, so
    that they see the call as other hooks have left it.
    """

    name = "identity-os"

    def __init__(self, guard: Guard | GuardAsync, *, messages: bool = False) -> None:
        super().__init__()
        self._messages = messages
        self._guard = guard.asynchronous() if isinstance(guard, Guard) else guard
        self._attempts: dict[str, int] = {}  # of calls that another hook retries: each attempt is an interrupt of its own

    def init_agent(self, agent: Agent) -> None:
        """Add the hooks to `agent`; Strands calls this."""
        agent.add_hook(self._before_tool, BeforeToolCallEvent, order=HookOrder.SDK_LAST)
        agent.add_hook(self._after_tool, AfterToolCallEvent, order=HookOrder.SDK_LAST)
        agent.add_middleware(InvokeModelStage.Input, self._prompt)
        if self._messages:
            agent.add_hook(self._user_said, BeforeInvocationEvent, order=HookOrder.SDK_LAST)
            agent.add_hook(self._agent_said, AfterInvocationEvent, order=HookOrder.SDK_LAST)

    async def _before_tool(self, event: BeforeToolCallEvent) -> None:
        if event.cancel_tool:  # another hook has denied the call
            return
        try:
            call, call_id = event.tool_use, event.tool_use["toolUseId"]
            hints = event.selected_tool.tool_spec.get("annotations") if event.selected_tool is not None else None
            if isinstance(hints, Mapping):  # of an MCP tool
                self._guard.annotate(call["name"], hints)
            verdict = await self._guard.before_tool(call["name"], call["input"], call_id)
            if verdict.kind == "pause":
                question = {"tool": call["name"], "input": call["input"], "action": verdict.action, "message": verdict.message}
                attempt = self._attempts.get(call_id, 1)
                # Raises until the agent is called with the answer; then this hook runs again and the answer is returned here.
                answer = event.interrupt(f"identity-os-{attempt}", reason={**question, "why": verdict.reason})
                choice, by = decision(answer)
                verdict = await self._guard.approve(call_id, by) if choice == "approve" else self._guard.refuse(call_id, by)
            if not verdict.allowed:
                event.cancel_tool = verdict.message or UNDECIDED
        except InterruptException:
            raise
        except Exception:
            log.exception("the guard's hook failed before %s; the call is denied", event.tool_use.get("name"))
            event.cancel_tool = UNDECIDED

    async def _after_tool(self, event: AfterToolCallEvent) -> None:
        if event.cancel_message is not None:  # denied: the tool did not run
            return
        try:
            call_id = event.tool_use["toolUseId"]
            text = _text(event.result["content"])
            error = (event.exception or text or "error") if event.result["status"] == "error" else None
            await self._guard.after_tool(event.tool_use["name"], call_id, None if error else text, error)
            attempt = self._attempts.pop(call_id, 1)
            if event.retry:
                self._attempts[call_id] = attempt + 1
        except Exception:
            log.exception("the guard's hook failed after %s; the call is not reported", event.tool_use.get("name"))

    async def _user_said(self, event: BeforeInvocationEvent) -> None:
        try:
            for message in event.messages or []:
                if message["role"] == "user" and (text := _text(message["content"])):
                    await self._guard.user_said(text)
        except Exception:
            log.exception("the guard's hook failed; the user's message is not reported")

    async def _agent_said(self, event: AfterInvocationEvent) -> None:
        try:
            if event.result is not None and event.result.stop_reason == "end_turn" and (text := str(event.result).strip()):
                await self._guard.agent_said(text)
        except Exception:
            log.exception("the guard's hook failed; the agent's message is not reported")

    async def _prompt(self, context: InvokeModelContext) -> InvokeModelContext:
        """Append the contract to the system prompt of this one model call; the agent's own prompt stays as it is."""
        try:
            now, before = self._guard.prompt(), context.system_prompt
            if isinstance(before, list):
                return context.replace(system_prompt=[*before, {"text": now}])
            return context.replace(system_prompt=f"{before}\n\n{now}" if before else now)
        except Exception:
            log.exception("the guard's hook failed; the model is not told its contract")
            return context


def _text(content: list[Any]) -> str:
    """The text of content blocks, and JSON blocks as sorted JSON; images and documents are left out."""
    parts = [
        block["text"] if "text" in block else json.dumps(block["json"], sort_keys=True, default=str)
        for block in content
        if "text" in block or "json" in block
    ]
    return "\n".join(parts)
