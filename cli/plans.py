"""`identity-os plans`: list the plans, and compare API Gateway with the table."""

import argparse

from cli.arguments import Commands, command, noun
from cli.output import fail, print_table
from identity_service.plans import PLANS
from identity_service.store import accounts


def add_commands(commands: Commands) -> None:
    """Add `plans` and its commands to the parser."""
    group = noun(commands, "plans", "show the plans, and repair API Gateway's keys")
    command(group, "list", _list, "list all plans with their limits").set_defaults(needs_table=False)
    check = command(
        group,
        "check",
        _check,
        "find and repair API Gateway keys that differ from the table",
        "Each account has one key in API Gateway, on the usage plan of its plan; those that signed up in the console share 64 "
        "keys, which this makes. The table decides: a key that is missing, disabled, doubled, on another plan or without an "
        "account is repaired. Needs --stack.",
    )
    check.add_argument("--dry-run", action="store_true", help="change nothing; exit code 1 when something was found")


def _list(_: argparse.Namespace) -> None:
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
    print_table(tuple(rows[0]), rows)


def _check(options: argparse.Namespace) -> int:
    if options.gateway is None:
        return fail("plans check compares a stack's API Gateway with its table: select it with --stack")
    all_accounts = accounts.list_accounts()
    problems = shared = 0
    for account, problem in options.gateway.out_of_sync(all_accounts):
        problems += 1
        print(account["id"], problem if options.dry_run else "; ".join(options.gateway.align(account)) + ": repaired")
    for number, name, problem in options.gateway.shared_out_of_sync():
        shared += 1
        print(name, problem if options.dry_run else "; ".join(options.gateway.align_shared(number)) + ": repaired")
    for key in options.gateway.orphans(all_accounts):
        problems += 1
        if not options.dry_run:
            options.gateway.delete(key)
        print(key.name, "belongs to no account" + ("" if options.dry_run else ": removed"))
    found = f"{problems} out of step" + (f", {shared} shared keys missing or wrong" if shared else "")
    print(f"{len(all_accounts)} accounts, {found}" + (", repaired" if (problems or shared) and not options.dry_run else ""))
    return 1 if (problems or shared) and options.dry_run else 0
