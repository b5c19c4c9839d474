"""`identity-os accounts`: create, list, change the plan."""

import argparse

from cli import gateway
from cli.arguments import Commands, command, noun, positive
from cli.output import print_table
from identity_service.plans import PLANS
from identity_service.store import accounts


def add_commands(commands: Commands) -> None:
    """Add `accounts` and its commands to the parser."""
    group = noun(commands, "accounts", "manage accounts")
    create = command(group, "create", _create, "create an account")
    create.add_argument("name")
    create.add_argument("--plan", choices=PLANS, default="free")
    command(group, "list", _list, "list all accounts")
    set_plan = command(group, "set-plan", _set_plan, "move an account to a plan, optionally with custom limits")
    set_plan.add_argument("account")
    set_plan.add_argument("plan", choices=PLANS)
    set_plan.add_argument("--per-minute", type=positive, help="requests per minute, instead of the plan's limit")
    set_plan.add_argument("--per-month", type=positive, help="cycles per month, instead of the plan's quota")


def _create(options: argparse.Namespace) -> None:
    account_id = accounts.create_account(options.name, options.plan)
    gateway.align(options.gateway, account_id)
    print(account_id)


def _list(_: argparse.Namespace) -> None:
    print_table(("id", "plan", "instance_count", "created_at", "name"), accounts.list_accounts())


def _set_plan(options: argparse.Namespace) -> None:
    accounts.set_plan(options.account, options.plan, options.per_minute, options.per_month)
    gateway.align(options.gateway, options.account)
    print(f"{options.account} is on {options.plan}; this takes effect within a minute")
