"""`identity-os usage`: find and give back cycles that were reserved and never processed."""

import argparse
import time

from cli.arguments import Commands, command, noun, seconds
from cli.output import print_table
from identity_service.clock import now
from identity_service.store import accounts, reconcile, usage
from identity_service.store.dynamodb import Conflict, StoreUnavailable

#: Seconds after which all requests in flight have ended: the functions' timeout and a margin.
REQUESTS_END = 35


def add_commands(commands: Commands) -> None:
    """Add `usage` and its commands to the parser."""
    group = noun(commands, "usage", "check cycle counts")
    check = command(group, "check", _check, "find and give back cycles that were reserved and never processed")
    check.add_argument("account", nargs="?", help="one account (default: all accounts)")
    check.add_argument("--dry-run", action="store_true", help="change nothing; exit code 1 when something was found")
    check.add_argument(
        "--wait",
        type=seconds,
        default=REQUESTS_END,
        metavar="SECONDS",
        help="time to wait for requests in flight (default: %(default)s; 0 when no server is running)",
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
