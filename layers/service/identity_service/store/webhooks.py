"""Webhooks and their deliveries, in a partition of their own: the role of the delivery opens no other.

HOOKS#a / HOOK#h                     url, types, description, enabled, secret and older_secret (sealed), created_at,
                                     since (only events from then on), failing_since, disabled_reason
HOOKS#a / SENT#h#<at>#<webhook-id>   a delivery: type, payload, status, attempts, code, milliseconds, answer, tried_at;
                                     expires (TTL, 30 days)
"""

from typing import Any, Final

from identity_service.clock import iso, now
from identity_service.events import WEBHOOK_DISABLED, event_id
from identity_service.store import dynamodb, outbox
from identity_service.store.dynamodb import Item

#: What became of a delivery. A pending one is tried again; one is dropped when its webhook is off.
PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
DROPPED: Final = "dropped"
#: Deliveries of a webhook that are shown.
SHOWN: Final = 100
#: Seconds for which a webhook may fail before it is switched off; for which an older secret signs, too.
PATIENCE: Final = 5 * 86_400
OVERLAP: Final = 86_400
_KEPT: Final = 30 * 86_400


def partition(account_id: str) -> str:
    """Partition key of an account's webhooks and deliveries."""
    return f"HOOKS#{account_id}"


def hook_key(account_id: str, hook_id: str) -> dict[str, str]:
    """Primary key of a webhook."""
    return {"PK": partition(account_id), "SK": f"HOOK#{hook_id}"}


def sent_key(message: Item) -> dict[str, str]:
    """Primary key of a message's delivery: known from the message, so that a message that comes twice finds it."""
    return {"PK": partition(message["account"]), "SK": f"SENT#{message['hook']}#{message['at']}#{message['id']}"}


def of_account(account_id: str) -> list[Item]:
    """The account's webhooks, oldest first."""
    values = {":pk": partition(account_id), ":sk": "HOOK#"}
    found = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values, ConsistentRead=True)
    return sorted(found, key=lambda hook: (hook["created_at"], hook["id"]))


def wants(hook: Item, kind: str, at: str) -> bool:
    """Whether a webhook is on, asked for events of a type, and was there when one happened."""
    return bool(hook["enabled"]) and hook["since"] <= at and (hook["types"] == "*" or kind in hook["types"].split(","))


def for_delivery(message: Item) -> tuple[Item | None, Item | None]:
    """The webhook of a message, and what is known of the delivery; None each if there is none.

    A moment old at most: a delivery that is sent twice for that has the same id, and reads are a tenth of its price.
    """
    hook, sent = hook_key(message["account"], message["hook"]), sent_key(message)
    found = {item["SK"]: item for item in dynamodb.get_many([hook, sent], consistent=False)}
    return found.get(hook["SK"]), found.get(sent["SK"])


def note(message: Item, status: str, attempts: int, code: int = 0, milliseconds: int = 0, answer: str = "") -> None:
    """Store how a delivery stands. The whole item, so that one write is enough."""
    moment = now()
    item = sent_key(message) | {
        "id": message["id"],
        "type": message["type"],
        "payload": message["payload"],
        "at": message["at"],
        "again": message.get("again"),
        "status": status,
        "attempts": attempts,
        "code": code,
        "milliseconds": milliseconds,
        "answer": answer,
        "tried_at": iso(moment),
        "expires": int(moment) + _KEPT,
    }
    dynamodb.write(dynamodb.put(item))


def deliveries(account_id: str, hook_id: str) -> list[Item]:
    """The last deliveries of a webhook, newest first."""
    values = {":pk": partition(account_id), ":sk": f"SENT#{hook_id}#"}
    found = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values, ScanIndexForward=False, Limit=SHOWN)
    return [item for item, _ in zip(found, range(SHOWN), strict=False)]


def works(hook: Item, account_id: str) -> None:
    """Note that a webhook took a delivery, if it failed before."""
    if "failing_since" in hook:
        _update(account_id, hook["id"], "REMOVE failing_since")


def fails(hook: Item, account_id: str) -> None:
    """Note that a webhook failed; switch it off, and tell its owner, when it has failed for five days."""
    moment = int(now())
    since = hook.get("failing_since", moment)
    if "failing_since" not in hook:
        _update(account_id, hook["id"], "SET failing_since = if_not_exists(failing_since, :now)", {":now": moment})
    if moment - since < PATIENCE:
        return
    key, reason = hook_key(account_id, hook["id"]), "it failed for five days"
    values = {":off": 0, ":why": reason, ":since": since}
    off = dynamodb.update(
        key, "SET enabled = :off, disabled_reason = :why", values, condition="enabled <> :off AND failing_since = :since"
    )
    event = {"type": WEBHOOK_DISABLED, "webhook_id": hook["id"], "url": hook["url"], "reason": reason}
    identity = event_id(account_id, WEBHOOK_DISABLED, hook["id"], str(since))
    told = dynamodb.put(outbox.item(partition(account_id), identity, event))
    try:
        dynamodb.write_all([off, told])
    except dynamodb.Conflict:  # another delivery did it, or somebody changed the webhook
        return


def _update(account_id: str, hook_id: str, expression: str, values: dict[str, Any] | None = None) -> None:
    try:
        dynamodb.write(dynamodb.update(hook_key(account_id, hook_id), expression, values, condition="attribute_exists(PK)"))
    except dynamodb.Conflict:  # it was deleted
        return
