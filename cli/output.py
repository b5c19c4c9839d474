"""What a command prints: tables on standard output, errors in one line on standard error."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any


def print_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table with a header line; "-" stands for an empty cell."""
    lines = [columns, *(tuple("-" if row.get(name) is None else str(row[name]) for name in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def fail(message: str) -> int:
    """Print an error and return the exit code of a command that failed."""
    print(f"identity-os: {message}", file=sys.stderr)
    return 1
