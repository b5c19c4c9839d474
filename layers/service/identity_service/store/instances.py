"""Instance heads: one item that says where an instance stands.

    ACCOUNT#a#INST#i / HEAD   name, description, state (canonical JSON), version, seq, drift counters, digest, summary

`version` goes up with every write and is the condition of the next one. `seq` counts the observations ever processed, `drifts`
the drift events; both are dense and never reset, so that pages are key ranges. The indexes by_created and by_name hold keys
alone: a cycle does not touch them, and a page reads its heads strongly consistent, so that a deleted instance is gone at once.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic, TypeVar

from identity_engine import State, decode, edge, encode
from identity_service.clock import iso
from identity_service.store import retry, table
from identity_service.store.accounts import account_key
from identity_service.store.ledger import event_record, first_digest
from identity_service.store.table import Item

#: Keys that one call of DynamoDB deletes at the most.
_DELETED_AT_ONCE = 25
#: How the items of a partition are found: none may be missed, and their keys suffice.
_KEYS_ONLY = {"ProjectionExpression": "PK, SK", "ConsistentRead": True}
_SUMMARY = ("id", "name", "description", "created_at", "seq", "energy_level")


T = TypeVar("T")


class Interrupted(Exception):
    """A purge stopped before it was through."""


class LimitReached(Exception):
    """The account has all the instances that its plan allows."""


@dataclass(frozen=True, slots=True)
class Head:
    """An instance as stored. `drifts` counts its drift events, `drift_levels` those at D1, D2, D3."""

    account_id: str
    id: str
    name: str
    description: str
    created_at: str
    updated_at: str
    created_key: str
    encoded: str
    digest: str
    version: int = 1
    seq: int = 0
    drifts: int = 0
    drift_levels: tuple[int, int, int] = (0, 0, 0)
    #: Names the write that made this version, so that a writer who got no answer can tell whether it was his own.
    commit: str = ""

    @property
    def state(self) -> State:
        """The engine's state, decoded anew at each call."""
        return decode(self.encoded)

    def partition(self) -> str:
        """Partition key of everything that belongs to the instance."""
        return partition(self.account_id, self.id)


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a write makes of a head: the head after it, its state, the records to store with it, the caller's result."""

    head: Head
    state: State
    records: list[dict[str, Any]]
    result: T


def partition(account_id: str, instance_id: str) -> str:
    """Partition key of an instance's items; it carries the account."""
    return f"ACCOUNT#{account_id}#INST#{instance_id}"


def _head_key(account_id: str, instance_id: str) -> dict[str, str]:
    return {"PK": partition(account_id, instance_id), "SK": "HEAD"}


def _item(head: Head, state: State) -> Item:
    return _head_key(head.account_id, head.id) | {
        "account": head.account_id,
        "by_created": f"{head.created_key}#{head.id}",
        "by_name": f"{head.name}#{head.id}",
        "id": head.id,
        "name": head.name,
        "description": head.description,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "created_key": head.created_key,
        "state": head.encoded,
        "digest": head.digest,
        "version": head.version,
        "seq": head.seq,
        "drifts": head.drifts,
        "d1": head.drift_levels[0],
        "d2": head.drift_levels[1],
        "d3": head.drift_levels[2],
        "commit": head.commit,
        "energy_level": str(edge(state.energy)),
    }


def _head(item: Item) -> Head:
    return Head(
        item["account"],
        item["id"],
        item["name"],
        item["description"],
        item["created_at"],
        item["updated_at"],
        item["created_key"],
        item["state"],
        item["digest"],
        item["version"],
        item["seq"],
        item["drifts"],
        (item["d1"], item["d2"], item["d3"]),
        item["commit"],
    )


def put_head(head: Head, state: State, after: int) -> dict[str, Any]:
    """The operation that stores `head`, if the stored one still has version `after` (0: none is stored)."""
    if not after:
        return table.put(_item(head, state), "attribute_not_exists(PK)")
    return table.put(_item(head, state), "version = :after", {":after": after})


def create(account_id: str, name: str, description: str, state: State, moment: float, limit: int | None) -> Head:
    """A new instance, counted against `limit` in the same transaction. LimitReached when there is no room."""
    instance_id = f"inst_{secrets.token_hex(8)}"
    encoded, stamp = encode(state), iso(moment)
    head = Head(
        account_id,
        instance_id,
        name,
        description,
        stamp,
        stamp,
        f"{moment:017.6f}",
        encoded,
        first_digest(encoded),
    )
    grow = table.update(
        account_key(account_id),
        "ADD instance_count :one",
        {":one": 1} if limit is None else {":one": 1, ":limit": limit},
        condition="attribute_exists(PK)" if limit is None else "instance_count < :limit",
    )
    for attempt in range(retry.TRIES):
        try:
            table.write_all(
                [put_head(head, state, after=0), event_record(head.partition(), 0, 1, "created", encoded, stamp), grow]
            )
        except table.Conflict as conflict:
            if limit is not None and (conflict.items[2] or {}).get("instance_count", 0) >= limit:
                raise LimitReached from None
            retry.pause(attempt)
        else:
            return head
    raise table.Conflict([])


def get(account_id: str, instance_id: str) -> Head | None:
    """The head, strongly consistent; None when this account has no such instance."""
    item = table.get(_head_key(account_id, instance_id))
    return _head(item) if item else None


def count(account_id: str) -> int:
    """How many instances the account has."""
    return int((table.get(account_key(account_id), ["instance_count"]) or {}).get("instance_count", 0))


def page(account_id: str, *, sort: str, descending: bool, offset: int, limit: int) -> list[Item]:
    """Summaries of one page, sorted by "created_at" or "name"."""
    index = "by_name" if sort == "name" else "by_created"
    entries = table.query(
        "account = :account",
        {":account": account_id},
        IndexName=index,
        ScanIndexForward=not descending,
        Limit=min(offset + limit, 1000),
    )
    keys = []
    for position, entry in enumerate(entries):
        if position >= offset:
            keys.append({"PK": entry["PK"], "SK": entry["SK"]})
        if len(keys) == limit:
            break
    found = {item["id"]: item for item in table.get_many(keys, _SUMMARY)} if keys else {}
    ids = (key["PK"].rpartition("#")[2] for key in keys)
    return [found[instance_id] for instance_id in ids if instance_id in found]


def change(head: Head | None, compute: Callable[[Head], Change[T]]) -> T | None:
    """Commit what `compute` makes of the head, in one transaction; its result, or None when there is no such instance.

    Whoever loses a race reads again, computes again and commits again, a bounded number of times; then Conflict. When
    DynamoDB gives no answer, the head tells whether the write took effect; when that cannot be read either, StoreUnavailable.
    """
    for attempt in range(retry.TRIES):
        if head is None:
            return None
        made = compute(head)
        after = replace(made.head, version=head.version + 1, commit=secrets.token_hex(8))
        try:
            table.write_all([put_head(after, made.state, after=head.version), *made.records])
            return made.result
        except table.Conflict:
            retry.pause(attempt)
            head = get(head.account_id, head.id)
        except table.StoreUnavailable:
            found = get(head.account_id, head.id)
            if found is None or found.commit != after.commit:
                raise
            return made.result
    raise table.Conflict([])


def remove(account_id: str, instance_id: str) -> bool:
    """Remove the head and its place in the count, together; False when there is no such instance.

    What else the partition holds is unreachable from then on; the purge, woken by the table's stream, removes it.
    """
    shrink = table.update(account_key(account_id), "ADD instance_count :less", {":less": -1})
    for attempt in range(retry.TRIES):
        if table.get(_head_key(account_id, instance_id), ["PK"]) is None:
            return False
        try:
            table.write_all([table.delete(_head_key(account_id, instance_id), "attribute_exists(PK)"), shrink])
        except table.Conflict:
            retry.pause(attempt)
        else:
            return True
    raise table.Conflict([])


def purge(partition_key: str, on: Callable[[], bool] = lambda: True) -> int:
    """Remove everything left of a deleted instance, a few items at a time; how many went. Interrupted when `on` says no.

    Nothing is lost by an interruption of any kind: what is left is still there for the next call. ValueError when the instance
    exists.
    """
    gone = 0
    for keys in _by(_DELETED_AT_ONCE, table.query("PK = :pk", {":pk": partition_key}, **_KEYS_ONLY)):
        if {"PK": partition_key, "SK": "HEAD"} in keys:
            raise ValueError("the instance still exists")
        if not on():
            raise Interrupted(gone)
        table.delete_many(keys)
        gone += len(keys)
    return gone


def orphans() -> Iterator[str]:
    """Partitions of deleted instances that still hold items. Reads the whole table."""
    last = ""
    for item in table.scan(("PK",)):
        key = item["PK"]
        if key != last and "#INST#" in key and table.get({"PK": key, "SK": "HEAD"}, ("PK",)) is None:
            yield key
        last = key


def _by(size: int, items: Iterator[Item]) -> Iterator[list[Item]]:
    while group := list(islice(items, size)):
        yield group
