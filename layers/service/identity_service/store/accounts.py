"""Accounts and their keys.

ACCOUNT#a / ACCOUNT   plan, name, instance_count, created_at, and custom limits where an account has them
ACCOUNT#a / KEY#k     what the owner sees of a key: name, last four characters, created, revoked
KEY#sha256 / KEY      what the authorizer looks up: account and key id, last used
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from identity_service.clock import iso, now
from identity_service.keys import key_hash, new_key, well_formed
from identity_service.plans import PLANS
from identity_service.principal import Principal
from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item


class UnknownAccount(Exception):
    """No account has this id."""


class UnknownKey(Exception):
    """The account has no key with this id."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `secret` is shown once and kept nowhere."""

    id: str
    secret: str


def account_key(account_id: str) -> dict[str, str]:
    """Primary key of the account item."""
    return {"PK": f"ACCOUNT#{account_id}", "SK": "ACCOUNT"}


def gateway_key(account_id: str) -> str:
    """Value of the account's API Gateway key, which ties it to a usage plan; letters and digits only, as they must be."""
    return sha256(f"gateway#{account_id}".encode()).hexdigest()


def create_account(name: str, plan: str) -> str:
    """A new account on a plan (KeyError on an unknown one); its id."""
    account_id = f"acct_{secrets.token_hex(8)}"
    item = account_key(account_id) | {
        "id": account_id,
        "name": name,
        "plan": PLANS[plan].name,
        "instance_count": 0,
        "created_at": iso(now()),
    }
    # The listing partition lets the command line find accounts without scanning the table.
    entry = {"PK": "ACCOUNTS", "SK": account_id}
    dynamodb.write_all([dynamodb.put(item, "attribute_not_exists(PK)"), dynamodb.put(entry)])
    return account_id


def get_account(account_id: str) -> Item:
    """The account; UnknownAccount if there is none."""
    item = dynamodb.get(account_key(account_id))
    if item is None:
        raise UnknownAccount(account_id)
    return item


def list_accounts() -> list[Item]:
    """All accounts, by id."""
    entries = dynamodb.query("PK = :pk", {":pk": "ACCOUNTS"})
    return [get_account(entry["SK"]) for entry in entries]


def set_plan(account_id: str, plan: str, per_minute: int | None = None, per_month: int | None = None) -> None:
    """Move an account to a plan, with custom limits or the plan's own. It takes effect within the authorizer's cache."""
    values = {":plan": PLANS[plan].name, ":minute": per_minute, ":month": per_month}
    sets = ["#plan = :plan"]
    removes = []
    for name, custom in (("per_minute", per_minute), ("per_month", per_month)):
        placeholder = ":minute" if name == "per_minute" else ":month"
        if custom is None:
            removes.append(name)
        else:
            sets.append(f"{name} = {placeholder}")
    expression = "SET " + ", ".join(sets) + (" REMOVE " + ", ".join(removes) if removes else "")
    try:
        dynamodb.write(
            dynamodb.update(
                account_key(account_id), expression, values, condition="attribute_exists(PK)", names={"#plan": "plan"}
            )
        )
    except dynamodb.Conflict:
        raise UnknownAccount(account_id) from None


def create_key(account_id: str, name: str) -> NewKey:
    """A new key of an account. Several may be valid at a time."""
    get_account(account_id)
    secret, key_id = new_key(), f"key_{secrets.token_hex(8)}"
    digest = key_hash(secret)
    visible = {
        "PK": f"ACCOUNT#{account_id}",
        "SK": f"KEY#{key_id}",
        "id": key_id,
        "hash": digest,
        "name": name,
        "last_four": secret[-4:],
        "created_at": iso(now()),
    }
    looked_up = {"PK": f"KEY#{digest}", "SK": "KEY", "account_id": account_id, "key_id": key_id}
    dynamodb.write_all([dynamodb.put(visible, "attribute_not_exists(PK)"), dynamodb.put(looked_up, "attribute_not_exists(PK)")])
    return NewKey(key_id, secret)


def list_keys(account_id: str) -> list[Item]:
    """The keys of an account with `last_used_at`, revoked ones included; never the key or its hash."""
    get_account(account_id)
    keys = []
    for item in dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": f"ACCOUNT#{account_id}", ":sk": "KEY#"}):
        used = dynamodb.get({"PK": f"KEY#{item['hash']}", "SK": "KEY"}) or {}
        shown = {name: item.get(name) for name in ("id", "name", "last_four", "created_at", "revoked_at")}
        keys.append(shown | {"last_used_at": used.get("last_used_at")})
    return keys


def revoke_key(account_id: str, key_id: str) -> None:
    """Make a key useless, for good. Doing it twice is fine; UnknownKey when the account has no such key."""
    visible = {"PK": f"ACCOUNT#{account_id}", "SK": f"KEY#{key_id}"}
    item = dynamodb.get(visible)
    if item is None:
        raise UnknownKey(key_id)
    looked_up = {"PK": f"KEY#{item['hash']}", "SK": "KEY"}
    values = {":now": iso(now())}
    once = "SET revoked_at = if_not_exists(revoked_at, :now)"
    dynamodb.write_all([dynamodb.update(key, once, values) for key in (visible, looked_up)])


def authenticate(key: str) -> Principal | None:
    """Whose key this is, or None: malformed, unknown and revoked keys are all the same. Notes when it was used."""
    if not well_formed(key):
        return None
    looked_up = {"PK": f"KEY#{key_hash(key)}", "SK": "KEY"}
    item = dynamodb.get(looked_up)
    if item is None or "revoked_at" in item:
        return None
    account = dynamodb.get(account_key(item["account_id"]))
    if account is None:
        return None
    dynamodb.write(dynamodb.update(looked_up, "SET last_used_at = :now", {":now": iso(now())}))
    plan = PLANS[account["plan"]]
    return Principal(
        account["id"],
        plan.name,
        item["key_id"],
        account.get("per_minute", plan.per_minute),
        account.get("per_month", plan.per_month),
    )
