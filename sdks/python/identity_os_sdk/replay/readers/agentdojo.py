"""AgentDojo's run files: an object for each run, in a file of its own or as a line of JSONL with `metadata`.

The run did what was asked if `utility` (or `success`) says so. It was attacked if it has an injection task. A result's `error`
field is the framework's word: null means that the call worked.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from identity_os_sdk.replay.readers.conversation import UnreadableError, chat_message, outcome_of
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, each, listed, objects
from identity_os_sdk.replay.runs import Run


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    return isinstance(value, dict) and "messages" in value and "user_task_id" in {**value, **_metadata(value)}


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _run)


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    found = value.get("metadata")
    return found if isinstance(found, dict) else {}


def _run(document: Document, reading: Reading) -> Iterator[Run]:
    value = objects(document.value, "AgentDojo run")
    about = {**value, **_metadata(value)}
    messages = listed(value.get("messages"), "messages")
    suite, task = about.get("suite_name"), about.get("user_task_id")
    if task is None:
        raise UnreadableError("no AgentDojo run: user_task_id is missing")
    steps = reading.steps(document)
    for message in messages:
        chat_message(steps, message)
    model = about.get("pipeline_name") or about.get("model")
    injection = about.get("injection_task_id")
    attack = about.get("attack_type") if injection is not None else None
    yield reading.run(
        document,
        steps.made,
        run_id="/".join(str(part) for part in (model, suite, task, attack, injection) if part is not None),
        agent=" ".join(str(part) for part in (model, suite) if part is not None),
        task=f"{suite}/{task}" if suite is not None else task,
        succeeded=outcome_of(about.get("utility", about.get("success"))),
        attacked=injection is not None,
    )
