"""Audit records for people: newest first, a page at a time, in two key ranges that are read at the same time.

`audit_trail` reads records oldest first, as they are verified; a person looks at what happened last. A page goes on from the
position before its oldest record, so that it costs the same however far back it is.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from identity_service.store.audit_trail import TrailPosition, key_range
from identity_service.store.dynamodb import Item
from identity_service.store.packing import unpack

#: Bytes of observations at which a page ends early; one record has about a megabyte at most.
_LARGEST: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is shown. `fields`: number, kind, time, actor, note, digests; `observations` as received; `result`: the
    snapshot or state that it led to. `before`: how many observations there were before it.
    """

    fields: Item
    observations: list[dict[str, Any]]
    result: dict[str, Any]
    before: int

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.fields["record"])


def observations(position: TrailPosition, limit: int) -> list[Record]:
    """Up to `limit` records of observations before `position`, newest first."""
    items = key_range(position.pk, "OBS#", f"OBS#{position.seq:012d}", backwards=True)
    return list(islice(_joined(items), limit))


def events(position: TrailPosition, limit: int) -> list[Record]:
    """Up to `limit` records without observations before `position`, newest first."""
    last = f"EVENT#{position.seq:012d}#{position.number - 1:012d}"
    items = key_range(position.pk, "EVENT#", last, backwards=True)
    return [Record(item, [], json.loads(unpack(item["state"])), int(item["SK"].split("#")[1])) for item in islice(items, limit)]


def merged(position: TrailPosition, found: Iterable[Record], limit: int) -> tuple[list[Record], TrailPosition | None]:
    """The newest `limit` of the records found, newest first, and where the page before them begins, None at the birth.

    What does not follow without a gap is left to that page: one of the ranges may have ended early.
    """
    by_number = {record.number: record for record in found}
    rows: list[Record] = []
    for number in range(position.number - 1, max(position.number - 1 - limit, 0), -1):
        if number not in by_number:
            break
        rows.append(by_number[number])
    if not rows or rows[-1].number == 1:
        return rows, None
    return rows, replace(position, number=rows[-1].number, seq=rows[-1].before)


def _joined(items: Iterator[Item]) -> Iterator[Record]:
    """Records of observations; of the items that one was split into, the last one has its fields and comes first."""
    parts: list[Item] = []
    size = 0
    for item in items:
        if "record" in item and parts:
            yield _record(parts)
            parts = []
            if size > _LARGEST:
                return
        parts.append(item)
        size += len(item["observations"])
    if parts:
        yield _record(parts)


def _record(parts: list[Item]) -> Record:
    rows = [row for part in reversed(parts) for row in json.loads(unpack(part["observations"]))]
    return Record(parts[0], rows, json.loads(unpack(parts[0]["snapshot"])), parts[-1]["first"] - 1)
