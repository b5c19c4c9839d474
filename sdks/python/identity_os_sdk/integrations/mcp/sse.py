"""Server-sent events as bytes: what an event says, and the bytes that it came as.

A message goes on byte for byte, so that no decoder may touch it: line decoders of text also break at U+2028, which JSON allows
within a string. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html, "Parsing an event stream".
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass
class Event:
    """One event. `raw` is what it came as, its blank line included; comments alone make an event without data."""

    raw: bytes
    data: bytes | None = None
    name: str = "message"
    event_id: str | None = None
    retry: int | None = None

    @property
    def message(self) -> bytes | None:
        """The message that it carries, as a line; None where there is none, as in the first event of a stream to resume."""
        return one_line(self.data) if self.data and self.name == "message" else None


def one_line(data: bytes) -> bytes:
    """A message as one line: JSON has line ends between its parts only, where a space does as well."""
    return data.strip().replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def event(message: bytes, event_id: str | None = None) -> bytes:
    """A message as an event."""
    named = b"" if event_id is None else b"id: " + event_id.encode() + b"\n"
    return named + b"event: message\ndata: " + one_line(message) + b"\n"


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream, each as soon as it is complete; a comment is one of its own. What breaks off is none."""
    parts, lines, raw, held = list[bytes](), list[bytes](), list[bytes](), b""
    async for received in chunks:
        chunk, begin = held + received, 0
        held = b"\r" if chunk.endswith(b"\r") else b""  # its line feed may be on the way
        chunk = chunk[: len(chunk) - len(held)]
        for end in _LINE_END.finditer(chunk):
            line = b"".join((*parts, chunk[begin : end.start()]))
            raw.append(line + end.group())
            parts, begin = [], end.end()
            if line and (lines or not line.startswith(b":")):
                lines.append(line)
                continue
            yield _event(b"".join(raw), lines)
            lines, raw = [], []
        if begin < len(chunk):
            parts.append(chunk[begin:])


def _event(raw: bytes, lines: list[bytes]) -> Event:
    found, data = Event(raw), list[bytes]()
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            found.name = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            found.event_id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():
            found.retry = int(value)
    found.data = b"\n".join(data) if data else None
    return found
