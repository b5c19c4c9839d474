"""The outbox of events that have no audit record: an item of their own, in the transaction of what they tell of.

    ACCOUNT#a / OUT#<event id>    keys, deleted agents, thresholds
    HOOKS#a   / OUT#<event id>    what is for one webhook (a test, a delivery again), and a webhook that was switched off
                                  events (as in a record), at, actor, to (the webhook), again; expires (TTL, 7 days)

The table's stream takes both kinds to the fan-out. Source: docs/events.md, "From a request to a receiver".
"""

from typing import Any, Final

from identity_engine import canonical
from identity_service.clock import iso, now
from identity_service.events import THRESHOLD_REACHED, Event, event_id
from identity_service.log import logger
from identity_service.store import dynamodb

#: Days in which an event is delivered or given up.
DAYS: Final = 7
#: Shares of the month's cycles, in per cent, of which an account hears.
THRESHOLDS: Final = (80, 100)
#: The thresholds that this process has seen stored: it does not ask again at each request.
_stored: set[tuple[str, str, int]] = set()


def account_partition(account_id: str) -> str:
    """Where events of an account lie."""
    return f"ACCOUNT#{account_id}"


def item(partition: str, identity: str, event: Event, actor: str = "", **more: Any) -> dict[str, Any]:
    """An event as an item; `identity` is its id."""
    moment = now()
    return {
        "PK": partition,
        "SK": f"OUT#{identity}",
        "events": canonical({"events": [event]}),
        "at": iso(moment),
        "actor": actor or None,
        "expires": int(moment) + DAYS * 86_400,
        **more,
    }


def put(account_id: str, event: Event, about: str, actor: str = "") -> dict[str, Any]:
    """The operation that stores an event of an account. `about`: what it is about, of which it happens once."""
    identity = event_id(account_id, event["type"], about)
    return dynamodb.put(item(account_partition(account_id), identity, event, actor))


def look_at_thresholds(account_id: str, month: str, month_ends: int, cycles: int, limit: int) -> None:
    """Store an event for each threshold of the month that `cycles` of `limit` have reached, once.

    Looked at with every request beyond a threshold, so that a process that was killed after a commit loses no event.
    """
    for percent in THRESHOLDS:
        if cycles * 100 < limit * percent or (account_id, month, percent) in _stored:
            continue
        # c202603 is the month's name in the usage item.
        named = f"{month[1:5]}-{month[5:]}"
        event = {"type": THRESHOLD_REACHED, "percent": percent, "cycles": cycles, "limit": limit, "month": named}
        identity = event_id(account_id, THRESHOLD_REACHED, month, str(percent))
        # Kept as long as the month: it says that the account was told.
        kept = max(int(now()) + DAYS * 86_400, month_ends + 86_400)
        stored = item(account_partition(account_id), identity, event, expires=kept)
        try:
            dynamodb.write(dynamodb.put(stored, "attribute_not_exists(PK)"))
        except dynamodb.Conflict:
            pass
        except dynamodb.StoreUnavailable as error:
            logger().warning("threshold not stored; the next request will", account=account_id, reason=str(error))
            continue
        _stored.add((account_id, month, percent))
