"""What is done to single instances, and to what is left of deleted ones: `identity-os reset` and `purge`."""

import argparse
import json

from cli.arguments import Commands, command
from cli.output import fail
from identity_engine import RESETS, canonical, snapshot_view
from identity_service.cycles import reset_head
from identity_service.errors import ApiError
from identity_service.store import instances, purge
from identity_service.store.audit_trail import Actor


def add_commands(commands: Commands) -> None:
    """Add the commands to the parser."""
    decide = command(commands, "reset", _reset, "decide about an agent: reset it, or accept it as it is (rebaseline)")
    decide.add_argument("account")
    decide.add_argument("instance")
    decide.add_argument("mode", choices=RESETS)
    decide.add_argument("--note", default="", help="why, at most 500 characters: it is kept in the audit trail")
    command(commands, "purge", _purge, "remove items of deleted instances that the automatic purge could not remove")


def _reset(options: argparse.Namespace) -> int:
    head = instances.get(options.account, options.instance)
    if head is None:
        return fail(f"the account has no instance {options.instance}")
    try:
        done = reset_head(
            head,
            options.mode,
            Actor("command-line", options.note),
            lambda state: canonical(snapshot_view(state)).encode(),
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
