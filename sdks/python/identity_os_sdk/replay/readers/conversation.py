"""Makes the steps of a run from messages, calls and results, whatever the format calls their fields.

Call ids are made unique within the run: recordings use one twice, or have none. A result belongs to the oldest open call of its
id; one without an id to the oldest open call of its tool.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from identity_os_sdk.outcomes import ErrorRules
from identity_os_sdk.replay.runs import Called, Returned, Said, Step
from identity_os_sdk.values import arguments_of, name_of, text_of


class UnreadableError(Exception):
    """A value is no run of the format; the message says what is wrong with it."""


@dataclass
class Steps:
    """The steps of a run so far. `problem` is called with what had to be left out."""

    rules: ErrorRules
    problem: Callable[[str], None]
    made: list[Step] = field(default_factory=list)
    _open: dict[str, tuple[str, str]] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def said(self, by: Literal["person", "agent"], text: str, tone: Literal["plain", "heated", "refusing"] = "plain") -> None:
        """A message; one without text is none."""
        if text:
            self.made.append(Said(by, text, tone))

    def called(self, tool: Any, arguments: Any, call_id: Any) -> None:
        """The agent called a tool."""
        if not isinstance(tool, str) or not tool:
            self.problem("a tool call without a name")
            return
        given = name_of(call_id)
        unique, count = given or f"call-{len(self._ids) + 1}", 1
        while unique in self._ids:
            count += 1
            unique = f"{given or 'call'}#{count}"
        self._ids.add(unique)
        self._open[unique] = (given, name_of(tool))
        self.made.append(Called(name_of(tool), arguments_of(arguments), unique))

    def returned(self, call_id: Any, tool: Any, result: Any, flag: bool | None = None, message: str = "") -> None:
        """What a call brought."""
        given, name = name_of(call_id), name_of(tool)
        found = self._find(given, name)
        if found is None:
            self.problem(f"a tool result without a call{f' ({given or name})' if given or name else ''}")
            return
        del self._open[found]
        error, rule = self.rules.judge(result, flag, message)
        self.made.append(Returned(found, result, error, rule))

    def _find(self, given: str, name: str) -> str | None:
        for unique, (raw, tool) in self._open.items():
            if (raw == given) if given else (not name or tool == name):
                return unique
        return None


def outcome_of(value: Any) -> bool | None:
    """Whether a run succeeded: true or false, or a reward of 1 or less. None where nobody says."""
    if isinstance(value, bool) or value is None:
        return value
    return value >= 1 - 1e-6 if isinstance(value, int | float) else None


def tool_call(steps: Steps, call: Any) -> None:
    """A tool call as chat messages have it.

    OpenAI: `function: {name, arguments}`. AgentDojo: `function: name, args`. tau2 and LangChain: `name`, `arguments` or `args`.
    """
    if not isinstance(call, dict):
        steps.problem("a tool call that is no object")
        return
    function = call.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, dict) else call
    name = inner.get("name") if isinstance(function, dict) or function is None else function
    arguments = next((inner[key] for key in ("arguments", "args", "input") if inner.get(key) is not None), None)
    steps.called(name, arguments, call.get("id") or call.get("call_id"))


def chat_message(steps: Steps, message: Any) -> None:
    """A chat message of OpenAI's form, which tau-bench, tau2-bench and AgentDojo share up to the names of fields."""
    if not isinstance(message, dict):
        steps.problem("a message that is no object")
        return
    role, text = message.get("role"), text_of(message.get("content"))
    if role == "user":
        # tau2's user has tools of its own; those calls are not the agent's.
        steps.said("person", text)
    elif role == "assistant":
        refusal = message.get("refusal")
        steps.said("agent", text or text_of(refusal), "refusing" if refusal else "plain")
        for call in _listed(message.get("tool_calls")):
            tool_call(steps, call)
        if message.get("function_call"):
            tool_call(steps, message["function_call"])
    elif role in ("tool", "function"):
        _tool_message(steps, message, text)
    elif role is None and message.get("type") in ("function_call", "function_call_output", "reasoning", "message"):
        _item(steps, message)
    elif role not in ("system", "developer"):
        steps.problem(f"a message of an unknown role {role!r}")


def _tool_message(steps: Steps, message: Mapping[str, Any], text: str) -> None:
    if isinstance(message.get("tool_messages"), list):
        for each in message["tool_messages"]:
            chat_message(steps, each)
        return
    if message.get("requestor") == "user":
        return
    error = message.get("error")
    flag = None if "error" not in message else bool(error)
    call_id = message.get("tool_call_id") or message.get("id")
    steps.returned(call_id, message.get("name"), text, flag, error if isinstance(error, str) else "")


def _item(steps: Steps, item: Mapping[str, Any]) -> None:
    """An item of OpenAI's newer form: calls and their outputs stand beside the messages."""
    if item["type"] == "function_call":
        steps.called(item.get("name"), item.get("arguments"), item.get("call_id") or item.get("id"))
    elif item["type"] == "function_call_output":
        steps.returned(item.get("call_id"), None, text_of(item.get("output")))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
