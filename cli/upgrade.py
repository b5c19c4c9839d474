"""`identity-os upgrade`: another engine takes agents over, once a person has seen what it would have decided otherwise."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from cli.arguments import Commands, account, command
from cli.instances import find
from cli.output import fail, print_table
from identity_engine import canonical
from identity_service import upgrades
from identity_service.engines import NEWEST
from identity_service.errors import ApiError
from identity_service.request_models import NOTE_LIMIT
from identity_service.store import instances
from identity_service.store.accounts import get_account
from identity_service.store.audit_trail import Actor
from identity_service.store.instances import Head

_COLUMNS = ("id", "from", "cycles", "differ", "stress", "drift", "pause", "escalate", "actions", "first", "now", "name")
_FACTS = {
    "stress": "stress_state",
    "drift": "drift_level",
    "pause": "should_pause",
    "escalate": "should_escalate",
    "actions": "allowed_actions",
}
_BAR = 30


def add_commands(commands: Commands) -> None:
    """Add the command to the parser."""
    upgrade = command(
        commands,
        "upgrade",
        _upgrade,
        "let another engine decide for an agent, or for all of an account",
        "--preview replays every report since birth under both engines, says where they part, and changes nothing. An agent "
        "that is paused or escalated is left out, unless --force and --note say why not.",
    )
    account(upgrade)
    which = upgrade.add_mutually_exclusive_group(required=True)
    which.add_argument("instance", metavar="INSTANCE", nargs="?", help="an instance's id, inst_…")
    which.add_argument("--all", action="store_true", help="all agents of the account that another engine decides for")
    upgrade.add_argument("--to", default=NEWEST, metavar="VERSION", help=f"the engine that takes over (default: {NEWEST})")
    upgrade.add_argument("--preview", action="store_true", help="compare only")
    upgrade.add_argument("--force", action="store_true", help="also while the agent is paused or escalated; needs --note")
    upgrade.add_argument("--note", default="", metavar="TEXT", help="why, in your words: the audit trail keeps it")


def _upgrade(options: argparse.Namespace) -> int:
    if len(options.note) > NOTE_LIMIT:
        return fail(f"--note: at most {NOTE_LIMIT} characters")
    if options.force and not options.note.strip():
        return fail("--force needs --note: the audit trail keeps why")
    if options.instance:
        heads: Iterator[Head] = iter([find(options.account, options.instance)])
    else:
        get_account(options.account)
        heads = _others(options.account, options.to)
    return _previews(heads, options) if options.preview else _upgrades(heads, options)


def _others(account_id: str, to: str) -> Iterator[Head]:
    """The account's agents that another engine decides for."""
    for row in instances.all_of(account_id, ("id",)):
        head = instances.get(account_id, row["id"])
        if head and head.engine_version != to:
            yield head


def _previews(heads: Iterator[Head], options: argparse.Namespace) -> int:
    rows, failed = [], 0
    for head in heads:
        try:
            view = upgrades.preview(head, options.to, watch=_Progress(head).advance)
        except ApiError as error:
            print(f"identity-os: {head.id}: {error.message}", file=sys.stderr)
            failed += 1
            continue
        finally:
            _clear()
        rows.append(_row(head, view))
    if options.instance and rows:
        _print_contracts(view)
    print_table(_COLUMNS, rows)
    differ = sum(row["differ"] > 0 for row in rows)
    failures = f", {failed} failed" if failed else ""
    print(f"{len(rows)} agents, {differ} would have been decided for otherwise at some cycle{failures}")
    return int(failed > 0)


def _row(head: Head, view: dict[str, Any]) -> dict[str, Any]:
    first = view["first_difference"]
    now, then = view["upgraded_contract"], view["contract"]
    changes = any(now[name] != then[name] for name in _FACTS.values() if name in now)
    return {
        "id": head.id,
        "name": head.name,
        "from": view["from_version"],
        "cycles": view["cycles"],
        "differ": view["differing_cycles"],
        "first": first and first["cycle"],
        "now": "changes" if changes else "same",
        **{column: view["flips"][fact] for column, fact in _FACTS.items()},
    }


def _print_contracts(view: dict[str, Any]) -> None:
    """Today's two contracts, side by side: what is not the same in both."""
    both = ((name, view["contract"][name], view["upgraded_contract"][name]) for name in view["contract"])
    rows = [
        {"now": name, view["from_version"]: canonical(old), view["engine_version"]: canonical(new)}
        for name, old, new in both
        if old != new
    ]
    if rows:
        print_table(("now", view["from_version"], view["engine_version"]), rows)
        print()


class _Progress:
    """A bar on standard error while a long history is replayed, on a terminal only."""

    def __init__(self, head: Head) -> None:
        self.head, self.seen = head, 0

    def advance(self, record: dict[str, Any]) -> None:
        """Count a record."""
        self.seen += len(record["observations"])
        if sys.stderr.isatty() and self.head.seq:
            done = min(self.seen / self.head.seq, 1.0)
            bar = "#" * round(done * _BAR)
            print(f"\r{self.head.id} {bar:<{_BAR}} {done:4.0%}", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)


def _upgrades(heads: Iterator[Head], options: argparse.Namespace) -> int:
    done = failed = 0
    actor = Actor("command-line", options.note)
    for head in heads:
        try:
            made = upgrades.upgrade(head, options.to, actor, lambda view: canonical(view).encode(), force=options.force)
        except ApiError as error:
            print(f"identity-os: {head.id}: {error.message}", file=sys.stderr)
            failed += 1
            continue
        view = json.loads(made.body)
        stress = view["contract"]["stress_state"]
        print(f"{head.id}  {view['from_version']} -> {view['engine_version']}, {view['how']}: stress {stress}")
        done += 1
    print(f"{done} upgraded" + (f", {failed} not" if failed else ""))
    return int(failed > 0)
