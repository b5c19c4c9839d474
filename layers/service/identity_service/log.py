"""The log: one JSON line for what an operator must know, and none for what went well. Never a key, a header or a body."""

from functools import cache

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """The process's logger."""
    return Logger(service="identity-os")
