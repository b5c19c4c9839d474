"""The Claude Agent SDK: the guard as hooks of the session.

    guard = Guard(engine, "support-bot", tools={"refund": "execute", "WebSearch": "explore"})
    options = guarded(ClaudeAgentOptions(...), guard)

A denial is PreToolUse's "deny": its message is the tool's result. A pause is "ask", answered by the coroutine `ask` that you
give, or "defer", which ends the run until it is resumed; with neither it is a denial. An allowed call gets no decision at all:
your own permission rules still apply to it.

A tool of your own in-process server goes by its own name (`refund`), any other tool by Claude's (`Bash`,
`mcp__github__create_issue`): an external server cannot borrow the rights of your tools.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

from claude_agent_sdk import (
    CanUseToolShadowedWarning,
    ClaudeAgentOptions,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
)

from ..guard import Guard, GuardAsync, Verdict, decision
from ._claude import decided, text_of

log = logging.getLogger("identity_os_sdk")

UNDECIDED = "This call was stopped: Identity OS could not decide about it. Do not call the tool again; tell the user."
NOT_GRANTED = "You have no permission to use {name}."

Ask = Callable[[Verdict, str, dict[str, Any]], Awaitable[Any]]


def guarded(
    options: ClaudeAgentOptions, guard: Guard | GuardAsync, ask: Ask | Literal["defer"] | None = None, *, messages: bool = False
) -> ClaudeAgentOptions:
    """A copy of `options` whose tool calls pass `guard`; hooks and `can_use_tool` of your own stay and are asked as well.

    `ask(verdict, tool, args)` asks a person about a paused call and returns the answer: "approve", "refuse", or
    {"decision": ..., "by": ...}.
    `ask="defer"` ends the run at a paused call; resume the session with an `ask` that knows the decision.
    `messages`: report what the user and Claude say, too.
    """
    session = _Session(guard, ask, options)
    events = {
        # A hook that breaks or times out must block the call; by itself Claude Code would run the tool.
        "PreToolUse": HookMatcher(hooks=[session.before_tool], on_failure="block"),
        "PostToolUse": HookMatcher(hooks=[session.after_tool]),
        "PostToolUseFailure": HookMatcher(hooks=[session.after_tool]),
        "UserPromptSubmit": HookMatcher(hooks=[session.user_said if messages else session.begin]),
        "SubagentStart": HookMatcher(hooks=[session.tell]),
        "PreCompact": HookMatcher(hooks=[session.forget]),
    }
    if messages:
        events["Stop"] = HookMatcher(hooks=[session.agent_said])
    hooks: dict[Any, list[HookMatcher]] = {event: list(matchers) for event, matchers in (options.hooks or {}).items()}
    for event, matcher in events.items():
        hooks[event] = [*hooks.get(event, []), matcher]
    if not callable(ask):
        return replace(options, hooks=hooks)
    if options.can_use_tool is None:  # the callback is for paused calls only: that allowed tools do not reach it is meant
        warnings.filterwarnings("ignore", category=CanUseToolShadowedWarning)
    return replace(options, hooks=hooks, can_use_tool=session.can_use_tool)


class _Session:
    """The hooks of one `guarded(...)`; none of them raises."""

    def __init__(self, guard: Guard | GuardAsync, ask: Ask | Literal["defer"] | None, options: ClaudeAgentOptions) -> None:
        self._guard = guard.asynchronous() if isinstance(guard, Guard) else guard
        self._ask, self._can_use_tool = ask, options.can_use_tool
        servers = options.mcp_servers if isinstance(options.mcp_servers, dict) else {}
        self._own = [f"mcp__{name}__" for name, server in servers.items() if server.get("type") == "sdk"]
        self._paused: dict[str, Verdict] = {}
        self._told: dict[str, str] = {}  # the contract as each agent of the session was last told it

    def _name(self, tool: str) -> str:
        return next((tool[len(own) :] for own in self._own if tool.startswith(own)), tool)

    async def before_tool(self, data: Any, *_: Any) -> Any:
        try:
            verdict = await self._guard.before_tool(self._name(data["tool_name"]), data["tool_input"], data["tool_use_id"])
            if verdict.allowed:
                return {}
            if verdict.kind == "pause" and self._ask == "defer":
                return decided("defer", verdict.message)
            if verdict.kind == "pause" and self._ask is not None:
                self._paused[data["tool_use_id"]] = verdict
                return decided("ask", verdict.message)
            return decided("deny", verdict.message or UNDECIDED)
        except Exception:
            log.exception("the guard's hook failed; the call is denied")
            return decided("deny", UNDECIDED)

    async def can_use_tool(
        self, name: str, args: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        paused = self._paused.pop(context.tool_use_id or "", None)
        if paused is not None and callable(self._ask):
            try:
                choice, by = decision(await self._ask(paused, self._name(name), args))
                approve, refuse = self._guard.approve, self._guard.refuse
                verdict = await approve(paused.call_id, by) if choice == "approve" else refuse(paused.call_id, by)
                if not verdict.allowed:
                    return PermissionResultDeny(message=verdict.message or UNDECIDED)
            except Exception:
                log.exception("nobody could decide about a paused call; the call is denied")
                return PermissionResultDeny(message=paused.message or UNDECIDED)
        if self._can_use_tool is not None:
            answer: PermissionResultAllow | PermissionResultDeny = await self._can_use_tool(name, args, context)
            return answer
        return PermissionResultAllow() if paused is not None else PermissionResultDeny(message=NOT_GRANTED.format(name=name))

    async def after_tool(self, data: Any, *_: Any) -> Any:
        try:
            failed = data["hook_event_name"] == "PostToolUseFailure"
            result, error = (None, data["error"] or "error") if failed else (text_of(data["tool_response"]), None)
            await self._guard.after_tool(self._name(data["tool_name"]), data["tool_use_id"], result, error)
        except Exception:
            log.exception("the guard's hook failed; a result is not reported")
        return await self.tell(data)

    async def user_said(self, data: Any, *_: Any) -> Any:
        try:
            await self._guard.user_said(data["prompt"])
        except Exception:
            log.exception("the guard's hook failed; the user's message is not reported")
        return await self.begin(data)

    async def agent_said(self, data: Any, *_: Any) -> Any:
        try:
            if text := data.get("last_assistant_message"):
                await self._guard.agent_said(text)
        except Exception:
            log.exception("the guard's hook failed; the agent's message is not reported")
        return {}

    async def begin(self, data: Any, *_: Any) -> Any:
        """A prompt: tell the contract, whatever was told before."""
        self._told.clear()
        return await self.tell(data)

    async def tell(self, data: Any, *_: Any) -> Any:
        """Add the contract to what the model reads, unless this agent was told the same before: the text stays there."""
        try:
            who, now = data.get("agent_id") or "", self._guard.prompt()
            if not now or self._told.get(who) == now:
                return {}
            self._told[who] = now
            return {"hookSpecificOutput": {"hookEventName": data["hook_event_name"], "additionalContext": now}}
        except Exception:
            log.exception("the guard's hook failed; the model is not told its contract")
            return {}

    async def forget(self, *_: Any) -> Any:
        """The conversation is about to be summarised: tell the contract again after it."""
        self._told.clear()
        return {}
