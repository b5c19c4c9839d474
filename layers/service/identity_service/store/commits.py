"""Commits a change of a head: optimistic concurrency, one transaction for the head and all records of the change.

A commit is conditional on the version that was read. A writer that loses the race reads and computes again. A writer whose
commit timed out reads the head to learn whether it took effect. Source: docs/architecture.md, "One request".
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from identity_service.store import dynamodb, retry
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head, get, head_key, put_head

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A change to commit: the new head, its figures (`turn`), the records to store with it, the caller's result.

    The first record, if there is one, proves later whether the write took effect: its key and `commit` belong to this write.
    """

    head: Head
    turn: Mapping[str, Any]
    records: list[dict[str, Any]]
    result: T


def commit(head: Head | None, compute: Callable[[Head], Change[T]], idempotency: IdempotencyRecord | None = None) -> T | None:
    """Commit the change that `compute` makes to the head, in one transaction. Returns its result, None without an instance.

    `compute` receives the head with its next version and a new commit id. A writer that loses the race reads, computes and
    commits again, a bounded number of times; then Conflict. Replayed when another request with the same Idempotency-Key
    committed first. After a timeout the head is read to learn whether the write took effect. If it did not, the next attempt
    prevents it from taking effect later, since both are conditional on the same version. OutcomeUnknown when neither succeeds.
    """
    timed_out: list[Change[T]] = []
    for attempt in range(retry.TRIES):
        if head is None:
            return None
        change = compute(replace(head, commit=secrets.token_hex(8), version=head.version + 1))
        try:
            dynamodb.write_all([put_head(change.head, change.turn, after=head.version), *change.records])
            return change.result
        except dynamodb.Conflict as conflict:
            if conflict.after_timeout:
                timed_out.append(change)
        except dynamodb.StoreUnavailable as error:
            timed_out.append(change)
            if len(timed_out) > 1:
                return _resolve_timed_out(timed_out, error)
        retry.pause(attempt)
        try:
            current = get(head.account_id, head.id)
            for earlier in timed_out:
                if _took_effect(earlier, current):
                    return earlier.result
            if idempotency:
                idempotency.check()
        except dynamodb.StoreUnavailable as error:
            raise (dynamodb.OutcomeUnknown(str(error)) if timed_out else error) from None
        # A write that is conditional on an older version can no longer take effect.
        timed_out = [earlier for earlier in timed_out if current is not None and current.version < earlier.head.version]
        head = current
    if timed_out:
        return _resolve_timed_out(timed_out, dynamodb.StoreUnavailable("timeout"))
    raise dynamodb.Conflict([])


def _resolve_timed_out(timed_out: list[Change[T]], error: dynamodb.StoreUnavailable) -> T:
    """The result of the timed-out write that took effect. If none did, prevents all of them and raises `error`.

    All of them are conditional on the same version, so a write that only increments the version prevents them. OutcomeUnknown
    when that write fails.
    """
    head = timed_out[0].head
    key = head_key(head.account_id, head.id)
    values = {":before": head.version - 1, ":next": head.version}
    try:
        try:
            dynamodb.write(dynamodb.update(key, "SET version = :next", values, condition="version = :before"))
        except dynamodb.Conflict:
            current = get(head.account_id, head.id)
            for change in timed_out:
                if _took_effect(change, current):
                    return change.result
    except dynamodb.StoreUnavailable as again:
        raise dynamodb.OutcomeUnknown(str(again)) from error
    raise error


def _took_effect(change: Change[Any], current: Head | None) -> bool:
    if current is not None and current.commit == change.head.commit:
        return True
    if not change.records or (current is not None and current.version < change.head.version):
        return False
    ((_, arguments),) = change.records[0].items()
    key = {name: arguments["Item"][name]["S"] for name in ("PK", "SK")}
    return (dynamodb.get(key, ("commit",)) or {}).get("commit") == change.head.commit
