"""Finds files and gives their JSON values one by one: lines of JSONL, items of a list, objects one after another, .gz or not.

What cannot be read is told to `problem`, and the rest goes on. Of formats it is only known here which lists are too long to be
taken at once, and that a list of messages is one run.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from identity_os_sdk.replay.runs import Problem

#: What is read of a folder. A file that is named is read whatever its name.
NAMES = (".json", ".jsonl", ".ndjson")
#: Lists in an object that may be too long to be taken at once: each item is given in an object of its own.
_LONG = {"simulations", "resourceSpans"}
#: Lines that are not JSON at the beginning of a file, after which the file is given up.
_GIVEN_UP = 20
#: Bytes of a line that are looked at at once.
_PART = 64 * 1024
#: Bytes of a file that is read again to find the line of what is wrong with it.
_AGAIN = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value, and where it stands: `place` is a line, or an item."""

    value: Any
    path: Path
    place: str = ""

    @property
    def source(self) -> str:
        """File and place."""
        return f"{self.path}{self.place}"


def walk(paths: Iterable[Path], problem: Callable[[Problem], None]) -> Iterator[Path]:
    """The files of these files and folders, those of a folder in the order of their names."""
    for path in paths:
        if path.is_dir():
            found = sorted(each for each in path.rglob("*") if each.is_file() and _reads(each.relative_to(path)))
            if not found:
                problem(Problem(str(path), f"no file in it ends with {', '.join(NAMES)} or one of them and .gz"))
            yield from found
        elif path.exists():
            yield path
        else:
            problem(Problem(str(path), "there is no such file"))


def _reads(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(NAMES) and not any(part.startswith(".") for part in path.parts)


def documents(path: Path, problem: Callable[[Problem], None], progress: Callable[[int], None]) -> Iterator[Document]:
    """The JSON values of a file. `progress` is called with the bytes that were read since it was last called."""
    done = 0
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(path.open("rb"))
            file = _plain(raw, stack)
            for document in _values(path, file, problem):
                progress(raw.tell() - done)
                done = raw.tell()
                yield document
    except (OSError, EOFError, zlib.error) as error:
        problem(Problem(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}"))
    if path.exists():
        progress(path.stat().st_size - done)


def _plain(raw: BinaryIO, stack: ExitStack) -> BinaryIO:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return stack.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw  # type: ignore[return-value]


def _values(path: Path, file: BinaryIO, problem: Callable[[Problem], None]) -> Iterator[Document]:
    start, opening, by_line, wrong = _layout(path, file)
    file.seek(start)
    if wrong:
        problem(Problem(str(path), wrong))
    elif by_line:
        yield from _lines(path, file, problem)
    else:
        yield from _document(path, file, opening, problem)


def _layout(path: Path, file: BinaryIO) -> tuple[int, bytes, bool, str]:
    """Where the JSON begins and with which character, whether each line is a value, and what is wrong with the file."""
    (first, ends), (second, _) = _line(file), _line(file)
    start = len(_BOM) if first.startswith(_BOM) else 0
    first = first[start:].strip()
    wrong = ""
    if not first:
        wrong = "an empty file"
    elif b"\0" in first:
        wrong = "not JSON: a binary file, or text that is not UTF-8"
    by_line = not wrong and _is_lines(path, ends, second)
    if not wrong and not by_line and first[:1] not in (b"[", b"{"):
        wrong = f"not JSON: it begins with {first[:20].decode(errors='replace')!r}"
    return start, first[:1], by_line, wrong


def _line(file: BinaryIO) -> tuple[bytes, bytes]:
    """The beginning of the next line that is not blank, and its last character. A line may be as long as the file."""
    head = ends = b""
    while part := file.readline(_PART):
        head = head if head.strip() else part
        ends = part.rstrip()[-1:] or ends
        if part.endswith(b"\n") and ends:
            break
    return head, ends


def _is_lines(path: Path, ends: bytes, second: bytes) -> bool:
    """Whether each line is a value of its own; else one goes on over the lines. `ends`: the first line's last character."""
    if not second.strip():
        return path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    return ends not in (b"[", b"{", b",", b":") and second[:1] not in (b" ", b"\t", b"]", b"}", b",")


def _lines(path: Path, file: BinaryIO, problem: Callable[[Problem], None]) -> Iterator[Document]:
    broken, any_good = 0, False
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            broken += 1
            problem(Problem(f"{path}:{number}", f"not JSON: {_why(error)}"))
            if broken == _GIVEN_UP and not any_good:
                problem(Problem(str(path), f"given up: its first {_GIVEN_UP} lines are not JSON"))
                return
            continue
        any_good = True
        yield Document(value, path, f":{number}")


def _document(path: Path, file: BinaryIO, opening: bytes, problem: Callable[[Problem], None]) -> Iterator[Document]:
    """The values of a file that is one list, one object, or objects one after another."""
    start, given = file.tell(), 0
    try:
        for place, value in _streamed(file, opening):
            given += 1
            yield Document(value, path, place)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        # The stream knows no lines, and does not take NaN, which Python writes. So the file is read again at once.
        file.seek(start)
        text = file.read(_AGAIN)
        try:
            values = list(_at_once(json.loads(text)))
        except (ValueError, RecursionError) as second:
            line = f":{second.lineno}" if isinstance(second, json.JSONDecodeError) and len(text) < _AGAIN else ""
            why = _why(second if line else error)
            problem(Problem(f"{path}{line}", f"broken JSON: {why}{'; what came before it was read' if given else ''}"))
            return
        yield from (Document(value, path, place) for place, value in values[given:])
        given = len(values)
    if not given:
        problem(Problem(str(path), "an empty list"))


def _streamed(file: BinaryIO, opening: bytes) -> Iterator[tuple[str, Any]]:
    """The values of a file, each with its place."""
    start = file.tell()
    if opening == b"[":
        items = ijson.items(file, "item", use_float=True)
        first = next(items, None)
        if is_message(first):
            yield "", [first, *items]
        elif first is not None:
            yield from _numbered(chain([first], items))
        return
    long = _long_list(file)
    file.seek(start)
    if long is None:
        for number, value in enumerate(ijson.items(file, "", use_float=True, multiple_values=True), 1):
            yield "" if number == 1 else f", value {number}", value
        return
    info = next(ijson.items(file, "info", use_float=True), None) if long == "simulations" else None
    file.seek(start)
    yield from _numbered({"info": info, long: [item]} for item in ijson.items(file, f"{long}.item", use_float=True))


def _at_once(value: Any) -> Iterator[tuple[str, Any]]:
    """As `_streamed`, of a value that is there already."""
    long = next((name for name in value if name in _LONG), None) if isinstance(value, dict) else None
    if isinstance(value, list) and not (value and is_message(value[0])):
        yield from _numbered(value)
    elif long is not None and isinstance(value[long], list):
        yield from _numbered({"info": value.get("info"), long: [item]} for item in value[long])
    else:
        yield "", value


def _numbered(items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((f", item {number}", item) for number, item in enumerate(items, 1))


def _long_list(file: BinaryIO) -> str | None:
    """The name of a list in the first object that may be long."""
    for prefix, event, value in ijson.parse(file, multiple_values=True):
        if prefix == "" and event == "map_key" and value in _LONG:
            return str(value)
        if prefix == "" and event == "end_map":
            return None
    return None


def is_message(value: Any) -> bool:
    """Whether a value is a chat message of one of the forms that are read: a list of such is a run."""
    if not isinstance(value, dict) or "messages" in value:
        return False
    named = isinstance(value.get("type"), str) and any(
        name in value for name in ("content", "data", "kwargs", "arguments", "output")
    )
    return "role" in value or named


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    return " ".join(str(error).split())[:200]
