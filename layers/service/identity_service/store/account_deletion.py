"""The deletion of an account and all it owns: instances, webhooks, keys, usage, idempotency records, and last the account.

`accounts.begin_deletion` comes first and ends the keys. `delete` removes the rest, in the order in which a deletion that was
killed at any point can be run again and continues: the account's own item goes last, so what remains can always be found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.store import accounts, dynamodb, instances, purge, retry, webhooks
from identity_service.store.dynamodb import groups_of

#: BatchWriteItem deletes 25 items at most, and a key has two.
_BATCH = 12


class Unfinished(Exception):
    """Instances of the account exist that its index does not list yet; the argument is their number."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion removed: instances, and all items, those of the instances included."""

    instances: int
    items: int


def delete(account_id: str) -> Removed:
    """Remove an account whose deletion has begun, with everything it owns.

    UnknownAccount. ValueError when its deletion has not begun. Unfinished, and Conflict when something else changed the account
    meanwhile: run it again a moment later.
    """
    account = accounts.get_account(account_id)
    if "deleted_at" not in account:
        raise ValueError("the deletion of the account has not begun")
    removed = items = 0
    # A deletion that was killed may have left items of the instance that it was removing, which no index lists.
    for instance_id in _instances(account_id, account.get("removing")):
        existed, others = _remove_instance(account_id, instance_id)
        removed += existed
        items += existed + others
    remaining = instances.count(account_id)
    if remaining:
        raise Unfinished(remaining)
    items += purge.purge(webhooks.partition(account_id)) + _remove_own_items(account_id)
    _remove_account(account_id)
    return Removed(removed, items + 2)


def _instances(account_id: str, noted: str | None) -> Iterator[str]:
    if noted:
        yield noted
    for attempt in range(retry.TRIES):
        for instance in instances.all_of(account_id, ("id",)):
            if instance["id"] != noted:
                yield instance["id"]
        if not instances.count(account_id):
            return
        retry.pause(attempt)


def _remove_instance(account_id: str, instance_id: str) -> tuple[bool, int]:
    """Remove an instance's head, unless that is done, and its other items; the account notes first which instance it is."""
    note = "SET removing = :id"
    account = accounts.account_key(account_id)
    dynamodb.write(dynamodb.update(account, note, {":id": instance_id}, condition="attribute_exists(deleted_at)"))
    existed = instances.remove(account_id, instance_id)
    return existed, purge.purge(instances.partition(account_id, instance_id))


def _remove_own_items(account_id: str) -> int:
    """Remove what is in the account's own partition, but not the account; keys, invitations and people with their look-ups."""
    partition = f"ACCOUNT#{account_id}"
    options = {"ProjectionExpression": "PK, SK, #hash", "ExpressionAttributeNames": {"#hash": "hash"}, "ConsistentRead": True}
    count = 0
    for items in groups_of(_BATCH, dynamodb.query("PK = :pk", {":pk": partition}, **options)):
        keys = [{"PK": item["PK"], "SK": item["SK"]} for item in items if item["SK"] != "ACCOUNT"]
        # Look-ups first: only these items lead to them.
        lookups = [lookup for item in items if (lookup := _lookup_of(account_id, item))]
        for group in (lookups, keys):
            if group:
                dynamodb.delete_many(group)
                count += len(group)
    return count


def _lookup_of(account_id: str, item: dynamodb.Item) -> dict[str, str] | None:
    kind, _, name = item["SK"].partition("#")
    if kind == "MEMBER":
        return {"PK": f"USER#{name}", "SK": f"MEMBER#{account_id}"}
    return {"PK": f"{kind}#{item['hash']}", "SK": kind} if kind in ("KEY", "INVITE") else None


def _remove_account(account_id: str) -> None:
    account = accounts.account_key(account_id)
    own = dynamodb.delete(account, "instance_count = :none", {":none": 0})
    try:
        dynamodb.write_all([own, dynamodb.delete({"PK": "ACCOUNTS", "SK": account_id})])
    except dynamodb.Conflict:
        if dynamodb.get(account) is not None:
            raise
