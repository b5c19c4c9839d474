"""What people changed in an account: keys, roles, invitations. Each entry is part of the transaction of its change.

ACCOUNT#a / CHANGE#<time>#<random>   what, who did it, to what, when, and the request's id

The changes of an agent are in its own audit trail (`audit_trail`), under a digest; these are a plain log.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from identity_service.clock import iso, now
from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item

#: Entries that a page shows.
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change: the id of a user, what lists call them, and the id of the request."""

    user_id: str
    email: str
    request_id: str


def entry(account_id: str, by: By, what: str, target: str, detail: str = "") -> dict[str, Any]:
    """The operation that stores an entry. `what`: such as key.created. `target`: the id of what was changed."""
    moment = now()
    item = {
        "PK": f"ACCOUNT#{account_id}",
        "SK": f"CHANGE#{int(moment * 1000):014d}#{secrets.token_hex(4)}",
        "what": what,
        "target": target,
        "detail": detail,
        "actor": by.user_id,
        "email": by.email,
        "request_id": by.request_id,
        "at": iso(moment),
    }
    return dynamodb.put(item, "attribute_not_exists(PK)")


def latest(account_id: str, limit: int = PAGE) -> list[Item]:
    """The newest entries, newest first."""
    values = {":pk": f"ACCOUNT#{account_id}", ":sk": "CHANGE#"}
    found = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values, ScanIndexForward=False, Limit=limit)
    return [item for item, _ in zip(found, range(limit), strict=False)]
