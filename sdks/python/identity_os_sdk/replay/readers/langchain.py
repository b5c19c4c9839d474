"""LangChain messages: a list of messages is a run; or an object with `messages`, as a LangGraph state has it.

A message is `{"type": "human" | "ai" | "tool", "content", "tool_calls"}`, or `{"type", "data"}` as messages_to_dict writes it,
or a constructor as `dumps` writes it. A result's `status: error` is the framework's word; `success` is its default and says
nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from identity_os_sdk.replay.readers.conversation import Steps, text_of, tool_call
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, each, message_run
from identity_os_sdk.replay.runs import Run

_KINDS = {"human": "human", "ai": "ai", "tool": "tool", "system": "system", "function": "tool", "remove": "system"}
#: Names of classes, in constructors and of chunks.
_CLASSES = {
    f"{name}Message{chunk}": kind
    for name, kind in (("Human", "human"), ("AI", "ai"), ("Tool", "tool"), ("System", "system"), ("Function", "tool"))
    for chunk in ("", "Chunk")
}


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
        return False
    kind, _ = _opened(messages[0])
    return kind is not None and "role" not in messages[0]


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _run)


def _run(document: Document, reading: Reading) -> Iterator[Run]:
    yield message_run(document, reading, _message)


def _opened(message: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The kind of a message and its fields, out of whatever they are wrapped in. The kind is None where it is unknown."""
    kind, fields = message.get("type"), message
    if kind == "constructor":
        names = message.get("id")
        kind = names[-1] if isinstance(names, list) and names else None
        fields = message.get("kwargs") or {}
    elif isinstance(message.get("data"), dict):
        fields = message["data"]
    known = _KINDS.get(kind) or _CLASSES.get(kind) if isinstance(kind, str) else None
    return known, fields if isinstance(fields, dict) else {}


def _message(steps: Steps, message: Any) -> None:
    if not isinstance(message, dict):
        steps.problem("a message that is no object")
        return
    kind, fields = _opened(message)
    text = text_of(fields.get("content"))
    if kind == "human":
        steps.said("person", text)
    elif kind == "ai":
        steps.said("agent", text)
        more = fields.get("additional_kwargs")
        calls = fields.get("tool_calls") or (more.get("tool_calls") if isinstance(more, dict) else None)
        for call in calls if isinstance(calls, list) else []:
            tool_call(steps, call)
    elif kind == "tool":
        flag = True if fields.get("status") == "error" else None
        steps.returned(fields.get("tool_call_id"), fields.get("name"), text, flag)
    elif kind is None:
        steps.problem(f"a message of an unknown type {message.get('type')!r}")
