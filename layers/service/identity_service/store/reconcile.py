"""Finds cycles that were reserved and never processed, because the process crashed in between, and releases them.

Compares the cycles that an account reserved in a month with those that its instances committed and those that were released.
The account is read twice, and requests in flight at the first read must have ended before the second one. Requests that start
after the first read can only reduce the difference, so released cycles were certainly lost. Lost cycles of a busy account may
stay undetected until its load is low.
"""

from collections.abc import Callable
from dataclasses import dataclass

from identity_service.store import instances, usage
from identity_service.store.usage import Windows


@dataclass(frozen=True, slots=True)
class Finding:
    """An account's cycles of the month: reserved, committed, and certainly lost."""

    account_id: str
    reserved: usage.Reserved
    processed: int
    lost: int


def find(account_ids: list[str], windows: Windows, wait: Callable[[], None]) -> list[Finding]:
    """One finding for each account. `wait` must return only after all requests in flight have ended."""
    before = {account_id: usage.reserved(account_id, windows) for account_id in account_ids}
    wait()
    return [_finding(account_id, windows, before[account_id]) for account_id in account_ids]


def _finding(account_id: str, windows: Windows, before: usage.Reserved) -> Finding:
    processed = instances.cycles_of(account_id, windows.month)
    now = usage.reserved(account_id, windows)
    lost = before.counted + before.released - processed - now.released
    return Finding(account_id, now, processed, max(lost, 0))


def repair(finding: Finding, windows: Windows) -> None:
    """Release the lost cycles of a finding. Conflict when cycles were released since: call `find` again."""
    usage.release(finding.account_id, windows, finding.lost, finding.reserved.released)
