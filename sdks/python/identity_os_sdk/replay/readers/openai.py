"""OpenAI chat messages: a list of messages is a run; or an object with `messages`, and beside it what is known of the run.

Beside the messages these are read: id, agent or model, task, succeeded, attacked. The items of the newer form (`function_call`,
`function_call_output`) are read, too.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from identity_os_sdk.replay.readers.conversation import chat_message
from identity_os_sdk.replay.readers.files import Document, is_message
from identity_os_sdk.replay.readers.reading import Reading, each, message_run
from identity_os_sdk.replay.runs import Run


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    messages = value.get("messages") if isinstance(value, dict) else value
    return isinstance(messages, list) and bool(messages) and is_message(messages[0])


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _run)


def _run(document: Document, reading: Reading) -> Iterator[Run]:
    yield message_run(document, reading, chat_message)
