"""What a command prints: tables on standard output, errors in one line on standard error."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any


def print_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table with a header line; "-" stands for an empty cell.

    Callers of the API choose the names of instances, so characters that would control the terminal are shown as escapes.
    """
    lines = [
        columns,
        *(tuple("-" if row.get(name) is None else _printable(str(row[name])) for name in columns) for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def status(account: Mapping[str, Any]) -> str:
    """What an account may do, in a word."""
    return "deleting" if "deleted_at" in account else "suspended" if "suspended_at" in account else "active"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def fail(message: str) -> int:
    """Print an error and return the exit code of a command that failed."""
    print(f"identity-os: {message}", file=sys.stderr)
    return 1
