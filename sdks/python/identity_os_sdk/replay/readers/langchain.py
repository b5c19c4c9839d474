"""LangChain messages: a list of messages is a run; or an object with `messages`, as a LangGraph state has it.

A message is `{"type": "human" | "ai" | "tool", "content", "tool_calls"}`, or `{"type", "data"}` as messages_to_dict writes it,
or a constructor as `dumps` writes it. A result's `status: error` is the framework's word; `success` is its default and says
nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from identity_os_sdk.replay.readers.conversation import Steps, tool_call
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, each, message_run
from identity_os_sdk.replay.runs import Run
from identity_os_sdk.values import langchain_message, text_of


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
        return False
    kind, _ = langchain_message(messages[0])
    return kind is not None and "role" not in messages[0]


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _run)


def _run(document: Document, reading: Reading) -> Iterator[Run]:
    yield message_run(document, reading, _message)


def _message(steps: Steps, message: Any) -> None:
    if not isinstance(message, dict):
        steps.problem("a message that is no object")
        return
    kind, fields = langchain_message(message)
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
