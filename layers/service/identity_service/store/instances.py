"""Instance heads: one item with the current state of an instance.

    ACCOUNT#a#INST#i / HEAD   name, description, state (canonical JSON, packed), version, seq, drift counters, digest, summary

Every write increments `version` and is conditional on the version that was read. `seq` counts the observations ever processed,
`drifts` the drift events; both have no gaps and are never reset, so that pages are key ranges. The indexes by_created and
by_name hold only keys: a cycle does not write to them, and a page reads its heads strongly consistent, so that a deleted
instance disappears at once. by_need is a sparse one: an agent is in it while its contract pauses or escalates, so only a cycle
that begins or ends that writes to it.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic_core import from_json

from identity_engine import canonical
from identity_service import events
from identity_service.clock import iso
from identity_service.engines import Born
from identity_service.store import dynamodb, outbox, retry
from identity_service.store.accounts import account_key
from identity_service.store.audit_trail import Actor, TrailPosition, put_event
from identity_service.store.dynamodb import Item
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.packing import STATE, pack, unpack

_SUMMARY = ("id", "name", "description", "created_at", "seq", "energy_level")


class LimitReached(Exception):
    """The account has as many instances as its plan allows."""


@dataclass(frozen=True, slots=True)
class Head:
    """A stored instance. `drifts` counts its drift events, `drift_levels` those of level D1, D2, D3."""

    account_id: str
    id: str
    name: str
    description: str
    created_at: str
    updated_at: str
    created_key: str
    encoded: str
    digest: str
    #: The engine that decides for the instance; only an upgrade changes it.
    engine_version: str
    version: int = 1
    seq: int = 0
    drifts: int = 0
    drift_levels: tuple[int, int, int] = (0, 0, 0)
    #: Id of the commit that wrote this version, so that a writer whose commit timed out can tell whether it took effect.
    commit: str = ""
    #: The month (as `usage` names it) of the last cycle, and its cycles; `reconcile` compares them with the account's count.
    month: str = ""
    month_cycles: int = 0
    #: Number of records in the audit trail.
    records: int = 1
    #: When the last report came; empty before the first. `updated_at` moves with a new name, too.
    reported_at: str = ""
    #: For a fork: the instance, cycle, seq, record and digest that it continues from.
    forked_from: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The engine's state as a parsed document, anew at each call: an engine uses it up."""
        document: dict[str, Any] = from_json(self.encoded)
        return document

    def partition(self) -> str:
        """Partition key of everything that belongs to the instance."""
        return partition(self.account_id, self.id)

    def trail_position(self) -> TrailPosition:
        """The position of the next audit record."""
        return TrailPosition(self.partition(), self.id, self.engine_version, self.records + 1, self.digest, self.seq)


def partition(account_id: str, instance_id: str) -> str:
    """Partition key of an instance's items; it contains the account id."""
    return f"ACCOUNT#{account_id}#INST#{instance_id}"


def head_key(account_id: str, instance_id: str) -> dict[str, str]:
    """Primary key of a head."""
    return {"PK": partition(account_id, instance_id), "SK": "HEAD"}


def _need(turn: Mapping[str, Any]) -> str | None:
    """What an agent needs a person for, most urgent first: 1 a decision, 2 a pause; None while it works."""
    return "1" if turn["escalated"] else "2" if turn["paused"] else None


def _item(head: Head, turn: Mapping[str, Any]) -> Item:
    need = _need(turn)
    return head_key(head.account_id, head.id) | {
        "account": head.account_id,
        "by_created": f"{head.created_key}#{head.id}",
        "by_name": f"{head.name}#{head.id}",
        "by_need": need and f"{need}#{head.id}",
        "id": head.id,
        "name": head.name,
        "description": head.description,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "created_key": head.created_key,
        "state": pack(head.encoded, STATE),
        "digest": head.digest,
        "engine_version": head.engine_version,
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
        "reported_at": head.reported_at or None,
        "energy_level": str(turn["energy_level"]),
        "forked_from": head.forked_from and canonical(head.forked_from),
    }


def _head(item: Item) -> Head:
    encoded = unpack(item["state"])
    return Head(
        item["account"],
        item["id"],
        item["name"],
        item["description"],
        item["created_at"],
        item["updated_at"],
        item["created_key"],
        encoded,
        item["digest"],
        # Heads of before the pin: the state names the engine that wrote it.
        item["engine_version"] if "engine_version" in item else from_json(encoded)["engine_version"],
        item["version"],
        item["seq"],
        item["drifts"],
        (item["d1"], item["d2"], item["d3"]),
        item["commit"],
        item["month"],
        item["month_cycles"],
        item["records"],
        # Heads of 1.0.0 do not have it: their last change is near enough.
        str(item.get("reported_at") or (item["updated_at"] if item["seq"] else "")),
        json.loads(item["forked_from"]) if "forked_from" in item else None,
    )


def put_head(head: Head, turn: Mapping[str, Any], after: int) -> dict[str, Any]:
    """The operation that stores `head`, conditional on the stored version being `after` (0: there is none yet)."""
    if not after:
        return dynamodb.put(_item(head, turn), "attribute_not_exists(PK)")
    return dynamodb.put(_item(head, turn), "version = :after", {":after": after})


@dataclass(frozen=True, slots=True)
class Birth:
    """An instance that is not stored yet: its head, its figures (`turn`), and the operation that stores its first record.

    For a fork, whose records are stored already: the operation that removes the mark of an unfinished one.
    """

    head: Head
    turn: Mapping[str, Any]
    record: dict[str, Any]


def new_id() -> str:
    """An id that no instance has."""
    return f"inst_{secrets.token_hex(8)}"


def new(account_id: str, name: str, description: str, born: Born, moment: float, actor: Actor) -> Birth:
    """A new instance, not stored yet."""
    stamp = iso(moment)
    instance_id = new_id()
    position = TrailPosition(partition(account_id, instance_id), instance_id, born.engine_version)
    told = events.born(name, born.turn)
    record, digest = put_event(position, "created", born.encoded, stamp, actor, events=told)
    head = Head(
        account_id,
        instance_id,
        name,
        description,
        stamp,
        stamp,
        f"{moment:017.6f}",
        born.encoded,
        digest,
        born.engine_version,
    )
    return Birth(head, born.turn, record)


def create(
    birth: Birth,
    limit: int | None,
    idempotency: IdempotencyRecord | None = None,
    body: bytes = b"",
    status: int = 0,
    entries: Sequence[dict[str, Any]] = (),
) -> None:
    """Store a new instance, count it against `limit` and store the response for its `idempotency`, in one transaction.

    `entries`: further operations of the transaction.

    LimitReached when the account is at its limit, Replayed when the key has a stored response, OutcomeUnknown after a timeout
    when reading back fails too.
    """
    head = birth.head
    increment = dynamodb.update(
        account_key(head.account_id),
        "ADD instance_count :one",
        {":one": 1} if limit is None else {":one": 1, ":limit": limit},
        condition="attribute_exists(PK)" if limit is None else "instance_count < :limit",
    )
    operations = [put_head(head, birth.turn, after=0), birth.record, increment]
    if idempotency:
        operations.append(idempotency.put(status, body, digest=head.digest))
    operations += entries
    uncertain = False
    for attempt in range(retry.TRIES):
        try:
            dynamodb.write_all(operations)
            return
        except dynamodb.Conflict as conflict:
            if (uncertain or conflict.after_timeout) and get(head.account_id, head.id):
                return
            if idempotency:
                idempotency.raise_if_replayed(conflict.items[3])
            if limit is not None and (conflict.items[2] or {}).get("instance_count", 0) >= limit:
                raise LimitReached from None
        except dynamodb.StoreUnavailable as error:
            # The id is unique: if the instance exists, this write took effect. If not, retrying repeats the same write.
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
    """The head, strongly consistent; None when the account has no such instance. Replayed when a response is stored."""
    key = head_key(account_id, instance_id)
    if idempotency is None:
        item = dynamodb.get(key)
    else:
        items = {item["SK"]: item for item in dynamodb.get_many([key, idempotency.item_key()])}
        idempotency.raise_if_replayed(items.get(idempotency.item_key()["SK"]))
        item = items.get("HEAD")
    return _head(item) if item else None


def count(account_id: str) -> int:
    """The number of the account's instances."""
    return int((dynamodb.get(account_key(account_id), ["instance_count"]) or {}).get("instance_count", 0))


def page(account_id: str, *, sort: str, descending: bool, offset: int, limit: int) -> list[Item]:
    """Summaries of one page of instances, sorted by "created_at" or "name"."""
    index = "by_name" if sort == "name" else "by_created"
    entries = dynamodb.query(
        "account = :account",
        {":account": account_id},
        IndexName=index,
        ScanIndexForward=not descending,
        Limit=min(offset + limit, 1000),
    )
    keys = [{"PK": entry["PK"], "SK": entry["SK"]} for entry in islice(entries, offset, offset + limit)]
    return _summaries(keys)


def names(account_id: str, most: int) -> list[tuple[str, str]]:
    """Id and name of the account's instances by name, at most so many. They come from the index alone: no head is read."""
    entries = dynamodb.query("account = :account", {":account": account_id}, IndexName="by_name", Limit=most)
    ids = ((entry["PK"].rpartition("#")[2], entry["by_name"]) for entry in islice(entries, most))
    return [(instance_id, name.removesuffix(f"#{instance_id}")) for instance_id, name in ids]


def needing(account_id: str, most: int) -> list[str]:
    """Ids of instances that need a person, those that need a decision first, at most so many."""
    entries = dynamodb.query("account = :account", {":account": account_id}, IndexName="by_need", Limit=most)
    return [entry["PK"].rpartition("#")[2] for entry in islice(entries, most)]


def heads(account_id: str, ids: Sequence[str]) -> list[Head]:
    """The heads of at most 100 instances, in the order of their ids; deleted ones are missing."""
    items = dynamodb.get_many([head_key(account_id, instance_id) for instance_id in ids]) if ids else []
    found = {item["id"]: _head(item) for item in items}
    return [found[instance_id] for instance_id in ids if instance_id in found]


def all_of(account_id: str, attributes: tuple[str, ...] = _SUMMARY) -> Iterator[Item]:
    """Summaries of all instances of an account, oldest first. For administration: a request reads a `page`.

    An instance of the last moments may be missing: the index follows the table.
    """
    entries = dynamodb.query("account = :account", {":account": account_id}, IndexName="by_created")
    for group in dynamodb.groups_of(100, entries):
        yield from _summaries([{"PK": entry["PK"], "SK": entry["SK"]} for entry in group], attributes)


def named(account_id: str, name: str, *, descending: bool, offset: int, limit: int) -> tuple[list[Item], int]:
    """Summaries of one page of the instances of exactly this name, oldest id first, and how many there are."""
    entries = dynamodb.query(
        "account = :account AND begins_with(by_name, :name)",
        {":account": account_id, ":name": f"{name}#"},
        IndexName="by_name",
        ScanIndexForward=not descending,
    )
    # A name may hold the separator: "a" begins "a#b", too.
    keys = [
        {"PK": entry["PK"], "SK": entry["SK"]}
        for entry in entries
        if entry["by_name"] == f"{name}#{entry['PK'].rpartition('#')[2]}"
    ]
    return _summaries(keys[offset : offset + limit]), len(keys)


def among(
    account_id: str, ids: Sequence[str], name: str | None, *, descending: bool, offset: int, limit: int
) -> tuple[list[Item], int]:
    """Summaries of one page of these instances, by id, and how many of them there are; `name` leaves only those of the name."""
    rows = _summaries([head_key(account_id, instance_id) for instance_id in sorted(ids, reverse=descending)])
    rows = [row for row in rows if not name or row["name"] == name]
    return rows[offset : offset + limit], len(rows)


def _summaries(keys: list[dict[str, str]], attributes: tuple[str, ...] = _SUMMARY) -> list[Item]:
    """Summaries of heads in the order of their keys; deleted ones are missing."""
    summaries = {item["id"]: item for item in dynamodb.get_many(keys, attributes)} if keys else {}
    ids = (key["PK"].rpartition("#")[2] for key in keys)
    return [summaries[instance_id] for instance_id in ids if instance_id in summaries]


def remove(account_id: str, instance_id: str, actor: str = "") -> bool:
    """Delete the head and decrement the instance count in one transaction; False when there is no such instance.

    `actor`: who does it, for the event; without one, as for a whole account, there is none.

    The other items of the partition are unreachable from then on; the purge, triggered by the table's stream, deletes them. The
    cycles of the month stay counted in the account.
    """
    uncertain = False
    for attempt in range(retry.TRIES):
        head = dynamodb.get(head_key(account_id, instance_id), ("version", "month", "month_cycles", "name", "seq"))
        if head is None:
            return uncertain
        delete_head = dynamodb.delete(head_key(account_id, instance_id), "version = :version", {":version": head["version"]})
        values: dict[str, Any] = {":less": -1}
        expression, names = "ADD instance_count :less", {}
        if head["month_cycles"]:
            values[":cycles"] = head["month_cycles"]
            expression, names = expression + ", #gone :cycles", {"#gone": gone_cycles(head["month"])}
        decrement = dynamodb.update(account_key(account_id), expression, values, names=names)
        event = {"type": events.DELETED, "instance_id": instance_id, "name": head["name"], "cycle_count": head["seq"]}
        told = [outbox.put(account_id, event, instance_id, actor)] if actor else []
        try:
            dynamodb.write_all([delete_head, decrement, *told])
            return True
        except dynamodb.Conflict as conflict:
            uncertain |= conflict.after_timeout
        except dynamodb.StoreUnavailable as error:
            # The next attempt finds the head deleted, or retries under the same condition: the count is decremented once.
            if uncertain:
                raise dynamodb.OutcomeUnknown(str(error)) from error
            uncertain = True
        retry.pause(attempt)
    raise dynamodb.OutcomeUnknown if uncertain else dynamodb.Conflict([])


def gone_cycles(month: str) -> str:
    """Name of the account attribute that counts a month's cycles of deleted instances."""
    return f"gone_{month}"


def cycles_of(account_id: str, month: str) -> int:
    """The committed cycles of a month (as `usage` names it), of existing and deleted instances.

    Reads the instances before the account: an instance deleted meanwhile is counted twice rather than not at all.
    """
    entries = dynamodb.query("account = :account", {":account": account_id}, IndexName="by_created")
    committed = 0
    for group in dynamodb.groups_of(100, entries):
        keys = [{"PK": entry["PK"], "SK": entry["SK"]} for entry in group]
        heads = dynamodb.get_many(keys, ("month", "month_cycles"))
        committed += sum(head["month_cycles"] for head in heads if head["month"] == month)
    account = dynamodb.get(account_key(account_id)) or {}
    return committed + int(account.get(gone_cycles(month), 0))
