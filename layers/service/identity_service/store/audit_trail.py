"""What happened to an instance: history records chained by digests, resets, drift events.

    OBS#<last seq>            the observations of one request, the snapshot they led to, the digest chain
    EVENT#<seq>#<record>      a state that did not come from observations (created, reset, retested), chained alike
    DRIFT#<last n>            the drift events of one request

    digest = SHA-256(previous digest, what the record is, canonical observations, resulting snapshot or state)

`seq` and `n` are dense, so a page is a key range: it costs the same at any offset. One request is one record, split only when
its contexts would not fit into one item. Records are numbered from 1, the birth. Source: spec/api.md, "Audit trail";
spec/architecture.md, "The table".
"""

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from identity_engine import ENGINE_VERSION, canonical
from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item

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


@dataclass(frozen=True, slots=True)
class TrailPosition:
    """Where the next record goes: its number, the digest it follows, the observations before it."""

    pk: str
    instance_id: str
    number: int = 1
    previous: str = ""
    seq: int = 0


def chain_digest(instance_id: str, record: Item, observations: str, result: str) -> str:
    """The digest of a record: the chain's next link, in hex. `observations` and `result` are canonical JSON texts."""
    what = {name: record[name] for name in ("record", "kind", "at", "engine_version")} | {"instance_id": instance_id}
    return sha256("\n".join((record["previous"], canonical(what), observations, result)).encode()).hexdigest()


def _record(position: TrailPosition, kind: str, at: str, observations: str, result: str) -> Item:
    record = {
        "record": position.number,
        "kind": kind,
        "at": at,
        "engine_version": ENGINE_VERSION,
        "previous": position.previous,
    }
    return record | {"digest": chain_digest(position.instance_id, record, observations, result)}


def entry_records(position: TrailPosition, entry: Entry) -> tuple[list[dict[str, Any]], str]:
    """The operations that store `entry`, and the digest it leads to."""
    pk, seq = position.pk, position.seq
    texts = [canonical(observation) for observation in entry.observations]
    snapshot = canonical(entry.snapshot)
    record = _record(position, "observations", entry.at, f"[{','.join(texts)}]", snapshot)
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
            "commit": entry.commit,
        }
        if is_last:
            item |= record | {"snapshot": snapshot}
        operations.append(dynamodb.put(item, "attribute_not_exists(PK)"))
        chunk, size = [], 0
    return operations, record["digest"]


def event_record(position: TrailPosition, kind: str, encoded: str, at: str, commit: str = "") -> tuple[dict[str, Any], str]:
    """The operation that stores a state that did not come from observations, and the digest it leads to.

    `kind`: created, retest, or the reset's mode.
    """
    record = _record(position, kind, at, "[]", encoded)
    key = {"PK": position.pk, "SK": f"EVENT#{position.seq:012d}#{position.number:012d}"}
    return dynamodb.put(key | record | {"state": encoded, "commit": commit}, "attribute_not_exists(PK)"), record["digest"]


def drift_record(pk: str, n: int, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The operation that stores the drift events of one request, the first of which is number `n`."""
    last = n + len(events) - 1
    item = {"PK": pk, "SK": f"DRIFT#{last:012d}", "first": n, "events": canonical(list(events))}
    return dynamodb.put(item, "attribute_not_exists(PK)")


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
    for item in dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": pk, ":sk": "DRIFT#"}, ScanIndexForward=False):
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


def audit_page(position: TrailPosition, offset: int, limit: int) -> list[Item]:
    """Records oldest first, as `records` has them; `position` is where the instance's next one goes.

    Fewer when they would not fit into one answer; the rest begins where these end.
    """
    rows: list[Item] = []
    size = 0
    for record, stored in records(position, offset + 1):
        rows.append(record)
        size += stored
        if len(rows) == limit or size > _PAGE:
            break
    return rows


def records(position: TrailPosition, start: int = 1) -> Iterator[tuple[Item, int]]:
    """Records from number `start` to the one before `position`, each with the bytes it takes.

    A record has record, kind, at, engine_version, previous, digest, observations, and a snapshot (where observations led to it)
    or a state.
    """
    if start >= position.number:
        return
    seq = _last_before(position, start)
    observed = _query(position.pk, f"OBS#{seq + 1:012d}", f"OBS#{position.seq:012d}")
    others = _query(position.pk, f"EVENT#{seq:012d}#{start:012d}", f"EVENT#{position.seq:012d}#{position.number - 1:012d}")
    yield from heapq.merge(_whole(observed), _whole(others), key=lambda found: found[0]["record"])


def _query(pk: str, first: str, last: str, *, backwards: bool = False) -> Iterator[Item]:
    if first > last:
        return iter(())  # DynamoDB refuses such a range
    values = {":pk": pk, ":first": first, ":last": last}
    condition = "PK = :pk AND SK BETWEEN :first AND :last"
    options = {"Limit": 1} if backwards else {}
    return dynamodb.query(condition, values, ConsistentRead=True, ScanIndexForward=not backwards, **options)


def _whole(items: Iterator[Item]) -> Iterator[tuple[Item, int]]:
    """Records put together from the items that they were split into."""
    observations: list[Any] = []
    size = 0
    for item in items:
        text = item.get("observations", "[]")
        observations += json.loads(text)
        size += len(text.encode())
        if "record" not in item:
            continue
        record = {name: item[name] for name in ("record", "kind", "at", "engine_version", "previous", "digest")}
        led_to = "state" if "state" in item else "snapshot"
        yield record | {"observations": observations, led_to: json.loads(item[led_to])}, size + len(item[led_to])
        observations, size = [], 0


def _last_before(position: TrailPosition, number: int) -> int:
    """The key (last seq) of the last record of observations whose number is below `number`; 0 when there is none.

    Numbers rise with keys, so it is a search by halves; its first guess is right where every record has one observation.
    """
    if number == 1:
        return 0
    low, high, best = 0, position.seq, 0
    middle = min(max(number - 2, 1), high)
    while low < high:
        found = _query(position.pk, f"OBS#{low + 1:012d}", f"OBS#{middle:012d}", backwards=True)
        record = next((item for item in found if "record" in item), None)
        if record is None:
            low = middle
        elif record["record"] < number:
            low, best = middle, int(record["SK"].rpartition("#")[2])
            if record["record"] == number - 1:
                break
        else:
            high = int(record["SK"].rpartition("#")[2]) - 1
        middle = (low + high + 1) // 2
    return best


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
    for item in dynamodb.query(
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
