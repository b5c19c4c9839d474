"""`identity-os accounts delete`: asks, ends the keys, waits for the last callers, and removes everything of an account."""

import argparse
import sys
import time
from datetime import datetime

from cli import gateway
from cli.arguments import Commands, account, command, seconds
from cli.output import fail
from cli.usage import REQUESTS_END
from identity_service.clock import now
from identity_service.store import account_deletion, accounts
from identity_service.store.dynamodb import Item

#: Seconds for which API Gateway's cache may still accept a key: the template's ReauthorizeEvery.
CACHE_ENDS = 60


def add_command(group: Commands) -> None:
    """Add `accounts delete` to the commands of `accounts`."""
    delete = command(
        group,
        "delete",
        _delete,
        "delete an account with its keys, instances, audit trails and usage, for good",
        "It asks for the account's id first. Its keys are revoked at once; the rest is removed when the last request that may "
        "still be running has ended. When it is interrupted, run it again: it continues. To keep a trail, `export` it before.",
    )
    account(delete)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument(
        "--wait",
        type=seconds,
        default=CACHE_ENDS + REQUESTS_END,
        metavar="SECONDS",
        help="time from the end of the keys to the end of the last request (default: %(default)s; 0 when no server is running)",
    )


def _delete(options: argparse.Namespace) -> int:
    found = accounts.get_account(options.account)
    if not options.yes and not _confirmed(found):
        return fail("nothing was deleted: type the account's id to delete it, or use --yes")
    found = accounts.begin_deletion(options.account)
    gateway.align(options.gateway, options.account)
    _wait(found, options.wait)
    try:
        removed = account_deletion.delete(options.account)
    except account_deletion.Unfinished as error:
        return fail(f"{error} instances of the account are not listed yet: run the command again in a moment")
    print(f"{options.account} is deleted: {removed.instances} instances, {removed.items} items")
    return 0


def _confirmed(account: Item) -> bool:
    keys = sum(not key["revoked_at"] for key in accounts.list_keys(account["id"]))
    what = f"{account['name']!r}, plan {account['plan']}, {account['instance_count']} instances, {keys} valid keys"
    print(
        f"This deletes {account['id']} for good: {what}.\nType the account's id to go on: ", end="", file=sys.stderr, flush=True
    )
    typed = sys.stdin.readline()
    if not sys.stdin.isatty():  # nobody pressed Enter
        print(file=sys.stderr)
    return typed.strip() == str(account["id"])


def _wait(account: Item, longest: float) -> None:
    """Wait until a request that was accepted before the keys ended cannot be running any more."""
    ended = datetime.fromisoformat(account["suspended_at"]).timestamp()
    remaining = min(ended + longest - now(), longest)
    if remaining > 0:
        print(f"the keys are revoked; waiting {remaining:.0f} seconds for requests that may still be running", file=sys.stderr)
        time.sleep(remaining)
