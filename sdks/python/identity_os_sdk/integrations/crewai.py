"""The guard in CrewAI: hooks around the tool calls and model calls of all crews and agents of this process.

    guard = Guard(client.engine, instance.id, tools={"search_*": "explore", "refund": "execute"})
    IdentityOSHooks(guard).register()

A denied call's message takes the place of the tool's result. A pause asks a person, on the terminal or as `ask` does; where
nobody can be asked it is a denial. CrewAI runs the tool when a hook raises: these hooks deny the call instead.
"""

import getpass
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from crewai.hooks import (
    LLMCallHookContext,
    ToolCallHookContext,
    register_after_tool_call_hook,
    register_before_llm_call_hook,
    register_before_tool_call_hook,
    unregister_after_tool_call_hook,
    unregister_before_llm_call_hook,
    unregister_before_tool_call_hook,
)
from crewai.tools import ToolFailure

from identity_os_sdk.guard import Guard, GuardAsync, Verdict, decision

__all__ = ["IdentityOSHooks"]

logger = logging.getLogger(__name__)

#: Asks a person about a paused call. The answer is a resume value, such as "approve"; None says that nobody could be asked.
Ask = Callable[[Verdict, ToolCallHookContext], object]

#: How CrewAI starts the text that takes the place of a result. The hooks see no exception.
_FAILED: Final = (
    "Error executing tool:",
    "I encountered an error while trying to use the tool. This was the error:",
    "Error executing task with agent",
    "Tool not found",
)
_BLOCKED: Final = "Tool execution blocked by hook."
_BLOCK: Final = re.compile(r"\s*<identity_os>.*?</identity_os>", re.DOTALL)


class IdentityOSHooks:
    """Asks a guard before each tool call, and reports to it how the call ended.

    `guard`: one guard for all agents, or a dict from an agent's role to its guard. An agent that is not in the dict can call no
    tool; None instead of a guard lets an agent call its tools unguarded. `ask`: called with the verdict and CrewAI's context
    when a call pauses; without it a person is asked on the terminal, if there is one.

    CrewAI's hooks are global: register one IdentityOSHooks, before the crew starts.
    """

    def __init__(self, guard: Guard | Mapping[str, Guard | None], *, ask: Ask | None = None) -> None:
        if any(isinstance(one, GuardAsync) for one in (guard.values() if isinstance(guard, Mapping) else [guard])):
            raise TypeError("CrewAI's hooks are synchronous: they need a Guard, not a GuardAsync")
        self._guard, self._ask, self._asking = guard, ask or ask_on_terminal, threading.Lock()
        # CrewAI's contexts have no call id. The two hooks of one call have the same dict of arguments, which is kept here so
        # that no other dict gets its id.
        self._calls: dict[int, tuple[Verdict | str, object]] = {}

    def register(self) -> "IdentityOSHooks":
        """Hook into all crews and agents of this process."""
        register_before_tool_call_hook(self.before_tool_call)
        register_after_tool_call_hook(self.after_tool_call)
        register_before_llm_call_hook(self.before_llm_call)
        return self

    def unregister(self) -> None:
        """Take the hooks out again."""
        unregister_before_tool_call_hook(self.before_tool_call)
        unregister_after_tool_call_hook(self.after_tool_call)
        unregister_before_llm_call_hook(self.before_llm_call)

    __enter__ = register

    def __exit__(self, *_: object) -> None:
        self.unregister()

    def before_tool_call(self, context: ToolCallHookContext) -> bool | None:
        """Let the call through, or block it: False."""
        try:
            guard = self._guard_of(context.agent)
            if guard is None:
                return None
            said: Verdict | str = self._decide(guard, context)
        except Exception:
            # CrewAI would run the tool.
            logger.exception("a call of %s is denied: it could not be judged", context.tool_name)
            said = f"{context.tool_name} is not allowed now: the guard failed."
        self._calls[id(context.tool_input)] = (said, context.tool_input)
        return None if isinstance(said, Verdict) and said.allowed else False

    def _decide(self, guard: Guard, context: ToolCallHookContext) -> Verdict:
        verdict = guard.before_tool(context.tool_name, context.tool_input)
        if verdict.kind != "pause":
            return verdict
        with self._asking:
            answer = self._ask(verdict, context)
        if answer is None:
            return verdict
        decided, by = decision(answer)
        return guard.approve(verdict.call_id, by) if decided == "approve" else guard.refuse(verdict.call_id, by)

    def after_tool_call(self, context: ToolCallHookContext) -> str | None:
        """Report how the call ended, or tell the model why it was blocked."""
        said, _ = self._calls.pop(id(context.tool_input), (None, None))
        if said is None or isinstance(said, str):
            return said
        if not said.allowed:
            return said.message
        try:
            guard, result = self._guard_of(context.agent), context.raw_tool_result
            if guard is not None and not str(result).startswith(_BLOCKED):  # by another hook: the tool did not run
                guard.after_tool(context.tool_name, said.call_id, result=result, error=_error_in(result))
        except Exception:
            logger.exception("the guard missed a result")
        return None

    def before_llm_call(self, context: LLMCallHookContext) -> None:
        """Put the contract into the system message, in the place of the one that this hook put there before."""
        try:
            guard = self._guard_of(context.agent) if context.agent else None
            if guard is None:
                return
            system = next((m for m in context.messages if m.get("role") == "system"), context.messages[0])
            kept = _BLOCK.sub("", str(system.get("content") or ""))
            system["content"] = f"{kept}\n\n<identity_os>\n{guard.prompt()}\n</identity_os>"
        except Exception:
            logger.exception("the model is not told of the contract")

    def _guard_of(self, agent: Any) -> Guard | None:
        if not isinstance(self._guard, Mapping):
            return self._guard
        # CrewAI fills {inputs} into the role, and keeps it as it was.
        for role in (getattr(agent, "role", None), getattr(agent, "_original_role", None)):
            if isinstance(role, str) and role in self._guard:
                return self._guard[role]
        raise LookupError(f"no guard is given for the agent {getattr(agent, 'role', None)!r}")


def ask_on_terminal(verdict: Verdict, context: ToolCallHookContext) -> object:
    """Ask on the terminal with CrewAI's own prompt. None where there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    answer = context.request_human_input(f"{verdict.message}\nArguments: {context.tool_input}", "Type approve or refuse:")
    return {"decision": answer, "by": getpass.getuser()}


def _error_in(result: object) -> str | None:
    """What went wrong: a ToolFailure that the tool returned, or the text that CrewAI made of an exception."""
    if isinstance(result, ToolFailure):
        return str(result.as_agent_message())
    text = result.strip() if isinstance(result, str) else ""
    for start in _FAILED:
        if text.startswith(start):
            return text.removeprefix(start).split("\n Tool ")[0].strip(" .") or text
    return None
