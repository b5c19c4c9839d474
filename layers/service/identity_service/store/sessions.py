"""Sessions of the console: who is logged in. The cookie holds the session's id and where to look; role and address are here.

SESSION#sha256(id) / SESSION   person, account, CSRF token, expires (TTL)

A session is read together with the person's role and their account, in one call, at each request, so that a log-out or a
removal ends it at once. It lasts 12 hours after its last renewal.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from identity_service.clock import now
from identity_service.store import dynamodb
from identity_service.store.accounts import account_key
from identity_service.store.dynamodb import Item
from identity_service.store.users import User, member_key, user_key

#: How long a session lasts, and at what age it is renewed, in seconds.
LASTS: Final = 12 * 3600
RENEWED_AFTER: Final = 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is logged in. `account_id`: the account that they look at, empty when they belong to none.

    `role`: theirs in that account, None when they have none there (any more); `account`: its item, None with no role.
    """

    id: str
    user: User
    account_id: str
    csrf: str
    expires: int
    role: str | None = None
    account: Item | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to renew it."""
        return self.expires - now() < LASTS - RENEWED_AFTER


def _key(session_id: str) -> dict[str, str]:
    return {"PK": f"SESSION#{sha256(session_id.encode()).hexdigest()}", "SK": "SESSION"}


def begin(user: User, account_id: str) -> Session:
    """A new session with a new id."""
    new = Session(secrets.token_urlsafe(32), user, account_id, secrets.token_urlsafe(24), int(now()) + LASTS)
    row = {"ref": user.ref, "account_id": account_id, "csrf": new.csrf, "expires": new.expires}
    dynamodb.write(dynamodb.put(_key(new.id) | row, "attribute_not_exists(PK)"))
    return new


def read(session_id: str, ref: str, account_id: str) -> Session | None:
    """The session with the person's role and account as they are now; None when it ended. One call.

    `ref` and `account_id` say where to look; they count only if the session's record has the same.
    """
    keys = [_key(session_id), user_key(ref)]
    if account_id:
        keys += [account_key(account_id), member_key(account_id, ref)]
    found: dict[str, Any] = {item["SK"].partition("#")[0]: item for item in dynamodb.get_many(keys)}
    row, person = found.get("SESSION"), found.get("USER")
    if row is None or person is None or row["expires"] <= now() or (row["ref"], row["account_id"]) != (ref, account_id):
        return None
    member, account = found.get("MEMBER"), found.get("ACCOUNT")
    if member is None or account is None or "deleted_at" in account:
        member = account = None
    user = User(ref, person["email"])
    return Session(session_id, user, account_id, row["csrf"], row["expires"], member and member["role"], account)


def renew(session: Session) -> None:
    """Let it last from now on again; nothing when it was ended meanwhile."""
    values = {":until": int(now()) + LASTS}
    try:
        dynamodb.write(dynamodb.update(_key(session.id), "SET expires = :until", values, condition="attribute_exists(PK)"))
    except dynamodb.Conflict:
        return


def end(session_id: str) -> None:
    """End it. Idempotent."""
    dynamodb.write(dynamodb.delete(_key(session_id)))
