"""The use cases of webhooks: create, change, delete, rotate, test, deliver again. API, command line and console call these.

A test and a delivery that somebody wants again are items of the outbox, for one webhook: so they survive whatever ends the
process, and only the fan-out needs the queue.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from identity_service.clock import iso, now
from identity_service.events import TEST, TYPES, event_id
from identity_service.store import dynamodb, outbox, webhooks
from identity_service.store.dynamodb import Item
from identity_service.webhooks import addresses, sealing
from identity_service.webhooks.messages import webhook_id

if TYPE_CHECKING:
    from identity_service.store.account_trail import By

#: Webhooks of an account.
LIMIT: Final = 10


class UnknownWebhook(Exception):
    """The account has no webhook with this id."""


class UnknownDelivery(UnknownWebhook):
    """The webhook has no such delivery among its last ones."""


class TooMany(Exception):
    """The account has as many webhooks as it may have."""


class KeyReused(Exception):
    """The same Idempotency-Key came with another request."""


class SwitchedOff(Exception):
    """The webhook is off: nothing is sent to it."""


@dataclass(frozen=True, slots=True)
class Once:
    """A request with an Idempotency-Key: the key's hash, and what identifies the request."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A webhook and its secret, which is shown once. `replayed`: an earlier request with the same key made it."""

    hook: Item
    secret: str
    replayed: bool = False


def create(
    account_id: str,
    url: str,
    types: Sequence[str] = (),
    description: str = "",
    by: "By | None" = None,
    once: Once | None = None,
) -> WithSecret:
    """Make a webhook for events of these types; of none: of all. Refused, TooMany, KeyReused.

    With a key the id is made of it, so that a repeated request finds what the first one made; the secret is not stored in a
    response.
    """
    addresses.check(url)
    hook_id = f"hook_{sha256(f'{account_id}#{once.key}'.encode()).hexdigest()[:16] if once else secrets.token_hex(8)}"
    existing = {hook["id"]: hook for hook in webhooks.of_account(account_id)}
    if hook_id in existing:
        return _replayed(account_id, existing[hook_id], once)
    if len(existing) >= LIMIT:
        raise TooMany
    secret, moment = sealing.new_secret(), iso(now())
    hook = webhooks.hook_key(account_id, hook_id) | {
        "id": hook_id,
        "url": url,
        "types": _stored_types(types),
        "description": description,
        "enabled": 1,
        "secret": sealing.seal(secret, account_id, hook_id),
        "created_at": moment,
        "since": moment,
        "fingerprint": once.fingerprint if once else None,
    }
    try:
        dynamodb.write_all([dynamodb.put(hook, "attribute_not_exists(PK)"), *_trail(account_id, by, "created", hook_id, url)])
    except dynamodb.Conflict:
        found = get(account_id, hook_id)
        # The conflict may be with this write itself, if its first attempt timed out and took effect.
        if found["secret"] != hook["secret"]:
            return _replayed(account_id, found, once)
    return WithSecret(hook, secret)


def _replayed(account_id: str, hook: Item, once: Once | None) -> WithSecret:
    if once is None or hook.get("fingerprint") != once.fingerprint:
        raise KeyReused
    return WithSecret(hook, sealing.unseal(hook["secret"], account_id, hook["id"]), True)


def get(account_id: str, hook_id: str) -> Item:
    """The webhook; UnknownWebhook."""
    hook = dynamodb.get(webhooks.hook_key(account_id, hook_id))
    if hook is None:
        raise UnknownWebhook(hook_id)
    return hook


def update(account_id: str, hook_id: str, changes: dict[str, Any], by: "By | None" = None) -> Item:
    """Change url, types, description or enabled. UnknownWebhook, Refused.

    A webhook that is switched on again gets the events from now on.
    """
    sets: dict[str, Any] = {name: changes[name] for name in ("url", "description") if name in changes}
    if "url" in sets:
        addresses.check(sets["url"])
    if "types" in changes:
        sets["types"] = _stored_types(changes["types"])
    removes = ""
    if "enabled" in changes:
        sets["enabled"] = int(changes["enabled"])
        if changes["enabled"]:
            removes = " REMOVE disabled_reason, failing_since"
            if not get(account_id, hook_id)["enabled"]:
                sets["since"] = iso(now())
        else:
            sets["disabled_reason"] = "switched off on request"
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets) + removes
    operation = dynamodb.update(
        webhooks.hook_key(account_id, hook_id),
        expression,
        {f":{name}": value for name, value in sets.items()},
        condition="attribute_exists(PK)",
        names={f"#{name}": name for name in sets},
    )
    _write(hook_id, [operation, *_trail(account_id, by, "updated", hook_id, ", ".join(changes))])
    return get(account_id, hook_id)


def delete(account_id: str, hook_id: str, by: "By | None" = None) -> None:
    """Delete a webhook; what is under way to it is not sent. UnknownWebhook."""
    operation = dynamodb.delete(webhooks.hook_key(account_id, hook_id), "attribute_exists(PK)")
    _write(hook_id, [operation, *_trail(account_id, by, "deleted", hook_id)])


def rotate(account_id: str, hook_id: str, by: "By | None" = None, once: Once | None = None) -> WithSecret:
    """Give a webhook a new secret. The one before signs, too, for a day. UnknownWebhook."""
    hook = get(account_id, hook_id)
    if once and hook.get("rotated_by") == once.key:
        return WithSecret(hook, sealing.unseal(hook["secret"], account_id, hook_id), True)
    secret = sealing.new_secret()
    values = {
        ":new": sealing.seal(secret, account_id, hook_id),
        ":old": hook["secret"],
        ":until": int(now()) + webhooks.OVERLAP,
        ":by": once.key if once else secrets.token_hex(8),
    }
    # Of two who rotate at once one gets a conflict: the other's secret would be lost.
    operation = dynamodb.update(
        webhooks.hook_key(account_id, hook_id),
        "SET secret = :new, older_secret = :old, older_until = :until, rotated_by = :by",
        values,
        condition="secret = :old",
    )
    try:
        dynamodb.write_all([operation, *_trail(account_id, by, "rotated", hook_id)])
    except dynamodb.Conflict:
        # As above: the secret that took effect must be shown.
        if get(account_id, hook_id)["secret"] != values[":new"]:
            raise
    return WithSecret(get(account_id, hook_id), secret)


def send_test(account_id: str, hook_id: str, once: Once | None = None) -> str:
    """Send a test event to a webhook. Returns the delivery's id. UnknownWebhook, SwitchedOff."""
    _is_on(get(account_id, hook_id))
    identity = event_id(account_id, TEST, hook_id, once.key if once else secrets.token_hex(8))
    event = {"type": TEST, "webhook_id": hook_id}
    _put_once(outbox.item(webhooks.partition(account_id), identity, event, to=hook_id))
    return webhook_id(identity, hook_id)


def send_again(account_id: str, hook_id: str, delivery_id: str, once: Once | None = None) -> None:
    """Send one of the last deliveries again, with the same id. UnknownWebhook, SwitchedOff."""
    _is_on(get(account_id, hook_id))
    sent = next((each for each in webhooks.deliveries(account_id, hook_id) if each["id"] == delivery_id), None)
    if sent is None:
        raise UnknownDelivery(delivery_id)
    asked = f"{int(now() * 1000):014d}"
    message = {name: sent[name] for name in ("id", "at", "type", "payload")}
    message |= {"account": account_id, "hook": hook_id, "again": asked}
    identity = event_id(account_id, "again", hook_id, delivery_id, once.key if once else asked)
    stored = outbox.item(webhooks.partition(account_id), identity, {"type": sent["type"]})
    _put_once(stored | {"message": json.dumps(message)})


def unknown_types(types: Sequence[str]) -> list[str]:
    """Those that are no type of event."""
    return [name for name in types if name not in TYPES]


def types_of(hook: Item) -> list[str]:
    """The types that a webhook asked for; none: all."""
    return [] if hook["types"] == "*" else hook["types"].split(",")


def _stored_types(types: Sequence[str]) -> str:
    return ",".join(sorted(set(types))) or "*"


def _is_on(hook: Item) -> None:
    if not hook["enabled"]:
        raise SwitchedOff(hook["id"])


def _put_once(item: Item) -> None:
    try:
        dynamodb.write(dynamodb.put(item, "attribute_not_exists(PK)"))
    except dynamodb.Conflict:  # the same request was here before
        return


def _write(hook_id: str, operations: list[dict[str, Any]]) -> None:
    try:
        dynamodb.write_all(operations)
    except dynamodb.Conflict:
        raise UnknownWebhook(hook_id) from None


def _trail(account_id: str, by: "By | None", what: str, hook_id: str, detail: str = "") -> list[dict[str, Any]]:
    if by is None:
        return []
    from identity_service.store import account_trail

    return [account_trail.entry(account_id, by, f"webhook.{what}", hook_id, detail)]
