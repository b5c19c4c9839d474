"""Finds cycles that were reserved and never processed, because whoever reserved them died, and gives them back.

What an account ever reserved in a month is compared with what its instances committed and what was given back. Requests under
way must be over before the second look: those that began after the first one make the difference smaller, never larger. So what
is given back was lost for certain; what an account under load is still owed is found when it rests.
"""

from collections.abc import Callable
from dataclasses import dataclass

from identity_service.store import instances, usage
from identity_service.store.usage import Windows


@dataclass(frozen=True, slots=True)
class Finding:
    """An account's cycles of the month: reserved, committed, and lost in between for certain."""

    account_id: str
    reserved: usage.Reserved
    processed: int
    lost: int


def find(account_ids: list[str], at: Windows, wait: Callable[[], None]) -> list[Finding]:
    """One finding for each account. `wait` returns when no request that was under way can be any more."""
    before = {account_id: usage.reserved(account_id, at) for account_id in account_ids}
    wait()
    return [_finding(account_id, at, before[account_id]) for account_id in account_ids]


def _finding(account_id: str, at: Windows, before: usage.Reserved) -> Finding:
    processed = instances.cycles_of(account_id, at.month)
    now = usage.reserved(account_id, at)
    lost = before.counted + before.given - processed - now.given
    return Finding(account_id, now, processed, max(lost, 0))


def repair(finding: Finding, at: Windows) -> None:
    """Give back what a finding says was lost. Conflict when something was given back since: find again."""
    usage.release(finding.account_id, at, finding.lost, finding.reserved.given)
