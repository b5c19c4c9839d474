"""The use cases around the engine: process, reset, retest. Read the head, compute, commit once.

One transaction holds the new head, the history record and the drift events, so that nothing is ever half done. Source:
spec/architecture.md, "One request".
"""

from collections.abc import Sequence
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
from identity_service.requests import ObservationIn
from identity_service.store import instances, ledger
from identity_service.store.instances import Change, Head


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
            "snapshot": self.snapshot or snapshot_answer(self.instance_id, self.state),
            "contract": contract_view(contract(self.state)),
            "drift": drift_view(self.drift),
        }


def snapshot_answer(instance_id: str, state: State, encoded: str | None = None) -> dict[str, Any]:
    """A snapshot with its content-addressed id."""
    return {"id": snapshot_id(encoded or encode(state)), "instance_id": instance_id, **snapshot_view(state)}


def head_of(meter: Meter, instance_id: str, cycles: int = 0) -> Head:
    """The caller's instance, metered in parallel; ApiError 404 when there is none."""
    account_id = meter.principal.account_id
    head = meter.charge_beside(lambda: instances.get(account_id, instance_id), cycles)
    if head is None:
        meter.give_back()
        raise errors.not_found("instance")
    return head


def process(meter: Meter, instance_id: str, observations: Sequence[ObservationIn]) -> list[Step]:
    """Process one request's observations, all or none; every step's outcome. Costs one cycle each."""
    head = head_of(meter, instance_id, len(observations))
    moment = now()
    try:
        steps = instances.change(head, lambda current: _processed(current, observations, moment))
    except BaseException:
        meter.give_back()
        raise
    if steps is None:
        meter.give_back()
        raise errors.not_found("instance")
    meter.keep()
    return steps


def _processed(head: Head, observations: Sequence[ObservationIn], moment: float) -> Change[list[Step]]:
    results = process_all(head.state, [o.observation() for o in observations])
    steps = [Step(head.id, state, drift) for state, drift in results]
    state = steps[-1].state
    encoded = encode(state)
    snapshot = snapshot_answer(head.id, state, encoded)
    steps[-1] = replace(steps[-1], snapshot=snapshot)
    stamp = iso(moment)

    rows = [o.row(stamp) | {"cycle": step.state.cycle} for o, step in zip(observations, steps, strict=True)]
    entry = ledger.Entry(rows, snapshot, stamp)
    records, digest = ledger.entry_records(head.partition(), head.digest, head.seq, entry)

    events = []
    for row, step in zip(rows, steps, strict=True):
        event = drift_event_view(step.drift, step.state.cycle)
        if event:
            events.append(event | {"timestamp": row["timestamp"]})
    if events:
        records.append(ledger.drift_record(head.partition(), head.drifts + 1, events))
    levels = [event["drift_level"] for event in events]
    d1, d2, d3 = (known + levels.count(level) for known, level in zip(head.drift_levels, ("D1", "D2", "D3"), strict=True))
    after = replace(
        head,
        encoded=encoded,
        digest=digest,
        seq=head.seq + len(steps),
        drifts=head.drifts + len(events),
        drift_levels=(d1, d2, d3),
        updated_at=stamp,
    )
    return Change(after, state, records, steps)


def simulate(meter: Meter, instance_id: str, observations: Sequence[ObservationIn]) -> list[Step]:
    """What `process` would answer, on a copy: nothing is stored, no cycle is counted."""
    head = head_of(meter, instance_id)
    results = process_all(head.state, [o.observation() for o in observations])
    return [Step(head.id, state, drift) for state, drift in results]


def reset_instance(meter: Meter, instance_id: str, mode: str) -> State:
    """Put an instance back; history stays, and the reset stands in it. The state it has now."""
    head = head_of(meter, instance_id)
    return _restate(head, lambda current: reset(current.state, mode), mode)


def retest(meter: Meter, instance_id: str, profile: Profile, strengths: Vector) -> State:
    """Give an instance the profile and strengths that a test found; it starts anew from them. The state it has now."""
    head = head_of(meter, instance_id)

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

    return _restate(head, retested, "retest")


def _restate(head: Head, make: Any, kind: str) -> State:
    stamp = iso(now())

    def compute(current: Head) -> Change[State]:
        state: State = make(current)
        encoded = encode(state)
        digest = ledger.next_digest(current.digest, kind, encoded)
        after = replace(current, encoded=encoded, digest=digest, updated_at=stamp)
        record = ledger.event_record(
            current.partition(),
            current.seq,
            current.version + 1,
            kind,
            encoded,
            stamp,
            previous=current.digest,
            digest=digest,
        )
        return Change(after, state, [record], state)

    state = instances.change(head, compute)
    if state is None:
        raise errors.not_found("instance")
    return state
