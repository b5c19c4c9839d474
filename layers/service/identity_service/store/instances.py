"""Instance heads: one item that says where an instance stands.

    ACCOUNT#a#INST#i / HEAD   name, description, state (canonical JSON), version, seq, drift counters, digest, summary

`version` goes up with every write and is the condition of the next one. `seq` counts the observations ever processed, `drifts`
the drift events; both are dense and never reset, so that pages are key ranges. The indexes by_created and by_name hold keys
alone: a cycle does not touch them, and a page reads its heads strongly consistent, so that a deleted instance is gone at once.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from identity_engine import State, edge, encode, restore
from identity_service.clock import iso
from identity_service.store import dynamodb, retry
from identity_service.store.accounts import account_key
from identity_service.store.audit_trail import TrailPosition, event_record
from identity_service.store.dynamodb import Item
from identity_service.store.idempotency import IdempotencyRecord

_SUMMARY = ("id", "name", "description", "created_at", "seq", "energy_level")


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
    #: The month (as `usage` names it) of the last cycle, and the cycles in it: what the account's count must add up to.
    month: str = ""
    month_cycles: int = 0
    #: Records of its audit trail.
    records: int = 1

    @property
    def state(self) -> State:
        """The engine's state, decoded anew at each call."""
        return restore(from_json(self.encoded))

    def partition(self) -> str:
        """Partition key of everything that belongs to the instance."""
        return partition(self.account_id, self.id)

    def trail_position(self) -> TrailPosition:
        """Where the next record of its audit trail goes."""
        return TrailPosition(self.partition(), self.id, self.records + 1, self.digest, self.seq)


def partition(account_id: str, instance_id: str) -> str:
    """Partition key of an instance's items; it carries the account."""
    return f"ACCOUNT#{account_id}#INST#{instance_id}"


def head_key(account_id: str, instance_id: str) -> dict[str, str]:
    """Primary key of a head."""
    return {"PK": partition(account_id, instance_id), "SK": "HEAD"}


def _item(head: Head, state: State) -> Item:
    return head_key(head.account_id, head.id) | {
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
        "month": head.month,
        "month_cycles": head.month_cycles,
        "records": head.records,
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
        item["month"],
        item["month_cycles"],
        item["records"],
    )


def put_head(head: Head, state: State, after: int) -> dict[str, Any]:
    """The operation that stores `head`, if the stored one still has version `after` (0: none is stored)."""
    if not after:
        return dynamodb.put(_item(head, state), "attribute_not_exists(PK)")
    return dynamodb.put(_item(head, state), "version = :after", {":after": after})


def new(account_id: str, name: str, description: str, state: State, moment: float) -> Head:
    """The head of an instance that is not stored yet."""
    encoded, stamp = encode(state), iso(moment)
    instance_id = f"inst_{secrets.token_hex(8)}"
    _, digest = event_record(TrailPosition(partition(account_id, instance_id), instance_id), "created", encoded, stamp)
    return Head(account_id, instance_id, name, description, stamp, stamp, f"{moment:017.6f}", encoded, digest)


def create(
    head: Head,
    state: State,
    limit: int | None,
    idempotency: IdempotencyRecord | None = None,
    answer: bytes = b"",
    status: int = 0,
) -> None:
    """Store a new instance, counted against `limit`, with the `answer` under its `idempotency`, in one transaction.

    LimitReached when there is no room, Replayed when the idempotency was answered before, OutcomeUnknown when nobody can tell.
    """
    grow = dynamodb.update(
        account_key(head.account_id),
        "ADD instance_count :one",
        {":one": 1} if limit is None else {":one": 1, ":limit": limit},
        condition="attribute_exists(PK)" if limit is None else "instance_count < :limit",
    )
    born, _ = event_record(TrailPosition(head.partition(), head.id), "created", head.encoded, head.created_at)
    operations = [put_head(head, state, after=0), born, grow]
    if idempotency:
        operations.append(idempotency.put(status, answer))
    uncertain = False
    for attempt in range(retry.TRIES):
        try:
            dynamodb.write_all(operations)
            return
        except dynamodb.Conflict as conflict:
            if (uncertain or conflict.sent_again) and get(head.account_id, head.id):
                return
            if idempotency:
                idempotency.raise_if_answered(conflict.items[3])
            if limit is not None and (conflict.items[2] or {}).get("instance_count", 0) >= limit:
                raise LimitReached from None
        except dynamodb.StoreUnavailable as error:
            # The id is this instance's alone: if it is there, it was this write. If not, sending it again is the same write.
            try:
                if get(head.account_id, head.id):
                    return
            except dynamodb.StoreUnavailable:
                raise dynamodb.OutcomeUnknown(str(error)) from error
            if uncertain:
                raise dynamodb.OutcomeUnknown(str(error)) from error
            uncertain = True
        retry.pause(attempt)
    raise dynamodb.OutcomeUnknown if uncertain else dynamodb.Conflict([])


def get(account_id: str, instance_id: str, idempotency: IdempotencyRecord | None = None) -> Head | None:
    """The head, strongly consistent; None when this account has no such instance. Replayed when there is a stored answer."""
    key = head_key(account_id, instance_id)
    if idempotency is None:
        item = dynamodb.get(key)
    else:
        found = {item["SK"]: item for item in dynamodb.get_many([key, idempotency.item_key()])}
        idempotency.raise_if_answered(found.get(idempotency.item_key()["SK"]))
        item = found.get("HEAD")
    return _head(item) if item else None


def count(account_id: str) -> int:
    """How many instances the account has."""
    return int((dynamodb.get(account_key(account_id), ["instance_count"]) or {}).get("instance_count", 0))


def page(account_id: str, *, sort: str, descending: bool, offset: int, limit: int) -> list[Item]:
    """Summaries of one page, sorted by "created_at" or "name"."""
    index = "by_name" if sort == "name" else "by_created"
    entries = dynamodb.query(
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
    found = {item["id"]: item for item in dynamodb.get_many(keys, _SUMMARY)} if keys else {}
    ids = (key["PK"].rpartition("#")[2] for key in keys)
    return [found[instance_id] for instance_id in ids if instance_id in found]


def remove(account_id: str, instance_id: str) -> bool:
    """Remove the head and its place in the counts, together; False when there is no such instance.

    What else the partition holds is unreachable from then on; the purge, woken by the table's stream, removes it. The cycles of
    the month stay with the account.
    """
    uncertain = False
    for attempt in range(retry.TRIES):
        head = dynamodb.get(head_key(account_id, instance_id), ("version", "month", "month_cycles"))
        if head is None:
            return uncertain
        gone = dynamodb.delete(head_key(account_id, instance_id), "version = :version", {":version": head["version"]})
        change: dict[str, Any] = {":less": -1}
        expression, names = "ADD instance_count :less", {}
        if head["month_cycles"]:
            change[":cycles"] = head["month_cycles"]
            expression, names = expression + ", #gone :cycles", {"#gone": gone_cycles(head["month"])}
        shrink = dynamodb.update(account_key(account_id), expression, change, names=names)
        try:
            dynamodb.write_all([gone, shrink])
            return True
        except dynamodb.Conflict as conflict:
            uncertain |= conflict.sent_again
        except dynamodb.StoreUnavailable as error:
            # The next look finds it gone, or it is tried again under the same condition: it goes once.
            if uncertain:
                raise dynamodb.OutcomeUnknown(str(error)) from error
            uncertain = True
        retry.pause(attempt)
    raise dynamodb.OutcomeUnknown if uncertain else dynamodb.Conflict([])


def gone_cycles(month: str) -> str:
    """Name of the account's attribute that counts a month's cycles of deleted instances."""
    return f"gone_{month}"


def cycles_of(account_id: str, month: str) -> int:
    """Cycles of a month (as `usage` names it) that were committed: those of every instance, and of those that are gone.

    Instances first: one that is deleted meanwhile is counted twice rather than not at all.
    """
    entries = dynamodb.query("account = :account", {":account": account_id}, IndexName="by_created")
    committed = 0
    for group in dynamodb.groups_of(100, entries):
        keys = [{"PK": entry["PK"], "SK": entry["SK"]} for entry in group]
        heads = dynamodb.get_many(keys, ("month", "month_cycles"))
        committed += sum(head["month_cycles"] for head in heads if head["month"] == month)
    account = dynamodb.get(account_key(account_id)) or {}
    return committed + int(account.get(gone_cycles(month), 0))
