"""`identity-os keys`: create, list, revoke."""

import argparse
import sys

from cli import gateway
from cli.arguments import Commands, account, command, name, noun
from cli.output import print_table
from identity_service.store import accounts


def add_commands(commands: Commands) -> None:
    """Add `keys` and its commands to the parser."""
    group = noun(commands, "keys", "create, list and revoke API keys")
    create = command(
        group,
        "create",
        _create,
        "create a key and show it once",
        "Only the key itself goes to standard output. It is not stored.",
    )
    account(create)
    create.add_argument("--name", type=name, default="default", help="what the key is called in lists (default: %(default)s)")
    create.add_argument("--replace", action="store_true", help="revoke the account's other keys with the same name")
    listing = command(
        group, "list", _list, "list the keys of an account", "Shows ids, names, the last four characters and the last use."
    )
    account(listing)
    revoke = command(group, "revoke", _revoke, "revoke a key for good", "Its callers get 401 within a minute.")
    account(revoke)
    revoke.add_argument("key", metavar="KEY", help="the key's id, key_…; `keys list ACCOUNT` shows it")


def _create(options: argparse.Namespace) -> None:
    # API Gateway first: without a gateway key the usage plans would reject the new key.
    gateway.align(options.gateway, options.account)
    others = [key for key in accounts.list_keys(options.account) if key["name"] == options.name and not key["revoked_at"]]
    key = accounts.create_key(options.account, options.name)
    print(key.secret, flush=True)
    print(f"{key.id}: shown once and not stored; save it now", file=sys.stderr)
    for other in others:
        if options.replace:
            accounts.revoke_key(options.account, other["id"])
            print(f"{other['id']} is revoked", file=sys.stderr)
        else:
            print(f"{other['id']} has the same name and still works; --replace revokes such keys", file=sys.stderr)
    if "suspended_at" in accounts.get_account(options.account):
        print(f"{options.account} is suspended: its keys work when it is resumed", file=sys.stderr)


def _list(options: argparse.Namespace) -> None:
    print_table(("id", "last_four", "created_at", "last_used_at", "revoked_at", "name"), accounts.list_keys(options.account))


def _revoke(options: argparse.Namespace) -> None:
    accounts.revoke_key(options.account, options.key)
    print(f"{options.key} is revoked; this takes effect within a minute")
