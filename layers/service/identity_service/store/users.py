"""People and the accounts that they belong to. The role in an account is written on both sides, in one transaction.

USER#sha256(issuer, sub) / USER        id, e-mail address, since when
USER#sha256(issuer, sub) / MEMBER#a    the accounts of a person
ACCOUNT#a / MEMBER#sha256(issuer, sub) the people of an account: role, id, e-mail address, since when

The account counts its owners, so that the last one can be neither removed nor demoted, whoever tries at the same time.
"""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from identity_service.clock import iso, now
from identity_service.roles import OWNER
from identity_service.store import account_trail, accounts, dynamodb
from identity_service.store.account_trail import By
from identity_service.store.accounts import account_key
from identity_service.store.dynamodb import Item


class NoMember(Exception):
    """The person is not a member of the account."""


class LastOwner(Exception):
    """The account's last owner would be removed or demoted."""


@dataclass(frozen=True, slots=True)
class User:
    """A person. `ref`: SHA-256 of issuer and subject, by which the table knows them; `id`: what audit records name."""

    ref: str
    email: str

    @property
    def id(self) -> str:
        """The id of the user, as actor of a record."""
        return f"user_{self.ref[:16]}"


def user_key(ref: str) -> dict[str, str]:
    """Primary key of a person."""
    return {"PK": f"USER#{ref}", "SK": "USER"}


def member_key(account_id: str, ref: str) -> dict[str, str]:
    """Primary key of a person's role in an account."""
    return {"PK": f"ACCOUNT#{account_id}", "SK": f"MEMBER#{ref}"}


def mirror_key(account_id: str, ref: str) -> dict[str, str]:
    """Primary key of the account among a person's accounts."""
    return {"PK": f"USER#{ref}", "SK": f"MEMBER#{account_id}"}


def sign_in(issuer: str, subject: str, email: str) -> User:
    """The person that an issuer vouches for, made when they first come. The e-mail address is the issuer's latest word."""
    ref = sha256(json.dumps([issuer, subject]).encode()).hexdigest()
    user = User(ref, email)
    expression = "SET id = :id, email = :email, created_at = if_not_exists(created_at, :now)"
    dynamodb.write(dynamodb.update(user_key(ref), expression, {":id": user.id, ":email": email, ":now": iso(now())}))
    return user


def accounts_of(ref: str) -> list[str]:
    """The ids of a person's accounts."""
    rows = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": f"USER#{ref}", ":sk": "MEMBER#"}, ConsistentRead=True)
    return [row["SK"].removeprefix("MEMBER#") for row in rows]


def members(account_id: str) -> list[Item]:
    """The people of an account."""
    values = {":pk": f"ACCOUNT#{account_id}", ":sk": "MEMBER#"}
    return list(dynamodb.query("PK = :pk AND begins_with(SK, :sk)", values, ConsistentRead=True))


def create_account(user: User, request_id: str) -> str:
    """An account for a person who has none, on the free plan, and they its owner. Returns its id.

    All of it is one transaction, and the person counts the accounts made for them: so of two log-ins at once one makes it, and
    the other gets the same.
    """
    made = (dynamodb.get(user_key(user.ref), ("made",)) or {}).get("made", 0)
    account_id = f"acct_{secrets.token_hex(8)}"
    name = user.email.partition("@")[0][:100] or "account"
    by = By(user.id, user.email, request_id)
    condition = "made = :before" if made else "attribute_exists(PK) AND attribute_not_exists(made)"
    values = {":after": made + 1} | ({":before": made} if made else {})
    counted = dynamodb.update(user_key(user.ref), "SET made = :after", values, condition=condition)
    new = accounts.new_account(account_id, name, "free", shared_key=True)
    entry = account_trail.entry(account_id, by, "account.created", account_id, "signed up")
    try:
        dynamodb.write_all([*new, *_join(account_id, user, OWNER), counted, entry])
    except dynamodb.Conflict:
        existing = accounts_of(user.ref)
        if not existing:
            raise
        return existing[0]
    return account_id


def _join(account_id: str, user: User, role: str) -> list[dict[str, Any]]:
    row = {"ref": user.ref, "id": user.id, "email": user.email, "role": role, "joined_at": iso(now())}
    mirror = mirror_key(account_id, user.ref) | {"account_id": account_id}
    return [
        dynamodb.put(member_key(account_id, user.ref) | row, "attribute_not_exists(PK)"),
        dynamodb.put(mirror, "attribute_not_exists(PK)"),
    ]


def join(account_id: str, user: User, role: str) -> list[dict[str, Any]]:
    """The operations by which a person becomes a member of an account that exists, and is not being deleted."""
    lives = "attribute_exists(PK) AND attribute_not_exists(deleted_at)"
    one = 1 if role == OWNER else 0
    counted = dynamodb.update(account_key(account_id), "ADD owners :n", {":n": one}, condition=lives)
    return [*_join(account_id, user, role), counted]


def change_role(account_id: str, ref: str, role: str, by: By) -> None:
    """Give a member another role. NoMember; LastOwner. Conflict when somebody else changed it at the same time."""
    member = _member(account_id, ref)
    if member["role"] == role:
        return
    condition, values = "#role = :before", {":role": role, ":before": member["role"]}
    change = dynamodb.update(
        member_key(account_id, ref), "SET #role = :role", values, condition=condition, names={"#role": "role"}
    )
    detail = f"{member['email']}: {member['role']} to {role}"
    _write(account_id, member, (role == OWNER) - (member["role"] == OWNER), [change], by, "role.changed", detail)


def remove(account_id: str, ref: str, by: By) -> None:
    """Remove a member; their sessions show nothing of the account from the next request on. NoMember; LastOwner; Conflict."""
    member = _member(account_id, ref)
    values = {":before": member["role"]}
    gone = dynamodb.delete(member_key(account_id, ref), "#role = :before", values)
    gone["Delete"]["ExpressionAttributeNames"] = {"#role": "role"}
    operations = [gone, dynamodb.delete(mirror_key(account_id, ref))]
    _write(account_id, member, -(member["role"] == OWNER), operations, by, "member.removed", member["email"])


def _member(account_id: str, ref: str) -> Item:
    member = dynamodb.get(member_key(account_id, ref))
    if member is None:
        raise NoMember(ref)
    return member


def _write(
    account_id: str, member: Item, owners: int, operations: list[dict[str, Any]], by: By, what: str, detail: str
) -> None:
    if owners:
        condition = "owners > :one" if owners < 0 else "attribute_exists(PK)"
        values = {":n": owners, ":one": 1} if owners < 0 else {":n": owners}
        operations = [*operations, dynamodb.update(account_key(account_id), "ADD owners :n", values, condition=condition)]
    entry = account_trail.entry(account_id, by, what, member["id"], detail)
    try:
        dynamodb.write_all([*operations, entry])
    except dynamodb.Conflict:
        account = dynamodb.get(account_key(account_id), ("owners",)) or {}
        if owners < 0 and account.get("owners", 0) <= 1:
            raise LastOwner(member["id"]) from None
        raise
