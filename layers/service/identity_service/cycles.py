"""The use cases around the engine: process, reset, retest. Each reads the head, computes the change and commits it once.

The response body is built before the commit, so that the idempotency record can be part of the transaction. One transaction
writes the new head, the audit record, the drift events and the idempotency record: all of them or none. Source:
docs/architecture.md, "One request".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

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
    turn_view,
)
from identity_service import errors, events
from identity_service.clock import iso, now
from identity_service.limits import Meter
from identity_service.log import logger
from identity_service.request_models import ObservationRequest
from identity_service.store import audit_trail, commits, instances, timeline
from identity_service.store.audit_trail import Actor
from identity_service.store.commits import Change
from identity_service.store.dynamodb import OutcomeUnknown
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one cycle. `snapshot` holds the snapshot view when it was already computed for the audit record."""

    instance_id: str
    state: State
    drift: Drift
    snapshot: dict[str, Any] | None = None

    def view(self) -> dict[str, Any]:
        """The response data: snapshot, contract, drift."""
        return {
            "snapshot": self.snapshot or snapshot_response(self.instance_id, self.state),
            "contract": contract_view(contract(self.state)),
            "drift": drift_view(self.drift),
        }


class Outdated(Exception):
    """The agent changed after the version that somebody decided about: nothing was stored."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person saw when they decided: the agent's version, None: whichever it has. `entries`: stored with the decision."""

    version: int | None = None
    entries: Sequence[dict[str, Any]] = ()


ANY_VERSION: Final = Seen()


@dataclass(frozen=True, slots=True)
class Committed:
    """The response body of a committed change, and the digest of the audit record that it left."""

    body: bytes
    digest: str


def snapshot_response(instance_id: str, state: State, encoded: str | None = None) -> dict[str, Any]:
    """A snapshot with its content-addressed id."""
    return {"id": snapshot_id(encoded or encode(state)), "instance_id": instance_id, **snapshot_view(state)}


def load_head(meter: Meter, instance_id: str, cycles: int = 0, idempotency: IdempotencyRecord | None = None) -> Head:
    """Load the caller's instance while counting the request. ApiError 404 when it does not exist; Replayed for a replay."""
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
) -> Committed:
    """Process the observations of a request, all or none, one cycle each. The body is what `render` builds."""
    head = load_head(meter, instance_id, len(observations), idempotency)
    moment, actor = now(), Actor(meter.principal.key_id)

    def compute(current: Head) -> Change[Committed]:
        change = _process_observations(current, observations, moment, meter.windows.month, actor)
        return _with_response(change, render(change.result), idempotency)

    try:
        committed = commits.commit(head, compute, idempotency)
    except OutcomeUnknown:
        # If the write took effect, the cycles are used. If not, `identity-os usage check` finds and returns them.
        meter.commit()
        logger().error("outcome of a cycle unknown", account=head.account_id, instance=head.id, cycles=len(observations))
        raise
    except BaseException:
        meter.release()
        raise
    if committed is None:
        meter.release()
        raise errors.not_found("instance")
    meter.commit()
    return committed


def _with_response(change: Change[Any], body: bytes, idempotency: IdempotencyRecord | None) -> Change[Committed]:
    """The change with the response as its result and the idempotency record, if any, among its records."""
    head = change.head
    stored = [idempotency.put(200, body, head.commit, head.digest)] if idempotency else []
    return Change(head, change.state, [*change.records, *stored], Committed(body, head.digest))


def _process_observations(
    head: Head, observations: Sequence[ObservationRequest], moment: float, month: str, actor: Actor
) -> Change[list[Step]]:
    results = process_all(head.state, [o.observation() for o in observations])
    state, drift = results[-1]
    encoded = encode(state)
    snapshot = snapshot_response(head.id, state, encoded)
    steps = [*(Step(head.id, *result) for result in results[:-1]), Step(head.id, state, drift, snapshot)]
    stamp = iso(moment)

    rows = [o.row(stamp) | {"cycle": step.state.cycle} for o, step in zip(observations, steps, strict=True)]
    moments = [events.moment_of(*result) for result in results]
    seen = events.of_cycles(events.moment_of(head.state), moments)
    outbox = events.attribute(head.name, moments[-1], seen)
    turns = timeline.packed([turn_view(step.state, step.drift) for step in steps])
    record = audit_trail.ObservationsRecord(rows, snapshot, stamp, actor, head.commit, turns, outbox)
    records, digest = audit_trail.put_observations(head.trail_position(), record)

    drifts = []
    for row, step in zip(rows, steps, strict=True):
        event = drift_event_view(step.drift, step.state.cycle)
        if event:
            drifts.append(event | {"timestamp": row["timestamp"]})
    if drifts:
        records.append(audit_trail.put_drift_events(head.partition(), head.drifts + 1, drifts))
    levels = [event["drift_level"] for event in drifts]
    d1, d2, d3 = (count + levels.count(level) for count, level in zip(head.drift_levels, ("D1", "D2", "D3"), strict=True))
    # A request counted in an earlier month but committed late must not change the newer month's count.
    before = head.month_cycles if head.month == month else 0
    month_count = (month, before + len(steps)) if month >= head.month else (head.month, head.month_cycles)
    after = replace(
        head,
        encoded=encoded,
        digest=digest,
        month=month_count[0],
        month_cycles=month_count[1],
        records=head.records + 1,
        seq=head.seq + len(steps),
        drifts=head.drifts + len(drifts),
        drift_levels=(d1, d2, d3),
        updated_at=stamp,
        reported_at=stamp,
    )
    return Change(after, state, records, steps)


def simulate(
    meter: Meter, instance_id: str, observations: Sequence[ObservationRequest], idempotency: IdempotencyRecord | None = None
) -> list[Step]:
    """What `process` would return, computed on a copy: nothing is stored, no cycle is counted."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    results = process_all(head.state, [o.observation() for o in observations])
    return [Step(head.id, state, drift) for state, drift in results]


def reset_instance(
    meter: Meter,
    instance_id: str,
    mode: str,
    note: str,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Reset an instance; the history stays and records the reset. The body is what `render` builds from the new state."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    return reset_head(head, mode, Actor(meter.principal.key_id, note), render, idempotency)


def reset_head(
    head: Head,
    mode: str,
    actor: Actor,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None = None,
    seen: Seen = ANY_VERSION,
) -> Committed:
    """Reset a loaded instance, for callers who have no meter. ApiError 404 when it was deleted; Outdated by `seen`."""
    return _replace_state(head, lambda current: reset(current.state, mode), mode, actor, render, idempotency, seen)


def retest(
    meter: Meter,
    instance_id: str,
    profile: Profile,
    strengths: Vector,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Restart an instance with a test's profile and strengths. The body is what `render` builds from the new state."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    return retest_head(head, profile, strengths, Actor(meter.principal.key_id), render, idempotency)


def retested(state: State, profile: Profile, strengths: Vector) -> State:
    """An agent's state restarted with a test's profile and strengths; what a test does not ask for stays."""
    old = state.profile
    merged = replace(
        profile,
        governance=old.governance,
        energy_policy=old.energy_policy,
        drift_tolerance=old.drift_tolerance,
        description=old.description,
    )
    return birth(merged, strengths)


def retest_head(
    head: Head,
    profile: Profile,
    strengths: Vector,
    actor: Actor,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None = None,
    seen: Seen = ANY_VERSION,
) -> Committed:
    """Restart a loaded instance with a test's result, for callers who have no meter. ApiError 404; Outdated by `seen`."""

    def new_state(current: Head) -> State:
        return retested(current.state, profile, strengths)

    return _replace_state(head, new_state, "retest", actor, render, idempotency, seen)


def _replace_state(
    head: Head,
    new_state: Callable[[Head], State],
    kind: str,
    actor: Actor,
    render: Callable[[State], bytes],
    idempotency: IdempotencyRecord | None,
    seen: Seen,
) -> Committed:
    stamp = iso(now())

    def compute(current: Head) -> Change[Committed]:
        # `current` has the version that the change makes of it.
        if seen.version is not None and current.version - 1 != seen.version:
            raise Outdated
        state = new_state(current)
        encoded = encode(state)
        before, moment = events.moment_of(current.state), events.moment_of(state)
        outbox = events.attribute(current.name, moment, events.of_decision(before, moment, kind, actor.note))
        record, digest = audit_trail.put_event(current.trail_position(), kind, encoded, stamp, actor, current.commit, outbox)
        after = replace(current, encoded=encoded, digest=digest, records=current.records + 1, updated_at=stamp)
        return _with_response(Change(after, state, [record, *seen.entries], state), render(state), idempotency)

    committed = commits.commit(head, compute, idempotency)
    if committed is None:
        raise errors.not_found("instance")
    return committed
