"""The console's settings on this machine: its address, the local issuer, secrets that are kept in the local folder."""

import json
import os
import secrets
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from functions.console import fetch_htmx, static_files
from identity_service.keys import key_hash
from identity_service.roles import OWNER
from identity_service.store import dynamodb, users
from local.issuer import Client, issuer, subject

_CLIENT: Final = "console"
#: Whoever logs in with this address is an owner of the local enterprise account, and so sees the agent of `make demo`.
DEMO: Final = "demo@localhost"


def prepare(base: str, address: str, folder: Path) -> Starlette:
    """Set the console's settings for this process, and make the issuer at this address. `base`: http://localhost:8000/console."""
    fetch_htmx.fetch(static_files.FOLDER)
    kept = _secrets(folder / "console.json")
    settings = {
        "BASE": base,
        "ISSUER": address,
        "CLIENT_ID": _CLIENT,
        "CLIENT_SECRET": kept["client"],
        "SESSION_SECRET": kept["session"],
    }
    for name, value in settings.items():
        os.environ[f"IDENTITY_OS_CONSOLE_{name}"] = value
    client = Client(_CLIENT, kept["client"], (f"{base}/callback",), (base,))
    return issuer(address, client, folder / "issuer.json")


def join_demo(address: str, key: str) -> None:
    """Make the demo's person an owner of the account of a key, unless they are. `address`: the issuer's."""
    person = users.sign_in(address, subject(DEMO), DEMO)
    account_id = (dynamodb.get({"PK": f"KEY#{key_hash(key)}", "SK": "KEY"}) or {}).get("account_id")
    if account_id and account_id not in users.accounts_of(person.ref):
        dynamodb.write_all(users.join(account_id, person, OWNER))


def _secrets(path: Path) -> dict[str, str]:
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    new = {name: secrets.token_urlsafe(32) for name in ("client", "session")}
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(new))
    return new
