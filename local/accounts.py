"""Creates one account with one key for each plan, unless the local table has them already."""

import json
from pathlib import Path

from identity_service.keys import key_hash
from identity_service.plans import PLANS
from identity_service.store import accounts, dynamodb


def ready_keys(path: Path) -> dict[str, str]:
    """Keys by plan: valid keys from the file, new keys for the other plans. Writes all of them to the file."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    keys = {}
    for plan in PLANS:
        key = stored.get(plan)
        if key is None or not _is_valid(key):
            key = accounts.create_key(accounts.create_account(f"local {plan}", plan), "local").secret
        keys[plan] = key
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(keys, indent=2) + "\n")
    return keys


def _is_valid(key: str) -> bool:
    item = dynamodb.get({"PK": f"KEY#{key_hash(key)}", "SK": "KEY"})
    return item is not None and "revoked_at" not in item
