"""Commits: how a head changes. Optimistic concurrency, in one transaction for the head and all records of the change.

A commit expects the version that was read. A writer that loses the race reads again and computes again. A writer whose commit
timed out reads the head to learn whether it took effect. Source: docs/architecture.md, "One request".
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from identity_engine import State
from identity_service.store import dynamodb, retry
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head, get, head_key, put_head

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a write makes of a head: the head after it, its state, the records to store with it, the caller's result.

    The first record, where there is one, tells for good whether the write took effect: its key and `commit` are its own.
    """

    head: Head
    state: State
    records: list[dict[str, Any]]
    result: T


def commit(head: Head | None, compute: Callable[[Head], Change[T]], idempotency: IdempotencyRecord | None = None) -> T | None:
    """Commit what `compute` makes of the head, in one transaction; its result, or None when there is no such instance.

    `compute` is given the head with its next version, and the name of the write in `commit`. Whoever loses a race reads
    again, computes again and commits again, a bounded number of times; then Conflict. Replayed when a twin under the same
    idempotency was first. A write without an answer is looked for; where it is not found, the next attempt shuts it out, since
    both need the same version. OutcomeUnknown when that cannot be done.
    """
    unanswered: list[Change[T]] = []
    for attempt in range(retry.TRIES):
        if head is None:
            return None
        made = compute(replace(head, commit=secrets.token_hex(8), version=head.version + 1))
        try:
            dynamodb.write_all([put_head(made.head, made.state, after=head.version), *made.records])
            return made.result
        except dynamodb.Conflict as conflict:
            if conflict.sent_again:
                unanswered.append(made)
        except dynamodb.StoreUnavailable as error:
            unanswered.append(made)
            if len(unanswered) > 1:
                return _resolve_unanswered(unanswered, error)
        retry.pause(attempt)
        try:
            found = get(head.account_id, head.id)
            for earlier in unanswered:
                if _took_effect(earlier, found):
                    return earlier.result
            if idempotency:
                idempotency.look()
        except dynamodb.StoreUnavailable as error:
            raise (dynamodb.OutcomeUnknown(str(error)) if unanswered else error) from None
        # What expected a version that is gone can never take effect.
        unanswered = [earlier for earlier in unanswered if found is not None and found.version < earlier.head.version]
        head = found
    if unanswered:
        return _resolve_unanswered(unanswered, dynamodb.StoreUnavailable("no answer"))
    raise dynamodb.Conflict([])


def _resolve_unanswered(unanswered: list[Change[T]], error: dynamodb.StoreUnavailable) -> T:
    """The result of the write that took effect; if none did, none ever will: `error`. OutcomeUnknown where that cannot be had.

    All of them expect the same version, so a write of nothing but the next version shuts them out.
    """
    head = unanswered[0].head
    key = head_key(head.account_id, head.id)
    values = {":before": head.version - 1, ":next": head.version}
    try:
        try:
            dynamodb.write(dynamodb.update(key, "SET version = :next", values, condition="version = :before"))
        except dynamodb.Conflict:
            found = get(head.account_id, head.id)
            for made in unanswered:
                if _took_effect(made, found):
                    return made.result
    except dynamodb.StoreUnavailable as again:
        raise dynamodb.OutcomeUnknown(str(again)) from error
    raise error


def _took_effect(made: Change[Any], found: Head | None) -> bool:
    if found is not None and found.commit == made.head.commit:
        return True
    if not made.records or (found is not None and found.version < made.head.version):
        return False
    ((_, arguments),) = made.records[0].items()
    key = {name: arguments["Item"][name]["S"] for name in ("PK", "SK")}
    return (dynamodb.get(key, ("commit",)) or {}).get("commit") == made.head.commit
