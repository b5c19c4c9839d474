"""The log: one JSON line for what an operator must know, and none for what went well. Never a key, a header or a body."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """The process's logger. Powertools comes with Tracer and Metrics, 17 ms of a cold start, so only who logs imports it."""
    from aws_lambda_powertools import Logger

    return Logger(service="identity-os")
