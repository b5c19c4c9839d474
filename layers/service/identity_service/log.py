"""Logging: one JSON line for each event that an operator must know about, none for success. Never a key, a header or a body."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """The logger of this process. Importing Powertools takes 17 ms of a cold start, so it is imported at the first log line."""
    from aws_lambda_powertools import Logger

    # Lambda takes a line without an RFC 3339 time for INFO, whatever its level, and drops it at WARN.
    return Logger(service="identity-os", use_rfc3339=True)
