"""`identity-os webhooks`: create, list, update, delete, rotate, test, deliveries, redeliver."""

import argparse
import os
import sys

from cli.arguments import BadArgument, Commands, account, command, noun
from cli.output import fail, print_table
from identity_service.events import TYPES
from identity_service.store import webhooks
from identity_service.store.accounts import get_account
from identity_service.webhooks import hooks
from identity_service.webhooks.addresses import Refused


def add_commands(commands: Commands) -> None:
    """Add `webhooks` and its commands to the parser."""
    group = noun(commands, "webhooks", "who is told of events: create, list, test, rotate")
    create = command(
        group,
        "create",
        _create,
        "create a webhook and show its secret once",
        "Only the secret goes to standard output. Events are sent to the URL, signed with it.",
    )
    account(create)
    create.add_argument("url", metavar="URL", help="https on port 443, in the internet")
    _types(create)
    create.add_argument("--description", default="", metavar="TEXT", help="a note for people")
    listing = command(group, "list", _list, "list the webhooks of an account")
    account(listing)
    update = command(
        group, "update", _update, "change a webhook", "What happened while it was off is not sent when it is on again."
    )
    _webhook(update)
    update.add_argument("--url", metavar="URL", help="the new URL")
    _types(update)
    update.add_argument("--all-types", action="store_true", help="send all types of events")
    switch = update.add_mutually_exclusive_group()
    switch.add_argument("--on", dest="enabled", action="store_const", const=True, help="switch it on")
    switch.add_argument("--off", dest="enabled", action="store_const", const=False, help="switch it off")
    for name, run, about in (
        ("delete", _delete, "delete a webhook; what is under way to it is not sent"),
        ("rotate", _rotate, "give a webhook a new secret and show it once; the old one signs, too, for a day"),
        ("test", _test, "send a test event"),
        ("deliveries", _deliveries, "show the last deliveries, newest first, with what was answered"),
    ):
        _webhook(command(group, name, run, about))
    again = command(group, "redeliver", _redeliver, "send one of the last deliveries again, with the same id")
    _webhook(again)
    again.add_argument("delivery", metavar="DELIVERY", help="the delivery's id, or its first characters; see `deliveries`")


def _webhook(parser: argparse.ArgumentParser) -> None:
    account(parser)
    parser.add_argument("webhook", metavar="WEBHOOK", help="a webhook's id, hook_…; `webhooks list ACCOUNT` shows it")


def _types(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--type",
        dest="types",
        action="append",
        default=[],
        metavar="TYPE",
        choices=TYPES,
        help=f"send this type of event; may be repeated; without it all are sent: {', '.join(TYPES)}",
    )


def _create(options: argparse.Namespace) -> int:
    get_account(options.account)
    _need_key(options)
    try:
        made = hooks.create(options.account, options.url, options.types, options.description)
    except Refused as refused:
        return fail(f"{options.url}: {refused}")
    except hooks.TooMany:
        return fail(f"{options.account} has {hooks.LIMIT} webhooks, the most that an account may have: delete one first")
    _show(made)
    return 0


def _list(options: argparse.Namespace) -> None:
    get_account(options.account)
    columns = ("id", "state", "created_at", "types", "url", "description")
    rows = webhooks.of_account(options.account)
    print_table(columns, ({**row, "state": _state(row), "types": row["types"].replace("*", "all")} for row in rows))


def _state(row: dict[str, str]) -> str:
    return "off" if not row["enabled"] else "failing" if "failing_since" in row else "on"


def _update(options: argparse.Namespace) -> int:
    changes = {"url": options.url, "types": options.types or None, "enabled": options.enabled}
    if options.all_types:
        changes["types"] = []
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return fail("nothing to change: use --url, --type, --all-types, --on or --off")
    try:
        hook = hooks.update(options.account, options.webhook, changes)
    except Refused as refused:
        return fail(f"{options.url}: {refused}")
    print(f"{hook['id']} is {_state(hook)}, {hook['url']}, {hook['types'].replace('*', 'all types')}")
    return 0


def _delete(options: argparse.Namespace) -> None:
    hooks.delete(options.account, options.webhook)
    print(f"{options.webhook} is deleted")


def _rotate(options: argparse.Namespace) -> None:
    _need_key(options)
    _show(hooks.rotate(options.account, options.webhook))


def _test(options: argparse.Namespace) -> int:
    try:
        delivery = hooks.send_test(options.account, options.webhook)
    except hooks.SwitchedOff:
        return fail(f"{options.webhook} is off: identity-os webhooks update {options.account} {options.webhook} --on")
    print(f"{delivery} is sent within seconds; `webhooks deliveries` shows what was answered")
    return 0


def _deliveries(options: argparse.Namespace) -> None:
    hooks.get(options.account, options.webhook)
    rows = webhooks.deliveries(options.account, options.webhook)
    columns = ("delivery", "at", "type", "status", "attempts", "code", "ms", "answer")
    print_table(
        columns,
        ({**row, "delivery": row["id"][:12], "ms": row["milliseconds"], "code": row["code"] or None} for row in rows),
    )


def _redeliver(options: argparse.Namespace) -> int:
    sent = webhooks.deliveries(options.account, options.webhook)
    found = [row["id"] for row in sent if row["id"].startswith(options.delivery)]
    if len(found) != 1:
        return fail(f"{len(found)} of the last deliveries begin with {options.delivery}")
    try:
        hooks.send_again(options.account, options.webhook, found[0])
    except hooks.SwitchedOff:
        return fail(f"{options.webhook} is off: identity-os webhooks update {options.account} {options.webhook} --on")
    print(f"{found[0]} is sent within seconds")
    return 0


def _show(made: hooks.WithSecret) -> None:
    print(made.secret, flush=True)
    print(f"{made.hook['id']}: shown once; save it now", file=sys.stderr)


def _need_key(options: argparse.Namespace) -> None:
    """BadArgument when nothing says with what a secret is encrypted."""
    if options.gateway is not None:
        key = options.gateway.webhook_key
        if key is None:
            raise BadArgument(f"stack {options.stack} has no output WebhookKeyId: deploy it from this template first")
        os.environ["IDENTITY_OS_WEBHOOK_KEY"] = key
        return
    # The file that `make run` keeps.
    folder = os.environ.get("IDENTITY_OS_LOCAL", ".local")
    if os.path.exists(f"{folder}/secret"):
        os.environ.setdefault("IDENTITY_OS_SECRET_FILE", f"{folder}/secret")
    if not os.environ.get("IDENTITY_OS_WEBHOOK_KEY") and not os.environ.get("IDENTITY_OS_SECRET_FILE"):
        raise BadArgument(
            f"no key to encrypt the secret with: there is no {folder}/secret; set IDENTITY_OS_LOCAL to the server's folder, "
            "or IDENTITY_OS_WEBHOOK_KEY to a KMS key"
        )
