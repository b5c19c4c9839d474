"""The `identity-os` command: accounts, keys and plans, straight on the table that the environment names.

    identity-os accounts create NAME --plan free      identity-os keys create ACCOUNT --name NAME
    identity-os accounts list                         identity-os keys list ACCOUNT
    identity-os accounts set-plan ACCOUNT PLAN        identity-os keys revoke ACCOUNT KEY
    identity-os plans list

The table is IDENTITY_OS_TABLE, reached with the usual AWS credentials, or --endpoint for a DynamoDB elsewhere. Answers go to
standard output, one line an item; errors to standard error with exit code 1.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError

from identity_service.plans import PLANS
from identity_service.store import accounts
from identity_service.store.table import StoreUnavailable


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    if options.endpoint:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = options.endpoint
        # A DynamoDB elsewhere asks for credentials and a region, and looks at neither.
        for name, value in (("ACCESS_KEY_ID", "local"), ("SECRET_ACCESS_KEY", "local"), ("DEFAULT_REGION", "us-east-1")):
            os.environ.setdefault(f"AWS_{name}", value)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except accounts.UnknownAccount as error:
        return _fail(f"no account {error}")
    except accounts.UnknownKey as error:
        return _fail(f"the account has no key {error}")
    except (StoreUnavailable, BotoCoreError) as error:
        return _fail(f"the table cannot be reached ({error}): check AWS credentials, IDENTITY_OS_TABLE and --endpoint")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="identity-os", description="Administration of Identity OS.")
    parser.add_argument("--endpoint", metavar="URL", help="a DynamoDB elsewhere, such as http://127.0.0.1:8001")
    groups = parser.add_subparsers(required=True, metavar="accounts|keys|plans")

    group = groups.add_parser("accounts", help="who may call").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="make an account")
    create.add_argument("name")
    create.add_argument("--plan", choices=PLANS, default="free")
    create.set_defaults(command=_create_account)
    group.add_parser("list", help="all accounts").set_defaults(command=_list_accounts)
    set_plan = group.add_parser("set-plan", help="move an account to a plan, with custom limits if given")
    set_plan.add_argument("account")
    set_plan.add_argument("plan", choices=PLANS)
    set_plan.add_argument("--per-minute", type=_positive, help="requests a minute, instead of the plan's")
    set_plan.add_argument("--per-month", type=_positive, help="cycles a month, instead of the plan's")
    set_plan.set_defaults(command=_set_plan)

    group = groups.add_parser("keys", help="what they call with").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="make a key and show it, once")
    create.add_argument("account")
    create.add_argument("--name", default="default")
    create.set_defaults(command=_create_key)
    listing = group.add_parser("list", help="the keys of an account")
    listing.add_argument("account")
    listing.set_defaults(command=_list_keys)
    revoke = group.add_parser("revoke", help="make a key useless, for good")
    revoke.add_argument("account")
    revoke.add_argument("key")
    revoke.set_defaults(command=_revoke_key)

    group = groups.add_parser("plans", help="what they may use").add_subparsers(required=True, metavar="COMMAND")
    group.add_parser("list", help="all plans").set_defaults(command=_list_plans)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _create_account(options: argparse.Namespace) -> None:
    print(accounts.create_account(options.name, options.plan))


def _list_accounts(_: argparse.Namespace) -> None:
    _print(("id", "plan", "instance_count", "created_at", "name"), accounts.list_accounts())


def _set_plan(options: argparse.Namespace) -> None:
    accounts.set_plan(options.account, options.plan, options.per_minute, options.per_month)
    print(f"{options.account} is on {options.plan}; running callers follow within a minute")


def _create_key(options: argparse.Namespace) -> None:
    key = accounts.create_key(options.account, options.name)
    print(key.secret)
    print(f"{key.id}: shown once and stored nowhere; keep it now", file=sys.stderr)


def _list_keys(options: argparse.Namespace) -> None:
    _print(("id", "last_four", "created_at", "last_used_at", "revoked_at", "name"), accounts.list_keys(options.account))


def _revoke_key(options: argparse.Namespace) -> None:
    accounts.revoke_key(options.account, options.key)
    print(f"{options.key} is revoked; running callers lose it within a minute")


def _list_plans(_: argparse.Namespace) -> None:
    rows = [
        {
            "plan": plan.name,
            "requests/minute": plan.per_minute,
            "cycles/month": plan.per_month,
            "instances": plan.instances or "unlimited",
            "$/month": "custom" if plan.price is None else plan.price,
        }
        for plan in PLANS.values()
    ]
    _print(tuple(rows[0]), rows)


def _print(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """A table with a heading, one line a row; "-" where there is nothing."""
    lines = [columns, *(tuple("-" if row.get(name) is None else str(row[name]) for name in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _fail(message: str) -> int:
    print(f"identity-os: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
