"""Invitations to an account: a token that works once, for seven days, for one verified e-mail address. The token is not stored.

INVITE#sha256(token) / INVITE   account, role, address, listing, expires (TTL)
ACCOUNT#a / INVITE#<id>         the listing: address, role, who invited, until when; expires (TTL)
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from identity_service.clock import iso, now
from identity_service.store import account_trail, dynamodb, users
from identity_service.store.account_trail import By
from identity_service.store.accounts import account_key
from identity_service.store.dynamodb import Item
from identity_service.store.users import User

#: How long an invitation lasts, in seconds.
LASTS: Final = 7 * 24 * 3600


class NoInvitation(Exception):
    """There is no such invitation: unknown, used, withdrawn or too old. Or it is for another address."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a token is for."""

    account_id: str
    role: str
    email: str
    id: str


def _key(token: str) -> dict[str, str]:
    return {"PK": f"INVITE#{sha256(token.encode()).hexdigest()}", "SK": "INVITE"}


def invite(account_id: str, email: str, role: str, by: By) -> str:
    """Invite somebody; returns the token, which is shown once."""
    token, invitation_id, until = secrets.token_urlsafe(32), f"invite_{secrets.token_hex(8)}", int(now()) + LASTS
    email = email.lower()
    lookup: Item = _key(token) | {"account_id": account_id, "role": role, "email": email, "id": invitation_id, "expires": until}
    listing = {
        "PK": f"ACCOUNT#{account_id}",
        "SK": f"INVITE#{invitation_id}",
        "id": invitation_id,
        "hash": lookup["PK"].removeprefix("INVITE#"),
        "email": email,
        "role": role,
        "invited_by": by.email,
        "created_at": iso(now()),
        "expires": until,
    }
    lives = dynamodb.check(account_key(account_id), "attribute_exists(PK) AND attribute_not_exists(deleted_at)")
    entry = account_trail.entry(account_id, by, "invitation.created", invitation_id, f"{email} as {role}")
    dynamodb.write_all([dynamodb.put(lookup), dynamodb.put(listing), lives, entry])
    return token


def open_ones(account_id: str) -> list[Item]:
    """The invitations that can still be accepted."""
    values = {":pk": f"ACCOUNT#{account_id}", ":sk": "INVITE#"}
    rows = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values, ConsistentRead=True)
    return [row for row in rows if row["expires"] > now()]


def find(token: str, email: str) -> Invitation:
    """What the token is for, if it is for this verified address; NoInvitation alike for every other case."""
    item = dynamodb.get(_key(token))
    if item is None or item["expires"] <= now() or item["email"] != email.lower():
        raise NoInvitation
    return Invitation(item["account_id"], item["role"], item["email"], item["id"])


def accept(token: str, user: User, request_id: str) -> str:
    """Make the person a member. Returns the account's id. NoInvitation; a second use finds none."""
    invitation = find(token, user.email)
    account_id = invitation.account_id
    if account_id in users.accounts_of(user.ref):
        raise NoInvitation
    by = By(user.id, user.email, request_id)
    listing = {"PK": f"ACCOUNT#{account_id}", "SK": f"INVITE#{invitation.id}"}
    used = [dynamodb.delete(_key(token), "attribute_exists(PK)"), dynamodb.delete(listing)]
    entry = account_trail.entry(account_id, by, "invitation.accepted", invitation.id, f"{user.email} as {invitation.role}")
    try:
        dynamodb.write_all([*used, *users.join(account_id, user, invitation.role), entry])
    except dynamodb.Conflict:
        raise NoInvitation from None
    return account_id


def withdraw(account_id: str, invitation_id: str, by: By) -> None:
    """End an invitation that nobody has accepted. NoInvitation."""
    listing = {"PK": f"ACCOUNT#{account_id}", "SK": f"INVITE#{invitation_id}"}
    item = dynamodb.get(listing)
    if item is None:
        raise NoInvitation
    lookup = {"PK": f"INVITE#{item['hash']}", "SK": "INVITE"}
    entry = account_trail.entry(account_id, by, "invitation.withdrawn", invitation_id, item["email"])
    try:
        dynamodb.write_all([dynamodb.delete(listing, "attribute_exists(PK)"), dynamodb.delete(lookup), entry])
    except dynamodb.Conflict:
        raise NoInvitation from None
