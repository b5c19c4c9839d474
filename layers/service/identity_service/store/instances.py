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

from pydantic_core import from_json

from identity_engine import State, edge, encode, restore
from identity_service.clock import iso
from identity_service.store import retry, table
from identity_service.store.accounts import account_key
from identity_service.store.claims import Claim
from identity_service.store.ledger import Place, event_record
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

    def place(self) -> Place:
        """Where the next record of its audit trail goes."""
        return Place(self.partition(), self.id, self.records + 1, self.digest, self.seq)


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a write makes of a head: the head after it, its state, the records to store with it, the caller's result.

    The first record, where there is one, tells for good whether the write took effect: its key and `commit` are its own.
    """

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
        return table.put(_item(head, state), "attribute_not_exists(PK)")
    return table.put(_item(head, state), "version = :after", {":after": after})


def new(account_id: str, name: str, description: str, state: State, moment: float) -> Head:
    """The head of an instance that is not stored yet."""
    encoded, stamp = encode(state), iso(moment)
    instance_id = f"inst_{secrets.token_hex(8)}"
    _, digest = event_record(Place(partition(account_id, instance_id), instance_id), "created", encoded, stamp)
    return Head(account_id, instance_id, name, description, stamp, stamp, f"{moment:017.6f}", encoded, digest)


def create(
    head: Head, state: State, limit: int | None, claim: Claim | None = None, answer: bytes = b"", status: int = 0
) -> None:
    """Store a new instance, counted against `limit`, with the `answer` under its `claim`, in one transaction.

    LimitReached when there is no room, Repeated when the claim was answered before, OutcomeUnknown when nobody can tell.
    """
    grow = table.update(
        account_key(head.account_id),
        "ADD instance_count :one",
        {":one": 1} if limit is None else {":one": 1, ":limit": limit},
        condition="attribute_exists(PK)" if limit is None else "instance_count < :limit",
    )
    born, _ = event_record(Place(head.partition(), head.id), "created", head.encoded, head.created_at)
    operations = [put_head(head, state, after=0), born, grow]
    if claim:
        operations.append(claim.put(status, answer))
    uncertain = False
    for attempt in range(retry.TRIES):
        try:
            table.write_all(operations)
            return
        except table.Conflict as conflict:
            if (uncertain or conflict.sent_again) and get(head.account_id, head.id):
                return
            if claim:
                claim.refuse_repetition(conflict.items[3])
            if limit is not None and (conflict.items[2] or {}).get("instance_count", 0) >= limit:
                raise LimitReached from None
        except table.StoreUnavailable as error:
            # The id is this instance's alone: if it is there, it was this write. If not, sending it again is the same write.
            try:
                if get(head.account_id, head.id):
                    return
            except table.StoreUnavailable:
                raise table.OutcomeUnknown(str(error)) from error
            if uncertain:
                raise table.OutcomeUnknown(str(error)) from error
            uncertain = True
        retry.pause(attempt)
    raise table.OutcomeUnknown if uncertain else table.Conflict([])


def get(account_id: str, instance_id: str, claim: Claim | None = None) -> Head | None:
    """The head, strongly consistent; None when this account has no such instance. Repeated when `claim` was answered before."""
    key = _head_key(account_id, instance_id)
    if claim is None:
        item = table.get(key)
    else:
        found = {item["SK"]: item for item in table.get_many([key, claim.item_key()])}
        claim.refuse_repetition(found.get(claim.item_key()["SK"]))
        item = found.get("HEAD")
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


def change(head: Head | None, compute: Callable[[Head], Change[T]], claim: Claim | None = None) -> T | None:
    """Commit what `compute` makes of the head, in one transaction; its result, or None when there is no such instance.

    `compute` is given the head with its next version, and the name of the write in `commit`. Whoever loses a race reads
    again, computes again and commits again, a bounded number of times; then Conflict. Repeated when a twin under the same
    claim was first. A write without an answer is looked for; where it is not found, the next attempt shuts it out, since
    both need the same version. OutcomeUnknown when that cannot be done.
    """
    unanswered: list[Change[T]] = []
    for attempt in range(retry.TRIES):
        if head is None:
            return None
        made = compute(replace(head, commit=secrets.token_hex(8), version=head.version + 1))
        try:
            table.write_all([put_head(made.head, made.state, after=head.version), *made.records])
            return made.result
        except table.Conflict as conflict:
            if conflict.sent_again:
                unanswered.append(made)
        except table.StoreUnavailable as error:
            unanswered.append(made)
            if len(unanswered) > 1:
                return _settled(unanswered, error)
        retry.pause(attempt)
        try:
            found = get(head.account_id, head.id)
            for earlier in unanswered:
                if _took_effect(earlier, found):
                    return earlier.result
            if claim:
                claim.look()
        except table.StoreUnavailable as error:
            raise (table.OutcomeUnknown(str(error)) if unanswered else error) from None
        # What expected a version that is gone can never take effect.
        unanswered = [earlier for earlier in unanswered if found is not None and found.version < earlier.head.version]
        head = found
    if unanswered:
        return _settled(unanswered, table.StoreUnavailable("no answer"))
    raise table.Conflict([])


def _settled(unanswered: list[Change[T]], error: table.StoreUnavailable) -> T:
    """The result of the write that took effect; if none did, none ever will: `error`. OutcomeUnknown where that cannot be had.

    All of them expect the same version, so a write of nothing but the next version shuts them out.
    """
    head = unanswered[0].head
    key = _head_key(head.account_id, head.id)
    values = {":before": head.version - 1, ":next": head.version}
    try:
        try:
            table.write(table.update(key, "SET version = :next", values, condition="version = :before"))
        except table.Conflict:
            found = get(head.account_id, head.id)
            for made in unanswered:
                if _took_effect(made, found):
                    return made.result
    except table.StoreUnavailable as again:
        raise table.OutcomeUnknown(str(again)) from error
    raise error


def _took_effect(made: Change[Any], found: Head | None) -> bool:
    if found is not None and found.commit == made.head.commit:
        return True
    if not made.records or (found is not None and found.version < made.head.version):
        return False
    ((_, arguments),) = made.records[0].items()
    key = {name: arguments["Item"][name]["S"] for name in ("PK", "SK")}
    return (table.get(key, ("commit",)) or {}).get("commit") == made.head.commit


def remove(account_id: str, instance_id: str) -> bool:
    """Remove the head and its place in the counts, together; False when there is no such instance.

    What else the partition holds is unreachable from then on; the purge, woken by the table's stream, removes it. The cycles of
    the month stay with the account.
    """
    uncertain = False
    for attempt in range(retry.TRIES):
        head = table.get(_head_key(account_id, instance_id), ("version", "month", "month_cycles"))
        if head is None:
            return uncertain
        gone = table.delete(_head_key(account_id, instance_id), "version = :version", {":version": head["version"]})
        change: dict[str, Any] = {":less": -1}
        expression, names = "ADD instance_count :less", {}
        if head["month_cycles"]:
            change[":cycles"] = head["month_cycles"]
            expression, names = expression + ", #gone :cycles", {"#gone": gone_cycles(head["month"])}
        shrink = table.update(account_key(account_id), expression, change, names=names)
        try:
            table.write_all([gone, shrink])
            return True
        except table.Conflict as conflict:
            uncertain |= conflict.sent_again
        except table.StoreUnavailable as error:
            # The next look finds it gone, or it is tried again under the same condition: it goes once.
            if uncertain:
                raise table.OutcomeUnknown(str(error)) from error
            uncertain = True
        retry.pause(attempt)
    raise table.OutcomeUnknown if uncertain else table.Conflict([])


def gone_cycles(month: str) -> str:
    """Name of the account's attribute that counts a month's cycles of deleted instances."""
    return f"gone_{month}"


def cycles_of(account_id: str, month: str) -> int:
    """Cycles of a month (as `usage` names it) that were committed: those of every instance, and of those that are gone.

    Instances first: one that is deleted meanwhile is counted twice rather than not at all.
    """
    entries = table.query("account = :account", {":account": account_id}, IndexName="by_created")
    committed = 0
    for group in _by(100, entries):
        keys = [{"PK": entry["PK"], "SK": entry["SK"]} for entry in group]
        heads = table.get_many(keys, ("month", "month_cycles"))
        committed += sum(head["month_cycles"] for head in heads if head["month"] == month)
    account = table.get(account_key(account_id)) or {}
    return committed + int(account.get(gone_cycles(month), 0))


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
