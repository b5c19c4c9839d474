"""JSONL of our own, for recordings of any other form: one run a line, as docs/replay.md, "JSONL of our own", describes it.

{"id": "42", "agent": "support-bot", "task": "refund", "succeeded": true, "steps": [step, ...]}

{"said": "person", "text": "...", "tone": "heated"}      "person" or "agent"; tone: plain, heated, refusing
{"called": "get_order", "arguments": {...}, "id": "c1"}
{"returned": "c1", "result": ..., "error": null}         error: its text, null where the call worked, absent where nobody knows
"""

from collections.abc import Iterable, Iterator
from typing import Any

from identity_os_sdk.replay.readers.conversation import Steps, UnreadableError, outcome_of
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, each, listed, objects
from identity_os_sdk.replay.runs import Run

_TONES = ("plain", "heated", "refusing")


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    return isinstance(value, dict) and isinstance(value.get("steps"), list)


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs."""
    return each(documents, reading, _run)


def _run(document: Document, reading: Reading) -> Iterator[Run]:
    value = objects(document.value, "run")
    steps = reading.steps(document)
    for number, step in enumerate(listed(value.get("steps"), "steps"), 1):
        try:
            _step(steps, objects(step, "step"))
        except UnreadableError as error:
            raise UnreadableError(f"step {number}: {error}") from None
    for name in ("succeeded", "attacked"):
        if not isinstance(value.get(name), bool | None):
            raise UnreadableError(f"{name} is true, false, or absent")
    yield reading.run(
        document,
        steps.made,
        run_id=value.get("id"),
        agent=value.get("agent"),
        task=value.get("task"),
        succeeded=outcome_of(value.get("succeeded")),
        attacked=outcome_of(value.get("attacked")),
    )


def _step(steps: Steps, step: dict[str, Any]) -> None:
    if "said" in step:
        by, text, tone = step["said"], step.get("text", ""), step.get("tone", "plain")
        if by not in ("person", "agent") or tone not in _TONES or not isinstance(text, str):
            raise UnreadableError(f"said is person or agent, text is a text, tone one of {', '.join(_TONES)}")
        # A message whose text was not recorded is a message.
        steps.said(by, text or "message", tone)
    elif "called" in step:
        if not isinstance(step["called"], str) or not step["called"]:
            raise UnreadableError("called is the name of a tool")
        steps.called(step["called"], step.get("arguments"), step.get("id"))
    elif "returned" in step:
        error = step.get("error")
        if not isinstance(error, str | None):
            raise UnreadableError("error is a text, null, or absent")
        flag = None if "error" not in step else error is not None
        steps.returned(step["returned"], None, step.get("result"), flag, error or "")
    else:
        raise UnreadableError("a step has said, called or returned")
