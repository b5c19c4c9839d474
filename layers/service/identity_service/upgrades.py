"""Upgrades: another engine takes an agent over, once a person has seen what it would have decided otherwise.

A preview replays the agent's life under both versions and changes nothing. An upgrade takes the state over, migrated field by
field where the new version knows how, replayed from birth otherwise, and leaves a record with both snapshots. Source:
docs/upgrading.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from identity_service import errors, events
from identity_service.clock import iso, now
from identity_service.cycles import Committed, current_contract, current_snapshot, load_head, standing, turn, with_response
from identity_service.engines import engine, versions
from identity_service.limits import Meter
from identity_service.lineage import Comparison, OutOfLine, upgrade_entry, upgraded
from identity_service.request_models import UpgradeRequest
from identity_service.store import audit_trail, commits
from identity_service.store.audit_trail import Actor
from identity_service.store.commits import Change
from identity_service.store.dynamodb import Item
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import Head

#: Most observations that a request replays. `identity-os upgrade` has no limit.
MAX_REPLAYED: Final = 10_000


def upgrade_instance(
    meter: Meter,
    instance_id: str,
    request: UpgradeRequest,
    render: Callable[[dict[str, Any]], bytes],
    idempotency: IdempotencyRecord | None,
) -> Committed:
    """Preview or make the upgrade that a request asks for; the body is what `render` builds. A preview leaves no record."""
    head = load_head(meter, instance_id, idempotency=idempotency)
    if request.preview:
        body = render(preview(head, request.engine_version, MAX_REPLAYED))
        if idempotency:
            idempotency.store(200, body)
        return Committed(body, None)
    actor = Actor(meter.principal.key_id, request.note)
    return upgrade(head, request.engine_version, actor, render, idempotency, force=request.force, most=MAX_REPLAYED)


def preview(head: Head, to: str, most: int | None = None, watch: Callable[[Item], Any] | None = None) -> dict[str, Any]:
    """What would differ under the version `to`: a `Comparison.view`. `watch` is called after each record.

    ApiError 400 for a version that cannot take the agent over, 409 for more than `most` observations to replay.
    """
    _check_version(head, to)
    comparison = Comparison(to)
    try:
        for record in _past(head, most):
            comparison.add(record)
            if watch:
                watch(record)
        return comparison.view()
    except OutOfLine as error:
        raise errors.conflict(str(error)) from None


def upgrade(
    head: Head,
    to: str,
    actor: Actor,
    render: Callable[[dict[str, Any]], bytes],
    idempotency: IdempotencyRecord | None = None,
    *,
    force: bool = False,
    most: int | None = None,
) -> Committed:
    """Let the version `to` decide from here on. The body is what `render` builds.

    ApiError 400 for a version that cannot take the agent over; 409 while it is paused or escalated (unless `force`), and for
    more than `most` observations to replay; 404 when it was deleted meanwhile.
    """
    _check_version(head, to)
    stamp = iso(now())

    def compute(current: Head) -> Change[Committed]:
        if current.engine_version != head.engine_version:
            raise errors.conflict(f"another request upgraded this agent to engine {current.engine_version} meanwhile")
        contract = current_contract(current)
        if not force and (contract["should_pause"] or contract["should_escalate"]):
            raise errors.conflict("the agent is paused or escalated: decide about it first, or send force with a note")
        past: Iterable[Item] = () if current.engine_version in engine(to).MIGRATES else _past(current, most)
        try:
            encoded, how = upgraded(current.encoded, current.engine_version, to, past)
        except OutOfLine as error:
            raise errors.conflict(str(error)) from None
        entry = upgrade_entry(current.encoded, current.engine_version, encoded, to, how)
        after = replace(current, encoded=encoded, engine_version=to, records=current.records + 1, updated_at=stamp)
        figures = turn(after)
        moment = standing(after, figures)
        told = events.attribute(current.name, moment, events.of_cycles(standing(current, turn(current)), [moment]))
        position = replace(current.trail_position(), engine_version=to)
        record, digest = audit_trail.put_event(
            position, "upgrade", encoded, stamp, actor, current.commit, more={"upgrade": entry}, events=told
        )
        after = replace(after, digest=digest)
        view = {
            "id": after.id,
            "from_version": current.engine_version,
            "engine_version": to,
            "preview": False,
            "how": how,
            "snapshot": current_snapshot(after),
            "contract": current_contract(after),
        }
        return with_response(Change(after, figures, [record], None), render(view), idempotency)

    committed = commits.commit(head, compute, idempotency)
    if committed is None:
        raise errors.not_found("instance")
    return committed


def _check_version(head: Head, to: str) -> None:
    others = [version for version in versions() if version != head.engine_version]
    if to == head.engine_version:
        raise errors.invalid("engine_version", "unknown_value", f"engine_version: engine {to} decides for this agent already")
    if to not in others:
        known = f"use one of {', '.join(others)}" if others else f"there is no other than {head.engine_version}"
        raise errors.invalid("engine_version", "unknown_value", f"engine_version: {known}")


def _past(head: Head, most: int | None) -> Iterable[Item]:
    """All records of an instance. ApiError 409 when they hold more than `most` observations."""
    if most is not None and head.seq > most:
        raise errors.conflict(
            f"the agent has {head.seq} observations, and a request replays {most} at most: identity-os upgrade has no limit"
        )
    return (record for record, _ in audit_trail.records(head.trail_position()))
