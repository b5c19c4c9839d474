"""What happened to an instance: history records chained by digests, resets, drift events.

    OBS#<last seq>            the observations of one request, the snapshot they led to, the digest chain
    EVENT#<seq>#<version>     a state that did not come from observations (created, reset, retested), chained alike
    DRIFT#<last n>            the drift events of one request

    digest = SHA-256(previous digest, canonical observations, resulting snapshot)

`seq` and `n` are dense, so a page is a key range: it costs the same at any offset. One request is one record, split only when
its contexts would not fit into one item. Source: spec/api.md, "Audit trail"; spec/architecture.md, "The table".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from identity_engine import ENGINE_VERSION, canonical
from identity_service.store import table
from identity_service.store.table import Item

#: Observations that one request may carry: how far a key range must reach past a page.
LARGEST_BATCH: Final = 100
#: Bytes of observations in one item; DynamoDB allows 400 KB for all of it.
_CHUNK: Final = 300_000
#: Bytes of rows that one page may carry; Lambda answers with 6 MB at the most.
_PAGE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One processed request: observations as they were given, with the cycle each led to, and the snapshot at the end.

    `commit` names the write that stores it.
    """

    observations: Sequence[dict[str, Any]]
    snapshot: dict[str, Any]
    at: str
    commit: str = ""


def first_digest(encoded: str) -> str:
    """Digest that the chain starts with: the state at birth."""
    return sha256(encoded.encode()).hexdigest()


def next_digest(previous: str, payload: str, snapshot: str) -> str:
    """The chain's next link, over canonical JSON texts; in hex."""
    return sha256("\n".join((previous, payload, snapshot)).encode()).hexdigest()


def entry_records(pk: str, previous: str, seq: int, entry: Entry) -> tuple[list[dict[str, Any]], str]:
    """The operations that store `entry` after observation `seq`, and the digest it leads to."""
    texts = [canonical(observation) for observation in entry.observations]
    snapshot = canonical(entry.snapshot)
    digest = next_digest(previous, f"[{','.join(texts)}]", snapshot)
    operations = []
    chunk: list[str] = []
    size = 0
    for number, text in enumerate(texts, start=1):
        chunk.append(text)
        size += len(text.encode())
        is_last = number == len(texts)
        if not is_last and size < _CHUNK:
            continue
        item = {
            "PK": pk,
            "SK": f"OBS#{seq + number:012d}",
            "first": seq + number - len(chunk) + 1,
            "observations": f"[{','.join(chunk)}]",
            "at": entry.at,
            "commit": entry.commit,
        }
        if is_last:
            item |= {"snapshot": snapshot, "previous": previous, "digest": digest, "engine_version": ENGINE_VERSION}
        operations.append(table.put(item, "attribute_not_exists(PK)"))
        chunk, size = [], 0
    return operations, digest


def event_record(pk: str, seq: int, version: int, kind: str, encoded: str, at: str, **chain: str) -> dict[str, Any]:
    """The operation that stores a state that did not come from an observation. `kind`: created, initial, retest, ..."""
    item = {
        "PK": pk,
        "SK": f"EVENT#{seq:012d}#{version:012d}",
        "kind": kind,
        "state": encoded,
        "at": at,
        "engine_version": ENGINE_VERSION,
        **chain,
    }
    return table.put(item, "attribute_not_exists(PK)")


def drift_record(pk: str, n: int, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The operation that stores the drift events of one request, the first of which is number `n`."""
    last = n + len(events) - 1
    item = {"PK": pk, "SK": f"DRIFT#{last:012d}", "first": n, "events": canonical(list(events))}
    return table.put(item, "attribute_not_exists(PK)")


def history_page(pk: str, total: int, offset: int, limit: int) -> list[Item]:
    """Observations newest first; `total` is the head's seq."""
    rows = _range(pk, "OBS", "observations", total, offset, limit)
    return [row | {"seq": seq} for seq, row in rows]


def drift_page(pk: str, total: int, offset: int, limit: int) -> list[Item]:
    """Drift events newest first; `total` is the head's count."""
    return [row for _, row in _range(pk, "DRIFT", "events", total, offset, limit)]


def drift_page_at(pk: str, level: str, offset: int, limit: int) -> list[Item]:
    """Drift events of one level, newest first. Reads back as far as it must: a rare level costs more the rarer it is."""
    found: list[Item] = []
    skipped = 0
    for item in table.query("PK = :pk AND begins_with(SK, :sk)", {":pk": pk, ":sk": "DRIFT#"}, ScanIndexForward=False):
        for event in reversed(json.loads(item["events"])):
            if event["drift_level"] != level:
                continue
            if skipped < offset:
                skipped += 1
                continue
            found.append(event)
            if len(found) == limit:
                return found
    return found


def _range(pk: str, prefix: str, field: str, total: int, offset: int, limit: int) -> list[tuple[int, Item]]:
    """Rows `total - offset` down, `limit` of them, each with its number. A record's key is the number of its last row.

    Fewer when they would not fit into one answer; the rest begins where these end.
    """
    newest = total - offset
    oldest = max(newest - limit + 1, 1)
    if newest < 1:
        return []
    rows: list[tuple[int, Item]] = []
    size = 0
    for item in table.query(
        "PK = :pk AND SK BETWEEN :from AND :to",
        {
            ":pk": pk,
            ":from": f"{prefix}#{oldest:012d}",
            ":to": f"{prefix}#{newest + LARGEST_BATCH - 1:012d}",
        },
        ScanIndexForward=False,
    ):
        numbered = enumerate(json.loads(item[field]), start=item["first"])
        wanted = [(number, row) for number, row in numbered if oldest <= number <= newest]
        rows += reversed(wanted)
        size += len(item[field].encode()) if wanted else 0
        if size > _PAGE:
            break
    return rows
