"""Histories of our own: `GET /history` rows, and audit trails as `GET /audit` and `identity-os export` give them.

Each file is one run of one agent. Its observations are replayed as they were reported, so nothing can be refused. An audit
trail also has the agent's birth and what people decided, and so leads to the same contracts.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from identity_os_sdk.models import Mode
from identity_os_sdk.replay.readers.conversation import UnreadableError
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import Reading, listed
from identity_os_sdk.replay.runs import Problem, Reported, Run, StateSet, Step
from identity_os_sdk.values import name_of

_FORMAT = "identity-os-audit/"


def recognises(value: Any) -> bool:
    """Whether a value looks like it."""
    if not isinstance(value, dict):
        return False
    rows = value.get("data")
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else value
    return (
        _is_header(value)
        or {"mode_target", "signal_strength"} <= set(first)
        or {"record", "kind", "observations"} <= set(first)
    )


def runs(documents: Iterable[Document], reading: Reading) -> Iterator[Run]:
    """The runs, one for each file."""
    for path, group in groupby(documents, key=lambda document: document.path):
        steps: list[tuple[int, Step]] = []
        agent = path.name.partition(".")[0]
        for document in group:
            for row in _rows(document.value):
                try:
                    if _is_header(row):
                        agent = name_of(row.get("instance_id")) or agent
                    else:
                        steps += _steps(row)
                except UnreadableError as error:
                    reading.problem(Problem(document.source, str(error)))
        if steps:
            # A history comes newest first.
            made = [step for _, step in sorted(steps, key=lambda each: each[0])]
            yield reading.run(Document(None, path), made, run_id=agent, agent=agent)


def _is_header(row: Mapping[str, Any]) -> bool:
    """Whether it is the first line of an export. Records have a format, too: a number."""
    return str(row.get("format", "")).startswith(_FORMAT)


def _rows(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    for row in value if isinstance(value, list) else [value]:
        yield row if isinstance(row, dict) else {}


def _steps(row: Mapping[str, Any]) -> list[tuple[int, Step]]:
    if "mode_target" in row:
        number = row.get("seq", 0)
        return [(number if isinstance(number, int) else 0, _reported(row))]
    if not isinstance(row.get("record"), int):
        raise UnreadableError("neither an observation nor an audit record")
    number = row["record"]
    observations = listed(row.get("observations"), "observations")
    if observations:
        return [(number, _reported(each)) for each in observations]
    return [(number, StateSet(name_of(row.get("kind")), _state(row.get("state"))))]


def _reported(row: Any) -> Reported:
    fields = row if isinstance(row, dict) else {}
    mode, context = fields.get("mode_target"), fields.get("context")
    about = context if isinstance(context, dict) else {}
    incident = fields.get("severity") == "incident"
    if mode not in list(Mode):
        raise UnreadableError(f"mode_target {mode!r}: one of {', '.join(Mode)}")
    if incident and mode != "STRESS_RESPONSE":
        raise UnreadableError("severity incident goes with STRESS_RESPONSE alone")
    strength, confidence = (_share(fields.get(name, 1.0), name) for name in ("signal_strength", "confidence"))
    return Reported(
        str(mode), strength, confidence, incident, name_of(about.get("rule")) or "reported", name_of(about.get("tool"))
    )


def _share(number: Any, name: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise UnreadableError(f"{name} {number!r}: a number from 0 to 1")
    return number


def _state(state: Any) -> str:
    # Here, so that the other readers need no engine.
    import identity_engine

    try:
        return identity_engine.encode(identity_engine.decode(json.dumps(state)))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableError("the record's state cannot be read") from error
