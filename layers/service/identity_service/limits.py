"""Rate limit and quota: every request counts against the minute, processed cycles count against the month.

AWS documents API Gateway's usage plans as best effort, so the exact count is kept here. Cycles are reserved before processing
and released when nothing is committed; a request counted against the minute is never released. Source: docs/api.md, "Envelope";
docs/architecture.md, "One request".
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from identity_service import errors
from identity_service.clock import now
from identity_service.log import logger
from identity_service.principal import Principal
from identity_service.store import outbox, usage
from identity_service.store.dynamodb import StoreUnavailable
from identity_service.store.idempotency import Replayed

T = TypeVar("T")

# One thread is enough: a container serves one request at a time, and only the counting runs in parallel.
_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limits")


class Meter:
    """Counts one request and its cycles."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.windows = usage.windows(now())
        self.counts: usage.Counts | None = None
        self._reserved = 0

    def count_request(self, cycles: int = 0) -> None:
        """Count the request and reserve its cycles; ApiError 429 when the minute or the month is over its limit."""
        principal, windows = self.principal, self.windows
        per_minute, per_month = principal.per_minute, principal.per_month
        try:
            self.counts = usage.count(principal.account_id, windows, cycles, per_minute, per_month)
            self._reserved = cycles
            return
        except usage.OverLimit as over:
            self.counts = over.counts
        if self.counts.requests < per_minute:
            # The month's quota is exceeded, but the request still counts against the minute.
            try:
                self.counts = usage.count(principal.account_id, windows, 0, per_minute, per_month)
            except usage.OverLimit as over:
                self.counts = over.counts
            else:
                self._look_at_thresholds(self.counts.cycles)
                raise errors.quota_exceeded(per_month, max(windows.month_ends - int(now()), 1))
        raise errors.rate_limit_exceeded(per_minute, max(windows.minute_ends - int(now()), 1))

    def count_while(self, read: Callable[[], T], cycles: int = 0) -> T:
        """Count the request while `read` runs, and return its result. A 429 takes precedence over an exception of `read`."""
        counting = _executor.submit(self.count_request, cycles)
        try:
            result = read()
        except Exception as error:
            try:
                counting.result()
            except errors.ApiError as over:
                # A replay costs no cycles, so it is returned even when the month's quota is exceeded.
                if not (isinstance(error, Replayed) and over.code == "quota_exceeded"):
                    raise
            self.release()
            raise
        counting.result()
        return result

    def reserve(self, cycles: int) -> None:
        """Reserve cycles of a counted request, once it is known how many; ApiError 429 when the month has not enough."""
        principal, windows = self.principal, self.windows
        try:
            self.counts = usage.reserve(principal.account_id, windows, cycles, principal.per_month)
        except usage.OverLimit as over:
            self.counts = over.counts
            raise errors.quota_exceeded(principal.per_month, max(windows.month_ends - int(now()), 1)) from None
        self._reserved = cycles

    def commit(self) -> None:
        """Mark the reserved cycles as used, after the change is committed."""
        self._reserved = 0
        if self.counts:
            self._look_at_thresholds(self.counts.cycles)

    def _look_at_thresholds(self, cycles: int) -> None:
        account, windows = self.principal.account_id, self.windows
        outbox.look_at_thresholds(account, windows.month, windows.month_ends, cycles, self.principal.per_month)

    def release(self) -> None:
        """Return the reserved cycles that were not committed."""
        if not self._reserved:
            return
        try:
            usage.release(self.principal.account_id, self.windows, self._reserved)
        except StoreUnavailable:
            logger().error("cycles not given back", account=self.principal.account_id, cycles=self._reserved)
            return
        if self.counts:
            self.counts = usage.Counts(self.counts.requests, self.counts.cycles - self._reserved)
        self._reserved = 0

    def headers(self) -> dict[str, str]:
        """The headers about the caller: the key's scope; limits, remaining amounts, reset time."""
        principal = self.principal
        if self.counts is None:
            return {"X-Key-Scope": principal.scope}
        return {
            "X-Key-Scope": principal.scope,
            "X-RateLimit-Limit": str(principal.per_minute),
            "X-RateLimit-Remaining": str(max(principal.per_minute - self.counts.requests, 0)),
            "X-RateLimit-Reset": str(self.windows.minute_ends),
            "X-Monthly-Limit": str(principal.per_month),
            "X-Monthly-Remaining": str(max(principal.per_month - self.counts.cycles, 0)),
        }
