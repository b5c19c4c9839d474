"""Creates one account with one key for each plan, unless the local table has them already. The keys outlive the table."""

import json
import os
from pathlib import Path

from identity_service.keys import key_hash, well_formed
from identity_service.plans import PLANS
from identity_service.store import accounts, dynamodb


class UnreadableKeys(Exception):
    """The file of keys cannot be read; the message says in one line what to do."""


def ready_keys(path: Path) -> dict[str, str]:
    """Keys by plan: those of the file, new ones for plans without a valid one. Writes all of them to the file.

    A table without accounts gets the keys of the file: an embedded one is empty at each start, and who has pasted a key
    somewhere goes on using it. In a table with accounts, a key that is missing was deleted, and stays so.
    """
    stored = _read(path)
    empty = next(dynamodb.query("PK = :pk", {":pk": "ACCOUNTS"}, Limit=1), None) is None
    keys = {}
    for plan in PLANS:
        key = stored.get(plan)
        item = dynamodb.get(_lookup(key)) if key else None
        if key and item is None and empty:
            _replace_secret(_create(plan), key)
        elif key is None or item is None or "revoked_at" in item:
            key = _create(plan)
        keys[plan] = key
    _write(path, keys)
    return keys


def _create(plan: str) -> str:
    return accounts.create_key(accounts.create_account(f"local {plan}", plan), "local").secret


def _replace_secret(new: str, key: str) -> None:
    """Make `key` the secret of the key that was created as `new`."""
    lookup = dynamodb.get(_lookup(new)) or {}
    listing = {"PK": f"ACCOUNT#{lookup['account_id']}", "SK": f"KEY#{lookup['key_id']}"}
    values = {":hash": key_hash(key), ":last": key[-4:]}
    dynamodb.write_all(
        [
            dynamodb.put(lookup | _lookup(key)),
            dynamodb.delete(_lookup(new)),
            dynamodb.update(listing, "SET #hash = :hash, last_four = :last", values, names={"#hash": "hash"}),
        ]
    )


def _lookup(key: str) -> dict[str, str]:
    return {"PK": f"KEY#{key_hash(key)}", "SK": "KEY"}


def _read(path: Path) -> dict[str, str]:
    """The well-formed keys of the file by plan."""
    try:
        stored = json.loads(path.read_text())
        return {plan: key for plan, key in stored.items() if well_formed(key)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        raise UnreadableKeys(f"{path} cannot be read: repair it, or delete it to get new keys") from None


def _write(path: Path, keys: dict[str, str]) -> None:
    """Replace the file in one step, so that a server that is killed leaves the old one or the new one."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(keys, indent=2) + "\n")
    os.replace(draft, path)
