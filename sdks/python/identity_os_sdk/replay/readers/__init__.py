"""Makes runs of files that others recorded, one module for each format. What cannot be read is a Problem, and the rest goes on.

`read` is the one face. A format's module has `recognises(value)` and `runs(documents, reading)`; `files` finds the JSON values,
`conversation` makes steps of messages, `errors` tells which results are errors.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from identity_os_sdk.errors import InvalidArgumentError
from identity_os_sdk.outcomes import ErrorRules
from identity_os_sdk.replay.readers import agentdojo, files, history, jsonl, langchain, openai, otel, tau
from identity_os_sdk.replay.readers.files import Document
from identity_os_sdk.replay.readers.reading import AgentBy, Reading
from identity_os_sdk.replay.runs import Problem, Run

__all__ = ["FORMATS", "AgentBy", "ErrorRules", "read"]

#: The formats, by their names; the first that recognises a file reads it.
FORMATS: dict[str, Any] = {
    "history": history,
    "otel": otel,
    "tau": tau,
    "agentdojo": agentdojo,
    "jsonl": jsonl,
    "langchain": langchain,
    "openai": openai,
}
#: Values of a file that are looked at to recognise its format.
_LOOKED_AT = 20
_RULES = ErrorRules()


def _ignore(*_: object) -> None:
    """Nobody asked."""


def read(
    paths: Iterable[Path],
    format: str | None = None,  # noqa: A002 - the option's name
    *,
    problem: Callable[[Problem], None],
    rules: ErrorRules = _RULES,
    agent_by: AgentBy = "recording",
    recognised: Callable[[Path, str], None] = _ignore,
    progress: Callable[[int], None] = _ignore,
) -> Iterator[Run]:
    """The runs of files and folders, in their order.

    `problem` is called with what cannot be read, `recognised` with the format of each file, `progress` with the bytes that were
    read since it was last called.
    """
    if format is not None and format not in FORMATS:
        raise InvalidArgumentError(f"format {format!r}: one of {', '.join(FORMATS)}")
    said, last = 0, Path()

    def counted(found: Problem) -> None:
        nonlocal said
        said += 1
        problem(found)

    reading = Reading(counted, rules, agent_by)

    def opened() -> Iterator[tuple[str, Iterator[Document]]]:
        nonlocal last
        for path in files.walk(paths, counted):
            documents = files.documents(path, counted, progress)
            first: list[Document] = []
            name = format
            for document in islice(documents, _LOOKED_AT if format is None else 1):
                first.append(document)
                name = name or _format(document.value)
                if name:
                    break
            if name and first:
                recognised(path, name)
                last = path
                yield name, chain(first, documents)
            elif first:
                counted(Problem(str(path), f"none of the known formats ({', '.join(FORMATS)}); --format says which one it is"))

    # Files of one format in a row are read as one: a trace may go on in the next file.
    for name, group in groupby(opened(), key=lambda each: each[0]):
        before, any_run = said, False
        for run in FORMATS[name].runs(chain.from_iterable(documents for _, documents in group), reading):
            any_run = True
            yield run
        if not any_run and said == before:
            problem(Problem(str(last), "no run in it"))


def _format(value: Any) -> str | None:
    return next((name for name, module in FORMATS.items() if module.recognises(value)), None)
