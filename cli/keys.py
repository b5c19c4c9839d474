"""`identity-os keys`: create, list, revoke."""

import argparse
import sys

from cli import gateway
from cli.arguments import Commands, account, command, name, noun
from cli.instances import find
from cli.output import fail, print_table
from identity_service.scopes import OPERATOR, SCOPES
from identity_service.store import accounts
from identity_service.store.accounts import MOST_BOUND


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
    create.add_argument(
        "--scope",
        choices=tuple(reversed(SCOPES)),
        default=OPERATOR,
        help="operator: everything (the default); agent: create and read instances, process, simulate: what the agent that is "
        "bounded may hold; read: only read",
    )
    create.add_argument(
        "--instance",
        action="append",
        default=[],
        metavar="ID",
        help="bind an agent or read key to this instance; may be repeated: it sees no other, and creates none",
    )
    create.add_argument("--replace", action="store_true", help="revoke the account's other keys with the same name")
    listing = command(
        group, "list", _list, "list the keys of an account", "Shows ids, names, the last four characters and the last use."
    )
    account(listing)
    revoke = command(group, "revoke", _revoke, "revoke a key for good", "Its callers get 401 within a minute.")
    account(revoke)
    revoke.add_argument("key", metavar="KEY", help="the key's id, key_…; `keys list ACCOUNT` shows it")


def _create(options: argparse.Namespace) -> int:
    if options.instance and options.scope == OPERATOR:
        return fail("--instance binds agent and read keys: add --scope agent or --scope read")
    if len(options.instance) > MOST_BOUND:
        return fail(f"--instance: a key is bound to at most {MOST_BOUND} instances")
    for instance_id in options.instance:
        find(options.account, instance_id)
    # API Gateway first: without a gateway key the usage plans would reject the new key.
    gateway.align(options.gateway, options.account)
    others = [key for key in accounts.list_keys(options.account) if key["name"] == options.name and not key["revoked_at"]]
    key = accounts.create_key(options.account, options.name, options.scope, sorted(set(options.instance)))
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
    return 0


def _list(options: argparse.Namespace) -> None:
    columns = ("id", "last_four", "scope", "bound_to", "created_at", "last_used_at", "revoked_at", "name")
    print_table(columns, accounts.list_keys(options.account))


def _revoke(options: argparse.Namespace) -> None:
    accounts.revoke_key(options.account, options.key)
    print(f"{options.key} is revoked; this takes effect within a minute")
