"""`identity-os instances` lists them, `reset` decides about one, `purge` removes what is left of deleted ones."""

import argparse
import json

from cli.arguments import Commands, account, command, instance, noun
from cli.output import fail, print_table
from identity_engine import RESETS, canonical
from identity_service.cycles import current_snapshot, reset_head
from identity_service.errors import ApiError
from identity_service.request_models import NOTE_LIMIT
from identity_service.store import instances, purge
from identity_service.store.accounts import get_account
from identity_service.store.audit_trail import Actor


class UnknownInstance(Exception):
    """The account has no instance with this id."""


def add_commands(commands: Commands) -> None:
    """Add the commands to the parser."""
    group = noun(commands, "instances", "list the instances of an account")
    listing = command(group, "list", _list, "list the instances of an account, oldest first")
    account(listing)
    decide = command(
        commands,
        "reset",
        _reset,
        "decide about an agent that is held: reset it, or accept it as it is",
        "initial: its state at creation. last_stable: the last state without stress and drift. default: a neutral state. "
        "rebaseline: the agent as it is now is the new normal. The decision is a record in its audit trail.",
    )
    instance(decide)
    decide.add_argument("mode", choices=RESETS, help="see above")
    decide.add_argument("--note", default="", metavar="TEXT", help="why, in your words: the audit trail keeps it")
    command(
        commands,
        "purge",
        _purge,
        "remove what is left of deleted instances",
        "The items of a deleted instance are removed automatically. This reads the whole table for those that were not.",
    )


def find(account_id: str, instance_id: str) -> instances.Head:
    """An instance of an account; UnknownAccount, UnknownInstance."""
    head = instances.get(account_id, instance_id)
    if head is None:
        get_account(account_id)
        raise UnknownInstance(instance_id)
    return head


def _list(options: argparse.Namespace) -> None:
    get_account(options.account)
    columns = ("id", "created_at", "updated_at", "cycles", "energy", "name")
    attributes = ("id", "created_at", "updated_at", "seq", "energy_level", "name")
    rows = instances.all_of(options.account, attributes)
    print_table(columns, ({**row, "cycles": row["seq"], "energy": f"{float(row['energy_level']):.2f}"} for row in rows))


def _reset(options: argparse.Namespace) -> int:
    if len(options.note) > NOTE_LIMIT:
        return fail(f"--note: at most {NOTE_LIMIT} characters")
    head = find(options.account, options.instance)
    try:
        done = reset_head(
            head,
            options.mode,
            Actor("command-line", options.note),
            lambda after: canonical(current_snapshot(after)).encode(),
        )
    except ApiError as error:
        return fail(error.message)
    snapshot = json.loads(done.body)
    print(
        f"{options.instance} reset to {options.mode}: stress {snapshot['stress_state']}, energy {snapshot['energy_level']:.2f}"
    )
    return 0


def _purge(_: argparse.Namespace) -> None:
    partitions = items = 0
    for partition in purge.orphans():
        items += purge.purge(partition)
        partitions += 1
    print(f"removed {items} items of {partitions} deleted instances")
