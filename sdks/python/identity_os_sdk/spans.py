"""What a span says of a tool call, in three vocabularies: GenAI's `execute_tool`, OpenInference's TOOL, Traceloop's tool.

Replay reads recorded spans with it, the OpenTelemetry adapter those that end in this process. How a span is written down
or kept does not belong here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from identity_os_sdk.values import arguments_of, langchain_message, name_of, text_of

_KINDS = ("openinference.span.kind", "traceloop.span.kind")
_TOOL = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name", "mcp.tool.name")
_CALL_ID = ("gen_ai.tool.call.id", "tool_call.id", "tool.id")
#: Strands writes arguments and result as events, as older conventions have it: see `from_events`.
_ARGUMENTS_EVENT, _RESULT_EVENT = ("gen_ai.tool.message", "content"), ("gen_ai.choice", "message")
_ARGUMENTS = ("gen_ai.tool.call.arguments", "input.value", "traceloop.entity.input", "mcp.tool.arguments", _ARGUMENTS_EVENT[0])
_RESULT = ("gen_ai.tool.call.result", "output.value", "traceloop.entity.output", _RESULT_EVENT[0])
#: Google ADK's span around calls that were made at once, each of which has its own.
_MERGED = "(merged tools)"
_AGENT = ("gen_ai.agent.name", "agent.name", "traceloop.association.properties.lc_agent_name")
#: Exceptions by which LangGraph and Strands leave a call to ask somebody, or to go on elsewhere; and Pydantic AI's word for it.
_LEAVES = frozenset({"GraphInterrupt", "NodeInterrupt", "GraphBubbleUp", "ParentCommand", "InterruptException"})
_DEFERRED = "pydantic_ai.tool.deferral.name"
_CONVERSATION = ("gen_ai.conversation.id", "session.id")


@dataclass
class Span:
    """A span. `start` and `end` are nanoseconds; `status` is ok, error, or empty where it is unset.

    `message` and `exception`: the text of an error, and the class of an exception that was recorded.
    """

    trace: str
    id: str
    parent: str
    name: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    status: str
    message: str
    exception: str = ""

    @classmethod
    def of(cls, name: str, attributes: Mapping[str, Any]) -> "Span":
        """A span of which only name and attributes are known."""
        return cls("", "", "", name, 0, 0, attributes, {}, "", "")

    def executes_tool(self) -> bool:
        """Whether it is a tool call."""
        kinds = [str(self.attributes.get(name, "")).lower() for name in _KINDS]
        named = self.name.startswith("execute_tool ")
        said = named or "tool" in kinds or str(self.attributes.get("gen_ai.operation.name", "")).lower() == "execute_tool"
        return said and self.attributes.get("gen_ai.tool.name") != _MERGED

    def tool(self) -> str:
        """The tool's name."""
        return self._first(_TOOL) or self.name.removeprefix("execute_tool ").removesuffix(".tool")

    def call_id(self) -> str:
        """The call's id as the model gave it, empty where the span does not say."""
        return self._first(_CALL_ID) or name_of(self._returned()[0].get("tool_call_id"))

    def agent(self) -> str:
        """The name of the agent, empty where this span does not say."""
        return self._first(_AGENT) or name_of(_object(self.attributes.get("metadata")).get("lc_agent_name"))

    def conversation(self) -> str:
        """The conversation or session, empty where this span does not say."""
        return self._first(_CONVERSATION)

    def arguments(self) -> Any:
        """The arguments, mostly as JSON text; None where nobody recorded them."""
        value = self._value(_ARGUMENTS)
        # Traceloop puts LangChain's whole run around them, with the number of its step: no two calls would be alike.
        found = _object(value)
        return value if "input_str" not in found else found.get("inputs") or found["input_str"]

    def result(self) -> Any:
        """What the call brought; None where nobody recorded it. Of a LangChain message its text: the rest is new each time."""
        return self._returned()[1]

    def is_over(self) -> bool:
        """Whether the call came to an end. One that waits for somebody's answer has neither worked nor failed yet."""
        classes = {self.error_class(), self.exception.rpartition(".")[2]}
        return not (classes & _LEAVES or self.attributes.get(_DEFERRED))

    def failure(self) -> tuple[bool | None, str]:
        """Whether the recording says that it failed, None where it says nothing; and the text."""
        if self.status == "error" or self.attributes.get("error.type") or (self.exception and self.status != "ok"):
            return True, self.message or self.error_class()
        message, text = self._returned()
        if message.get("status") == "error":  # the tool's exception became a result: the span itself ends well
            return True, str(text)
        return (False, "") if self.status == "ok" else (None, "")

    def error_class(self) -> str:
        """The class of an error, without its module; empty where the span does not say."""
        return (name_of(self.attributes.get("error.type")) or self.exception).rpartition(".")[2]

    def take_failure_of(self, other: "Span") -> None:
        """Another span of the same call failed."""
        self.status, self.message, self.exception = "error", other.failure()[1], other.error_class()

    def _first(self, names: tuple[str, ...]) -> str:
        return next((found for name in names if (found := name_of(self.attributes.get(name)))), "")

    def _value(self, names: tuple[str, ...]) -> Any:
        return next((self.attributes[name] for name in names if self.attributes.get(name) is not None), None)

    def _returned(self) -> tuple[Mapping[str, Any], Any]:
        """The tool message, if the result is one of LangChain as JSON, and what the call brought."""
        value = self._value(_RESULT)
        found = _object(value)
        if {"output", "kwargs"} <= set(found):  # Traceloop's
            value = found["output"]
            found = value if isinstance(value, dict) else {}
        if isinstance(value, str) and value.startswith('[{"text"'):  # content blocks
            return {}, text_of(arguments_of(value))
        kind, fields = langchain_message(found)
        return (fields, text_of(fields["content"])) if kind == "tool" and "content" in fields else ({}, value)


def from_events(events: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, Any], str, str]:
    """What the events of a span tell, by name and attributes: arguments and result; class and message of an exception."""
    content, kind, message = {}, "", ""
    for name, attributes in events:
        if name == "exception" and attributes:
            kind, message = name_of(attributes.get("exception.type")), name_of(attributes.get("exception.message"))
        for event, field in (_ARGUMENTS_EVENT, _RESULT_EVENT):
            if name == event and attributes.get(field) is not None:
                content[event] = attributes[field]
    return content, kind, message


def _object(value: Any) -> dict[str, Any]:
    """A JSON object out of its text; empty for whatever is none."""
    if not isinstance(value, str) or not value.startswith("{"):
        return {}
    parsed = arguments_of(value)
    return parsed if isinstance(parsed, dict) else {}
