"""The purge: deletes the remaining items of deleted instances, in bounded steps."""

from collections.abc import Callable, Iterator
from typing import Final

from identity_service.store import dynamodb
from identity_service.store.dynamodb import groups_of

#: Most keys that one BatchWriteItem call can delete.
_BATCH: Final = 25
#: The query must not miss an item, and needs only the keys.
_KEYS_ONLY: Final = {"ProjectionExpression": "PK, SK", "ConsistentRead": True}


class Interrupted(Exception):
    """The purge stopped before it was complete; the argument is the number of items that it deleted."""


def purge(partition_key: str, may_continue: Callable[[], bool] = lambda: True) -> int:
    """Delete all items of a deleted instance in batches; returns how many it deleted.

    Interrupted when `may_continue` returns False; the next call deletes the rest. ValueError when the instance exists.
    """
    removed = 0
    for keys in groups_of(_BATCH, dynamodb.query("PK = :pk", {":pk": partition_key}, **_KEYS_ONLY)):
        if {"PK": partition_key, "SK": "HEAD"} in keys:
            raise ValueError("the instance still exists")
        if not may_continue():
            raise Interrupted(removed)
        dynamodb.delete_many(keys)
        removed += len(keys)
    return removed


def exists(partition_key: str) -> bool:
    """Whether the partition has an instance."""
    return dynamodb.get({"PK": partition_key, "SK": "HEAD"}, ("PK",)) is not None


def orphans() -> Iterator[str]:
    """Partition keys of deleted instances that still have items. Scans the whole table."""
    last = ""
    for item in dynamodb.scan(("PK",)):
        key = item["PK"]
        if key != last and "#INST#" in key and not exists(key):
            yield key
        last = key
