"""Forks: a new instance with an agent's history up to a cycle, to ask what would have happened.

The history is replayed as it was, each record by its own engine, and stored as the fork's own: reports in records of up to a
hundred, resets and upgrades between them. The first record follows the digest of the original's record, so that the trail shows
where it comes from. The records are written first, where nobody can reach them; head, count and response in one transaction
make them an instance. Until then a mark with an expiry stands beside them: what a killed request leaves is purged when it
expires. Source: docs/upgrading.md, "Forks".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from identity_service import errors, events
from identity_service.clock import iso, now
from identity_service.cycles import Committed, count_levels, drift_events, load_head, snapshot_response, standing, turn
from identity_service.events import Event
from identity_service.limits import Meter
from identity_service.lineage import Lineage
from identity_service.store import audit_trail, dynamodb, instances, outbox, timeline
from identity_service.store.audit_trail import LARGEST_BATCH, Actor, TrailPosition
from identity_service.store.dynamodb import Item
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Birth, Head, LimitReached

#: Most cycles that a fork replays.
MAX_REPLAYED: Final = 10_000
#: Most bytes of history that a fork takes with it, as they are stored.
_MAX_BYTES: Final = 24_000_000
#: How long an unfinished fork is kept before it is purged, in seconds; a request takes less than 30.
_UNFINISHED: Final = 3600


def fork_instance(
    meter: Meter,
    instance_id: str,
    at_cycle: int,
    name: str,
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Make an instance that is what this one was after cycle `at_cycle`. Costs the cycles that are replayed.

    The body is what `render` builds from the new head. ApiError 404 for a cycle that has not been, 403 at the plan's number of
    instances, 409 for a history that is too long, 429 when the month has not enough cycles.
    """
    head = load_head(meter, instance_id, idempotency=idempotency)
    now_at = head.document()["cycle"]
    if at_cycle > now_at:
        raise errors.no_such_cycle(now_at)
    seq = head.seq - now_at + at_cycle
    if seq > MAX_REPLAYED:
        raise errors.conflict(
            f"a fork replays at most {MAX_REPLAYED} cycles and this one {seq}: fork at an earlier cycle, "
            "or create an instance and process the part of the history that matters"
        )
    meter.reserve(seq)
    try:
        fork = _Fork(head, name, _history(head, seq, at_cycle), Actor(meter.principal.key_id), meter.windows.month)
        birth = fork.write()
        body = render(birth.head)
        told = outbox.put(birth.head.account_id, fork.event(birth), fork.id, fork.actor.id)
        instances.create(birth, meter.principal.instances, idempotency, body, 201, [told])
    except LimitReached:
        meter.release()
        raise errors.instance_limit_reached(meter.principal.instances or 0) from None
    except dynamodb.OutcomeUnknown:
        # If the write took effect, the cycles are used. If not, `identity-os usage check` finds and returns them.
        meter.commit()
        raise
    except BaseException:
        meter.release()
        raise
    meter.commit()
    return Committed(body, birth.head.digest)


def _history(head: Head, seq: int, at_cycle: int) -> list[Item]:
    """The records up to observation `seq`, the last one cut behind it; up to the birth for cycle 0."""
    kept: list[Item] = []
    observations = size = 0
    for record, stored in audit_trail.records(head.trail_position()):
        size += stored
        if size > _MAX_BYTES:
            raise errors.conflict(f"the history up to this cycle has more than {_MAX_BYTES} bytes: fork at an earlier cycle")
        rows = record["observations"][: seq - observations]
        observations += len(rows)
        kept.append(record | {"observations": rows})
        cycle = rows[-1]["cycle"] if rows else record.get("state", {}).get("cycle")
        if observations == seq and cycle == at_cycle:
            return kept
    raise errors.not_found("instance")  # deleted meanwhile


def _in_batches(history: Sequence[Item]) -> Iterator[Item]:
    """The history with reports in records of up to a hundred, each of one engine."""
    batch: Item | None = None
    for record in history:
        if record["kind"] != "observations":
            if batch:
                yield batch
            batch = None
            yield record
            continue
        for row in record["observations"]:
            if batch and not _fits(batch, record):
                yield batch
                batch = None
            batch = batch or record | {"observations": []}
            batch["observations"].append(row)
    if batch:
        yield batch


def _fits(batch: Item, record: Item) -> bool:
    return len(batch["observations"]) < LARGEST_BATCH and batch["engine_version"] == record["engine_version"]


@dataclass
class _Fork:
    """A fork in the making: where it continues from, and the head that its records lead to."""

    original: Head
    name: str
    history: list[Item]
    actor: Actor
    month: str
    stamp: str = field(default_factory=lambda: iso(now()))

    def __post_init__(self) -> None:
        self.id = instances.new_id()
        self.pk = instances.partition(self.original.account_id, self.id)
        last, first = self.history[-1], self.history[0]
        self.origin = {
            "instance_id": self.original.id,
            "cycle": last["observations"][-1]["cycle"] if last["observations"] else last["state"]["cycle"],
            "seq": sum(len(record["observations"]) for record in self.history),
            "record": last["record"],
            "digest": last["digest"],
        }
        self.position = TrailPosition(self.pk, self.id, first["engine_version"], 1, self.origin["digest"])
        self.lineage = Lineage()
        self.drifts: list[dict[str, Any]] = []

    def mark(self) -> dict[str, str]:
        """The key of the mark of an unfinished fork."""
        return {"PK": self.pk, "SK": "FORK"}

    def write(self) -> Birth:
        """Write mark and records. The id is new, so that a write that is repeated writes the same.

        What is left to make them an instance: only while the mark is there, so never after a purge has begun.
        """
        expires = int(now()) + _UNFINISHED
        dynamodb.write(dynamodb.put(self.mark() | {"expires": expires}))
        for record in _in_batches(self.history):
            for operation in self._operations(record):
                dynamodb.write(operation)
        head = self._head()
        return Birth(head, turn(head), dynamodb.delete(self.mark(), "attribute_exists(PK)"))

    def _operations(self, record: Item) -> list[dict[str, Any]]:
        result = self.lineage.add(record)
        position = replace(self.position, engine_version=record["engine_version"])
        if record["kind"] == "observations":
            snapshot = snapshot_response(self.id, result["snapshot"])
            rows = result["observations"]
            turns = timeline.packed([step["turn"] for step in self.lineage.steps])
            new = audit_trail.ObservationsRecord(rows, snapshot, self.lineage.state, self.stamp, self.actor, turns=turns)
            operations, digest = audit_trail.put_observations(position, new)
            operations += self._drift_events(rows)
        else:
            more = {"forked_from": self.origin} if position.number == 1 else {}
            more |= {"upgrade": result["upgrade"]} if "upgrade" in result else {}
            operation, digest = audit_trail.put_event(
                position, record["kind"], self.lineage.state, self.stamp, self.actor, more=more
            )
            operations, rows = [operation], []
        self.position = replace(position, number=position.number + 1, previous=digest, seq=position.seq + len(rows))
        return operations

    def _drift_events(self, rows: Sequence[Item]) -> list[dict[str, Any]]:
        found = drift_events(rows, self.lineage.steps)
        first = len(self.drifts) + 1
        self.drifts += found
        return [audit_trail.put_drift_events(self.pk, first, found)] if found else []

    def _head(self) -> Head:
        """The head that the records lead to."""
        return Head(
            self.original.account_id,
            self.id,
            self.name,
            self.original.description,
            self.stamp,
            self.stamp,
            f"{now():017.6f}",
            self.lineage.state,
            self.position.previous,
            self.lineage.version,
            seq=self.position.seq,
            drifts=len(self.drifts),
            drift_levels=count_levels(self.drifts),
            month=self.month,
            month_cycles=self.position.seq,
            records=self.position.number - 1,
            forked_from=self.origin,
        )

    def event(self, birth: Birth) -> Event:
        """What webhooks hear of it. Not on a record: those are written before it is sure that there will be a fork."""
        about = {"instance_id": self.id, "name": self.name, "cycle": self.origin["cycle"], "record": birth.head.records}
        now = events.standing(standing(birth.head, birth.turn))
        return {"type": events.CREATED, **about, "now": now, "forked_from": self.origin["instance_id"]}
