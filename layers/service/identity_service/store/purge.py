"""The purge: removes the items that a deleted instance left behind, in bounded steps."""

from collections.abc import Callable, Iterator
from typing import Final

from identity_service.store import dynamodb
from identity_service.store.dynamodb import groups_of

#: Keys that one call of DynamoDB deletes at the most.
_DELETED_AT_ONCE: Final = 25
#: Reads of a partition must miss nothing, and need the keys alone.
_KEYS_ONLY: Final = {"ProjectionExpression": "PK, SK", "ConsistentRead": True}


class Interrupted(Exception):
    """The purge stopped before it was done; the argument counts the items that it removed."""


def purge(partition_key: str, may_continue: Callable[[], bool] = lambda: True) -> int:
    """Remove all items of a deleted instance, a few at a time; answers how many it removed.

    Interrupted when `may_continue` answers False; the next call removes the rest. ValueError when the instance exists.
    """
    removed = 0
    for keys in groups_of(_DELETED_AT_ONCE, dynamodb.query("PK = :pk", {":pk": partition_key}, **_KEYS_ONLY)):
        if {"PK": partition_key, "SK": "HEAD"} in keys:
            raise ValueError("the instance still exists")
        if not may_continue():
            raise Interrupted(removed)
        dynamodb.delete_many(keys)
        removed += len(keys)
    return removed


def orphans() -> Iterator[str]:
    """Partitions of deleted instances that still hold items. Reads the whole table."""
    last = ""
    for item in dynamodb.scan(("PK",)):
        key = item["PK"]
        if key != last and "#INST#" in key and dynamodb.get({"PK": key, "SK": "HEAD"}, ("PK",)) is None:
            yield key
        last = key
