"""`identity-os usage`: what an account has used of its limits, and cycles that were reserved and never processed."""

import argparse
import time
from itertools import pairwise

from cli.arguments import Commands, account, command, noun, seconds
from cli.output import print_table, status
from identity_service.clock import iso, now
from identity_service.plans import PLANS
from identity_service.store import accounts, reconcile, usage
from identity_service.store.dynamodb import Conflict, StoreUnavailable

#: Seconds after which all requests in flight have ended: the functions' timeout and a margin.
REQUESTS_END = 35


def add_commands(commands: Commands) -> None:
    """Add `usage` and its commands to the parser."""
    group = noun(
        commands,
        "usage",
        "show what an account has used, and give back lost cycles",
        "`usage ACCOUNT` is `usage show ACCOUNT`.",
    )
    show = command(group, "show", _show, "show what an account has used of its limits, now and this month")
    account(show)
    check = command(
        group,
        "check",
        _check,
        "find and give back cycles that were reserved and never processed",
        "A request reserves its cycles before it is processed. If it dies in between, the account's count stays too high. "
        "Can be run at any time, and only gives back what was certainly lost.",
    )
    check.add_argument("account", metavar="ACCOUNT", nargs="?", help="one account (default: all accounts)")
    check.add_argument("--dry-run", action="store_true", help="change nothing; exit code 1 when something was found")
    check.add_argument(
        "--wait",
        type=seconds,
        default=REQUESTS_END,
        metavar="SECONDS",
        help="time to wait for requests in flight (default: %(default)s; 0 when no server is running)",
    )


def spelled_out(words: list[str]) -> list[str]:
    """The words of a command line, with `usage acct_…` as `usage show acct_…`."""
    for place, (word, following) in enumerate(pairwise(words), 1):
        if word == "usage" and following.startswith("acct_"):
            return [*words[:place], "show", *words[place:]]
    return words


def _show(options: argparse.Namespace) -> None:
    found = accounts.get_account(options.account)
    plan, windows = PLANS[found["plan"]], usage.windows(now())
    counts = usage.current(found["id"], windows)
    figures = (
        ("requests, this minute", counts.requests, found.get("per_minute", plan.per_minute), iso(windows.minute_ends)),
        ("cycles, this month", counts.cycles, found.get("per_month", plan.per_month), iso(windows.month_ends)),
        ("instances", found["instance_count"], plan.instances, None),
    )
    print(f"plan {plan.name}, {status(found)}")
    print_table(
        ("", "used", "limit", "left", "starts again"),
        (
            {
                "": what,
                "used": used,
                "limit": limit or "unlimited",
                "left": max(limit - used, 0) if limit else None,
                "starts again": ends,
            }
            for what, used, limit, ends in figures
        ),
    )


def _check(options: argparse.Namespace) -> int:
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
    print_table(("account", "counted", "processed", "given back before", "lost", "now"), rows)
    return 1 if failed or (lost and options.dry_run) else 0


def _give_back(finding: reconcile.Finding, windows: usage.Windows) -> str:
    try:
        reconcile.repair(finding, windows)
    except Conflict:
        return "changed concurrently: run the command again"
    except StoreUnavailable:
        return "DynamoDB timeout: run the command again"
    return "given back"
