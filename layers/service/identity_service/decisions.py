"""What people do to agents in the console: decide about one, create one, give one the result of a test.

A decision is about what the person saw: it is made only while the agent has the version of the preview. Sent twice, as by a
double click, it is made once. The agent's audit trail keeps person and note, the account's trail the request's id.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from identity_engine import Profile, State, Vector
from identity_service.clock import now
from identity_service.cycles import Outdated, Seen, reset_head, retest_head
from identity_service.store import account_trail, instances
from identity_service.store.account_trail import By
from identity_service.store.accounts import account_key
from identity_service.store.audit_trail import Actor
from identity_service.store.idempotency import IdempotencyRecord, Replayed
from identity_service.store.instances import Head

T = TypeVar("T")


def decide(head: Head, mode: str, version: int, note: str, by: By) -> None:
    """Reset an agent as a person decided, who saw `version` of it. Outdated when it changed; ApiError 404 when deleted."""
    idempotency = _once(head.partition(), by, f"{mode} of {version}", note)
    entry = account_trail.entry(head.account_id, by, "agent.decided", head.id, f"{mode}: {head.name}")
    _made_once(
        idempotency,
        lambda: reset_head(head, mode, Actor(by.user_id, note), lambda _: b"{}", idempotency, Seen(version, [entry])),
    )


def give_test(head: Head, profile: Profile, strengths: Vector, version: int, note: str, by: By) -> None:
    """Restart an agent with a test's result. Outdated when it changed since `version`; ApiError 404 when deleted."""
    idempotency = _once(head.partition(), by, f"retest of {version}", repr((profile, strengths, note)))
    entry = account_trail.entry(head.account_id, by, "agent.retested", head.id, head.name)
    _made_once(
        idempotency,
        lambda: retest_head(
            head, profile, strengths, Actor(by.user_id, note), lambda _: b"{}", idempotency, Seen(version, [entry])
        ),
    )


def create(account_id: str, limit: int | None, name: str, state: State, form: str, by: By) -> str:
    """Create an agent, and return its id: the same one when the same form is sent twice. LimitReached at the plan's limit."""
    new = instances.new(account_id, name, "", state, now(), Actor(by.user_id))
    idempotency = _once(account_key(account_id)["PK"], by, f"create {form}", repr((name, state)))
    entry = account_trail.entry(account_id, by, "agent.created", new.head.id, name)
    body = json.dumps({"id": new.head.id}).encode()
    try:
        instances.create(new, limit, idempotency, body, 201, [entry])
    except Replayed as replayed:
        return str(json.loads(replayed.body)["id"])
    return new.head.id


def _once(pk: str, by: By, what: str, content: str) -> IdempotencyRecord:
    """The record that lets a form be sent twice. Its content is part of the key: another note is another decision."""
    digest = sha256(content.encode()).hexdigest()
    return IdempotencyRecord(pk, f"console {by.user_id} {what} {digest}", digest, now())


def _made_once(idempotency: IdempotencyRecord, make: Callable[[], T]) -> None:
    try:
        make()
    except Replayed:
        return
    except Outdated:
        # The second one of a double click comes here, when the first has made a new version.
        try:
            idempotency.check()
        except Replayed:
            return
        raise
