"""`identity-os accounts`: create, list, change the plan, suspend, resume."""

import argparse

from cli import account_deletion, gateway
from cli.arguments import Commands, account, command, name, noun, positive
from cli.output import print_table, status
from identity_service.plans import PLANS
from identity_service.store import accounts


def add_commands(commands: Commands) -> None:
    """Add `accounts` and its commands to the parser."""
    group = noun(commands, "accounts", "create, list, suspend and delete accounts, and change their plans")
    create = command(group, "create", _create, "create an account and print its id", "Its keys are made with `keys create`.")
    create.add_argument("name", type=name, help="what the account is called in lists, such as a customer's name")
    create.add_argument("--plan", choices=PLANS, default="free", help="default: %(default)s; `plans list` shows their limits")
    command(group, "list", _list, "list all accounts with their status")
    set_plan = command(
        group,
        "set-plan",
        _set_plan,
        "move an account to a plan, optionally with limits of its own",
        "It applies within a minute.",
    )
    account(set_plan)
    set_plan.add_argument("plan", choices=PLANS, help="`plans list` shows their limits")
    set_plan.add_argument("--per-minute", type=positive, metavar="N", help="requests per minute, instead of the plan's limit")
    set_plan.add_argument("--per-month", type=positive, metavar="N", help="cycles per month, instead of the plan's quota")
    suspend = command(
        group,
        "suspend",
        _suspend,
        "refuse all keys of an account until it is resumed",
        "Within a minute its callers get 401, as with a revoked key. Nothing is deleted; `accounts resume` undoes it.",
    )
    account(suspend)
    resume = command(group, "resume", _resume, "accept the keys of a suspended account again", "Revoked keys stay revoked.")
    account(resume)
    account_deletion.add_command(group)


def _create(options: argparse.Namespace) -> None:
    account_id = accounts.create_account(options.name, options.plan)
    gateway.align(options.gateway, account_id)
    print(account_id)


def _list(_: argparse.Namespace) -> None:
    rows = ({**row, "status": status(row)} for row in accounts.list_accounts())
    print_table(("id", "plan", "status", "instance_count", "created_at", "name"), rows)


def _set_plan(options: argparse.Namespace) -> None:
    accounts.set_plan(options.account, options.plan, options.per_minute, options.per_month)
    gateway.align(options.gateway, options.account)
    print(f"{options.account} is on {options.plan}; this takes effect within a minute")


def _suspend(options: argparse.Namespace) -> None:
    accounts.suspend(options.account)
    gateway.align(options.gateway, options.account)
    print(f"{options.account} is suspended; this takes effect within a minute")


def _resume(options: argparse.Namespace) -> None:
    accounts.resume(options.account)
    gateway.align(options.gateway, options.account)
    print(f"{options.account} is active; its keys work again")
