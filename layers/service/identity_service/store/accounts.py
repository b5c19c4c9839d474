"""Accounts and their keys.

ACCOUNT#a / ACCOUNT   plan, name, instance_count, created_at, and where an account has them: custom limits, suspended_at, and
                      deleted_at from the beginning of its deletion (`account_deletion`) to its end; for an account that
                      signed up in the console: owners, and shared_key, the number of its gateway key
ACCOUNT#a / KEY#k     the listing of a key: name, last four characters, scope, instances it is bound to, created, revoked
KEY#sha256 / KEY      the authorizer's lookup: account and key id, scope, bound instances, last used
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from identity_service.clock import iso, now
from identity_service.keys import key_hash, new_key, well_formed
from identity_service.log import logger
from identity_service.plans import PLANS
from identity_service.principal import Principal
from identity_service.scopes import OPERATOR
from identity_service.settings import settings
from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item

if TYPE_CHECKING:
    from identity_service.store.account_trail import By

#: Most instances that a key is bound to; API Gateway passes them on with each request.
MOST_BOUND: Final = 20
#: The actor of what `identity-os` does.
COMMAND_LINE: Final = "command-line"
#: How many gateway keys the accounts share that signed up in the console.
SHARED_KEYS: Final = 64


class UnknownAccount(Exception):
    """No account has this id."""


class BeingDeleted(Exception):
    """The deletion of the account has begun: it cannot be resumed, and gets no more keys."""


class UnknownKey(Exception):
    """The account has no key with this id."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key; `secret` is shown once and never stored."""

    id: str
    secret: str


def account_key(account_id: str) -> dict[str, str]:
    """Primary key of the account item."""
    return {"PK": f"ACCOUNT#{account_id}", "SK": "ACCOUNT"}


def gateway_key(account_id: str) -> str:
    """Value of the account's API Gateway key, which ties it to a usage plan. API Gateway allows only letters and digits."""
    return sha256(f"gateway#{account_id}".encode()).hexdigest()


def shared_gateway_key(number: int) -> str:
    """Value of one of the keys that accounts share which signed up in the console.

    API Gateway allows 10,000 keys in a region, and each value once: so the table's name, another in each stack, is part of it.
    """
    return sha256(f"gateway#{settings().table}#shared#{number}".encode()).hexdigest()


def gateway_key_of(principal: Principal) -> str:
    """Value of the API Gateway key by which usage plans know a caller: the account's own, or one that it shares."""
    if principal.shared_key is None:
        return gateway_key(principal.account_id)
    return shared_gateway_key(principal.shared_key)


def create_account(name: str, plan: str) -> str:
    """Create an account on a plan and return its id. KeyError for an unknown plan."""
    account_id = f"acct_{secrets.token_hex(8)}"
    dynamodb.write_all(new_account(account_id, name, plan))
    return account_id


def new_account(account_id: str, name: str, plan: str, *, shared_key: bool = False) -> list[dict[str, Any]]:
    """The operations that create an account. `shared_key`: it uses one of the gateway's shared keys, chosen by its id."""
    item = account_key(account_id) | {
        "id": account_id,
        "name": name,
        "plan": PLANS[plan].name,
        "instance_count": 0,
        "created_at": iso(now()),
    }
    if shared_key:
        item |= {"shared_key": int(sha256(account_id.encode()).hexdigest(), 16) % SHARED_KEYS, "owners": 1}
    # The listing partition lets the command line find accounts without scanning the table.
    entry = {"PK": "ACCOUNTS", "SK": account_id}
    return [dynamodb.put(item, "attribute_not_exists(PK)"), dynamodb.put(entry)]


def get_account(account_id: str) -> Item:
    """The account; UnknownAccount if there is none."""
    item = dynamodb.get(account_key(account_id))
    if item is None:
        raise UnknownAccount(account_id)
    return item


def list_accounts() -> list[Item]:
    """All accounts, by id."""
    entries = dynamodb.query("PK = :pk", {":pk": "ACCOUNTS"})
    found = (dynamodb.get(account_key(entry["SK"])) for entry in entries)
    return [account for account in found if account is not None]  # None: deleted since its entry was read


def set_plan(account_id: str, plan: str, per_minute: int | None = None, per_month: int | None = None) -> None:
    """Move an account to a plan, with custom limits or the plan's own. It takes effect when the authorizer's cache expires.

    From then on it has a gateway key of its own, if it shared one.
    """
    values = {":plan": PLANS[plan].name, ":minute": per_minute, ":month": per_month}
    sets = ["#plan = :plan"]
    removes = ["shared_key"]
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


def suspend(account_id: str) -> None:
    """Refuse all keys of an account, until `resume`; takes effect when the authorizer's cache expires. Idempotent."""
    _change(account_id, "SET suspended_at = if_not_exists(suspended_at, :now)", {":now": iso(now())})


def resume(account_id: str) -> None:
    """Accept the keys of a suspended account again. Idempotent. BeingDeleted when its deletion has begun."""
    _change(account_id, "REMOVE suspended_at", None, "attribute_exists(PK) AND attribute_not_exists(deleted_at)")


def begin_deletion(account_id: str) -> Item:
    """Suspend an account for good and revoke its keys, as the first step of its deletion. Idempotent. Returns the account."""
    sets = "SET deleted_at = if_not_exists(deleted_at, :now), suspended_at = if_not_exists(suspended_at, :now)"
    _change(account_id, sets, {":now": iso(now())})
    for key in list_keys(account_id):
        if not key["revoked_at"]:
            revoke_key(account_id, key["id"])
    return get_account(account_id)


def _change(account_id: str, expression: str, values: dict[str, str] | None, condition: str = "attribute_exists(PK)") -> None:
    try:
        dynamodb.write(dynamodb.update(account_key(account_id), expression, values, condition=condition))
    except dynamodb.Conflict as conflict:
        raise (BeingDeleted if conflict.items[0] else UnknownAccount)(account_id) from None


def create_key(
    account_id: str, name: str, scope: str = OPERATOR, bound_to: Sequence[str] = (), by: "By | None" = None
) -> NewKey:
    """Create a key for an account, which may have several. `bound_to`: the only instances that it is for; empty: all.

    `by`: who does it, for the account's trail. BeingDeleted when the account's deletion has begun.
    """
    get_account(account_id)
    secret, key_id = new_key(), f"key_{secrets.token_hex(8)}"
    digest = key_hash(secret)
    rights = {"scope": scope, "bound_to": ",".join(bound_to) or None}
    listing = {
        "PK": f"ACCOUNT#{account_id}",
        "SK": f"KEY#{key_id}",
        "id": key_id,
        "hash": digest,
        "name": name,
        "last_four": secret[-4:],
        "created_at": iso(now()),
        **rights,
    }
    lookup = {"PK": f"KEY#{digest}", "SK": "KEY", "account_id": account_id, "key_id": key_id} | rights
    puts = [dynamodb.put(item, "attribute_not_exists(PK)") for item in (listing, lookup)]
    lives = dynamodb.check(account_key(account_id), "attribute_exists(PK) AND attribute_not_exists(deleted_at)")
    puts.append(_told(account_id, by, {"type": "key.created", "key_id": key_id, "name": name, "scope": scope}))
    try:
        dynamodb.write_all([*puts, lives, *_trail(account_id, by, "key.created", key_id, f"{name}, scope {scope}")])
    except dynamodb.Conflict:
        if "deleted_at" in get_account(account_id):
            raise BeingDeleted(account_id) from None
        raise
    return NewKey(key_id, secret)


def list_keys(account_id: str) -> list[Item]:
    """The keys of an account with `last_used_at`, revoked ones included; never the key or its hash."""
    get_account(account_id)
    return keys_of(account_id)


def keys_of(account_id: str) -> list[Item]:
    """As `list_keys`, for an account that is known to exist. Two calls for up to 100 keys."""
    items = list(dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": f"ACCOUNT#{account_id}", ":sk": "KEY#"}))
    lookups: dict[str, Item] = {}
    for group in dynamodb.groups_of(100, iter(items)):
        found = dynamodb.get_many([{"PK": f"KEY#{item['hash']}", "SK": "KEY"} for item in group])
        lookups |= {lookup["key_id"]: lookup for lookup in found}
    keys = []
    for item in items:
        lookup = lookups.get(item["id"], {})
        fields = {name: item.get(name) for name in ("id", "name", "last_four", "created_at", "revoked_at")}
        fields |= {"scope": item.get("scope", OPERATOR), "bound_to": item.get("bound_to")}
        keys.append(fields | {"last_used_at": lookup.get("last_used_at")})
    return keys


def key_names(account_id: str) -> dict[str, str]:
    """The names of an account's keys by their ids, revoked ones included."""
    items = dynamodb.query("PK = :pk AND begins_with(SK, :sk)", {":pk": f"ACCOUNT#{account_id}", ":sk": "KEY#"})
    return {item["id"]: item["name"] for item in items}


def revoke_key(account_id: str, key_id: str, by: "By | None" = None) -> None:
    """Revoke a key permanently. Idempotent; UnknownKey when the account has no such key. `by`: as in `create_key`."""
    listing = {"PK": f"ACCOUNT#{account_id}", "SK": f"KEY#{key_id}"}
    item = dynamodb.get(listing)
    if item is None:
        raise UnknownKey(key_id)
    lookup = {"PK": f"KEY#{item['hash']}", "SK": "KEY"}
    values = {":now": iso(now())}
    expression = "SET revoked_at = if_not_exists(revoked_at, :now)"
    updates = [dynamodb.update(key, expression, values) for key in (listing, lookup)]
    if "revoked_at" not in item:
        updates.append(_told(account_id, by, {"type": "key.revoked", "key_id": key_id, "name": item["name"]}))
    dynamodb.write_all([*updates, *_trail(account_id, by, "key.revoked", key_id, item["name"])])


def _trail(account_id: str, by: "By | None", what: str, target: str, detail: str) -> list[dict[str, Any]]:
    if by is None:
        return []
    from identity_service.store import account_trail  # only the console's: the API's functions do not load it

    return [account_trail.entry(account_id, by, what, target, detail)]


def _told(account_id: str, by: "By | None", event: dict[str, Any]) -> dict[str, Any]:
    from identity_service.store import outbox  # it takes the engine, which the authorizer does not load

    return outbox.put(account_id, event, event["key_id"], by.user_id if by else COMMAND_LINE)


def authenticate(key: str) -> Principal | None:
    """The principal of a key, and a note of its use; None alike for malformed, unknown, revoked and suspended keys."""
    if not well_formed(key):
        return None
    lookup = {"PK": f"KEY#{key_hash(key)}", "SK": "KEY"}
    item = dynamodb.get(lookup)
    if item is None or "revoked_at" in item:
        return None
    account = dynamodb.get(account_key(item["account_id"]))
    if account is None or "suspended_at" in account:
        return None
    used = dynamodb.update(lookup, "SET last_used_at = :now", {":now": iso(now())}, condition="attribute_exists(account_id)")
    try:
        dynamodb.write(used)
    except dynamodb.Conflict:  # the key was deleted since it was read
        return None
    except (dynamodb.StoreUnavailable, dynamodb.Misconfigured) as error:
        # A caller is not refused because a note of the call could not be made.
        logger().warning("last use of a key not noted", key=item["key_id"], reason=str(error))
    plan = PLANS[account["plan"]]
    return Principal(
        account["id"],
        plan.name,
        item["key_id"],
        account.get("per_minute", plan.per_minute),
        account.get("per_month", plan.per_month),
        # Keys that are older than scopes may do everything.
        item.get("scope", OPERATOR),
        tuple(item["bound_to"].split(",")) if "bound_to" in item else (),
        account.get("shared_key"),
    )
