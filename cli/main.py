"""The `identity-os` command: accounts, keys, plans, usage, audit exports, and the purge of deleted instances.

    identity-os accounts create NAME --plan free      identity-os keys create ACCOUNT --name NAME [--replace]
    identity-os accounts list                         identity-os keys list ACCOUNT
    identity-os accounts set-plan ACCOUNT PLAN        identity-os keys revoke ACCOUNT KEY
    identity-os plans list                            identity-os plans check [--dry-run]
    identity-os usage check [ACCOUNT] [--dry-run]     identity-os purge
    identity-os export ACCOUNT INSTANCE [--to FILE]   identity-os verify FILE
    identity-os reset ACCOUNT INSTANCE MODE           MODE: initial, last_stable, default, rebaseline

`--stack` selects a deployed stack: its table, and its API Gateway keys and usage plans, which are kept in sync with the table.
`--endpoint` selects another DynamoDB, such as DynamoDB Local, where there is no API Gateway. `verify` needs neither, only a
file. Results go to standard output, one line per item; errors go to standard error, with exit code 1. An interrupted command
can be run again.

IDENTITY_OS_STACK is the default of --stack. With only IDENTITY_OS_TABLE set, commands use that table and leave API Gateway
unchanged.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError

from cli import gateway
from identity_engine import RESETS, canonical, snapshot_view
from identity_service import audit
from identity_service.clock import now
from identity_service.cycles import reset_head
from identity_service.errors import ApiError
from identity_service.plans import PLANS
from identity_service.settings import settings
from identity_service.store import accounts, instances, purge, reconcile, usage
from identity_service.store.dynamodb import Conflict, StoreUnavailable

#: Seconds after which all requests in flight have ended: the functions' timeout and a margin.
_REQUESTS_END = 35


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    if options.stack and options.endpoint:
        return _fail("--stack and --endpoint exclude each other: use one of them")
    if options.needs_table and not (options.stack or options.endpoint or _selected_by_environment()):
        return _fail("no table selected: use --stack, such as --stack identity-os-prod, or --endpoint URL for another DynamoDB")
    if options.endpoint:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = options.endpoint
        # DynamoDB Local requires credentials and a region but does not check them.
        for name, value in (("ACCESS_KEY_ID", "local"), ("SECRET_ACCESS_KEY", "local"), ("DEFAULT_REGION", "us-east-1")):
            os.environ.setdefault(f"AWS_{name}", value)
    command: Callable[[argparse.Namespace], int | None] = options.command
    options.gateway = None
    try:
        if options.stack:
            stack = gateway.find_stack(options.stack)
            os.environ["IDENTITY_OS_TABLE"] = stack.table
            settings.cache_clear()
            options.gateway = gateway.Gateway(stack)
        return command(options) or 0
    except accounts.UnknownAccount as error:
        return _fail(f"no account {error}")
    except accounts.UnknownKey as error:
        return _fail(f"the account has no key {error}")
    except gateway.UnknownStack as error:
        return _fail(str(error))
    except gateway.GatewayRefused as error:
        return _fail(f"{error}; run the command again, or: identity-os --stack {options.stack} plans check")
    except (StoreUnavailable, BotoCoreError) as error:
        return _fail(f"the table cannot be reached ({error}): check AWS credentials, --stack and --endpoint")


def _selected_by_environment() -> bool:
    """Whether the environment selects a table or another DynamoDB endpoint."""
    return any(name in os.environ for name in ("IDENTITY_OS_TABLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="identity-os", description="Administration of Identity OS.")
    parser.add_argument("--endpoint", metavar="URL", help="another DynamoDB, such as http://127.0.0.1:8001")
    stack = os.environ.get("IDENTITY_OS_STACK")
    parser.add_argument("--stack", metavar="NAME", default=stack, help="a deployed stack, such as identity-os-prod")
    parser.set_defaults(needs_table=True)
    groups = parser.add_subparsers(required=True, metavar="accounts|keys|plans|usage|reset|export|verify|purge")

    group = groups.add_parser("accounts", help="manage accounts").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="create an account")
    create.add_argument("name")
    create.add_argument("--plan", choices=PLANS, default="free")
    create.set_defaults(command=_create_account)
    group.add_parser("list", help="list all accounts").set_defaults(command=_list_accounts)
    set_plan = group.add_parser("set-plan", help="move an account to a plan, optionally with custom limits")
    set_plan.add_argument("account")
    set_plan.add_argument("plan", choices=PLANS)
    set_plan.add_argument("--per-minute", type=_positive, help="requests per minute, instead of the plan's limit")
    set_plan.add_argument("--per-month", type=_positive, help="cycles per month, instead of the plan's quota")
    set_plan.set_defaults(command=_set_plan)

    group = groups.add_parser("keys", help="manage API keys").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="create a key and show it once")
    create.add_argument("account")
    create.add_argument("--name", default="default")
    create.add_argument("--replace", action="store_true", help="revoke the account's other keys with the same name")
    create.set_defaults(command=_create_key)
    listing = group.add_parser("list", help="list the keys of an account")
    listing.add_argument("account")
    listing.set_defaults(command=_list_keys)
    revoke = group.add_parser("revoke", help="revoke a key permanently")
    revoke.add_argument("account")
    revoke.add_argument("key")
    revoke.set_defaults(command=_revoke_key)

    group = groups.add_parser("plans", help="show plans, check usage plans").add_subparsers(required=True, metavar="COMMAND")
    group.add_parser("list", help="all plans").set_defaults(command=_list_plans, needs_table=False)
    check = group.add_parser("check", help="find and repair API Gateway keys that differ from the table")
    check.add_argument("--dry-run", action="store_true", help="change nothing; exit code 1 when something was found")
    check.set_defaults(command=_check_plans)

    group = groups.add_parser("usage", help="check cycle counts").add_subparsers(required=True, metavar="COMMAND")
    check = group.add_parser("check", help="find and give back cycles that were reserved and never processed")
    check.add_argument("account", nargs="?", help="one account (default: all accounts)")
    check.add_argument("--dry-run", action="store_true", help="change nothing; exit code 1 when something was found")
    check.add_argument(
        "--wait",
        type=_seconds,
        default=_REQUESTS_END,
        metavar="SECONDS",
        help="time to wait for requests in flight (default: %(default)s; 0 when no server is running)",
    )
    check.set_defaults(command=_check_usage)

    export = groups.add_parser("export", help="export an instance's audit trail for offline verification")
    export.add_argument("account")
    export.add_argument("instance")
    export.add_argument("--to", metavar="FILE", help="output file (default: standard output)")
    export.set_defaults(command=_export)
    verify = groups.add_parser("verify", help="replay an exported audit trail; exit code 1 when it was changed")
    verify.add_argument("file")
    verify.add_argument("--digest", help="the last digest from a trusted record, to detect a completely forged file")
    verify.set_defaults(command=_verify, needs_table=False)

    decide = groups.add_parser("reset", help="decide about an agent: reset it, or accept it as it is (rebaseline)")
    decide.add_argument("account")
    decide.add_argument("instance")
    decide.add_argument("mode", choices=RESETS)
    decide.set_defaults(command=_reset)

    groups.add_parser("purge", help="remove items of deleted instances that the automatic purge could not remove").set_defaults(
        command=_purge
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("must be 0 to 3600")
    return seconds


def _create_account(options: argparse.Namespace) -> None:
    account_id = accounts.create_account(options.name, options.plan)
    _align(options, account_id)
    print(account_id)


def _list_accounts(_: argparse.Namespace) -> None:
    _print(("id", "plan", "instance_count", "created_at", "name"), accounts.list_accounts())


def _set_plan(options: argparse.Namespace) -> None:
    accounts.set_plan(options.account, options.plan, options.per_minute, options.per_month)
    _align(options, options.account)
    print(f"{options.account} is on {options.plan}; this takes effect within a minute")


def _create_key(options: argparse.Namespace) -> None:
    # API Gateway first: without a gateway key the usage plans would reject the new key.
    _align(options, options.account)
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


def _list_keys(options: argparse.Namespace) -> None:
    _print(("id", "last_four", "created_at", "last_used_at", "revoked_at", "name"), accounts.list_keys(options.account))


def _revoke_key(options: argparse.Namespace) -> None:
    accounts.revoke_key(options.account, options.key)
    print(f"{options.key} is revoked; this takes effect within a minute")


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


def _check_plans(options: argparse.Namespace) -> int:
    if options.gateway is None:
        return _fail("plans check compares a stack's API Gateway with its table: select it with --stack")
    all_accounts = accounts.list_accounts()
    problems = 0
    for account, problem in options.gateway.out_of_sync(all_accounts):
        problems += 1
        print(account["id"], problem if options.dry_run else "; ".join(options.gateway.align(account)) + ": repaired")
    for key in options.gateway.orphans(all_accounts):
        problems += 1
        if not options.dry_run:
            options.gateway.delete(key)
        print(key.name, "belongs to no account" + ("" if options.dry_run else ": removed"))
    print(f"{len(all_accounts)} accounts, {problems} out of step" + (", repaired" if problems and not options.dry_run else ""))
    return 1 if problems and options.dry_run else 0


def _check_usage(options: argparse.Namespace) -> int:
    if options.account:
        accounts.get_account(options.account)
    account_ids = [options.account] if options.account else [account["id"] for account in accounts.list_accounts()]
    windows = usage.windows(now())
    rows, lost, failed = [], 0, False
    for finding in reconcile.find(account_ids, windows, lambda: time.sleep(options.wait)):
        outcome = "-"
        if finding.lost:
            lost += finding.lost
            outcome = "lost"
            if not options.dry_run:
                outcome = _give_back(finding, windows)
                failed |= outcome != "given back"
        reserved = finding.reserved
        row = {"account": finding.account_id, "counted": reserved.counted, "processed": finding.processed, "lost": finding.lost}
        rows.append(row | {"given back before": reserved.released, "now": outcome})
    _print(("account", "counted", "processed", "given back before", "lost", "now"), rows)
    return 1 if failed or (lost and options.dry_run) else 0


def _give_back(finding: reconcile.Finding, windows: usage.Windows) -> str:
    try:
        reconcile.repair(finding, windows)
    except Conflict:
        return "changed concurrently: run the command again"
    except StoreUnavailable:
        return "DynamoDB timeout: run the command again"
    return "given back"


def _export(options: argparse.Namespace) -> int:
    head = instances.get(options.account, options.instance)
    if head is None:
        return _fail(f"the account has no instance {options.instance}")
    if options.to is None:
        _write_export(head, sys.stdout.buffer)
        return 0
    # Write to a temporary file first, so that a file with the given name is always complete.
    target = Path(options.to)
    partial = target.with_name(f"{target.name}.part")
    with partial.open("wb") as file:
        _write_export(head, file)
    partial.replace(target)
    print(f"{head.records} records, last digest {head.digest}", file=sys.stderr)
    return 0


def _reset(options: argparse.Namespace) -> int:
    head = instances.get(options.account, options.instance)
    if head is None:
        return _fail(f"the account has no instance {options.instance}")
    try:
        state = reset_head(head, options.mode, lambda state: canonical(snapshot_view(state)).encode())
    except ApiError as error:
        return _fail(error.message)
    snapshot = json.loads(state)
    print(
        f"{options.instance} reset to {options.mode}: stress {snapshot['stress_state']}, energy {snapshot['energy_level']:.2f}"
    )
    return 0


def _write_export(head: instances.Head, file: BinaryIO) -> None:
    for line in audit.export(head):
        file.write(f"{line}\n".encode())


def _verify(options: argparse.Namespace) -> int:
    try:
        with open(options.file, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            header, verification = audit.verify_export(file)
    except OSError as error:
        return _fail(f"{options.file}: {error.strerror}")
    except audit.NotAnExport as error:
        return _fail(f"{options.file}: {error}")
    if verification.mismatch:
        print(f"NOT VERIFIED: {verification.mismatch.reason}: {verification.mismatch.message}")
        return 1
    if options.digest and options.digest != header.digest:
        print(f"NOT VERIFIED: the last digest is {header.digest}, not the expected one")
        return 1
    print(f"verified: {header.instance_id}, {header.records} records, {header.observations} observations replayed")
    print(f"last digest {header.digest}")
    return 0


def _purge(_: argparse.Namespace) -> None:
    partitions = items = 0
    for partition in purge.orphans():
        items += purge.purge(partition)
        partitions += 1
    print(f"removed {items} items of {partitions} deleted instances")


def _align(options: argparse.Namespace, account_id: str) -> None:
    account = accounts.get_account(account_id)
    if options.gateway is not None:
        options.gateway.align(account)


def _print(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table with a header line; "-" stands for an empty cell."""
    lines = [columns, *(tuple("-" if row.get(name) is None else str(row[name]) for name in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _fail(message: str) -> int:
    print(f"identity-os: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
