"""The use cases around the engine: process, reset, retest. Each reads the head, computes the change and commits it once.

The response body is built before the commit, so that the idempotency record can be part of the transaction. One transaction
writes the new head, the audit record, the drift events and the idempotency record: all of them or none. Source:
docs/architecture.md, "One request".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from identity_engine import Profile
from identity_engine.interface import Which
from identity_service import errors, events
from identity_service.clock import iso, now
from identity_service.engines import birth, engine
from identity_service.limits import Meter
from identity_service.log import logger
from identity_service.request_models import ObservationRequest
from identity_service.store import audit_trail, commits, instances, timeline
from identity_service.store.audit_trail import Actor
from identity_service.store.commits import Change
from identity_service.store.dynamodb import OutcomeUnknown
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head

#: What a personality test does not measure: these fields of the profile stay as they were.
_KEPT_BY_A_TEST: Final = ("governance", "energy_policy", "drift_tolerance", "description")


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one cycle, as the engine's interface gives it. Only steps that were asked for have a view."""

    instance_id: str
    outcome: dict[str, Any]

    def view(self) -> dict[str, Any]:
        """The response data: snapshot, contract, drift."""
        return {
            "snapshot": snapshot_response(self.instance_id, self.outcome["snapshot"]),
            "contract": self.outcome["contract"],
            "drift": self.outcome["drift"],
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
    """The response body of a committed change, and the digest of the audit record that it left, if it left one."""

    body: bytes
    digest: str | None


def snapshot_response(instance_id: str, snapshot: dict[str, Any]) -> dict[str, Any]:
    """An engine's snapshot with the instance that it is of."""
    return {"id": snapshot["id"], "instance_id": instance_id, **snapshot}


def current_snapshot(head: Head) -> dict[str, Any]:
    """Where the instance stands now."""
    return snapshot_response(head.id, engine(head.engine_version).snapshot(head.document()))


def turn(head: Head) -> dict[str, Any]:
    """The instance's last cycle in a few figures."""
    return engine(head.engine_version).turn(head.document())


def standing(head: Head, figures: Mapping[str, Any]) -> events.Moment:
    """What events look at of an instance; `figures` are its `turn`."""
    step = {"cycle": head.document()["cycle"], "turn": figures}
    return events.moment_of(step, lambda: current_contract(head))


def current_contract(head: Head) -> dict[str, Any]:
    """What the instance may do now."""
    return engine(head.engine_version).contract(head.document())


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
    *,
    intermediate: bool = False,
) -> Committed:
    """Process the observations of a request, all or none, one cycle each. The body is what `render` builds.

    `intermediate`: `render` uses the views of all steps, not only of the last one.
    """
    head = load_head(meter, instance_id, len(observations), idempotency)
    moment, actor = now(), Actor(meter.principal.key_id)

    def compute(current: Head) -> Change[Committed]:
        change = _process_observations(current, observations, moment, meter.windows.month, actor, intermediate=intermediate)
        return with_response(change, render(change.result), idempotency)

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


def with_response(change: Change[Any], body: bytes, idempotency: IdempotencyRecord | None) -> Change[Committed]:
    """The change with the response as its result and the idempotency record, if any, among its records."""
    head = change.head
    stored = [idempotency.put(200, body, head.commit, head.digest)] if idempotency else []
    return Change(head, change.turn, [*change.records, *stored], Committed(body, head.digest))


def _process_observations(
    head: Head,
    observations: Sequence[ObservationRequest],
    moment: float,
    month: str,
    actor: Actor,
    *,
    intermediate: bool,
) -> Change[list[Step]]:
    stamp = iso(moment)
    rows = [o.row(stamp) for o in observations]
    encoded, steps, before = _steps(head, rows, intermediate=intermediate)
    snapshot = snapshot_response(head.id, steps[-1].outcome["snapshot"])

    moments = [events.moment_of(step.outcome) for step in steps]
    outbox = events.attribute(head.name, moments[-1], events.of_cycles(before, moments))
    turns = timeline.packed([step.outcome["turn"] for step in steps])
    rows = [row | {"cycle": step.outcome["cycle"]} for row, step in zip(rows, steps, strict=True)]
    record = audit_trail.ObservationsRecord(rows, snapshot, encoded, stamp, actor, head.commit, turns, outbox)
    records, digest = audit_trail.put_observations(head.trail_position(), record)

    drifts = drift_events(rows, [step.outcome for step in steps])
    if drifts:
        records.append(audit_trail.put_drift_events(head.partition(), head.drifts + 1, drifts))
    d1, d2, d3 = (before + more for before, more in zip(head.drift_levels, count_levels(drifts), strict=True))
    # A request counted in an earlier month but committed late must not change the newer month's count.
    earlier = head.month_cycles if head.month == month else 0
    month_count = (month, earlier + len(steps)) if month >= head.month else (head.month, head.month_cycles)
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
    return Change(after, steps[-1].outcome["turn"], records, steps)


def drift_events(rows: Sequence[dict[str, Any]], outcomes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The drift events of processed observations, each with the observation's time."""
    pairs = zip(rows, outcomes, strict=True)
    return [outcome["event"] | {"timestamp": row["timestamp"]} for row, outcome in pairs if outcome["event"]]


def count_levels(drifts: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """How many drift events are of level D1, D2, D3."""
    levels = [event["drift_level"] for event in drifts]
    return levels.count("D1"), levels.count("D2"), levels.count("D3")


def _steps(head: Head, rows: Sequence[dict[str, Any]], *, intermediate: bool) -> tuple[str, list[Step], events.Moment]:
    """The state after the rows, by the engine that the instance is pinned to, a step for each row, and the moment before."""
    which: Which = "every" if intermediate else "last"
    done = engine(head.engine_version).process(head.document(), rows, snapshots=which, contracts=which)
    before = events.moment_of(done["before"], lambda: current_contract(head))
    return done["state"], [Step(head.id, step) for step in done["steps"]], before


def simulate(
    meter: Meter,
    instance_id: str,
    observations: Sequence[ObservationRequest],
    idempotency: IdempotencyRecord | None = None,
    *,
    intermediate: bool = False,
) -> list[Step]:
    """What `process` would return, computed on a copy: nothing is stored, no cycle is counted."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    return _steps(head, [o.row("") for o in observations], intermediate=intermediate)[1]


def reset_instance(
    meter: Meter,
    instance_id: str,
    mode: str,
    note: str,
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Reset an instance; the history stays and records the reset. The body is what `render` builds from the new head."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    return reset_head(head, mode, Actor(meter.principal.key_id, note), render, idempotency)


def reset_head(
    head: Head,
    mode: str,
    actor: Actor,
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None = None,
    seen: Seen = ANY_VERSION,
) -> Committed:
    """Reset a loaded instance, for callers who have no meter. ApiError 404 when it was deleted; Outdated by `seen`."""
    return _replace_state(head, lambda current: reset_state(current, mode), mode, actor, render, idempotency, seen)


def reset_state(head: Head, mode: str) -> str:
    """The state after a reset. ApiError 400 for a mode that the instance's engine does not know."""
    version = engine(head.engine_version)
    if mode not in version.RESET_MODES:
        message = f"mode: engine {version.VERSION}, which this agent is pinned to, knows {', '.join(version.RESET_MODES)}"
        raise errors.invalid("mode", "unknown_value", message)
    return version.reset(head.document(), mode)


def retest(
    meter: Meter,
    instance_id: str,
    profile: Profile,
    strengths: Sequence[float],
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Restart an instance with a test's profile and strengths. The body is what `render` builds from the new head."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    return retest_head(head, profile, strengths, Actor(meter.principal.key_id), render, idempotency)


def retested(head: Head, profile: Profile, strengths: Sequence[float]) -> str:
    """An agent's state restarted with a test's profile and strengths; what a test does not ask for stays."""
    old = engine(head.engine_version).birth_inputs(head.document())["profile"]
    kept = {name: old[name] for name in _KEPT_BY_A_TEST}
    return birth(replace(profile, **kept), strengths, version=head.engine_version).encoded


def retest_head(
    head: Head,
    profile: Profile,
    strengths: Sequence[float],
    actor: Actor,
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None = None,
    seen: Seen = ANY_VERSION,
) -> Committed:
    """Restart a loaded instance with a test's result, for callers who have no meter. ApiError 404; Outdated by `seen`."""
    return _replace_state(head, lambda now: retested(now, profile, strengths), "retest", actor, render, idempotency, seen)


def _replace_state(
    head: Head,
    new_state: Callable[[Head], str],
    kind: str,
    actor: Actor,
    render: Callable[[Head], bytes],
    idempotency: IdempotencyRecord | None,
    seen: Seen,
) -> Committed:
    stamp = iso(now())

    def compute(current: Head) -> Change[Committed]:
        # `current` has the version that the change makes of it.
        if seen.version is not None and current.version - 1 != seen.version:
            raise Outdated
        encoded = new_state(current)
        after = replace(current, encoded=encoded, records=current.records + 1, updated_at=stamp)
        figures = turn(after)
        moment = standing(after, figures)
        decided = events.of_decision(standing(current, turn(current)), moment, kind, actor.note)
        outbox = events.attribute(current.name, moment, decided)
        position = current.trail_position()
        record, digest = audit_trail.put_event(position, kind, encoded, stamp, actor, current.commit, events=outbox)
        after = replace(after, digest=digest)
        return with_response(Change(after, figures, [record, *seen.entries], after), render(after), idempotency)

    committed = commits.commit(head, compute, idempotency)
    if committed is None:
        raise errors.not_found("instance")
    return committed
