"""The use cases around the engine: process, reset, retest. Read the head, compute, commit once.

What is answered is made before it is committed, so that the record under an Idempotency-Key is part of the commit. One
transaction holds the new head, the history record, the drift events and that record, so that nothing is ever half done. Source:
spec/architecture.md, "One request".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from identity_engine import (
    Drift,
    Profile,
    State,
    Vector,
    birth,
    contract,
    contract_view,
    drift_event_view,
    drift_view,
    encode,
    process_all,
    reset,
    snapshot_id,
    snapshot_view,
)
from identity_service import errors
from identity_service.clock import iso, now
from identity_service.limits import Meter
from identity_service.log import logger
from identity_service.request_models import ObservationRequest
from identity_service.store import audit_trail, commits, instances
from identity_service.store.commits import Change
from identity_service.store.dynamodb import OutcomeUnknown
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head


@dataclass(frozen=True, slots=True)
class Step:
    """One cycle's outcome. `snapshot` spares a view what the record of the request already needed."""

    instance_id: str
    state: State
    drift: Drift
    snapshot: dict[str, Any] | None = None

    def view(self) -> dict[str, Any]:
        """snapshot, contract, drift."""
        return {
            "snapshot": self.snapshot or snapshot_response(self.instance_id, self.state),
            "contract": contract_view(contract(self.state)),
            "drift": drift_view(self.drift),
        }


def snapshot_response(instance_id: str, state: State, encoded: str | None = None) -> dict[str, Any]:
    """A snapshot with its content-addressed id."""
    return {"id": snapshot_id(encoded or encode(state)), "instance_id": instance_id, **snapshot_view(state)}


def head_of(meter: Meter, instance_id: str, cycles: int = 0, idempotency: IdempotencyRecord | None = None) -> Head:
    """The caller's instance, counted meanwhile. ApiError 404 when there is none, Replayed when there is a stored answer."""
    account_id = meter.principal.account_id
    head = meter.count_while(lambda: instances.get(account_id, instance_id, idempotency), cycles)
    if head is None:
        meter.release()
        raise errors.not_found("instance")
    return head


def process(
    meter: Meter,
    instance_id: str,
    observations: Sequence[ObservationRequest],
    render: Callable[[list[Step]], bytes],
    idempotency: IdempotencyRecord | None,
) -> bytes:
    """Process one request's observations, all or none; what `render` makes of every step's outcome. Costs one cycle each."""
    head = head_of(meter, instance_id, len(observations), idempotency)
    moment = now()

    def compute(current: Head) -> Change[bytes]:
        done = _processed(current, observations, moment, meter.windows.month)
        return _answered(done, render(done.result), idempotency)

    try:
        body = commits.commit(head, compute, idempotency)
    except OutcomeUnknown:
        # If it took effect, the cycles are used; if not, the count is put right by `identity-os usage check`.
        meter.keep()
        logger().error("outcome of a cycle unknown", account=head.account_id, instance=head.id, cycles=len(observations))
        raise
    except BaseException:
        meter.release()
        raise
    if body is None:
        meter.release()
        raise errors.not_found("instance")
    meter.keep()
    return body


def _answered(change: Change[Any], body: bytes, idempotency: IdempotencyRecord | None) -> Change[bytes]:
    """The change with the answer as its result, and the record of the answer among its records."""
    kept = [idempotency.put(200, body, change.head.commit)] if idempotency else []
    return Change(change.head, change.state, [*change.records, *kept], body)


def _processed(head: Head, observations: Sequence[ObservationRequest], moment: float, month: str) -> Change[list[Step]]:
    results = process_all(head.state, [o.observation() for o in observations])
    state, drift = results[-1]
    encoded = encode(state)
    snapshot = snapshot_response(head.id, state, encoded)
    steps = [*(Step(head.id, *result) for result in results[:-1]), Step(head.id, state, drift, snapshot)]
    stamp = iso(moment)

    rows = [o.row(stamp) | {"cycle": step.state.cycle} for o, step in zip(observations, steps, strict=True)]
    entry = audit_trail.Entry(rows, snapshot, stamp, head.commit)
    records, digest = audit_trail.entry_records(head.trail_position(), entry)

    events = []
    for row, step in zip(rows, steps, strict=True):
        event = drift_event_view(step.drift, step.state.cycle)
        if event:
            events.append(event | {"timestamp": row["timestamp"]})
    if events:
        records.append(audit_trail.drift_record(head.partition(), head.drifts + 1, events))
    levels = [event["drift_level"] for event in events]
    d1, d2, d3 = (known + levels.count(level) for known, level in zip(head.drift_levels, ("D1", "D2", "D3"), strict=True))
    # A request of the month before, committed late, leaves the newer month's count as it is.
    before = head.month_cycles if head.month == month else 0
    counted = (month, before + len(steps)) if month >= head.month else (head.month, head.month_cycles)
    after = replace(
        head,
        encoded=encoded,
        digest=digest,
        month=counted[0],
        month_cycles=counted[1],
        records=head.records + 1,
        seq=head.seq + len(steps),
        drifts=head.drifts + len(events),
        drift_levels=(d1, d2, d3),
        updated_at=stamp,
    )
    return Change(after, state, records, steps)


def simulate(
    meter: Meter, instance_id: str, observations: Sequence[ObservationRequest], idempotency: IdempotencyRecord | None = None
) -> list[Step]:
    """What `process` would answer, on a copy: nothing is stored, no cycle is counted."""
    head = head_of(meter, instance_id, idempotency=idempotency)
    results = process_all(head.state, [o.observation() for o in observations])
    return [Step(head.id, state, drift) for state, drift in results]


def reset_instance(
    meter: Meter, instance_id: str, mode: str, render: Callable[[State], bytes], idempotency: IdempotencyRecord | None
) -> bytes:
    """Put an instance back; history stays, and the reset stands in it. What `render` makes of the state it has now."""
    head = head_of(meter, instance_id, idempotency=idempotency)
    return _restate(head, lambda current: reset(current.state, mode), mode, render, idempotency)


def retest(
    meter: Meter,
    instance_id: str,
    profile: Profile,
    strengths: Vector,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None,
) -> bytes:
    """Give an instance the profile and strengths that a test found; it starts anew. What `render` makes of its state."""
    head = head_of(meter, instance_id, idempotency=idempotency)

    def retested(current: Head) -> State:
        before = current.state.profile
        kept = replace(
            profile,
            governance=before.governance,
            energy_policy=before.energy_policy,
            drift_tolerance=before.drift_tolerance,
            description=before.description,
        )
        return birth(kept, strengths)

    return _restate(head, retested, "retest", render, idempotency)


def _restate(
    head: Head,
    make: Callable[[Head], State],
    kind: str,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None,
) -> bytes:
    stamp = iso(now())

    def compute(current: Head) -> Change[bytes]:
        state = make(current)
        encoded = encode(state)
        record, digest = audit_trail.event_record(current.trail_position(), kind, encoded, stamp, current.commit)
        after = replace(current, encoded=encoded, digest=digest, records=current.records + 1, updated_at=stamp)
        return _answered(Change(after, state, [record], state), render(state), idempotency)

    body = commits.commit(head, compute, idempotency)
    if body is None:
        raise errors.not_found("instance")
    return body
