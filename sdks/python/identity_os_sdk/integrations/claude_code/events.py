"""What each event of Claude Code means: a call to judge, an end to report, a person who decided.

A pause is an `ask`. What the person said is seen by what comes next: the end of the call, so it was approved; or the end of its
batch or of the turn without it, so it was refused.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..._saved import restore, saved
from ...guard import Guard, Verdict
from ...observer import digest, printed
from .._claude import decided, text_of
from . import tools as t

log = logging.getLogger("identity_os_sdk.claude_code")

#: Who approves or refuses in Claude Code's own dialog.
USER: Final = "claude code user"
_WAY_ON: Final = (
    "You can still read (Read, Grep, Glob, commands that only read) and ask the user (AskUserQuestion). Find out why it failed "
    "before you change more, or ask; the same call again changes nothing."
)
_STOP_HERE: Final = "Stop here, and tell the user what happened and what you would do next."
#: Tools that are named when they are held, whether they were used or not.
_NAMED: Final = ("Edit", "Write", "Bash", "WebFetch", "WebSearch", "Agent")

Output = dict[str, Any]


class Session:
    """One session of Claude Code. `known` is what was kept of it; `answer` each event, then `keep`.

    `tools` is the caller's map, which the guard has by `tools.guard_tools`. `way_out` is how a person lets the agent go on.
    """

    def __init__(
        self, guard: Guard, known: dict[str, Any], *, tools: Mapping[str, Any], messages: bool = False, way_out: str = ""
    ) -> None:
        self.guard, self._known, self._tools, self._messages, self._way_out = guard, known, tools, messages, way_out
        if "core" in known:
            restore(guard.core, known["core"])
        self._asked: dict[str, str] = known.setdefault("asked", {})
        self._told: dict[str, str] = known.setdefault("told", {})
        self.verdict: Verdict | None = None

    def keep(self) -> None:
        """Put what is to be kept into `known`."""
        self._known["core"] = saved(self.guard.core)

    def answer(self, event: Mapping[str, Any]) -> Output:
        """The output of the hook, {} for no opinion."""
        handle = _HANDLERS.get(event["hook_event_name"])
        return {} if handle is None else handle(self, event)

    def _pre_tool_use(self, event: Mapping[str, Any]) -> Output:
        tool = event["tool_name"]
        if tool in t.NEVER_HELD:
            return {}
        call = t.call_of(tool, event.get("tool_input"), self._tools)
        self.verdict = verdict = self.guard.before_tool(call.name, self._arguments(call, event), _id(event))
        if verdict.allowed:
            return {}
        if verdict.kind == "pause":
            self._asked[_id(event)] = call.name
            return self._to_person(decided("ask", f"Identity OS: {verdict.message}"))
        on = _STOP_HERE if self.guard.contract.should_escalate else _WAY_ON
        return self._to_person(decided("deny", f"{verdict.message} {on}"))

    def _post_tool_use(self, event: Mapping[str, Any]) -> Output:
        tool, call_id = event["tool_name"], _id(event)
        if tool in t.NEVER_HELD:
            return {}
        if self._asked.pop(call_id, None):
            self.guard.approve(call_id, USER)
        # A person who interrupts a call says nothing about the agent.
        if not event.get("is_interrupt"):
            call = t.call_of(tool, event.get("tool_input"), self._tools)
            failed = event["hook_event_name"] == "PostToolUseFailure"
            if call.own:
                self.guard.core.begin_row(call.name, call_id)
            if failed:
                self.guard.after_tool(call.name, call_id, error=printed(event.get("error") or "error"))
            else:
                self.guard.after_tool(call.name, call_id, result=text_of(event.get("tool_response")))
                self._known["changes"] = self._changes + (self.guard.tool_action(call.name).action == "execute")
        return self._tell(event)

    def _post_tool_batch(self, event: Mapping[str, Any]) -> Output:
        self._refused([each.get("tool_use_id") for each in event.get("tool_calls", [])])
        return {}

    def _user_prompt_submit(self, event: Mapping[str, Any]) -> Output:
        self._refused(list(self._asked))
        if self._messages:
            self.guard.user_said(printed(event.get("prompt", "")))
        return self._tell(event)

    def _stop(self, event: Mapping[str, Any]) -> Output:
        self._refused(list(self._asked))
        if self._messages and event.get("last_assistant_message"):
            self.guard.agent_said(printed(event["last_assistant_message"]))
        return {}

    def _session_start(self, event: Mapping[str, Any]) -> Output:
        self._refused(list(self._asked))
        self._told.clear()  # a conversation that was summarised or taken up again does not hold what it was told
        return self._tell(event)

    def _refused(self, call_ids: list[Any]) -> None:
        for call_id in call_ids:
            if self._asked.pop(call_id, None):
                self.guard.refuse(call_id, USER)

    def _tell(self, event: Mapping[str, Any]) -> Output:
        """Tell the model what is held, when that changes, and what to do. An agent that nothing is held of is told nothing."""
        text = self.guard.prompt()
        who, held = event.get("agent_id") or "", self._held()
        text = f"{text}\n{_WAY_ON}" if held else ""
        if self._told.get(who, "") == text:
            return {}
        self._told[who] = text
        context = text or "Identity OS: nothing is held any more."
        about = {"hookEventName": event["hook_event_name"], "additionalContext": context}
        return self._to_person({"hookSpecificOutput": about})

    def _to_person(self, output: Output) -> Output:
        """The output with a line for the person, when what is held changes. The way out is not for the model's eyes."""
        now, contract = self._held(), self.guard.contract
        shown = [now, contract.should_escalate]
        if self._known.get("shown", [[], False]) == shown:
            return output
        self._known["shown"] = shown
        if not now:
            return {**output, "systemMessage": "Identity OS: nothing is held any more."}
        why = contract.escalation_reason or contract.pause_reason or f"stress is {contract.stress_state}"
        end = "It ends when a person decides" if contract.should_escalate else "It ends by calm work, or when you decide"
        return {**output, "systemMessage": f"Identity OS holds {', '.join(now)}: {why}. {end}: {self._way_out}"}

    def _held(self) -> list[str]:
        return self.guard.core.held(_NAMED)

    @property
    def _changes(self) -> int:
        changes: int = self._known.get("changes", 0)
        return changes

    def _arguments(self, call: t.Call, event: Mapping[str, Any]) -> Any:
        """What makes a call the same as another: of Claude Code's own tools also that nothing was changed in between.

        Who runs the tests again after an edit does not repeat himself.
        """
        given = event.get("tool_input")
        return {"input": given, "changes": self._changes} if call.own else given


def _id(event: Mapping[str, Any]) -> str:
    """The call's id; one that follows from the call where Claude Code gives none."""
    return event.get("tool_use_id") or digest([event.get("tool_name"), event.get("tool_input")])


_HANDLERS: Final[Mapping[str, Callable[[Session, Mapping[str, Any]], Output]]] = {
    "SessionStart": Session._session_start,
    "UserPromptSubmit": Session._user_prompt_submit,
    "PreToolUse": Session._pre_tool_use,
    "PostToolUse": Session._post_tool_use,
    "PostToolUseFailure": Session._post_tool_use,
    "PostToolBatch": Session._post_tool_batch,
    "SubagentStart": Session._tell,
    "Stop": Session._stop,
}
