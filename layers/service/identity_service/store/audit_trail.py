"""The audit trail of an instance: records chained by digests, history pages, drift events.

    OBS#<last seq>            the observations of one request, the snapshot after them (both packed), the digest chain and,
                              outside it, the `turns` of `timeline` and every 64 observations the state (a checkpoint)
    EVENT#<seq>#<record>      a state set without observations (created, reset, retested, upgraded), in the same digest chain
    DRIFT#<last n>            the drift events of one request

    digest = SHA-256(previous digest, the record's metadata, canonical observations, resulting snapshot or state)

The metadata of a record names its actor and a person's note, if there is one, and says so by `format: 2`. Older records have
neither, and their digest covers neither.

`seq` and `n` have no gaps, so a page is a key range and costs the same at any offset. One request is one record; it is split
over several items only when its contexts do not fit into one. Records are numbered from 1, the birth. Source: docs/api.md,
"Audit trail"; docs/architecture.md, "The table".
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any, Final

from identity_engine import canonical
from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item
from identity_service.store.packing import RECORD, STATE, pack, unpack

#: Format of the records that are written.
FORMAT: Final = 2
_METADATA: Final = ("record", "kind", "at", "engine_version")
#: What only records of format 2 have; `note` only those where a person gave one.
_SINCE_2: Final = ("format", "actor", "note", "upgrade", "forked_from")
#: Those of them that are objects, and stored as JSON.
_OBJECTS: Final = ("upgrade", "forked_from")
#: Most observations of one request, and so of one item: a key range must reach this far beyond a page.
LARGEST_BATCH: Final = 100
#: A state is kept beside the record about every so many observations, so that any cycle's contract can be replayed from near.
CHECKPOINT: Final = 64
#: Most bytes of observations in one item; DynamoDB allows 400 KB for the whole item.
_CHUNK: Final = 300_000
#: Most bytes of rows in one page; a Lambda response is limited to 6 MB.
PAGE_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a record: the id of a key, of a user of the console, or "command-line". `note`: why, in a person's words."""

    id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ObservationsRecord:
    """One processed request: the observations as received, each with its cycle, and the snapshot after the last one.

    `encoded` is the state after the last one, `commit` the id of the commit that stores it. Outside the digest: `turns`, what
    the timeline keeps of it, and `events`.
    """

    observations: Sequence[dict[str, Any]]
    snapshot: dict[str, Any]
    encoded: str
    at: str
    actor: Actor
    commit: str = ""
    turns: bytes | str | None = None
    events: str | None = None


@dataclass(frozen=True, slots=True)
class TrailPosition:
    """The position of the next record: its number, the previous digest, the number of observations before it.

    `engine_version`: of the engine that makes the record.
    """

    pk: str
    instance_id: str
    engine_version: str
    number: int = 1
    previous: str = ""
    seq: int = 0


def chain_digest(instance_id: str, record: Item, observations: str, result: str) -> str:
    """The digest of a record in hex. `observations` and `result` are canonical JSON texts."""
    metadata = {name: record[name] for name in (*_METADATA, *_SINCE_2) if name in record} | {"instance_id": instance_id}
    return sha256("\n".join((record["previous"], canonical(metadata), observations, result)).encode()).hexdigest()


def _record(
    position: TrailPosition, kind: str, at: str, actor: Actor, observations: str, result: str, more: Item | None = None
) -> Item:
    record = {
        "record": position.number,
        "kind": kind,
        "at": at,
        "engine_version": position.engine_version,
        "previous": position.previous,
        "format": FORMAT,
        "actor": actor.id,
    }
    if actor.note:
        record["note"] = actor.note
    record |= more or {}
    return record | {"digest": chain_digest(position.instance_id, record, observations, result)}


def put_observations(position: TrailPosition, new: ObservationsRecord) -> tuple[list[dict[str, Any]], str]:
    """The operations that store a record of observations, and its digest."""
    pk, seq = position.pk, position.seq
    texts = [canonical(observation) for observation in new.observations]
    snapshot = canonical(new.snapshot)
    record = _record(position, "observations", new.at, new.actor, f"[{','.join(texts)}]", snapshot)
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
            "observations": pack(f"[{','.join(chunk)}]", RECORD),
            "commit": new.commit,
        }
        if is_last:
            item |= record | {"snapshot": pack(snapshot, RECORD), "turns": new.turns, "events": new.events}
            if (seq + number) // CHECKPOINT > seq // CHECKPOINT:
                item["checkpoint"] = pack(new.encoded, STATE)
        operations.append(dynamodb.put(item, "attribute_not_exists(PK)"))
        chunk, size = [], 0
    return operations, record["digest"]


def put_event(
    position: TrailPosition,
    kind: str,
    encoded: str,
    at: str,
    actor: Actor,
    commit: str = "",
    more: dict[str, dict[str, Any]] | None = None,
    events: str | None = None,
) -> tuple[dict[str, Any], str]:
    """The operation that stores a state set without observations, and the record's digest.

    `kind`: created, retest, upgrade, or the reset's mode. `more`: what the record of an upgrade or of a fork's birth says
    besides, under the digest. `events`: as in `ObservationsRecord`.
    """
    record = _record(position, kind, at, actor, "[]", encoded, more)
    key = {"PK": position.pk, "SK": f"EVENT#{position.seq:012d}#{position.number:012d}"}
    item = key | record | {"state": pack(encoded, STATE), "commit": commit, "events": events}
    item |= {name: canonical(value) for name, value in (more or {}).items()}
    return dynamodb.put(item, "attribute_not_exists(PK)"), record["digest"]


def put_drift_events(pk: str, n: int, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The operation that stores the drift events of one request, numbered from `n`."""
    last = n + len(events) - 1
    item = {"PK": pk, "SK": f"DRIFT#{last:012d}", "first": n, "events": canonical(list(events))}
    return dynamodb.put(item, "attribute_not_exists(PK)")


def history_page(pk: str, total: int, offset: int, limit: int) -> list[Item]:
    """A page of observations, newest first; `total` is the head's seq."""
    rows = _range(pk, "OBS", "observations", total, offset, limit)
    # Records of engine 1.0.0 have no severity.
    return [{"severity": "normal"} | row | {"seq": seq} for seq, row in rows]


def drift_page(pk: str, total: int, offset: int, limit: int) -> list[Item]:
    """A page of drift events, newest first; `total` is the head's count."""
    return [row for _, row in _range(pk, "DRIFT", "events", total, offset, limit)]


def drift_page_at(pk: str, level: str, offset: int, limit: int) -> list[Item]:
    """A page of drift events of one level, newest first. Reads backwards until the page is full: rare levels cost more."""
    page: list[Item] = []
    skipped = 0
    for item in dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": pk, ":sk": "DRIFT#"}, ScanIndexForward=False):
        for event in reversed(json.loads(item["events"])):
            if event["drift_level"] != level:
                continue
            if skipped < offset:
                skipped += 1
                continue
            page.append(event)
            if len(page) == limit:
                return page
    return page


def audit_page(position: TrailPosition, offset: int, limit: int) -> list[Item]:
    """A page of audit records, oldest first, as `records` yields them; `position` is the position of the next record.

    Returns fewer when the page would be too large for one response; the next page starts after them.
    """
    rows: list[Item] = []
    size = 0
    for record, stored_bytes in records(position, offset + 1):
        rows.append(record)
        size += stored_bytes
        if len(rows) == limit or size > PAGE_BYTES:
            break
    return rows


def records(position: TrailPosition, start: int = 1) -> Iterator[tuple[Item, int]]:
    """Records from number `start` up to `position`, each with its stored size in bytes.

    A record has record, kind, at, engine_version, previous, digest, observations, and a snapshot (after observations) or a
    state (all other kinds); since format 2 also format, actor and, if there is one, note.
    """
    if start >= position.number:
        return
    seq = _last_before(position, start)
    observations = key_range(position.pk, f"OBS#{seq + 1:012d}", f"OBS#{position.seq:012d}")
    events = key_range(position.pk, f"EVENT#{seq:012d}#{start:012d}", f"EVENT#{position.seq:012d}#{position.number - 1:012d}")
    yield from heapq.merge(join_items(observations), join_items(events), key=lambda sized: sized[0]["record"])


@dataclass(frozen=True, slots=True)
class Approach:
    """The way to an observation: the state after observation `seq`, and the records from there up to the observation's own."""

    encoded: str
    engine_version: str
    seq: int
    records: list[Item]


def approach(pk: str, seq: int, event: Callable[[], Item | None]) -> Approach | None:
    """The way to observation `seq`, from the last state that was kept or set before it.

    `event` gives `last_event`, which may be read meanwhile. None when there is no way: the trail is damaged.
    """
    # A checkpoint is at most 64 observations and a batch back; the key of the observation's own batch may be a batch ahead.
    items = key_range(
        pk, f"OBS#{1:012d}", f"OBS#{seq + LARGEST_BATCH - 1:012d}", backwards=True, page=CHECKPOINT + 2 * LARGEST_BATCH
    )
    newest = [item for item in (next(items, None),) if item]
    found = event()
    if found is None:
        return None
    way = Approach(unpack(found["state"]), found["engine_version"], int(found["SK"].split("#")[1]), [])
    later: list[Item] = []
    for item in chain(newest, items):
        at = int(item["SK"].rpartition("#")[2])
        if at <= way.seq:
            break
        if "checkpoint" in item and at < seq:
            way = Approach(unpack(item["checkpoint"]), item["engine_version"], at, [])
            break
        later.append(item)
    after = way.seq
    for record, _ in join_items(reversed(later)):
        way.records.append(record)
        after += len(record["observations"])
        if after >= seq:
            return way
    return None


def last_event(pk: str, seq: int) -> Item | None:
    """The last state that was set before observation `seq` without observations: birth, reset, test, upgrade."""
    return next(iter(key_range(pk, "EVENT#", f"EVENT#{seq - 1:012d}#~", backwards=True, page=1)), None)


def key_range(pk: str, first: str, last: str, *, backwards: bool = False, page: int = 0) -> Iterator[Item]:
    """The items of a range of sort keys, strongly consistent, in key order or backwards; `page`: so many in each call."""
    if first > last:
        return iter(())  # DynamoDB rejects an empty range
    values = {":pk": pk, ":from": first, ":to": last}
    condition = "PK = :pk AND SK BETWEEN :from AND :to"
    options = {"Limit": page} if page else {}
    return dynamodb.query(condition, values, ConsistentRead=True, ScanIndexForward=not backwards, **options)


def join_items(items: Iterable[Item]) -> Iterator[tuple[Item, int]]:
    """Records with their sizes, joined from the items that they were split into, oldest first."""
    observations: list[Any] = []
    size = 0
    for item in items:
        text = unpack(item.get("observations", "[]"))
        observations += json.loads(text)
        size += len(text.encode())
        if "record" not in item:
            continue
        names = (*_METADATA, "previous", "digest", *(name for name in _SINCE_2 if name in item))
        record = {name: json.loads(item[name]) if name in _OBJECTS else item[name] for name in names}
        led_to = "state" if "state" in item else "snapshot"
        result = unpack(item[led_to])
        yield record | {"observations": observations, led_to: json.loads(result)}, size + len(result)
        observations, size = [], 0


def _last_before(position: TrailPosition, number: int) -> int:
    """The key (last seq) of the last observations record with a number below `number`; 0 when there is none.

    Numbers increase with keys, so this is a binary search. Its first guess is right when every record has one observation.
    """
    if number == 1:
        return 0
    low, high, best = 0, position.seq, 0
    middle = min(max(number - 2, 1), high)
    while low < high:
        items = key_range(position.pk, f"OBS#{low + 1:012d}", f"OBS#{middle:012d}", backwards=True, page=1)
        record = next((item for item in items if "record" in item), None)
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
    """Up to `limit` rows from number `total - offset` downwards, each with its number. An item's key is its last row's number.

    Returns fewer when the page would be too large for one response; the next page starts after them.
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
        text = unpack(item[field])
        numbered = enumerate(json.loads(text), start=item["first"])
        in_page = [(number, row) for number, row in numbered if oldest <= number <= newest]
        rows += reversed(in_page)
        size += len(text.encode()) if in_page else 0
        if size > PAGE_BYTES:
            break
    return rows
