"""What a request may use: one request of the minute and, where it processes, cycles of the month.

API Gateway's usage plans are best effort by AWS's own word, so the exact count is ours. A request that commits nothing gives
its cycles back; a request of the minute is never given back. Source: spec/api.md, "Envelope"; spec/architecture.md, "One
request".
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from identity_service import errors
from identity_service.clock import now
from identity_service.log import logger
from identity_service.principal import Principal
from identity_service.store import usage
from identity_service.store.dynamodb import StoreUnavailable
from identity_service.store.idempotency import Replayed

T = TypeVar("T")

# One thread: a container serves one request at a time, and only the count runs beside something else.
_beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limits")


class Meter:
    """The count of one request."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.windows = usage.windows(now())
        self.counts: usage.Counts | None = None
        self._reserved = 0

    def count_request(self, cycles: int = 0) -> None:
        """Count the request and reserve its cycles; ApiError 429 when the minute or the month has no room."""
        who, at = self.principal, self.windows
        try:
            self.counts = usage.count(who.account_id, at, cycles, who.per_minute, who.per_month)
            self._reserved = cycles
            return
        except usage.OverLimit as over:
            self.counts = over.counts
        if self.counts.requests < who.per_minute:
            # The month stood in the way, but the request still counts against the minute.
            try:
                self.counts = usage.count(who.account_id, at, 0, who.per_minute, who.per_month)
            except usage.OverLimit as over:
                self.counts = over.counts
            else:
                raise errors.quota_exceeded(who.per_month, max(at.month_ends - int(now()), 1))
        raise errors.rate_limit_exceeded(who.per_minute, max(at.minute_ends - int(now()), 1))

    def count_while(self, read: Callable[[], T], cycles: int = 0) -> T:
        """Charge while `read` runs, and answer what it read. Over the limit wins over nearly all that `read` met."""
        counted = _beside.submit(self.count_request, cycles)
        try:
            found = read()
        except Exception as error:
            try:
                counted.result()
            except errors.ApiError as over:
                # An answer given before is given again, whatever the month has left.
                if not (isinstance(error, Replayed) and over.code == "quota_exceeded"):
                    raise
            self.release()
            raise
        counted.result()
        return found

    def keep(self) -> None:
        """The work is committed: the reserved cycles are used."""
        self._reserved = 0

    def release(self) -> None:
        """Return what was reserved and not kept."""
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
        """The limits and what is left of them."""
        if self.counts is None:
            return {}
        who = self.principal
        return {
            "X-RateLimit-Limit": str(who.per_minute),
            "X-RateLimit-Remaining": str(max(who.per_minute - self.counts.requests, 0)),
            "X-RateLimit-Reset": str(self.windows.minute_ends),
            "X-Monthly-Limit": str(who.per_month),
            "X-Monthly-Remaining": str(max(who.per_month - self.counts.cycles, 0)),
        }
